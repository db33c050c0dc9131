package rollout

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// attempted is a plan that was judged: what it was made from, and what of it
// would have begun a rollout.
type attempted struct {
	from  *draft // all that desired state asks for
	whole *draft // without what waits
	wait  waiting
	fresh []plan.Item
	again bool // a part of what was refused a moment ago: no news
}

// less is the attempt without what would begin a rollout: without neighbors
// first, then without prefixes. It is false if there is nothing to leave out.
func (a attempted) less() (attempted, bool) {
	var rest []plan.Item
	for _, it := range a.fresh {
		if it.Neighbor == "" {
			rest = append(rest, it)
		}
	}
	if len(rest) == len(a.fresh) {
		rest = nil
	}
	for _, it := range a.fresh {
		if rest == nil || it.Neighbor != "" {
			a.wait.hold(it)
		}
	}
	less := len(a.fresh) > 0
	a.fresh, a.again = rest, true
	return a, less
}

// within is the attempt without the routes that a far end would not take. It is
// false if there are none that do not wait already.
func (a attempted) within(full []plan.Change) (attempted, bool) {
	more := false
	routes := maps.Clone(a.wait.routes)
	if routes == nil {
		routes = map[route]bool{}
	}
	for _, c := range full {
		k := route{c.Account, c.CIDR}
		more = more || !routes[k]
		routes[k] = true
	}
	if !more {
		return a, false
	}
	a.wait.routes, a.again = routes, true
	a.fresh = slices.DeleteFunc(slices.Clone(a.fresh), func(it plan.Item) bool {
		return slices.ContainsFunc(it.Gains, func(p netip.Prefix) bool { return routes[route{it.Account, p}] })
	})
	return a, true
}

// refused keeps a plan off the wire and says why. If it looks like a lost
// database, the builder stops. Otherwise the rest goes on by itself, first
// without what would begin a rollout, then with nothing but what adds: one bad
// row must not keep everybody else's announcements waiting.
func (r *Runner) refused(ctx context.Context, a attempted, report plan.Report, begun time.Time) error {
	d := a.whole
	refusal := &Refusal{
		At: begun, Generation: d.plan.Generation, To: d.plan.To, Changes: len(d.plan.Changes), Losses: len(d.plan.Losses()), Report: report,
	}
	r.mu.Lock()
	r.st.refusal = refusal
	if report.Has(plan.RuleLostDatabase) {
		r.st.lost = findingOf(report, plan.RuleLostDatabase).Why
	}
	lost := r.st.lost != ""
	key := heldKey(d.plan, report)
	again := key == r.st.refusedKey
	r.st.refusedKey = key
	r.mu.Unlock()
	// The same losses refused again, because somebody else changed something,
	// are one incident and not two.
	if !again && !a.again {
		r.log.Warn("plan not carried out", "verdict", report.Verdict, "changes", refusal.Changes, "losses", refusal.Losses, "why", firstWhy(report))
		if r.cfg.OnRefused != nil {
			r.cfg.OnRefused(d.plan, report)
		}
	}
	if lost {
		return nil
	}
	less, is := a.within(d.plan.Overfilling())
	if !is {
		less, is = a.less()
	}
	if is {
		err := r.attempt(ctx, less, begun)
		r.mu.Lock()
		r.st.refusal, r.st.refusedKey = refusal, key // it stands, whatever became of the rest
		r.mu.Unlock()
		return err
	}
	rest := r.withoutNetwork(d)
	if rest == nil {
		return nil
	}
	if rest != d {
		if report := plan.Preflight(ctx, rest.plan, r.cfg.Checks, r.cfg.Gate); report.Verdict == policy.Allow {
			return r.carryOut(ctx, rest, report, begun)
		}
	}
	return r.remainder(ctx, rest, begun)
}

// withoutNetwork is the draft with the network as the wire has it: a refused
// configuration keeps nobody else waiting. It is nil if nothing is left of it.
func (r *Runner) withoutNetwork(d *draft) *draft {
	active := r.Active().Snapshot
	if active == nil || len(d.plan.Network) == 0 {
		return d
	}
	next, err := snapshots.HoldNetwork(active, d.snapshot)
	if err != nil || next.ID() == active.ID() {
		return nil
	}
	rest := r.draft(active, next, d.seq, d.plan.At)
	rest.keep = d.keep
	rest.plan.Explain(r.explain)
	return rest
}

// remainder carries out what the refused plan only adds.
func (r *Runner) remainder(ctx context.Context, d *draft, begun time.Time) error {
	active := r.Active().Snapshot
	held := map[route]bool{}
	for _, c := range append(d.plan.Losses(), d.plan.Unexplained()...) {
		held[route{c.Account, c.CIDR}] = true
	}
	if active == nil || len(held) == 0 {
		return nil
	}
	next, err := snapshots.HoldBack(active, d.snapshot, func(account string, cidr netip.Prefix) bool { return held[route{account, cidr}] })
	if err != nil || next.ID() == active.ID() {
		return nil // what is left does not stand alone: all of it waits
	}
	rest := plan.Diff(active, next)
	rest.Generation, rest.At, rest.Origin, rest.Admitted, rest.Actors = d.plan.Generation, d.plan.At, d.plan.Origin, d.plan.Admitted, d.plan.Actors
	if rest.Empty() || rest.Explain(r.explain) > 0 || len(rest.Losses()) > 0 {
		return nil // what only adds goes on
	}
	report := plan.Preflight(ctx, rest, r.cfg.Checks, r.cfg.Gate)
	if report.Verdict != policy.Allow {
		return nil
	}
	head, findings, err := r.deploy(ctx, next, d.actor, d.reason)
	if err != nil {
		r.failed(err)
		return err
	}
	r.step(StepDone)
	rest.Generation = head.Generation
	if r.cfg.OnApplied != nil {
		r.cfg.OnApplied(Applied{Head: head, Plan: rest, Findings: append(report.Findings, findings...), Took: time.Since(begun)})
	}
	return nil
}

// heldKey is equal for refusals of the same losses for the same reason.
func heldKey(p plan.Plan, report plan.Report) string {
	h := sha256.New()
	if full := p.Overfilling(); len(full) > 0 { // what else the plan does is not why, and the counts move with it
		for _, c := range full {
			fmt.Fprintln(h, plan.RuleMaxPrefix, c.Account, c.CIDR)
		}
		return string(h.Sum(nil))
	}
	fmt.Fprintln(h, report.Verdict, firstWhy(report), p.Network)
	for _, c := range append(p.Losses(), p.Unexplained()...) {
		fmt.Fprintln(h, c.Kind, c.Account, c.CIDR, c.Set)
	}
	return string(h.Sum(nil))
}

func findingOf(r plan.Report, rule string) policy.Finding {
	for _, f := range r.Findings {
		if f.Rule == rule {
			return f
		}
	}
	return policy.Finding{}
}

// firstWhy is the first reason that is not a mere remark.
func firstWhy(r plan.Report) string {
	for _, f := range r.Findings {
		if f.Verdict != policy.Allow {
			return f.Rule + ": " + f.Why
		}
	}
	return r.Verdict.String()
}
