// Package mrt reads what route collectors write down: tables and UPDATEs in
// MRT files.
//
// It takes a stream of bytes and gives one Element per route that a record
// tells of, in order, using a fixed amount of memory however long the stream
// is. A record that cannot be read is an error with its offset, and the next
// one is read; a stream that ends within a record is an error too. It never
// panics on input, never decompresses and never keeps what it has given.
//
// Messages and attributes are read by package wire; nothing of GoBGP is in it,
// so that GoBGP's own reader can be held against it.
//
// RFC 6396 (TABLE_DUMP, TABLE_DUMP_V2, BGP4MP, BGP4MP_ET), RFC 8050 (ADD-PATH),
// for IPv4 and IPv6 unicast. Other records are counted and passed over.
package mrt
