package lint

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
)

// tags reports RL5xx, the three invariants that make leaks impossible without a
// look at the whole network: every ingress tags, nobody inside strips, every
// egress rejects the tags. Each is one question to one policy.
func (a *analysis) tags() {
	if len(a.d.tags.upstream()) == 0 && len(a.d.tags.marker()) == 0 {
		return
	}
	var outside, inside []*device.Session
	for _, s := range a.cfg.Sessions {
		switch {
		case s.Inactive || !s.Carries(device.IPv4) && !s.Carries(device.IPv6):
		case a.d.external(s):
			outside = append(outside, s)
		case a.isInternal(s):
			inside = append(inside, s)
		}
	}
	a.asked(outside, a.ingressUniverse, a.ingress)
	a.asked(outside, a.egressUniverse, a.egress)
	a.asked(inside, a.insideUniverse, a.inside)
	a.asked(inside, a.ingressUniverse, a.keeps)
	a.tagged = &TagInvariant{Routers: 1, Ingress: len(outside), Internal: len(inside), Egress: len(outside)}
}

// asked puts a question about tags to sessions: to many in one universe, and to
// those one at a time that are too large together. What is too large alone is
// said.
func (a *analysis) asked(sessions []*device.Session, universe func(...*device.Session) (*symbolic.Universe, error), ask func(u *symbolic.Universe, i int, s *device.Session) error) {
	for batch := range slices.Chunk(sessions, together) {
		done := 0
		if u, err := universe(batch...); err == nil {
			for i, s := range batch {
				if ask(u, i, s) != nil {
					break
				}
				done++
			}
		}
		for _, s := range batch[done:] {
			u, err := universe(s)
			if err == nil {
				err = ask(u, 0, s)
			}
			if err != nil {
				a.tooLarge(s, err)
			}
		}
	}
}

func (a *analysis) tagUniverse(exports []*device.Session, sources ...symbolic.Source) (*symbolic.Universe, error) {
	return symbolic.New(symbolic.Inputs{
		Sources: sources, Exports: exports, Own: a.own, Prefer: preferredASNs,
		Communities: append(a.d.tags.upstream(), a.d.tags.marker()...),
	})
}

func (a *analysis) ingressUniverse(ss ...*device.Session) (*symbolic.Universe, error) {
	var sources []symbolic.Source
	for _, s := range ss {
		sources = append(sources, symbolic.Source{Route: a.sourceOf(s), Session: s})
	}
	return a.tagUniverse(nil, sources...)
}

func (a *analysis) egressUniverse(ss ...*device.Session) (*symbolic.Universe, error) {
	return a.tagUniverse(ss, symbolic.Source{Route: device.Source{Protocol: device.IBGP, Role: device.Internal, Name: "iBGP"}})
}

func (a *analysis) insideUniverse(ss ...*device.Session) (*symbolic.Universe, error) {
	return a.tagUniverse(ss, symbolic.Source{Route: device.Source{Protocol: device.EBGP, Role: device.Peer, Name: "eBGP"}})
}

// tagFor is what ingress puts on routes of a neighbor of the role.
func (d *Declaration) tagFor(r device.Role) []device.Community {
	if r == device.Provider {
		return d.tags.provider
	}
	return d.tags.peer
}

// ingress: RL502 and RL504.
func (a *analysis) ingress(u *symbolic.Universe, i int, s *device.Session) error {
	in := u.Imported(i)
	if want := a.d.tagFor(a.d.judged(s)); len(want) > 0 {
		untagged := in.May
		for _, tag := range want {
			without, _ := u.CarriedAfter(in, tag)
			untagged = u.And(untagged, without)
		}
		if w, ok := u.Witness(untagged); ok {
			f := a.onSession(s, Finding{Rule: "RL502", Pos: s.Pos, Set: want[0].Text, Fix: "add the tag in the import policy"})
			f.Message = fmt.Sprintf("a route of %s %s is accepted without the tag %s, e.g. %s", a.d.judged(s), s.Name, want[0], w.Route.Prefix)
			a.add(f)
		}
	}
	for _, tag := range a.d.tags.marker() {
		received := u.Received(func(c device.Community) bool { return c == tag })
		_, kept := u.CarriedAfter(in, tag)
		if w, ok := u.Witness(u.And(received, kept)); ok {
			f := a.onSession(s, Finding{Rule: "RL504", Pos: s.Pos, Set: tag.Text, Fix: "delete our own communities before anything else in the import policy"})
			f.Message = fmt.Sprintf("%s can send a route with our tag %s and it is kept, e.g. %s", s.Name, tag, w.Route.Prefix)
			a.add(f)
		}
	}
	return nil
}

