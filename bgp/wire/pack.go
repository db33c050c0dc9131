package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// ErrTooLong says that attributes do not fit into a message with even one
// prefix.
var ErrTooLong = errors.New("attributes do not fit into one message")

// Encoding is what a session's OPENs have settled about what is written to it.
// The zero value is right for a neighbor with four-octet AS numbers.
type Encoding struct {
	TwoOctetAS bool // capability 65 was not exchanged
}

// AppendAdvertise appends the fewest UPDATEs that advertise the prefixes with
// the attributes of set, and returns how many. All prefixes must be of the
// set's family; IPv4 goes into the message's own field, IPv6 into MP_REACH_NLRI.
// On an error nothing is appended.
func (e Encoding) AppendAdvertise(dst []byte, set AttrSet, prefixes []netip.Prefix) ([]byte, int, error) {
	if set.IsZero() {
		return dst, 0, errors.New("advertise: no attributes")
	}
	nextHop, list := set.split()
	v6 := nextHop != ""
	if err := checkFamily(prefixes, v6); err != nil {
		return dst, 0, fmt.Errorf("advertise: %w", err)
	}
	if e.TwoOctetAS {
		attrs := set.Attributes()
		list = string(attrs.append(nil, 2))
	}
	longest := 5 // an IPv4 /32
	overhead := HeaderLen + 4 + len(list)
	if v6 {
		longest = 17
		overhead += 4 + 5 + len(nextHop) // header of the attribute, family, next hop
	}
	if overhead+longest > MaxMessageLen {
		return dst, 0, fmt.Errorf("advertise: %d octets of attributes: %w", len(list), ErrTooLong)
	}
	messages := 0
	for len(prefixes) > 0 {
		n, octets := fit(prefixes, MaxMessageLen-overhead)
		if v6 {
			dst = appendReach6(dst, nextHop, list, prefixes[:n], octets)
		} else {
			dst = appendReach4(dst, list, prefixes[:n])
		}
		prefixes = prefixes[n:]
		messages++
	}
	return dst, messages, nil
}

// fit counts how many prefixes fit into room octets, and the octets they take.
func fit(prefixes []netip.Prefix, room int) (n, octets int) {
	for n < len(prefixes) && octets+prefixLen(prefixes[n]) <= room {
		octets += prefixLen(prefixes[n])
		n++
	}
	return n, octets
}

func checkFamily(prefixes []netip.Prefix, v6 bool) error {
	for _, p := range prefixes {
		if !p.IsValid() {
			return errors.New("invalid prefix")
		}
		if p.Addr().Is4() == v6 {
			return fmt.Errorf("prefix %s: not of the next hop's family", p)
		}
	}
	return nil
}

func appendReach4(dst []byte, list string, prefixes []netip.Prefix) []byte {
	start := len(dst)
	dst = append(beginMessage(dst, TypeUpdate), 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	dst = append(dst, list...)
	for _, p := range prefixes {
		dst = AppendPrefix(dst, p)
	}
	return endMessage(dst, start)
}

// appendReach6 writes MP_REACH_NLRI before all other attributes, so that a damaged
// one behind it cannot hide the prefixes (RFC 7606 section 5.1).
func appendReach6(dst []byte, nextHop, list string, prefixes []netip.Prefix, octets int) []byte {
	start := len(dst)
	dst = append(beginMessage(dst, TypeUpdate), 0, 0, 0, 0)
	attributes := len(dst)
	dst = appendAttributeHeader(dst, optional, AttrMPReach, 5+len(nextHop)+octets)
	dst = append(dst, 0, 2, 1, byte(len(nextHop)))
	dst = append(append(dst, nextHop...), 0)
	for _, p := range prefixes {
		dst = AppendPrefix(dst, p)
	}
	dst = append(dst, list...)
	binary.BigEndian.PutUint16(dst[attributes-2:], uint16(len(dst)-attributes))
	return endMessage(dst, start)
}

// AppendWithdraw appends the fewest UPDATEs that withdraw the prefixes, which
// must all be of one family, and returns how many. On an error nothing is
// appended.
func (e Encoding) AppendWithdraw(dst []byte, prefixes []netip.Prefix) ([]byte, int, error) {
	if len(prefixes) == 0 {
		return dst, 0, nil // an UPDATE without prefixes would be an End-of-RIB
	}
	v6 := !prefixes[0].Addr().Is4()
	if err := checkFamily(prefixes, v6); err != nil {
		return dst, 0, fmt.Errorf("withdraw: %w", err)
	}
	room := MaxMessageLen - HeaderLen - 4
	if v6 {
		room -= 4 + 3
	}
	messages := 0
	for ; len(prefixes) > 0; messages++ {
		n, octets := fit(prefixes, room)
		dst = appendUnreach(dst, prefixes[:n], octets, v6)
		prefixes = prefixes[n:]
	}
	return dst, messages, nil
}

func appendUnreach(dst []byte, prefixes []netip.Prefix, octets int, v6 bool) []byte {
	start := len(dst)
	dst = beginMessage(dst, TypeUpdate)
	attributes := len(dst) + 4
	if v6 {
		dst = append(dst, 0, 0, 0, 0)
		dst = appendAttributeHeader(dst, optional, AttrMPUnreach, 3+octets)
		dst = append(dst, 0, 2, 1)
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(octets))
	}
	for _, p := range prefixes {
		dst = AppendPrefix(dst, p)
	}
	if v6 {
		binary.BigEndian.PutUint16(dst[attributes-2:], uint16(len(dst)-attributes))
	} else {
		dst = append(dst, 0, 0)
	}
	return endMessage(dst, start)
}

