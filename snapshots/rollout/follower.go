package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Feed is where a Follower hears of generations. feed.Directory and feed.Web
// are two.
type Feed interface {
	snapshots.Source
	// Poll gives the pointer; it may wait for a while if it is still last.
	Poll(ctx context.Context, last feed.Pointer) (feed.Pointer, error)
}

// FollowerConfig is what a Follower is made of. Store follows (its options pin
// keys), and all but Logger and OnApplied is required.
type FollowerConfig struct {
	Environment string
	Network     snapshots.NetworkPart // what the speaker's configuration declares
	Store       *snapshots.Dir
	Applier     Applier
	Feed        Feed
	// Kept gives what the neighbors were told last, as an earlier process left it:
	// what a quarantine leaves with them. Nil is nothing.
	Kept      func() func(netip.Prefix) bool
	OnApplied func(Applied)
	OnChange  func()       // something of Status changed; called often, must not block
	Logger    *slog.Logger // nil discards
}

// Follower is the pipeline of a speaker alone: it builds and judges nothing, it
// stages what a feed points at, verifies it like any load and activates what a
// permit names. Whatever it cannot verify it refuses, and the wire stays as it
// is (invariant 3).
type Follower struct {
	cfg   FollowerConfig
	log   *slog.Logger
	first chan struct{} // closed once a generation is applied

	line   sync.Mutex // one generation at a time; guards the next two
	marked bool       // the active generation is the last-known-good on disk
	trial  probation

	mu sync.Mutex
	st FollowerStatus
	at snapshots.Loaded // active
	up snapshots.Loaded // staged, zero if it is active
	in feed.Pointer     // last polled
}

// FollowerStatus is how a Follower stands.
type FollowerStatus struct {
	Head      snapshots.Head // active; zero before the first
	AppliedAt time.Time
	Staged    snapshots.Head // verified and not active; zero if there is none
	Waiting   string         // why Staged is not active
	Refused   string         // why the last offer was refused; empty once one is taken
	RefusedAt time.Time
	FeedError string    // why the feed cannot be read; empty while it can
	FeedAt    time.Time // when the feed was last read
	Degraded  string    // what works, but not in full
	Pinned    bool
	Pin       snapshots.Pin
	Frozen    bool
	Freeze    snapshots.Pin
	Findings  []policy.Finding // of the active Target
}

const (
	feedRetryMin = 500 * time.Millisecond
	feedRetryMax = 10 * time.Second
	pruneFollow  = 100 // generations between two looks at the history
)

// NewFollower returns a Follower that has touched nothing yet.
func NewFollower(cfg FollowerConfig) (*Follower, error) {
	if cfg.Store == nil || cfg.Applier == nil || cfg.Feed == nil || cfg.Environment == "" {
		return nil, errors.New("follower: store, speaker, feed and environment are required")
	}
	if err := snapshots.ValidateNetwork(cfg.Network); err != nil {
		return nil, fmt.Errorf("follower: configuration: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.OnChange == nil {
		cfg.OnChange = func() {}
	}
	return &Follower{cfg: cfg, log: cfg.Logger, first: make(chan struct{}), trial: newProbation(cfg.Store, cfg.Logger)}, nil
}

// Boot applies the last-known-good, however old, with nothing but the local
// disk. Without one it does nothing: no neighbor may be let in before First.
// An error means that there is one and that the speaker does not take it. Two
// crashes within a minute of applying it boot the one before in its place.
func (f *Follower) Boot(ctx context.Context) (Booted, error) {
	f.line.Lock()
	defer f.line.Unlock()
	l, quarantined, err := f.bootable()
	damage := f.cfg.Store.Damage()
	if errors.Is(err, snapshots.ErrNone) {
		return Booted{None: true, Damage: damage}, nil
	}
	if err != nil {
		return Booted{Damage: damage}, fmt.Errorf("boot: %w", err)
	}
	f.trial.try(l.Head)
	findings, err := f.apply(ctx, l)
	if err != nil {
		return Booted{Head: l.Head, Damage: damage}, fmt.Errorf("boot: %w", err)
	}
	f.marked = true
	return Booted{Head: l.Head, Routes: l.Snapshot.RouteCount(), Quarantined: quarantined, Findings: findings, Damage: damage}, nil
}

// Declare takes over what the speaker's configuration declares; sessions
// makes its neighbors the speaker's. The active generation is applied to them
// again, so that a neighbor that came gets its routes. On an error of the
// configuration nothing was changed.
func (f *Follower) Declare(ctx context.Context, n snapshots.NetworkPart, sessions func(context.Context) error) error {
	if err := snapshots.ValidateNetwork(n); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	f.line.Lock()
	defer f.line.Unlock()
	at := f.Active()
	if at.Snapshot != nil {
		if name, differs := otherSession(at.Snapshot, n.Neighbors); differs {
			return fmt.Errorf("configuration: neighbor %s has another AS, role, kind, site or families than in generation %d: make the two agree", name, at.Head.Generation)
		}
	}
	if err := sessions(ctx); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	f.cfg.Network = n
	if at.Snapshot == nil {
		return nil
	}
	_, err := f.apply(ctx, at)
	return err
}

// First is closed once a generation was handed to the speaker: neighbors that
// connect before would see an End-of-RIB without a route.
func (f *Follower) First() <-chan struct{} { return f.first }

// Run follows the feed until ctx ends. It outlives every error.
func (f *Follower) Run(ctx context.Context) error {
	watched := make(chan struct{})
	go func() { defer close(watched); f.watch(ctx) }()
	err := f.follow(ctx)
	<-watched
	f.Ended() // not deferred: a panic is no end in order
	return err
}

// watch ends the trial of what the process has lived with for long enough.
func (f *Follower) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.trial.timer.C:
			f.line.Lock()
			f.trial.survived()
			f.line.Unlock()
		}
	}
}

