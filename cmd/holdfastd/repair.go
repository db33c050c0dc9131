package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// repair compares with what was good and puts it back.
type repair struct{ d *daemon }

var _ api.Repair = repair{}

// Damage implements api.Repair. With desired state lost there is nothing to
// compare: the wire holds what the snapshot says, and that is intact.
func (r repair) Damage(ctx context.Context, since uint64) (snapshots.Assessment, bool, error) {
	if snap, _ := r.d.pipeline.Active(); snap == nil {
		return snapshots.Assessment{}, false, &addressing.Error{Code: addressing.CodeConflict, Op: "damage", Detail: "there is no generation to compare with yet"}
	}
	if r.d.registry.Load() == nil {
		return r.againstWire(since)
	}
	a, err := r.d.pipeline.Damage(ctx, since)
	switch {
	case errors.Is(err, rollout.ErrUnread): // the file was taken away at work, say
		return r.againstWire(since)
	case err != nil:
		return a, false, notKept(err)
	}
	return a, false, nil
}

// againstWire compares the wire with a generation, where desired state is gone.
func (r repair) againstWire(since uint64) (snapshots.Assessment, bool, error) {
	snap, head := r.d.pipeline.Active()
	good := snapshots.Loaded{Head: head, Snapshot: snap}
	if since != 0 && since != head.Generation {
		var err error
		if good, err = r.d.store.Get(since, snap); err != nil {
			return snapshots.Assessment{}, true, notKept(err)
		}
	}
	return snapshots.Assess(good, snap), true, nil
}

func notKept(err error) error {
	return &addressing.Error{Code: addressing.CodeNotFound, Op: "damage", Detail: err.Error(), Next: "holdfast snapshot list shows the generations there are"}
}

// Restore implements api.Repair.
func (r repair) Restore(ctx context.Context, q api.RestoreRequest) (api.RestoreOutcome, error) {
	snap, head := r.d.pipeline.Active()
	if snap == nil {
		return api.RestoreOutcome{}, &addressing.Error{Code: addressing.CodeConflict, Op: "restore", Detail: "there is no generation to restore from yet"}
	}
	if q.To == 0 {
		q.To = head.Generation
	}
	if q.All && !q.DryRun {
		r.d.noticeLoss()
	}
	of := snap.RouteCount()
	own := q.Actor.Kind == addressing.Owner
	if own { // who sees no other account, and takes off no pin
		of = routesOf(snap, q.Actor.AccountID)
	}
	out, err := r.bringBack(ctx, q, of)
	if err != nil {
		return out, err
	}
	if lost := r.d.pipeline.Runner.Status().IntentLost; (lost != "" || r.d.registry.Load() == nil || missing(r.d.dir.database())) && q.All {
		err = r.rebuild(ctx, q, lost, &out)
	}
	if err == nil && !q.DryRun && !own {
		r.unpin(ctx, &out)
	}
	_, head = r.d.pipeline.Active()
	out.Generation = head.Generation
	return out, err
}

func routesOf(s *snapshots.Snapshot, account string) int {
	part, there := s.Account(account)
	if !there {
		return 0
	}
	return len(part.Routes)
}

// bringBack puts the older state on the wire: whole records, so that a route
// is bound in the same generation that advertises it, and then in the same
// order to desired state.
func (r repair) bringBack(ctx context.Context, q api.RestoreRequest, of int) (api.RestoreOutcome, error) {
	req := rollout.RollbackRequest{To: q.To, Actor: q.Actor, Reason: q.Reason, DryRun: q.DryRun, Rate: q.Rate, Priority: q.Priority}
	req.All = q.All
	if !q.All {
		req.Accounts = []string{q.AccountID}
	}
	res, err := r.d.pipeline.Runner.Rollback(ctx, req)
	if err != nil {
		return api.RestoreOutcome{}, rollbackFailed("restore", err)
	}
	out := api.RestoreOutcome{To: res.To, Of: of, Created: res.Restored.Created, Changed: res.Restored.Changed, NegativeIntents: len(res.Down)}
	for i := range res.Plan.Changes {
		if res.Plan.Changes[i].Kind == plan.Advertise {
			out.Advertised++
		}
	}
	out.Pinned, out.Later = res.Pinned != "", res.Later
	out.Detail = fmt.Sprintf("%d route(s) brought back to the wire, %d object(s) of desired state made again, %d set back", out.Advertised, out.Created, out.Changed)
	if res.Later > 0 {
		out.Detail += "; " + follow(out.Advertised, res.Later)
	}
	if wait := res.Restored.Advertised - out.Advertised; wait > 0 && q.Actor.Kind == addressing.Owner {
		out.Detail += fmt.Sprintf("; %d route(s) more are desired and follow when they may", wait)
	}
	return out, nil
}

