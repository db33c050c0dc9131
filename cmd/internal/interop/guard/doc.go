// Package guard tests the session guard against FRR, BIRD and OpenBGPD: roles
// and OTC (RFC 9234), TCP-MD5, TTL security, collisions and hold timers, as the
// other side sees them.
package guard
