package lint

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// termUse is a term of a configured policy with where it is used.
type termUse struct {
	policy   *device.Policy
	term     *device.Term
	external *device.Session // a session towards a provider or peer that exports by it
	last     bool
	imports  bool // only import pipelines use it
}

// terms reports RL2xx: terms that are empty, or say less than they seem to.
func (a *analysis) terms() {
	for _, t := range a.usedTerms() {
		a.bare(t)
		a.emptied(t)
		a.sets(t)
		a.patterns(t)
		a.families(t)
	}
	for _, p := range a.cfg.Policies {
		a.shadowed(p)
	}
	a.fallThrough()
}

// usedTerms lists the terms of all configured policies once.
func (a *analysis) usedTerms() []termUse {
	exports := map[*device.Policy]*device.Session{}
	imported, exported := map[*device.Policy]bool{}, map[*device.Policy]bool{}
	for _, s := range a.cfg.Sessions {
		walkTerms(&s.Import, func(p *device.Policy, _ *device.Term) { imported[p] = true })
		walkTerms(&s.Export, func(p *device.Policy, _ *device.Term) { exported[p] = true })
		if !a.d.external(s) {
			continue
		}
		walkTerms(&s.Export, func(p *device.Policy, _ *device.Term) {
			if exports[p] == nil {
				exports[p] = s
			}
		})
	}
	var out []termUse
	for _, p := range a.cfg.Policies {
		walkList(p, p.Terms, map[*device.Policy]bool{p: true}, func(owner *device.Policy, t *device.Term) {
			if owner == p && !t.BuiltIn {
				out = append(out, termUse{
					policy: p, term: t, external: exports[p], last: t == p.Terms[len(p.Terms)-1], imports: imported[p] && !exported[p],
				})
			}
		})
	}
	return out
}

func (a *analysis) onTerm(t termUse, f Finding) Finding {
	f.Policy, f.Term, f.Guards = t.policy.Name, t.term.Name, guards(t.term.Match)
	if f.Pos.IsZero() {
		f.Pos, f.End = t.term.Pos, t.term.End
	}
	return f
}

// bare: RL201. Where the term is in force towards the outside the proof is
// RL100's business; this names the line.
func (a *analysis) bare(t termUse) {
	if !t.term.Bare || t.term.Then.Flow != device.AcceptRoute {
		return
	}
	f := Finding{Rule: "RL201", Severity: device.Warning}
	f.Message = fmt.Sprintf("term %s of %s accepts without a condition", t.term.Name, t.policy.Name)
	if t.external != nil && a.reaches(t) {
		f.Severity = device.Error
		f.Message += ", and is exported to " + a.d.judged(t.external).String() + " " + t.external.Name
	}
	f.Fix = "add a condition that says whose routes these are, or delete the term"
	a.add(a.onTerm(t, f))
}

// reaches reports whether a proof or a doubt names the term.
func (a *analysis) reaches(t termUse) bool {
	return slices.ContainsFunc(a.findings, func(f Finding) bool {
		return f.Policy == t.policy.Name && f.Term == t.term.Name && (f.Witness != nil || f.Undecided)
	})
}

// emptied: RL202, what was written to restrict the term is all switched off.
func (a *analysis) emptied(t termUse) {
	if t.term.Bare || t.term.Then.Flow == device.RejectRoute {
		return
	}
	c, ok := t.term.Match.(*device.Const)
	if !ok || !c.Value || c.Why == "" || c.Why == "no condition" {
		return
	}
	a.add(a.onTerm(t, Finding{
		Rule: "RL202", Message: fmt.Sprintf("nothing restricts term %s of %s any more: %s", t.term.Name, t.policy.Name, c.Why),
		Fix: "restore the condition, or delete the term",
	}))
}

// sets: RL203 to RL205 and RL211 for conditions over named sets.
func (a *analysis) sets(t termUse) {
	rejects := t.term.Then.Flow == device.RejectRoute
	device.Walk(t.term.Match, func(x device.Expr) bool {
		ref, ok := x.(*device.Ref)
		if !ok {
			return true
		}
		if ref.Set != nil && ref.Set.Len == 0 && !ref.Set.Inactive {
			a.emptySet(t, ref, rejects)
		}
		if !rejects && !t.imports && matchesEverything(ref.X) {
			f := Finding{Rule: "RL211", Severity: device.Warning, Pos: ref.Pos, Set: ref.Name}
			if t.external != nil && a.reaches(t) {
				f.Severity = device.Error
			}
			f.Message = fmt.Sprintf("%s %s matches every route: it guards nothing in term %s of %s", ref.Kind, ref.Name, t.term.Name, t.policy.Name)
			f.Fix = "list the prefixes, communities or ASNs that are meant"
			a.add(a.onTerm(t, f))
		}
		return true
	})
}

func (a *analysis) emptySet(t termUse, ref *device.Ref, rejects bool) {
	f := Finding{Pos: ref.Pos, Set: ref.Name, Fix: "fill the set, or delete the term"}
	c, isConst := ref.X.(*device.Const)
	switch {
	case isConst && c.Value:
		f.Rule = "RL205"
		f.Message = fmt.Sprintf("%s %s is empty and matches every route here", ref.Kind, ref.Name)
	case rejects:
		f.Rule = "RL204"
		f.Message = fmt.Sprintf("%s %s is empty: the reject of term %s of %s never happens", ref.Kind, ref.Name, t.term.Name, t.policy.Name)
	default:
		f.Rule = "RL203"
		f.Message = fmt.Sprintf("%s %s is empty: term %s of %s matches nothing", ref.Kind, ref.Name, t.term.Name, t.policy.Name)
	}
	a.add(a.onTerm(t, f))
}

