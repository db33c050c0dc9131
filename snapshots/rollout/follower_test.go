package rollout_test

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// source is a daemon's store that a speaker follows.
type source struct {
	t    *testing.T
	root string
	dir  *snapshots.Dir
	key  string
	last snapshots.Head
}

func newSource(t *testing.T) *source {
	t.Helper()
	s := &source{t: t, root: t.TempDir()}
	if err := snapshots.Init(s.root, snapshots.Options{Environment: synthetic.Environment}); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.dir, err = snapshots.Open(s.root, snapshots.Options{Environment: synthetic.Environment}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.dir.Close() })
	raw, err := os.ReadFile(filepath.Join(s.root, "signing.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s.key = strings.TrimSpace(string(raw))
	return s
}

// publish stores a generation with so many routes, and permits it if asked.
func (s *source) publish(generation uint64, routes int, permit bool) {
	s.t.Helper()
	s.publishState(generation, synthetic.State(5, routes), permit)
}

func (s *source) publishState(generation uint64, st addressing.State, permit bool) {
	s.t.Helper()
	snap := synthetic.Snapshot(st, 2)
	h := snapshots.Head{Environment: synthetic.Environment, Epoch: 1, Generation: generation, ID: snap.ID(), Parent: s.last.ID,
		CreatedAt: synthetic.At.UnixNano(), Actor: "operator/uid:0", Reason: "test"}
	s.check(s.dir.Put(h, snap))
	s.check(s.dir.MarkGood(h))
	if s.last = h; permit {
		s.check(s.dir.Permit(snapshots.PermitFor(h, 1)))
	}
}

func (s *source) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// follower is a speaker alone on a directory of its own.
type follower struct {
	*rollout.Follower
	t      *testing.T
	root   string
	keys   []string
	store  *snapshots.Dir
	wire   *speaker
	source feed.Directory
	kept   func() func(netip.Prefix) bool
}

func (s *source) follower() *follower {
	f := &follower{t: s.t, root: s.t.TempDir(), keys: []string{s.key}, wire: &speaker{}, source: feed.Directory{Root: s.root}}
	f.start()
	return f
}

func (f *follower) start() {
	f.t.Helper()
	opt := snapshots.Options{Environment: synthetic.Environment, Follow: f.keys}
	if _, err := os.Stat(filepath.Join(f.root, "environment")); err != nil {
		if err := snapshots.Init(f.root, opt); err != nil {
			f.t.Fatal(err)
		}
	}
	var err error
	if f.store, err = snapshots.Open(f.root, opt); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { f.store.Close() })
	f.Follower, err = rollout.NewFollower(rollout.FollowerConfig{Environment: synthetic.Environment, Network: synthetic.Network(2), Store: f.store, Applier: f.wire, Feed: f.source, Kept: f.kept})
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.Boot(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) restart() {
	f.t.Helper()
	f.store.Close()
	f.wire = &speaker{}
	f.start()
}

// look takes in what the source says now.
func (f *follower) look() {
	f.t.Helper()
	p, err := f.source.Poll(f.t.Context(), feed.Pointer{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Saw(p)
	_ = f.Look(f.t.Context())
}

func (f *follower) want(generation uint64, routes int) {
	f.t.Helper()
	if got := f.Status().Head.Generation; got != generation || f.wire.routes() != routes {
		f.t.Fatalf("generation %d with %d routes, want %d with %d: %+v", got, f.wire.routes(), generation, routes, f.Status())
	}
}

func TestFollowerFollows(t *testing.T) {
	s := newSource(t)
	s.publish(1, 40, true)
	f := s.follower()
	select {
	case <-f.First():
		t.Fatal("neighbors would be let in before there is a snapshot")
	default:
	}
	f.look()
	<-f.First()
	f.want(1, 40)
	s.publish(2, 60, true)
	f.look()
	f.want(2, 60)

	// The source is gone and a year passes: what was good is on the wire.
	s.check(os.RemoveAll(s.root))
	f.restart()
	f.want(2, 60)
	<-f.First()
}

// Each offer is refused with its reason, and the wire does not move, now and
// after a restart.
func TestFollowerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *source, f *follower)
		why   string
	}{
		"older generation": {func(s *source, f *follower) {
			old := newSource(s.t) // with the same key: a source put back from a backup
			for _, name := range []string{"signing.key", "signing.pub"} {
				raw, err := os.ReadFile(filepath.Join(s.root, name))
				s.check(err)
				s.check(os.WriteFile(filepath.Join(old.root, name), raw, 0o600))
			}
			old.dir.Close()
			var err error
			old.dir, err = snapshots.Open(old.root, snapshots.Options{Environment: synthetic.Environment})
			s.check(err)
			old.publish(1, 10, true)
			f.source.Root = old.root
		}, "not newer than the newest stored"},
		"another snapshot under the same generation": {func(s *source, f *follower) {
			raw, err := os.ReadFile(filepath.Join(s.root, "signing.key"))
			s.check(err)
			fork := newSource(s.t)
			s.check(os.WriteFile(filepath.Join(fork.root, "signing.key"), raw, 0o600))
			s.check(os.WriteFile(filepath.Join(fork.root, "signing.pub"), []byte(s.key+"\n"), 0o600))
			fork.dir.Close()
			fork.dir, err = snapshots.Open(fork.root, snapshots.Options{Environment: synthetic.Environment})
			s.check(err)
			fork.publish(2, 10, true)
			f.source.Root = fork.root
		}, "under another snapshot id"},
		"foreign key": {func(s *source, f *follower) {
			foreign := newSource(s.t)
			foreign.publish(7, 10, true)
			f.source.Root = foreign.root
		}, "signed with another key"},
		"changed part": {func(s *source, _ *follower) {
			s.publish(3, 70, true)
			s.everyPart(func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"asn":64500`), []byte(`"asn":64501`), 1) })
		}, "the file was changed"},
		"truncated part": {func(s *source, _ *follower) {
			s.publish(3, 70, true)
			s.everyPart(func(raw []byte) []byte { return raw[:len(raw)/2] })
		}, "bytes, the manifest says"},
		"permit removed": {func(s *source, _ *follower) {
			s.publish(3, 70, true)
			s.check(s.dir.Revoke())
		}, "no permit"},
		"permit of another generation": {func(s *source, _ *follower) { s.publish(3, 70, false) }, "the permit is for epoch 1 generation 2"},
		"head in the place of the permit": {func(s *source, _ *follower) {
			s.publish(3, 70, true)
			head, _ := s.dir.Signed()
			for _, copied := range []string{"a", "b"} {
				s.check(os.WriteFile(filepath.Join(s.root, copied, "permit.note"), head, 0o600))
			}
		}, "permit refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t)
			s.publish(2, 40, true)
			f := s.follower()
			f.look()
			f.want(2, 40)
			targets := f.wire.targets()
			c.spoil(s, f)
			f.look()
			f.want(2, 40)
			if f.wire.targets() != targets {
				t.Error("the speaker was handed a Target")
			}
			if st := f.Status(); !strings.Contains(st.Refused+st.Waiting, c.why) {
				t.Errorf("reason %q, want %q", st.Refused+st.Waiting, c.why)
			}
			f.restart()
			f.want(2, 40)
		})
	}
}

// everyPart changes every part that is stored, in both copies.
func (s *source) everyPart(change func([]byte) []byte) {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.root, "*", "parts", "*", "*.json"))
	s.check(err)
	if len(paths) == 0 {
		s.t.Fatal("no part is stored")
	}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		s.check(err)
		s.check(os.WriteFile(p, change(raw), 0o600))
	}
}

// A snapshot of another environment with the right key does not even load.
func TestFollowerOfAnotherEnvironment(t *testing.T) {
	s := newSource(t)
	s.publish(1, 40, true)
	root := t.TempDir()
	opt := snapshots.Options{Environment: "staging", Follow: []string{s.key}}
	s.check(snapshots.Init(root, opt))
	d, err := snapshots.Open(root, opt)
	s.check(err)
	defer d.Close()
	head, _ := s.dir.Signed()
	if _, err := d.Accept(t.Context(), head, feed.Directory{Root: s.root}, nil); err == nil || !strings.Contains(err.Error(), "environment") {
		t.Errorf("Accept: %v, want a refusal of the environment", err)
	}
}

// The highest generation seen survives a restart although it was never
// activated, and a permit that comes later activates it.
func TestFollowerRemembersWhatItStaged(t *testing.T) {
	s := newSource(t)
	s.publish(1, 40, true)
	f := s.follower()
	f.look()
	s.publish(5, 70, false)
	f.look()
	f.want(1, 40)
	f.restart()
	f.want(1, 40)
	if _, highest := f.store.Highest(); highest != 5 {
		t.Errorf("highest seen %d after the restart, want 5", highest)
	}
	s.check(s.dir.Permit(snapshots.PermitFor(s.last, 1)))
	f.look()
	f.want(5, 70)
}

func TestFollowerPinAndFreeze(t *testing.T) {
	s := newSource(t)
	s.publish(1, 40, true)
	f := s.follower()
	f.look()
	hold := snapshots.Pin{Generation: 1, Actor: "operator/uid:0", Reason: "look at it first", At: 1}
	for name, c := range map[string]struct {
		set     func(snapshots.Pin) error
		release func() error
	}{
		"pin":    {f.store.SetPin, f.store.ClearPin},
		"freeze": {f.store.Freeze, f.store.Unfreeze},
	} {
		before := f.Status().Head.Generation
		routes := f.wire.routes()
		s.check(c.set(hold))
		s.publish(before+1, routes+10, true)
		f.look()
		f.want(before, routes)
		if why := f.Status().Waiting; !strings.Contains(why, "look at it first") {
			t.Errorf("%s: waiting because %q", name, why)
		}
		s.check(c.release())
		f.look()
		f.want(before+1, routes+10)
	}
}

// A last-known-good that is damaged in both copies is not replaced by what was
// merely staged: no neighbor is let in until the feed has something permitted.
func TestFollowerLosesItsDisk(t *testing.T) {
	s := newSource(t)
	s.publish(1, 40, true)
	f := s.follower()
	f.look()
	s.publish(2, 70, false)
	f.look()
	for _, copied := range []string{"a", "b"} {
		s.check(os.WriteFile(filepath.Join(f.root, copied, "good.note"), []byte("gone"), 0o600))
	}
	f.restart()
	if f.wire.targets() != 0 {
		t.Fatal("something was applied without a permit")
	}
	s.check(s.dir.Permit(snapshots.PermitFor(s.last, 1)))
	f.look()
	f.want(2, 70)

	s.check(os.RemoveAll(f.root))
	f.restart()
	f.look()
	f.want(2, 70)
}

// Run follows by itself.
func TestFollowerRuns(t *testing.T) {
	s := newSource(t)
	f := s.follower()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = f.Run(t.Context()) }()
	t.Cleanup(func() { <-ended }) // before its directory goes
	s.publish(1, 40, true)
	<-f.First()
	s.publish(2, 60, true)
	for end := time.Now().Add(10 * time.Second); f.wire.routes() != 60; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not followed: %+v", f.Status())
		}
	}
}
