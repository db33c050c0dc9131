package gobgp

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// direction a policy is used in. One policy may be used in both; what a
// neighbor set is compared with differs.
type direction uint8

const (
	exporting direction = iota
	importing
)

// statement is what the conditions of one statement are read from.
type statement struct {
	b      *builder
	n      *node
	policy string
	name   string
	dir    direction
	first  bool // report diagnostics: once, not once per direction
	xs     []device.Expr
}

func (s *statement) report(d device.Diagnostic) {
	if s.first {
		d.Policy, d.Term = s.policy, s.name
		s.b.report(d)
	}
}

func (s *statement) loadError(d device.Diagnostic) {
	if s.first {
		d.Policy, d.Term = s.policy, s.name
		s.b.loadError(d)
	}
}

// conditions joins what is written; all have to hold.
func (s *statement) conditions() device.Expr {
	c := s.n.child("conditions")
	bgp := c.child("bgp-conditions")
	s.ignored(c)
	s.ignored(bgp)
	s.setCondition(c, "match-prefix-set", "prefix-set", device.PrefixSetKind, s.prefixSet)
	s.setCondition(c, "match-neighbor-set", "neighbor-set", device.NeighborSetKind, s.neighborSet)
	s.setCondition(bgp, "match-as-path-set", "as-path-set", device.ASPathSetKind, s.asPathSet)
	for _, k := range communityKinds {
		s.setCondition(bgp, "match-"+k.key+"-set", k.key+"-set", k.set, s.communitySet)
	}
	s.compare(bgp, "community-count", device.CommunityCount)
	s.compare(bgp, "as-path-length", device.ASPathLen)
	s.routeType(bgp)
	s.rpki(bgp)
	s.origin(bgp)
	s.nextHops(bgp)
	s.families(bgp)
	return device.AllOfExprs(s.n.pos, s.xs...)
}

// ignored reports conditions the daemon decodes and never evaluates: the
// statement matches more than it says.
func (s *statement) ignored(n *node) {
	if n == nil {
		return
	}
	for _, k := range n.kids {
		if ignoredConditions[k.key] {
			s.report(device.Diagnostic{
				At: device.At{Pos: k.pos}, Rule: "RL207",
				Message: fmt.Sprintf("condition %s has no effect in GoBGP: the statement matches as if it were not there", k.key),
				Fix:     "use a condition GoBGP evaluates",
			})
		}
	}
}

// setCondition reads one reference to a named set. An empty name drops the
// condition; an unknown one makes the load fail.
func (s *statement) setCondition(n *node, match, key string, kind device.SetKind, mean func(*device.Set, string, device.Pos) device.Expr) {
	m := n.child(match)
	if m == nil {
		return
	}
	name, pos := m.str(key), m.at(key)
	if name == "" {
		s.report(device.Diagnostic{
			At: device.At{Pos: pos}, Rule: "RL206",
			Message: fmt.Sprintf("%s has an empty name: GoBGP drops the condition and the statement matches everything else", key),
			Fix:     "name a set, or remove the statement",
		})
		s.xs = append(s.xs, &device.Ref{At: device.At{Pos: pos}, Kind: kind, X: &device.Const{At: device.At{Pos: pos}, Value: true, Why: "a set name that is empty drops the condition"}})
		return
	}
	ref := &device.Ref{At: device.At{Pos: pos}, Kind: kind, Name: name, Set: s.b.set(kind, name)}
	s.xs = append(s.xs, ref)
	if ref.Set == nil {
		s.loadError(device.Diagnostic{
			At: ref.At, Set: name, Message: fmt.Sprintf("%s %q is not defined", kind, name), Fix: "define the set or correct the name",
		})
		ref.X = &device.Unknown{At: ref.At, Text: name, Why: "the set is not defined; GoBGP does not load the policy"}
		return
	}
	if s.first {
		ref.Set.Used++
	}
	ref.X = mean(ref.Set, m.str("match-set-options"), pos)
	s.misspeltOption(m, kind)
}

func (s *statement) misspeltOption(m *node, kind device.SetKind) {
	option := m.str("match-set-options")
	switch option {
	case "", "any", "invert":
		return
	case "all":
		if kind != device.PrefixSetKind && kind != device.NeighborSetKind {
			return
		}
	}
	d := device.Diagnostic{
		At: device.At{Pos: m.at("match-set-options")}, Rule: "RL207",
		Message: fmt.Sprintf("match-set-options %q is not known to %s conditions", option, kind),
		Fix:     "write any, all or invert",
	}
	if kind == device.PrefixSetKind || kind == device.NeighborSetKind {
		d.Message += ": GoBGP takes it as any"
		s.report(d)
		return
	}
	s.loadError(d)
}

