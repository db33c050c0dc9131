package rollout_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// crash ends the process as a crash would, which leaves the trial as it is, and
// boots the next one. What the neighbors had is all kept.
func (b *bench) crash() {
	b.t.Helper()
	path := filepath.Join(b.root, "trial.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.stop()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.wire.mu.Lock()
	told := b.wire.held
	b.wire.mu.Unlock()
	b.start(func(c *rollout.Config) {
		c.Kept = func() func(netip.Prefix) bool { return func(p netip.Prefix) bool { return told[p] } }
	})
	b.AttachDesired(b.intent)
	b.settle()
}

// poison adds a route and withdraws another, both as one generation.
func (b *bench) poison() {
	b.t.Helper()
	b.intent.set(func(st *addressing.State) { synthetic.Add(st, 500, synthetic.AccountID(0)) })
	b.admit(person, 1)
	b.settle()
	if b.wire.routes() != 200 || !b.wire.held[synthetic.CIDR(500)] {
		b.t.Fatalf("%d routes, status %+v", b.wire.routes(), b.Status())
	}
}

// Two crashes within a minute of applying a generation: the one before boots,
// what was advertised stays advertised, and the builder leaves the bad one alone.
func TestTwoCrashesQuarantine(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		time.Sleep(2 * time.Minute)
		b.poison()
		bad := b.Status()
		withdrawn := b.wire.taken()
		b.crash()
		if s := b.Status(); s.Pinned || s.Snapshot != bad.Snapshot {
			t.Fatalf("the first crash changed something: %+v", s)
		}
		b.crash()
		s := b.Status()
		if !s.Pinned || !strings.Contains(s.Pin.Reason, "quarantined") || s.Snapshot == bad.Snapshot || s.Generation <= bad.Generation {
			t.Fatalf("status %+v", s)
		}
		if b.wire.taken() != withdrawn || !b.wire.held[synthetic.CIDR(1)] || !b.wire.held[synthetic.CIDR(500)] || b.wire.routes() != 201 {
			t.Errorf("%d withdrawn, %d routes; those of the older generation and those kept are wanted", b.wire.taken()-withdrawn, b.wire.routes())
		}
		time.Sleep(5 * time.Minute)
		if b.Status().Snapshot != s.Snapshot {
			t.Errorf("the builder made generation %d", b.Status().Generation)
		}
		b.stop() // in order: the next start boots the same
		b.start(nil)
		if got := b.Status(); got.Snapshot != s.Snapshot || got.Generation != s.Generation || !got.Pinned {
			t.Errorf("status %+v", got)
		}
	})
}

// A new route that no neighbor was told yet is not kept.
func TestQuarantineLeavesOutWhatWasNotTold(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		time.Sleep(2 * time.Minute)
		b.poison()
		b.crash()
		b.wire.mu.Lock()
		delete(b.wire.held, synthetic.CIDR(500))
		b.wire.mu.Unlock()
		b.crash()
		if b.wire.held[synthetic.CIDR(500)] || b.wire.routes() != 200 {
			t.Errorf("%d routes", b.wire.routes())
		}
	})
}

// What was taken down on purpose in the bad generation stays down (I15).
func TestQuarantineKeepsNegativeIntents(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		time.Sleep(2 * time.Minute)
		cidr, account := b.intent.st.Prefixes[9].CIDR, b.intent.st.Prefixes[9].AccountID
		b.intent.set(func(st *addressing.State) {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "abuse", AccountID: account, CIDR: cidr, Kind: addressing.IntentBlock, Author: "a", CreatedAt: synthetic.At})
		})
		b.Notify(addressing.ChangeSet{ID: "block", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: cidr, AccountID: account}}})
		b.admit(person, 1)
		b.settle()
		b.crash()
		b.crash()
		if s := b.Status(); !s.Pinned || b.wire.held[cidr] || !b.wire.held[synthetic.CIDR(1)] || b.wire.routes() != 199 {
			t.Errorf("%d routes, status %+v", b.wire.routes(), s)
		}
	})
}

// A process that lives for a minute, or that ends in order, holds nothing
// against its generation.
func TestAGenerationProvesItself(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.poison()
		bad := b.Status().Snapshot
		if got := b.store.Trial(); got.ID != bad {
			t.Fatalf("trial %+v", got)
		}
		b.crash()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := b.store.Trial(); got.ID != "" || len(got.Crashes) != 0 {
			t.Fatalf("trial after a minute %+v", got)
		}
		for range 3 { // each lives long enough
			b.crash()
			time.Sleep(time.Minute)
		}
		b.stop()
		b.start(nil)
		b.crash()
		b.stop()
		b.start(nil)
		b.crash()
		if s := b.Status(); s.Pinned || s.Snapshot != bad {
			t.Errorf("status %+v", s)
		}
	})
}

// A generation that crashes the process before it is marked is counted too,
// although the one before boots in between.
func TestCrashOfTheSpeaker(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not with -short")
	}
	dir := newCrashStore(t)
	for step, want := range map[rollout.Step]string{rollout.StepGood: "killed", panics: "exit status 2"} {
		c := child(t, dir, "change", step)
		c.Stderr = nil
		if err := c.Run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%s: the process did not crash: %v", step, err)
		}
	}
	d, err := snapshots.Open(dir, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wire := &speaker{}
	r, err := rollout.New(rollout.Config{Environment: synthetic.Environment, Network: synthetic.Network(1), Store: d, Applier: wire, Gate: open})
	if err != nil {
		t.Fatal(err)
	}
	booted, err := r.Boot(context.Background())
	if err != nil || booted.Quarantined == 0 || booted.Routes != crashRoutes {
		t.Fatalf("booted %+v, %v", booted, err)
	}
	if p, pinned := d.Pinned(); !pinned || !strings.Contains(p.Reason, "snapshot unpin") {
		t.Errorf("pin %+v", p)
	}
}

// With no generation to go back to, the only one boots.
func TestNothingToGoBackTo(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		for range 4 {
			b.crash()
		}
		if s := b.Status(); s.Pinned || b.wire.routes() != 200 {
			t.Errorf("%d routes, status %+v", b.wire.routes(), s)
		}
	})
}

// What comes in place of a bad generation may crash as well: each time another
// way is taken, to the older generation as it was in the end.
func TestQuarantineOfAQuarantine(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		time.Sleep(2 * time.Minute)
		first := b.Status().Snapshot
		b.poison()
		seen := map[snapshots.ID]bool{b.Status().Snapshot: true}
		for range 3 {
			b.crash()
			b.crash()
			if seen[b.Status().Snapshot] && b.Status().Snapshot != first {
				t.Fatalf("a quarantined snapshot boots again: %+v", b.Status())
			}
			seen[b.Status().Snapshot] = true
		}
		if !seen[first] || b.wire.routes() < 200 {
			t.Errorf("%d routes, %d snapshots", b.wire.routes(), len(seen))
		}
	})
}
