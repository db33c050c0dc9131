package lint

import (
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
)

// Result is what is wrong with a set of configurations, the worst first.
type Result struct {
	Findings []Finding
	Judged   int // external sessions that were judged
	Clean    int // of those, without a proved leak or a doubt
	Sessions int

	Judgements []Judgement   // of the external sessions, in the order of the files
	Tags       *TagInvariant // nil when no tags are declared
}

// Outcome is what was proved about a session. The zero value is Unproved.
type Outcome uint8

// Outcomes.
const (
	Unproved Outcome = iota
	Leaks
	Clean
)

// String writes unknown, leak or clean.
func (o Outcome) String() string { return [...]string{"unknown", "leak", "clean"}[o] }

// Judgement is the outcome for one external session.
type Judgement struct {
	Pos     device.Pos
	Session string
	Group   string
	Role    device.Role
	PeerAS  uint32
	Verdict Outcome
}

// analysis is the work on one configuration.
type analysis struct {
	cfg            *device.Config
	d              *Declaration
	own            []uint32
	evidence       *evidence
	asksSender     bool
	findings       []Finding
	judgedSessions []*device.Session
	tagged         *TagInvariant // nil when no tags are declared
}

// None declares nothing.
func None() *Declaration {
	d := &Declaration{}
	// The zero declaration has nothing in it that could be wrong.
	_ = d.compileChoices()
	return d
}

// Check judges configurations together. It fills in the roles of their
// sessions.
func (d *Declaration) Check(cfgs ...*device.Config) *Result {
	res := &Result{}
	for _, cfg := range cfgs {
		d.assignRoles(cfg)
	}
	parts := d.analyse(cfgs)
	for i, a := range parts {
		res.Findings = append(res.Findings, a.finish()...)
		for _, j := range a.judgements() {
			res.Judged++
			if j.Verdict == Clean {
				res.Clean++
			}
			res.Judgements = append(res.Judgements, j)
		}
		res.Sessions += len(cfgs[i].Sessions)
	}
	res.Findings = append(res.Findings, d.acrossFiles(cfgs)...)
	d.network(res, parts)
	res.Findings = append(res.Findings, d.againstASPA(cfgs)...)
	sortFindings(res.Findings)
	return res
}

// analyse works on several configurations at once; they share nothing.
func (d *Declaration) analyse(cfgs []*device.Config) []*analysis {
	out := make([]*analysis, len(cfgs))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, cfg := range cfgs {
		g.Go(func() error {
			out[i] = d.analysis(cfg)
			out[i].run()
			return nil
		})
	}
	// No analysis fails: what cannot be decided is a finding.
	_ = g.Wait()
	return out
}

func (d *Declaration) analysis(cfg *device.Config) *analysis {
	return &analysis{cfg: cfg, d: d, own: d.ownASNs(cfg), asksSender: asksSender(cfg)}
}

func (a *analysis) run() {
	a.diagnostics()
	a.leaks()
	a.terms()
	a.references()
	a.defaults()
	a.cones()
	a.deadGuards()
	a.attributes()
	a.tags()
	a.roles()
	a.limits()
}

// asksSender reports whether a policy tells neighbors apart.
func asksSender(cfg *device.Config) bool {
	found := false
	check := func(p *device.Pipeline, sides ...device.Side) {
		walkTerms(p, func(_ *device.Policy, t *device.Term) {
			device.Walk(t.Match, func(x device.Expr) bool {
				if m, ok := x.(*device.NeighborMatch); ok && slices.Contains(sides, m.Side) {
					found = found || m.Addrs != nil || m.ASNs != nil || m.Groups != nil || m.Names != nil
				}
				return !found
			})
		})
	}
	for _, s := range cfg.Sessions {
		check(&s.Import, device.Sender, device.Receiver)
		check(&s.Export, device.Sender)
	}
	return found
}

// walkTerms visits the active terms of a pipeline, also those of nested blocks
// and of policies that are called.
func walkTerms(p *device.Pipeline, f func(*device.Policy, *device.Term)) {
	seen := map[*device.Policy]bool{}
	for i := range p.Steps {
		walkChain(&p.Steps[i].Chain, seen, f)
	}
}

