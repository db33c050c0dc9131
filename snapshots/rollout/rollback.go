package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// RollbackRequest asks for an older state. It must name what: all, accounts or
// prefixes.
type RollbackRequest struct {
	snapshots.Back
	To     uint64 // generation; 0 is the one before the active one
	Actor  addressing.Actor
	Reason string
	DryRun bool // plan and judge only
	// Rate is how many routes a second are advertised again; 0 is all at once.
	Rate int
	// Priority are kinds of account in the order in which they come back; others
	// come last.
	Priority []string
}

// RollbackResult says what a rollback did and did not do.
type RollbackResult struct {
	From, To   uint64 // generation before, and the one that was brought back
	Generation uint64 // the new one; 0 if the wire needed no change
	Plan       plan.Plan
	Report     plan.Report
	Newer      []netip.Prefix // advertised since then: left advertised
	Down       []string       // negative intents that kept something down
	Skipped    []netip.Prefix // belong to another account by now
	Restored   addressing.Restored
	// Pinned says why desired state could not be changed along with the wire.
	// The speaker is pinned then, and mutations must be refused.
	Pinned string
	// Later is how many routes are bound by now and follow: at the rate that was
	// asked for, and when the machines behind them are ready.
	Later int
	then  *snapshots.Snapshot
	Took  time.Duration // until the speaker had it
}

// ErrRefused means that a plan was judged and not allowed; the report says why.
var ErrRefused = errors.New("plan was not allowed")

// ErrUnknown means that there is no rollout of that name.
var ErrUnknown = errors.New("there is no such rollout")

// Rollback brings an older state forward as a new generation, puts it on the
// wire at once, and then writes it to desired state. It works with the breaker
// open and with the database gone: then the speaker is pinned instead. What is
// down on purpose stays down, and what was advertised since stays advertised,
// unless the request says otherwise. An owner's is of its own account, goes
// through desired state and never pins.
func (r *Runner) Rollback(ctx context.Context, req RollbackRequest) (RollbackResult, error) {
	r.line.Lock()
	defer r.line.Unlock()
	return r.rollback(ctx, req)
}

// rollback is Rollback for who holds the line.
func (r *Runner) rollback(ctx context.Context, req RollbackRequest) (RollbackResult, error) {
	if req.Actor.Kind == addressing.Owner {
		return r.rollbackOwn(ctx, req)
	}
	if req.Rate < 0 {
		return RollbackResult{}, errRate
	}
	begun := time.Now()
	desired, _ := r.ready()
	if _, can := desired.(Lifter); len(req.Lift) > 0 && !can {
		return RollbackResult{}, errors.New("rollback: negative intents cannot be lifted along with it: lift them first, by name: holdfast prefix unblock")
	}
	c, res, err := r.compose(req)
	if err != nil {
		return res, fmt.Errorf("rollback: %w", err)
	}
	r.step(StepPreflight)
	res.Report = plan.Preflight(ctx, res.Plan, r.cfg.Checks, r.judge(req.DryRun))
	if req.DryRun {
		return res, nil
	}
	if res.Report.Verdict != policy.Allow {
		return res, fmt.Errorf("rollback to generation %d: %w: %s", res.To, ErrRefused, firstWhy(res.Report))
	}
	first, rest, err := r.bindFirst(req, c, res, begun)
	if err != nil {
		return res, fmt.Errorf("rollback: %w", err)
	}
	if first.ID() != r.Active().Snapshot.ID() {
		head, findings, err := r.deploy(ctx, first, actorKey(req.Actor), fmt.Sprintf("rollback to generation %d: %s", res.To, req.Reason))
		if err != nil {
			r.failed(err)
			return res, fmt.Errorf("rollback: %w", err)
		}
		res.Generation, res.Plan.Generation, res.Took = head.Generation, head.Generation, time.Since(begun)
		if r.cfg.OnApplied != nil {
			r.cfg.OnApplied(Applied{Head: head, Plan: res.Plan, Findings: findings, Took: res.Took})
		}
	}
	if len(rest) > 0 {
		r.bringLater(req, &res, rest, begun)
	}
	r.restoreIntent(ctx, req, c, &res)
	r.step(StepDone)
	res.Took = max(res.Took, 0)
	return res, nil
}

