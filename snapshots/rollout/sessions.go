package rollout

import (
	"context"
	"fmt"
	"maps"
	"reflect"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Sessions makes the speaker's sessions those of one configuration, but for the
// neighbors in keep: those stay what they are here until their wave. Neighbors
// that the configuration does not have and that are not in keep go.
type Sessions func(ctx context.Context, keep map[string]policy.Neighbor) error

// behind are the neighbors that a snapshot has otherwise than the configuration
// declares them, and those that it has and the configuration no longer, if the
// speaker knows how to speak with them: they wait for their wave, and so do
// their sessions.
func (r *Runner) behind(s *snapshots.Snapshot) map[string]policy.Neighbor {
	out := map[string]policy.Neighbor{}
	if s == nil {
		return out
	}
	declared := map[string]policy.Neighbor{}
	for _, n := range snapshots.NormalNetwork(r.net).Neighbors {
		declared[n.Name] = n
	}
	for _, n := range s.Network.Neighbors {
		will, stays := declared[n.Name]
		if stays && !reflect.DeepEqual(will, n) || !stays && r.spoken[n.Name] {
			out[n.Name] = n
		}
	}
	return out
}

// sessions makes the speaker's sessions those of the configuration, but for the
// neighbors that are to stay as they are.
func (r *Runner) sessions(ctx context.Context, keep map[string]policy.Neighbor) error {
	if !r.declared && maps.EqualFunc(r.kept, keep, func(a, b policy.Neighbor) bool { return reflect.DeepEqual(a, b) }) {
		return nil
	}
	if r.speak != nil {
		if err := r.speak(ctx, keep); err != nil {
			return fmt.Errorf("sessions: %w", err)
		}
	}
	r.kept, r.declared = keep, false
	for _, n := range r.net.Neighbors {
		r.spoken[n.Name] = true
	}
	return nil
}

// beforeApply gives the neighbors whose wave this is the sessions that the
// configuration declares. One that leaves keeps its own until it holds nothing.
func (r *Runner) beforeApply(ctx context.Context, s *snapshots.Snapshot) error {
	keep := r.behind(s)
	stays := map[string]bool{}
	for _, n := range s.Network.Neighbors {
		stays[n.Name] = true
	}
	for name, n := range r.behind(r.Active().Snapshot) {
		if !stays[name] {
			keep[name] = n
		}
	}
	return r.sessions(ctx, keep)
}
