package gobgp

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// policies reads policy-definitions, once for export and once for import,
// because a neighbor set means the receiver there and the sender here. Config
// lists the export reading; the import one is reached through the sessions.
func (b *builder) policies() {
	b.policySet = map[string]*device.Policy{}
	statementAt := map[string]device.Pos{}
	for _, n := range b.root.items("policy-definitions") {
		p := b.policy(n, exporting, statementAt)
		if p.Name == "" {
			b.loadError(device.Diagnostic{At: p.At, Message: "a policy without a name", Fix: "name it"})
			continue
		}
		if old := b.policySet[p.Name]; old != nil {
			b.loadError(device.Diagnostic{At: p.At, Policy: p.Name, Message: fmt.Sprintf("policy %q is defined twice, first at %s", p.Name, old.Pos), Fix: "rename one"})
			continue
		}
		b.policySet[p.Name] = p
		b.imported[p.Name] = b.policy(n, importing, nil)
		b.cfg.Policies = append(b.cfg.Policies, p)
	}
}

// policy reads one definition. Names of statements, seen for the first time,
// are collected in statementAt: they have to differ over all policies.
func (b *builder) policy(n *node, dir direction, statementAt map[string]device.Pos) *device.Policy {
	p := &device.Policy{At: device.At{Pos: n.pos}, End: n.end(), Name: n.str("name")}
	for i, sn := range n.items("statements") {
		name := sn.str("name")
		if name == "" {
			name = fmt.Sprintf("%s_stmt%d", p.Name, i)
		}
		if statementAt != nil {
			if old, twice := statementAt[name]; twice {
				b.loadError(device.Diagnostic{
					At: device.At{Pos: sn.pos}, Policy: p.Name, Term: name,
					Message: fmt.Sprintf("statement %q is defined twice, first at %s; the names of statements have to differ over all policies", name, old), Fix: "rename one",
				})
			}
			statementAt[name] = sn.pos
		}
		s := &statement{b: b, n: sn, policy: p.Name, name: name, dir: dir, first: statementAt != nil}
		p.Terms = append(p.Terms, s.term())
	}
	return p
}

func (s *statement) term() *device.Term {
	t := &device.Term{At: device.At{Pos: s.n.pos}, End: s.n.end(), Name: s.name}
	t.Match = s.conditions()
	t.Bare = len(s.xs) == 0
	t.Actions = s.actions()
	t.Then = s.disposition()
	return t
}

func (s *statement) disposition() device.Disposition {
	text := s.n.str("actions", "route-disposition")
	d := device.Disposition{At: device.At{Pos: s.n.at("actions", "route-disposition")}, Text: text}
	switch text {
	case "accept-route":
		d.Flow = device.AcceptRoute
	case "reject-route":
		d.Flow = device.RejectRoute
	case "", "none":
	default:
		s.report(device.Diagnostic{
			At: d.At, Rule: "RL207",
			Message: fmt.Sprintf("route-disposition %q is not known: GoBGP takes it as none and goes on with the next statement", text),
			Fix:     "write accept-route or reject-route",
		})
	}
	return d
}

// assignment is a list of policies with a default, as configured somewhere.
type assignment struct {
	names  []*node
	def    string
	at     device.Pos
	defAt  device.Pos
	exists bool
}

func (b *builder) assignment(n *node, dir direction) assignment {
	word := "export"
	if dir == importing {
		word = "import"
	}
	c := n.child("apply-policy", "config")
	a := assignment{
		names: c.items(word + "-policy-list"), def: c.str("default-" + word + "-policy"),
		at: c.at(word + "-policy-list"), defAt: c.at("default-" + word + "-policy"),
	}
	a.exists = len(a.names) > 0 || a.def != ""
	return a
}

// globalChain is what SetPolicyAssignment leaves behind for the global table:
// when a name is missing or repeated nothing is assigned, not even the default,
// and the table keeps the daemon's own default, accept.
func (b *builder) globalChain(dir direction) device.Chain {
	a := b.assignment(b.root.child("global"), dir)
	c := device.Chain{At: device.At{Pos: a.at}, Default: device.Accept, Why: "GoBGP accepts what no policy decides"}
	policies, failed := b.resolve(a, dir)
	if failed != "" {
		c.Why = failed + ", so the configured default is not applied and GoBGP accepts"
		return c
	}
	c.Policies = policies
	b.defaultOf(&c, a, dir)
	return c
}

func (b *builder) defaultOf(c *device.Chain, a assignment, dir direction) {
	switch a.def {
	case "reject-route":
		c.Default, c.Why = device.Reject, "default-export-policy reject-route"
		if dir == importing {
			c.Why = "default-import-policy reject-route"
		}
		c.Pos = a.defAt
	case "accept-route":
		c.Why = "default policy accept-route"
		c.Pos = a.defAt
	case "", "none":
	default:
		b.reportOnce(device.Diagnostic{
			At: device.At{Pos: a.defAt}, Rule: "RL405",
			Message: fmt.Sprintf("default policy %q is not known: GoBGP keeps its own default, accept", a.def),
			Fix:     "write reject-route",
		})
	}
}

// resolve looks the names up. It says why when the list cannot be assigned.
func (b *builder) resolve(a assignment, dir direction) (ps []*device.Policy, failed string) {
	seen := map[string]bool{}
	for _, n := range a.names {
		name := n.text
		_, defined := b.policySet[name]
		switch {
		case len(b.loadErrors) > 0:
			return nil, fmt.Sprintf("policy %q is not there because the policies did not load (%s)", name, b.loadErrors[0].Pos)
		case !defined:
			b.reportOnce(device.Diagnostic{
				At: device.At{Pos: n.pos}, Rule: "RL301", Policy: name,
				Message: fmt.Sprintf("policy %q is not defined: GoBGP assigns none of the listed policies and ignores the configured default, everything is accepted", name),
				Fix:     "define the policy or correct the name",
			})
			return nil, fmt.Sprintf("policy %q is not defined", name)
		case seen[name]:
			b.reportOnce(device.Diagnostic{
				At: device.At{Pos: n.pos}, Rule: "RL406", Policy: name,
				Message: fmt.Sprintf("policy %q is listed twice: GoBGP assigns none of the listed policies and ignores the configured default, everything is accepted", name),
				Fix:     "list it once",
			})
			return nil, fmt.Sprintf("policy %q is listed twice", name)
		}
		seen[name] = true
		ps = append(ps, b.reading(name, dir))
	}
	return ps, ""
}

// reading returns the policy as it reads in a direction.
func (b *builder) reading(name string, dir direction) *device.Policy {
	if dir == exporting {
		return b.policySet[name]
	}
	return b.imported[name]
}

// reportOnce keeps one diagnostic per rule and place: assignments are read for
// every session.
func (b *builder) reportOnce(d device.Diagnostic) {
	at := place{d.Rule, d.Pos}
	if !b.reported[at] {
		b.reported[at] = true
		b.report(d)
	}
}
