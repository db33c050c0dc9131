package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
)

// deadGuards reports guards that look right and can never match on the
// sessions they stand on: RL210 and RL216.
func (a *analysis) deadGuards() {
	a.wrongFamily()
	reported := map[device.Pos]bool{}
	for _, s := range a.cfg.Sessions {
		if s.Inactive {
			continue
		}
		if a.d.external(s) {
			a.strippedBefore(s, reported)
		}
	}
}

// wrongFamily: RL210. A policy may serve sessions of both families, so that a
// guard is wrong only when no session of its policy carries its family.
func (a *analysis) wrongFamily() {
	carried := map[*device.Policy][2]bool{}
	for _, s := range a.cfg.Sessions {
		if s.Inactive || !s.Carries(device.IPv4) && !s.Carries(device.IPv6) {
			continue
		}
		for _, p := range []*device.Pipeline{&s.Export, &s.Import} {
			walkTerms(p, func(pol *device.Policy, _ *device.Term) {
				c := carried[pol]
				carried[pol] = [2]bool{c[0] || s.Carries(device.IPv4), c[1] || s.Carries(device.IPv6)}
			})
		}
	}
	for _, t := range a.usedTerms() {
		c, used := carried[t.policy]
		if !used {
			continue
		}
		device.Walk(t.term.Match, func(x device.Expr) bool {
			ref, ok := x.(*device.Ref)
			if !ok || ref.Kind != device.PrefixSetKind && ref.Kind != device.AccessListKind {
				return true
			}
			switch f := onlyFamily(ref.X); {
			case f == device.IPv4 && !c[0], f == device.IPv6 && !c[1]:
				a.otherFamily(t, ref, f)
			}
			return false
		})
	}
}

func (a *analysis) otherFamily(t termUse, ref *device.Ref, f device.Family) {
	out := Finding{Rule: "RL210", Severity: device.Warning, Pos: ref.Pos, Set: ref.Name, Fix: "use a list of the family the session carries"}
	effect := "it matches nothing"
	if t.term.Then.Flow == device.RejectRoute {
		out.Severity, effect = device.Error, "it keeps nothing back"
	}
	out.Message = fmt.Sprintf("%s %s holds only %s and no session of %s carries that: %s", ref.Kind, ref.Name, f, t.policy.Name, effect)
	a.add(a.onTerm(t, out))
}

// strip is an action that takes communities off routes that go on.
type strip struct {
	action *device.SetCommunities
	term   *device.Term
	policy *device.Policy
}

func (s *strip) takes(c device.Community) bool {
	switch {
	case s.action.Kind != c.Kind:
		return false
	case s.action.Op == device.ReplaceCommunities:
		return !slices.Contains(s.action.Values, c)
	case s.action.Op != device.DeleteCommunities:
		return false
	}
	for i := range s.action.Patterns {
		if s.action.Patterns[i].MatchOne(c) {
			return !s.action.Patterns[i].Keep
		}
	}
	return false
}

// strippedBefore: RL216. A tag is deleted from routes that go on, and a later
// term of the same pipeline rejects by it.
func (a *analysis) strippedBefore(s *device.Session, reported map[device.Pos]bool) {
	var strips []strip
	var guarded []device.Community
	walkTerms(&s.Export, func(p *device.Policy, t *device.Term) {
		if t.BuiltIn {
			return
		}
		if t.Then.Flow == device.RejectRoute {
			for _, c := range askedFor(t.Match) {
				guarded = append(guarded, c)
				for i := range strips {
					if strips[i].takes(c) && !reported[t.Pos] && a.leavesWith(s, c) {
						reported[t.Pos] = true
						a.stripped(s, &strips[i], p, t, c)
					}
				}
			}
			return
		}
		if t.Then.Flow == device.AcceptRoute && len(t.Body) == 0 {
			return
		}
		for _, act := range t.Actions {
			if sc, ok := act.(*device.SetCommunities); ok && wide(t.Match) {
				strips = append(strips, strip{sc, t, p})
			}
		}
	})
	a.strippedAtIngress(guarded, reported)
}