// Ended says that the process ends in order. Run does it when its context ends;
// call it where Run was never reached.
func (f *Follower) Ended() {
	if !f.line.TryLock() {
		return // amid a generation: nothing is certain
	}
	defer f.line.Unlock()
	f.trial.prove()
}

func (f *Follower) follow(ctx context.Context) error {
	pause, last, pruned := feedRetryMin, feed.Pointer{}, uint64(0)
	for ctx.Err() == nil {
		p, err := f.cfg.Feed.Poll(ctx, last)
		if ctx.Err() != nil {
			break
		}
		f.polled(err)
		if err == nil {
			f.Saw(p)
			last = p
			err = f.Look(ctx)
		}
		if err == nil {
			pause = feedRetryMin
			pruned = f.prune(pruned)
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, feedRetryMax)
	}
	return ctx.Err()
}

// Saw takes in what a feed points at, for Look.
func (f *Follower) Saw(p feed.Pointer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.in, f.st.FeedAt = p, time.Now()
}

// polled notes whether the feed could be read.
func (f *Follower) polled(err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	f.mu.Lock()
	changed := f.st.FeedError != why
	f.st.FeedError = why
	f.mu.Unlock()
	if !changed {
		return
	}
	if err != nil {
		f.log.Warn("the feed cannot be read; the wire stays as it is", "error", err)
	} else {
		f.log.Info("the feed can be read again")
	}
	f.cfg.OnChange()
}

// Look stages what the feed last pointed at, and activates it if it may be. An
// error is something that may pass by itself; a refusal is none.
func (f *Follower) Look(ctx context.Context) error {
	f.line.Lock()
	defer f.line.Unlock()
	f.finishMark()
	f.mu.Lock()
	p := f.in
	f.mu.Unlock()
	if len(p.Head) == 0 {
		return nil
	}
	staged, err := f.stage(ctx, p)
	if err != nil || staged.Snapshot == nil {
		return err
	}
	why := f.mayActivate(p, staged.Head)
	f.waiting(staged, why)
	if why != "" {
		return nil
	}
	return f.activate(ctx, staged)
}

// stage verifies the head that is pointed at and everything it names. The zero
// Loaded means that there is nothing to activate.
func (f *Follower) stage(ctx context.Context, p feed.Pointer) (snapshots.Loaded, error) {
	f.mu.Lock()
	active, ready := f.at, f.up
	f.mu.Unlock()
	if head, err := f.cfg.Store.OpenHead(p.Head); err == nil {
		switch head {
		case active.Head:
			f.waiting(snapshots.Loaded{}, "")
			f.refused(nil)
			return snapshots.Loaded{}, nil
		case ready.Head:
			return ready, nil
		}
	}
	base := active.Snapshot
	if ready.Snapshot != nil {
		base = ready.Snapshot
	}
	l, err := f.cfg.Store.Accept(ctx, p.Head, f.cfg.Feed, base)
	var invalid *snapshots.Invalid
	switch {
	case err == nil:
		f.refused(nil)
		f.log.Info("generation staged", "generation", l.Head.Generation, "snapshot", l.Head.ID, "routes", l.Snapshot.RouteCount())
		return l, nil
	case errors.As(err, &invalid), errors.Is(err, snapshots.ErrOlder), errors.Is(err, snapshots.ErrForked):
		f.refused(err)
		return snapshots.Loaded{}, nil
	case ctx.Err() == nil:
		f.refused(err) // could not be fetched or written: tried again
	}
	return snapshots.Loaded{}, err
}

