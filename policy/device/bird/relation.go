package bird

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// relate compares two values. A choice is compared in both its cases.
func (e *evaluator) relate(x *expr, a, b value) (c, fails device.Expr) {
	if t, ok := a.(choiceValue); ok {
		return e.split(x, t, func(v value) (device.Expr, device.Expr) { return e.relate(x, v, b) })
	}
	if t, ok := b.(choiceValue); ok {
		return e.split(x, t, func(v value) (device.Expr, device.Expr) { return e.relate(x, a, v) })
	}
	for _, v := range []value{a, b} {
		if u, ok := v.(unknownValue); ok {
			return unknownExpr(x.pos, x.String(), u.why), nil
		}
	}
	switch x.text {
	case "=":
		return e.equal(x, a, b), nil
	case "!=":
		return device.Negate(e.equal(x, a, b)), nil
	case "~":
		return e.match(x, a, b)
	case "!~":
		c, fails := e.match(x, a, b)
		return device.Negate(c), fails
	}
	return e.order(x, a, b)
}

func (e *evaluator) split(x *expr, t choiceValue, each func(value) (device.Expr, device.Expr)) (c, fails device.Expr) {
	a, failsA := each(t.a)
	b, failsB := each(t.b)
	return choose(x.pos, t.x, a, b), either(both(t.x, failsA), both(device.Negate(t.x), failsB))
}

// unmodelled is a comparison that is not followed.
func unmodelled(x *expr) device.Expr {
	return unknownExpr(x.pos, x.String(), "this comparison is not modelled")
}

// equal: values of different types are not equal, and never fail.
func (e *evaluator) equal(x *expr, a, b value) device.Expr {
	if _, ok := b.(attrValue); ok {
		if _, also := a.(attrValue); !also {
			a, b = b, a
		}
	}
	switch t := a.(type) {
	case attrValue:
		return e.attrEqual(x, t, b)
	case roaValue:
		return roaIs(x, b)
	case condValue:
		if k, ok := b.(boolValue); ok {
			if k {
				return t.x
			}
			return device.Negate(t.x)
		}
		return unmodelled(x)
	case sumValue, maskValue, *setValue, emptyList:
		return unmodelled(x)
	}
	switch b.(type) {
	case roaValue:
		return roaIs(x, a)
	case condValue:
		return e.equal(x, b, a)
	}
	if isConstant(a) && isConstant(b) {
		return constExpr(x.pos, a == b, x.String())
	}
	return unmodelled(x)
}

func roaIs(x *expr, v value) device.Expr {
	states := map[string]device.RPKI{"VALID": device.RPKIValid, "INVALID": device.RPKIInvalid, "UNKNOWN": device.RPKINotFound}
	if k, ok := v.(enumValue); ok && k.kind == "roa" {
		return &device.RPKIMatch{At: device.At{Pos: x.pos}, States: []device.RPKI{states[k.name]}}
	}
	return unmodelled(x)
}

func (e *evaluator) attrEqual(x *expr, a attrValue, b value) device.Expr {
	at := device.At{Pos: x.pos}
	if len(a.edits) > 0 {
		return unmodelled(x)
	}
	if n, ok := b.(intValue); ok && numeric(a) {
		return e.numberIn(x, a, aspath.One(uint32(n)), false)
	}
	switch k := b.(type) {
	case voidValue:
		if scalarOf[a.name] != nil && a.member == "" {
			return absent(x.pos, *scalarOf[a.name])
		}
	case emptyList:
		if k.attr == a.name && a.member == "" {
			return empty(x.pos, a.name)
		}
	case enumValue:
		return e.enumIn(x, a, []enumValue{k})
	case stringValue:
		if a.name == "proto" && a.member == "" {
			return e.protoIs(x, func(name string) bool { return name == string(k) })
		}
	case netValue:
		if a.name == "net" && a.member == "" {
			n := netip.Prefix(k)
			return &device.PrefixMatch{At: at, Set: &device.PrefixSet{At: at, Entries: prefixEntries(x.pos, n, n.Bits(), n.Bits())}}
		}
	case ipValue:
		return e.addrIn(x, a, []netip.Prefix{netip.PrefixFrom(netip.Addr(k), netip.Addr(k).BitLen())})
	case boolValue:
		if a.name == "net" && a.member == "is_v4" {
			return &device.FamilyMatch{At: at, Family: map[bool]device.Family{true: device.IPv4, false: device.IPv6}[bool(k)]}
		}
	}
	if numeric(a) && isConstant(b) {
		return constExpr(x.pos, false, "values of different types are never equal")
	}
	return unmodelled(x)
}

