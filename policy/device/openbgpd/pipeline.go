package openbgpd

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
)

// lower makes the sessions.
func (p *parser) lower() {
	shared := map[string]*lowered{}
	for _, n := range p.neighbors {
		s := p.session(n)
		p.cfg.Sessions = append(p.cfg.Sessions, s)
		switch {
		case p.cfg.Broken:
			s.Export, s.Import = undecided(s, "bgpd does not load this file"), undecided(s, "bgpd does not load this file")
			continue
		case n.rib != "" && n.rib != "Loc-RIB":
			s.Export, s.Import = undecided(s, "neighbors of another RIB are not modelled"), undecided(s, "neighbors of another RIB are not modelled")
			continue
		}
		p.imports(n, s, shared)
		p.exports(n, s, shared)
	}
	p.cfg.AdmitUnknown()
	p.unused()
}

func undecided(s *device.Session, why string) device.Pipeline {
	return device.Pipeline{At: s.At, Steps: []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "not modelled", Chain: device.Chain{At: s.At, Why: why}}}}
}

func (p *parser) unused() {
	for _, s := range p.cfg.Sets {
		if s.Used == 0 {
			p.report(device.Diagnostic{
				At: s.At, Rule: "RL305", Severity: device.Warning, Set: s.Name,
				Message: fmt.Sprintf("%s %q is defined and never used", s.Kind, s.Name),
			})
		}
	}
}

func (p *parser) imports(n *neighbor, s *device.Session, shared map[string]*lowered) {
	s.Import = device.Pipeline{At: s.At, Steps: []device.Step{received(n, s)}}
	if s.Facts.LocalRole != device.UnknownRole {
		s.Import.Steps = append(s.Import.Steps, device.OTCIngress(s))
	}
	v := &view{p: p, s: s, n: n}
	if !n.asOverride.IsZero() {
		s.Import.Steps = append(s.Import.Steps, device.ProtocolBehaviour("as-override", &device.Term{
			At: device.At{Pos: n.asOverride}, Name: "as-override", Match: &device.ASPathMatch{Pattern: contains(s.PeerAS)},
			Actions: []device.Action{&device.UnknownAction{At: device.At{Pos: n.asOverride}, Text: "as-override", Changes: device.FieldSet(device.ASPathField)}},
		}))
	}
	step, bare := v.ruleStep(shared)
	s.Facts.NoImportPolicy = bare
	s.Import.Steps = append(s.Import.Steps, step)
}

func (p *parser) exports(n *neighbor, s *device.Session, shared map[string]*lowered) {
	v := &view{p: p, s: s, n: n, out: true}
	step, bare := v.ruleStep(shared)
	tail := []device.Step{step}
	if s.Facts.LocalRole != device.UnknownRole {
		tail = append(tail, device.OTCEgress(s))
	}
	tail = append(tail, after(n, s))
	switch n.export {
	case "none":
		s.Export = device.Pipeline{At: s.At, Steps: []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "export none", Chain: device.Chain{At: s.At, Default: device.Reject, Why: "export none"}}}}
	case "default-route":
		s.Export = device.Pipeline{At: s.At, Steps: []device.Step{{At: s.At, Kind: device.DefaultStep, Name: "export default-route", Chain: device.Chain{At: s.At, Default: device.Reject, Why: "export default-route: nothing else is sent"}}}}
		originate(s, &device.Pipeline{At: s.At, Steps: tail})
	default:
		s.Export = device.Pipeline{At: s.At, Steps: append([]device.Step{p.before(n, s)}, tail...)}
		s.Facts.NoExportPolicy = bare
	}
}

// originate notes the default route of "export default-route", which the rules
// are asked about too.
func originate(s *device.Session, filters *device.Pipeline) {
	for _, f := range s.Families {
		net := anyOf(f)
		if !net.IsValid() {
			continue
		}
		o := device.Origination{At: s.At, Prefix: net}
		res := concrete.Pipeline(s, filters, device.Route{Prefix: net, Source: device.Source{Protocol: device.Local}, RPKI: device.RPKINotFound})
		switch res.Verdict {
		case device.Reject:
			continue
		case device.Undecided:
			o.Chain = &device.Chain{At: s.At, Why: "the rules may allow the default route"}
		case device.Accept:
			o.Sent = &res.Route
		}
		s.Originate = append(s.Originate, o)
	}
}

