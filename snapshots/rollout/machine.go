package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// EventKind is what happens to a rollout.
type EventKind string

// Events. Time travels in them.
const (
	Released EventKind = "released" // it starts: the first wave may go out
	OnWire   EventKind = "on-wire"  // the speaker took the wave
	Watched  EventKind = "watched"  // health was asked
	Pause    EventKind = "pause"    // by a person
	Promote  EventKind = "promote"  // by a person: go on
	Abort    EventKind = "abort"    // by a person
	Died     EventKind = "died"     // the process that ran it ended
	Undone   EventKind = "undone"   // what it took down was put back
	Gone     EventKind = "gone"     // nothing of it is left to do
)

// Event is one of them.
type Event struct {
	Kind   EventKind
	At     time.Time
	By     string // of Pause, Promote and Abort
	Why    string
	Health health.Verdict // of Watched
}

// Effect is what the runner does after a step.
type Effect string

// Effects.
const (
	None    Effect = ""
	Release Effect = "release" // look at desired state: the next wave may go
	PutBack Effect = "put-back"
	Trip    Effect = "trip" // open the breaker, page, and put back
)

// Next is the rollout after an event, and what is to be done. It is pure, and
// an event that does not fit changes nothing: an error says why.
func (r Rollout) Next(e Event) (Rollout, Effect, error) {
	next, effect, err := r.next(e)
	if err == nil && next.moved(r) {
		next.Log = append(slices.Clip(next.Log), Logged{At: e.At, Event: e.Kind, Phase: next.Phase, Wave: next.Released, By: e.By, Why: cmp.Or(e.Why, next.Why)})
	}
	return next, effect, err
}

// moved reports whether an event changed where a rollout stands: what is logged
// and told.
func (r Rollout) moved(was Rollout) bool {
	return r.Phase != was.Phase || r.Released != was.Released || r.Restored != was.Restored || r.Waiting != was.Waiting
}

func (r Rollout) next(e Event) (Rollout, Effect, error) {
	switch e.Kind {
	case Released:
		if r.Phase != "" || len(r.Waves) == 0 {
			return r, None, r.unfit(e)
		}
		r.Released = 1
		return r.to(Running, e.At, ""), Release, nil
	case OnWire:
		if r.Phase != Running {
			return r, None, r.unfit(e)
		}
		r.Applied = r.Released
		return r.to(Soaking, e.At, ""), None, nil
	case Watched:
		return r.watched(e)
	case Pause:
		if r.Phase != Running && r.Phase != Soaking {
			return r, None, r.unfit(e)
		}
		return r.to(Paused, e.At, "paused by "+e.By+": "+e.Why), None, nil
	case Promote:
		return r.promote(e)
	case Abort:
		if r.Phase == "" || r.Phase.Ended() && r.Phase != Failed {
			return r, None, r.unfit(e)
		}
		return r.to(Aborted, e.At, "aborted by "+e.By+": "+e.Why), PutBack, nil
	case Died:
		if r.Phase.Ended() || r.Phase == Paused || r.Phase == "" {
			return r, None, nil
		}
		return r.to(Paused, e.At, "the process that ran it ended: holdfast rollout promote goes on"), None, nil
	case Undone:
		r.Restored = true
		return r, None, nil
	case Gone:
		if r.Phase == "" || r.Phase.Ended() {
			return r, None, r.unfit(e)
		}
		r.Released, r.Applied = len(r.Waves), len(r.Waves)
		return r.to(Done, e.At, e.Why), None, nil
	}
	return r, None, r.unfit(e)
}

// watched judges a soak. Failing ends it at once; silence holds it; passing
// and a soak that is over let the next wave go.
func (r Rollout) watched(e Event) (Rollout, Effect, error) {
	if r.Phase != Soaking {
		return r, None, r.unfit(e)
	}
	over := !e.At.Before(r.Since.Add(r.Waves[r.Applied-1].Soak))
	switch {
	case e.Health == health.Fail:
		return r.to(Failed, e.At, e.Why), Trip, nil
	case e.Health == health.NoData:
		r.Waiting, r.Why = over, e.Why
		return r, None, nil
	case e.Health != health.Pass && e.Health != health.Unmonitored, !over:
		r.Waiting, r.Why = false, ""
		return r, None, nil
	}
	return r.advance(e.At)
}

// promote goes on: a paused rollout starts its soak again, a soaking one skips
// the rest of it.
func (r Rollout) promote(e Event) (Rollout, Effect, error) {
	switch {
	case r.Phase == Paused && r.Applied < r.Released:
		return r.to(Running, e.At, ""), Release, nil
	case r.Phase == Paused && len(r.Uncovered) > 0 && r.Overridden == "" && r.beyondCanaries():
		r.Overridden = e.By + ": " + e.Why
		return r.advance(e.At)
	case r.Phase == Paused:
		return r.to(Soaking, e.At, ""), None, nil
	case r.Phase == Soaking:
		return r.advance(e.At)
	}
	return r, None, r.unfit(e)
}

// advance releases the next wave, or ends. A stage beyond the canaries waits
// for a person while a class of object has not been through them (HMD-07).
func (r Rollout) advance(at time.Time) (Rollout, Effect, error) {
	if r.Applied == len(r.Waves) {
		return r.to(Done, at, ""), None, nil
	}
	if len(r.Uncovered) > 0 && r.Overridden == "" && r.beyondCanaries() {
		return r.to(Paused, at, "the canary waves have nothing of "+strings.Join(r.Uncovered, ", ")+", which the rest of the change has"), None, nil
	}
	r.Released = r.Applied + 1
	return r.to(Running, at, ""), Release, nil
}

func (r Rollout) beyondCanaries() bool {
	return r.Applied < len(r.Waves) && !r.Waves[r.Applied].Canary()
}

func (r Rollout) to(p Phase, at time.Time, why string) Rollout {
	r.Phase, r.Since, r.Why, r.Waiting = p, at, why, false
	return r
}

func (r Rollout) unfit(e Event) error {
	return fmt.Errorf("rollout %s is %s: it cannot be %s", r.ID, r.Phase, participle(e.Kind))
}

func participle(k EventKind) string {
	switch k {
	case Pause:
		return "paused"
	case Promote:
		return "promoted"
	case Abort:
		return "aborted"
	}
	return string(k)
}
