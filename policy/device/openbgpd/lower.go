package openbgpd

import (
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

func splitColon(s string) []string { return strings.Split(s, ":") }

func contains(a uint32) *aspath.Pattern { return aspath.Contains(aspath.One(a)) }

func first(a uint32) *aspath.Pattern { return aspath.First(aspath.One(a)) }

// maxTerms bounds how far the lists of one rule are taken apart.
const maxTerms = 4_096

// lower turns the rules of a session into policies.
func (v *view) lower(rules []applied) *lowered {
	var terms []*device.Term
	var of []applied
	for _, a := range rules {
		for _, t := range v.terms(a) {
			terms, of = append(terms, t), append(of, a)
		}
	}
	name := "from"
	if v.out {
		name = "to"
	}
	name += " " + v.s.Name
	if apart := v.apart(name, terms, of); apart != nil {
		return apart
	}
	return &lowered{decision: inOrder(name, terms, of)}
}

// inOrder is the rules as bgpd walks them: each sets what holds if no later one
// matches.
func inOrder(name string, terms []*device.Term, of []applied) *device.Policy {
	p := policyOf(name, terms)
	for i, t := range terms {
		t.Then = disposition(of[i].r)
		if of[i].r.unread {
			t.Then = device.Disposition{At: t.At, Flow: device.DecideMaybe, Text: of[i].r.text}
		}
	}
	p.Terms = terms
	return p
}

func policyOf(name string, terms []*device.Term) *device.Policy {
	p := &device.Policy{Name: name}
	if len(terms) > 0 {
		p.At, p.End = terms[0].At, terms[len(terms)-1].End
	}
	return p
}

// disposition: the last rule that matches decides, a quick one at once.
func disposition(r *rule) device.Disposition {
	d := device.Disposition{At: device.At{Pos: r.pos}, Text: r.text}
	verdict := map[ruleAction]device.Verdict{allow: device.Accept, deny: device.Reject}[r.action]
	switch {
	case !r.quick:
		d.Default = verdict
	case r.action == matchOnly:
		d.Flow = device.NextPolicy
	case r.action == allow:
		d.Flow = device.AcceptRoute
	default:
		d.Flow = device.RejectRoute
	}
	return d
}

// apart reads the decision apart from the changes, when no rule asks for what
// another sets; nil when it cannot. What is quick decides in the order written,
// of the rest the last that matches.
func (v *view) apart(name string, terms []*device.Term, of []applied) *lowered {
	var reads reading
	for i, t := range terms {
		r := of[i].r
		if r.unread || of[i].maybe || r.quick && r.action == matchOnly {
			return nil
		}
		reads.exprs = append(reads.exprs, t.Match)
	}
	changes := &device.Policy{Name: name + " (set)", BuiltIn: true}
	decision := policyOf(name, terms)
	var slow []*device.Term
	lastChange := -1
	for i, t := range terms {
		for _, a := range t.Actions {
			if _, ignored := a.(*device.Ignored); ignored {
				continue
			}
			lastChange = i
			if reads.sees(a) {
				return nil
			}
		}
	}
	for i, t := range terms {
		r := of[i].r
		if i <= lastChange && (len(t.Actions) > 0 || r.quick) {
			c := *t
			if r.quick {
				c.Then = device.Disposition{Flow: device.NextPolicy}
			}
			changes.Terms = append(changes.Terms, &c)
		}
		if r.action == matchOnly {
			continue
		}
		d := *t
		d.Actions = nil
		d.Then = device.Disposition{At: t.At, Flow: device.RejectRoute, Text: r.text}
		if r.action == allow {
			d.Then.Flow = device.AcceptRoute
		}
		if r.quick {
			decision.Terms = append(decision.Terms, &d)
			continue
		}
		slow = append(slow, &d)
	}
	slices.Reverse(slow)
	decision.Terms = append(decision.Terms, v.reachable(name, slow)...)
	for _, t := range decision.Terms {
		// To accept what neighbors send is the rule here, and no news.
		t.Bare = t.Bare && v.out
	}
	out := &lowered{decision: decision}
	if lastChange >= 0 {
		out.changes = changes
	}
	return out
}

// reachable drops the rules before one that always matches: they decide
// nothing. A deny that is lost to it is the classic mistake of this language.
func (v *view) reachable(name string, slow []*device.Term) []*device.Term {
	for i, late := range slow {
		for _, early := range slow[i+1:] {
			if early.Then.Flow == device.RejectRoute && late.Then.Flow == device.AcceptRoute && !early.Bare && within(early.Match, late.Match) {
				v.dead(name, early, late)
			}
		}
		if late.Bare {
			return slow[:i+1]
		}
	}
	return slow
}

// within reports whether all that matches a condition plainly matches another:
// the other asks nothing, or nothing that the first does not ask too.
func within(narrow, wide device.Expr) bool {
	asked := func(x device.Expr) []device.Expr {
		if and, ok := x.(*device.And); ok {
			return and.Xs
		}
		if c, ok := x.(*device.Const); ok && c.Value {
			return nil
		}
		return []device.Expr{x}
	}
	for _, w := range asked(wide) {
		if !slices.ContainsFunc(asked(narrow), func(n device.Expr) bool { return same(n, w) }) {
			return false
		}
	}
	return true
}

// same recognises conditions that are written alike.
func same(a, b device.Expr) bool {
	switch x := a.(type) {
	case *device.FamilyMatch:
		y, ok := b.(*device.FamilyMatch)
		return ok && x.Family == y.Family
	case *device.Ref:
		y, ok := b.(*device.Ref)
		return ok && x.Kind == y.Kind && x.Name == y.Name
	}
	return false
}

func (v *view) dead(name string, early, late *device.Term) {
	for _, d := range v.p.cfg.Diagnostics {
		if d.Rule == "RL213" && d.Pos == early.Pos {
			return
		}
	}
	v.p.report(device.Diagnostic{
		At: early.At, Rule: "RL213", Policy: name, Term: early.Name, Session: v.s.Name,
		Message: "this deny decides nothing: the last rule that matches wins, and line " + late.Pos.String() + " (" + late.Name + ") allows the same routes again",
		Fix:     "write deny quick, or move the rule behind the one that allows",
	})
}

// terms makes the terms of a rule. Its lists stay together unless setting
// something twice differs from setting it once.
func (v *view) terms(a applied) []*device.Term {
	r := a.r
	t := &device.Term{At: device.At{Pos: r.pos}, End: r.end, Name: r.text}
	for i := range r.sets {
		t.Actions = append(t.Actions, v.action(&r.sets[i]))
	}
	xs := v.conditions(r)
	if a.maybe && a.times == 0 {
		xs = append(xs, unknown(r.pos, "the neighbor's ASN", "the template does not say the ASN"))
	}
	if r.unread {
		t.Match, t.Actions = unknown(r.pos, r.text, "the rule was not understood"), []device.Action{&device.UnknownAction{At: t.At, Text: r.text, Changes: device.AllFields}}
		return []*device.Term{t}
	}
	var tests []device.Expr
	for i := range r.as {
		tests = append(tests, v.asTest(&r.as[i]))
	}
	lasting := slices.ContainsFunc(r.sets, func(s setting) bool { return s.lasting() })
	times, ways := max(a.times, 1), max(len(r.prefixes), 1)*max(len(tests), 1)
	if !lasting || times*ways == 1 || times*ways > maxTerms {
		if lasting && times*ways > maxTerms {
			t.Actions = []device.Action{&device.UnknownAction{At: t.At, Text: "set", Changes: device.AllFields}}
		}
		return []*device.Term{v.one(t, r, xs, r.prefixes, tests)}
	}
	var out []*device.Term
	for range times {
		for i := range max(len(tests), 1) {
			for j := range max(len(r.prefixes), 1) {
				one := *t
				some, ps := tests, r.prefixes
				if len(tests) > 0 {
					some = tests[i : i+1]
				}
				if len(ps) > 0 {
					ps = ps[j : j+1]
				}
				out = append(out, v.one(&one, r, xs, ps, some))
			}
		}
	}
	return out
}

// one completes a term with its condition.
func (v *view) one(t *device.Term, r *rule, xs []device.Expr, prefixes []prefixSpec, tests []device.Expr) *device.Term {
	all := slices.Clone(xs)
	if len(tests) > 0 {
		all = append(all, device.AnyOfExprs(r.pos, tests...))
	}
	if p := prefixTest(prefixes); p != nil {
		all = append(all, p)
	}
	t.Bare = len(all) == 0
	t.Match = device.AllOfExprs(r.pos, all...)
	return t
}

// reading is what conditions ask of a route.
type reading struct{ exprs []device.Expr }

// sees reports whether a condition may ask for what an action changes.
func (r *reading) sees(a device.Action) bool {
	found := false
	for _, x := range r.exprs {
		device.Walk(x, func(x device.Expr) bool {
			found = found || touches(a, x)
			return !found
		})
	}
	return found
}

func touches(a device.Action, x device.Expr) bool {
	switch t := x.(type) {
	case *device.CommunityMatch:
		return changesCommunity(a, t)
	case *device.ASPathMatch:
		return changesPath(a)
	case *device.Compare:
		switch t.Field {
		case device.ASPathLen:
			return changesPath(a)
		case device.CommunityCount:
			c, ok := a.(*device.SetCommunities)
			return changesAll(a) || ok && c.Kind == device.Standard
		}
		s, ok := a.(*device.SetScalar)
		return changesAll(a) || ok && s.Field == t.Field
	case *device.NextHopMatch:
		_, ok := a.(*device.SetNextHop)
		return ok || changesAll(a)
	}
	return false
}

func changesAll(a device.Action) bool {
	_, ok := a.(*device.UnknownAction)
	return ok
}

func changesPath(a device.Action) bool {
	switch a.(type) {
	case *device.PrependAS, *device.EditASPath, *device.UnknownAction:
		return true
	}
	return false
}

// changesCommunity reports whether an action may add or remove what a condition
// asks for.
func changesCommunity(a device.Action, m *device.CommunityMatch) bool {
	c, ok := a.(*device.SetCommunities)
	if !ok {
		return changesAll(a)
	}
	if c.Kind != m.Kind {
		return false
	}
	for i := range m.Patterns {
		asked := &m.Patterns[i]
		if slices.ContainsFunc(c.Values, asked.MatchOne) {
			return true
		}
		for j := range c.Patterns {
			gone := &c.Patterns[j]
			literal := device.Community{Kind: c.Kind, Text: asked.Literal}
			if asked.Literal == "" && gone.Literal == "" || asked.Literal != "" && gone.MatchOne(literal) ||
				gone.Literal != "" && asked.MatchOne(device.Community{Kind: c.Kind, Text: gone.Literal}) {
				return true
			}
		}
	}
	return false
}
