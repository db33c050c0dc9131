package plan

import (
	"reflect"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// networkChanges compares the network parts by name. On a first load nothing
// is lost and nothing is listed: there was no network.
func networkChanges(a, b snapshots.NetworkPart, first bool) []NetworkChange {
	if first {
		return nil
	}
	var out []NetworkChange
	if a.ASN != b.ASN {
		out = append(out, NetworkChange{Kind: Modify, What: "asn", Loses: true})
	}
	out = append(out, compare("site", a.Sites, b.Sites, func(s string) string { return s }, func(_, _ string) (bool, bool) { return true, false })...)
	out = append(out, compare("service", a.Services, b.Services, func(s snapshots.Service) string { return s.ID }, func(x, y snapshots.Service) (bool, bool) {
		return x == y, false
	})...)
	out = append(out, compare("negative_intent", a.Negative, b.Negative, func(n snapshots.NegativeIntent) string { return n.ID }, func(x, y snapshots.NegativeIntent) (bool, bool) {
		return x == y, false
	})...)
	out = append(out, compare("transit", a.Transits, b.Transits, func(t snapshots.Transit) string { return t.Site + "/" + t.Name }, func(x, y snapshots.Transit) (bool, bool) {
		return x == y, false
	})...)
	out = append(out, compare(Limit, a.Limits, b.Limits, func(l snapshots.LimitInForce) string { return l.Name }, func(x, y snapshots.LimitInForce) (bool, bool) {
		return x == y, false
	})...)
	return append(out, compare("neighbor", a.Neighbors, b.Neighbors, func(n policy.Neighbor) string { return n.Name }, func(x, y policy.Neighbor) (bool, bool) {
		return reflect.DeepEqual(x, y), weakerNeighbor(x, y)
	})...)
}

// compare merges two sorted lists by name. same says whether two of the same
// name are equal and, if not, whether the difference can lose reachability.
// Removing loses for neighbors and sites.
func compare[T any](what string, a, b []T, name func(T) string, same func(x, y T) (equal, loses bool)) []NetworkChange {
	var out []NetworkChange
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && name(a[i]) < name(b[j]):
			out = append(out, NetworkChange{Kind: Withdraw, What: what, Name: name(a[i]), Loses: what == "neighbor" || what == "site"})
			i++
		case i == len(a) || name(a[i]) > name(b[j]):
			out = append(out, NetworkChange{Kind: Advertise, What: what, Name: name(b[j]), Loses: what == "negative_intent"})
			j++
		default:
			if equal, loses := same(a[i], b[j]); !equal {
				out = append(out, NetworkChange{Kind: Modify, What: what, Name: name(a[i]), Loses: loses})
			}
			i++
			j++
		}
	}
	return out
}

// weakerNeighbor reports whether a changed neighbor can lose what it holds:
// another next hop, ASN, site or kind, a family gone, or a community that
// stops propagation (DESIGN section 4).
func weakerNeighbor(a, b policy.Neighbor) bool {
	if a.NextHop4 != b.NextHop4 || a.NextHop6 != b.NextHop6 || a.ASN != b.ASN || a.LocalASN != b.LocalASN || a.Site != b.Site || a.Kind != b.Kind || a.Address != b.Address {
		return true
	}
	for _, f := range a.Families {
		if !b.Carries(f) {
			return true
		}
	}
	for _, c := range [...]policy.Community{policy.NoExport, policy.NoAdvertise, policy.Blackhole} {
		for _, f := range addressing.Families() {
			if slices.Contains(b.Metrics(f).Standard, c) && !slices.Contains(a.Metrics(f).Standard, c) {
				return true
			}
		}
	}
	return false
}

// altered reports whether what the neighbor is sent changes in its attributes,
// for routes that it holds before and after.
func altered(a, b policy.Neighbor) bool {
	a.Role, a.Class, a.Group, a.Receive, a.Families, a.Site = b.Role, b.Class, b.Group, b.Receive, b.Families, b.Site
	a.Kind, a.Address, a.Limit = b.Kind, b.Address, b.Limit
	return !reflect.DeepEqual(a, b)
}

// sends reports whether the neighbor is sent routes of the family at all.
func sends(n policy.Neighbor, f addressing.Family, duty snapshots.Duty) bool {
	hop := n.NextHop4
	if f == addressing.IPv6 {
		hop = n.NextHop6
	}
	return n.Carries(f) && hop.IsValid() && duty != snapshots.Drained
}
