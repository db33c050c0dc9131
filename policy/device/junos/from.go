package junos

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// matches are the conditions of "from" and "to" with a meaning. Values of one
// kind OR, kinds AND; of scalars the last one written holds (BF-004 to BF-016
// of the oracle).
var matches map[string]func(*reading, *tree.Node) device.Expr

func init() {
	matches = map[string]func(*reading, *tree.Node) device.Expr{
		"protocol": (*reading).protocol, "community": (*reading).community, "family": (*reading).family,
		"as-path": (*reading).asPath, "as-path-group": (*reading).asPathGroup, "neighbor": (*reading).neighbor,
		"next-hop": (*reading).nextHop, "metric": (*reading).metric, "local-preference": (*reading).localPreference,
		"preference": (*reading).preference, "tag": (*reading).tag, "origin": (*reading).origin,
		"community-count": (*reading).communityCount, "as-path-calc-length": (*reading).pathLength,
		"route-type": (*reading).routeType, "rib": (*reading).rib, "instance": (*reading).instance,
		"interface": (*reading).interfaceMatch, "policy": (*reading).policyMatch, "condition": (*reading).condition,
		"validation-database": (*reading).validation,
		"route-filter":        (*reading).routeFilter, "source-address-filter": (*reading).routeFilter,
		"prefix-list": (*reading).prefixListMatch, "prefix-list-filter": (*reading).prefixListFilter, "route-filter-list": (*reading).routeFilterList,
	}
}

// toMatches are those that "to" takes with a meaning of its own.
var toMatches = set(`neighbor rib instance`)

// knownMatches exist and are not modelled.
var knownMatches = set(`area level external color color2 metric2 metric3 metric4 tag2 preference2 as-path-unique-count as-path-neighbors
	as-path-origins as-path-transits rtf-prefix-list prefix-list-group state traffic-engineering multicast-scope route-distinguisher
	nlri-route-type evpn-esi evpn-etag evpn-mac-route mac-filter-list next-hop-weight nexthop-weight aggregate-contributor programmed
	srte-color bgp-srte-discriminator cost-community large-community protocol local-isis-level-1 dst-as ipv6-flow-label lsa
	internal precedence tunnel-type tunnel-end-point-address bandwidth-non-eligible validation-state community-origin
	sr-te-preference l2-interface virtual-network vpn-prefix-list destination-address source-address voq vlan no-route-localize
	condition-group p2mp-lsp-root egress-te egress-interface`)

var protocols = map[string][]device.Protocol{
	"bgp": device.BGP, "static": {device.Static}, "direct": {device.Direct}, "local": {device.Local}, "aggregate": {device.Aggregate},
	"ospf": {device.OSPF}, "ospf2": {device.OSPF}, "ospf3": {device.OSPF}, "isis": {device.ISIS}, "rip": {device.RIP}, "ripng": {device.RIP},
}

// otherProtocols exist; which of them a route of another protocol is of is not
// known.
var otherProtocols = set(`access access-internal evpn l2vpn ldp rsvp arp frr pim msdp vpls l-isis esis route-target mvpn igmp dvmrp
	spring-te spring_te kernel spbm fib srv6 anchor ipip bgp-ls lsdist piggyback aggregated tunnel l2circuit kroute vpn mpls`)

func (r *reading) protocol(n *tree.Node) device.Expr {
	at := device.At{Pos: n.Pos}
	m := &device.ProtocolMatch{At: at}
	var others []device.Expr
	for _, k := range n.Active() {
		switch ps := protocols[k.Word]; {
		case ps != nil:
			k.Cover(device.Modelled, "")
			m.Protocols = append(m.Protocols, ps...)
		case otherProtocols[k.Word]:
			k.Cover(device.Partly, "")
			others = append(others, device.AllOfExprs(k.Pos, &device.ProtocolMatch{At: at, Protocols: []device.Protocol{device.OtherProtocol}},
				&device.Unknown{At: device.At{Pos: k.Pos}, Text: "protocol " + k.Word, Why: "the protocols beside BGP and the IGPs are not told apart"}))
		default:
			k.Cover(device.Unread, "not known to this front end")
			others = append(others, &device.Unknown{At: device.At{Pos: k.Pos}, Text: "protocol " + k.Word, Why: "not known to this front end"})
		}
	}
	switch {
	case len(m.Protocols) == 0 && len(others) == 0:
		return nil
	case len(m.Protocols) == 0:
		return device.AnyOfExprs(n.Pos, others...)
	}
	return device.AnyOfExprs(n.Pos, append([]device.Expr{m}, others...)...)
}

