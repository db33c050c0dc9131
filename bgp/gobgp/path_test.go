package gobgp

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

func suiteNeighbors() []Neighbor {
	var out []Neighbor
	for _, n := range speakertest.Neighbors() {
		out = append(out, Neighbor{Neighbor: n})
	}
	return out
}

// Whatever a class is made for, each member is predicted to see exactly its
// attributes: a class never stands for a wrong attribute.
func TestClassGivesEveryMemberItsAttributes(t *testing.T) {
	neighbors := suiteNeighbors()
	attributes := rapid.Custom(func(t *rapid.T) snapshots.Attributes {
		asn := rapid.SampledFrom([]uint32{speakertest.ASN, 64501, 64510})
		a := snapshots.Attributes{
			ASPath:      rapid.SliceOfN(asn, 0, 4).Draw(t, "path"),
			NextHop:     rapid.SampledFrom([]netip.Addr{neighbors[0].NextHop4, neighbors[1].NextHop4, netip.MustParseAddr("192.0.2.9")}).Draw(t, "next hop"),
			Communities: rapid.SliceOfNDistinct(rapid.SampledFrom([]policy.Community{1, 64500<<16 | 2, policy.NoExport}), 0, 3, rapid.ID).Draw(t, "communities"),
		}
		if med := rapid.IntRange(0, 3).Draw(t, "med"); med > 0 {
			v := uint32(med * 10)
			a.MED = &v
		}
		return a
	})
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		var members []member
		alike := rapid.Bool().Draw(t, "alike") // one route for all: a class in every case
		for i, n := range neighbors {
			if rapid.Bool().Draw(t, "member") {
				a := snapshots.Attributes{NextHop: n.NextHop4, ASPath: []uint32{speakertest.ASN}}
				if !alike {
					a = attributes.Draw(t, "attributes")
				}
				members = append(members, member{index: i, attrs: &a})
			}
		}
		if len(members) == 0 {
			return
		}
		c, err := classify(neighbors, members, addressing.IPv4)
		if err != nil {
			if !errors.Is(err, bgp.ErrRoute) {
				t.Fatalf("error %v", err)
			}
			return
		}
		found++
		if len(c.members) != len(members) {
			t.Fatalf("%d members became %d", len(members), len(c.members))
		}
		for _, m := range c.members {
			n := neighbors[m.index]
			p, ok := derive(n, m.attrs, m.variant)
			if !ok || !equal(predict(n, p, m.variant, addressing.IPv4), normal(n, *m.attrs)) {
				t.Fatalf("%s: predicted %+v for %+v", n.Name, predict(n, p, m.variant, addressing.IPv4), *m.attrs)
			}
		}
	})
	if found == 0 {
		t.Error("no class was ever found: the test shows nothing")
	}
}

// What one path cannot carry is refused and nothing changes.
func TestApplyRefusesWhatOnePathCannotCarry(t *testing.T) {
	l := newLab(t)
	wants := speakertest.Wants(4)
	applyAndStart(t, l.speaker, speakertest.Target(1, wants))
	for name, change := range map[string]func(*snapshots.Attributes){
		"prepend of one neighbor":    func(a *snapshots.Attributes) { a.ASPath = append([]uint32{speakertest.ASN}, a.ASPath...) },
		"MED of one neighbor":        func(a *snapshots.Attributes) { a.MED = new(uint32) },
		"community of one neighbor":  func(a *snapshots.Attributes) { a.Communities = []policy.Community{7} },
		"a tag of ours":              func(a *snapshots.Attributes) { a.LargeCommunities = []policy.LargeCommunity{tag(everybody, plain)} },
		"a tag of another neighbor":  func(a *snapshots.Attributes) { a.LargeCommunities = []policy.LargeCommunity{tag(2, plain)} },
		"origin AS for one neighbor": func(a *snapshots.Attributes) { a.ASPath = []uint32{speakertest.ASN, 64999} },
	} {
		target := speakertest.Target(2, wants)
		routes := target.Neighbors[speakertest.Transit].Routes
		attrs := *routes[0].Attrs
		change(&attrs)
		routes[0].Attrs = &attrs
		if err := l.speaker.Apply(t.Context(), target); !errors.Is(err, bgp.ErrRoute) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	transit := l.neighbors[speakertest.Transit]
	waitFor(t, "the first target is there", func() bool { return transit.Held() == len(wants) })
	if err := l.speaker.Apply(t.Context(), speakertest.Target(2, wants[:3])); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the removal arrives", func() bool { return transit.Held() == 3 })
	if c := transit.Counters(); c.Announced != len(wants) {
		t.Errorf("%d routes announced, want %d: a refused target reached the wire", c.Announced, len(wants))
	}
}

// A next hop that is not the neighbor's own is carried as the Target says.
func TestForeignNextHop(t *testing.T) {
	l := newLab(t)
	target := speakertest.Target(1, speakertest.Wants(1))
	for _, name := range []string{speakertest.Peer, speakertest.Edge} {
		delete(target.Neighbors, name)
	}
	attrs := *target.Neighbors[speakertest.Transit].Routes[0].Attrs
	attrs.NextHop = netip.MustParseAddr("203.0.113.77")
	attrs.MED = new(uint32)
	target.Neighbors[speakertest.Transit].Routes[0].Attrs = &attrs
	applyAndStart(t, l.speaker, target)
	transit := l.neighbors[speakertest.Transit]
	waitFor(t, "the route arrives", func() bool { return transit.Held() == 1 })
	if r := transit.Routes()[0]; r.Attrs.NextHop != attrs.NextHop || r.Attrs.MED == nil || *r.Attrs.MED != 0 {
		t.Errorf("arrived as %+v", *r.Attrs)
	}
}
