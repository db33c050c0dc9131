package addressing

import (
	"cmp"
	"fmt"
	"net/netip"
)

// Sizes that may be held and advertised: IPv4 /8 to /24, IPv6 /19 to /48.
const (
	MinBitsIPv4, MaxBitsIPv4 = 8, 24
	MinBitsIPv6, MaxBitsIPv6 = 19, 48
)

// ParsePrefix is the only way from text to a prefix. It refuses host bits,
// zones, IPv4-mapped IPv6 and sizes outside the limits above, because
// netip.ParsePrefix accepts 192.0.2.1/24 and it would then compare unequal to
// the route that is meant.
func ParsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("prefix %q: not in CIDR notation", s)
	}
	if err := CheckPrefix(p); err != nil {
		return netip.Prefix{}, err
	}
	return p, nil
}

// CheckPrefix reports why p cannot be held or advertised, or nil.
func CheckPrefix(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return fmt.Errorf("prefix: missing or invalid")
	case p.Addr().Is4In6():
		return fmt.Errorf("prefix %s: IPv4-mapped IPv6 is not a route", p)
	case p != p.Masked():
		return fmt.Errorf("prefix %s: host bits are set, did you mean %s?", p, p.Masked())
	}
	low, high := MinBitsIPv4, MaxBitsIPv4
	if FamilyOf(p) == IPv6 {
		low, high = MinBitsIPv6, MaxBitsIPv6
	}
	if p.Bits() < low || p.Bits() > high {
		return fmt.Errorf("prefix %s: size /%d is outside /%d to /%d", p, p.Bits(), low, high)
	}
	return nil
}

// CheckRange reports why p cannot be bound or delegated, or nil. A range is
// not a route: any size will do, down to one address.
func CheckRange(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return fmt.Errorf("range: missing or invalid")
	case p.Addr().Is4In6():
		return fmt.Errorf("range %s: IPv4-mapped IPv6", p)
	case p != p.Masked():
		return fmt.Errorf("range %s: host bits are set, did you mean %s?", p, p.Masked())
	}
	return nil
}

// ComparePrefix orders prefixes: IPv4 first, then address, then size. Every
// sorted list of prefixes in Holdfast uses it.
func ComparePrefix(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return cmp.Compare(a.Bits(), b.Bits())
}

// contains reports whether every address of inner is in outer.
func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
