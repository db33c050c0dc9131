package concrete

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// flow is how a walk through terms ended.
type flow uint8

const (
	fellOff flow = iota // reached the end, or left for the next policy
	decided
)

// path is one way through the terms of a policy.
type path struct {
	route   device.Route
	trace   []Event
	pending device.Verdict // default set on the way
	flow    flow
	verdict device.Verdict
}

func (e *evaluator) chain(c *device.Chain, r device.Route, trace []Event) []outcome {
	if e.depth >= maxDepth {
		e.block(c.Pos, "", "policies call each other without end")
		return []outcome{{verdict: device.Undecided, route: r, trace: trace}}
	}
	e.depth++
	defer func() { e.depth-- }()

	open := []path{{route: r, trace: trace}}
	var out []outcome
	for _, p := range c.Policies {
		var still []path
		for _, w := range open {
			for _, end := range e.terms(p.Name, p.Terms, 0, w) {
				if end.flow == decided {
					out = append(out, outcome{end.verdict, end.route, end.trace})
					continue
				}
				still = append(still, end)
			}
		}
		open = e.mergePaths(still)
	}
	for _, w := range open {
		out = append(out, e.atEnd(c, w))
	}
	return e.merge(out)
}

// atEnd gives the verdict of a route that no term decided.
func (e *evaluator) atEnd(c *device.Chain, w path) outcome {
	v, why := c.Default, c.Why
	if w.pending != device.Undecided {
		v, why = w.pending, "the last default that was set"
	} else if v == device.Undecided {
		e.block(c.Pos, why, "what happens at the end of the policy is not modelled")
	}
	what := "end of policy -> " + v.String()
	if why != "" {
		what += " (" + why + ")"
	}
	if len(c.Policies) == 0 || !c.Policies[len(c.Policies)-1].BuiltIn {
		w.trace = appended(w.trace, Event{Pos: c.Pos, Step: e.stepName, What: what})
	}
	return outcome{v, w.route, w.trace}
}

// terms walks a list of terms from an index.
func (e *evaluator) terms(policy string, ts []*device.Term, from int, w path) []path {
	open := map[int][]path{from: {w}}
	var done []path
	for i := from; i < len(ts); i++ {
		here := e.mergePaths(open[i])
		delete(open, i)
		for _, w := range here {
			for _, n := range e.term(policy, ts[i], w) {
				switch {
				case n.flow == decided || n.leave:
					done = append(done, n.path)
				case n.jump && n.target > i:
					at := min(n.target, len(ts))
					open[at] = append(open[at], n.path)
				case n.jump:
					// Backward jumps are refused by every dialect; never loop.
					e.block(ts[i].Pos, ts[i].Name, "jump backwards")
					n.flow, n.verdict = decided, device.Undecided
					done = append(done, n.path)
				default:
					open[i+1] = append(open[i+1], n.path)
				}
			}
		}
	}
	return append(done, open[len(ts)]...)
}

// nextStep is what a term tells the list it is in.
type nextStep struct {
	path
	leave  bool // fall off this policy
	jump   bool
	target int
}

func (e *evaluator) term(policy string, t *device.Term, w path) []nextStep {
	if t.Inactive {
		return []nextStep{{path: w}}
	}
	truth := e.truth(t.Match, &w.route)
	var out []nextStep
	if truth != device.False {
		hit := w
		hit.trace = appended(w.trace, Event{Pos: t.Pos, Step: e.stepName, Policy: policy, Term: t.Name, What: what(t, truth)})
		if t.BuiltIn && t.Then.Flow == device.Continue {
			hit.trace = w.trace
		}
		out = append(out, e.apply(policy, t, hit)...)
	}
	if truth != device.True {
		out = append(out, e.nested(policy, t.Else, w)...)
	}
	return out
}

// apply runs the actions, the body and the disposition of a term that matched.
func (e *evaluator) apply(policy string, t *device.Term, w path) []nextStep {
	live := []path{w}
	var out []nextStep
	for _, a := range t.Actions {
		call, ok := a.(*device.Call)
		if !ok {
			for i := range live {
				e.act(a, &live[i].route)
			}
			continue
		}
		var still []path
		for _, w := range live {
			for _, o := range e.chain(&call.Chain, w.route, w.trace) {
				n := w
				n.route, n.trace = o.route, o.trace
				switch o.verdict {
				case device.Accept:
					still = append(still, n)
				case device.Reject:
					n.route = w.route
					out = append(out, e.dispose(call.OnReject, n))
				default:
					n.flow, n.verdict = decided, device.Undecided
					out = append(out, nextStep{path: n})
				}
			}
		}
		live = still
	}
	for _, w := range live {
		for _, n := range e.nested(policy, t.Body, w) {
			if n.flow == decided || n.leave || n.jump {
				out = append(out, n)
				continue
			}
			out = append(out, e.dispose(t.Then, n.path))
		}
	}
	return out
}

// nested walks nested terms; what falls off their end goes on after the block.
func (e *evaluator) nested(policy string, ts []*device.Term, w path) []nextStep {
	if len(ts) == 0 {
		return []nextStep{{path: w}}
	}
	var out []nextStep
	open := []path{w}
	for i, t := range ts {
		var still []path
		for _, w := range open {
			for _, n := range e.term(policy, t, w) {
				if n.jump && n.target > i && n.flow != decided {
					// Only programs nest, and programs have no jumps.
					e.block(t.Pos, t.Name, "jump out of a nested block")
					n.flow, n.verdict = decided, device.Undecided
				}
				if n.flow == decided || n.leave || n.jump {
					out = append(out, n)
					continue
				}
				still = append(still, n.path)
			}
		}
		open = e.mergePaths(still)
	}
	for _, w := range open {
		out = append(out, nextStep{path: w})
	}
	return out
}

func (e *evaluator) dispose(d device.Disposition, w path) nextStep {
	if d.Default != device.Undecided {
		w.pending = d.Default
	}
	n := nextStep{path: w}
	switch d.Flow {
	case device.AcceptRoute:
		n.flow, n.verdict = decided, device.Accept
	case device.RejectRoute:
		n.flow, n.verdict = decided, device.Reject
	case device.NextPolicy:
		n.leave = true
	case device.Goto:
		n.jump, n.target = true, d.Target
	case device.DecideMaybe:
		e.block(d.Pos, d.Text, "what happens after this term is not modelled")
		n.flow, n.verdict = decided, device.Undecided
	}
	return n
}

func (e *evaluator) mergePaths(ps []path) []path {
	var kept []path
	for _, p := range ps {
		same := func(k path) bool {
			return k.pending == p.pending && k.flow == p.flow && k.verdict == p.verdict && sameRoute(&k.route, &p.route)
		}
		if !slices.ContainsFunc(kept, same) {
			kept = append(kept, p)
		}
	}
	if len(kept) > maxOutcomes {
		e.block(device.Pos{}, "", "too many undecided conditions on one path")
		kept = kept[:1]
		kept[0].flow, kept[0].verdict = decided, device.Undecided
	}
	return kept
}

// appended copies, because ways through share their beginning.
func appended(trace []Event, ev Event) []Event {
	return append(slices.Clip(trace), ev)
}