// leavesWith reports whether a route that came in with the community can be
// advertised on the session: a guard by it that works would keep it back.
func (a *analysis) leavesWith(s *device.Session, c device.Community) bool {
	u, err := a.about(c, s, symbolic.Source{Route: device.Source{Protocol: device.IBGP, Role: device.Internal, Name: "iBGP"}})
	if err != nil {
		return false
	}
	dec, err := u.Export(s)
	return err == nil && !u.Empty(u.And(dec.May, u.Received(func(x device.Community) bool { return x == c })))
}

// neverArrivesWith reports whether nothing the import policy accepts carries
// the community.
func (a *analysis) neverArrivesWith(s *device.Session, c device.Community) bool {
	u, err := a.about(c, s, symbolic.Source{Route: a.sourceOf(s), Session: s})
	if err != nil {
		return false
	}
	in := u.Imported(0)
	_, with := u.CarriedAfter(in, c)
	return !u.Empty(in.May) && u.Empty(with)
}

func (a *analysis) about(c device.Community, s *device.Session, src symbolic.Source) (*symbolic.Universe, error) {
	return symbolic.New(symbolic.Inputs{
		Sources: []symbolic.Source{src}, Exports: []*device.Session{s}, Own: a.own, Prefer: preferredASNs, Communities: []device.Community{c},
	})
}

// wide reports whether a condition may hold for routes of others: what only
// touches routes of certain prefixes or communities strips nothing that a guard
// needs.
func wide(x device.Expr) bool { return guardFree(x) }

// askedFor lists the literal communities a condition holds for.
func askedFor(x device.Expr) []device.Community {
	var out []device.Community
	device.Walk(x, func(x device.Expr) bool {
		if _, ok := x.(*device.Not); ok {
			return false
		}
		if m, ok := x.(*device.CommunityMatch); ok {
			for i := range m.Patterns {
				if p := &m.Patterns[i]; p.Literal != "" {
					out = append(out, device.Community{Kind: p.Kind, Text: p.Literal})
				}
			}
		}
		return true
	})
	return out
}

func (a *analysis) stripped(s *device.Session, by *strip, p *device.Policy, t *device.Term, c device.Community) {
	f := a.onSession(s, Finding{
		Rule: "RL216", Pos: t.Pos, End: t.End, Policy: p.Name, Term: t.Name, Set: c.Text, Fix: "test first, then delete",
		Related: []Related{{by.action.Pos, fmt.Sprintf("%s is deleted here, in term %s of %s", c, by.term.Name, by.policy.Name)}},
	})
	f.Message = fmt.Sprintf("term %s of %s rejects by the tag %s, which term %s of %s has deleted before: it keeps nothing back",
		t.Name, p.Name, c, by.term.Name, by.policy.Name)
	a.add(f)
}

// strippedAtIngress is the same across the router: an import policy puts the
// tag on and a later term of it takes it off again.
func (a *analysis) strippedAtIngress(guarded []device.Community, reported map[device.Pos]bool) {
	for _, in := range a.cfg.Sessions {
		if in.Inactive || !a.d.external(in) {
			continue
		}
		added := map[device.Community]bool{}
		walkTerms(&in.Import, func(p *device.Policy, t *device.Term) {
			if t.BuiltIn || t.Then.Flow == device.RejectRoute {
				return
			}
			for _, act := range t.Actions {
				sc, ok := act.(*device.SetCommunities)
				if !ok {
					continue
				}
				st := strip{sc, t, p}
				for _, c := range guarded {
					if added[c] && st.takes(c) && wide(t.Match) && !reported[sc.Pos] && a.neverArrivesWith(in, c) {
						reported[sc.Pos] = true
						f := a.onSession(in, Finding{
							Rule: "RL216", Pos: sc.Pos, Policy: p.Name, Term: t.Name, Set: c.Text, Fix: "delete received communities first, then add the tag",
						})
						f.Message = fmt.Sprintf("the tag %s that the import policy of %s adds is deleted again in term %s of %s: the guards that ask for it keep nothing back",
							c, in.Name, t.Name, strings.TrimSpace(p.Name))
						a.add(f)
					}
				}
				if sc.Op != device.DeleteCommunities && (t.Then.Flow != device.AcceptRoute || len(t.Actions) > 1) {
					for _, c := range sc.Values {
						added[c] = true
					}
				}
			}
		})
	}
}
