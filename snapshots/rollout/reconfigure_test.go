package rollout_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// sessions notes which neighbors were to stay as they are.
type sessions struct {
	mu   sync.Mutex
	kept []map[string]policy.Neighbor
	fail error
}

func (s *sessions) speak(_ context.Context, keep map[string]policy.Neighbor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.kept = append(s.kept, maps.Clone(keep))
	return nil
}

// waits are the neighbors that were kept last.
func (s *sessions) waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		return 0
	}
	return len(s.kept[len(s.kept)-1])
}

// renumbered is a network with another AS number of ours.
func renumbered(n int) snapshots.NetworkPart {
	out := synthetic.Network(n)
	out.ASN = 64999
	return out
}

func withMED(n int) snapshots.NetworkPart {
	out := synthetic.Network(n)
	med := uint32(50)
	for i := range out.Neighbors {
		out.Neighbors[i].MED = &med
	}
	return out
}

// Another configuration changes one neighbor first, alone, on the wire and in
// its session; so does another AS number of ours.
func TestReconfigureOneNeighborFirst(t *testing.T) {
	for name, next := range map[string]snapshots.NetworkPart{"attributes": withMED(6), "our AS number": renumbered(6)} {
		t.Run(name, func(t *testing.T) {
			speaks := &sessions{}
			runSized(t, 3, 40, func(c *rollout.Config) {
				waved(&told{}, nil, "")(c)
				c.Network = synthetic.Network(6)
			}, func(t *testing.T, b *bench) {
				first := b.Active().Snapshot
				sees := func() (n int) {
					now, _ := snapshots.Targets(b.Active().Snapshot, 1, 1, 0)
					was, _ := snapshots.Targets(first, 1, 1, 0)
					for name := range was.Neighbors {
						a, b := now.Neighbors[name].Routes[0].Attrs, was.Neighbors[name].Routes[0].Attrs
						if !slices.Equal(a.ASPath, b.ASPath) || a.MED != b.MED {
							n++
						}
					}
					return n
				}
				_, report, err := b.Reconfigure(t.Context(), rollout.Reconfiguration{Network: next, Reason: "r", Sessions: speaks.speak})
				if err != nil || report.Verdict != policy.Allow {
					t.Fatal(report, err)
				}
				b.settle()
				if r := b.Rollouts(); sees() != 1 || speaks.waits() != 5 || len(r) != 1 || r[0].Class != rollout.Neighbor {
					t.Fatalf("%d neighbors see it at first, the sessions of %d wait: %v", sees(), speaks.waits(), summary(r))
				}
				time.Sleep(10 * time.Minute)
				b.settle()
				if sees() != 6 || speaks.waits() != 0 {
					t.Fatalf("%d neighbors see it in the end, the sessions of %d wait: %v", sees(), speaks.waits(), summary(b.Rollouts()))
				}
			})
		})
	}
}

// A neighbor that goes keeps its session until its wave, and what it has; one
// that comes back after an abort gets its session again.
func TestReconfigureRemovesInWaves(t *testing.T) {
	speaks := &sessions{}
	runSized(t, 3, 40, func(c *rollout.Config) {
		waved(&told{}, nil, "")(c)
		c.Network = synthetic.Network(6)
	}, func(t *testing.T, b *bench) {
		if _, _, err := b.Reconfigure(t.Context(), rollout.Reconfiguration{Network: synthetic.Network(3), Reason: "r", Sessions: speaks.speak}); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if len(speaks.kept) != 2 || len(speaks.kept[0]) != 3 || len(speaks.kept[1]) != 2 {
			t.Fatalf("sessions kept before and after the first wave: %v", speaks.kept)
		}
		if n := len(b.Active().Snapshot.Network.Neighbors); n != 5 {
			t.Fatalf("%d neighbors after the first wave", n)
		}
		if _, err := b.Decide(t.Context(), b.Rollouts()[0].ID, rollout.Abort, person, "not that one"); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if n := len(b.Active().Snapshot.Network.Neighbors); n != 6 || speaks.waits() != 3 {
			t.Fatalf("%d neighbors after the abort, %d sessions kept", n, speaks.waits())
		}
	})
}

// A speaker that cannot take the sessions leaves everything as it was.
func TestReconfigureFails(t *testing.T) {
	speaks := &sessions{fail: errors.New("no")}
	run(t, waved(&told{}, nil, ""), func(t *testing.T, b *bench) {
		before := b.Status().Generation
		if _, _, err := b.Reconfigure(t.Context(), rollout.Reconfiguration{Network: withMED(2), Reason: "r", Sessions: speaks.speak}); !errors.Is(err, speaks.fail) {
			t.Fatal(err)
		}
		b.settle()
		time.Sleep(time.Hour)
		if b.Status().Generation != before || b.Active().Snapshot.Network.Neighbors[0].MED != nil {
			t.Errorf("generation %d after %d, %+v", b.Status().Generation, before, summary(b.Rollouts()))
		}
	})
}

// At a start the sessions are those of the last-known-good; what the file says
// otherwise has its wave.
func TestBootKeepsSessions(t *testing.T) {
	speaks := &sessions{}
	run(t, waved(&told{}, nil, ""), func(t *testing.T, b *bench) {
		b.stop()
		next := withMED(2)
		b.start(func(c *rollout.Config) {
			waved(&told{}, nil, "")(c)
			c.Network, c.Sessions = next, speaks.speak
		})
		if len(speaks.kept) != 1 || len(speaks.kept[0]) != 2 || speaks.kept[0]["transit-a"].MED != nil {
			t.Fatalf("kept at the start: %v", speaks.kept)
		}
		b.AttachDesired(b.intent)
		b.settle()
		if speaks.waits() != 1 {
			t.Fatalf("%d wait after the first wave", speaks.waits())
		}
		time.Sleep(10 * time.Minute)
		if speaks.waits() != 0 {
			t.Errorf("%d wait in the end", speaks.waits())
		}
	})
}
