package mrt

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// errShort is a record that ends before its fields do.
var errShort = errors.New("a field leaves the record")

// cursor takes fields off the front of a record. What is missing reads as zero
// and sets short; check it before what was read is used.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.short = nil, true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) asn(four bool) uint32 {
	if four {
		return c.u32()
	}
	return uint32(c.u16())
}

func (c *cursor) addr(v6 bool) netip.Addr {
	if v6 {
		if b := c.take(16); b != nil {
			return netip.AddrFrom16([16]byte(b))
		}
	} else if b := c.take(4); b != nil {
		return netip.AddrFrom4([4]byte(b))
	}
	return netip.Addr{}
}
