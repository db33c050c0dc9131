package gate

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Gate lets the addressing Registry and the pipeline ask the one breaker:
// change by change before the commit, and the whole plan again before the wire
// (DESIGN section 4).
type Gate struct {
	breaker  decider
	baseline *baseline
	queue    *Queue // of what may wait; nil refuses it instead

	protected []netip.Prefix                              // what lies within is never lost without an approval
	sitesDown func() []string                             // unexpectedly; nil is none
	paths     Paths                                       // nil knows nothing
	lacking   func(netip.Prefix, addressing.Sites) string // nil looks at no neighbor
}

// decider is the breaker as the gate needs it.
type decider interface {
	Admit(context.Context, breaker.Proposal, breaker.Baseline) breaker.Decision
	Judge(context.Context, breaker.PlanFacts, breaker.Baseline) breaker.Decision
	Release(id string, at time.Time) error
	Covering(prefixes []netip.Prefix, at time.Time) string
	Admitted(netip.Prefix) (breaker.Class, bool)
}

// Protect names ranges that are never lost without an approval, beside all
// first-party prefixes.
func (g *Gate) Protect(ranges []netip.Prefix) { g.protected = ranges }

// Sites gives the gate the sites that are unexpectedly down.
func (g *Gate) Sites(down func() []string) { g.sitesDown = down }

// counts are the denominators now.
func (g *Gate) counts() (breaker.Baseline, uint64) {
	counts, generation := g.baseline.get()
	if g.sitesDown != nil {
		counts.SitesDown = g.sitesDown()
	}
	return counts, generation
}

func (g *Gate) protects(kind addressing.AccountKind, p netip.Prefix) bool {
	return kind == addressing.FirstParty || slices.ContainsFunc(g.protected, func(r netip.Prefix) bool { return r.Overlaps(p) })
}

// Hold makes the gate put what the breaker holds into a queue instead of
// refusing it.
func (g *Gate) Hold(q *Queue) { g.queue = q }

// New makes the gate of a breaker. active gives the snapshot that the wire was
// last told, which is what shares and weights are of.
func New(b *breaker.Breaker, active func() (*snapshots.Snapshot, snapshots.Head)) *Gate {
	return &Gate{breaker: b, baseline: &baseline{active: active}}
}

var (
	_ addressing.Gate = (*Gate)(nil)
	_ plan.Gate       = (*Gate)(nil)
)

// Admit charges the losses of a change to the journal, holds it, or refuses it.
func (g *Gate) Admit(ctx context.Context, c addressing.ChangeSet) (func(), error) {
	if err := room(c, g.baseline.room()); err != nil {
		return nil, err
	}
	if snap, _ := g.baseline.active(); snap != nil {
		if site := unknownSite(c, snap); site != "" {
			return nil, &addressing.Error{Code: addressing.CodeInvalid, Op: c.Verb, Field: "sites", Detail: "there is no site " + site, Next: "holdfast site list shows them"}
		}
	}
	if err := g.replaces(c); err != nil {
		return nil, err
	}
	d := g.decide(ctx, c)
	err := refusal(c, d)
	if err == nil {
		return func() { _ = g.breaker.Release(c.ID, c.At) }, nil
	}
	if g.queue == nil || d.Verdict != breaker.Refuse || !d.Holdable || !mayWait(c) {
		return nil, err
	}
	why, _ := whyNot(d)
	drop, full := g.queue.hold(c, d.TripID, why)
	if full != nil {
		return nil, err
	}
	return drop, nil
}

func (g *Gate) decide(ctx context.Context, c addressing.ChangeSet) breaker.Decision {
	counts, generation := g.counts()
	snap, _ := g.baseline.active()
	p := g.proposal(c, snap, generation)
	return g.within(ctx, func(ctx context.Context) breaker.Decision { return g.breaker.Admit(ctx, p, counts) }, func() { _ = g.breaker.Release(p.ID, p.At) })
}

func (g *Gate) proposal(c addressing.ChangeSet, snap *snapshots.Snapshot, generation uint64) breaker.Proposal {
	p := breaker.Proposal{
		ID:         c.ID,
		Actor:      Actor(c.Actor),
		Reason:     c.Reason,
		At:         c.At,
		Generation: generation,
		Confirm:    c.Confirm,
		Approval:   c.Approval,
	}
	switch c.Verb {
	case addressing.VerbRestore, addressing.VerbUndo:
		p.Lane = breaker.Restore
	case addressing.VerbEmergency:
		p.Lane, p.Incident = breaker.Emergency, c.Incident
	}
	if c.Drains != nil {
		p.Lane = breaker.Drain
	}
	p.Remaining = g.remaining(c, snap)
	for _, e := range c.Effects {
		switch e.Kind {
		case addressing.Gained:
			p.Gains = append(p.Gains, e.CIDR)
		case addressing.Lost, addressing.Weakened:
			p.Losses = append(p.Losses, g.loss(e, snap, c.Verb, c.ReplacedBy.IsValid()))
		case addressing.Modified:
			p.Modifies = append(p.Modifies, g.loss(e, snap, c.Verb, false))
		case addressing.Unbound:
			for _, s := range e.Services {
				p.Unbinds = append(p.Unbinds, breaker.Unbind{Prefix: e.CIDR, Account: e.AccountID, Service: s})
			}
		}
	}
	return p
}

