package rollout_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func limitOf(value string) []snapshots.LimitInForce {
	return []snapshots.LimitInForce{{Name: "breadth.5m", Value: value}}
}

// tables are what the neighbors hold.
func tables(b *bench) snapshots.Target {
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	return b.wire.applied[len(b.wire.applied)-1]
}

// Another limit in force is one generation that changes nothing for any
// neighbor, and that an open breaker does not hold.
func TestLimitsAreOneGeneration(t *testing.T) {
	asked := 0
	var done []plan.Plan
	gate := func(c *rollout.Config) {
		c.Gate = gateFunc(func(p plan.Plan) (policy.Verdict, error) {
			if asked++; asked > 1 { // the first load passed
				return policy.Refuse, nil
			}
			return policy.Allow, nil
		})
		c.OnApplied = func(a rollout.Applied) { done = append(done, a.Plan) }
	}
	run(t, gate, func(t *testing.T, b *bench) {
		first, was := b.Status().Generation, tables(b)
		for range 2 { // the same list again is nothing
			if err := b.SetLimits(limitOf("share 10")); err != nil {
				t.Fatal(err)
			}
			b.settle()
		}
		s := b.Active().Snapshot
		if b.Status().Generation != first+1 || !slices.Equal(s.Network.Limits, limitOf("share 10")) || asked != 1 || len(b.refusals()) != 0 {
			t.Fatalf("generation %d after %d, limits %v, the gate was asked %d times", b.Status().Generation, first, s.Network.Limits, asked)
		}
		p := done[len(done)-1]
		if len(p.Changes) != 0 || !slices.Equal(p.Network, []plan.NetworkChange{{Kind: plan.Advertise, What: plan.Limit, Name: "breadth.5m"}}) || p.Origin != plan.FromConfig {
			t.Errorf("the plan: %+v", p)
		}
		now := tables(b)
		for name := range was.Neighbors {
			if !reflect.DeepEqual(was.Neighbors[name], now.Neighbors[name]) {
				t.Errorf("%s is told something else", name)
			}
		}
		if err := b.SetLimits([]snapshots.LimitInForce{{Name: "no name", Value: "1"}}); err == nil {
			t.Error("a list that no snapshot may have was taken")
		}
	})
}

// Limits of another configuration come with it, in one generation; a rollback
// of routes keeps them.
func TestReconfigureLimits(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		if err := b.SetLimits(limitOf("share 10")); err != nil {
			t.Fatal(err)
		}
		b.settle()
		good := b.Status().Generation
		next := synthetic.Network(2)
		next.Limits = limitOf("share 5")
		p, _, err := b.PlanNetwork(t.Context(), next)
		if want := []plan.NetworkChange{{Kind: plan.Modify, What: plan.Limit, Name: "breadth.5m"}}; err != nil || !slices.Equal(p.Network, want) {
			t.Fatalf("planned %+v, %v", p.Network, err)
		}
		if _, report, err := b.Reconfigure(t.Context(), rollout.Reconfiguration{Network: next, Reason: "tighter"}); err != nil || report.Verdict != policy.Allow {
			t.Fatal(report, err)
		}
		b.settle()
		if got := b.Active(); got.Head.Generation != good+1 || !slices.Equal(got.Snapshot.Network.Limits, next.Limits) || len(b.Rollouts()) != 0 {
			t.Fatalf("generation %d after %d: %v, rollouts %v", got.Head.Generation, good, got.Snapshot.Network.Limits, summary(b.Rollouts()))
		}
		b.admit(person, 1, 2)
		b.settle()
		if _, err := b.Rollback(t.Context(), back(good, true)); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if got := b.Active().Snapshot.Network.Limits; !slices.Equal(got, next.Limits) || b.wire.routes() != 200 {
			t.Errorf("after the rollback: limits %v, %d routes", got, b.wire.routes())
		}
	})
}

// While the wire is pinned, another limit makes no generation and does not
// stand in the way of unpinning.
func TestPinnedLimits(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		if err := b.Pin(person, "looking"); err != nil {
			t.Fatal(err)
		}
		at := b.Status().Generation
		next := synthetic.Network(2)
		next.Limits = limitOf("share 5")
		if _, _, err := b.Reconfigure(t.Context(), rollout.Reconfiguration{Network: next, Reason: "tighter"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := b.Status().Generation; got != at {
			t.Fatalf("generation %d while pinned at %d", got, at)
		}
		if err := b.Unpin(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if got := b.Active(); got.Head.Generation != at+1 || !slices.Equal(got.Snapshot.Network.Limits, next.Limits) {
			t.Errorf("generation %d: %v", got.Head.Generation, got.Snapshot.Network.Limits)
		}
	})
}

// A speaker alone takes a snapshot with limits and tells its neighbors what it
// told them before.
func TestFollowerIgnoresLimits(t *testing.T) {
	s := newSource(t)
	s.publish(1, 40, true)
	f := s.follower()
	f.look()
	f.want(1, 40)
	was := f.wire.applied[len(f.wire.applied)-1]
	n := synthetic.Network(2)
	n.Limits = limitOf("share 5")
	snap, err := snapshots.Build(synthetic.State(5, 40), n, synthetic.Environment, synthetic.At)
	s.check(err)
	h := s.last
	h.Generation, h.ID, h.Parent = 2, snap.ID(), s.last.ID
	s.check(s.dir.Put(h, snap))
	s.check(s.dir.MarkGood(h))
	s.check(s.dir.Permit(snapshots.PermitFor(h, 1)))
	f.look()
	f.want(2, 40)
	if now := f.wire.applied[len(f.wire.applied)-1]; !reflect.DeepEqual(was.Neighbors, now.Neighbors) {
		t.Error("neighbors are told something else")
	}
}
