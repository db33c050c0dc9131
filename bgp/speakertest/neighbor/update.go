package neighbor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

type large = policy.LargeCommunity

// Attribute type codes (RFC 4271 section 5, RFC 1997, RFC 4760, RFC 8092).
const (
	attrOrigin      = 1
	attrASPath      = 2
	attrNextHop     = 3
	attrMED         = 4
	attrLocalPref   = 5
	attrCommunities = 8
	attrMPReach     = 14
	attrMPUnreach   = 15
	attrLarge       = 32
)

const flagExtendedLength = 0x10

var errShort = errors.New("message ends too early")

// update is one UPDATE taken apart; all its routes have the same attributes.
type update struct {
	announced []netip.Prefix
	withdrawn []netip.Prefix
	attrs     []byte     // bytes of the attributes but the multiprotocol ones
	nextHop   netip.Addr // of MP_REACH_NLRI
	linkLocal netip.Addr // the second one (RFC 2545 section 3)
	endOfRIB  addressing.Family
}

// readUpdate reads the body of an UPDATE (RFC 4271 section 4.3).
func readUpdate(body []byte) (u update, err error) {
	withdrawn, rest, err := counted16(body)
	if err != nil {
		return u, fmt.Errorf("withdrawn routes: %w", err)
	}
	attrs, nlri, err := counted16(rest)
	if err != nil {
		return u, fmt.Errorf("path attributes: %w", err)
	}
	if u.withdrawn, err = readPrefixes(nil, withdrawn, addressing.IPv4); err != nil {
		return u, fmt.Errorf("withdrawn routes: %w", err)
	}
	if u.announced, err = readPrefixes(nil, nlri, addressing.IPv4); err != nil {
		return u, fmt.Errorf("nlri: %w", err)
	}
	if len(body) == 4 { // RFC 4724 section 2: an empty UPDATE is the marker of IPv4 unicast
		u.endOfRIB = addressing.IPv4
		return u, nil
	}
	return u, u.readAttributes(attrs)
}

// readAttributes takes the multiprotocol attributes apart and keeps the bytes
// of the others.
func (u *update) readAttributes(b []byte) error {
	for len(b) > 0 {
		code, value, size, err := nextAttribute(b)
		if err != nil {
			return err
		}
		switch code {
		case attrMPReach:
			err = u.readReach(value)
		case attrMPUnreach:
			err = u.readUnreach(value)
		default:
			u.attrs = append(u.attrs, b[:size]...)
		}
		if err != nil {
			return fmt.Errorf("attribute %d: %w", code, err)
		}
		b = b[size:]
	}
	return nil
}

// readReach reads MP_REACH_NLRI (RFC 4760 section 3).
func (u *update) readReach(v []byte) (err error) {
	if len(v) < 5 || len(v) < 5+int(v[3]) {
		return errShort
	}
	if binary.BigEndian.Uint16(v) != 2 || v[2] != 1 {
		return fmt.Errorf("AFI %d SAFI %d was not negotiated", binary.BigEndian.Uint16(v), v[2])
	}
	next := v[4 : 4+int(v[3])]
	if len(next) != 16 && len(next) != 32 { // RFC 2545 section 3
		return fmt.Errorf("next hop of %d bytes", len(next))
	}
	u.nextHop = netip.AddrFrom16([16]byte(next[:16]))
	u.linkLocal, _ = netip.AddrFromSlice(next[16:])
	u.announced, err = readPrefixes(u.announced, v[5+len(next):], addressing.IPv6)
	return err
}

// readUnreach reads MP_UNREACH_NLRI (RFC 4760 section 4).
func (u *update) readUnreach(v []byte) (err error) {
	if len(v) < 3 {
		return errShort
	}
	if binary.BigEndian.Uint16(v) != 2 || v[2] != 1 {
		return fmt.Errorf("AFI %d SAFI %d was not negotiated", binary.BigEndian.Uint16(v), v[2])
	}
	if len(v) == 3 && len(u.announced)+len(u.withdrawn) == 0 { // RFC 4724 section 2
		u.endOfRIB = addressing.IPv6
		return nil
	}
	u.withdrawn, err = readPrefixes(u.withdrawn, v[3:], addressing.IPv6)
	return err
}

func counted16(b []byte) (head, tail []byte, err error) {
	if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
		return nil, nil, errShort
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:n], b[n:], nil
}

