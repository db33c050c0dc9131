package snapshots_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func value(n uint32) *uint32 { return &n }

// targetOf builds one IPv4 route for one neighbor and returns what it is sent.
func targetOf(t *testing.T, route func(*addressing.State), neighbor func(*policy.Neighbor)) []snapshots.TargetRoute {
	t.Helper()
	st := synthetic.State(1, 1)
	if route != nil {
		route(&st)
	}
	n := synthetic.Network(1)
	n.Sites = []string{"ams", snapshots.DefaultSite}
	if neighbor != nil {
		neighbor(&n.Neighbors[0])
	}
	s, err := snapshots.Build(st, n, synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	got, findings := snapshots.Targets(s, 3, 7, 0)
	if len(findings) != 0 || got.Epoch != 3 || got.Generation != 7 || got.ID != s.ID() {
		t.Fatalf("target %+v, findings %v", got, findings)
	}
	return got.Neighbors["transit-a"].Routes
}

func TestTargetAttributes(t *testing.T) {
	ibgp := func(n *policy.Neighbor) { n.Kind, n.Role, n.ASN = policy.Edge, policy.NoRole, synthetic.ASN }
	v4 := netip.MustParseAddr("192.0.2.1")
	for name, tc := range map[string]struct {
		route    func(*addressing.State)
		neighbor func(*policy.Neighbor)
		want     snapshots.Attributes
	}{
		"our own origin":         {want: snapshots.Attributes{ASPath: []uint32{64500}, NextHop: v4}},
		"a customer's origin":    {route: func(st *addressing.State) { st.Prefixes[0].ASN = 64999 }, want: snapshots.Attributes{ASPath: []uint32{64500, 64999}, NextHop: v4}},
		"prepend 2":              {route: func(st *addressing.State) { st.BGPPrefixes[0].Prepend = 2 }, want: snapshots.Attributes{ASPath: []uint32{64500, 64500, 64500}, NextHop: v4}},
		"prepends add up":        {route: func(st *addressing.State) { st.BGPPrefixes[0].Prepend = 1 }, neighbor: func(n *policy.Neighbor) { n.Prepend = 1 }, want: snapshots.Attributes{ASPath: []uint32{64500, 64500, 64500}, NextHop: v4}},
		"another local AS":       {neighbor: func(n *policy.Neighbor) { n.LocalASN = 64501 }, want: snapshots.Attributes{ASPath: []uint32{64501, 64500}, NextHop: v4}},
		"MED":                    {neighbor: func(n *policy.Neighbor) { n.MED = value(7) }, want: snapshots.Attributes{ASPath: []uint32{64500}, NextHop: v4, MED: value(7)}},
		"no LOCAL_PREF to eBGP":  {neighbor: func(n *policy.Neighbor) { n.LocalPref = value(200) }, want: snapshots.Attributes{ASPath: []uint32{64500}, NextHop: v4}},
		"communities are sorted": {neighbor: func(n *policy.Neighbor) { n.Standard = []policy.Community{9, 3} }, want: snapshots.Attributes{ASPath: []uint32{64500}, NextHop: v4, Communities: []policy.Community{3, 9}}},
		"iBGP: no AS of ours":    {neighbor: ibgp, want: snapshots.Attributes{ASPath: []uint32{}, NextHop: v4}},
		"iBGP: a customer's": {
			route:    func(st *addressing.State) { st.Prefixes[0].ASN = 64999; st.BGPPrefixes[0].Prepend = 3 },
			neighbor: func(n *policy.Neighbor) { ibgp(n); n.LocalPref = value(200) },
			want:     snapshots.Attributes{ASPath: []uint32{64999}, NextHop: v4, LocalPref: value(200)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := targetOf(t, tc.route, tc.neighbor)
			if len(got) != 1 {
				t.Fatalf("%d routes", len(got))
			}
			if diff := cmp.Diff(tc.want, *got[0].Attrs, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTargetMembership(t *testing.T) {
	at := func(sites ...string) func(*addressing.State) {
		return func(st *addressing.State) { st.BGPPrefixes[0].Sites = addressing.Sites{Names: sites} }
	}
	drained := func(st *addressing.State) {
		st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "d", Site: snapshots.DefaultSite, Kind: addressing.IntentDrain, Author: "a", CreatedAt: synthetic.At})
	}
	for name, tc := range map[string]struct {
		route    func(*addressing.State)
		neighbor func(*policy.Neighbor)
		want     int
	}{
		"all sites":              {nil, nil, 1},
		"its site":               {at("ams", snapshots.DefaultSite), nil, 1},
		"another site":           {at("ams"), nil, 0},
		"neighbor at that site":  {at("ams"), func(n *policy.Neighbor) { n.Site = "ams" }, 1},
		"family is not carried":  {nil, func(n *policy.Neighbor) { n.Families = n.Families[1:] }, 0},
		"no family at all":       {nil, func(n *policy.Neighbor) { n.Families = nil }, 0},
		"its site is drained":    {drained, nil, 0},
		"another one is drained": {drained, func(n *policy.Neighbor) { n.Site = "ams" }, 1},
		"eBGP without a role":    {nil, func(n *policy.Neighbor) { n.Role = policy.NoRole }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := len(targetOf(t, tc.route, tc.neighbor)); got != tc.want {
				t.Errorf("%d routes, want %d", got, tc.want)
			}
		})
	}
}

// Never a wrong next hop: what the configuration refuses, an older snapshot may
// still hold, and then the family is left out and said so.
func TestTargetWithoutNextHop(t *testing.T) {
	s := build(t, synthetic.State(2, 14))
	for _, hop := range []string{"192.0.2.1", "::", "ff02::1", "::ffff:192.0.2.1", ""} {
		draft := *s
		draft.Network.Neighbors = slices.Clone(s.Network.Neighbors)
		draft.Network.Neighbors[0].NextHop6 = netip.Addr{}
		if hop != "" {
			draft.Network.Neighbors[0].NextHop6 = netip.MustParseAddr(hop)
		}
		target, findings := snapshots.Targets(&draft, 1, 1, 0)
		for _, r := range target.Neighbors["transit-a"].Routes {
			if r.Prefix.Addr().Is6() {
				t.Errorf("next hop %q: %s is sent with %s", hop, r.Prefix, r.Attrs.NextHop)
			}
		}
		if len(findings) != 1 || findings[0].Rule != "target.next-hop" || len(target.Neighbors["transit-b"].Routes) != 14 {
			t.Errorf("next hop %q: findings %v", hop, findings)
		}
		if err := snapshots.ValidateNetwork(draft.Network); err == nil {
			t.Errorf("next hop %q passes as configuration", hop)
		}
	}
}

// Neighbors that see the same share one list, and routes with equal attributes
// one value: a million routes cost a pointer each.
func TestTargetShares(t *testing.T) {
	target, _ := snapshots.Targets(build(t, synthetic.State(3, 60)), 1, 1, 0)
	a, b := target.Neighbors["transit-a"].Routes, target.Neighbors["transit-b"].Routes
	if &a[0] != &b[0] {
		t.Error("two equal neighbors do not share their routes")
	}
	distinct := map[*snapshots.Attributes]bool{}
	for i, r := range a {
		distinct[r.Attrs] = true
		if i > 0 && addressing.ComparePrefix(a[i-1].Prefix, r.Prefix) >= 0 {
			t.Fatalf("%s is out of order", r.Prefix)
		}
	}
	if len(distinct) != 2 {
		t.Errorf("%d attribute values for two families", len(distinct))
	}
}
