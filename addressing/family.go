package addressing

import (
	"fmt"
	"net/netip"
)

// Family is an address family as BGP counts it: IPv4 and IPv6 unicast are
// judged apart everywhere. The zero value is no family.
type Family uint8

// The two families Holdfast advertises (AFI 1 and 2, SAFI 1).
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Families lists both families in the order every report uses.
func Families() [2]Family { return [2]Family{IPv4, IPv6} }

// FamilyOf returns the family of p, or zero for the invalid prefix.
func FamilyOf(p netip.Prefix) Family {
	switch {
	case !p.IsValid():
		return 0
	case p.Addr().Is4():
		return IPv4
	default:
		return IPv6
	}
}

// String names the family the way the configuration does.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4-unicast"
	case IPv6:
		return "ipv6-unicast"
	}
	return "no-family"
}

// MarshalText writes the configuration's name of the family.
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads ipv4-unicast or ipv6-unicast.
func (f *Family) UnmarshalText(b []byte) error {
	switch string(b) {
	case "ipv4-unicast":
		*f = IPv4
	case "ipv6-unicast":
		*f = IPv6
	default:
		return fmt.Errorf("family %q: use ipv4-unicast or ipv6-unicast", b)
	}
	return nil
}
