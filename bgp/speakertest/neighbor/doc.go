// Package neighbor is the other end of a session, for tests and the demo: a
// BGP speaker that keeps a real Adj-RIB-In and counts what it was told.
//
// It listens, dials or both, speaks IPv4 and IPv6 unicast with 4-octet AS
// numbers (RFC 6793), and is a graceful restart helper (RFC 4724 section 4.2):
// when TCP breaks without a NOTIFICATION it keeps the routes as stale and drops
// what was not sent again at the End-of-RIB. It announces nothing. It shares no
// code with the speaker under test but the message codec.
package neighbor
