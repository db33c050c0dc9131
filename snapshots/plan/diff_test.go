package plan_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func kinds(p plan.Plan) map[plan.Kind]int {
	out := map[plan.Kind]int{}
	for _, c := range p.Changes {
		out[c.Kind]++
	}
	return out
}

func TestDiffKinds(t *testing.T) {
	type counts = map[plan.Kind]int
	for name, tc := range map[string]struct {
		change func(*addressing.State)
		want   counts
		losses int
	}{
		"nothing":                        {func(*addressing.State) {}, counts{}, 0},
		"a description":                  {func(st *addressing.State) { st.Prefixes[0].Description = nil }, counts{}, 0},
		"withdraw":                       {func(st *addressing.State) { st.BGPPrefixes[0].Advertised = false }, counts{plan.Withdraw: 1}, 1},
		"last binding removed":           {func(st *addressing.State) { st.Bindings = st.Bindings[1:] }, counts{plan.Withdraw: 1, plan.Unbind: 1}, 1},
		"prefix deleted":                 {func(st *addressing.State) { drop(st, 0) }, counts{plan.Withdraw: 1, plan.Unbind: 1}, 1},
		"blocked":                        {func(st *addressing.State) { block(st, 0) }, counts{plan.Withdraw: 1}, 1},
		"prepend":                        {func(st *addressing.State) { st.BGPPrefixes[0].Prepend = 2 }, counts{plan.Modify: 1}, 0},
		"origin":                         {func(st *addressing.State) { st.Prefixes[0].ASN = 64999 }, counts{plan.Modify: 1}, 1},
		"advertise":                      {func(st *addressing.State) { synthetic.Add(st, 99, st.Accounts[0].ID) }, counts{plan.Advertise: 1, plan.Bind: 1}, 0},
		"a second binding":               {func(st *addressing.State) { bindAgain(st, 0) }, counts{plan.Bind: 1}, 0},
		"the same binding made again":    {func(st *addressing.State) { st.Bindings[0].ID = "new" }, counts{}, 0},
		"to another service":             {func(st *addressing.State) { st.Bindings[0].ServiceID = "spectrum" }, counts{plan.Bind: 1, plan.Unbind: 1}, 0},
		"back to resting: not a loss":    {func(st *addressing.State) { st.BGPPrefixes[1].Advertised = false }, counts{plan.Withdraw: 1}, 0},
		"fewer sites, enough for it":     {func(st *addressing.State) { st.BGPPrefixes[2].Sites = addressing.Sites{Names: []string{"ams", "fra"}} }, counts{plan.Modify: 1}, 0},
		"fewer sites than it needs":      {func(st *addressing.State) { st.BGPPrefixes[3].Sites = addressing.Sites{Names: []string{"ams"}} }, counts{plan.Modify: 1}, 1},
		"everything of an account":       {func(st *addressing.State) { st.Accounts, st.Prefixes, st.BGPPrefixes, st.Bindings = nil, nil, nil, nil }, counts{plan.Withdraw: 10, plan.Unbind: 10}, 9},
		"an expired intent is no change": {func(st *addressing.State) { block(st, 0); st.Negative[0].ExpiresAt = &synthetic.At }, counts{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := synthetic.Network(1)
			n.Sites = []string{"ams", snapshots.DefaultSite, "fra"}
			st := synthetic.State(2, 10)
			st.Services[1].MinSites = 2
			st.BGPPrefixes[1].Resting = addressing.RestingWithdrawn
			from := mustBuild(t, st, n)
			after := clone(st)
			tc.change(&after)
			p := plan.Diff(from, mustBuild(t, after, n))
			if diff := cmp.Diff(tc.want, kinds(p)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if got := len(p.Losses()); got != tc.losses {
				t.Errorf("%d losses, want %d", got, tc.losses)
			}
		})
	}
}

func TestDiffCovered(t *testing.T) {
	st := synthetic.State(1, 1)
	cover := netip.PrefixFrom(st.Prefixes[0].CIDR.Addr(), 22).Masked()
	st.Prefixes[0].CIDR, st.Bindings[0].CIDR, st.BGPPrefixes[0].CIDR = cover, cover, cover
	more := st.BGPPrefixes[0]
	more.ID, more.CIDR = "more", synthetic.CIDR(0)
	st.BGPPrefixes = append(st.BGPPrefixes, more)
	from := mustBuild(t, st, synthetic.Network(1))
	st.BGPPrefixes[1].Advertised = false
	p := plan.Diff(from, mustBuild(t, st, synthetic.Network(1)))
	if len(p.Changes) != 1 || !p.Changes[0].Covered || !p.Changes[0].Loses {
		t.Errorf("a more-specific under its cover: %+v", p.Changes)
	}
	st.BGPPrefixes[0].Advertised, st.BGPPrefixes[1].Advertised = false, true
	p = plan.Diff(from, mustBuild(t, st, synthetic.Network(1)))
	if len(p.Changes) != 1 || p.Changes[0].Covered {
		t.Errorf("the cover itself: %+v", p.Changes)
	}
}

func TestDiffNetwork(t *testing.T) {
	st := synthetic.State(2, 14)
	base := synthetic.Network(2)
	base.Limits = []snapshots.LimitInForce{{Name: "breadth.5m", Value: "share 10"}, {Name: "capacity", Value: "800"}}
	type count = plan.Count
	for name, tc := range map[string]struct {
		change func(*snapshots.NetworkPart)
		want   []plan.NetworkChange
		ipv4   map[string]count
	}{
		"neighbor added": {func(n *snapshots.NetworkPart) { n.Neighbors = synthetic.Network(3).Neighbors },
			[]plan.NetworkChange{{Kind: plan.Advertise, What: "neighbor", Name: "transit-c"}},
			map[string]count{"transit-a": {Before: 12, After: 12}, "transit-b": {Before: 12, After: 12}, "transit-c": {After: 12, Advertise: 12}}},
		"neighbor removed": {func(n *snapshots.NetworkPart) { n.Neighbors = n.Neighbors[:1] },
			[]plan.NetworkChange{{Kind: plan.Withdraw, What: "neighbor", Name: "transit-b", Loses: true}},
			map[string]count{"transit-a": {Before: 12, After: 12}, "transit-b": {Before: 12, Withdraw: 12}}},
		"next hop changed": {func(n *snapshots.NetworkPart) { n.Neighbors[0].NextHop4 = netip.MustParseAddr("192.0.2.9") },
			[]plan.NetworkChange{{Kind: plan.Modify, What: "neighbor", Name: "transit-a", Loses: true}},
			map[string]count{"transit-a": {Before: 12, After: 12, Modify: 12}, "transit-b": {Before: 12, After: 12}}},
		"family removed": {func(n *snapshots.NetworkPart) { n.Neighbors[1].Families = []addressing.Family{addressing.IPv6} },
			[]plan.NetworkChange{{Kind: plan.Modify, What: "neighbor", Name: "transit-b", Loses: true}},
			map[string]count{"transit-a": {Before: 12, After: 12}, "transit-b": {Before: 12, Withdraw: 12}}},
		"MED changed": {func(n *snapshots.NetworkPart) { med := uint32(5); n.Neighbors[0].MED = &med },
			[]plan.NetworkChange{{Kind: plan.Modify, What: "neighbor", Name: "transit-a"}},
			map[string]count{"transit-a": {Before: 12, After: 12, Modify: 12}, "transit-b": {Before: 12, After: 12}}},
		"limits changed": {func(n *snapshots.NetworkPart) {
			n.Limits = []snapshots.LimitInForce{{Name: "wait", Value: "10m0s"}, {Name: "breadth.5m", Value: "share 5"}}
		},
			[]plan.NetworkChange{{Kind: plan.Modify, What: plan.Limit, Name: "breadth.5m"}, {Kind: plan.Withdraw, What: plan.Limit, Name: "capacity"}, {Kind: plan.Advertise, What: plan.Limit, Name: "wait"}},
			map[string]count{"transit-a": {Before: 12, After: 12}, "transit-b": {Before: 12, After: 12}}},
		"NO_EXPORT added": {func(n *snapshots.NetworkPart) { n.Neighbors[0].Standard = []policy.Community{policy.NoExport} },
			[]plan.NetworkChange{{Kind: plan.Modify, What: "neighbor", Name: "transit-a", Loses: true}},
			map[string]count{"transit-a": {Before: 12, After: 12, Modify: 12}, "transit-b": {Before: 12, After: 12}}},
	} {
		t.Run(name, func(t *testing.T) {
			n := base
			n.Neighbors = append([]policy.Neighbor{}, base.Neighbors...)
			tc.change(&n)
			p := plan.Diff(mustBuild(t, st, base), mustBuild(t, st, n))
			if diff := cmp.Diff(tc.want, p.Network); diff != "" {
				t.Errorf("network (-want +got):\n%s", diff)
			}
			got := map[string]count{}
			for name, families := range p.Impact.Neighbor {
				if c, found := families[addressing.IPv4]; found {
					got[name] = c
				}
			}
			if diff := cmp.Diff(tc.ipv4, got); diff != "" {
				t.Errorf("impact (-want +got):\n%s", diff)
			}
		})
	}
}

// Apply(Diff(a, b), a) is b, and Diff(a, a) is empty, for any two states. The
// counts agree with the tables that Targets makes.
func TestDiffProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		na, nb := drawNetwork(t), drawNetwork(t)
		a, b := mustBuild(t, drawState(t), na), mustBuild(t, drawState(t), nb)
		if p := plan.Diff(a, a); !p.Empty() {
			t.Fatalf("Diff(a, a) has %d changes", len(p.Changes))
		}
		p := plan.Diff(a, b)
		if diff := cmp.Diff(bare(plan.TableOf(b)), bare(plan.TableOf(a).Apply(p)), cmp.Comparer(func(x, y netip.Prefix) bool { return x == y })); diff != "" {
			t.Fatalf("Apply(Diff(a, b), a) is not b (-want +got):\n%s", diff)
		}
		checkCounts(t, p, a, b)
		first := plan.Diff(nil, b)
		if n := first.Growth(); n != b.RouteCount() || len(first.Losses()) != 0 {
			t.Fatalf("a first load of %d routes grows by %d and loses %d", b.RouteCount(), n, len(first.Losses()))
		}
	})
}