// matchesEverything recognises conditions that are written and hold for all
// routes of a family: 0.0.0.0/0 le 32, .* and the like.
func matchesEverything(x device.Expr) bool {
	switch t := x.(type) {
	case *device.PrefixMatch:
		return slices.ContainsFunc(t.Set.Entries, func(e device.PrefixEntry) bool {
			return !e.Deny && e.Range.Net.IsValid() && e.Range.Net.Bits() == 0 && e.Range.Min <= 8 && e.Range.Max >= 24
		})
	case *device.ASPathMatch:
		return matchesAllPaths(t.Pattern)
	case *device.Or:
		return slices.ContainsFunc(t.Xs, matchesEverything)
	case *device.And:
		return len(t.Xs) > 0 && !slices.ContainsFunc(t.Xs, func(x device.Expr) bool {
			_, family := x.(*device.FamilyMatch)
			return !family && !matchesEverything(x)
		})
	case *device.Cases:
		return len(t.Arms) > 0 && t.Arms[0].Value && matchesEverything(t.Arms[0].X)
	}
	return false
}

func matchesAllPaths(p *aspath.Pattern) bool {
	for _, path := range [][]uint32{nil, {64500}, {64501, 64500}, {174, 3356, 1299}, {7, 7, 7, 7, 7, 7}} {
		if !p.Match(path) {
			return false
		}
	}
	return true
}

// patterns: RL217, text expressions that match parts of ASNs.
func (a *analysis) patterns(t termUse) {
	device.Walk(t.term.Match, func(x device.Expr) bool {
		m, ok := x.(*device.ASPathMatch)
		if ok && m.Pattern.MatchesSubstrings() {
			a.add(a.onTerm(t, Finding{
				Rule: "RL217", Pos: m.Pos, Set: m.Pattern.String(),
				Message: fmt.Sprintf("as-path expression %q also matches ASNs that merely contain the digits", m.Pattern),
				Fix:     "put _ on both sides of every ASN",
			}))
		}
		return true
	})
}

// families: RL209 and RL210, conditions no route of the session's family meets.
func (a *analysis) families(t termUse) {
	four, six := false, false
	and, _ := t.term.Match.(*device.And)
	if and == nil {
		return
	}
	for _, x := range and.Xs {
		f := onlyFamily(x)
		four, six = four || f == device.IPv4, six || f == device.IPv6
	}
	if four && six {
		a.add(a.onTerm(t, Finding{
			Rule: "RL209", Message: fmt.Sprintf("term %s of %s asks for an IPv4 and an IPv6 prefix at once: it matches nothing", t.term.Name, t.policy.Name),
			Fix: "make two terms",
		}))
	}
}

// onlyFamily is the family a condition is confined to, AnyFamily if to none.
func onlyFamily(x device.Expr) device.Family {
	switch t := x.(type) {
	case *device.FamilyMatch:
		return t.Family
	case *device.Ref:
		return onlyFamily(t.X)
	case *device.And:
		for _, c := range t.Xs {
			if f := onlyFamily(c); f != device.AnyFamily {
				return f
			}
		}
	case *device.PrefixMatch:
		f := device.AnyFamily
		for i, e := range t.Set.Entries {
			if g := device.FamilyOf(e.Range.Net); i > 0 && g != f {
				return device.AnyFamily
			} else {
				f = g
			}
		}
		return f
	}
	return device.AnyFamily
}

// shadowed: RL212, terms behind one that always decides.
func (a *analysis) shadowed(p *device.Policy) {
	for i, t := range p.Terms {
		c, ok := t.Match.(*device.Const)
		decides := t.Then.Flow == device.AcceptRoute || t.Then.Flow == device.RejectRoute || t.Then.Flow == device.NextPolicy
		if t.Inactive || !ok || !c.Value || !decides || len(t.Body) > 0 || p.BuiltIn {
			continue
		}
		for _, late := range p.Terms[i+1:] {
			if late.Inactive || a.jumpsOver(p, i) {
				continue
			}
			a.add(Finding{
				Rule: "RL212", Pos: late.Pos, End: late.End, Policy: p.Name, Term: late.Name,
				Message: fmt.Sprintf("term %s of %s is never reached: term %s decides every route", late.Name, p.Name, t.Name),
				Fix:     "move it up, or delete it", Related: []Related{{t.Pos, "decides every route"}},
			})
		}
		return
	}
}

// jumpsOver reports whether a term before i jumps past it.
func (a *analysis) jumpsOver(p *device.Policy, i int) bool {
	return slices.ContainsFunc(p.Terms[:i], func(t *device.Term) bool { return t.Then.Flow == device.Goto && t.Then.Target > i })
}

// fallThrough: RL214, the last term of a chain acts and does not decide, and
// the default accepts.
func (a *analysis) fallThrough() {
	seen := map[*device.Term]bool{}
	for _, s := range a.cfg.Sessions {
		if !a.d.external(s) {
			continue
		}
		for i := range s.Export.Steps {
			c := &s.Export.Steps[i].Chain
			if len(c.Policies) == 0 || !canDefaultToAccept(c) {
				continue
			}
			p := c.Policies[len(c.Policies)-1]
			if p.BuiltIn || len(p.Terms) == 0 {
				continue
			}
			t := p.Terms[len(p.Terms)-1]
			if t.Then.Flow == device.Continue && t.Then.Default == device.Undecided && len(t.Actions) > 0 && len(t.Body) == 0 && !seen[t] {
				seen[t] = true
				a.add(a.onTerm(termUse{policy: p, term: t}, Finding{
					Rule: "RL214", Message: fmt.Sprintf("the last term %s of %s does not decide, and the default accepts (%s)", t.Name, p.Name, c.Why),
					Fix: "add accept or reject to the term, and end the chain with a term that rejects",
				}))
			}
		}
	}
}
