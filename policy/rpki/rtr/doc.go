// Package rtr takes validated ROA payloads from a cache over the RPKI to
// Router protocol: version 1 (RFC 8210), and version 0 (RFC 6810) where the
// cache speaks nothing newer. It takes a connection and gives whole tables.
//
// It never hands on a part of a table: what was announced since the last End
// of Data is seen by nobody until the next one. It never dials by itself, and
// an error ends the session and leaves what the caller has as it is.
package rtr