func nextAttribute(b []byte) (code byte, value []byte, size int, err error) {
	if len(b) < 3 {
		return 0, nil, 0, errShort
	}
	head, length := 3, int(b[2])
	if b[0]&flagExtendedLength != 0 {
		if len(b) < 4 {
			return 0, nil, 0, errShort
		}
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
	}
	if len(b) < head+length {
		return 0, nil, 0, errShort
	}
	return b[1], b[head : head+length], head + length, nil
}

// readPrefixes appends the prefixes of an NLRI field (RFC 4271 section 4.3).
func readPrefixes(out []netip.Prefix, b []byte, f addressing.Family) ([]netip.Prefix, error) {
	for len(b) > 0 {
		bits := int(b[0])
		n := (bits + 7) / 8
		if len(b) < 1+n {
			return out, errShort
		}
		var addr netip.Addr
		if f == addressing.IPv4 {
			var a [4]byte
			if n > len(a) {
				return out, fmt.Errorf("prefix of %d bits", bits)
			}
			copy(a[:], b[1:1+n])
			addr = netip.AddrFrom4(a)
		} else {
			var a [16]byte
			if n > len(a) {
				return out, fmt.Errorf("prefix of %d bits", bits)
			}
			copy(a[:], b[1:1+n])
			addr = netip.AddrFrom16(a)
		}
		out = append(out, netip.PrefixFrom(addr, bits).Masked())
		b = b[1+n:]
	}
	return out, nil
}

// key tells attribute sets apart: the bytes, then the next hop.
func (u *update) key() []byte {
	if !u.nextHop.IsValid() {
		return u.attrs
	}
	next := u.nextHop.As16()
	key := append(u.attrs[:len(u.attrs):len(u.attrs)], next[:]...)
	return append(key, u.linkLocal.AsSlice()...)
}

// decode reads the attributes. AS numbers have four octets: the session
// negotiated RFC 6793.
func (u *update) decode() (*Attributes, error) {
	a := &Attributes{}
	a.NextHop, a.LinkLocal = u.nextHop, u.linkLocal
	b := u.attrs
	for len(b) > 0 {
		code, v, size, err := nextAttribute(b)
		if err != nil {
			return nil, err
		}
		if err := a.set(code, v); err != nil {
			return nil, fmt.Errorf("attribute %d: %w", code, err)
		}
		b = b[size:]
	}
	sortCommunities(a)
	return a, nil
}

func (a *Attributes) set(code byte, v []byte) error {
	want := map[byte]int{attrOrigin: 1, attrNextHop: 4, attrMED: 4, attrLocalPref: 4}
	if n, fixed := want[code]; fixed && len(v) != n {
		return fmt.Errorf("%d bytes instead of %d", len(v), n)
	}
	switch code {
	case attrOrigin:
		a.Origin = Origin(v[0])
	case attrASPath:
		return a.setASPath(v)
	case attrNextHop:
		a.NextHop = netip.AddrFrom4([4]byte(v))
	case attrMED:
		a.MED = number(v)
	case attrLocalPref:
		a.LocalPref = number(v)
	case attrCommunities:
		for ; len(v) >= 4; v = v[4:] {
			a.Communities = append(a.Communities, policy.Community(binary.BigEndian.Uint32(v)))
		}
	case attrLarge:
		for ; len(v) >= 12; v = v[12:] {
			a.LargeCommunities = append(a.LargeCommunities, large{
				Global: binary.BigEndian.Uint32(v), Local1: binary.BigEndian.Uint32(v[4:]), Local2: binary.BigEndian.Uint32(v[8:]),
			})
		}
	default:
		a.Others = append(a.Others, code)
	}
	return nil
}

func number(v []byte) *uint32 {
	n := binary.BigEndian.Uint32(v)
	return &n
}

// setASPath reads AS_SEQUENCE segments (RFC 4271 section 5.1.2); sets are
// deprecated (RFC 9774) and never sent by the speaker under test.
func (a *Attributes) setASPath(v []byte) error {
	for len(v) > 0 {
		if len(v) < 2 || len(v) < 2+4*int(v[1]) {
			return errShort
		}
		if v[0] != 2 {
			return fmt.Errorf("segment type %d", v[0])
		}
		for i := range int(v[1]) {
			a.ASPath = append(a.ASPath, binary.BigEndian.Uint32(v[2+4*i:]))
		}
		v = v[2+4*int(v[1]):]
	}
	return nil
}
