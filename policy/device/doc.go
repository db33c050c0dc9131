// Package device is the vendor-neutral model of a router's BGP configuration
// that every front end of leaklint produces and every evaluator walks.
//
// It takes nothing by itself: the front ends (gobgp, frr, junos, bird,
// openbgpd) parse text into a Config. It gives sessions with their export and
// import pipelines, policies made of terms, named sets, and one Statement for
// each line of the source, so that what was not understood is known and never
// passed over.
//
// All meaning is data. Conditions are Expr trees over atoms, changes are Action
// values, control flow is a Disposition; there are no closures, so that the
// concrete evaluator and the symbolic one read the same thing. What differs
// between dialects (an undefined list, a fall-off at the end, an empty set) is
// lowered by the front end into this model: the evaluators know no dialect.
//
// Truth has three values. An Unknown expression or action stands for text that
// was parsed but whose meaning is not modelled; nothing that depends on it may
// be called clean.
//
// The package reads no file, no clock and no network.
//
// RFC 4271 (section 9: decision and advertisement), RFC 1997 and RFC 8092
// (communities), RFC 7908 (kinds of leak), RFC 8212 (default deny), RFC 9234
// (roles and OTC).
package device