func (s *statement) prefixSet(set *device.Set, option string, pos device.Pos) device.Expr {
	at := device.At{Pos: pos}
	if len(set.Prefixes.Entries) == 0 {
		// The family of an empty set equals no route's: no match, also inverted.
		s.emptySet(set, pos, false)
		return &device.Const{At: at, Why: "an empty prefix set matches nothing, also inverted"}
	}
	family := device.FamilyOf(set.Prefixes.Entries[0].Range.Net)
	var x device.Expr = &device.PrefixMatch{At: at, Set: set.Prefixes}
	if option == "invert" {
		x = device.Negate(x)
	}
	return &device.And{At: at, Xs: []device.Expr{&device.FamilyMatch{At: at, Family: family}, x}}
}

func (s *statement) neighborSet(set *device.Set, option string, pos device.Pos) device.Expr {
	at := device.At{Pos: pos}
	addrs := s.b.neighbors[set.Name].addrs
	if len(addrs) == 0 {
		s.emptySet(set, pos, true)
		return &device.Const{At: at, Value: true, Why: "an empty neighbor set matches every neighbor, also inverted"}
	}
	m := &device.NeighborMatch{At: at, Side: device.Receiver, Addrs: addrs}
	if s.dir == importing {
		m.Side = device.Sender
	}
	if option != "invert" {
		return m
	}
	if s.dir == importing {
		// A route without a neighbor matches neither way.
		return &device.And{At: at, Xs: []device.Expr{&device.ProtocolMatch{At: at, Protocols: device.BGP}, device.Negate(m)}}
	}
	return device.Negate(m)
}

func (s *statement) asPathSet(set *device.Set, option string, pos device.Pos) device.Expr {
	at := device.At{Pos: pos}
	members := set.X.(*device.Or)
	if len(members.Xs) == 0 {
		matches := option == "all" || option == "invert"
		s.emptySet(set, pos, matches)
		return &device.Const{At: at, Value: matches, Why: "an empty as-path set matches with all and invert, not with any"}
	}
	switch option {
	case "all":
		return &device.And{At: at, Xs: members.Xs}
	case "invert":
		return device.Negate(members)
	}
	return members
}

func (s *statement) communitySet(set *device.Set, option string, pos device.Pos) device.Expr {
	at := device.At{Pos: pos}
	members := set.X.(*device.CommunityMatch)
	if len(members.Patterns) == 0 {
		matches := option == "invert"
		s.emptySet(set, pos, matches)
		return &device.Const{At: at, Value: matches, Why: "an empty community set matches with invert only"}
	}
	if members.Kind == device.Extended {
		return extendedCondition(members, option, at)
	}
	switch option {
	case "all":
		return &device.CommunityMatch{At: at, Kind: members.Kind, Quant: device.AllOf, Patterns: members.Patterns}
	case "invert":
		return device.Negate(members)
	}
	return members
}

// extendedCondition differs from the other kinds: the loop runs over the
// route's communities. With all, each of them has to be in the set and there
// has to be one; with invert, only the last one looked at counts, so that a
// route with several is not decided here.
func extendedCondition(members *device.CommunityMatch, option string, at device.At) device.Expr {
	switch option {
	case "all":
		return &device.And{At: at, Xs: []device.Expr{
			members, &device.CommunityMatch{At: at, Kind: device.Extended, Quant: device.OnlyOf, Patterns: members.Patterns},
		}}
	case "invert":
		return &device.Or{At: at, Xs: []device.Expr{
			device.Negate(members),
			&device.And{At: at, Xs: []device.Expr{members, &device.Unknown{At: at, Text: "match-set-options invert", Why: "GoBGP looks at the last extended community alone"}}},
		}}
	}
	return members
}

// emptySet reports a reference to a set without members (RL203 to RL205).
func (s *statement) emptySet(set *device.Set, pos device.Pos, matches bool) {
	d := device.Diagnostic{At: device.At{Pos: pos}, Set: set.Name, Fix: "fill the set or remove the statement"}
	switch rejects := s.n.str("actions", "route-disposition") == "reject-route"; {
	case matches:
		d.Rule, d.Message = "RL205", fmt.Sprintf("%s %q is empty and matches every route with this option", set.Kind, set.Name)
	case rejects:
		d.Rule, d.Message = "RL204", fmt.Sprintf("%s %q is empty: this reject never happens", set.Kind, set.Name)
	default:
		d.Rule, d.Severity, d.Message = "RL203", device.Warning, fmt.Sprintf("%s %q is empty: this statement matches nothing", set.Kind, set.Name)
	}
	s.report(d)
}

