// Package control carries out what customers signal with BGP (ADR-08): a
// customer whose prefixes are controlled by BGP announces one on its session to
// have it advertised, and withdraws it to have it withdrawn.
//
// It takes what the session guard hears and gives changes of desired state, as
// the owner's own, through the same registry and gates as everybody's. A
// session that is lost is a lost signal: the last state stays, and that is
// told. What a gate refuses waits and is tried again.
//
// It never touches the wire, and never takes silence for a wish.
package control
