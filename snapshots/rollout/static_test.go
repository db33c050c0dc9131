package rollout_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// tables is what the neighbors were told last.
func (b *bench) tables() map[string]snapshots.NeighborTarget {
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	return b.wire.applied[len(b.wire.applied)-1].Neighbors
}

// loseSnapshots starts again after every snapshot was lost, both copies.
func (b *bench) loseSnapshots(told map[string]snapshots.NeighborTarget, gone ...string) {
	b.t.Helper()
	b.stop()
	for _, name := range gone {
		if err := os.RemoveAll(filepath.Join(b.root, name)); err != nil {
			b.t.Fatal(err)
		}
	}
	b.start(func(c *rollout.Config) { c.Told = func() map[string]snapshots.NeighborTarget { return told } })
	b.AttachDesired(b.intent)
	b.settle()
}

// Every snapshot lost: the wire is held by what the neighbors were told last, and
// desired state reaches it once a person has named what it leads to. Generations
// go on where they were.
func TestBootWithoutAnySnapshot(t *testing.T) {
	for _, gone := range [][]string{
		{"a/good.note", "b/good.note", "a/heads", "b/heads"},
		{"a/parts", "b/parts"},
		{"signing.key", "signing.pub"},
	} {
		t.Run(strings.Join(gone, " "), func(t *testing.T) {
			run(t, nil, func(t *testing.T, b *bench) {
				was, had := b.Status(), b.wire.taken()
				b.loseSnapshots(b.tables(), gone...)
				s := b.Status()
				if s.Static == "" || !s.Pinned || s.Pin.Actor != "system/static-boot" || b.wire.routes() != 200 || b.wire.taken() != had {
					t.Fatalf("%d routes, %d taken, status %+v", b.wire.routes(), b.wire.taken()-had, s)
				}
				p, report, err := b.Pending(t.Context())
				if err != nil || p.Empty() || report.Has(rollout.RuleStatic) {
					t.Fatalf("pending: %d changes, %+v, %v", len(p.Changes), report, err)
				}
				if err := b.Unpin(t.Context(), ""); err == nil {
					t.Fatal("unpinned without a look")
				}
				if gone[0] == "signing.key" {
					return // nothing new can be stored
				}
				if err := b.Unpin(t.Context(), p.To); err != nil {
					t.Fatal(err)
				}
				b.settle()
				s = b.Status()
				if s.Static != "" || s.Pinned || s.Generation <= was.Generation || s.Routes != 200 || b.wire.taken() != had {
					t.Fatalf("%d taken, status %+v", b.wire.taken()-had, s)
				}
				if l, err := b.store.Good(); err != nil || l.Head.Generation != s.Generation {
					t.Errorf("last-known-good %+v, %v", l.Head, err)
				}
			})
		})
	}
}

// Desired state that has less than the neighbors hold takes nothing from them
// until exactly that is accepted.
func TestStaticBootHoldsLosses(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		told, had := b.tables(), b.wire.taken()
		b.intent.set(func(st *addressing.State) {
			for i := range 30 {
				st.BGPPrefixes[i].Advertised = false
			}
		})
		b.loseSnapshots(told, "a", "b")
		p, report, err := b.Pending(t.Context())
		if err != nil || !report.Has(rollout.RuleStatic) || !strings.Contains(report.Findings[0].Why, "lose 30 of them") {
			t.Fatalf("pending: %+v, %v", report, err)
		}
		// Something else than what is then built was accepted.
		b.intent.set(func(st *addressing.State) { st.BGPPrefixes[31].Advertised = false })
		if err := b.Unpin(t.Context(), p.To); err == nil {
			t.Fatal("unpinned to another snapshot")
		}
		if p, _, err = b.Pending(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Unpin(t.Context(), p.To); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if s := b.Status(); b.wire.taken()-had != 31 || s.Routes != 169 || s.Generation == 0 {
			t.Errorf("%d taken, status %+v", b.wire.taken()-had, s)
		}
	})
}

// A neighbor whose table is not known waits outside, and a store that never held
// anything is an ordinary first start.
func TestStaticBootLeavesOutWhoIsUnknown(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		told := b.tables()
		b.stop()
		for _, c := range []struct {
			name    string
			lose    []string
			told    map[string]snapshots.NeighborTarget
			static  bool
			waiting int
		}{
			{"one unknown", []string{"a", "b"}, map[string]snapshots.NeighborTarget{"transit-a": told["transit-a"]}, true, 1},
			{"a marker alone", nil, nil, true, 2},
			{"nothing at all", []string{"a", "b", "pin.json"}, nil, false, 0},
		} {
			for _, name := range c.lose {
				if err := os.RemoveAll(filepath.Join(b.root, name)); err != nil {
					t.Fatal(err)
				}
			}
			if c.name == "a marker alone" {
				if err := os.WriteFile(filepath.Join(b.root, "a", "generation"), []byte("1 9\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, err := snapshots.Open(b.root, snapshots.Options{Environment: synthetic.Environment})
			if err != nil {
				t.Fatal(err)
			}
			r, err := rollout.New(rollout.Config{
				Environment: synthetic.Environment, Network: synthetic.Network(2), Store: d, Applier: &speaker{held: map[netip.Prefix]bool{}},
				Told: func() map[string]snapshots.NeighborTarget { return c.told },
			})
			if err != nil {
				t.Fatal(err)
			}
			booted, err := r.Boot(t.Context())
			if err != nil || (booted.Static != "") != c.static || len(booted.Waiting) != c.waiting || booted.None == c.static {
				t.Errorf("%s: %+v, %v", c.name, booted, err)
			}
			r.Ended()
			d.Close()
		}
		b.root = t.TempDir()
		if err := snapshots.Init(b.root, snapshots.Options{Environment: synthetic.Environment}); err != nil {
			t.Fatal(err)
		}
		b.wire = &speaker{}
		b.start(nil) // run stops it
		time.Sleep(time.Second)
	})
}
