package gobgp

import (
	"fmt"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// pipelines builds both directions of a session.
func (b *builder) pipelines(p neighbor, s *device.Session, exp, imp device.Chain) {
	ownExp, ownImp := b.assignment(p.asNode(), exporting), b.assignment(p.asNode(), importing)
	if s.Facts.RSClient {
		exp, imp = b.clientChain(ownExp, exporting), b.clientChain(ownImp, importing)
	} else {
		b.ignoredPolicies(s, ownExp)
		b.ignoredPolicies(s, ownImp)
	}
	s.Facts.NoExportPolicy = len(exp.Policies) == 0 && exp.Default == device.Accept
	s.Facts.NoImportPolicy = len(imp.Policies) == 0 && imp.Default == device.Accept
	s.Export = device.Pipeline{At: s.At, Steps: []device.Step{b.before(p, s), policyStep(exp), after(s)}}
	s.Import = device.Pipeline{At: s.At, Steps: []device.Step{b.received(p, s), policyStep(imp)}}
	if s.Instance != "" {
		s.Export, s.Import = undecided(s, "neighbors in a VRF are not modelled"), undecided(s, "neighbors in a VRF are not modelled")
	}
}

// asNode joins the policy block of neighbor and group.
func (p neighbor) asNode() *node {
	out := &node{shape: mapping, pos: p.n.pos}
	c := &node{key: "config", shape: mapping, pos: p.n.pos}
	for _, from := range []*node{p.n, p.group} {
		if conf := from.child("apply-policy", "config"); conf != nil {
			for _, k := range conf.kids {
				if c.child(k.key) == nil {
					c.kids = append(c.kids, k)
				}
			}
		}
	}
	out.kids = []*node{{key: "apply-policy", shape: mapping, pos: p.n.pos, kids: []*node{c}}}
	return out
}

func undecided(s *device.Session, why string) device.Pipeline {
	return device.Pipeline{At: s.At, Steps: []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "not modelled", Chain: device.Chain{At: s.At, Why: why}}}}
}

func policyStep(c device.Chain) device.Step {
	s := device.Step{At: c.At, Kind: device.PolicyStep, Chain: c, Name: "policy"}
	if len(c.Policies) == 0 {
		s.Kind, s.Name = device.DefaultStep, "default"
	}
	return s
}

// clientChain is the table of a route-server client. A list that cannot be
// assigned leaves the table without a default, and GoBGP then rejects.
func (b *builder) clientChain(a assignment, dir direction) device.Chain {
	c := device.Chain{At: device.At{Pos: a.at}, Default: device.Accept, Why: "GoBGP accepts what no policy decides"}
	policies, failed := b.resolve(a, dir)
	if failed != "" {
		c.Default, c.Why = device.Reject, failed+", and the table of a route-server client then has no default"
		return c
	}
	c.Policies = policies
	b.defaultOf(&c, a, dir)
	return c
}

func (b *builder) ignoredPolicies(s *device.Session, a assignment) {
	if !a.exists {
		return
	}
	var names []string
	pos := a.at
	for _, n := range a.names {
		names = append(names, n.text)
	}
	if len(names) == 0 {
		names, pos = []string{a.def}, a.defAt
	}
	name := strings.Join(names, " ")
	const why = "GoBGP reads the policy of a neighbor only when it is a route-server client"
	s.Facts.Ignored = append(s.Facts.Ignored, device.IgnoredPolicy{At: device.At{Pos: pos}, Name: name, Why: why})
	b.report(device.Diagnostic{
		At: device.At{Pos: pos}, Rule: "RL407", Session: s.Name,
		Message: fmt.Sprintf("the policy %s of neighbor %s has no effect: %s", name, s.Name, why),
		Fix:     "use one global policy with a match-neighbor-set condition",
	})
}

// before is what happens to a route on its way to a neighbor before the export
// policy looks at it.
func (b *builder) before(p neighbor, s *device.Session) device.Step {
	var terms []*device.Term
	reject := func(name string, x device.Expr) {
		terms = append(terms, &device.Term{Name: name, Match: x, Then: device.Disposition{Flow: device.RejectRoute}})
	}
	change := func(name string, x device.Expr, a device.Action) {
		terms = append(terms, &device.Term{Name: name, Match: x, Actions: []device.Action{a}})
	}
	if s.Kind == device.InternalSession && !s.Facts.ReflectorClient {
		// RFC 4271 section 9.2, RFC 4456 section 6.
		client := true
		reject("ibgp-to-ibgp", &device.And{Xs: []device.Expr{
			&device.ProtocolMatch{Protocols: []device.Protocol{device.IBGP}},
			device.Negate(&device.NeighborMatch{Side: device.Sender, Client: &client}),
		}})
	}
	reject("back to the sender", &device.SameNeighbor{})
	if s.Facts.RSClient {
		return device.ProtocolBehaviour("GoBGP before export", terms...)
	}
	var loop device.Expr = &device.InPath{}
	if p.str("as-path-options", "config", "allow-as-path-loop-local") == "true" {
		loop = &device.And{Xs: []device.Expr{&device.ProtocolMatch{Protocols: device.BGP}, loop}}
	}
	reject("neighbor's ASN in the path", loop)
	if s.Kind == device.InternalSession {
		return device.ProtocolBehaviour("GoBGP before export", terms...)
	}
	always := device.Always("every route to an external neighbor")
	switch p.str("config", "remove-private-as") {
	case "all":
		change("remove private ASNs", always, &device.EditASPath{Private: true})
	case "":
	default:
		change("remove private ASNs", always, &device.UnknownAction{Text: "remove-private-as replace", Changes: device.FieldSet(device.ASPathField)})
	}
	if p.str("as-path-options", "config", "replace-peer-as") == "true" {
		change("replace peer ASN", always, &device.UnknownAction{Text: "replace-peer-as", Changes: device.FieldSet(device.ASPathField)})
	}
	// RFC 4271 section 5.1.2: policies see the path with the local ASN in front.
	change("local ASN in front", always, &device.PrependAS{Own: true, Repeat: 1})
	// RFC 4271 section 5.1.4: MED is not passed on to another AS.
	change("MED", &device.ProtocolMatch{Protocols: device.BGP}, &device.SetScalar{Field: device.MED, Op: device.Remove})
	return device.ProtocolBehaviour("GoBGP before export", terms...)
}

// after: LOCAL_PREF does not leave the AS (RFC 4271 section 5.1.5).
func after(s *device.Session) device.Step {
	if s.Kind == device.InternalSession || s.Facts.RSClient {
		return device.ProtocolBehaviour("GoBGP after export")
	}
	return device.ProtocolBehaviour("GoBGP after export", &device.Term{
		Name: "LOCAL_PREF", Match: device.Always("every route to an external neighbor"),
		Actions: []device.Action{&device.SetScalar{Field: device.LocalPref, Op: device.Remove}},
	})
}

// received is what happens before the import policy: a path with the own ASN
// is a loop (RFC 4271 section 9.1.2) unless it is allowed.
func (b *builder) received(p neighbor, s *device.Session) device.Step {
	const name = "GoBGP before import"
	if v := p.str("as-path-options", "config", "allow-own-as"); v != "" && v != "0" {
		return device.ProtocolBehaviour(name, &device.Term{
			Name: "own ASN in the path", Match: &device.InPath{Own: true},
			Then: device.Disposition{Flow: device.DecideMaybe, Text: "allow-own-as " + v},
		})
	}
	return device.ProtocolBehaviour(name, &device.Term{
		Name: "own ASN in the path", Match: &device.InPath{Own: true}, Then: device.Disposition{Flow: device.RejectRoute},
	})
}
