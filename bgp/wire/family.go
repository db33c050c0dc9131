package wire

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Family is an address family as it is written on the wire (RFC 4760). The
// zero value is no family.
type Family struct {
	AFI  uint16
	SAFI uint8
}

// The two families that are read and written.
var (
	IPv4Unicast = Family{AFI: 1, SAFI: 1}
	IPv6Unicast = Family{AFI: 2, SAFI: 1}
)

// FamilyOf is the wire's name of a family of the domain; the zero family stays
// zero.
func FamilyOf(f addressing.Family) Family {
	switch f {
	case addressing.IPv4:
		return IPv4Unicast
	case addressing.IPv6:
		return IPv6Unicast
	}
	return Family{}
}

// Unicast is the domain's name of f, zero for a family that Holdfast does not
// carry.
func (f Family) Unicast() addressing.Family {
	switch f {
	case IPv4Unicast:
		return addressing.IPv4
	case IPv6Unicast:
		return addressing.IPv6
	}
	return 0
}

// String writes the domain's name, or "afi/safi".
func (f Family) String() string {
	if u := f.Unicast(); u != 0 {
		return u.String()
	}
	return fmt.Sprintf("%d/%d", f.AFI, f.SAFI)
}

// FamilySet is a set of the families that can be carried. The zero value is
// empty: nothing was negotiated.
type FamilySet uint8

// NewFamilySet is the set of those of fs that can be carried; others are left
// out.
func NewFamilySet(fs ...Family) FamilySet {
	var s FamilySet
	for _, f := range fs {
		s |= familyBit(f)
	}
	return s
}

// Has reports whether f is in the set.
func (s FamilySet) Has(f Family) bool { return s&familyBit(f) != 0 }

// Intersect is the set of families in both: what two OPENs have negotiated.
func (s FamilySet) Intersect(t FamilySet) FamilySet { return s & t }

// List gives the families of the set, IPv4 first.
func (s FamilySet) List() []Family {
	var fs []Family
	for _, f := range [...]Family{IPv4Unicast, IPv6Unicast} {
		if s.Has(f) {
			fs = append(fs, f)
		}
	}
	return fs
}

func familyBit(f Family) FamilySet {
	switch f {
	case IPv4Unicast:
		return 1
	case IPv6Unicast:
		return 2
	}
	return 0
}
