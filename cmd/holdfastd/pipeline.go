package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// pipeline is the rollout as the operations API sees it. Nothing here touches
// the database: rollback itself does, last, and does without if it must.
type pipeline struct{ *rollout.Runner }

var _ api.Pipeline = pipeline{}

// Status implements api.Pipeline.
func (p pipeline) Status() api.PipelineStatus {
	s := p.Runner.Status()
	out := api.PipelineStatus{
		Generation:    s.Generation,
		LastKnownGood: s.Generation,
		LastBuild:     s.LastBuild,
		Pinned:        s.Pinned,
		IntentLost:    s.IntentLost != "",
	}
	if r := s.Refusal; r != nil {
		out.LastRefusal = &api.PipelineRefusal{At: r.At, Generation: r.Generation, Verdict: r.Report.Verdict, Findings: r.Report.Findings}
	}
	return out
}

// Active implements api.Pipeline.
func (p pipeline) Active() (*snapshots.Snapshot, snapshots.Head) {
	l := p.Runner.Active()
	return l.Snapshot, l.Head
}

// Pending implements api.Pipeline.
func (p pipeline) Pending(ctx context.Context) (plan.Plan, plan.Report, error) {
	return p.Runner.Pending(ctx)
}

// Rollback implements api.Pipeline.
func (p pipeline) Rollback(ctx context.Context, r api.RollbackRequest) (api.RollbackOutcome, error) {
	req := rollout.RollbackRequest{To: r.To, Actor: r.Actor, Reason: r.Reason, DryRun: r.DryRun, Rate: r.Rate, Priority: r.Priority}
	of := p.Runner.Active().Snapshot.RouteCount()
	req.All = r.All
	if r.AccountID != "" {
		req.Accounts = []string{r.AccountID}
	}
	if r.PrefixID != "" {
		cidr, found := p.cidrOf(r.PrefixID)
		if !found {
			return api.RollbackOutcome{}, &addressing.Error{Code: addressing.CodeNotFound, Op: "rollback", Field: "prefix_id", Detail: "the active snapshot has no prefix " + r.PrefixID,
				Next: "name it by its CIDR"}
		}
		r.Prefix = cidr
	}
	if r.Prefix.IsValid() {
		req.Prefixes = []netip.Prefix{r.Prefix}
	}
	res, err := p.Runner.Rollback(ctx, req)
	if err != nil {
		return api.RollbackOutcome{}, rollbackFailed("rollback", err)
	}
	out := outcome(res, p.Runner.Active())
	if out.Of = of; r.DryRun {
		out.Detail = "dry run: nothing was changed; the plan would be judged: " + res.Report.Verdict.String()
	}
	return out, nil
}

// cidrOf finds a prefix in the active snapshot, without the database.
func (p pipeline) cidrOf(id string) (netip.Prefix, bool) {
	snap := p.Runner.Active().Snapshot
	if snap == nil {
		return netip.Prefix{}, false
	}
	for i := range snap.Accounts {
		for _, rec := range snap.Accounts[i].Prefixes {
			if rec.ID == id {
				return rec.CIDR, true
			}
		}
	}
	return netip.Prefix{}, false
}

func outcome(res rollout.RollbackResult, active snapshots.Loaded) api.RollbackOutcome {
	out := api.RollbackOutcome{
		Generation:      active.Head.Generation,
		ID:              active.Head.ID,
		From:            res.From,
		To:              res.To,
		Later:           res.Later,
		LeftAdvertised:  len(res.Newer),
		NegativeIntents: len(res.Down),
		Pinned:          res.Pinned != "",
		IntentRestored:  res.Pinned == "",
	}
	for i := range res.Plan.Changes {
		switch res.Plan.Changes[i].Kind {
		case plan.Advertise:
			out.Advertised++
		case plan.Modify:
			out.Modified++
		}
	}
	out.Detail = fmt.Sprintf("%d route(s) put back in %s", out.Advertised, res.Took.Round(1e6))
	switch {
	case res.Later > 0:
		out.Detail = follow(out.Advertised, res.Later)
	case res.Generation == 0:
		out.Detail = "the wire holds that state already"
	}
	if res.Pinned != "" {
		out.Detail += "; pinned: " + res.Pinned
	}
	return out
}

// follow says how much of what comes back is not advertised yet.
func follow(advertised, later int) string {
	return fmt.Sprintf("%d route(s) put back; %d more are bound and follow as machines are ready and the rate allows: holdfast status", advertised-later, later)
}

// history is the kept generations as the operations API sees them.
type history struct{ dir *snapshots.Dir }

// Heads implements api.History: newest first.
func (h history) Heads(context.Context) ([]snapshots.Head, error) {
	heads := h.dir.History()
	out := make([]snapshots.Head, len(heads))
	for i, head := range heads {
		out[len(heads)-1-i] = head
	}
	return out, nil
}

// Snapshot implements api.History.
func (h history) Snapshot(_ context.Context, generation uint64) (*snapshots.Snapshot, snapshots.Head, error) {
	l, err := h.dir.Get(generation, nil)
	if err != nil {
		return nil, snapshots.Head{}, &addressing.Error{Code: addressing.CodeNotFound, Op: "snapshot", Field: "generation", Detail: err.Error(), Next: "holdfast snapshot list shows the generations there are"}
	}
	return l.Snapshot, l.Head, nil
}

// switchboard is the breaker as the operations API sees it.
type switchboard struct {
	d    *daemon
	now  clock
	kick func() // look at desired state again
}

// Scopes implements api.Breaker.
func (s switchboard) Scopes(context.Context) ([]api.BreakerStatus, error) {
	var out []api.BreakerStatus
	for _, scope := range s.d.breaker.Status(s.now()) {
		out = append(out, api.BreakerStatus{
			Scope: string(scope.Kind), Key: scope.Key, State: scope.State.String(),
			TripID: scope.TripID, Since: scope.Since, Reason: scope.Reason,
		})
	}
	return out, nil
}
