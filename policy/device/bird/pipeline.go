package bird

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// lower makes the sessions.
func (p *parser) lower() {
	for _, pr := range p.order {
		if pr.kind == "static" {
			for _, n := range pr.routes {
				p.cfg.Originated = append(p.cfg.Originated, device.OriginatedPrefix{At: device.At{Pos: pr.pos}, Prefix: n, Source: device.Static})
			}
		}
		if pr.kind == "bgp" && pr.localAS != 0 && p.cfg.ASN == 0 {
			p.cfg.ASN = pr.localAS
		}
	}
	var made []*device.Session
	for _, pr := range p.order {
		if pr.kind != "bgp" {
			continue
		}
		p.consistent(pr)
		for _, kind := range pr.order {
			s := p.session(pr, pr.channels[kind])
			p.pipelines(pr, pr.channels[kind], s)
			made = append(made, s)
		}
	}
	p.unusedFilters()
	p.cfg.AdmitUnknown()
	if p.cfg.Broken {
		for _, s := range made {
			s.Export, s.Import = undecided(s, "BIRD does not load this file"), undecided(s, "BIRD does not load this file")
		}
	}
	p.cfg.Sessions = made
	for _, s := range p.cfg.Sets {
		if s.Used == 0 {
			p.report(device.Diagnostic{
				At: s.At, Rule: "RL305", Severity: device.Warning, Set: s.Name,
				Message: fmt.Sprintf("%s %q is defined and never used", s.Kind, s.Name),
			})
		}
	}
}

// unusedFilters are read too: a name they use may be missing, and a file of
// filters alone is to be included elsewhere.
func (p *parser) unusedFilters() {
	var names []string
	for name := range p.filters {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.namedFilter(name)
	}
}

func undecided(s *device.Session, why string) device.Pipeline {
	return device.Pipeline{At: s.At, Steps: []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "not modelled", Chain: device.Chain{At: s.At, Why: why}}}}
}

// consistent reports what BIRD refuses of a BGP protocol.
func (p *parser) consistent(pr *protocol) {
	internal := pr.isInternal()
	switch {
	case p.cfg.Incomplete:
		return
	case pr.localAS == 0:
		p.refused(pr.pos, "RL902", "protocol "+pr.name+" has no local AS", "add local as")
	case !pr.peer.IsValid() && !pr.rng.IsValid():
		p.refused(pr.pos, "RL902", "protocol "+pr.name+" has no neighbor", "add neighbor")
	case pr.peerAS == 0 && !pr.internal && !pr.external:
		p.refused(pr.pos, "RL902", "protocol "+pr.name+" does not say the neighbor's AS", "add as to neighbor")
	case internal && pr.role != device.UnknownRole:
		p.refused(pr.pos, "RL603", "protocol "+pr.name+" has a role on an internal session", "remove local role")
	}
	if internal || pr.member || len(pr.order) == 0 {
		return
	}
	for _, kind := range pr.order {
		c := pr.channels[kind]
		if c.out.how == "" {
			p.refused(c.pos, "RL401", fmt.Sprintf("channel %s of protocol %s has no export policy", kind, pr.name), "say export none, or a filter (RFC 8212)")
		}
		if c.in.how == "" {
			p.refused(c.pos, "RL402", fmt.Sprintf("channel %s of protocol %s has no import policy", kind, pr.name), "say import none, or a filter (RFC 8212)")
		}
	}
}

func (pr *protocol) isInternal() bool {
	return pr.internal || pr.peerAS != 0 && pr.peerAS == pr.localAS
}

func (p *parser) session(pr *protocol, c *channel) *device.Session {
	s := &device.Session{
		At: device.At{Pos: pr.pos}, End: pr.end, Name: pr.name, Neighbor: pr.peer, Range: pr.rng, Description: pr.descr,
		LocalAS: pr.localAS, PeerAS: pr.peerAS, Kind: device.External, Inactive: pr.disabled, Families: []device.Family{device.OtherFamily},
	}
	if c.kind == "ipv4" || c.kind == "ipv6" {
		s.Families = []device.Family{netTypes[c.kind]}
	}
	switch {
	case pr.isInternal():
		s.Kind, s.PeerAS = device.InternalSession, pr.localAS
		s.Role, s.RoleSource = device.Internal, device.RoleConfigured
	case pr.member:
		s.Kind = device.Confederation
	case pr.confed != 0:
		s.LocalAS = pr.confed // RFC 5065: its identifier, towards the outside
	}
	f := &s.Facts
	f.MaxPrefix, f.MaxPrefixOut, f.NextHopSelf = c.inLimit, c.outLimit, c.nextHopSelf
	f.ReflectorClient, f.RSClient = pr.rrClient, pr.rsClient
	f.SendCommunity, f.SendExtended, f.SendLarge = device.Sent, device.Sent, device.Sent
	f.DefaultDeny = device.Is(s.Kind == device.External)
	f.NoExportPolicy, f.NoImportPolicy = c.out.how == "", c.in.how == ""
	if s.Kind == device.External && pr.role != device.UnknownRole {
		f.LocalRole, f.StrictRole = pr.role, pr.strict
		s.Role, s.RoleSource = pr.role, device.RoleConfigured
	}
	return s
}