// community: the named communities OR, the members of each AND.
func (r *reading) community(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		ref := &device.Ref{At: device.At{Pos: k.Pos}, Kind: device.CommunitySetKind, Name: r.qualified(k.Word)}
		c := r.communities[k.Word]
		if c == nil {
			r.undefined("community", "RL306", k)
			ref.X = undefinedSet(k, "community")
			return ref
		}
		c.set.Used++
		ref.Set, ref.X = c.set, c.x
		return ref
	})
}

func undefinedSet(k *tree.Node, what string) device.Expr {
	return &device.Unknown{At: device.At{Pos: k.Pos}, Text: what + " " + k.Word, Why: "it is not defined; Junos does not commit this"}
}

// each ORs over the active values.
func (r *reading) each(n *tree.Node, one func(*tree.Node) device.Expr) device.Expr {
	var xs []device.Expr
	for _, k := range n.Active() {
		k.Mark(device.Modelled, "")
		xs = append(xs, one(k))
	}
	if len(xs) == 0 {
		return nil
	}
	return device.AnyOfExprs(n.Pos, xs...)
}

func (r *reading) named(n *tree.Node, what string, sets map[string]*device.Set) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		ref := &device.Ref{At: device.At{Pos: k.Pos}, Kind: device.ASPathSetKind, Name: r.qualified(k.Word)}
		s := sets[k.Word]
		if s == nil {
			r.undefined(what, "RL302", k)
			ref.X = undefinedSet(k, what)
			return ref
		}
		s.Used++
		ref.Set, ref.X = s, s.X
		return ref
	})
}

func (r *reading) asPath(n *tree.Node) device.Expr { return r.named(n, "as-path", r.asPaths) }
func (r *reading) asPathGroup(n *tree.Node) device.Expr {
	return r.named(n, "as-path-group", r.asGroups)
}

// family: the last one written holds.
func (r *reading) family(n *tree.Node) device.Expr {
	v := r.scalar(n)
	if v == nil {
		return nil
	}
	f := device.OtherFamily
	switch v.Word {
	case "inet":
		f = device.IPv4
	case "inet6":
		f = device.IPv6
	}
	return &device.FamilyMatch{At: device.At{Pos: v.Pos}, Family: f}
}

// scalar is the value that holds; the others are reported (RL208).
func (r *reading) scalar(n *tree.Node) *tree.Node {
	v := n.Value()
	for _, k := range n.Active() {
		k.Cover(device.Modelled, "")
	}
	if len(n.Active()) > 1 {
		r.report(device.Diagnostic{
			At: device.At{Pos: v.Pos}, Rule: "RL208", Severity: device.Warning,
			Message: fmt.Sprintf("%s is written more than once in this term: only the last one, %s, holds", n.Word, v.Word), Fix: "keep one",
		})
	}
	return v
}

// compare reads "WORD 5", and "WORD 5 orhigher" for counts. An attribute the
// route does not say is unknown, unless the protocol has a default for it.
func (r *reading) compare(n *tree.Node, f device.Field, absent *uint32) device.Expr {
	v := r.scalar(n)
	if v == nil {
		return nil
	}
	c, err := r.comparison(v, f, absent)
	if err != nil {
		v.Cover(device.Unmodelled, err.Error())
		return &device.Unknown{At: device.At{Pos: v.Pos}, Text: n.Word + " " + join(v), Why: err.Error()}
	}
	return c
}

