package lint

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// massChange is how many external policies one edit may hit before it is said
// (RL807).
const massChange = 5

// Compare judges two states of the same configurations and keeps what the
// second one introduces: findings the first did not have, and what the change
// itself did (RL8xx). Configurations belong together by their first file.
func (d *Declaration) Compare(before, after []*device.Config) *Result {
	old, res := d.Check(before...), d.Check(after...)
	known := map[string]int{}
	for i := range old.Findings {
		known[old.Findings[i].Fingerprint]++
	}
	var kept []Finding
	for _, f := range res.Findings {
		if known[f.Fingerprint] > 0 {
			known[f.Fingerprint]--
			continue
		}
		kept = append(kept, f)
	}
	res.Findings = kept
	edits := map[string][]Finding{}
	for _, cfg := range after {
		if was := counterpart(before, cfg); was != nil {
			c := comparison{d: d, old: was, new: cfg, res: res, edits: edits}
			c.policies()
			c.sets()
			c.sessions()
			c.widened()
		}
	}
	for edit, fs := range edits {
		if len(fs) >= massChange {
			f := Finding{Rule: "RL807", Severity: device.Warning, Pos: fs[0].Pos, Message: fmt.Sprintf("the same edit (%s) hits %d external policies at once", edit, len(fs)), Fix: "deploy it to one session first"}
			f.Fingerprint = f.fingerprint()
			res.Findings = append(res.Findings, f)
		}
	}
	sortFindings(res.Findings)
	return res
}

func counterpart(all []*device.Config, cfg *device.Config) *device.Config {
	for _, c := range all {
		if len(c.Files) > 0 && len(cfg.Files) > 0 && c.Files[0].Path == cfg.Files[0].Path {
			return c
		}
	}
	return nil
}

// comparison is the work on one configuration.
type comparison struct {
	d        *Declaration
	old, new *device.Config
	res      *Result
	edits    map[string][]Finding
}

func (c *comparison) add(f Finding) {
	f.Dialect, f.Host = c.new.Dialect, c.new.Hostname
	if r, ok := Lookup(f.Rule); ok {
		f.Severity = max(f.Severity, r.Severity)
	}
	if s, ok := c.d.Severity[f.Rule]; ok {
		f.Severity = severities[s]
	}
	if f.Severity == off {
		return
	}
	f.Fingerprint = f.fingerprint()
	c.res.Findings = append(c.res.Findings, f)
}

// policies: RL801. A guard is missed where the term still accepts.
func (c *comparison) policies() {
	a := &analysis{cfg: c.new, d: c.d}
	for _, t := range a.usedTerms() {
		if t.term.Then.Flow == device.RejectRoute {
			continue
		}
		was := c.oldTerm(t.policy.Name, t.term.Name)
		if was == nil {
			continue
		}
		now := guards(t.term.Match)
		for _, g := range conjuncts(was.Match) {
			if guardFree(g) || slices.Contains(now, normal(g)) || slices.Contains(now, guards(g)[0]) {
				continue
			}
			c.guardRemoved(t, was, g)
		}
	}
}

// conjuncts are the conditions that all have to hold.
func conjuncts(x device.Expr) []device.Expr {
	if and, ok := x.(*device.And); ok {
		var out []device.Expr
		for _, c := range and.Xs {
			out = append(out, conjuncts(c)...)
		}
		return out
	}
	return []device.Expr{x}
}

func (c *comparison) guardRemoved(t termUse, was *device.Term, g device.Expr) {
	f := Finding{
		Rule: "RL801", Pos: t.term.Pos, End: t.term.End, Policy: t.policy.Name, Term: t.term.Name, Set: normal(g),
		Message: fmt.Sprintf("the change removes the guard %s from the accepting term %s of %s", normal(g), t.term.Name, t.policy.Name),
		Fix:     "restore the guard; if the prefixes are gone, delete the term with it",
		Related: []Related{{g.Position(), "the guard as it was: " + normal(g)}},
	}
	if !guardFree(t.term.Match) || t.external == nil {
		f.Severity = device.Warning
	}
	if t.external != nil {
		c.edits[normal(g)] = append(c.edits[normal(g)], f)
	}
	for i := range c.res.Findings {
		if leak := &c.res.Findings[i]; leak.Policy == f.Policy && leak.Term == f.Term && leak.Witness != nil {
			leak.Related = append(leak.Related, Related{g.Position(), "removed by this change: " + normal(g)})
		}
	}
	c.add(f)
}

func (c *comparison) oldTerm(policy, term string) *device.Term {
	p := c.old.Policy(policy)
	if p == nil {
		return nil
	}
	for _, t := range p.Terms {
		if t.Name == term && !t.Inactive {
			return t
		}
	}
	return nil
}

// sets: RL803 and RL804.
func (c *comparison) sets() {
	for _, s := range c.old.Sets {
		if s.Len == 0 || s.Used == 0 {
			continue
		}
		switch now := c.new.Set(s.Kind, s.Name); {
		case now != nil && now.Len == 0 && now.Used > 0:
			c.add(Finding{
				Rule: "RL803", Severity: device.Warning, Pos: now.Pos, Set: s.Name, Message: fmt.Sprintf("the change empties %s %s, which is in use", s.Kind, s.Name),
				Fix: "delete the terms that use it first", Related: []Related{{s.Pos, "as it was"}},
			})
		case now == nil && c.stillUsed(s):
			c.add(Finding{
				Rule: "RL804", Pos: s.Pos, Set: s.Name, Message: fmt.Sprintf("the change deletes %s %s, which is still referred to", s.Kind, s.Name),
				Fix: "delete the terms that use it first",
			})
		}
	}
}

func (c *comparison) stillUsed(s *device.Set) bool {
	found := false
	for _, p := range c.new.Policies {
		walkList(p, p.Terms, map[*device.Policy]bool{p: true}, func(_ *device.Policy, t *device.Term) {
			device.Walk(t.Match, func(x device.Expr) bool {
				ref, ok := x.(*device.Ref)
				found = found || ok && ref.Kind == s.Kind && ref.Name == s.Name
				return !found
			})
		})
	}
	return found
}

// sessions: RL805 and RL806.
func (c *comparison) sessions() {
	for _, s := range c.new.Sessions {
		i := slices.IndexFunc(c.old.Sessions, func(o *device.Session) bool {
			return o.Name == s.Name && o.Group == s.Group && slices.Equal(o.Families, s.Families)
		})
		if i < 0 || !c.d.external(s) {
			continue
		}
		was := c.old.Sessions[i]
		if len(was.Export.Named()) > 0 && len(s.Export.Named()) == 0 {
			c.add(c.of(s, Finding{Rule: "RL805", Message: fmt.Sprintf("the change takes the export policy off the session with %s", s.Name), Fix: "attach the new policy in the same change"}))
		}
		if !acceptsByDefault(was) && acceptsByDefault(s) {
			c.add(c.of(s, Finding{Rule: "RL806", Message: fmt.Sprintf("after the change, what no policy decides is advertised to %s", s.Name), Fix: "keep the default reject"}))
		}
	}
}

func (c *comparison) of(s *device.Session, f Finding) Finding {
	f.Pos, f.Session, f.Group, f.Role, f.RoleFrom, f.PeerAS = s.Pos, s.Name, s.Group, c.d.judged(s), s.RoleSource, s.PeerAS
	return f
}

func acceptsByDefault(s *device.Session) bool {
	return slices.ContainsFunc(s.Export.Steps, func(st device.Step) bool {
		return (st.Kind == device.PolicyStep || st.Kind == device.DefaultStep) && openEnd(&st.Chain)
	})
}
