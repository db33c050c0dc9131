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

// Pin holds the wire where it is: nothing new is built until Unpin, across
// restarts too.
func (r *Runner) Pin(actor addressing.Actor, why string) error {
	if why == "" {
		return errors.New("pin: say why")
	}
	r.line.Lock()
	defer r.line.Unlock()
	return r.cfg.Store.SetPin(snapshots.Pin{Generation: r.Active().Head.Generation, Actor: actorKey(actor), Reason: why, At: time.Now().UnixNano()})
}

// ErrDiffers means that desired state differs from what is pinned, and that
// nobody accepted the difference.
var ErrDiffers = errors.New("desired state differs from what is pinned")

// Unpin lets the builder go on. Desired state must equal what is pinned, or
// accept must name the snapshot that it would lead to: the one that Pending
// showed. The plan towards it is still judged like any other.
func (r *Runner) Unpin(ctx context.Context, accept snapshots.ID) error {
	p, _, err := r.Pending(ctx)
	if err != nil {
		return fmt.Errorf("unpin: %w", err)
	}
	if !p.Quiet() && accept != p.To {
		return fmt.Errorf("unpin: %w: %d changes, %d of them losses: look at the plan and name its snapshot %s", ErrDiffers, len(p.Changes), len(p.Losses()), p.To)
	}
	r.accept(accept)
	if err := r.cfg.Store.ClearPin(); err != nil {
		return err
	}
	r.Kick()
	return nil
}

// Resume starts a builder that was stopped because desired state looked lost.
// If it still looks lost, the builder stops again.
func (r *Runner) Resume() {
	r.stop("")
	r.Kick()
}

// StopIntentLost stops the builder, for a daemon that finds a snapshot but no
// database.
func (r *Runner) StopIntentLost(why string) { r.stop(why) }

// Rebuild writes the active snapshot back to desired state as it is, after the
// database was lost and an empty one was made on purpose, and lets the builder
// go on.
func (r *Runner) Rebuild(ctx context.Context, actor addressing.Actor, why string) (addressing.Restored, error) {
	r.line.Lock()
	defer r.line.Unlock()
	active := r.Active().Snapshot
	desired, _ := r.ready()
	if active == nil || desired == nil {
		return addressing.Restored{}, errors.New("rebuild: an active snapshot and a database are needed")
	}
	r.step(StepIntent)
	done, _, err := desired.Restore(ctx, addressing.RestoreRequest{
		Request: addressing.Request{Actor: actor, Scope: addressing.EveryAccount(), Reason: why, RequestID: "rebuild", At: time.Now()},
		Want:    active.Whole(),
	})
	if err != nil {
		return done, fmt.Errorf("rebuild: %w", err)
	}
	r.ledger.settle(r.ledger.mark(), nil)
	r.stop("")
	r.clear()
	r.Kick()
	return done, nil
}

// Pending is a dry run: the plan from the wire to desired state as it is now,
// and what preflight would say of it. Nothing is stored or charged.
func (r *Runner) Pending(ctx context.Context) (plan.Plan, plan.Report, error) {
	r.line.Lock()
	n := r.net
	r.line.Unlock()
	return r.PendingWith(ctx, n)
}

// PendingWith is Pending under another configuration.
func (r *Runner) PendingWith(ctx context.Context, n snapshots.NetworkPart) (plan.Plan, plan.Report, error) {
	r.mu.Lock()
	desired, active := r.desired, r.st.active.Snapshot
	r.mu.Unlock()
	if desired == nil {
		return plan.Plan{}, plan.Report{}, errors.New("plan: desired state is not there")
	}
	state, err := desired.State(ctx)
	if err != nil {
		return plan.Plan{}, plan.Report{}, fmt.Errorf("plan: read desired state: %w", err)
	}
	now := time.Now()
	next, err := r.buildOver(active, state, n, now)
	if err != nil {
		return plan.Plan{}, plan.Report{}, fmt.Errorf("plan: %w", err)
	}
	if next, err = r.holdBack(active, next); err != nil {
		return plan.Plan{}, plan.Report{}, fmt.Errorf("plan: %w", err)
	}
	d := r.draft(active, next, 0, now)
	d.plan.Explain(r.explain)
	return d.plan, r.afterStatic(next, plan.Preflight(ctx, d.plan, r.cfg.Checks, r.preview())), nil
}

// preview is the gate of dry runs. Without one the breaker is left out, which
// the report says.
func (r *Runner) preview() plan.Gate {
	if r.cfg.Preview != nil {
		return r.cfg.Preview
	}
	return unjudged{}
}

type unjudged struct{}

func (unjudged) Judge(context.Context, plan.Plan) (policy.Verdict, []policy.Finding, error) {
	return policy.Allow, []policy.Finding{{Rule: plan.RuleGate, Verdict: policy.Allow, Why: "a dry run: the breaker was not asked"}}, nil
}

// ErrUnread means that desired state is there and cannot be read.
var ErrUnread = errors.New("desired state cannot be read")

// Damage compares desired state as it is now with a generation that was good;
// 0 is the active one. With the database gone it cannot be asked: the wire is
// what is good then.
func (r *Runner) Damage(ctx context.Context, generation uint64) (snapshots.Assessment, error) {
	r.mu.Lock()
	desired, good := r.desired, r.st.active
	r.mu.Unlock()
	if desired == nil || good.Snapshot == nil {
		return snapshots.Assessment{}, errors.New("damage: an active snapshot and desired state are needed")
	}
	state, err := desired.State(ctx)
	if err != nil {
		return snapshots.Assessment{}, fmt.Errorf("damage: %w: %w", ErrUnread, err)
	}
	if generation != 0 && generation != good.Head.Generation {
		if good, err = r.cfg.Store.Get(generation, good.Snapshot); err != nil {
			return snapshots.Assessment{}, fmt.Errorf("damage: %w", err)
		}
	}
	r.line.Lock()
	n := r.net
	r.line.Unlock()
	now, err := r.buildOver(good.Snapshot, state, n, time.Now())
	if err != nil {
		return snapshots.Assessment{}, fmt.Errorf("damage: %w", err)
	}
	return snapshots.Assess(good, now), nil
}
