package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Reconfiguration is another configuration on its way to the wire.
type Reconfiguration struct {
	Network snapshots.NetworkPart
	Reason  string
	// Prepare is called once the plan is allowed, before anything of it is
	// applied: the speaker learns of neighbors that come, and keeps those that
	// go. Finish is called after it, when they have nothing any more.
	Prepare, Finish func(context.Context) error
}

// Reconfigure takes a configuration over as a plan of its own, by the actor
// config, through preflight and the breaker. Desired state is not looked at:
// what waits there stays where it is. A plan that is not allowed changes
// nothing, and the report says why.
func (r *Runner) Reconfigure(ctx context.Context, c Reconfiguration) (plan.Plan, plan.Report, error) {
	if err := snapshots.ValidateNetwork(c.Network); err != nil {
		return plan.Plan{}, plan.Report{}, fmt.Errorf("configuration: %w", err)
	}
	r.line.Lock()
	defer r.line.Unlock()
	begun := time.Now()
	active := r.Active().Snapshot
	if active == nil {
		return plan.Plan{}, plan.Report{Verdict: policy.Allow}, r.takeOver(ctx, c, nil)
	}
	d, err := r.draftNetwork(active, c, begun)
	if err != nil {
		return plan.Plan{}, plan.Report{}, err
	}
	report := plan.Preflight(ctx, d.plan, r.cfg.Checks, r.cfg.Gate)
	if report.Verdict != policy.Allow {
		return d.plan, report, nil
	}
	return d.plan, report, r.takeOver(ctx, c, func() error {
		if d.plan.From == d.plan.To {
			return nil
		}
		return r.carryOut(ctx, d, report, begun)
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
	next, err := snapshots.WithNetwork(active, c.Network)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	_, generation := r.cfg.Store.Highest()
	d := &draft{snapshot: next, plan: plan.Diff(active, next), actor: "system/config", reason: c.Reason}
	d.plan.Generation, d.plan.At, d.plan.Origin = generation+1, at, plan.FromConfig
	return d, nil
}

// takeOver makes the configuration the one in force around the change of the
// wire.
func (r *Runner) takeOver(ctx context.Context, c Reconfiguration, change func() error) error {
	if c.Prepare != nil {
		if err := c.Prepare(ctx); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	old := r.net
	r.net = c.Network
	if change != nil {
		if err := change(); err != nil {
			r.net = old
			return err
		}
	}
	r.Kick()
	if c.Finish != nil {
		return errors.Join(c.Finish(ctx))
	}
	return nil
}
