package frr

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// pipelines builds both directions of a session.
func (v *neighborView) pipelines(s *device.Session) {
	if v.cfg.Broken {
		steps := []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "not loaded", Chain: device.Chain{At: s.At, Why: "the file is a template"}}}
		s.Export, s.Import = device.Pipeline{At: s.At, Steps: steps}, device.Pipeline{At: s.At, Steps: steps}
		return
	}
	s.Export = device.Pipeline{At: s.At, Steps: []device.Step{v.before(s)}}
	s.Import = device.Pipeline{At: s.At, Steps: []device.Step{v.received(s)}}
	if s.Facts.LocalRole != device.UnknownRole && s.Kind == device.External {
		s.Import.Steps = append(s.Import.Steps, device.OTCIngress(s))
	}
	exp, imp := v.policySteps(s, "out"), v.policySteps(s, "in")
	s.Facts.NoExportPolicy, s.Facts.NoImportPolicy = exp[0].Kind == device.DefaultStep, imp[0].Kind == device.DefaultStep
	s.Export.Steps = append(s.Export.Steps, v.withPathEdits(s, exp)...)
	s.Import.Steps = append(s.Import.Steps, imp...)
	if v.t.dialect == device.FRR && s.Kind == device.External {
		s.Import.Steps = append(s.Import.Steps, marked())
	}
	if s.Facts.LocalRole != device.UnknownRole && s.Kind == device.External {
		s.Export.Steps = append(s.Export.Steps, device.OTCEgress(s))
	}
	s.Export.Steps = append(s.Export.Steps, v.after(s))
	v.originate(s)
}

// policySteps are the filters of a direction in the order they are asked; all
// have to accept (FRR-50). Without any the default holds.
func (v *neighborView) policySteps(s *device.Session, dir string) []device.Step {
	var steps []device.Step
	for _, f := range []struct {
		key  string
		name listName
	}{
		{"distribute-list", listName{kind: device.AccessListKind, family: v.family}},
		{"prefix-list", listName{kind: device.PrefixSetKind, family: v.family}},
		{"filter-list", listName{kind: device.ASPathSetKind}},
	} {
		if l, ignored := v.filter(f.key + " " + dir); l != nil {
			v.overridden(s, ignored)
			f.name.name = l.args[0]
			steps = append(steps, v.filterStep(s, f.key, f.name, l))
		}
	}
	if l, ignored := v.filter("route-map " + dir); l != nil {
		v.overridden(s, ignored)
		steps = append(steps, v.mapStep(s, l))
	}
	if len(steps) > 0 {
		return steps
	}
	c := device.Chain{At: s.At, Default: device.Accept, Why: "no policy is configured: every route passes"}
	switch s.Facts.DefaultDeny {
	case device.True:
		c.Default, c.Why = device.Reject, "no policy is configured: an external session sends and receives nothing (RFC 8212)"
	case device.Maybe:
		c.Default, c.Why = device.Undecided, "whether this version of FRR follows RFC 8212 without being told is not known"
	}
	return []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "default", Chain: c}}
}

// overridden reports a filter of a group's member that the group's replaces.
func (v *neighborView) overridden(s *device.Session, l *setting) {
	if l == nil {
		return
	}
	const why = "a member of a peer group takes its outbound filters from the group"
	s.Facts.Ignored = append(s.Facts.Ignored, device.IgnoredPolicy{At: device.At{Pos: l.l.pos}, Name: l.args[0], Why: why})
	v.report(device.Diagnostic{At: device.At{Pos: l.l.pos}, Rule: "RL219", Severity: device.Warning, Session: s.Name, Message: l.l.text() + " has no effect: " + why, Fix: "configure it at the group"})
}

func (v *neighborView) filterStep(s *device.Session, key string, n listName, l *setting) device.Step {
	at := device.At{Pos: l.l.pos}
	step := device.Step{At: at, Kind: device.FilterStep, Name: key + " " + n.name}
	ref := v.use(n, l.l.pos, false)
	if ref.Set == nil {
		v.report(device.Diagnostic{
			At: at, Rule: "RL301", Session: s.Name, Set: n.name,
			Message: fmt.Sprintf("%s %q is not defined: %s", key, n.name, outcome(v.t.undefinedList)), Fix: "define the list or correct the name",
		})
		step.Chain = device.Chain{At: at, Default: v.t.undefinedList, Why: fmt.Sprintf("%s %q is not defined", key, n.name)}
		return step
	}
	if c, open := v.asked(ref).X.(*device.Const); open && c.Value {
		v.report(device.Diagnostic{
			At: at, Rule: "RL205", Session: s.Name, Set: n.name, Message: fmt.Sprintf("%s %q has no entries: every route passes", key, n.name), Fix: "fill the list, or remove the line",
		})
	}
	p := device.BuiltIn(step.Name, &device.Term{At: at, Name: n.name, Match: ref, Then: device.Disposition{At: at, Flow: device.AcceptRoute}})
	step.Chain = device.Chain{At: at, Policies: []*device.Policy{p}, Default: device.Reject, Why: "the list does not permit it"}
	return step
}