// compose loads the older state and brings it forward.
func (r *Runner) compose(req RollbackRequest) (snapshots.Composed, RollbackResult, error) {
	active := r.Active()
	res := RollbackResult{From: active.Head.Generation, To: req.To}
	if active.Snapshot == nil {
		return snapshots.Composed{}, res, errors.New("there is no active snapshot to go back from")
	}
	then := active
	if res.To == 0 {
		res.To = before(r.cfg.Store.History(), active.Head)
	}
	if res.To != active.Head.Generation {
		var err error
		if then, err = r.cfg.Store.Get(res.To, active.Snapshot); err != nil {
			return snapshots.Composed{}, res, err
		}
	}
	r.step(StepBuild)
	c, err := snapshots.Compose(active.Snapshot, then.Snapshot, req.Back)
	if err != nil {
		return c, res, err
	}
	r.step(StepPlan)
	res.then = then.Snapshot
	p := r.planBack(c.Snapshot, req, res.To)
	res.Plan, res.Newer, res.Down, res.Skipped = p, c.Newer, c.Down, c.Skipped
	return c, res, nil
}

// planBack is the plan of a rollback, or of a part of one.
func (r *Runner) planBack(s *snapshots.Snapshot, req RollbackRequest, to uint64) plan.Plan {
	_, generation := r.cfg.Store.Highest()
	p := plan.Diff(r.Active().Snapshot, s)
	p.Generation, p.At, p.Origin, p.Actors = generation+1, time.Now(), plan.FromRollback, []addressing.Actor{req.Actor}
	why := plan.Reason{Set: fmt.Sprintf("rollback/%d", to), By: req.Actor.Kind}
	p.Explain(func(plan.Change) (plan.Reason, bool) { return why, req.Actor.Kind != "" })
	return p
}

// Lifter is desired state that can lift negative intents by id.
type Lifter interface {
	LiftIntents(ctx context.Context, req addressing.Request, ids []string) error
}

// lift lifts what the request names. absent is returned if there is no desired
// state to do it in.
func (r *Runner) lift(ctx context.Context, desired Desired, req RollbackRequest, absent error) error {
	if desired == nil {
		return absent
	}
	if l, can := desired.(Lifter); can && len(req.Lift) > 0 {
		return l.LiftIntents(ctx, addressing.Request{Actor: req.Actor, Scope: addressing.EveryAccount(), Reason: req.Reason, At: time.Now()}, req.Lift)
	}
	return nil
}

// want is the desired state of what was rolled back. The negative intents that
// are in force go with it, in case the rows were lost; one that a waiting
// change lifts does not.
func (r *Runner) want(c snapshots.Composed) addressing.State {
	st := c.Snapshot.State(c.Touched...)
	gained := r.ledger.gained()
	st.Negative = slices.DeleteFunc(st.Negative, func(n addressing.NegativeIntent) bool { return gained[route{n.AccountID, n.CIDR}] })
	return st
}

// before is the newest generation of the history before h that holds another
// snapshot; h's own if there is none.
func before(history []snapshots.Head, h snapshots.Head) uint64 {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].Generation < h.Generation && history[i].ID != h.ID {
			return history[i].Generation
		}
	}
	return h.Generation
}

func (r *Runner) judge(dryRun bool) plan.Gate {
	if dryRun {
		return r.preview()
	}
	return r.cfg.Gate
}

// PinnedByRollback begins the reason of a pin that a rollback sets because
// desired state could not follow. A restore that makes it follow takes it off.
const PinnedByRollback = "rolled back, but desired state could not be changed"

// restoreIntent writes what was rolled back to desired state. If that cannot
// be done, the speaker is pinned, so that the builder does not undo it.
func (r *Runner) restoreIntent(ctx context.Context, req RollbackRequest, c snapshots.Composed, res *RollbackResult) {
	r.step(StepIntent)
	desired, _ := r.ready()
	err := errors.New("desired state is not there")
	if lost := r.Status().IntentLost; lost != "" {
		err = errors.New(lost)
	} else if err = r.lift(ctx, desired, req, err); err == nil {
		res.Restored, _, err = desired.Restore(ctx, addressing.RestoreRequest{
			Request:  addressing.Request{Actor: req.Actor, Scope: addressing.EveryAccount(), Reason: req.Reason, RequestID: fmt.Sprintf("rollback/%d", res.To), At: time.Now()},
			Want:     r.want(c),
			Withdraw: req.Withdraw,
		})
	}
	if err == nil {
		// What was waiting to be taken down was just put back.
		r.ledger.settle(r.ledger.mark(), nil)
		r.ledger.carry(fmt.Sprintf("rollback/%d", res.To), req.Actor, req.Reason)
		r.clear()
		r.Kick()
		return
	}
	res.Pinned = err.Error()
	pin := snapshots.Pin{Generation: r.Active().Head.Generation, Actor: actorKey(req.Actor), Reason: PinnedByRollback + ": " + err.Error(), At: time.Now().UnixNano()}
	if err := r.cfg.Store.SetPin(pin); err != nil {
		r.stop(pin.Reason)
		r.failed(err)
	}
}
