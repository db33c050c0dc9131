package rollout

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

const (
	// trialTime is how long a process must live with a generation for it to
	// have proved itself.
	trialTime = 60 * time.Second
	// maxCrashes within trialTime of being applied quarantine a generation.
	maxCrashes = 2

	crashLoop = "system/crash-loop" // the actor of what comes in its place
)

// probation watches over the generations that a process was told and has not yet
// lived with for long enough. Whoever has it takes turns.
type probation struct {
	store *snapshots.Dir
	log   *slog.Logger
	tried []snapshots.ID // on trial in this process
	at    time.Time      // when the last of them was handed over
	timer *time.Timer    // rings when it has proved itself
}

func newProbation(store *snapshots.Dir, log *slog.Logger) probation {
	p := probation{store: store, log: log, timer: time.NewTimer(trialTime)}
	p.timer.Stop() // until there is something on trial
	return p
}

// try writes down, before a generation is handed to the speaker, that it is on
// trial. What cannot be written keeps nothing from the wire.
func (p *probation) try(head snapshots.Head) {
	t := p.store.Trial()
	t.ID, t.Generation, t.At = head.ID, head.Generation, time.Now().UnixNano()
	if err := p.store.SetTrial(t); err != nil {
		p.log.Warn("a crash of this generation would not be counted", "generation", head.Generation, "error", err)
		return
	}
	if !slices.Contains(p.tried, head.ID) {
		p.tried = append(p.tried, head.ID)
	}
	p.at = time.Now()
	p.timer.Reset(trialTime)
}

// survived ends the trial once the process has lived long enough.
func (p *probation) survived() {
	if time.Since(p.at) >= trialTime { // else another generation has begun its own
		p.prove()
	}
}

func (p *probation) prove() {
	if len(p.tried) == 0 {
		return
	}
	if err := p.store.SetTrial(p.store.Trial().Proved(p.tried...)); err != nil {
		p.log.Warn("the generation stays on trial", "error", err)
		return
	}
	p.tried = nil
}

// crashed counts the crash of the process before, if it was one, before
// anything that could crash again is touched. It reports what must be
// quarantined: true at the second crash within trialTime of the same snapshot.
func (p *probation) crashed() (bad snapshots.Trial, crashes int, loop bool) {
	t := p.store.Trial()
	if t.ID == "" {
		return t, 0, false
	}
	t, crashes = t.Crashed()
	if err := p.store.SetTrial(t); err != nil {
		p.log.Warn("crash not counted", "generation", t.Generation, "error", err)
	}
	p.log.Warn("the process before this one ended within a minute of applying a generation", "generation", t.Generation, "crashes", crashes)
	return t, crashes, crashes >= maxCrashes
}

// survived ends the trial once the process has lived long enough.
func (r *Runner) survived() {
	r.line.Lock()
	defer r.line.Unlock()
	r.trial.survived()
}

// Ended says that the process ends in order, whatever the reason: that is no
// crash. Run does it when its context ends; call it where Run was never reached.
func (r *Runner) Ended() {
	if !r.line.TryLock() {
		return // amid a generation: nothing is certain
	}
	defer r.line.Unlock()
	r.trial.prove()
}

// quarantine is what boots in place of a generation that crashed the process
// twice: the one before, with what the neighbors still have of the bad one left
// with them (invariant 16) and with its negative intents (invariant 15). The
// error says that there is nothing else to boot.
func (r *Runner) quarantine(t snapshots.Trial, crashes int, good snapshots.Loaded) (snapshots.Loaded, error) {
	t = t.Quarantine(t.ID)
	then, err := beforeBad(r.cfg.Store, t, good)
	if err != nil {
		return snapshots.Loaded{}, err
	}
	s := then.Snapshot
	for _, way := range r.ways(t, then)[min(crashes-maxCrashes, 2):] {
		if c, err := guarded(way); err != nil {
			r.log.Warn("not composed with what is quarantined", "generation", t.Generation, "error", err)
		} else if !slices.Contains(t.Quarantined, c.ID()) {
			s = c
			break
		}
	}
	l := good
	if s.ID() != good.Head.ID {
		l = r.bringForward(t, then, s)
	}
	if err := r.cfg.Store.SetTrial(t.Proved(t.ID).Quarantine(t.ID)); err != nil {
		r.log.Warn("quarantine not written", "generation", t.Generation, "error", err)
	}
	r.pinQuarantined(t, l)
	return l, nil
}