// empty asks whether a list has no member.
func empty(pos device.Pos, name string) device.Expr {
	at := device.At{Pos: pos}
	if name == "bgp_path" {
		return &device.ASPathMatch{At: at, Pattern: aspath.Empty()}
	}
	return device.Negate(anyOf(pos, listKind[name]))
}

func anyOf(pos device.Pos, kind device.CommunityKind) device.Expr {
	some, err := device.RegexPattern(kind, ".", "any", false, pos)
	if err != nil {
		return unknownExpr(pos, "any community", err.Error())
	}
	return &device.CommunityMatch{At: device.At{Pos: pos}, Kind: kind, Patterns: []device.CommunityPattern{some}}
}

var listKind = map[string]device.CommunityKind{"bgp_community": device.Standard, "bgp_ext_community": device.Extended, "bgp_large_community": device.Large}

// numeric reports whether a property of the route is a number that is followed.
func numeric(a attrValue) bool {
	_, list := listKind[a.name]
	switch a.member {
	case "":
		return scalarOf[a.name] != nil
	case "len":
		return a.name == "net" || a.name == "bgp_path" || list
	case "first", "last", "last_nonaggregated":
		return a.name == "bgp_path"
	}
	return false
}

// numberIn asks whether a number of the route is in a set; without is what
// holds when the attribute is not there.
func (e *evaluator) numberIn(x *expr, a attrValue, set aspath.Set, without bool) device.Expr {
	at := device.At{Pos: x.pos}
	switch a.member {
	case "":
		f := *scalarOf[a.name]
		c := ranges(at, f, set)
		if without {
			return &device.Or{At: at, Xs: []device.Expr{c, absent(x.pos, f)}}
		}
		return c
	case "first", "last", "last_nonaggregated":
		p := aspath.First(set)
		if a.member != "first" {
			p = aspath.OriginIn(set)
		}
		var c device.Expr = &device.ASPathMatch{At: at, Pattern: p}
		if set.Contains(0) {
			// An empty path has 0 for an end.
			c = &device.Or{At: at, Xs: []device.Expr{c, &device.ASPathMatch{At: at, Pattern: aspath.Empty()}}}
		}
		return c
	}
	switch a.name {
	case "net":
		return netLength(at, set)
	case "bgp_path":
		return ranges(at, device.ASPathLen, set)
	case "bgp_community":
		return ranges(at, device.CommunityCount, set)
	}
	none, some := set.Contains(0), len(set) > 0 && !(len(set) == 1 && set[0].Hi == 0)
	all := len(set) > 0 && set[len(set)-1].Hi == 1<<32-1 && (set[len(set)-1].Lo <= 1)
	kind := listKind[a.name]
	switch {
	case none && !some:
		return empty(x.pos, a.name)
	case all && none:
		return constExpr(x.pos, true, x.String())
	case all:
		return anyOf(x.pos, kind)
	}
	return unknownExpr(x.pos, x.String(), "the number of these communities is not modelled")
}

func ranges(at device.At, f device.Field, set aspath.Set) device.Expr {
	var xs []device.Expr
	for _, r := range set {
		lo := &device.Compare{At: at, Field: f, Op: device.GE, Value: r.Lo}
		hi := &device.Compare{At: at, Field: f, Op: device.LE, Value: r.Hi}
		switch {
		case r.Lo == r.Hi:
			xs = append(xs, &device.Compare{At: at, Field: f, Op: device.EQ, Value: r.Lo})
		case r.Hi == 1<<32-1:
			xs = append(xs, lo)
		case r.Lo == 0:
			xs = append(xs, hi)
		default:
			xs = append(xs, &device.And{At: at, Xs: []device.Expr{lo, hi}})
		}
	}
	return device.AnyOfExprs(at.Pos, xs...)
}

func netLength(at device.At, set aspath.Set) device.Expr {
	out := &device.PrefixSet{At: at}
	for _, whole := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		for _, r := range set {
			if int(r.Lo) <= whole.BitLen() && r.Lo <= 128 {
				out.Entries = append(out.Entries, device.PrefixEntry{At: at, Range: device.PrefixRange{
					Net: netip.PrefixFrom(whole, 0), Min: int(r.Lo), Max: int(min(r.Hi, uint32(whole.BitLen()))),
				}})
			}
		}
	}
	return &device.PrefixMatch{At: at, Set: out}
}

