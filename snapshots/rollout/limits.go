package rollout

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

// SetLimits names the breaker's limits in force, which every snapshot from now
// on records. Another list makes a generation of its own: it changes nothing on
// the wire, and goes forward only. It does not wait for a generation that is
// being made.
func (r *Runner) SetLimits(list []snapshots.LimitInForce) error {
	if err := snapshots.ValidateLimits(list); err != nil {
		return fmt.Errorf("limits in force: %w", err)
	}
	if r.setLimits(list) {
		r.Kick()
	}
	return nil
}

// setLimits reports whether the list is another one.
func (r *Runner) setLimits(list []snapshots.LimitInForce) bool {
	list = snapshots.NormalLimits(list)
	r.mu.Lock()
	defer r.mu.Unlock()
	other := !slices.Equal(list, r.limits)
	r.limits = list
	return other
}

func (r *Runner) inForce() []snapshots.LimitInForce {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limits
}

// underLimits is a network with the limits in force.
func (r *Runner) underLimits(n snapshots.NetworkPart) snapshots.NetworkPart {
	n.Limits = r.inForce()
	return n
}
