package mrt

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// bgp4mp reads a record of BGP4MP: a message or a change of state (RFC 6396
// section 4.4; subtypes 8 to 11 are RFC 8050 section 3).
func (r *Reader) bgp4mp(h header, c *cursor, emit func() bool) error {
	var four, addPath, state bool
	switch h.sub {
	case 0:
		state = true
	case 5:
		state, four = true, true
	case 1, 6:
	case 4, 7:
		four = true
	case 8, 10:
		addPath = true
	case 9, 11:
		four, addPath = true, true
	default:
		r.Counts.Skipped++
		return nil
	}
	r.el.PeerAS = c.asn(four)
	c.asn(four) // the collector's
	c.take(2)   // interface index
	afi := c.u16()
	if c.short {
		return errShort
	}
	if afi != 1 && afi != 2 {
		return fmt.Errorf("address family %d", afi)
	}
	r.el.Peer = c.addr(afi == 2)
	c.addr(afi == 2)
	if state {
		c.take(4)
	}
	if c.short {
		return errShort
	}
	if state {
		r.el.Kind = SessionState
		emit()
		return nil
	}
	return r.message(c.b, wire.Recording{TwoOctetAS: !four, AddPath: addPath}, emit)
}

// message reads one BGP message. Its length may be up to 65,535 octets (RFC
// 8654), and the marker was the collector's to check.
func (r *Reader) message(raw []byte, rec wire.Recording, emit func() bool) error {
	if len(raw) < wire.HeaderLen {
		return errShort
	}
	length := int(binary.BigEndian.Uint16(raw[16:]))
	if length < wire.HeaderLen || length > len(raw) {
		return fmt.Errorf("message of %d octets in %d", length, len(raw))
	}
	if wire.Type(raw[18]) != wire.TypeUpdate {
		r.Counts.Skipped++
		return nil
	}
	if err := r.seen.ReadUpdate(raw[wire.HeaderLen:length], rec); err != nil {
		return err
	}
	r.el.Kind = Withdrawn
	for p := range r.seen.Withdrawals() {
		if r.el.Prefix = p; !emit() {
			return nil
		}
	}
	r.el.Kind = Advertised
	r.attributes()
	for p := range r.seen.Advertisements() {
		if r.el.Prefix = p; !emit() {
			return nil
		}
	}
	return nil
}