func (r *reading) comparison(v *tree.Node, f device.Field, absent *uint32) (device.Expr, error) {
	at := device.At{Pos: v.Pos}
	value, err := strconv.ParseUint(v.Word, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", v.Word)
	}
	c := &device.Compare{At: at, Field: f, Op: device.EQ, Value: uint32(value), Absent: absent}
	switch w := v.Value().Text(); w {
	case "orhigher":
		c.Op = device.GE
	case "orlower":
		c.Op = device.LE
	case "", "equal", "exact":
	default:
		return nil, fmt.Errorf("%q is not modelled", w)
	}
	if absent != nil || f == device.ASPathLen || f == device.CommunityCount {
		return c, nil
	}
	return &device.Or{At: at, Xs: []device.Expr{c, &device.And{At: at, Xs: []device.Expr{
		&device.Not{At: at, X: &device.Present{At: at, Field: f}}, &device.Unknown{At: at, Text: f.String(), Why: "the route does not say its " + f.String()},
	}}}}, nil
}

var defaultLocalPref = uint32(100)

// metric: a route without MED matches no metric but, perhaps, that of 0.
func (r *reading) metric(n *tree.Node) device.Expr {
	if v := n.Value(); v.Text() != "0" {
		return r.compare(n, device.MED, new(uint32))
	}
	return r.compare(n, device.MED, nil)
}

func (r *reading) localPreference(n *tree.Node) device.Expr {
	return r.compare(n, device.LocalPref, &defaultLocalPref)
}
func (r *reading) preference(n *tree.Node) device.Expr { return r.compare(n, device.Preference, nil) }
func (r *reading) communityCount(n *tree.Node) device.Expr {
	return r.compare(n, device.CommunityCount, nil)
}
func (r *reading) pathLength(n *tree.Node) device.Expr { return r.compare(n, device.ASPathLen, nil) }

// tag: several OR.
func (r *reading) tag(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		c, err := r.comparison(k, device.Tag, new(uint32))
		if err != nil {
			k.Cover(device.Unmodelled, err.Error())
			return &device.Unknown{At: device.At{Pos: k.Pos}, Text: "tag " + k.Word, Why: err.Error()}
		}
		return c
	})
}

func (r *reading) origin(n *tree.Node) device.Expr {
	v := r.scalar(n)
	at := device.At{Pos: n.Pos}
	value, ok := origins[v.Text()]
	if !ok {
		r.unknown(n, "not a value of origin")
		return nil
	}
	return &device.Or{At: at, Xs: []device.Expr{
		&device.Compare{At: at, Field: device.Origin, Op: device.EQ, Value: value},
		&device.And{At: at, Xs: []device.Expr{&device.Not{At: at, X: &device.Present{At: at, Field: device.Origin}}, &device.Unknown{At: at, Text: "origin", Why: "the route does not say its origin"}}},
	}}
}

// routeType: "internal" is every iBGP route and none of eBGP; whether it also
// takes routes of other protocols is not confirmed on a device.
func (r *reading) routeType(n *tree.Node) device.Expr {
	v := r.scalar(n)
	at := device.At{Pos: n.Pos}
	want := device.IBGP
	switch v.Text() {
	case "external":
		want = device.EBGP
	case "internal":
	default:
		r.unknown(n, "not a route type")
		return nil
	}
	return &device.Or{At: at, Xs: []device.Expr{
		&device.ProtocolMatch{At: at, Protocols: []device.Protocol{want}},
		&device.And{At: at, Xs: []device.Expr{
			&device.Not{At: at, X: &device.ProtocolMatch{At: at, Protocols: device.BGP}},
			&device.Unknown{At: at, Text: "route-type " + v.Text(), Why: "what it says of routes that are not BGP is not confirmed on a device"},
		}},
	}}
}

// neighbor: in "from" the one the route was learned from, in "to" the one it
// would be sent to.
func (r *reading) neighbor(n *tree.Node) device.Expr {
	m := &device.NeighborMatch{At: device.At{Pos: n.Pos}, Side: r.current}
	for _, k := range n.Active() {
		p, ok := prefixOf(k.Word)
		if !ok {
			r.unknown(n, "not an address")
			return nil
		}
		k.Cover(device.Modelled, "")
		m.Addrs = append(m.Addrs, p)
	}
	if m.Addrs == nil {
		return nil
	}
	return m
}