func (p *parser) pipelines(pr *protocol, c *channel, s *device.Session) {
	if pr.unread {
		s.Export, s.Import = undecided(s, "an option of the protocol was not understood"), undecided(s, "an option of the protocol was not understood")
		return
	}
	role := s.Facts.LocalRole != device.UnknownRole
	s.Import = device.Pipeline{At: s.At, Steps: []device.Step{received(pr, s)}}
	if role {
		s.Import.Steps = append(s.Import.Steps, device.OTCIngress(s))
	}
	s.Import.Steps = append(s.Import.Steps, p.policyStep(pr, c.in, "import", s.Kind != device.External))
	s.Export = device.Pipeline{At: s.At, Steps: []device.Step{p.before(pr, c, s)}}
	if role {
		s.Export.Steps = append(s.Export.Steps, device.OTCBlock(s))
	}
	if step, ok := p.tableStep(pr, c, s); ok {
		s.Export.Steps = append(s.Export.Steps, step)
	}
	s.Export.Steps = append(s.Export.Steps, p.policyStep(pr, c.out, "export", false))
	if role {
		s.Export.Steps = append(s.Export.Steps, device.OTCMark(s))
	}
	s.Export.Steps = append(s.Export.Steps, after(pr, s))
}

// policyStep is what import or export says. Where nothing is said, internal
// sessions import everything and export nothing.
func (p *parser) policyStep(pr *protocol, f imexport, dir string, accepts bool) device.Step {
	pos := f.pos
	if pos.IsZero() {
		pos = pr.pos
	}
	at := device.At{Pos: pos}
	step := device.Step{At: at, Kind: device.PolicyStep, Name: dir, Chain: device.Chain{At: at, Default: device.Reject, Why: "the filter ends without a verdict"}}
	one := func(policy *device.Policy) device.Step {
		step.Chain.Policies = []*device.Policy{policy}
		return step
	}
	name := pr.name + "." + dir
	switch f.how {
	case "all":
		return one(p.inline(name, pos, &device.Term{
			At: at, End: pos, Name: dir + " all", Match: device.Always("no condition"), Bare: dir == "export", Then: device.Disposition{At: at, Flow: device.AcceptRoute, Text: "all"},
		}))
	case "none":
		step.Chain.Why = dir + " none"
		return step
	case "filter":
		if f.body != nil {
			return one(p.remember(p.program(name, f.body.pos, f.body.end, f.body.body)))
		}
		if policy := p.namedFilter(f.name); policy != nil {
			step.Name = f.name
			return one(policy)
		}
		step.Chain.Default, step.Chain.Why = device.Undecided, fmt.Sprintf("filter %q is not defined", f.name)
		return step
	case "where":
		return one(p.remember(p.where(name, f)))
	}
	step.Kind, step.Name = device.DefaultStep, "default"
	step.Chain.Why = "nothing is said: nothing passes"
	if accepts {
		step.Chain.Default, step.Chain.Why = device.Accept, "nothing is said: an internal session imports everything"
	}
	return step
}

func (p *parser) remember(policy *device.Policy) *device.Policy {
	p.cfg.Policies = append(p.cfg.Policies, policy)
	return policy
}

func (p *parser) inline(name string, pos device.Pos, terms ...*device.Term) *device.Policy {
	return p.remember(&device.Policy{At: device.At{Pos: pos}, Name: name, End: pos, Terms: terms})
}

// where is "if condition then accept; else reject;".
func (p *parser) where(name string, f imexport) *device.Policy {
	yes := &stmt{pos: f.pos, end: f.pos, op: doAccept, source: "accept"}
	no := &stmt{pos: f.pos, end: f.pos, op: doReject, source: "reject"}
	return p.program(name, f.pos, f.pos, []*stmt{{
		pos: f.pos, end: f.pos, op: doIf, x: f.x, body: []*stmt{yes}, alt: []*stmt{no}, hasElse: true, source: "where " + f.x.String(),
	}})
}

