package plan_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

var stages = []plan.Stage{
	{Name: plan.StageTest, Soak: time.Second}, {Name: plan.StageFirstParty, Soak: time.Second},
	{Name: "canary", Percent: 1}, {Name: "tenth", Percent: 10}, {Name: "half", Percent: 50}, {Name: "all", Percent: 100},
}

func item(i int) plan.Item {
	classes := []string{"family:ipv4", "service:cdn"}
	if i%50 == 49 {
		classes[0] = "family:ipv6"
	}
	return plan.Item{Account: synthetic.AccountID(i % 7), Block: synthetic.CIDR(i), FirstParty: i%40 == 3, Ops: 1 + i%3, Classes: classes}
}

func items(n int) []plan.Item {
	out := make([]plan.Item, n)
	for i := range out {
		out[i] = item(i)
	}
	return out
}

// The union of the waves is the change: every item is in exactly one, stages
// come in their order, and none has more changes than a generation may.
func TestWavesAreTheWholeChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := items(rapid.IntRange(1, 700).Draw(t, "items"))
		for i := range rapid.IntRange(0, 4).Draw(t, "neighbors") {
			all = append(all, plan.Item{Neighbor: fmt.Sprintf("n%d", i), Ops: 1, Classes: []string{"role:peer"}})
		}
		s := plan.Staging{Stages: stages[rapid.IntRange(0, 5).Draw(t, "first stage"):], MaxChanges: rapid.IntRange(0, 60).Draw(t, "most"),
			Test: []netip.Prefix{synthetic.CIDR(5)}}
		waves := s.Waves(all)
		most := s.MaxChanges
		if most == 0 {
			most = plan.DefaultMaxChanges
		}
		seen := map[plan.Key]int{}
		at := 0
		for _, w := range waves {
			stage := slices.IndexFunc(stages, func(s plan.Stage) bool { return s.Name == w.Stage })
			if stage < at {
				t.Fatalf("stage %q after %q", w.Stage, stages[at].Name)
			}
			at = stage
			if len(w.Items) == 0 || w.Ops() > most && len(w.Items) > 1 {
				t.Fatalf("%d items, %d changes in a wave of at most %d", len(w.Items), w.Ops(), most)
			}
			for _, it := range w.Items {
				seen[it.Key()]++
			}
		}
		if len(seen) != len(all) {
			t.Fatalf("%d items of %d", len(seen), len(all))
		}
		for k, n := range seen {
			if n != 1 {
				t.Fatalf("%v is in %d waves", k, n)
			}
		}
	})
}

// At most the canary share, and what coverage needs, goes out first (HMD-02).
func TestWavesStartSmall(t *testing.T) {
	all := items(1000)
	waves := plan.Staging{Stages: stages[2:]}.Waves(all)
	if n := len(waves[0].Items); n > 10+2 {
		t.Errorf("%d of 1000 in the first wave", n)
	}
	if missing := (plan.Staging{Stages: stages}).Uncovered(waves); len(missing) > 0 {
		t.Errorf("the planner chose canaries without %v", missing)
	}
	total := 0
	for _, w := range waves {
		total += len(w.Items)
		if w.Percent < 100 && total > max(12, len(all)*w.Percent/100) {
			t.Errorf("%d items by the end of %s", total, w.Stage)
		}
	}
	if n := len((plan.Staging{Stages: stages, MaxChanges: 200}).Waves(all)); n < 5 {
		t.Errorf("1000 items in %d generations, want at least 5 (HMD-08)", n)
	}
}

// Taking all IPv6 out of the canaries names what is missing (HMD-07).
func TestUncoveredNamesTheClass(t *testing.T) {
	s := plan.Staging{Stages: stages[2:], Canary: func(it plan.Item) bool { return it.Block.Addr().Is4() && it.Classes[0] == "family:ipv4" }}
	if got := s.Uncovered(s.Waves(items(200))); !slices.Equal(got, []string{"family:ipv6"}) {
		t.Errorf("uncovered %v", got)
	}
	if got := s.Uncovered(s.Waves(items(1))); len(got) != 0 {
		t.Errorf("one item lacks %v", got)
	}
}

// One neighbor goes first, alone.
func TestOneNeighborFirst(t *testing.T) {
	var all []plan.Item
	for i := range 20 {
		all = append(all, plan.Item{Neighbor: fmt.Sprintf("n%02d", i), Ops: 1, Classes: []string{fmt.Sprintf("role:%d", i%3)}})
	}
	waves := plan.Staging{Stages: stages}.Waves(all)
	if len(waves[0].Items) != 1 || len((plan.Staging{Stages: stages}).Uncovered(waves)) > 0 {
		t.Errorf("%d neighbors first, uncovered %v", len(waves[0].Items), plan.Staging{Stages: stages}.Uncovered(waves))
	}
}

// Items of a plan: an operator's removal goes in waves, an owner's does not,
// and routes of one prefix move together.
func TestItemsByWho(t *testing.T) {
	st := synthetic.State(3, 40)
	before, err := snapshots.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	st.BGPPrefixes = slices.Clone(st.BGPPrefixes)
	for i := range 4 {
		st.BGPPrefixes[i].Advertised = false
	}
	st.BGPPrefixes[4].Prepend = 2
	network := synthetic.Network(2)
	network.Neighbors = slices.Clone(network.Neighbors)
	med := uint32(7)
	network.Neighbors[1].MED = &med
	after, err := snapshots.Build(st, network, synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Diff(before, after)
	owners := st.BGPPrefixes[3].CIDR
	p.Explain(func(c plan.Change) (plan.Reason, bool) {
		if c.CIDR == owners {
			return plan.Reason{Set: "own", By: addressing.Owner}, true
		}
		return plan.Reason{Set: "ops", By: addressing.Operator}, true
	})
	got := p.Items(false)
	if len(got) != 5 {
		t.Fatalf("%d items: %+v", len(got), got)
	}
	neighbors := 0
	for _, it := range got {
		if it.Neighbor != "" {
			neighbors++
			if it.Will == nil || it.Was == nil || it.Was.MED == it.Will.MED {
				t.Errorf("neighbor %+v", it)
			}
			continue
		}
		if it.Block == owners || it.Set != "ops" || len(it.Losses) != 1 || !slices.Contains(it.Classes, "control:api") {
			t.Errorf("item %+v", it)
		}
	}
	if neighbors != 1 || policy.Neighbor(*got[len(got)-1].Will).Name != got[len(got)-1].Neighbor {
		t.Errorf("%d neighbors", neighbors)
	}
}