func walkChain(c *device.Chain, seen map[*device.Policy]bool, f func(*device.Policy, *device.Term)) {
	for _, p := range c.Policies {
		if !seen[p] {
			seen[p] = true
			walkList(p, p.Terms, seen, f)
		}
	}
}

func walkList(p *device.Policy, ts []*device.Term, seen map[*device.Policy]bool, f func(*device.Policy, *device.Term)) {
	for _, t := range ts {
		if t.Inactive {
			continue
		}
		f(p, t)
		device.Walk(t.Match, func(x device.Expr) bool {
			if sub, ok := x.(*device.SubPolicy); ok {
				walkChain(&sub.Chain, seen, f)
			}
			return true
		})
		for _, a := range t.Actions {
			if call, ok := a.(*device.Call); ok {
				walkChain(&call.Chain, seen, f)
			}
		}
		walkList(p, t.Body, seen, f)
		walkList(p, t.Else, seen, f)
	}
}

func (a *analysis) add(f Finding) {
	f.Dialect, f.Host = a.cfg.Dialect, a.cfg.Hostname
	a.findings = append(a.findings, f)
}

// diagnostics takes over what the front end noticed.
func (a *analysis) diagnostics() {
	for _, d := range a.cfg.Diagnostics {
		f := Finding{
			Rule: d.Rule, Severity: d.Severity, Message: d.Message, Fix: d.Fix, Pos: d.Pos,
			Policy: d.Policy, Term: d.Term, Session: d.Session, Set: d.Set,
		}
		a.add(f)
	}
}

// onSession fills in what a finding says of a session.
func (a *analysis) onSession(s *device.Session, f Finding) Finding {
	f.Session, f.Group, f.Role, f.RoleFrom, f.PeerAS = s.Name, s.Group, a.d.judged(s), s.RoleSource, s.PeerAS
	return f
}

func (a *analysis) onSite(s *device.Session, site *symbolic.Site, f Finding) Finding {
	f = a.onSession(s, f)
	f.Pos = site.Pos
	if !site.Default() {
		f.Policy, f.Term, f.End = site.Policy, site.Term.Name, site.Term.End
		f.Guards = guards(site.Term.Match)
	}
	return f
}

// finish gives every finding its severity and fingerprint, and drops doubles
// and rules that are off. A front end that reports a rule itself wins.
func (a *analysis) finish() []Finding {
	type place struct {
		rule, session, set, policy, term string
		pos                              device.Pos
	}
	seen := map[place]bool{}
	byLine := map[place]bool{}
	var out []Finding
	for i := range a.findings {
		f := a.findings[i]
		r, ok := Lookup(f.Rule)
		if ok {
			f.Severity = max(f.Severity, r.Severity)
		}
		if s, ok := a.d.Severity[f.Rule]; ok {
			f.Severity = severities[s]
		}
		line := place{rule: f.Rule, pos: device.Pos{File: f.Pos.File, Line: f.Pos.Line}, session: f.Session}
		p := place{rule: f.Rule, session: f.Session, set: f.Set, policy: f.Policy, term: f.Term, pos: f.Pos}
		if f.Severity == off || seen[p] || byLine[line] && f.Witness == nil {
			continue
		}
		seen[p], byLine[line] = true, true
		f.Fingerprint = f.fingerprint()
		out = append(out, f)
	}
	return out
}

// judgements gives every judged session its outcome.
func (a *analysis) judgements() []Judgement {
	worst := map[string]Outcome{}
	for i := range a.findings {
		switch f := &a.findings[i]; {
		case f.Session == "":
		case f.Witness != nil && !f.Undecided:
			worst[f.Session] = Leaks
		case f.Undecided && worst[f.Session] != Leaks:
			worst[f.Session] = Unproved
		}
	}
	var out []Judgement
	for _, s := range a.judgedSessions {
		j := Judgement{Pos: s.Pos, Session: s.Name, Group: s.Group, Role: a.d.judged(s), PeerAS: s.PeerAS, Verdict: Clean}
		if v, found := worst[s.Name]; found {
			j.Verdict = v
		}
		out = append(out, j)
	}
	return out
}
