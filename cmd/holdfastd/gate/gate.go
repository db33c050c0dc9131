package gate

import (
	"context"
	"fmt"

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
	breaker  *breaker.Breaker
	baseline *baseline
}

// New makes the gate of a breaker. active gives the snapshot that the wire was
// last told, which is what shares and weights are of.
func New(b *breaker.Breaker, active func() (*snapshots.Snapshot, snapshots.Head)) *Gate {
	return &Gate{breaker: b, baseline: &baseline{active: active}}
}

var (
	_ addressing.Gate = (*Gate)(nil)
	_ plan.Gate       = (*Gate)(nil)
)

// Admit charges the losses of a change to the journal, or refuses it.
func (g *Gate) Admit(ctx context.Context, c addressing.ChangeSet) (func(), error) {
	counts, generation := g.baseline.get()
	snap, _ := g.baseline.active()
	d := g.breaker.Admit(ctx, proposal(c, snap, generation), counts)
	if err := refusal(c, d); err != nil {
		return nil, err
	}
	return func() { _ = g.breaker.Release(c.ID, c.At) }, nil
}

func proposal(c addressing.ChangeSet, snap *snapshots.Snapshot, generation uint64) breaker.Proposal {
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
	case verbRestore, verbUndo:
		p.Lane = breaker.Restore
	case addressing.VerbEmergency:
		p.Lane, p.Incident = breaker.Emergency, c.Incident
	}
	for _, e := range c.Effects {
		switch e.Kind {
		case addressing.Gained:
			p.Gains = append(p.Gains, e.CIDR)
		case addressing.Lost, addressing.Weakened:
			p.Losses = append(p.Losses, loss(e, snap, c.Verb))
		case addressing.Modified:
			p.Modifies = append(p.Modifies, loss(e, snap, c.Verb))
		case addressing.Unbound:
			for _, s := range e.Services {
				p.Unbinds = append(p.Unbinds, breaker.Unbind{Prefix: e.CIDR, Account: e.AccountID, Service: s})
			}
		}
	}
	return p
}

func loss(e addressing.Effect, snap *snapshots.Snapshot, cause string) breaker.Loss {
	return breaker.Loss{
		Prefix:   e.CIDR,
		Account:  e.AccountID,
		Customer: e.Account != addressing.FirstParty,
		OnDemand: e.Resting == addressing.RestingWithdrawn,
		Services: e.Services,
		Weight:   weight(snap, e.AccountID, e.CIDR, e.Services),
		Cause:    cause,
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
	e := &addressing.Error{Code: addressing.CodeHeld, Op: c.Verb, TripID: d.TripID, Detail: "the circuit breaker holds it"}
	for _, f := range d.Findings {
		if f.Shadow {
			continue
		}
		e.Detail, e.Next = fmt.Sprintf("%s (%s, scope %s)", f.Why, f.Rule, f.Scope), f.Next
		break
	}
	switch {
	case d.Verdict == breaker.Confirm:
		e.Code, e.Confirm = addressing.CodeConfirm, d.ConfirmToken
	case d.State == breaker.Locked:
		e.Code = addressing.CodeFrozen
	}
	return e
}

// Judge asks the breaker about a whole plan.
func (g *Gate) Judge(ctx context.Context, p plan.Plan) (policy.Verdict, []policy.Finding, error) {
	counts, _ := g.baseline.get()
	snap, _ := g.baseline.active()
	d := g.breaker.Judge(ctx, facts(p, snap), counts)
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
		for family, n := range families {
			f.Neighbors = append(f.Neighbors, breaker.NeighborFact{Neighbor: name, Family: breaker.Family(family), Before: n.Before, After: n.After})
		}
	}
	return f
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

// Verbs of addressing.Registry.Restore and Undo: what only adds among them
// passes a lock.
const (
	verbRestore = "state.restore"
	verbUndo    = "change.undo"
)