// mayActivate says why a staged generation is not activated, or "".
func (f *Follower) mayActivate(p feed.Pointer, h snapshots.Head) string {
	if pin, pinned := f.cfg.Store.Pinned(); pinned {
		return fmt.Sprintf("pinned at generation %d by %s: %s", pin.Generation, pin.Actor, pin.Reason)
	}
	if freeze, frozen := f.cfg.Store.Frozen(); frozen {
		return fmt.Sprintf("frozen by %s: %s", freeze.Actor, freeze.Reason)
	}
	if len(p.Permit) == 0 {
		return "no permit: activation is frozen at the source"
	}
	permit, err := f.cfg.Store.OpenPermit(p.Permit)
	if err != nil {
		return "permit refused: " + err.Error()
	}
	if !permit.Allows(h) {
		return fmt.Sprintf("the permit is for epoch %d generation %d, not for this one", permit.Epoch, permit.Generation)
	}
	return ""
}

// activate hands a staged generation to the speaker and then makes it the
// last-known-good. A crash in between leaves the old one, and applying is
// repeated because a Target is the whole set.
func (f *Follower) activate(ctx context.Context, l snapshots.Loaded) error {
	begun := time.Now()
	before := f.Active().Snapshot
	f.trial.try(l.Head)
	findings, err := f.apply(ctx, l)
	if err != nil {
		f.refused(err)
		return err
	}
	f.marked = false
	f.finishMark()
	f.waiting(snapshots.Loaded{}, "")
	f.refused(nil)
	done := Applied{Head: l.Head, Plan: plan.Diff(before, l.Snapshot), Findings: findings, Took: time.Since(begun)}
	f.log.Info("generation applied", "generation", l.Head.Generation, "snapshot", l.Head.ID, "actor", l.Head.Actor, "changes", len(done.Plan.Changes), "took", done.Took)
	if f.cfg.OnApplied != nil {
		f.cfg.OnApplied(done)
	}
	return nil
}

func (f *Follower) apply(ctx context.Context, l snapshots.Loaded) ([]policy.Finding, error) {
	first := f.Active().Snapshot == nil
	if first {
		// A neighbor that is left out of the first Target would be sent an
		// End-of-RIB without a route, and drop what it kept.
		if n, differs := otherSession(l.Snapshot, f.cfg.Network.Neighbors); differs {
			return nil, fmt.Errorf("generation %d: neighbor %s has another AS, role, kind, site or families in the configuration than in the snapshot: make the two agree", l.Head.Generation, n)
		}
	}
	findings, err := applyTo(ctx, f.cfg.Applier, l, f.cfg.Network.Neighbors)
	if err != nil {
		return findings, err
	}
	f.mu.Lock()
	f.at, f.st.Head, f.st.AppliedAt, f.st.Findings = l, l.Head, time.Now(), findings
	f.mu.Unlock()
	if first {
		close(f.first)
	}
	return findings, nil
}

// finishMark makes the active generation the last-known-good, again if that
// failed before.
func (f *Follower) finishMark() {
	if f.marked || f.Active().Snapshot == nil {
		return
	}
	err := f.cfg.Store.Activate(f.Active().Head)
	f.marked = err == nil
	f.mu.Lock()
	defer f.mu.Unlock()
	f.st.Degraded = ""
	if err != nil {
		f.st.Degraded = err.Error()
	}
}

func (f *Follower) waiting(l snapshots.Loaded, why string) {
	f.mu.Lock()
	changed := f.st.Waiting != why || f.st.Staged != l.Head
	f.up, f.st.Staged, f.st.Waiting = l, l.Head, why
	f.mu.Unlock()
	if changed {
		if why != "" {
			f.log.Warn("generation staged, not activated", "generation", l.Head.Generation, "why", why)
		}
		f.cfg.OnChange()
	}
}

func (f *Follower) refused(err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	f.mu.Lock()
	changed := f.st.Refused != why
	if f.st.Refused = why; changed {
		f.st.RefusedAt = time.Now()
	}
	f.mu.Unlock()
	if !changed {
		return
	}
	if err != nil {
		f.log.Error("snapshot refused; the wire stays as it is", "error", err)
	}
	f.cfg.OnChange()
}

// prune keeps the history within its retention. It runs between two looks, so
// that nothing is being accepted meanwhile.
func (f *Follower) prune(last uint64) uint64 {
	_, generation := f.cfg.Store.Highest()
	if last == 0 || generation-last < pruneFollow {
		return max(last, 1)
	}
	if _, err := f.cfg.Store.Prune(snapshots.DefaultRetention(), time.Now()); err != nil {
		f.log.Warn("history not pruned", "error", err)
	}
	return generation
}

// Active is the generation on the wire, zero before the first.
func (f *Follower) Active() snapshots.Loaded {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// Staged is the generation that waits to be activated, zero if there is none.
func (f *Follower) Staged() snapshots.Loaded {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.up
}

// Status of the Follower as of now.
func (f *Follower) Status() FollowerStatus {
	pin, pinned := f.cfg.Store.Pinned()
	freeze, frozen := f.cfg.Store.Frozen()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.st
	s.Pin, s.Pinned, s.Freeze, s.Frozen = pin, pinned, freeze, frozen
	return s
}
