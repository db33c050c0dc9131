package junos

import (
	"fmt"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// pipelines builds both directions of a session.
func (i *instance) pipelines(s *device.Session, l levels) {
	exp, imp := l.at("export"), l.at("import")
	s.Facts.NoExportPolicy, s.Facts.NoImportPolicy = exp == nil, imp == nil
	s.Export = device.Pipeline{At: s.At, Steps: []device.Step{i.before(s, l), i.exportStep(s, l, exp), after(s, l)}}
	s.Import = device.Pipeline{At: s.At, Steps: []device.Step{i.received(s, l), i.importStep(s, l, imp)}}
	if i.b.cfg.Broken {
		why := "Junos does not load this file"
		s.Export, s.Import = undecided(s, why), undecided(s, why)
	}
}

func undecided(s *device.Session, why string) device.Pipeline {
	return device.Pipeline{At: s.At, Steps: []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "not loaded", Chain: device.Chain{At: s.At, Why: why}}}}
}

// chain reads the policies of an export or import statement, in order.
func (i *instance) chain(n *tree.Node) (ps []*device.Policy, names []string) {
	for _, k := range n.Active() {
		text := join(k)
		names = append(names, text)
		k.Cover(device.Modelled, "")
		if !strings.ContainsAny(text, "()&|! ") {
			p := i.reference(k.Word, k.Pos)
			if p == nil {
				p = undefinedPolicy(k.Word, k.Pos)
			}
			ps = append(ps, p)
			continue
		}
		f, err := parseFormula(text)
		if err != nil {
			k.Cover(device.Unmodelled, err.Error())
			i.report(device.Diagnostic{At: device.At{Pos: k.Pos}, Rule: "RL902", Message: fmt.Sprintf("policy expression %q: %v", text, err)})
			p := undefinedPolicy(text, k.Pos)
			p.Terms[0].Then.Text = "policy expression " + text + " cannot be read"
			ps = append(ps, p)
			continue
		}
		i.precedence(f, text, k.Pos)
		ps = append(ps, i.decision(f, text, k.Pos))
	}
	return ps, names
}

// exportDefault is what Junos does with routes no policy decides: it
// advertises the active BGP routes. It stands in front, as a default that a
// default-action of a policy replaces.
func exportDefault() *device.Policy {
	return device.BuiltIn("Junos export default", &device.Term{
		Name: "BGP", Match: &device.ProtocolMatch{Protocols: device.BGP},
		Then: device.Disposition{Default: device.Accept, Text: "protocol default"},
	})
}

func (i *instance) exportStep(s *device.Session, l levels, n *tree.Node) device.Step {
	return i.policyStep(s, l, n, "advertise", device.Chain{
		Policies: []*device.Policy{exportDefault()}, Default: device.Reject, Why: "Junos advertises active BGP routes and nothing else by default",
	})
}

func (i *instance) importStep(s *device.Session, l levels, n *tree.Node) device.Step {
	return i.policyStep(s, l, n, "receive", device.Chain{Default: device.Accept, Why: "Junos accepts every BGP route by default"})
}

// policyStep puts the policies behind the protocol's default. The default of
// an external session without policy may be turned round (RFC 8212).
func (i *instance) policyStep(s *device.Session, l levels, n *tree.Node, word string, c device.Chain) device.Step {
	ps, names := i.chain(n)
	c.Pos = s.Pos
	if n != nil {
		c.Pos = n.Pos
	}
	step := device.Step{At: device.At{Pos: c.Pos}, Kind: device.PolicyStep, Name: strings.Join(names, " ")}
	if len(ps) == 0 {
		step.Kind, step.Name = device.DefaultStep, "default"
	}
	deny := l.value("defaults", "ebgp", "no-policy", word)
	external := s.Kind == device.External || s.Kind == device.UnknownKind
	if deny != nil && strings.HasPrefix(deny.Word, "reject") && external {
		switch {
		case len(ps) == 0:
			s.Facts.DefaultDeny = device.True
			c = device.Chain{At: c.At, Default: device.Reject, Why: "defaults ebgp no-policy " + word + " " + deny.Word}
		case deny.Word == "reject-always":
			c = device.Chain{At: c.At, Why: "what reject-always does behind a policy is not confirmed on a device"}
		}
	}
	c.Policies = append(c.Policies, ps...)
	step.Chain = c
	return step
}

