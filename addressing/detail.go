package addressing

import (
	"net/netip"
	"slices"
	"time"
)

// PrefixDetail is a prefix with everything that decides whether it is on the wire.
type PrefixDetail struct {
	Prefix
	Account  Account
	BGP      []BGPPrefix      // sorted by CIDR
	Bindings []Binding        // sorted by CIDR
	Negative []NegativeIntent // over any part of it, sorted by id
}

// Advertised reports whether any route of the prefix is desired.
func (d PrefixDetail) Advertised() bool {
	return slices.ContainsFunc(d.BGP, func(b BGPPrefix) bool { return b.Advertised })
}

// Bound reports whether an active binding covers the route.
func (d PrefixDetail) Bound(cidr netip.Prefix) bool {
	return slices.ContainsFunc(d.Bindings, func(b Binding) bool { return b.Active && contains(b.CIDR, cidr) })
}

// coverage answers Bound for many routes of one prefix at a cost that does not
// grow with its bindings: a /8 may have thousands of both.
type coverage map[netip.Prefix]struct{}

func (d PrefixDetail) coverage() coverage {
	c := make(coverage, len(d.Bindings))
	for _, b := range d.Bindings {
		if b.Active {
			c[b.CIDR] = struct{}{}
		}
	}
	return c
}

func (c coverage) has(cidr netip.Prefix) bool {
	for bits := cidr.Bits(); bits >= 0 && len(c) > 0; bits-- {
		if _, found := c[netip.PrefixFrom(cidr.Addr(), bits).Masked()]; found {
			return true
		}
	}
	return false
}

// Services returns the ids of the services bound over the route, sorted and
// distinct.
func (d PrefixDetail) Services(cidr netip.Prefix) []string {
	out := []string{}
	for _, b := range d.Bindings {
		if b.Active && contains(b.CIDR, cidr) {
			out = append(out, b.ServiceID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// BlockedBy returns the negative intents in force at this time that keep the
// route off the wire.
func (d PrefixDetail) BlockedBy(cidr netip.Prefix, at time.Time) []NegativeIntent {
	var out []NegativeIntent
	for _, n := range d.Negative {
		if n.InForce(at) && n.Blocks(cidr) {
			out = append(out, n)
		}
	}
	return out
}

// Effective reports whether the route is to be on the wire: approved, desired
// at some site, bound (invariant 1) and not down on purpose (invariant 15).
func (d PrefixDetail) Effective(b BGPPrefix, at time.Time) bool {
	return d.wanted(b) && d.Bound(b.CIDR) && len(d.BlockedBy(b.CIDR, at)) == 0
}

func (d PrefixDetail) wanted(b BGPPrefix) bool {
	return d.State == Approved && b.Advertised && !b.Sites.Empty()
}