// before is what holds a route back before the rules are asked.
func (p *parser) before(n *neighbor, s *device.Session) device.Step {
	var terms []*device.Term
	reject := func(name string, x device.Expr) {
		terms = append(terms, &device.Term{Name: name, Match: x, Then: device.Disposition{Flow: device.RejectRoute}})
	}
	has := func(c device.Community) device.Expr {
		return &device.CommunityMatch{Patterns: []device.CommunityPattern{device.LiteralPattern(c, c.Text, device.Pos{})}}
	}
	reject("back to the sender", &device.SameNeighbor{})
	if s.Kind == device.InternalSession && !n.reflector {
		// RFC 4271 section 9.2, RFC 4456 section 6.
		client := true
		reject("ibgp-to-ibgp", &device.And{Xs: []device.Expr{
			&device.ProtocolMatch{Protocols: []device.Protocol{device.IBGP}},
			device.Negate(&device.NeighborMatch{Side: device.Sender, Client: &client}),
		}})
	}
	terms = append(terms, p.originated(reject)...)
	// RFC 1997: what a route came with; communities that a rule adds on the way
	// out do not count.
	reject("no-advertise", has(device.NoAdvertise))
	if s.Kind != device.InternalSession {
		reject("no-export", has(device.NoExport))
		reject("no-export-subconfed", has(device.NoExportSubconfed))
	}
	return device.ProtocolBehaviour("openbgpd before the rules", terms...)
}

// originated: of what the router itself has, only network statements are
// announced, with the attributes they set.
func (p *parser) originated(reject func(string, device.Expr)) []*device.Term {
	bgp := &device.ProtocolMatch{Protocols: device.BGP}
	announced := []device.Expr{bgp}
	var terms []*device.Term
	own := &view{p: p, s: &device.Session{LocalAS: p.cfg.ASN, PeerAS: p.cfg.ASN}, n: &neighbor{}}
	for _, n := range p.networks {
		at := device.At{Pos: n.pos}
		xs := []device.Expr{&device.ProtocolMatch{At: at, Protocols: []device.Protocol{n.protocol}}}
		if n.any {
			xs = append(xs, &device.FamilyMatch{At: at, Family: n.family})
		} else {
			set := &device.PrefixSet{At: at}
			for _, net := range n.nets {
				set.Entries = append(set.Entries, device.PrefixEntry{At: at, Range: device.Exact(net)})
			}
			xs = append(xs, &device.PrefixMatch{At: at, Set: set})
		}
		x := &device.And{At: at, Xs: xs}
		announced = append(announced, x)
		if len(n.sets) == 0 {
			continue
		}
		t := &device.Term{At: at, Name: "network", Match: x}
		for i := range n.sets {
			t.Actions = append(t.Actions, own.action(&n.sets[i]))
		}
		terms = append(terms, t)
	}
	if !p.cfg.Incomplete {
		reject("not announced by a network statement", device.Negate(&device.Or{Xs: announced}))
	}
	return terms
}

// after is what the protocol does to a route that is sent.
func after(n *neighbor, s *device.Session) device.Step {
	if s.Kind != device.External {
		return device.ProtocolBehaviour("openbgpd after the rules")
	}
	every := device.Always("every route to an external neighbor")
	var terms []*device.Term
	if !n.transparent {
		// RFC 4271 section 5.1.2.
		terms = append(terms, &device.Term{Name: "local ASN in front", Match: every, Actions: []device.Action{&device.PrependAS{Own: true, Repeat: 1}}})
	}
	// RFC 4271 section 5.1.5.
	terms = append(terms, &device.Term{Name: "LOCAL_PREF", Match: every, Actions: []device.Action{&device.SetScalar{Field: device.LocalPref, Op: device.Remove}}})
	return device.ProtocolBehaviour("openbgpd after the rules", terms...)
}