// egress: RL501, and RL505 when the reject is there but comes too late.
func (a *analysis) egress(u *symbolic.Universe, _ int, s *device.Session) error {
	dec, err := u.Export(s)
	if err != nil {
		return err
	}
	for _, tag := range a.d.tags.upstream() {
		leaks := u.And(dec.May, u.Received(func(c device.Community) bool { return c == tag }))
		w, ok := u.Witness(leaks)
		if !ok {
			continue
		}
		f := a.onSession(s, Finding{Rule: "RL501", Pos: s.Pos, Set: tag.Text, Fix: "reject the tag in the first term"})
		f.Message = fmt.Sprintf("a route with the tag %s can be advertised %s, e.g. %s", tag, a.towards(s), w.Route.Prefix)
		if late := rejectsTag(s, tag); late != nil {
			f.Rule, f.Pos, f.Term = "RL505", late.Pos, late.Name
			f.Message += fmt.Sprintf("; term %s rejects it, but an earlier one accepts", late.Name)
			f.Fix = "move the reject to the front"
		}
		a.add(f)
	}
	return nil
}

// rejectsTag finds a term of the session's policies that rejects the tag.
func rejectsTag(s *device.Session, tag device.Community) *device.Term {
	var found *device.Term
	walkTerms(&s.Export, func(_ *device.Policy, t *device.Term) {
		if t.BuiltIn || t.Then.Flow != device.RejectRoute {
			return
		}
		device.Walk(t.Match, func(x device.Expr) bool {
			m, ok := x.(*device.CommunityMatch)
			if ok && slices.ContainsFunc(m.Patterns, func(p device.CommunityPattern) bool { return p.MatchOne(tag) }) {
				found = t
			}
			return true
		})
	})
	return found
}

// keeps: RL503 the other way round, what comes in over iBGP keeps its tags.
func (a *analysis) keeps(u *symbolic.Universe, i int, s *device.Session) error {
	in := u.Imported(i)
	for _, tag := range a.d.tags.upstream() {
		without, _ := u.CarriedAfter(in, tag)
		lost := u.And(without, u.Received(func(c device.Community) bool { return c == tag }))
		if w, ok := u.Witness(lost); ok {
			a.add(a.onSession(s, Finding{
				Rule: "RL503", Pos: s.Pos, Set: tag.Text,
				Message: fmt.Sprintf("the tag %s can be lost on what comes from %s, e.g. of %s", tag, s.Name, w.Route.Prefix), Fix: "keep the tags on internal sessions",
			}))
		}
	}
	return nil
}

// inside: RL503 and RL507.
func (a *analysis) inside(u *symbolic.Universe, _ int, s *device.Session) error {
	if s.Facts.SendCommunity == device.Stripped {
		a.add(a.onSession(s, Finding{
			Rule: "RL507", Pos: s.Pos, Message: fmt.Sprintf("communities do not cross the internal session with %s: tags are lost there", s.Name),
			Fix: "configure send-community",
		}))
	}
	dec, err := u.Export(s)
	if err != nil {
		return err
	}
	for _, tag := range a.d.tags.upstream() {
		without, _ := u.CarriedAfter(dec, tag)
		lost := u.And(without, u.Received(func(c device.Community) bool { return c == tag }))
		if w, ok := u.Witness(lost); ok {
			a.add(a.onSession(s, Finding{
				Rule: "RL503", Pos: s.Pos, Set: tag.Text,
				Message: fmt.Sprintf("the tag %s can be lost towards %s, e.g. of %s", tag, s.Name, w.Route.Prefix), Fix: "keep the tags on internal sessions",
			}))
		}
	}
	return nil
}
