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
	for _, s := range a.cfg.Sessions {
		if s.Inactive || !s.Carries(device.IPv4) && !s.Carries(device.IPv6) {
			continue
		}
		if a.d.external(s) {
			a.ingress(s)
			a.egress(s)
		}
		if a.isInternal(s) {
			a.inside(s)
		}
	}
}

// asked makes a universe of one source and one session for questions about
// tags. ok is false when it is too large, which is then said.
func (a *analysis) asked(s *device.Session, src symbolic.Source) (u *symbolic.Universe, ok bool) {
	u, err := symbolic.New(symbolic.Inputs{
		Sources: []symbolic.Source{src}, Exports: []*device.Session{s}, Own: a.own, Prefer: preferredASNs,
		Communities: append(a.d.tags.upstream(), a.d.tags.marker()...),
	})
	if err != nil {
		a.tooLarge(s, err)
	}
	return u, err == nil
}

// tagFor is what ingress puts on routes of a neighbor of the role.
func (d *Declaration) tagFor(r device.Role) []device.Community {
	if r == device.Provider {
		return d.tags.provider
	}
	return d.tags.peer
}

// ingress: RL502 and RL504.
func (a *analysis) ingress(s *device.Session) {
	u, ok := a.asked(s, symbolic.Source{Route: a.sourceOf(s), Session: s})
	if !ok {
		return
	}
	in := u.Imported(0)
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
}

// egress: RL501, and RL505 when the reject is there but comes too late.
func (a *analysis) egress(s *device.Session) {
	u, ok := a.asked(s, symbolic.Source{Route: device.Source{Protocol: device.IBGP, Role: device.Internal, Name: "iBGP"}})
	if !ok {
		return
	}
	dec, err := u.Export(s)
	if err != nil {
		a.tooLarge(s, err)
		return
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

// inside: RL503 and RL507.
func (a *analysis) inside(s *device.Session) {
	if s.Facts.SendCommunity == device.Stripped {
		a.add(a.onSession(s, Finding{
			Rule: "RL507", Pos: s.Pos, Message: fmt.Sprintf("communities do not cross the internal session with %s: tags are lost there", s.Name),
			Fix: "configure send-community",
		}))
	}
	u, ok := a.asked(s, symbolic.Source{Route: device.Source{Protocol: device.EBGP, Role: device.Peer, Name: "eBGP"}})
	if !ok {
		return
	}
	dec, err := u.Export(s)
	if err != nil {
		a.tooLarge(s, err)
		return
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
}
