// Package frrdiff holds leaklint's reading of policies against the daemons
// that run them: random policies are given to a real FRR, BIRD and OpenBGPD and
// to a GoBGP server, routes are injected over BGP sessions, and what leaves towards each neighbor
// has to be what the concrete evaluator says. It needs the build tag interop.
package frrdiff
