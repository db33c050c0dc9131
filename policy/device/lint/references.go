package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// guardName is how networks call the lists that keep routes back.
var guardName = regexp.MustCompile(`(?i)bogon|martian|no-?export|deny|block|reject|leak|peer-?tag|transit-?tag|default-?route|private`)

// references reports RL3xx: names that lead nowhere. Front ends report what
// their dialect makes of most of them; what is left is the same everywhere.
func (a *analysis) references() {
	for _, t := range a.usedTerms() {
		a.undefined(t)
		a.jumps(t)
	}
	a.misspeltNames()
	for _, s := range a.cfg.Sets {
		if s.Used == 0 && !s.Inactive && guardName.MatchString(s.Name) {
			a.add(Finding{
				Rule: "RL305", Pos: s.Pos, Set: s.Name,
				Message: fmt.Sprintf("%s %q looks like a guard and is never used", s.Kind, s.Name),
				Fix:     "use it in a term that rejects, or delete it",
			})
		}
	}
	if a.cfg.Incomplete && !slices.ContainsFunc(a.cfg.Diagnostics, func(d device.Diagnostic) bool { return d.Rule == "RL310" }) {
		a.add(Finding{
			Rule: "RL310", Pos: a.start(), Undecided: true,
			Message: "an included file is missing: what is absent proves nothing",
			Fix:     "give leaklint the file, or name its directory in include:",
		})
	}
}

func (a *analysis) start() device.Pos {
	if len(a.cfg.Files) == 0 {
		return device.Pos{}
	}
	return device.Pos{File: a.cfg.Files[0].Path, Line: 1, Col: 1}
}

// undefined: RL302, RL303 and RL306.
func (a *analysis) undefined(t termUse) {
	rejects := t.term.Then.Flow == device.RejectRoute
	device.Walk(t.term.Match, func(x device.Expr) bool {
		ref, ok := x.(*device.Ref)
		if !ok || ref.Set != nil || ref.Name == "" {
			return true
		}
		f := Finding{Pos: ref.Pos, Set: ref.Name, Rule: "RL302"}
		outcome := "what the device makes of it is not known"
		if c, ok := ref.X.(*device.Const); ok {
			outcome = "the device takes it as matching nothing"
			if c.Value {
				outcome = "the device takes it as matching every route"
			}
			if c.Why != "" {
				outcome += " (" + c.Why + ")"
			}
			if !c.Value && !rejects {
				f.Severity = device.Warning
			}
		}
		switch {
		case rejects:
			f.Rule = "RL303"
		case strings.Contains(string(ref.Kind), "community"):
			f.Rule = "RL306"
		}
		f.Message = fmt.Sprintf("%s %q is not defined: %s", ref.Kind, ref.Name, outcome)
		f.Fix = "define it, or correct the name"
		if near := a.nearMiss(ref); near != "" {
			f.Fix += fmt.Sprintf("; did you mean %q?", near)
			a.misspelt(ref.Pos, string(ref.Kind), ref.Name, near)
		}
		a.add(a.onTerm(t, f))
		return true
	})
}

// nearMiss names a set that is spelt almost alike.
func (a *analysis) nearMiss(ref *device.Ref) string {
	for _, s := range a.cfg.Sets {
		if s.Kind == ref.Kind && alike(s.Name, ref.Name) {
			return s.Name
		}
	}
	return ""
}

// misspelt: RL308.
func (a *analysis) misspelt(pos device.Pos, kind, name, near string) {
	a.add(Finding{
		Rule: "RL308", Severity: device.Info, Pos: pos, Set: name,
		Message: fmt.Sprintf("%s %q is not defined and %q is: probably misspelt", kind, name, near), Fix: fmt.Sprintf("write %q", near),
	})
}

// misspeltNames: RL308 for the names the front end did not find.
func (a *analysis) misspeltNames() {
	for _, d := range a.cfg.Diagnostics {
		switch d.Rule {
		case "RL301", "RL302", "RL303", "RL304", "RL306":
		default:
			continue
		}
		for _, p := range a.cfg.Policies {
			if d.Policy != "" && alike(p.Name, d.Policy) && a.cfg.Policy(d.Policy) == nil {
				a.misspelt(d.Pos, "policy", d.Policy, p.Name)
				break
			}
		}
		for _, s := range a.cfg.Sets {
			if d.Set != "" && alike(s.Name, d.Set) && a.cfg.Set(s.Kind, d.Set) == nil {
				a.misspelt(d.Pos, string(s.Kind), d.Set, s.Name)
				break
			}
		}
	}
}

// alike reports whether two different names differ only in case, dashes or one
// character.
func alike(a, b string) bool {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	return a != b && (plain(a) == plain(b) || oneEdit(a, b))
}

// oneEdit reports whether one character put in, left out or replaced makes the
// names equal.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 4 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i == len(a) || a[i+1:] == b[i+1:]
	}
	return a[i:] == b[i+1:]
}

// jumps: RL307, a jump behind the last term.
func (a *analysis) jumps(t termUse) {
	if t.term.Then.Flow != device.Goto || t.term.Then.Target < len(t.policy.Terms) || t.last {
		return
	}
	a.add(a.onTerm(t, Finding{
		Rule: "RL307", Pos: t.term.Then.Pos,
		Message: fmt.Sprintf("term %s of %s goes on where there is no term", t.term.Name, t.policy.Name),
		Fix:     "correct the number, or add the term",
	}))
}
