package bgp

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Drift of any two tables, repaired, is none; what is in both is in neither list.
func TestCompareRoutes(t *testing.T) {
	kinds := []*snapshots.Attributes{{ASPath: []uint32{64500}}, {ASPath: []uint32{64500, 64501}}}
	table := rapid.Custom(func(t *rapid.T) map[netip.Prefix]*snapshots.Attributes {
		return rapid.MapOfN(
			rapid.Custom(func(t *rapid.T) netip.Prefix {
				return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "octet"), 0}), 24)
			}),
			rapid.SampledFrom(kinds), 0, 40).Draw(t, "table")
	})
	sorted := func(m map[netip.Prefix]*snapshots.Attributes) []snapshots.TargetRoute {
		var out []snapshots.TargetRoute
		for p, a := range m {
			out = append(out, snapshots.TargetRoute{Prefix: p, Attrs: a})
		}
		slices.SortFunc(out, func(a, b snapshots.TargetRoute) int { return a.Prefix.Compare(b.Prefix) })
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		target, held := table.Draw(t, "target"), table.Draw(t, "held")
		d := CompareRoutes(sorted(target), sorted(held))
		for _, p := range d.Foreign {
			if target[p] != nil || held[p] == nil {
				t.Fatalf("%s is not foreign", p)
			}
			delete(held, p)
		}
		for _, p := range d.Missing {
			if held[p] != nil || target[p] == nil {
				t.Fatalf("%s is not missing", p)
			}
			held[p] = target[p]
		}
		for _, p := range d.Changed {
			if held[p] == target[p] {
				t.Fatalf("%s is not changed", p)
			}
			held[p] = target[p]
		}
		if d := CompareRoutes(sorted(target), sorted(held)); !d.None() {
			t.Fatalf("after repair: %+v", d)
		}
	})
}

func TestCompareLoaded(t *testing.T) {
	p := func(texts ...string) (out []netip.Prefix) {
		for _, s := range texts {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	one := &snapshots.Attributes{}
	target := snapshots.Target{Neighbors: map[string]snapshots.NeighborTarget{
		"a": {Routes: []snapshots.TargetRoute{{Prefix: p("10.0.0.0/24")[0], Attrs: one}, {Prefix: p("10.0.2.0/24")[0], Attrs: one}}},
		"b": {Routes: []snapshots.TargetRoute{{Prefix: p("10.0.0.0/24")[0], Attrs: one}, {Prefix: p("2001:db8::/48")[0], Attrs: one}}},
	}}
	d := CompareLoaded(Union(target), p("10.0.0.0/24", "10.0.1.0/24", "2001:db8::/48"))
	if !slices.Equal(d.Missing, p("10.0.2.0/24")) || !slices.Equal(d.Foreign, p("10.0.1.0/24")) {
		t.Errorf("drift %+v", d)
	}
}

func TestSameAttributes(t *testing.T) {
	med, same, other := uint32(1), uint32(1), uint32(2)
	a := snapshots.Attributes{ASPath: []uint32{1}, MED: &med, Communities: []policy.Community{1, 2}, LargeCommunities: []policy.LargeCommunity{{Global: 1}}}
	b := a
	b.MED, b.Communities = &same, []policy.Community{2, 1}
	if !SameAttributes(&a, &b) {
		t.Error("the order of communities or the pointer of MED mattered")
	}
	for name, change := range map[string]func(*snapshots.Attributes){
		"path":            func(c *snapshots.Attributes) { c.ASPath = []uint32{2} },
		"next hop":        func(c *snapshots.Attributes) { c.NextHop = netip.IPv6Loopback() },
		"med":             func(c *snapshots.Attributes) { c.MED = &other },
		"no med":          func(c *snapshots.Attributes) { c.MED = nil },
		"local pref":      func(c *snapshots.Attributes) { c.LocalPref = &other },
		"communities":     func(c *snapshots.Attributes) { c.Communities = []policy.Community{1, 1} },
		"large community": func(c *snapshots.Attributes) { c.LargeCommunities = nil },
	} {
		c := a
		change(&c)
		if SameAttributes(&a, &c) || SameAttributes(&c, &a) {
			t.Errorf("%s made no difference", name)
		}
	}
	if SameAttributes(&a, nil) {
		t.Error("nothing is the same as something")
	}
}