func outcome(verdict device.Verdict) string {
	return map[device.Verdict]string{
		device.Accept: "every route passes", device.Reject: "no route passes", device.Undecided: "what the device makes of it is not confirmed",
	}[verdict]
}

func (v *neighborView) mapStep(s *device.Session, l *setting) device.Step {
	at, name := device.At{Pos: l.l.pos}, l.args[0]
	step := device.Step{At: at, Kind: device.PolicyStep, Name: name}
	m := v.maps[name]
	if m == nil {
		v.report(device.Diagnostic{
			At: at, Rule: "RL301", Session: s.Name, Policy: name,
			Message: fmt.Sprintf("route map %q is not defined: %s", name, outcome(v.t.undefinedMap)), Fix: "define the route map or correct the name",
		})
		step.Chain = device.Chain{At: at, Default: v.t.undefinedMap, Why: fmt.Sprintf("route map %q is not defined", name)}
		return step
	}
	step.Chain = device.Chain{At: at, Policies: []*device.Policy{m.policy}, Default: device.Reject, Why: "no entry of the route map permits it"}
	if v.t.keepsReflected && s.Kind == device.InternalSession && !v.ro.changesReflected && l.args[len(l.args)-1] == "out" {
		step.Chain.Policies = append([]*device.Policy{reflected(step.Chain)}, step.Chain.Policies...)
	}
	return step
}

// reflected asks the route map about a route between internal neighbors and
// drops what it changes: a reflector leaves attributes alone unless "bgp
// route-reflector allow-outbound-policy" is set (RFC 4456 section 10).
func reflected(c device.Chain) *device.Policy {
	internal := &device.ProtocolMatch{Protocols: []device.Protocol{device.IBGP}}
	return device.BuiltIn("reflected routes",
		&device.Term{At: c.At, Name: "permitted", Match: &device.And{At: c.At, Xs: []device.Expr{internal, &device.SubPolicy{At: c.At, Chain: c}}}, Then: device.Disposition{Flow: device.AcceptRoute}},
		&device.Term{At: c.At, Name: "denied", Match: internal, Then: device.Disposition{Flow: device.RejectRoute}})
}

// before is what holds a route back before the filters look at it.
func (v *neighborView) before(s *device.Session) device.Step {
	var terms []*device.Term
	reject := func(name string, x device.Expr) {
		terms = append(terms, &device.Term{At: device.At{Pos: x.Position()}, Name: name, Match: x, Then: device.Disposition{Flow: device.RejectRoute}})
	}
	has := func(c device.Community) device.Expr {
		return &device.CommunityMatch{Patterns: []device.CommunityPattern{device.LiteralPattern(c, c.Text, device.Pos{})}}
	}
	terms = v.origins()
	reject("back to the sender", &device.SameNeighbor{})
	v.suppressed(reject, &terms)
	if v.t.dialect == device.FRR {
		// What the router originates carries the default LOCAL_PREF; what came
		// from another AS carries none until it is sent on inside.
		own := device.Negate(&device.ProtocolMatch{Protocols: device.BGP})
		if s.Kind != device.External {
			own = device.Always("every route to an internal neighbor")
		}
		terms = append(terms, change("LOCAL_PREF", own, &device.SetScalar{Field: device.LocalPref, Op: device.AssignIfAbsent, Value: v.ro.localPref}))
	}
	// RFC 1997: well-known communities the route came with; what the export
	// policy sets itself does not count (FRR-44).
	reject("no-advertise", has(device.NoAdvertise))
	if s.Kind != device.InternalSession {
		reject("no-export-subconfed", has(device.NoExportSubconfed))
	}
	if s.Kind == device.External || s.Kind == device.UnknownKind {
		reject("no-export", has(device.NoExport))
	}
	if s.Kind == device.InternalSession && !s.Facts.ReflectorClient {
		// RFC 4271 section 9.2, RFC 4456 section 6.
		client := true
		reject("ibgp-to-ibgp", &device.And{Xs: []device.Expr{
			&device.ProtocolMatch{Protocols: []device.Protocol{device.IBGP}},
			device.Negate(&device.NeighborMatch{Side: device.Sender, Client: &client}),
		}})
	}
	if v.t.checksPeerAS && s.Kind == device.External && s.PeerAS != 0 && !v.says("disable-peer-as-check") {
		reject("neighbor's ASN in front", &device.ASPathMatch{Pattern: aspath.First(aspath.Set{{Lo: s.PeerAS, Hi: s.PeerAS}})})
	}
	if s.Kind == device.External && v.t.dialect != device.FRR {
		v.pathEdits(&terms)
	}
	return device.ProtocolBehaviour(string(v.t.dialect)+" before export", terms...)
}