// order is <, <=, > and >=. What is not there is less than every number.
func (e *evaluator) order(x *expr, a, b value) (c, fails device.Expr) {
	op := x.text
	if _, ok := b.(attrValue); ok {
		if _, also := a.(attrValue); !also {
			a, b = b, a
			op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
		}
	}
	n, isInt := b.(intValue)
	if m, ok := a.(intValue); ok && isInt {
		return constExpr(x.pos, map[string]bool{"<": m < n, "<=": m <= n, ">": m > n, ">=": m >= n}[op], x.String()), nil
	}
	attr, ok := a.(attrValue)
	if !ok || !isInt || !numeric(attr) || len(attr.edits) > 0 {
		return unmodelled(x), nil
	}
	return e.numberIn(x, attr, beyond(op, uint32(n)), op == "<" || op == "<="), nil
}

// beyond is the set of numbers on one side of another.
func beyond(op string, n uint32) aspath.Set {
	const most = 1<<32 - 1
	switch op {
	case "<":
		if n == 0 {
			return nil
		}
		return aspath.Set{{Lo: 0, Hi: n - 1}}
	case "<=":
		return aspath.Set{{Lo: 0, Hi: n}}
	case ">":
		if n == most {
			return nil
		}
		return aspath.Set{{Lo: n + 1, Hi: most}}
	}
	return aspath.Set{{Lo: n, Hi: most}}
}

// enumIn asks whether a word of the route is one of some.
func (e *evaluator) enumIn(x *expr, a attrValue, ks []enumValue) device.Expr {
	at := device.At{Pos: x.pos}
	var xs []device.Expr
	for _, k := range ks {
		switch {
		case a.name == "source" && a.member == "" && k.kind == "rts":
			xs = append(xs, sourceIs(x, k.name))
		case a.name == "net" && a.member == "type" && k.kind == "nettype":
			f, ok := map[string]device.Family{"IP4": device.IPv4, "IP6": device.IPv6}[k.name]
			if !ok {
				f = device.OtherFamily
			}
			xs = append(xs, &device.FamilyMatch{At: at, Family: f})
		case a.name == "bgp_origin" && k.kind == "origin":
			zero := uint32(0)
			xs = append(xs, &device.And{At: at, Xs: []device.Expr{
				&device.ProtocolMatch{At: at, Protocols: device.BGP},
				&device.Compare{At: at, Field: device.Origin, Value: uint32(slices.Index([]string{"IGP", "EGP", "INCOMPLETE"}, k.name)), Absent: &zero},
			}})
		default:
			return unmodelled(x)
		}
	}
	return device.AnyOfExprs(x.pos, xs...)
}

func sourceIs(x *expr, name string) device.Expr {
	at := device.At{Pos: x.pos}
	is := func(ps ...device.Protocol) device.Expr { return &device.ProtocolMatch{At: at, Protocols: ps} }
	partly := func(p device.Protocol) device.Expr {
		return &device.And{At: at, Xs: []device.Expr{is(p), unknownExpr(x.pos, x.String(), "kinds of routes of one protocol are not told apart")}}
	}
	switch name {
	case "BGP":
		return is(device.BGP...)
	case "STATIC":
		// What a case calls local is what a static protocol holds.
		return is(device.Static, device.Local)
	case "DEVICE", "STATIC_DEVICE":
		return is(device.Direct)
	case "RIP":
		return is(device.RIP)
	case "INHERIT":
		return is(device.Kernel)
	case "OSPF", "OSPF_IA", "OSPF_EXT1", "OSPF_EXT2":
		return partly(device.OSPF)
	}
	return partly(device.OtherProtocol)
}

