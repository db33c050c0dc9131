package bgp

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Drift is where what is held differs from what the Target says. Repair only
// adds (invariant 16): missing and changed routes are advertised again, foreign
// ones are reported to a person.
type Drift struct {
	Missing []netip.Prefix `json:"missing,omitempty"` // in the Target and not held
	Foreign []netip.Prefix `json:"foreign,omitempty"` // held and not in the Target
	Changed []netip.Prefix `json:"changed,omitempty"` // held with other attributes
}

// None reports whether nothing differs.
func (d Drift) None() bool { return len(d.Missing)+len(d.Foreign)+len(d.Changed) == 0 }

// CompareRoutes finds the drift between the Target of one neighbor and its
// Adj-RIB-Out; both are sorted by prefix. It takes one pass.
func CompareRoutes(target, held []snapshots.TargetRoute) Drift {
	var d Drift
	merge(target, held,
		func(r snapshots.TargetRoute) netip.Prefix { return r.Prefix },
		func(t, h snapshots.TargetRoute) {
			if !SameAttributes(t.Attrs, h.Attrs) {
				d.Changed = append(d.Changed, t.Prefix)
			}
		}, &d)
	return d
}

// CompareLoaded finds the drift between the union of all Targets and the
// prefixes in the RIB; both are sorted.
func CompareLoaded(want, loaded []netip.Prefix) Drift {
	var d Drift
	merge(want, loaded, func(p netip.Prefix) netip.Prefix { return p }, func(netip.Prefix, netip.Prefix) {}, &d)
	return d
}

// Union is the sorted union of the prefixes of every neighbor of t.
func Union(t snapshots.Target) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range t.Neighbors {
		for _, r := range n.Routes {
			out = append(out, r.Prefix)
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// merge walks two sorted lists and notes what only one of them has.
func merge[T any](want, have []T, prefix func(T) netip.Prefix, both func(want, have T), d *Drift) {
	for len(want) > 0 && len(have) > 0 {
		w, h := prefix(want[0]), prefix(have[0])
		switch w.Compare(h) {
		case -1:
			d.Missing, want = append(d.Missing, w), want[1:]
		case 1:
			d.Foreign, have = append(d.Foreign, h), have[1:]
		default:
			both(want[0], have[0])
			want, have = want[1:], have[1:]
		}
	}
	for _, w := range want {
		d.Missing = append(d.Missing, prefix(w))
	}
	for _, h := range have {
		d.Foreign = append(d.Foreign, prefix(h))
	}
}

// SameAttributes reports whether a and b mean the same on the wire: the order of
// communities has no meaning (RFC 1997, RFC 8092).
func SameAttributes(a, b *snapshots.Attributes) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil {
		return false
	}
	return a.NextHop == b.NextHop && slices.Equal(a.ASPath, b.ASPath) &&
		sameNumber(a.MED, b.MED) && sameNumber(a.LocalPref, b.LocalPref) &&
		sameSet(a.Communities, b.Communities) && sameSet(a.LargeCommunities, b.LargeCommunities)
}

// sameSet compares two short lists without order; a repeated element counts.
func sameSet[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	count := make(map[T]int, len(a))
	for _, c := range a {
		count[c]++
	}
	for _, c := range b {
		count[c]--
		if count[c] < 0 {
			return false
		}
	}
	return true
}

func sameNumber(a, b *uint32) bool { return a == b || a != nil && b != nil && *a == *b }