var operators = map[string]device.Op{
	"eq": device.EQ, "ge": device.GE, "le": device.LE,
	"attribute-eq": device.EQ, "attribute-ge": device.GE, "attribute-le": device.LE,
}

// compare reads a count with its operator; without one there is no condition.
func (s *statement) compare(n *node, key string, f device.Field) {
	m := n.child(key)
	if m == nil {
		return
	}
	at := device.At{Pos: m.pos}
	text := m.str("operator")
	op, ok := operators[text]
	switch {
	case text == "":
		s.report(device.Diagnostic{At: at, Rule: "RL206", Message: key + " without an operator: GoBGP drops the condition", Fix: "write operator = \"eq\", \"ge\" or \"le\""})
	case !ok:
		s.loadError(device.Diagnostic{At: at, Message: fmt.Sprintf("%s: operator %q is not known", key, text), Fix: "write eq, ge or le"})
	default:
		s.xs = append(s.xs, &device.Compare{At: at, Field: f, Op: op, Value: s.b.number(m, "value")})
	}
}

func (s *statement) routeType(n *node) {
	text := n.str("route-type")
	at := device.At{Pos: n.at("route-type")}
	switch text {
	case "", "none":
	case "internal":
		s.xs = append(s.xs, &device.ProtocolMatch{At: at, Protocols: []device.Protocol{device.IBGP}})
	case "external":
		s.xs = append(s.xs, &device.ProtocolMatch{At: at, Protocols: []device.Protocol{device.EBGP}})
	case "local":
		s.xs = append(s.xs, device.Negate(&device.ProtocolMatch{At: at, Protocols: device.BGP}))
	default:
		s.loadError(device.Diagnostic{At: at, Message: fmt.Sprintf("route-type %q is not known", text), Fix: "write internal, external or local"})
	}
}

func (s *statement) rpki(n *node) {
	states := map[string]device.RPKI{"valid": device.RPKIValid, "invalid": device.RPKIInvalid, "not-found": device.RPKINotFound}
	text := n.str("rpki-validation-result")
	at := device.At{Pos: n.at("rpki-validation-result")}
	if st, ok := states[text]; ok {
		s.xs = append(s.xs, &device.RPKIMatch{At: at, States: []device.RPKI{st}})
	} else if text != "" && text != "none" {
		s.report(device.Diagnostic{At: at, Rule: "RL207", Message: fmt.Sprintf("rpki-validation-result %q is not known: GoBGP drops the condition", text), Fix: "write valid, invalid or not-found"})
	}
}

// origin-eq: in several releases the value is taken from another key, so what
// it matches is not known.
func (s *statement) origin(n *node) {
	if text := n.str("origin-eq"); text != "" {
		s.xs = append(s.xs, &device.Unknown{At: device.At{Pos: n.at("origin-eq")}, Text: "origin-eq " + text, Why: "releases differ in what it matches"})
	}
}

// nextHops: a list with an entry that is not an address is dropped whole.
func (s *statement) nextHops(n *node) {
	items := n.items("next-hop-in-list")
	if len(items) == 0 {
		return
	}
	m := &device.NextHopMatch{At: device.At{Pos: n.at("next-hop-in-list")}}
	for _, e := range items {
		p, err := netip.ParsePrefix(e.text)
		if err != nil {
			a, addrErr := netip.ParseAddr(e.text)
			if addrErr != nil {
				s.report(device.Diagnostic{At: device.At{Pos: e.pos}, Rule: "RL207", Message: fmt.Sprintf("next-hop %q is not an address: GoBGP drops the whole condition", e.text), Fix: "correct the entry"})
				return
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		m.In = append(m.In, p.Masked())
	}
	s.xs = append(s.xs, m)
}

func (s *statement) families(n *node) {
	list := n.child("afi-safi-in-list")
	if list == nil {
		return
	}
	at := device.At{Pos: list.pos}
	items := n.items("afi-safi-in-list")
	if len(items) == 0 {
		s.xs = append(s.xs, &device.Unknown{At: at, Text: "afi-safi-in-list = []", Why: "releases differ in what an empty list matches"})
		return
	}
	var xs []device.Expr
	for _, e := range items {
		switch strings.ToLower(e.text) {
		case "ipv4-unicast":
			xs = append(xs, &device.FamilyMatch{At: at, Family: device.IPv4})
		case "ipv6-unicast":
			xs = append(xs, &device.FamilyMatch{At: at, Family: device.IPv6})
		}
	}
	s.xs = append(s.xs, device.AnyOfExprs(list.pos, xs...))
}
