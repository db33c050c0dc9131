package rollout

import "github.com/holdfast-bgp/holdfast/snapshots/plan"

// Forecast is how a plan would go out, were it allowed: what waits for its
// wave, what would begin a rollout, and what needs none.
type Forecast struct {
	AtOnce int // changes that the next generation carries without any wave
	// Begins is the rollout that would begin; nil if nothing of the plan would.
	Begins *Rollout
	// Waits counts changes that wait for a rollout, by its id.
	Waits  map[string]int
	Queued int    // changes whose rollout would begin after the one that runs, or when Holds is over
	Holds  string // why removals do not begin now; empty if nothing holds them
}

// Forecast says how a plan would go out. It changes nothing.
func (r *Runner) Forecast(p plan.Plan) Forecast {
	r.line.Lock()
	defer r.line.Unlock()
	w, fresh := r.sorted(p)
	out := Forecast{AtOnce: len(p.Changes) + len(p.Network), Waits: w.behind, Holds: w.dark}
	for _, it := range w.queued {
		out.Queued += it.Ops
	}
	for _, n := range w.behind {
		out.AtOnce -= n
	}
	if len(fresh) > 0 {
		ro := r.inWaves(p, fresh)
		out.Begins = &ro
		out.AtOnce -= ro.Changes()
	}
	out.AtOnce -= out.Queued
	return out
}