func (g *Gate) loss(e addressing.Effect, snap *snapshots.Snapshot, cause string, replaced bool) breaker.Loss {
	return breaker.Loss{
		Protected: g.protects(e.Account, e.CIDR),
		Neighbors: neighborsOf(snap, e.AccountID, e.CIDR),
		Prefix:    e.CIDR,
		Account:   e.AccountID,
		Customer:  e.Account != addressing.FirstParty,
		OnDemand:  e.Resting == addressing.RestingWithdrawn || replaced,
		Services:  e.Services,
		Weight:    weight(snap, e.AccountID, e.CIDR, e.Services),
		Cause:     cause,
	}
}

// Actor is an actor in the breaker's words.
func Actor(a addressing.Actor) breaker.Actor {
	return breaker.Actor{Kind: breaker.ActorKind(a.Kind), Key: a.Key(), Account: a.AccountID}
}

// refusal turns a decision into the error that the API answers with.
func refusal(c addressing.ChangeSet, d breaker.Decision) error {
	if d.Verdict == breaker.Allow {
		return nil
	}
	e := &addressing.Error{Code: addressing.CodeHeld, Op: c.Verb, TripID: d.TripID}
	e.Detail, e.Next = whyNot(d)
	switch {
	case d.Verdict == breaker.Confirm:
		e.Code, e.Confirm = addressing.CodeConfirm, d.ConfirmToken
	case d.State == breaker.Locked:
		e.Code = addressing.CodeFrozen
	case slices.ContainsFunc(d.Findings, func(f breaker.Finding) bool { return f.Rule == "breaker.protected" && !f.Shadow }):
		e.Code, e.Message = addressing.CodeForbidden, "needs_second_party"
	}
	return e
}

// whyNot is the first finding that decided.
func whyNot(d breaker.Decision) (why, next string) {
	for _, f := range d.Findings {
		if !f.Shadow {
			return fmt.Sprintf("%s (%s, scope %s)", f.Why, f.Rule, f.Scope), f.Next
		}
	}
	return "the circuit breaker holds it", ""
}

// Judge asks the breaker about a whole plan.
func (g *Gate) Judge(ctx context.Context, p plan.Plan) (policy.Verdict, []policy.Finding, error) {
	counts, _ := g.counts()
	snap, _ := g.baseline.active()
	f := facts(p, snap)
	d := g.within(ctx, func(ctx context.Context) breaker.Decision {
		d := g.network(ctx, p, &f, counts)
		if d.Verdict != breaker.Allow {
			return d
		}
		shadow := d.Findings
		d = g.breaker.Judge(ctx, f, counts)
		d.Findings = append(shadow, d.Findings...)
		return d
	}, nil)
	var findings []policy.Finding
	for _, f := range d.Findings {
		verdict := policy.Refuse
		if f.Shadow || d.Verdict == breaker.Allow {
			verdict = policy.Allow
		}
		findings = append(findings, policy.Finding{Rule: f.Rule, Verdict: verdict, Why: f.Why, Next: f.Next, Scope: f.Scope.String()})
	}
	switch d.Verdict {
	case breaker.Allow:
		return policy.Allow, findings, nil
	case breaker.Confirm:
		return policy.Hold, findings, nil
	}
	return policy.Refuse, findings, nil
}

func facts(p plan.Plan, snap *snapshots.Snapshot) breaker.PlanFacts {
	f := breaker.PlanFacts{Origin: string(p.Origin), Generation: p.Generation, At: p.At, Admitted: p.Admitted}
	for i := range p.Changes {
		c := &p.Changes[i]
		switch {
		case c.Loses:
			f.Losses = append(f.Losses, plannedLoss(c, snap))
		case c.Kind == plan.Modify:
			f.Modifies = append(f.Modifies, plannedLoss(c, snap))
		case c.Kind == plan.Advertise:
			f.Gains = append(f.Gains, c.CIDR)
		}
	}
	for name, families := range p.Impact.Neighbor {
		if outOfService(p, name) {
			continue
		}
		for family, n := range families {
			f.Neighbors = append(f.Neighbors, breaker.NeighborFact{Neighbor: name, Family: breaker.Family(family), Before: n.Before, After: n.After})
		}
	}
	return f
}

// outOfService reports whether the plan drains a neighbor, brings a drained one
// back, or takes one out of the configuration: that was judged as a whole when
// it was asked for, and floors and growth are for what happens to routes.
func outOfService(p plan.Plan, name string) bool {
	from, to := p.Snapshots()
	if from == nil || to == nil {
		return false
	}
	stays := false
	for _, s := range []*snapshots.Snapshot{from, to} {
		for i := range s.Network.Neighbors {
			if n := &s.Network.Neighbors[i]; n.Name == name {
				stays = s == to
				if s.Network.DutyOf(n) == snapshots.Drained {
					return true
				}
			}
		}
	}
	return !stays
}

func plannedLoss(c *plan.Change, snap *snapshots.Snapshot) breaker.Loss {
	l := breaker.Loss{Prefix: c.CIDR, Account: c.Account, Customer: c.AccountKind != addressing.FirstParty, Cause: string(c.Kind)}
	if c.Before != nil {
		l.OnDemand = c.Before.Resting == addressing.RestingWithdrawn
		l.Services = c.Before.Services
	}
	l.Weight = weight(snap, c.Account, c.CIDR, l.Services)
	return l
}