func (r *reading) nextHop(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		at := device.At{Pos: k.Pos}
		if a, err := netip.ParseAddr(k.Word); err == nil && a.Zone() == "" {
			return &device.NextHopMatch{At: at, In: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}}
		}
		k.Cover(device.Unmodelled, "")
		return &device.Unknown{At: at, Text: "next-hop " + k.Word, Why: "not modelled"}
	})
}

// rib: unicast routes of the router itself are in inet.0 and inet6.0. With BGP
// in routing instances, and for other tables, the sessions say which table
// their routes are in.
func (r *reading) rib(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		at := device.At{Pos: k.Pos}
		if !r.instances() {
			switch k.Word {
			case "inet.0":
				return &device.FamilyMatch{At: at, Family: device.IPv4}
			case "inet6.0":
				return &device.FamilyMatch{At: at, Family: device.IPv6}
			}
		}
		r.tables = true
		return &device.NameMatch{At: at, Field: device.RIB, Names: []string{k.Word}}
	})
}

// instances reports whether BGP runs in routing instances too.
func (s *scope) instances() bool {
	for _, ri := range s.root.Get("routing-instances").Active() {
		if ri.Get("protocols", "bgp") != nil {
			return true
		}
	}
	return false
}

func (r *reading) instance(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		k.Cover(device.Partly, "")
		return &device.NameMatch{At: device.At{Pos: k.Pos}, Field: device.Instance, Names: []string{k.Word}}
	})
}

// interfaceMatch: connected routes are known by the addresses of the
// interface; of other routes the interface is not known.
func (r *reading) interfaceMatch(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		at := device.At{Pos: k.Pos}
		named := &device.NameMatch{At: at, Field: device.Interface, Names: []string{k.Word}}
		nets := r.interfaceNets(k.Word)
		if nets == nil {
			return named
		}
		connected := &device.ProtocolMatch{At: at, Protocols: []device.Protocol{device.Direct, device.Local}}
		return &device.Or{At: at, Xs: []device.Expr{
			&device.And{At: at, Xs: []device.Expr{connected, &device.PrefixMatch{At: at, Set: nets}}},
			&device.And{At: at, Xs: []device.Expr{&device.Not{At: at, X: connected}, named}},
		}}
	})
}

func (r *reading) policyMatch(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		text := join(k)
		k.Cover(device.Modelled, "")
		f, err := parseFormula(text)
		if err != nil {
			k.Cover(device.Unmodelled, err.Error())
			return &device.Unknown{At: device.At{Pos: k.Pos}, Text: "policy " + text, Why: err.Error()}
		}
		r.scope.precedence(f, text, k.Pos)
		return r.scope.condition(f, k.Pos)
	})
}

// condition depends on routes that are not in the configuration.
func (r *reading) condition(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		k.Cover(device.Unmodelled, "when a condition holds depends on the routing table")
		if s := r.conditions[k.Word]; s != nil {
			s.Used++
		} else {
			r.undefined("condition", "RL302", k)
		}
		return &device.Unknown{At: device.At{Pos: k.Pos}, Text: "condition " + k.Word, Why: "when a condition holds depends on the routing table"}
	})
}

var rpkiStates = map[string]device.RPKI{"valid": device.RPKIValid, "invalid": device.RPKIInvalid, "unknown": device.RPKINotFound}

func (r *reading) validation(n *tree.Node) device.Expr {
	return r.each(n, func(k *tree.Node) device.Expr {
		at := device.At{Pos: k.Pos}
		if st, ok := rpkiStates[k.Word]; ok {
			return &device.RPKIMatch{At: at, States: []device.RPKI{st}}
		}
		k.Cover(device.Unread, "")
		return &device.Unknown{At: at, Text: "validation-database " + k.Word, Why: "not known to this front end"}
	})
}