// addrIn asks whether an address of the route lies in one of some networks.
func (e *evaluator) addrIn(x *expr, a attrValue, nets []netip.Prefix) device.Expr {
	at := device.At{Pos: x.pos}
	switch {
	case a.name == "from" && a.member == "":
		return &device.NeighborMatch{At: at, Side: device.Sender, Addrs: nets}
	case a.name == "bgp_next_hop" && a.member == "":
		return &device.And{At: at, Xs: []device.Expr{&device.ProtocolMatch{At: at, Protocols: device.BGP}, &device.NextHopMatch{At: at, In: nets}}}
	case a.name == "net" && a.member == "ip":
		set := &device.PrefixSet{At: at}
		for _, n := range nets {
			set.Entries = append(set.Entries, device.PrefixEntry{At: at, Range: device.PrefixRange{Net: n.Masked(), Min: n.Bits(), Max: n.Addr().BitLen()}})
			for bits := range n.Bits() {
				// A wider prefix whose address is that of the network.
				if wide := netip.PrefixFrom(n.Addr(), bits).Masked(); n.Contains(wide.Addr()) {
					set.Entries = append(set.Entries, device.PrefixEntry{At: at, Range: device.Exact(wide)})
				}
			}
		}
		return &device.PrefixMatch{At: at, Set: set}
	}
	return unmodelled(x)
}

// match is the operator ~.
func (e *evaluator) match(x *expr, a, b value) (c, fails device.Expr) {
	at := device.At{Pos: x.pos}
	if s, ok := b.(*setValue); ok {
		return e.inSet(x, a, s)
	}
	wrong := func() (device.Expr, device.Expr) {
		return constExpr(x.pos, false, "~ between these types fails"), constExpr(x.pos, true, "~ between these types: the filter fails")
	}
	list, isAttr := b.(attrValue)
	if isAttr && (len(list.edits) > 0 || list.member != "") {
		return unmodelled(x), nil
	}
	switch t := a.(type) {
	case attrValue:
		switch k := b.(type) {
		case maskValue:
			if t.name == "bgp_path" && t.member == "" && len(t.edits) == 0 {
				return &device.ASPathMatch{At: at, Pattern: k.pattern}, nil
			}
		case netValue:
			return e.inNet(x, t, netip.Prefix(k)), nil
		case stringValue:
			if t.name == "proto" && t.member == "" {
				return e.protoIs(x, func(name string) bool { return matchPattern(string(k), name) }), nil
			}
		}
		return unmodelled(x), nil
	case intValue:
		if isAttr && list.name == "bgp_path" {
			return &device.ASPathMatch{At: at, Pattern: aspath.Contains(aspath.One(uint32(t)))}, nil
		}
	case pairValue:
		if isAttr && list.name == "bgp_community" {
			return carries(x, device.StandardCommunity(uint32(t))), nil
		}
	case lcValue:
		if isAttr && list.name == "bgp_large_community" {
			return carries(x, large(t)), nil
		}
	case ecValue:
		if isAttr && list.name == "bgp_ext_community" {
			return carries(x, device.Community{Kind: device.Extended, Text: string(t)}), nil
		}
	case ipValue:
		if n, ok := b.(netValue); ok {
			return constExpr(x.pos, netip.Prefix(n).Contains(netip.Addr(t)), x.String()), nil
		}
	case netValue:
		if n, ok := b.(netValue); ok {
			in, out := netip.Prefix(t), netip.Prefix(n)
			return constExpr(x.pos, in.Bits() >= out.Bits() && out.Contains(in.Addr()), x.String()), nil
		}
	case stringValue:
		if k, ok := b.(stringValue); ok {
			return constExpr(x.pos, matchPattern(string(k), string(t)), x.String()), nil
		}
	default:
		return unmodelled(x), nil
	}
	if isAttr {
		return unmodelled(x), nil
	}
	return wrong()
}

func large(t lcValue) device.Community {
	return device.Community{Kind: device.Large, Text: itoa(t[0]) + ":" + itoa(t[1]) + ":" + itoa(t[2])}
}

func carries(x *expr, c device.Community) device.Expr {
	return &device.CommunityMatch{At: device.At{Pos: x.pos}, Kind: c.Kind, Patterns: []device.CommunityPattern{device.LiteralPattern(c, c.Text, x.pos)}}
}

func (e *evaluator) inNet(x *expr, a attrValue, n netip.Prefix) device.Expr {
	at := device.At{Pos: x.pos}
	if a.name == "net" && a.member == "" {
		return &device.PrefixMatch{At: at, Set: &device.PrefixSet{At: at, Entries: prefixEntries(x.pos, n, n.Bits(), n.Addr().BitLen())}}
	}
	return e.addrIn(x, a, []netip.Prefix{n})
}
