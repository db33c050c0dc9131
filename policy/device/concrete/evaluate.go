package concrete

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Direction of a decision.
type Direction uint8

// Directions.
const (
	Export Direction = iota
	Import
)

// Result is what became of a route. Route is meaningful when Verdict is
// Accept; it is the state at the end otherwise.
type Result struct {
	Verdict  device.Verdict
	Route    device.Route
	Trace    []Event
	Blockers []Blocker // why the verdict is unknown, without duplicates
}

// Event is one thing that happened to the route.
type Event struct {
	Pos    device.Pos
	Step   string // step of the pipeline
	Policy string
	Term   string
	What   string // "match -> community add -> accept"
}

// Blocker is a construct the verdict depends on that is not modelled.
type Blocker struct {
	Pos  device.Pos
	Text string
	Why  string
}

// Session runs the pipeline of a session in one direction. A session that does
// not carry the route's family, or is inactive, rejects.
func Session(s *device.Session, dir Direction, r device.Route) Result {
	if s.Inactive || !s.Carries(r.Family()) {
		return Result{Verdict: device.Reject, Route: r, Trace: []Event{{Pos: s.Pos, What: "the session is inactive or does not carry " + r.Family().String()}}}
	}
	p := &s.Export
	if dir == Import {
		p = &s.Import
	}
	return Pipeline(s, p, r)
}

// Pipeline runs the steps of a pipeline for a session: each has to accept.
func Pipeline(s *device.Session, p *device.Pipeline, r device.Route) Result {
	if len(p.Steps) == 0 {
		return Result{Verdict: device.Reject, Route: r, Trace: []Event{{Pos: p.Pos, What: "no step: nothing is accepted"}}}
	}
	r.Front = 0
	e := &evaluator{session: s}
	outs := []outcome{{verdict: device.Accept, route: r}}
	for i := range p.Steps {
		outs = e.step(&p.Steps[i], outs)
	}
	return e.join(r, outs)
}

// Chain runs a list of policies alone, as an import or export chain of the
// session would.
func Chain(s *device.Session, c *device.Chain, r device.Route) Result {
	e := &evaluator{session: s}
	return e.join(r, e.chain(c, r, nil))
}

// Policy runs one policy alone. Falling off its end gives the default.
func Policy(s *device.Session, p *device.Policy, fallOff device.Verdict, r device.Route) Result {
	return Chain(s, &device.Chain{Policies: []*device.Policy{p}, Default: fallOff}, r)
}

// Truth evaluates a condition alone.
func Truth(s *device.Session, x device.Expr, r device.Route) device.Truth {
	e := &evaluator{session: s}
	return e.truth(x, &r)
}

// maxOutcomes bounds how many ways an evaluation may split.
const maxOutcomes = 256

// maxDepth bounds calls between policies, which may be circular.
const maxDepth = 32

type evaluator struct {
	session  *device.Session
	blockers []Blocker
	depth    int
	stepName string
}

// outcome is one possible way through.
type outcome struct {
	verdict device.Verdict
	route   device.Route
	trace   []Event
}

func (e *evaluator) block(pos device.Pos, text, why string) {
	b := Blocker{pos, text, why}
	if !slices.Contains(e.blockers, b) {
		e.blockers = append(e.blockers, b)
	}
}

func (e *evaluator) step(s *device.Step, in []outcome) []outcome {
	e.stepName = s.Name
	if e.stepName == "" {
		e.stepName = s.Kind.String()
	}
	var out []outcome
	for _, o := range in {
		if o.verdict != device.Accept {
			out = append(out, o)
			continue
		}
		out = append(out, e.chain(&s.Chain, o.route, o.trace)...)
	}
	return e.merge(out)
}

// join turns the ways through into one result: a verdict stands when all
// agree, and an attribute that differs between them is marked unknown.
func (e *evaluator) join(in device.Route, outs []outcome) Result {
	if len(outs) == 0 {
		return Result{Verdict: device.Undecided, Route: in, Blockers: e.blockers}
	}
	res := Result{Verdict: outs[0].verdict, Route: outs[0].route, Trace: outs[0].trace}
	for _, o := range outs[1:] {
		if o.verdict != res.Verdict {
			res.Verdict = device.Undecided
		}
		res.Route.Unknown |= o.route.Unknown | differences(&res.Route, &o.route)
	}
	if res.Verdict == device.Undecided {
		res.Blockers = e.blockers
	}
	return res
}

// merge drops ways through that cannot be told apart.
func (e *evaluator) merge(outs []outcome) []outcome {
	var kept []outcome
	for _, o := range outs {
		same := func(k outcome) bool {
			return k.verdict == o.verdict && sameRoute(&k.route, &o.route)
		}
		if !slices.ContainsFunc(kept, same) {
			kept = append(kept, o)
		}
	}
	if len(kept) > maxOutcomes {
		e.block(device.Pos{}, "", "too many undecided conditions on one path")
		return []outcome{{verdict: device.Undecided, route: kept[0].route, trace: kept[0].trace}}
	}
	return kept
}

func sameRoute(a, b *device.Route) bool {
	return a.Unknown == b.Unknown && differences(a, b) == 0 && maps.Equal(a.Names, b.Names)
}

func differences(a, b *device.Route) device.Fields {
	var d device.Fields
	if !slices.Equal(a.ASPath, b.ASPath) {
		d |= device.FieldSet(device.ASPathField)
	}
	for _, k := range []device.CommunityKind{device.Standard, device.Extended, device.Large} {
		if device.WholeText(k, a.Communities) != device.WholeText(k, b.Communities) {
			d |= device.FieldSet(k.Field())
		}
	}
	for f := device.LocalPref; f < device.ASPathLen; f++ {
		x, okX := a.Scalars.Get(f)
		y, okY := b.Scalars.Get(f)
		if x != y || okX != okY {
			d |= device.FieldSet(f)
		}
	}
	if a.NextHop != b.NextHop {
		d |= device.FieldSet(device.NextHopField)
	}
	return d
}

// neighborAddr is the address a neighbor test sees.
func neighborAddr(s *device.Session) netip.Addr {
	if s == nil {
		return netip.Addr{}
	}
	return s.Neighbor
}