// namedFilter is a filter by name, lowered once.
func (p *parser) namedFilter(name string) *device.Policy {
	if policy, ok := p.policies[name]; ok {
		return policy
	}
	f := p.filters[name]
	if f == nil {
		return nil
	}
	policy := p.program(name, f.pos, f.end, f.body)
	p.policies[name] = policy
	return p.remember(policy)
}

// before is what holds a route back before the export filter. Routes that did
// not come over BGP pass it.
func (p *parser) before(pr *protocol, c *channel, s *device.Session) device.Step {
	var terms []*device.Term
	reject := func(name string, x device.Expr) {
		terms = append(terms, &device.Term{Name: name, Match: x, Then: device.Disposition{Flow: device.RejectRoute}})
	}
	reject("back to the sender", &device.SameNeighbor{})
	if present := p.present(c); present != nil {
		reject("no protocol brings it", device.Negate(present))
	}
	if s.Kind == device.InternalSession && !pr.rrClient {
		// RFC 4456: a route of a client goes to every internal neighbor.
		client := true
		reject("ibgp-to-ibgp", &device.And{Xs: []device.Expr{
			&device.ProtocolMatch{Protocols: []device.Protocol{device.IBGP}},
			device.Negate(&device.NeighborMatch{Side: device.Sender, Client: &client}),
		}})
	}
	if !pr.uninterp {
		// RFC 1997: what the filter adds itself does not count.
		has := func(c device.Community) device.Expr {
			return &device.And{Xs: []device.Expr{
				&device.ProtocolMatch{Protocols: device.BGP},
				&device.CommunityMatch{Patterns: []device.CommunityPattern{device.LiteralPattern(c, c.Text, device.Pos{})}},
			}}
		}
		reject("no-advertise", has(device.NoAdvertise))
		if s.Kind != device.InternalSession {
			reject("no-export-subconfed", has(device.NoExportSubconfed))
		}
		if s.Kind == device.External {
			reject("no-export", has(device.NoExport))
		}
	}
	return device.ProtocolBehaviour("bird before export", terms...)
}

// present: the routes that the configured protocols can bring. Nil when that is
// not known.
func (p *parser) present(c *channel) device.Expr {
	if p.cfg.Incomplete {
		return nil
	}
	protocols := append([]device.Protocol{device.OtherProtocol}, device.BGP...)
	static := &device.PrefixSet{}
	for _, pr := range p.order {
		switch pr.kind {
		case "direct":
			protocols = append(protocols, device.Direct, device.Local)
		case "static":
			protocols = append(protocols, device.Local)
			for _, n := range pr.routes {
				static.Entries = append(static.Entries, device.PrefixEntry{At: device.At{Pos: pr.pos}, Range: device.Exact(n)})
			}
		case "kernel":
			protocols = append(protocols, device.Kernel)
		case "ospf":
			protocols = append(protocols, device.OSPF)
		case "rip":
			protocols = append(protocols, device.RIP)
		}
	}
	xs := []device.Expr{&device.ProtocolMatch{Protocols: protocols}}
	if len(static.Entries) > 0 {
		xs = append(xs, &device.And{Xs: []device.Expr{&device.ProtocolMatch{Protocols: []device.Protocol{device.Static}}, &device.PrefixMatch{Set: static}}})
	}
	return device.AnyOfExprs(c.pos, xs...)
}

// tableOf is the table a channel is connected to.
func tableOf(c *channel) string {
	if c.table != "" {
		return c.table
	}
	return map[string]string{"ipv4": "master4", "ipv6": "master6"}[c.kind]
}

// tableStep keeps routes of other tables apart. Pipes between tables are not
// followed.
func (p *parser) tableStep(pr *protocol, c *channel, s *device.Session) (device.Step, bool) {
	own := tableOf(c)
	pipes := false
	var names []string // of protocols that fill another table
	for _, other := range p.order {
		if other.kind == "pipe" {
			pipes = true
			continue
		}
		if oc := other.channels[c.kind]; oc != nil && other.kind == "bgp" && tableOf(oc) != own {
			names = append(names, other.name)
		}
	}
	if len(names) == 0 {
		return device.Step{}, false
	}
	at := device.At{Pos: c.pos}
	elsewhere := &device.NeighborMatch{At: at, Side: device.Sender, Names: names}
	t := &device.Term{At: at, Name: "in another table", Match: elsewhere, Then: device.Disposition{Flow: device.RejectRoute}}
	if pipes {
		t.Then = device.Disposition{At: at, Flow: device.DecideMaybe, Text: "pipes between tables are not followed"}
	}
	return device.ProtocolBehaviour("bird tables", t), true
}

