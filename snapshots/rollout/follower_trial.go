package rollout

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

// bootable is what a Follower is to boot, and which generation it passed over
// because it crashed two processes.
func (f *Follower) bootable() (l snapshots.Loaded, quarantined uint64, err error) {
	bad, _, loop := f.trial.crashed()
	if loop {
		bad = bad.Quarantine(bad.ID)
	}
	good, err := guarded(f.cfg.Store.Good)
	if errors.Is(err, snapshots.ErrNone) {
		return good, 0, err
	}
	if !loop && (err != nil || !slices.Contains(bad.Quarantined, good.Head.ID)) {
		return good, 0, err // the ordinary boot
	}
	if !loop { // quarantined by an earlier start, and still the newest on disk
		bad.ID, bad.Generation = good.Head.ID, good.Head.Generation
	}
	then, none := beforeBad(f.cfg.Store, bad, good)
	if none != nil {
		f.log.Error("crashing, with nothing to go back to", "alert", "generation_quarantined", "error", none)
		return good, 0, err
	}
	if loop {
		f.quarantine(bad, then)
	}
	then.Snapshot = f.withKept(bad, then)
	return then, bad.Generation, nil
}

// quarantine writes down what may not come back by itself, and pins the speaker:
// a person decides what it follows next.
func (f *Follower) quarantine(bad snapshots.Trial, then snapshots.Loaded) {
	why := whyQuarantined(bad.Generation)
	f.log.Error("generation quarantined, the one before boots", "alert", "generation_quarantined", "quarantined", bad.Generation, "snapshot", bad.ID, "generation", then.Head.Generation)
	if err := f.cfg.Store.SetTrial(bad.Proved(bad.ID).Quarantine(bad.ID)); err != nil {
		f.log.Warn("quarantine not written", "generation", bad.Generation, "error", err)
	}
	if _, pinned := f.cfg.Store.Pinned(); pinned {
		return
	}
	if err := f.cfg.Store.SetPin(snapshots.Pin{Generation: then.Head.Generation, Actor: crashLoop, Reason: why, At: time.Now().UnixNano()}); err != nil {
		f.mu.Lock()
		f.st.Degraded = err.Error()
		f.mu.Unlock()
	}
}

// withKept is the older snapshot with what the neighbors still have of the bad
// one left with them (invariant 16), and with its negative intents (invariant
// 15); as it is if that cannot be composed.
func (f *Follower) withKept(bad snapshots.Trial, then snapshots.Loaded) *snapshots.Snapshot {
	s, err := guarded(func() (*snapshots.Snapshot, error) {
		newer, err := f.cfg.Store.Get(bad.Generation, then.Snapshot)
		if err != nil {
			return nil, err
		}
		back := snapshots.Back{Scope: snapshots.Scope{All: true}, Withdraw: true}
		if f.cfg.Kept != nil {
			back.Keep = f.cfg.Kept()
		}
		c, err := snapshots.Compose(newer.Snapshot, then.Snapshot, back)
		return c.Snapshot, err
	})
	if err != nil || s.ID() == bad.ID {
		f.log.Warn("not composed with what is quarantined", "generation", bad.Generation, "error", err)
		return then.Snapshot
	}
	return s
}
