package junos

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// policies reads every policy-statement. All exist before the first is read,
// because they may name one another.
func (s *scope) policies() {
	s.policySet = map[string]*device.Policy{}
	nodes := s.root.Get("policy-options", "policy-statement").Active()
	for _, n := range nodes {
		p := &device.Policy{At: device.At{Pos: n.Pos}, End: n.End, Name: s.qualified(n.Word)}
		s.policySet[n.Word] = p
		s.b.cfg.Policies = append(s.b.cfg.Policies, p)
	}
	for _, n := range nodes {
		s.policy(n, s.policySet[n.Word])
	}
	s.cutCycles()
}

func (s *scope) policy(n *tree.Node, p *device.Policy) {
	mark(n, device.Modelled)
	for _, k := range n.Kids() {
		switch k.Word {
		case "term":
			for _, t := range k.Kids() {
				p.Terms = append(p.Terms, s.term(p, t, t.Word))
			}
		case "from", "to", "then":
		case "dynamic-db":
			k.Mark(device.Unmodelled, "the policy comes from outside of the configuration")
			p.Terms = append(p.Terms, &device.Term{At: device.At{Pos: k.Pos}, Match: device.Always("dynamic-db"), Then: device.Disposition{
				At: device.At{Pos: k.Pos}, Flow: device.DecideMaybe, Text: "dynamic-db",
			}})
		default:
			if !metaWords[k.Word] && k.Word != "description" && k.Word != "defaults" {
				k.Cover(device.Unread, "not known to this front end")
				continue
			}
			k.Cover(device.IgnoredKnown, "")
		}
	}
	// What stands outside of all terms is one more term at the end.
	if n.Get("from") != nil || n.Get("to") != nil || n.Get("then") != nil {
		p.Terms = append(p.Terms, s.term(p, n, ""))
	}
}

// reading is one term while it is read.
type reading struct {
	*scope
	policy  string
	term    string
	at      device.At
	flow    device.Flow
	xs      []device.Expr
	nets    nets
	current device.Side
}

func (s *scope) term(p *device.Policy, n *tree.Node, name string) *device.Term {
	mark(n, device.Modelled)
	t := &device.Term{At: device.At{Pos: n.Pos}, End: n.End, Name: name, Via: n.Via, Inactive: n.Off()}
	r := &reading{scope: s, policy: p.Name, term: name, at: t.At}
	then := n.Get("then")
	if name == "" {
		t.Pos = positionOf(then, n.Get("from"), n.Get("to"), n)
		r.at = t.At
	}
	mark(then, device.Modelled)
	t.Actions, t.Then = r.then(then)
	r.flow = t.Then.Flow
	r.side(n.Get("from"), device.Sender)
	r.side(n.Get("to"), device.Receiver)
	r.emptied(n)
	r.prefixes()
	t.Match = device.AllOfExprs(t.Pos, r.xs...)
	t.Bare = len(r.xs) == 0 && len(r.nets.acting) == 0
	if len(r.nets.acting) > 0 {
		t.Match, t.Actions, t.Then = r.acting(t)
	}
	return t
}

func positionOf(ns ...*tree.Node) device.Pos {
	for _, n := range ns {
		if n != nil {
			return n.Pos
		}
	}
	return device.Pos{}
}

func (r *reading) report(d device.Diagnostic) {
	d.Policy, d.Term = r.policy, r.term
	r.scope.report(d)
}

// emptied reports conditions that are all switched off while the actions stay:
// the term matches everything (RL202).
func (r *reading) emptied(n *tree.Node) {
	for _, word := range []string{"from", "to"} {
		c := n.Child(word)
		if c == nil || len(c.Kids()) == 0 || !c.Inactive && len(c.Leaves()) > 0 {
			continue
		}
		if len(r.xs) > 0 || len(r.nets.filters)+len(r.nets.lists)+len(r.nets.acting) > 0 || n.Off() {
			continue
		}
		r.report(device.Diagnostic{
			At: device.At{Pos: c.Pos}, Rule: "RL202",
			Message: "every condition of the term is inactive: it now matches every route and its actions stay",
			Fix:     "deactivate the term, or activate a condition",
		})
	}
}

// side reads the conditions of "from" or "to".
func (r *reading) side(n *tree.Node, side device.Side) {
	mark(n, device.Modelled)
	for _, k := range n.Active() {
		read := matches[k.Word]
		if read == nil || side == device.Receiver && !toMatches[k.Word] {
			r.unknown(k, "")
			continue
		}
		r.current = side
		if x := read(r, k); x != nil {
			r.xs = append(r.xs, x)
		}
	}
}

// unknown files a condition that has no meaning here.
func (r *reading) unknown(k *tree.Node, why string) {
	state := device.Unread
	if why == "" && (knownMatches[k.Word] || matches[k.Word] != nil) {
		why = "not modelled"
	}
	if why != "" {
		state = device.Unmodelled
	} else {
		why = "not known to this front end"
	}
	k.Cover(state, why)
	if len(k.Kids()) > 0 && len(k.Leaves()) == 0 {
		return // everything below it is inactive
	}
	r.xs = append(r.xs, &device.Unknown{At: device.At{Pos: k.Pos}, Text: k.Parent.Word + " " + join(k), Why: why})
}

// maxSubPolicies bounds how often evaluating a policy enters others.
const maxSubPolicies = 2_000

// cutCycles replaces references of policies that call each other in a circle,
// or fan out beyond reason, by Unknown, so that every evaluator ends.
func (s *scope) cutCycles() {
	cost := map[*device.Policy]int{}
	open := map[*device.Policy]bool{}
	var visit func(p *device.Policy) int
	visit = func(p *device.Policy) int {
		if c, done := cost[p]; done {
			return c
		}
		if open[p] {
			return maxSubPolicies + 1
		}
		open[p] = true
		total := 1
		for _, t := range p.Terms {
			device.Walk(t.Match, func(x device.Expr) bool {
				sub, ok := x.(*device.SubPolicy)
				if !ok {
					return true
				}
				c := 0
				for _, q := range sub.Chain.Policies {
					c += visit(q)
				}
				if total += c; total > maxSubPolicies {
					sub.Chain.Policies = nil // falls to its default, which is not decided
					sub.Chain.Why = "policies use each other in a circle or too often"
					total -= c
				}
				return true
			})
		}
		delete(open, p)
		cost[p] = total
		return total
	}
	for _, p := range s.b.cfg.Policies {
		visit(p)
	}
}

// dedupeScalars keeps the last of several changes of one field, as the router
// does when it commits.
func dedupeScalars(actions []device.Action) []device.Action {
	last := map[device.Field]int{}
	for i, a := range actions {
		if f, ok := scalarField(a); ok {
			last[f] = i
		}
	}
	out := actions[:0:0]
	for i, a := range actions {
		if f, ok := scalarField(a); !ok || last[f] == i {
			out = append(out, a)
		}
	}
	return slices.Clip(out)
}

func scalarField(a device.Action) (device.Field, bool) {
	switch t := a.(type) {
	case *device.SetScalar:
		return t.Field, true
	case *device.SetNextHop:
		return device.NextHopField, true
	case *device.UnknownAction:
		for _, f := range []device.Field{device.MED, device.LocalPref, device.IGPMetric, device.Preference, device.Tag, device.Origin, device.NextHopField} {
			if t.Changes == device.FieldSet(f) {
				return f, true
			}
		}
	}
	return 0, false
}