// ways compose then onto what crashed, the least loss first. A crash that they
// cause themselves makes the next start pass one over.
func (r *Runner) ways(t snapshots.Trial, then snapshots.Loaded) []func() (*snapshots.Snapshot, error) {
	compose := func(keep func(netip.Prefix) bool) (*snapshots.Snapshot, error) {
		bad, err := r.cfg.Store.Get(t.Generation, then.Snapshot)
		if err != nil {
			return nil, err
		}
		c, err := snapshots.Compose(bad.Snapshot, then.Snapshot, snapshots.Back{Scope: snapshots.Scope{All: true}, Withdraw: true, Keep: keep})
		return c.Snapshot, err
	}
	return []func() (*snapshots.Snapshot, error){
		func() (*snapshots.Snapshot, error) {
			if r.cfg.Kept == nil {
				return compose(nil)
			}
			return compose(r.cfg.Kept())
		},
		func() (*snapshots.Snapshot, error) {
			s, err := compose(nil)
			if err != nil {
				return nil, err
			}
			return snapshots.HoldNetwork(then.Snapshot, s)
		},
	}
}

// beforeBad is the last-known-good, or if that is what crashed, the newest
// older generation that is not quarantined and loads.
func beforeBad(store *snapshots.Dir, t snapshots.Trial, good snapshots.Loaded) (snapshots.Loaded, error) {
	if good.Snapshot != nil && !slices.Contains(t.Quarantined, good.Head.ID) {
		return good, nil
	}
	last := errors.New("there is no older generation")
	for _, h := range slices.Backward(store.History()) {
		if t.Generation > 0 && h.Generation >= t.Generation || slices.Contains(t.Quarantined, h.ID) {
			continue
		}
		l, err := store.Get(h.Generation, good.Snapshot)
		if err == nil {
			return l, nil
		}
		last = err
	}
	return snapshots.Loaded{}, fmt.Errorf("quarantine generation %d: %w", t.Generation, last)
}

// bringForward stores what boots in place of a quarantined generation, as a new
// one. The wire does not wait for a disk that is full.
func (r *Runner) bringForward(t snapshots.Trial, then snapshots.Loaded, s *snapshots.Snapshot) snapshots.Loaded {
	epoch, generation := r.cfg.Store.Highest()
	head := snapshots.Head{
		Environment: r.cfg.Environment, Epoch: max(epoch, 1), Generation: generation + 1, ID: s.ID(), Parent: then.Head.ID, CreatedAt: time.Now().UnixNano(),
		Actor: crashLoop, Reason: fmt.Sprintf("generation %d crashed the daemon %d times: back to generation %d", t.Generation, maxCrashes, then.Head.Generation),
	}
	err := r.cfg.Store.Put(head, s)
	if err == nil {
		err = r.cfg.Store.MarkGood(head)
	}
	if err != nil {
		r.degraded(err)
		r.log.Error("what boots in place of a quarantined generation is not stored", "generation", t.Generation, "error", err)
	}
	return snapshots.Loaded{Head: head, Snapshot: s}
}

// pinQuarantined keeps the builder from making the bad generation again. A pin
// that is there already does that, and stays.
func (r *Runner) pinQuarantined(t snapshots.Trial, l snapshots.Loaded) {
	why := whyQuarantined(t.Generation)
	r.log.Error("generation quarantined, the one before boots", "alert", "generation_quarantined", "quarantined", t.Generation, "snapshot", t.ID, "generation", l.Head.Generation)
	if _, pinned := r.cfg.Store.Pinned(); pinned {
		return
	}
	pin := snapshots.Pin{Generation: l.Head.Generation, Actor: crashLoop, Reason: why, At: time.Now().UnixNano()}
	if err := r.cfg.Store.SetPin(pin); err != nil {
		r.stop(why)
		r.degraded(err)
	}
}

func whyQuarantined(generation uint64) string {
	return fmt.Sprintf("generation %d is quarantined: the daemon crashed %d times within %d s of applying it. Look at what would change with holdfast plan show, mend it or the daemon, then holdfast snapshot unpin",
		generation, maxCrashes, int(trialTime.Seconds()))
}

// guarded turns a panic over what crashed already into an error.
func guarded[T any](f func() (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// bootable is what Boot is to apply, and which generation it quarantined for it.
func (r *Runner) bootable() (l snapshots.Loaded, quarantined uint64, err error) {
	t, crashes, loop := r.trial.crashed()
	if !loop {
		return r.lastKnownGood()
	}
	good, err := guarded(r.cfg.Store.Good)
	if errors.Is(err, snapshots.ErrNone) {
		return good, 0, err
	}
	l, none := r.quarantine(t, crashes, good)
	if none != nil {
		r.log.Error("crashing, with nothing to go back to", "alert", "generation_quarantined", "error", none)
		return good, 0, err
	}
	return l, t.Generation, nil
}

func (r *Runner) lastKnownGood() (snapshots.Loaded, uint64, error) {
	l, err := r.cfg.Store.Good()
	return l, 0, err
}