// before is what holds a route back before the export policies look at it.
func (i *instance) before(s *device.Session, l levels) device.Step {
	terms := i.inTable()
	reject := func(name string, x device.Expr) {
		terms = append(terms, &device.Term{Name: name, Match: x, Then: device.Disposition{Flow: device.RejectRoute}})
	}
	has := func(c device.Community) device.Expr {
		return &device.CommunityMatch{Patterns: []device.CommunityPattern{device.LiteralPattern(c, c.Text, device.Pos{})}}
	}
	bgp := &device.ProtocolMatch{Protocols: device.BGP}
	reject("back to the sender", &device.SameNeighbor{})
	// RFC 1997: well-known communities of received routes.
	reject("no-advertise", device.AllOfExprs(device.Pos{}, bgp, has(device.NoAdvertise)))
	if s.Kind != device.InternalSession {
		reject("no-export-subconfed", device.AllOfExprs(device.Pos{}, bgp, has(device.NoExportSubconfed)))
	}
	if s.Kind == device.External {
		reject("no-export", device.AllOfExprs(device.Pos{}, bgp, has(device.NoExport)))
	}
	switch s.Kind {
	case device.InternalSession:
		if s.Facts.ReflectorClient {
			break
		}
		// RFC 4271 section 9.2, RFC 4456 section 6.
		client := true
		reject("ibgp-to-ibgp", &device.And{Xs: []device.Expr{
			&device.ProtocolMatch{Protocols: []device.Protocol{device.IBGP}},
			device.Negate(&device.NeighborMatch{Side: device.Sender, Client: &client}),
		}})
	case device.External:
		if s.PeerAS != 0 && !l.says("advertise-peer-as") && !l.says("as-override") {
			// Routes from an AS are not sent back to it.
			reject("neighbor's ASN in front", &device.And{Xs: []device.Expr{
				bgp, &device.ASPathMatch{Pattern: aspath.First(aspath.Set{{Lo: s.PeerAS, Hi: s.PeerAS}})},
			}})
		}
	}
	return device.ProtocolBehaviour("Junos before export", terms...)
}

// after is what the protocol does to a route it sends to another AS.
func after(s *device.Session, l levels) device.Step {
	var terms []*device.Term
	change := func(name string, a device.Action) {
		terms = append(terms, &device.Term{Name: name, Match: device.Always("every route to an external neighbor"), Actions: []device.Action{a}})
	}
	if s.Kind == device.External || s.Kind == device.UnknownKind {
		path := device.FieldSet(device.ASPathField)
		switch {
		case l.says("remove-private", "all") && !l.says("remove-private", "all", "replace"):
			change("remove private ASNs", &device.EditASPath{Private: true})
		case l.says("remove-private"):
			change("remove private ASNs", &device.UnknownAction{Text: "remove-private", Changes: path})
		}
		if l.says("as-override") {
			change("replace the neighbor's ASN", &device.UnknownAction{Text: "as-override", Changes: path})
		}
		if !s.Facts.RSClient {
			// RFC 4271 section 5.1.2. The router puts what policies prepend in
			// front of its own ASN (JUNOS-EXP-N1 of the oracle).
			change("local ASN", &device.PrependAS{Own: true, Repeat: 1, Behind: true})
		}
		// RFC 4271 section 5.1.5.
		change("LOCAL_PREF", &device.SetScalar{Field: device.LocalPref, Op: device.Remove})
	}
	return device.ProtocolBehaviour("Junos after export", terms...)
}

// received is what happens before the import policies: a path with the own ASN
// is a loop (RFC 4271 section 9.1.2) unless some are allowed.
func (i *instance) received(s *device.Session, l levels) device.Step {
	loop := &device.Term{Name: "own ASN in the path", Match: &device.InPath{Own: true}, Then: device.Disposition{Flow: device.RejectRoute}}
	if i.loops || l.says("loops") || l.at("family") != nil && strings.Contains(text(l.at("family")), " loops ") || l.value("local-as").Value("loops") != nil {
		loop.Then = device.Disposition{Flow: device.DecideMaybe, Text: "loops: the own ASN is let through some times"}
	}
	terms := []*device.Term{loop, {
		Name: "LOCAL_PREF", Match: device.Always("every received route"),
		Actions: []device.Action{&device.SetScalar{Field: device.LocalPref, Op: device.AssignIfAbsent, Value: defaultLocalPref}},
	}}
	if !strings.Contains(text(l.at("family")), " rib-group ") {
		terms = append(terms, i.inTable()...)
	}
	return device.ProtocolBehaviour("Junos before import", terms...)
}

// inTable says which table the unicast routes of a session are in, when some
// policy asks for it. A rib-group may put received routes into others too.
func (i *instance) inTable() []*device.Term {
	if !i.tables {
		return nil
	}
	var terms []*device.Term
	for _, f := range []device.Family{device.IPv4, device.IPv6} {
		table := map[device.Family]string{device.IPv4: "inet.0", device.IPv6: "inet6.0"}[f]
		terms = append(terms, &device.Term{
			Name: "table", Match: &device.FamilyMatch{Family: f},
			Actions: []device.Action{&device.SetName{Field: device.RIB, Name: i.table + table}},
		})
	}
	return terms
}

// text is every active word below n, for a look at rare settings.
func text(n *tree.Node) string {
	var b strings.Builder
	for _, leaf := range n.Leaves() {
		b.WriteString(" " + strings.Join(leaf.Words(n), " ") + " ")
	}
	return b.String()
}
