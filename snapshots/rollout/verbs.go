package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Rollouts are the rollouts that run or are kept, oldest first. What they hold
// is shared and must not be written to.
func (r *Runner) Rollouts() []Rollout {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.rollouts)
}

// Decide lets a person pause, promote or abort a rollout.
func (r *Runner) Decide(ctx context.Context, id string, verb EventKind, actor addressing.Actor, why string) (Rollout, error) {
	if verb != Pause && verb != Promote && verb != Abort {
		return Rollout{}, fmt.Errorf("rollout: %q is nothing to decide", verb)
	}
	if why == "" {
		return Rollout{}, fmt.Errorf("rollout %s: say why", verb)
	}
	r.line.Lock()
	defer r.line.Unlock()
	i := slices.IndexFunc(r.rollouts, func(ro Rollout) bool { return ro.ID == id })
	if i < 0 {
		return Rollout{}, fmt.Errorf("rollout %s: %w", id, ErrUnknown)
	}
	if err := r.advance(ctx, i, Event{Kind: verb, At: time.Now(), By: actorKey(actor), Why: cut(why)}); err != nil {
		return Rollout{}, err
	}
	r.Kick()
	return r.rollouts[i], nil
}
