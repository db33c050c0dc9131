// Package breaker holds back losses of reachability that come too fast, too
// broadly or too slowly to notice.
//
// It takes proposals (changes before they are committed), plans (the same
// changes before they reach a neighbor) and observations (what was seen on the
// wire), and gives decisions: allow, confirm or refuse. Every loss is written
// to an append-only journal and fsynced before the decision allows it, so that
// neither a restart nor a crash refreshes a budget.
//
// It can only say no. It knows no speaker, no snapshot and no database, imports
// the standard library alone, and has no way to announce or withdraw anything:
// a hung, dead or mistaken breaker leaves the wire as it is.
//
// Restores are never held: a proposal or plan that only gains reachability
// passes in every state but locked, and a restore passes in that one too.
//
// The core is Model: plain data and methods that read no clock and touch no
// file; time travels in the event. Breaker is the shell around it: one lock,
// one journal.
package breaker
