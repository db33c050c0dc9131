// Package symbolic runs the pipelines of a device.Config for all routes at
// once.
//
// It takes sources (where a route may have been learned, with the import
// pipeline it passes), sessions and what will be asked; it gives, per session,
// the set of received routes that are certainly and that are possibly
// advertised, the terms that accept them, and a witness: one route of a set.
// What a device does with one route is the business of package concrete, which
// replays every witness and shares no code with this one.
//
// A set of routes is a decision diagram over the family, the source, the
// prefix, the scalar attributes, the communities and the AS path as received.
// Every condition is a pair: where it must and where it may hold. What is not
// modelled must hold nowhere and may hold everywhere, so that it can turn
// neither a leak into a proof of safety nor a doubt into an accusation. At each
// point of a policy there is one state: states that meet are merged, attribute
// by attribute, so that policies that only test and tag do not multiply.
//
// A universe that grows past its budget says so (ErrTooLarge) and proves
// nothing. The package reads no file and no clock.
//
// RFC 4271 section 9, RFC 7908.
package symbolic
