package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Reconfiguration is another configuration on its way to the wire.
type Reconfiguration struct {
	// Network that it declares. Its Limits are those that will be in force, nil
	// is those that are.
	Network snapshots.NetworkPart
	Reason  string
	// Sessions of that configuration; nil leaves sessions alone.
	Sessions Sessions
}

// Reconfigure takes a configuration over as a plan of its own, by the actor
// config, through preflight, the breaker and waves: one neighbor first.
// Desired state is not looked at: what waits there stays where it is. A plan
// that is not allowed changes nothing, and the report says why.
func (r *Runner) Reconfigure(ctx context.Context, c Reconfiguration) (plan.Plan, plan.Report, error) {
	if err := snapshots.ValidateNetwork(c.Network); err != nil {
		return plan.Plan{}, plan.Report{}, fmt.Errorf("configuration: %w", err)
	}
	r.line.Lock()
	defer r.line.Unlock()
	begun := time.Now()
	active := r.Active().Snapshot
	if active == nil {
		return plan.Plan{}, plan.Report{Verdict: policy.Allow}, r.takeOver(ctx, c, func() error { return nil })
	}
	d, err := r.draftNetwork(active, c, begun)
	if err != nil {
		return plan.Plan{}, plan.Report{}, err
	}
	wait, fresh := r.sorted(d.plan)
	whole, err := r.without(d, wait)
	if err != nil {
		return plan.Plan{}, plan.Report{}, fmt.Errorf("configuration: %w", err)
	}
	judged, gate := whole, r.cfg.Gate
	if whole == nil { // all of it waits for another rollout and is judged then
		judged, gate = d, r.preview()
	}
	report := plan.Preflight(ctx, judged.plan, r.cfg.Checks, gate)
	if report.Verdict != policy.Allow {
		return d.plan, report, nil
	}
	return d.plan, report, r.takeOver(ctx, c, func() error {
		if whole == nil || whole.plan.From == whole.plan.To { // all of it waits, or nothing is on the wire
			return nil
		}
		if _, held := r.ready(); held && whole.plan.Quiet() { // limits need no generation while there is to be none
			return nil
		}
		return r.release(ctx, attempted{from: d, whole: whole, wait: wait, fresh: fresh}, report, begun)
	})
}

// PlanNetwork is Reconfigure without doing it.
func (r *Runner) PlanNetwork(ctx context.Context, n snapshots.NetworkPart) (plan.Plan, plan.Report, error) {
	if err := snapshots.ValidateNetwork(n); err != nil {
		return plan.Plan{}, plan.Report{}, fmt.Errorf("configuration: %w", err)
	}
	active := r.Active().Snapshot
	if active == nil {
		return plan.Plan{}, plan.Report{Verdict: policy.Allow}, nil
	}
	d, err := r.draftNetwork(active, Reconfiguration{Network: n}, time.Now())
	if err != nil {
		return plan.Plan{}, plan.Report{}, err
	}
	return d.plan, plan.Preflight(ctx, d.plan, r.cfg.Checks, r.preview()), nil
}

func (r *Runner) draftNetwork(active *snapshots.Snapshot, c Reconfiguration, at time.Time) (*draft, error) {
	if c.Network.Limits == nil {
		c.Network = r.underLimits(c.Network)
	}
	next, err := snapshots.WithNetwork(active, c.Network)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	_, generation := r.cfg.Store.Highest()
	d := &draft{snapshot: next, plan: plan.Diff(active, next), actor: "system/config", reason: c.Reason}
	d.plan.Generation, d.plan.At, d.plan.Origin = generation+1, at, plan.FromConfig
	return d, nil
}

// takeOver makes the configuration the one in force with the change of the
// wire that it begins with.
func (r *Runner) takeOver(ctx context.Context, c Reconfiguration, change func() error) error {
	old, spoke := r.net, r.speak
	limits := r.inForce()
	if c.Network.Limits != nil {
		r.setLimits(c.Network.Limits)
	}
	r.net, r.speak, r.declared = c.Network, c.Sessions, true
	err := change()
	if err == nil { // of what changes nothing on the wire, or waits
		err = r.sessions(ctx, r.behind(r.Active().Snapshot))
	}
	if err != nil {
		r.setLimits(limits)
		r.net, r.speak, r.declared = old, spoke, true
		if back := r.sessions(ctx, r.behind(r.Active().Snapshot)); back != nil {
			r.degraded(back)
		}
		return fmt.Errorf("configuration: %w", err)
	}
	r.Kick()
	return nil
}
