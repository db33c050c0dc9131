// Package frr is the front end of leaklint for FRRouting and for the
// languages it grew out of: Cisco IOS, Arista EOS and Cisco NX-OS.
//
// It takes one running configuration and gives a device.Config: sessions per
// neighbor and address family with every filter of the session in order, route
// maps as policies, lists as sets, and each line of the file under one of five
// states. One front end serves all four; what they make of the same words (a
// route map that does not exist, an undefined list, two conditions of a kind,
// a jump past the end) stands in one table, dialect.go. What no device has
// confirmed there becomes an Unknown condition or an undecided disposition.
//
// What it has to get right is where these languages fail open. FRR skips a
// line it cannot parse, which makes the entry wider; a call of a route map
// that does not exist permits everything; a deny entry whose list is undefined
// is no guard. EOS takes an undefined route map as none, NX-OS an undefined
// prefix list as every prefix. default-originate passes by all filters.
//
// The package reads no file, no clock and no network, and panics on nothing.
//
// RFC 4271 section 9 (decision and advertisement), RFC 1997 (well-known
// communities), RFC 4456 (reflection), RFC 5065 (confederations), RFC 8212
// (default deny, which FRR follows), RFC 9234 (roles and OTC, in FRR).
package frr
