package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// ownOnly refuses what an owner may not ask of a rollback: anything but its own
// account, a withdrawal, and the override of a negative intent.
func (q RollbackRequest) ownOnly() error {
	if len(q.Accounts) == 1 && q.Actor.AccountID != "" && q.Accounts[0] == q.Actor.AccountID && !q.All && len(q.Prefixes) == 0 && !q.Withdraw && len(q.Lift) == 0 {
		return nil
	}
	return &addressing.Error{Code: addressing.CodeForbidden, Op: "restore", Detail: "an owner restores its own account, and only adds", Next: "name the account of the token, or ask an operator"}
}

// rollbackOwn is rollback for an owner. It is the other way round: desired
// state first, which knows what the owner may, and then the generation that
// follows from it. A refusal leaves the wire and desired state as they were and
// never pins; with desired state gone it is an operator who rolls back.
func (r *Runner) rollbackOwn(ctx context.Context, req RollbackRequest) (RollbackResult, error) {
	if err := req.ownOnly(); err != nil {
		return RollbackResult{}, err
	}
	desired, blocked := r.ready()
	if desired == nil || blocked {
		return RollbackResult{}, &addressing.Error{Code: addressing.CodeUnavailable, Op: "restore", Detail: "desired state is not there, or the wire is pinned",
			Next: "nothing was changed; ask an operator to restore the account"}
	}
	begun := time.Now()
	c, res, err := r.compose(req)
	if err != nil {
		return res, fmt.Errorf("rollback: %w", err)
	}
	if req.DryRun {
		r.step(StepPreflight)
		res.Report = plan.Preflight(ctx, res.Plan, r.cfg.Checks, r.preview())
		return res, nil
	}
	want := r.want(c)
	want.Services = nil // the network's, not the owner's
	r.step(StepIntent)
	res.Restored, _, err = desired.Restore(ctx, addressing.RestoreRequest{
		Request: addressing.Request{Actor: req.Actor, Scope: addressing.OneAccount(req.Actor.AccountID), Reason: req.Reason,
			RequestID: fmt.Sprintf("rollback/%d", res.To), At: time.Now()},
		Want: want,
	})
	if err != nil {
		return res, fmt.Errorf("rollback: %w", err)
	}
	before := r.Active()
	if err := r.build(ctx); err != nil && !errors.Is(err, errCooling) {
		r.log.Warn("an owner's restore is in desired state, the wire follows later", "account", req.Actor.AccountID, "error", err)
	}
	r.Kick()
	r.followed(&res, before, req.Actor.AccountID)
	res.Took = time.Since(begun)
	return res, nil
}

// followed notes what the wire did for the account since before.
func (r *Runner) followed(res *RollbackResult, before snapshots.Loaded, account string) {
	after := r.Active()
	res.Plan.Changes = nil
	if after.Head.Generation == before.Head.Generation {
		return
	}
	res.Generation = after.Head.Generation
	res.Plan = plan.Diff(before.Snapshot, after.Snapshot)
	res.Plan.Generation = res.Generation
	res.Plan.Changes = slices.DeleteFunc(res.Plan.Changes, func(c plan.Change) bool { return c.Account != account })
}
