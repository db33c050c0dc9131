package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// TakeDown is the emergency lane's way to the wire: what is active, with these
// negative intents in force, at once. It does not look at desired state, which
// may be gone, or hold something else that is refused. The change must have
// been admitted; the plan is judged like any other.
func (r *Runner) TakeDown(ctx context.Context, change addressing.ChangeSet, intents []addressing.NegativeIntent) (snapshots.Head, error) {
	r.line.Lock()
	defer r.line.Unlock()
	begun := time.Now()
	active := r.Active()
	if active.Snapshot == nil {
		return snapshots.Head{}, errors.New("take down: nothing is advertised")
	}
	r.step(StepBuild)
	next, err := snapshots.TakeDown(active.Snapshot, intents)
	if err != nil {
		return snapshots.Head{}, err
	}
	if next.ID() == active.Snapshot.ID() {
		return active.Head, nil // the builder was quicker
	}
	r.step(StepPlan)
	p := plan.Diff(active.Snapshot, next)
	_, generation := r.cfg.Store.Highest()
	p.Generation, p.At, p.Origin, p.Admitted, p.Actors = generation+1, begun, plan.FromChanges, []string{change.ID}, []addressing.Actor{change.Actor}
	p.Explain(func(plan.Change) (plan.Reason, bool) { return plan.Reason{Set: change.ID, By: change.Actor.Kind}, true })
	r.step(StepPreflight)
	report := plan.Preflight(ctx, p, r.cfg.Checks, r.cfg.Gate)
	if report.Verdict != policy.Allow {
		return snapshots.Head{}, fmt.Errorf("take down: %w: %s", ErrRefused, firstWhy(report))
	}
	head, findings, err := r.deploy(ctx, next, actorKey(change.Actor), change.Reason)
	if err != nil {
		r.failed(err)
		return head, fmt.Errorf("take down: %w", err)
	}
	p.Generation = head.Generation
	if r.cfg.OnApplied != nil {
		r.cfg.OnApplied(Applied{Head: head, Plan: p, Findings: findings, Took: time.Since(begun)})
	}
	r.step(StepDone)
	r.Kick()
	return head, nil
}