// rebuild makes desired state anew from the active snapshot, after it was lost.
func (r repair) rebuild(ctx context.Context, q api.RestoreRequest, lost string, out *api.RestoreOutcome) error {
	if q.DryRun {
		out.Rebuilt = true
		out.Detail += "; desired state would be rebuilt from the active snapshot"
		return nil
	}
	if lost == "" {
		r.d.pipeline.StopIntentLost("it is being rebuilt") // nothing may be built from it meanwhile
	}
	reg, fresh, err := r.d.emptyDatabase(ctx)
	if err != nil {
		return &addressing.Error{Code: addressing.CodeUnavailable, Op: "restore", Detail: "desired state cannot be made anew: " + err.Error(),
			Next: "move what is left of " + r.d.dir.database() + " away as evidence, then repeat"}
	}
	done, err := r.d.pipeline.Rebuild(ctx, q.Actor, q.Reason)
	if err != nil {
		return &addressing.Error{Code: addressing.CodeUnavailable, Op: "restore", Detail: err.Error(), Next: "the wire is as it was; repeat"}
	}
	out.Rebuilt, out.Created, out.Changed, out.Pinned = true, done.Created, done.Changed, false
	if out.Tokens, err = r.tokens(ctx, reg, q); err != nil {
		r.d.log.Error("tokens were not put back; the admin socket works without", "error", err)
	}
	if fresh {
		if err := r.d.emergency().bringBack(ctx, reg); err != nil {
			r.d.log.Error("emergency withdrawals are in the snapshot and were rebuilt from it; their file stays", "error", err)
		}
		r.d.api.Attach(reg)
	}
	out.Detail += fmt.Sprintf("; desired state rebuilt from the active snapshot: %d object(s), %d token(s)", done.Created, out.Tokens)
	return nil
}

// tokens puts back what the mirror holds and the database does not.
func (r repair) tokens(ctx context.Context, reg *addressing.Registry, q api.RestoreRequest) (int, error) {
	all := r.d.mirror.Tokens()
	if len(all) == 0 {
		return 0, nil
	}
	done, _, err := reg.Restore(ctx, addressing.RestoreRequest{Request: addressing.Request{Actor: q.Actor, Scope: addressing.EveryAccount(),
		Reason: q.Reason, At: q.At}, Tokens: all})
	return done.Created, err
}

// unpin lets the builder go on when nothing differs. If anything does, the pin
// stays: what to do with the difference is for a person.
func (r repair) unpin(ctx context.Context, out *api.RestoreOutcome) {
	pin, pinned := r.d.store.Pinned()
	if out.Pinned = pinned; !pinned || !strings.HasPrefix(pin.Reason, rollout.PinnedByRollback) {
		return // somebody else's pin is somebody else's to take off
	}
	err := r.d.pipeline.Unpin(ctx, "")
	if out.Pinned = err != nil; out.Pinned {
		out.Detail += "; still pinned: " + err.Error()
		return
	}
	out.Detail += "; unpinned, nothing differs"
}

// rollbackFailed is what a rollback that did not happen answers with.
func rollbackFailed(op string, err error) error {
	var said *addressing.Error
	if errors.As(err, &said) {
		return said
	}
	if errors.Is(err, rollout.ErrRefused) {
		return &addressing.Error{Code: addressing.CodeRefused, Op: op, Detail: err.Error()}
	}
	return &addressing.Error{Code: addressing.CodeConflict, Op: op, Detail: err.Error(), Next: "holdfast snapshot list shows the generations there are"}
}