// bare leaves out the services of routes: they follow from the bindings.
func bare(t plan.Table) plan.Table {
	for _, routes := range t.Routes {
		for i := range routes {
			routes[i].Services = nil
		}
	}
	return t
}

// checkCounts compares the impact, which is summed up without any table, with
// the tables that Targets makes.
func checkCounts(t *rapid.T, p plan.Plan, a, b *snapshots.Snapshot) {
	tables := p.Simulate()
	if len(tables) != len(p.Impact.Neighbor) {
		t.Fatalf("%d neighbors simulated, %d in the impact", len(tables), len(p.Impact.Neighbor))
	}
	for name, families := range p.Impact.Neighbor {
		sum := plan.Count{}
		for _, c := range families {
			sum.Before, sum.After = sum.Before+c.Before, sum.After+c.After
			sum.Advertise, sum.Withdraw, sum.Modify = sum.Advertise+c.Advertise, sum.Withdraw+c.Withdraw, sum.Modify+c.Modify
		}
		got := tables[name]
		counted := plan.Count{}
		for _, c := range got.Count {
			counted = plan.Count{Before: counted.Before + c.Before, After: counted.After + c.After, Advertise: counted.Advertise + c.Advertise, Withdraw: counted.Withdraw + c.Withdraw, Modify: counted.Modify + c.Modify}
		}
		if counted != (plan.Count{Before: got.Before, After: got.After, Advertise: len(got.Advertise), Withdraw: len(got.Withdraw), Modify: len(got.Modify)}) || len(got.Had) != got.Before || len(got.Has) != got.After {
			t.Fatalf("%s: counts %+v of tables that gain %d, lose %d and change %d", name, got.Count, len(got.Advertise), len(got.Withdraw), len(got.Modify))
		}
		if sum.Before != got.Before || sum.After != got.After {
			t.Fatalf("%s: impact %+v, tables hold %d and %d", name, sum, got.Before, got.After)
		}
		if moved(a, b, name) {
			continue // a bound, not a count
		}
		if sum.Advertise != len(got.Advertise) || sum.Withdraw != len(got.Withdraw) || sum.Modify < len(got.Modify) {
			t.Fatalf("%s: impact %+v, tables gain %d, lose %d and change %d", name, sum, len(got.Advertise), len(got.Withdraw), len(got.Modify))
		}
	}
}