// withPathEdits puts the changes of the AS path where FRR makes them: the lists of
// the session see the path as it was, the route map what became of it.
func (v *neighborView) withPathEdits(s *device.Session, steps []device.Step) []device.Step {
	var terms []*device.Term
	if s.Kind == device.External && v.t.dialect == device.FRR {
		v.pathEdits(&terms)
	}
	if len(terms) == 0 {
		return steps
	}
	at := len(steps)
	for i := range steps {
		if steps[i].Kind == device.PolicyStep {
			at = i
		}
	}
	return slices.Insert(slices.Clone(steps), at, device.ProtocolBehaviour("frr AS path", terms...))
}

// origins are the route maps that our own routes pass when they come into BGP:
// what they deny is not there.
func (v *neighborView) origins() []*device.Term {
	var terms []*device.Term
	for _, o := range v.ro.origins {
		chain := device.Chain{At: o.At, Default: device.Reject, Why: "no entry of the route map permits it"}
		if m := v.maps[o.name]; m != nil {
			chain.Policies = []*device.Policy{m.policy}
		} else if v.t.dialect != device.FRR {
			chain.Default, chain.Why = device.Undecided, fmt.Sprintf("route map %q is not defined", o.name)
		}
		terms = append(terms, change("route map of our own routes", o.match, &device.Call{At: o.At, Chain: chain, OnReject: device.Disposition{At: o.At, Flow: device.RejectRoute}}))
	}
	return terms
}

// suppressed holds back what summary-only aggregates cover, and what lines
// that are not modelled may hold back.
func (v *neighborView) suppressed(reject func(string, device.Expr), terms *[]*device.Term) {
	unsuppress := v.of("unsuppress-map")
	for _, t := range v.ro.suppress {
		if unsuppress == nil {
			*terms = append(*terms, &device.Term{At: t.At, Name: t.Name, Match: t.Match, Then: t.Then})
			continue
		}
		at := device.At{Pos: unsuppress.l.pos}
		reject(t.Name, &device.And{At: t.At, Xs: []device.Expr{t.Match, &device.Unknown{At: at, Text: unsuppress.l.text(), Why: "not modelled"}}})
	}
	for _, l := range v.ro.narrow {
		reject("held back", &device.Unknown{At: device.At{Pos: l.pos}, Text: l.text(), Why: "it may hold routes back; not modelled"})
	}
	if l := v.of("advertise-map"); l != nil && !l.off {
		reject("conditional advertisement", &device.Unknown{At: device.At{Pos: l.l.pos}, Text: l.l.text(), Why: "conditional advertisement is not modelled"})
	}
}

func change(name string, x device.Expr, as ...device.Action) *device.Term {
	return &device.Term{Name: name, Match: x, Actions: as}
}

// privateASNs are those of RFC 6996.
var privateASNs = aspath.Set{{Lo: 64512, Hi: 65534}, {Lo: 4200000000, Hi: 4294967294}}

// pathEdits are changes of the AS path that come before the route map.
func (v *neighborView) pathEdits(terms *[]*device.Term) {
	always := device.Always("every route to an external neighbor")
	path := device.FieldSet(device.ASPathField)
	if s := v.of("remove-private-as"); s != nil && !s.off {
		at := device.At{Pos: s.l.pos}
		a := device.Action(&device.UnknownAction{At: at, Text: s.l.text(), Changes: path})
		when := device.Expr(always)
		switch {
		case len(s.args) == 1 && s.args[0] == "all":
			a = &device.EditASPath{At: at, Private: true}
		case len(s.args) == 0 && v.t.dialect == device.FRR:
			// A path that has a public ASN stays as it is.
			when, a = &device.ASPathMatch{At: at, Pattern: aspath.Within(privateASNs)}, &device.EditASPath{At: at, Clear: true}
		}
		*terms = append(*terms, change("remove private ASNs", when, a))
	}
	if s := v.of("as-override"); s != nil && !s.off {
		*terms = append(*terms, change("replace the neighbor's ASN", always, &device.UnknownAction{At: device.At{Pos: s.l.pos}, Text: s.l.text(), Changes: path}))
	}
}

