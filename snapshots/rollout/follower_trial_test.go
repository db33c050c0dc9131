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

	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// crash ends the follower's process as a crash would and boots the next one,
// which keeps what the neighbors were told.
func (f *follower) crash() {
	f.t.Helper()
	told := f.wire.held
	f.kept = func() func(netip.Prefix) bool { return func(p netip.Prefix) bool { return told[p] } }
	f.restart()
}

// run follows until the answer is called, which is an end in order.
func (f *follower) run() func() {
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = f.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// TestFollowerCrashLoop: two crashes within a minute of following a generation
// boot the one before, with what the neighbors hold of the bad one left with
// them; the speaker stays there, over further starts too, until a person lets it
// follow on.
func TestFollowerCrashLoop(t *testing.T) {
	s := newSource(t)
	s.publish(1, 100, true)
	f := s.follower()
	f.look()
	f.Ended()
	bad := synthetic.State(5, 100)
	bad.BGPPrefixes[1].Advertised = false
	synthetic.Add(&bad, 500, bad.Accounts[0].ID)
	s.publishState(2, bad, true)
	f.look()
	if f.Active().Head.Generation != 2 || f.wire.routes() != 100 {
		t.Fatalf("generation %d, %d routes", f.Active().Head.Generation, f.wire.routes())
	}
	f.crash()
	if f.Active().Head.Generation != 2 || f.Status().Pinned {
		t.Fatalf("the first crash changed something: %+v", f.Status())
	}
	stays := func(when string) {
		t.Helper()
		st := f.Status()
		if !st.Pinned || st.Head.Generation != 1 || !strings.Contains(st.Pin.Reason, "generation 2 is quarantined") {
			t.Fatalf("%s: generation %d, pin %+v", when, st.Head.Generation, st.Pin)
		}
		if f.wire.routes() != 101 || !f.wire.held[synthetic.CIDR(1)] || !f.wire.held[synthetic.CIDR(500)] {
			t.Errorf("%s: %d routes, want the older and what the neighbors hold of the newer", when, f.wire.routes())
		}
	}
	f.crash()
	stays("the second crash")
	f.Ended()
	f.crash()
	stays("a start after it")
	f.look()
	if f.Active().Head.Generation != 1 {
		t.Error("it followed the bad generation again by itself")
	}
	s.publish(3, 121, true)
	f.look()
	if f.Active().Head.Generation != 1 {
		t.Error("pinned, and it followed")
	}
	s.check(f.store.ClearPin())
	f.look()
	if st := f.Status(); st.Head.Generation != 3 || f.wire.routes() != 121 {
		t.Errorf("let go: generation %d, %d routes: %+v", st.Head.Generation, f.wire.routes(), st)
	}
	f.Ended()
	f.restart()
	if st := f.Status(); st.Head.Generation != 3 || st.Pinned {
		t.Errorf("after that: %+v", st)
	}
}

// TestFollowerProvesItself: a crash more than a minute later is none of the
// generation's, and an end in order is no crash.
func TestFollowerProvesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t)
		s.publish(1, 100, true)
		f := s.follower()
		for range 3 {
			stop := f.run()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			trial := filepath.Join(f.root, "trial.json")
			raw, err := os.ReadFile(trial)
			if err != nil {
				t.Fatal(err)
			}
			stop()
			s.check(os.WriteFile(trial, raw, 0o600)) // as a crash leaves it
			f.restart()
		}
		if st := f.Status(); st.Pinned || st.Head.Generation != 1 {
			t.Errorf("%+v", st)
		}
	})
}