// after is what the protocol does to a route that is sent.
func after(pr *protocol, s *device.Session) device.Step {
	var terms []*device.Term
	every := device.Always("every route that is sent")
	if s.Kind == device.External && !pr.rsClient {
		// RFC 4271 section 5.1.2.
		terms = append(terms, &device.Term{Name: "local ASN in front", Match: every, Actions: []device.Action{&device.PrependAS{Own: true, Repeat: 1}}})
	}
	if s.Kind == device.External {
		// RFC 4271 section 5.1.5.
		terms = append(terms, &device.Term{Name: "LOCAL_PREF", Match: every, Actions: []device.Action{&device.SetScalar{Field: device.LocalPref, Op: device.Remove}}})
	}
	return device.ProtocolBehaviour("bird after export", terms...)
}

// received is what happens before the import filter.
func received(pr *protocol, s *device.Session) device.Step {
	loop := &device.Term{Name: "own ASN in the path", Match: &device.InPath{Own: true}, Then: device.Disposition{Flow: device.RejectRoute}}
	if !pr.allowAS.IsZero() {
		loop.Then = device.Disposition{At: device.At{Pos: pr.allowAS}, Flow: device.DecideMaybe, Text: "allow local as"}
	}
	terms := []*device.Term{loop}
	if pr.firstAS && s.PeerAS != 0 {
		terms = append(terms, &device.Term{
			Name: "first ASN is not the neighbor's", Match: device.Negate(&device.ASPathMatch{Pattern: aspath.First(aspath.One(s.PeerAS))}),
			Then: device.Disposition{Flow: device.RejectRoute},
		})
	}
	op := device.AssignIfAbsent
	if s.Kind == device.External && !pr.allowLP {
		op = device.Assign // RFC 4271 section 5.1.5
	}
	terms = append(terms, &device.Term{Name: "LOCAL_PREF", Match: device.Always("every received route"), Actions: []device.Action{
		&device.SetScalar{Field: device.LocalPref, Op: op, Value: pr.localPref},
	}})
	return device.ProtocolBehaviour("bird before import", terms...)
}

// protoIs asks which protocol a route comes from.
func (e *evaluator) protoIs(x *expr, matches func(string) bool) device.Expr {
	at := device.At{Pos: x.pos}
	var names []string
	var xs []device.Expr
	kinds := map[string]int{}
	for _, pr := range e.p.order {
		kinds[pr.kind]++
	}
	for _, pr := range e.p.order {
		if !matches(pr.name) {
			continue
		}
		switch pr.kind {
		case "bgp":
			names = append(names, pr.name)
		case "static":
			xs = append(xs, staticOf(at, pr, kinds["static"] == 1))
		case "direct", "kernel", "ospf", "rip":
			one := map[string]device.Protocol{"direct": device.Direct, "kernel": device.Kernel, "ospf": device.OSPF, "rip": device.RIP}[pr.kind]
			var is device.Expr = &device.ProtocolMatch{At: at, Protocols: []device.Protocol{one}}
			if kinds[pr.kind] > 1 {
				is = &device.And{At: at, Xs: []device.Expr{is, unknownExpr(x.pos, x.String(), "there is more than one such protocol")}}
			}
			xs = append(xs, is)
		}
	}
	if len(names) > 0 {
		xs = append(xs, &device.NeighborMatch{At: at, Side: device.Sender, Names: names})
	}
	if e.p.cfg.Incomplete {
		xs = append(xs, unknownExpr(x.pos, x.String(), "a protocol may be in the file that is missing"))
	}
	return device.AnyOfExprs(x.pos, xs...)
}

// staticOf are the routes of a static protocol.
func staticOf(at device.At, pr *protocol, only bool) device.Expr {
	is := &device.ProtocolMatch{At: at, Protocols: []device.Protocol{device.Static, device.Local}}
	if only {
		return is
	}
	set := &device.PrefixSet{At: at}
	for _, n := range pr.routes {
		set.Entries = append(set.Entries, device.PrefixEntry{At: at, Range: device.Exact(netip.PrefixFrom(n.Addr(), n.Bits()))})
	}
	return &device.And{At: at, Xs: []device.Expr{is, &device.PrefixMatch{At: at, Set: set}}}
}