// after is what the protocol does to a route it sends.
func (v *neighborView) after(s *device.Session) device.Step {
	var terms []*device.Term
	always := device.Always("every route that is sent")
	if (s.Kind == device.External || s.Kind == device.UnknownKind) && !s.Facts.RSClient {
		// RFC 4271 section 5.1.2.
		own := &device.PrependAS{ASNs: []uint32{s.LocalAS}, Repeat: 1}
		if l := v.anywhere("local-as"); l != nil && s.LocalAS != v.ro.asn && !replaces(l.args) {
			own.ASNs = append(own.ASNs, v.ro.asn)
		}
		terms = append(terms, change("local ASN in front", always, own))
	}
	if s.Kind == device.External {
		// RFC 4271 section 5.1.5.
		terms = append(terms, change("LOCAL_PREF", always, &device.SetScalar{Field: device.LocalPref, Op: device.Remove}))
	}
	for kind, state := range []device.Sending{device.Standard: s.Facts.SendCommunity, device.Extended: s.Facts.SendExtended, device.Large: s.Facts.SendLarge} {
		if state == device.Stripped {
			terms = append(terms, change("communities are not sent", always, &device.SetCommunities{Kind: device.CommunityKind(kind), Op: device.ReplaceCommunities}))
		}
	}
	return device.ProtocolBehaviour(string(v.t.dialect)+" after export", terms...)
}

func replaces(args []string) bool {
	for _, a := range args {
		if a == "replace-as" {
			return true
		}
	}
	return false
}

// received is what happens before the import filters: a path with the own ASN
// is a loop (RFC 4271 section 9.1.2) unless it is allowed, and LOCAL_PREF of
// another AS does not count (section 5.1.5).
func (v *neighborView) received(s *device.Session) device.Step {
	loop := &device.Term{Name: "own ASN in the path", Match: &device.InPath{Own: true}, Then: device.Disposition{Flow: device.RejectRoute}}
	if l := v.of("allowas-in"); l != nil && !l.off {
		loop.Then = device.Disposition{At: device.At{Pos: l.l.pos}, Flow: device.DecideMaybe, Text: l.l.text()}
	}
	terms := []*device.Term{loop}
	if v.t.dialect != device.FRR {
		terms = append(terms, change("LOCAL_PREF", device.Always("every received route"), &device.SetScalar{Field: device.LocalPref, Op: device.AssignIfAbsent, Value: 100}))
	}
	return device.ProtocolBehaviour(string(v.t.dialect)+" before import", terms...)
}

// marked is what FRR makes of two well-known communities of an external
// neighbor: a route to be dropped does not leave the AS (RFC 7999 section 3.2),
// one that is about to go away is the last choice (RFC 8326 section 4).
func marked() device.Step {
	has := func(name string) device.Expr {
		c, _ := device.ParseCommunity(device.Standard, name)
		return &device.CommunityMatch{Patterns: []device.CommunityPattern{device.LiteralPattern(c, name, device.Pos{})}}
	}
	return device.ProtocolBehaviour("frr after import",
		change("blackhole", has("blackhole"), &device.SetCommunities{Op: device.AddCommunities, Values: []device.Community{device.NoExport}}),
		change("graceful-shutdown", has("graceful-shutdown"), &device.SetScalar{Field: device.LocalPref, Value: 0}))
}

// originate: default-originate sends the default route past every filter
// (FRR-51).
func (v *neighborView) originate(s *device.Session) {
	l := v.of("default-originate")
	if l == nil || l.off || v.family == device.OtherFamily {
		return
	}
	o := device.Origination{At: device.At{Pos: l.l.pos}, Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
	if v.family == device.IPv6 {
		o.Prefix = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	for i, a := range l.args {
		if a != "route-map" || i+1 >= len(l.args) {
			continue
		}
		o.Chain = &device.Chain{At: o.At, Why: "the route map is asked about other routes of the table"}
		if m := v.maps[l.args[i+1]]; m != nil {
			o.Chain.Policies, o.Chain.Default = []*device.Policy{m.policy}, device.Reject
		}
	}
	s.Originate = append(s.Originate, o)
}
