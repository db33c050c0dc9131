package plan_test

import (
	"net/netip"
	"runtime"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// TestNoStepIsQuadratic: four times the table, and four times the change, make
// no step from desired state to the Targets allocate much more than four times
// as much, whether one account holds everything or many hold a little. A list
// that grows by doubling may be at nearly eight; a step that keeps something of
// each for each would be at sixteen.
func TestNoStepIsQuadratic(t *testing.T) {
	const n, most = 1_500, 8.0
	for _, shape := range []struct {
		name     string
		accounts func(routes int) int
	}{
		{"one account", func(int) int { return 1 }},
		{"many accounts", func(routes int) int { return routes / 3 }},
	} {
		small, large := stepCosts(t, shape.accounts(n), n), stepCosts(t, shape.accounts(4*n), 4*n)
		for step, cost := range small {
			for i, what := range []string{"allocations", "octets"} {
				// What is small does not grow with the table at all.
				if ratio := large[step][i] / max(cost[i], 1); ratio > most && large[step][i] > 4096 {
					t.Errorf("%s, %s: %.0f %s, and %.0f of four times the size", shape.name, step, cost[i], what, large[step][i])
				}
			}
		}
	}
}

// stepCosts is what each step costs with so many routes, a quarter of which
// changes.
func stepCosts(t *testing.T, accounts, routes int) map[string][2]float64 {
	t.Helper()
	st := synthetic.State(accounts, routes)
	var from, to, back *snapshots.Snapshot
	var err error
	must := func(s *snapshots.Snapshot, failed error) *snapshots.Snapshot {
		if failed != nil {
			err = failed
		}
		return s
	}
	out := map[string][2]float64{}
	out["build"] = costOf(func() { from = must(snapshots.Build(st, synthetic.Network(4), synthetic.Environment, synthetic.At)) })
	for i := range routes / 4 {
		st.BGPPrefixes[4*i].Advertised = false
	}
	out["build over"] = costOf(func() {
		to = must(snapshots.BuildOver(from, st, synthetic.Network(4), synthetic.Environment, synthetic.At, snapshots.Limits{}))
	})
	if err != nil {
		t.Fatal(err)
	}
	var p, first plan.Plan
	var items []plan.Item
	out["validate"] = costOf(func() { err = snapshots.Validate(to, snapshots.Expect{Environment: synthetic.Environment}) })
	out["first load"] = costOf(func() { first = plan.Diff(nil, to) })
	out["diff"] = costOf(func() { p = plan.Diff(from, to) })
	out["explain"] = costOf(func() { p.Explain(explained(addressing.Owner)) })
	out["preflight"] = costOf(func() {
		if r := plan.Preflight(t.Context(), p, nil, &gate{verdict: policy.Allow}); r.Verdict != policy.Allow {
			t.Errorf("preflight: %+v", r.Findings)
		}
	})
	inWaves := plan.Diff(from, to)
	inWaves.Explain(explained(addressing.Operator))
	out["items"] = costOf(func() { items = inWaves.Items(true) })
	out["waves"] = costOf(func() { plan.Staging{MaxChanges: 1 << 30}.Waves(items) })
	var targeter snapshots.Targeter
	out["targets"] = costOf(func() { targeter.Targets(from, 1, 1, 0) })
	out["next targets"] = costOf(func() { targeter.Targets(to, 1, 2, 0) })
	out["hold back"] = costOf(func() {
		back = must(snapshots.HoldBack(from, to, func(_ string, p netip.Prefix) bool { return p.Addr().Is6() }))
	})
	out["compose"] = costOf(func() {
		_, err = snapshots.Compose(to, from, snapshots.Back{Scope: snapshots.Scope{All: true}})
	})
	if err != nil || len(p.Changes) != routes/4 || len(first.Changes) < routes || len(items) == 0 || back.RouteCount() <= to.RouteCount() {
		t.Fatalf("%d changes, %d at first, %d items: the steps did not do their work (%v)", len(p.Changes), len(first.Changes), len(items), err)
	}
	return out
}

// costOf is how often, and how much, f allocates.
func costOf(f func()) [2]float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	runtime.GC() // pools are empty after the second
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return [2]float64{float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)}
}
