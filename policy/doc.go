// Package policy decides; it does not act.
//
// It takes values (roles, routes, findings) and gives verdicts with reasons:
// which roles fit each other and what Only-to-Customer says (RFC 9234), what is
// valley-free and which leak it would be otherwise (RFC 7908), and which marks
// a route carries inside our AS. It never reads a clock, a file, the network or
// a configuration, and a verdict that nobody filled in is Refuse (invariant 10).
package policy