// AppendEndOfRIB appends the End-of-RIB marker of a family (RFC 4724 section
// 2), nothing for a family that is not carried.
func AppendEndOfRIB(dst []byte, f Family) []byte {
	start := len(dst)
	switch f {
	case IPv4Unicast:
		dst = append(beginMessage(dst, TypeUpdate), 0, 0, 0, 0)
	case IPv6Unicast:
		dst = append(beginMessage(dst, TypeUpdate), 0, 0, 0, 6, byte(optional), byte(AttrMPUnreach), 3, 0, 2, 1)
	default:
		return dst
	}
	return endMessage(dst, start)
}

// Packer collects changes to what a neighbor holds and packs them into the
// fewest UPDATEs. The last word on a prefix counts; withdrawals leave before
// advertisements, and otherwise the order is that of the calls. The zero value
// is ready to use. It is for one goroutine.
type Packer struct {
	changes []change
	at      map[netip.Prefix]int // where in changes
}

// change is a prefix with its new attributes, zero to withdraw it.
type change struct {
	prefix netip.Prefix
	set    AttrSet
}

// Packed counts what Flush has written.
type Packed struct {
	Messages   int
	Advertised int // prefixes
	Withdrawn  int // prefixes
}

// Advertise notes that the neighbor is to hold the prefix with the attributes;
// set must not be zero.
func (p *Packer) Advertise(prefix netip.Prefix, set AttrSet) error {
	if set.IsZero() {
		return fmt.Errorf("advertise %s: no attributes", prefix)
	}
	return p.note(prefix, set)
}

// Withdraw notes that the neighbor is not to hold the prefix.
func (p *Packer) Withdraw(prefix netip.Prefix) error { return p.note(prefix, AttrSet{}) }

func (p *Packer) note(prefix netip.Prefix, set AttrSet) error {
	if !prefix.IsValid() {
		return errors.New("pack: invalid prefix")
	}
	prefix = prefix.Masked()
	if i, ok := p.at[prefix]; ok {
		p.changes[i].set = set
		return nil
	}
	if p.at == nil {
		p.at = make(map[netip.Prefix]int)
	}
	p.at[prefix] = len(p.changes)
	p.changes = append(p.changes, change{prefix, set})
	return nil
}

// Len counts the prefixes with a pending change.
func (p *Packer) Len() int { return len(p.changes) }

// Flush appends the UPDATEs for all pending changes and forgets them. A set
// that does not fit its prefixes or a message is left out and reported; the
// rest is packed nevertheless.
func (p *Packer) Flush(dst []byte, e Encoding) ([]byte, Packed, error) {
	var packed Packed
	var errs []error
	var withdrawn [2][]netip.Prefix // IPv4, IPv6
	type group struct {
		set      AttrSet
		prefixes []netip.Prefix
	}
	var groups []group
	where := make(map[AttrSet]int)
	for _, c := range p.changes {
		if c.set.IsZero() {
			i := 0
			if !c.prefix.Addr().Is4() {
				i = 1
			}
			withdrawn[i] = append(withdrawn[i], c.prefix)
			continue
		}
		i, ok := where[c.set]
		if !ok {
			i = len(groups)
			where[c.set] = i
			groups = append(groups, group{set: c.set})
		}
		groups[i].prefixes = append(groups[i].prefixes, c.prefix)
	}
	for _, prefixes := range withdrawn {
		var n int
		var err error
		dst, n, err = e.AppendWithdraw(dst, prefixes)
		packed.Messages += n
		if err != nil {
			errs = append(errs, err)
			continue
		}
		packed.Withdrawn += len(prefixes)
	}
	for _, g := range groups {
		var n int
		var err error
		dst, n, err = e.AppendAdvertise(dst, g.set, g.prefixes)
		packed.Messages += n
		if err != nil {
			errs = append(errs, err)
			continue
		}
		packed.Advertised += len(g.prefixes)
	}
	p.forget()
	return dst, packed, errors.Join(errs...)
}

// forget drops what was pending, and after a bulk change its memory too.
func (p *Packer) forget() {
	const keep = 4096
	if len(p.changes) > keep {
		p.changes, p.at = nil, nil
		return
	}
	clear(p.changes)
	p.changes = p.changes[:0]
	clear(p.at)
}