// received is what happens before the rules look at what a neighbor sent.
func received(n *neighbor, s *device.Session) device.Step {
	var terms []*device.Term
	every := device.Always("every received route")
	external := s.Kind == device.External
	if external && !n.looseLocal {
		// RFC 4271 section 9.1.2.
		terms = append(terms, &device.Term{Name: "own ASN in the path", Match: &device.InPath{Own: true}, Then: device.Disposition{Flow: device.RejectRoute}})
	}
	if s.PeerAS != 0 && (n.enforce == device.True || n.enforce == device.Maybe && external) {
		// RFC 4271 section 6.3: the session would even end.
		terms = append(terms, &device.Term{
			Name: "first ASN is not the neighbor's", Match: device.Negate(&device.ASPathMatch{Pattern: first(s.PeerAS)}), Then: device.Disposition{Flow: device.RejectRoute},
		})
	}
	op := device.AssignIfAbsent
	if external {
		op = device.Assign // RFC 4271 section 5.1.5
	}
	terms = append(terms, &device.Term{Name: "LOCAL_PREF", Match: every, Actions: []device.Action{&device.SetScalar{Field: device.LocalPref, Op: op, Value: 100}}})
	return device.ProtocolBehaviour("openbgpd before import", terms...)
}

// lowered is what the rules come to, for sessions that meet the same ones.
type lowered struct {
	changes  *device.Policy // nil when no rule sets anything, or it could not be set apart
	decision *device.Policy
}

// ruleStep is the filter of a session; bare reports that no rule is for it.
func (v *view) ruleStep(shared map[string]*lowered) (step device.Step, bare bool) {
	at := v.s.At
	step = device.Step{At: at, Kind: device.PolicyStep, Name: "filter", Chain: device.Chain{At: at, Default: device.Reject, Why: "no rule allows it"}}
	rules := v.applying()
	if !slices.ContainsFunc(rules, func(a applied) bool { return a.r.action == allow || a.r.unread }) {
		bare = true
		step.Kind, step.Name, step.Chain.Why = device.DefaultStep, "default", "no rule allows anything for this neighbor"
	}
	key := v.key(rules)
	l := shared[key]
	if l == nil {
		l = v.lower(rules)
		shared[key] = l
		if !bare {
			v.p.cfg.Policies = append(v.p.cfg.Policies, l.decision)
		}
	}
	if l.changes != nil {
		step.Chain.Policies = append(step.Chain.Policies, l.changes)
	}
	step.Chain.Policies = append(step.Chain.Policies, l.decision)
	return step, bare
}

// applied is a rule that is for the session, and how many of its neighbors name
// it: each is a rule of its own.
type applied struct {
	r     *rule
	times int
	maybe bool // whether it is for this neighbor is not known
}

func (v *view) applying() []applied {
	var out []applied
	for _, list := range [][]*rule{v.p.groupSets, v.p.peerSets, v.p.rules} {
		for _, r := range list {
			if r.out != v.out || len(r.ribs) > 0 && !slices.Contains(r.ribs, "Loc-RIB") {
				continue
			}
			a := applied{r: r}
			for _, q := range r.peers {
				switch v.names(q) {
				case device.True:
					a.times++
				case device.Maybe:
					a.maybe = true
				}
			}
			if a.times > 0 || a.maybe {
				out = append(out, a)
			}
		}
	}
	return out
}

// key is equal for sessions for which the rules come to the same.
func (v *view) key(rules []applied) string {
	own := fmt.Sprint(v.out, v.s.LocalAS)
	personal := false
	for _, a := range rules {
		own += fmt.Sprintf(" %p/%d", a.r, a.times)
		personal = personal || a.maybe || a.r.personal()
	}
	if personal {
		own += " " + v.s.Name
	}
	return own
}

// personal reports whether a rule means something else for each neighbor.
func (r *rule) personal() bool {
	asks := func(text string) bool { return slices.Contains(splitColon(text), "neighbor-as") }
	return slices.ContainsFunc(r.as, func(t asTest) bool { return t.neighbor }) ||
		slices.ContainsFunc(r.tests, func(t test) bool {
			return asks(t.text) || asks(t.sub) || t.kind == "nexthop"
		}) ||
		slices.ContainsFunc(r.sets, func(s setting) bool { return asks(s.text) || s.kind == setPrependPeer })
}
