package mrt

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// tableDump reads a TABLE_DUMP record: one route (RFC 6396 section 4.2). The
// subtype is the address family.
func (r *Reader) tableDump(h header, c *cursor, emit func() bool) error {
	if h.sub != 1 && h.sub != 2 {
		r.Counts.Skipped++
		return nil
	}
	v6 := h.sub == 2
	c.take(4) // view and sequence number
	addr, bits := c.addr(v6), int(c.u8())
	c.take(5) // status, originated time
	r.el.Peer, r.el.PeerAS = c.addr(v6), c.asn(false)
	list := c.take(int(c.u16()))
	if c.short {
		return errShort
	}
	if bits > addr.BitLen() {
		return fmt.Errorf("prefix: length %d does not fit", bits)
	}
	r.el.Prefix = netip.PrefixFrom(addr, bits).Masked()
	return r.entry(list, wire.Recording{TwoOctetAS: true}, emit)
}

// entry gives a route of a table.
func (r *Reader) entry(list []byte, rec wire.Recording, emit func() bool) error {
	if err := r.seen.ReadAttributes(list, rec); err != nil {
		return err
	}
	r.el.Kind = TableEntry
	r.attributes()
	emit()
	return nil
}

func (r *Reader) attributes() {
	r.el.Path, r.el.OTC, r.el.Communities = r.seen.Path, r.seen.OTC, r.seen.Communities
}

// Subtypes of TABLE_DUMP_V2 (RFC 6396 section 4.3, RFC 8050 section 4).
const (
	subPeerIndexTable  = 1
	subIPv4Unicast     = 2
	subIPv6Unicast     = 4
	subIPv4UnicastPath = 8
	subIPv6UnicastPath = 10
)

// tableDumpV2 reads a record of TABLE_DUMP_V2: the peers, or all routes to one
// prefix.
func (r *Reader) tableDumpV2(h header, c *cursor, emit func() bool) error {
	switch h.sub {
	case subPeerIndexTable:
		return r.peerIndexTable(c)
	case subIPv4Unicast, subIPv6Unicast:
		return r.rib(c, h.sub == subIPv6Unicast, false, emit)
	case subIPv4UnicastPath, subIPv6UnicastPath:
		return r.rib(c, h.sub == subIPv6UnicastPath, true, emit)
	}
	r.Counts.Skipped++
	return nil
}

// peerIndexTable reads the peers that entries refer to (section 4.3.1).
func (r *Reader) peerIndexTable(c *cursor) error {
	r.peers = r.peers[:0]
	c.take(4) // collector's BGP ID
	c.take(int(c.u16()))
	for range c.u16() {
		kind := c.u8()
		c.take(4) // BGP ID
		r.peers = append(r.peers, peer{addr: c.addr(kind&1 != 0), asn: c.asn(kind&2 != 0)})
		if c.short {
			r.peers = r.peers[:0]
			return errShort
		}
	}
	return nil
}

// rib reads the routes to one prefix (sections 4.3.2 and 4.3.4).
func (r *Reader) rib(c *cursor, v6, addPath bool, emit func() bool) error {
	c.take(4) // sequence number
	prefix, rest, err := wire.ReadPrefix(c.b, v6)
	if err != nil {
		return err
	}
	c.b, r.el.Prefix = rest, prefix
	for range c.u16() {
		index := int(c.u16())
		c.take(4) // originated time
		if addPath {
			c.take(4)
		}
		list := c.take(int(c.u16()))
		if c.short {
			return errShort
		}
		if index >= len(r.peers) {
			return fmt.Errorf("peer %d: the peer index table has %d", index, len(r.peers))
		}
		r.el.Peer, r.el.PeerAS = r.peers[index].addr, r.peers[index].asn
		// RFC 6396 section 4.3.4: all AS numbers in the AS_PATH are four octets.
		if err := r.seen.ReadAttributes(list, wire.Recording{}); err != nil {
			return fmt.Errorf("entry of peer %s: %w", r.el.Peer, err)
		}
		r.el.Kind = TableEntry
		r.attributes()
		if !emit() {
			return nil
		}
	}
	if c.short {
		return errShort
	}
	if len(c.b) > 0 {
		return errors.New("octets are left after the last entry")
	}
	return nil
}
