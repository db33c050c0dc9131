package speakertest

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// ASN is the AS of the Speaker under test.
const ASN = 64500

// Names of the neighbors that Run works with.
const (
	Transit = "transit-a" // eBGP
	Peer    = "peer-b"    // eBGP, with attributes of its own
	Edge    = "edge-c"    // iBGP, IPv4 only
)

func number(n uint32) *uint32 { return &n }

// Neighbors are the neighbors that Run works with; the harness fills in the
// addresses.
func Neighbors() []policy.Neighbor {
	both := []addressing.Family{addressing.IPv4, addressing.IPv6}
	return []policy.Neighbor{
		{
			Name: Transit, Kind: policy.EBGP, ASN: 64510, LocalASN: ASN, Role: policy.RoleCustomer, Families: both,
			NextHop4: netip.MustParseAddr("192.0.2.1"), NextHop6: netip.MustParseAddr("2001:db8::1"),
		},
		{
			Name: Peer, Kind: policy.EBGP, ASN: 4200000001, LocalASN: ASN, Role: policy.RolePeer, Families: both,
			NextHop4: netip.MustParseAddr("192.0.2.2"), NextHop6: netip.MustParseAddr("2001:db8::2"),
			Standard: []policy.Community{64500<<16 | 2}, Large: []policy.LargeCommunity{{Global: ASN, Local1: 1, Local2: 2}},
			MED: number(20), Prepend: 1,
		},
		{
			Name: Edge, Kind: policy.Edge, ASN: ASN, LocalASN: ASN, Families: []addressing.Family{addressing.IPv4},
			NextHop4: netip.MustParseAddr("192.0.2.3"), LocalPref: number(150),
		},
	}
}

// Want is a route as somebody wants it advertised, before a neighbor's own
// attributes are added.
type Want struct {
	Prefix   netip.Prefix
	Origin   uint32 // the prefix's ASN, 0 for ours
	Prepend  int
	Standard []policy.Community
}

// Wants makes n prefixes, three IPv4 for one IPv6, with a few kinds of
// attributes.
func Wants(n int) []Want {
	out := make([]Want, n)
	for i := range out {
		if i%4 == 3 {
			out[i].Prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 0, 0x0d, byte(i >> 16), byte(i >> 8), byte(i)}), 48)
		} else {
			out[i].Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24)
		}
		switch i % 5 {
		case 1:
			out[i].Origin = 64501
		case 2:
			out[i].Prepend = 2
		case 3:
			out[i].Standard = []policy.Community{64500<<16 | 100, policy.NoExport}
		}
	}
	return out
}

// Routes are the wants as n is to see them, sorted.
func Routes(n policy.Neighbor, wants []Want) []snapshots.TargetRoute {
	shared := map[string]*snapshots.Attributes{}
	var out []snapshots.TargetRoute
	for _, w := range wants {
		f := addressing.FamilyOf(w.Prefix)
		if !n.Carries(f) {
			continue
		}
		key := fmt.Sprint(f, w.Origin, w.Prepend, w.Standard)
		if shared[key] == nil {
			shared[key] = attributes(n, w, f)
		}
		out = append(out, snapshots.TargetRoute{Prefix: w.Prefix, Attrs: shared[key]})
	}
	slices.SortFunc(out, func(a, b snapshots.TargetRoute) int { return a.Prefix.Compare(b.Prefix) })
	return out
}

func attributes(n policy.Neighbor, w Want, f addressing.Family) *snapshots.Attributes {
	a := &snapshots.Attributes{
		NextHop: n.NextHop4, MED: n.MED, LocalPref: n.LocalPref,
		Communities: slices.Concat(w.Standard, n.Standard), LargeCommunities: slices.Clone(n.Large),
	}
	if f == addressing.IPv6 {
		a.NextHop = n.NextHop6
	}
	ours := w.Prepend + n.Prepend
	if n.ASN != n.LocalASN {
		ours++
	}
	a.ASPath = slices.Repeat([]uint32{n.LocalASN}, ours)
	if w.Origin != 0 && w.Origin != n.LocalASN {
		a.ASPath = append(a.ASPath, w.Origin)
	}
	return a
}

// Target names every neighbor of Neighbors with the wants.
func Target(generation uint64, wants []Want) snapshots.Target {
	t := snapshots.Target{Epoch: 1, Generation: generation, Neighbors: map[string]snapshots.NeighborTarget{}}
	for _, n := range Neighbors() {
		t.Neighbors[n.Name] = snapshots.NeighborTarget{Routes: Routes(n, wants)}
	}
	return t
}
