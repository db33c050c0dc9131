// Package bmp reads the BGP Monitoring Protocol: what a router says of its own
// sessions and tables.
//
// It takes the bytes of one connection and gives messages: who the peer is,
// which of the router's tables is meant, whether the session is up, and the body
// of an UPDATE for wire.Observed. Length, version, type and every inner length
// are vetted here first; then GoBGP's decoder reads headers, OPENs and TLVs,
// inside a recover, because it can panic. The UPDATE that a Route Monitoring
// message carries never reaches GoBGP: the walker of package wire reads it.
//
// It opens no socket, keeps no route and no state between messages, and reads
// no clock. What it does not know is an error, never a guess.
//
// RFC 7854 (4), RFC 8671 (Adj-RIB-Out), RFC 9069 (Loc-RIB), RFC 8654 (UPDATEs of
// up to 65535 octets).
package bmp