func moved(a, b *snapshots.Snapshot, name string) bool {
	site := map[string]bool{}
	for _, s := range []*snapshots.Snapshot{a, b} {
		for _, n := range s.Network.Neighbors {
			if n.Name == name {
				site[n.Site] = true
			}
		}
	}
	return len(site) > 1
}

func drawNetwork(t *rapid.T) snapshots.NetworkPart {
	n := synthetic.Network(rapid.IntRange(1, 3).Draw(t, "neighbors"))
	n.Sites = []string{"ams", snapshots.DefaultSite, "fra"}
	for i := range n.Neighbors {
		n.Neighbors[i].Site = rapid.SampledFrom(n.Sites).Draw(t, "site")
		if rapid.Bool().Draw(t, "ipv4 only") {
			n.Neighbors[i].Families = n.Neighbors[i].Families[:1]
		}
	}
	for _, name := range []string{"wait", "breadth.5m"} {
		if rapid.Bool().Draw(t, name) {
			n.Limits = append(n.Limits, snapshots.LimitInForce{Name: name, Value: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")})
		}
	}
	return n
}

func drawState(t *rapid.T) addressing.State {
	st := synthetic.State(3, 14)
	for i := range st.Prefixes {
		st.BGPPrefixes[i].Advertised = rapid.Bool().Draw(t, "advertised")
		st.BGPPrefixes[i].Prepend = rapid.IntRange(0, 1).Draw(t, "prepend")
		st.Bindings[i].Active = rapid.Bool().Draw(t, "active")
		if rapid.Bool().Draw(t, "some sites") {
			st.BGPPrefixes[i].Sites = addressing.Sites{Names: rapid.SampledFrom([][]string{{"ams"}, {"ams", "fra"}, {"default"}}).Draw(t, "sites")}
		}
		if rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
			bindAgain(&st, i)
		}
	}
	if rapid.Bool().Draw(t, "site down") {
		st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "down", Site: "ams", Kind: addressing.IntentDrain, Author: "a", CreatedAt: synthetic.At})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "deleted") {
		drop(&st, i)
	}
	return st
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func mustBuild(t fataler, st addressing.State, n snapshots.NetworkPart) *snapshots.Snapshot {
	t.Helper()
	s, err := snapshots.Build(st, n, synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func clone(st addressing.State) addressing.State {
	st.Accounts = append([]addressing.Account{}, st.Accounts...)
	st.Prefixes = append([]addressing.Prefix{}, st.Prefixes...)
	st.BGPPrefixes = append([]addressing.BGPPrefix{}, st.BGPPrefixes...)
	st.Bindings = append([]addressing.Binding{}, st.Bindings...)
	st.Negative = append([]addressing.NegativeIntent{}, st.Negative...)
	return st
}

func drop(st *addressing.State, i int) {
	id := st.Prefixes[i].ID
	*st = clone(*st)
	st.Prefixes = append(st.Prefixes[:i], st.Prefixes[i+1:]...)
	keepB, keepG := st.Bindings[:0], st.BGPPrefixes[:0]
	for _, b := range st.Bindings {
		if b.PrefixID != id {
			keepB = append(keepB, b)
		}
	}
	for _, b := range st.BGPPrefixes {
		if b.PrefixID != id {
			keepG = append(keepG, b)
		}
	}
	st.Bindings, st.BGPPrefixes = keepB, keepG
}

func block(st *addressing.State, i int) {
	st.Negative = append(st.Negative, addressing.NegativeIntent{
		ID: "block", AccountID: st.Prefixes[i].AccountID, CIDR: st.Prefixes[i].CIDR, Kind: addressing.IntentBlock, Author: "operator/uid:0", CreatedAt: synthetic.At,
	})
}

func bindAgain(st *addressing.State, i int) {
	b := st.Bindings[i]
	b.ID, b.Active = b.ID[:30]+"zz", true
	if b.ServiceID = "spectrum"; st.Bindings[i].ServiceID == "spectrum" {
		b.ServiceID = "cdn"
	}
	st.Bindings = append(st.Bindings, b)
}
