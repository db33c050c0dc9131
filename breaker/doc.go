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
// # Core and shell
//
// Model is the core: plain data and one pure function, [Model.Step], that reads
// no clock and touches no file; time travels in the event. Breaker is the shell
// around it: one lock, one journal. Wire is a second look that shares no code
// with the first: it counts what neighbors were told.
//
// # Scopes
//
// A scope is everything, an account, an actor, a neighbor or a service. It is
// closed, recovering, open or locked; the zero state is open. A change that
// would exceed a limit is not applied, and opens the smallest scope that
// explains it: the actor of more than half of what the window holds, else its
// account, else everything. When that scope is open already, the change is
// refused and nothing more opens: who filled the window has been stopped, and
// one operator's limits are a little under everybody's, so that others have
// room left. Trips persist and never reset themselves.
//
// # What passes while a scope is open
//
// What only adds, always; restores even while everything is locked; the
// emergency lane, a few prefixes by a person with an incident; a drain that
// takes no route off; while nothing but the global scope is open, an owner's
// own prepends and five of its own withdrawals an hour.
//
// # Windows
//
// A window holds each prefix once, at its last time, in 60 buckets and the one
// its start falls into: an edge errs towards open by at most one bucket. Its
// denominator is what was advertised when it began. Memory is per prefix and
// scope, whatever the number of events. An owner's own withdrawals count in
// windows of a day and longer only, and one owner can fill no more than half of
// one; they lower the maximum that the state floor (W6) is measured from.
//
// # Journal
//
// One file, see journal.go. Missing, cut, torn or changed in any bit means that
// everything is open; the damaged file is kept aside. Only Init makes a closed
// one, and never twice.
package breaker
