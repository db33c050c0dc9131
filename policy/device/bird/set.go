package bird

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// set evaluates a set; its members are constants.
func (e *evaluator) set(x *expr) value {
	s := &setValue{members: len(x.args)}
	for _, item := range x.args {
		e.addItem(s, item)
	}
	s.numbers = aspath.Union(s.numbers)
	return s
}

func (e *evaluator) addItem(s *setValue, item *expr) {
	switch item.op {
	case opPrefix:
		e.addPrefix(s, item)
		return
	case opTuple:
		e.addTuple(s, item)
		return
	}
	v, _ := e.eval(item)
	to := v
	if item.to != nil {
		to, _ = e.eval(item.to)
	}
	switch t := v.(type) {
	case intValue:
		if hi, ok := to.(intValue); ok {
			s.numbers = append(s.numbers, aspath.Range{Lo: uint32(t), Hi: uint32(hi)})
			return
		}
	case pairValue:
		if hi, ok := to.(pairValue); ok {
			e.addPairs(s, item, uint32(t), uint32(hi))
			return
		}
	case netValue:
		n := netip.Prefix(t)
		s.prefixes = append(s.prefixes, prefixEntries(item.pos, n, n.Bits(), n.Bits())...)
		return
	case ipValue:
		if to == v {
			s.ips = append(s.ips, netip.PrefixFrom(netip.Addr(t), netip.Addr(t).BitLen()))
			return
		}
	case enumValue:
		if to == v {
			s.enums = append(s.enums, t)
			return
		}
	case lcValue:
		if to == v {
			s.lcs = append(s.lcs, device.LiteralPattern(large(t), item.String(), item.pos))
			return
		}
	case ecValue:
		s.ecs = append(s.ecs, device.LiteralPattern(device.Community{Kind: device.Extended, Text: string(t)}, item.String(), item.pos))
		return
	case *setValue:
		s.unknown = "a set inside a set"
		return
	}
	s.unknown = "the member " + item.String() + " is not followed"
}

func (e *evaluator) addPrefix(s *setValue, item *expr) {
	n := netip.PrefixFrom(item.tok.ip, int(item.num))
	widest := n.Addr().BitLen()
	lo, hi := n.Bits(), n.Bits()
	switch item.text {
	case "+":
		hi = widest
	case "-":
		lo = 0
	case "{":
		lo, hi = int(item.args[0].tok.num), int(item.args[1].tok.num)
		if lo > hi || hi > widest {
			e.p.refused(item.pos, "RL902", "the lengths of "+item.String()+" are out of order or too large", "correct them")
			return
		}
	}
	if n.Masked() != n {
		e.p.refused(item.pos, "RL902", fmt.Sprintf("%s has bits behind its length", n), "write "+n.Masked().String())
		n = n.Masked()
	}
	s.prefixes = append(s.prefixes, prefixEntries(item.pos, n, lo, hi)...)
}

// part is one number of a tuple, or a range of them.
type part struct {
	lo, hi uint32
	all    bool
}

func (e *evaluator) part(x *expr, most uint32) (part, bool) {
	if x.op == opStar {
		return part{0, most, true}, true
	}
	v, _ := e.eval(x)
	n, ok := v.(intValue)
	q := part{lo: uint32(n), hi: uint32(n)}
	if x.to != nil {
		v, _ := e.eval(x.to)
		m, isInt := v.(intValue)
		q.hi, ok = uint32(m), ok && isInt && m >= n
	}
	return q, ok && q.hi <= most
}

func (q part) pattern() string {
	if q.all {
		return "[0-9]+"
	}
	return digits(q.lo, q.hi)
}

func (q part) single() bool { return q.lo == q.hi && !q.all }

func (e *evaluator) addTuple(s *setValue, item *expr) {
	kind, most, prefix := device.Standard, uint32(1<<16-1), ""
	switch {
	case item.text == "rt" || item.text == "ro":
		kind, most = device.Extended, 1<<32-1
		prefix = map[string]string{"rt": "rt:", "ro": "soo:"}[item.text]
	case item.text != "":
		s.unknown = "this kind of extended community is not modelled"
		s.ecs = append(s.ecs, device.CommunityPattern{Kind: device.Extended})
		return
	case len(item.args) == 3:
		kind, most = device.Large, 1<<32-1
	case len(item.args) != 2:
		s.unknown = "a member with too many parts"
		return
	}
	if item.to != nil {
		if kind != device.Standard {
			s.unknown = "a range between communities of this kind"
			return
		}
		a, ok1 := e.pair(item)
		b, ok2 := e.pair(item.to)
		if !ok1 || !ok2 {
			s.unknown = "a member that is no constant"
			return
		}
		e.addPairs(s, item, a, b)
		return
	}
	text, regex, literal := "", prefix, true
	for i, a := range item.args {
		q, ok := e.part(a, most)
		if !ok {
			s.unknown = "the member " + item.String() + " is no constant, or too large"
			return
		}
		if i > 0 {
			text, regex = text+":", regex+":"
		}
		text, regex = text+itoa(q.lo), regex+q.pattern()
		literal = literal && q.single()
	}
	e.addPattern(s, kind, item, prefix+text, regex, literal)
}

func (e *evaluator) addPattern(s *setValue, kind device.CommunityKind, item *expr, text, regex string, literal bool) {
	p := device.LiteralPattern(device.Community{Kind: kind, Text: text}, item.String(), item.pos)
	if !literal {
		var err error
		if p, err = device.RegexPattern(kind, "^"+regex+"$", item.String(), false, item.pos); err != nil {
			s.unknown = err.Error()
			return
		}
	}
	switch kind {
	case device.Standard:
		s.pairs = append(s.pairs, p)
	case device.Extended:
		s.ecs = append(s.ecs, p)
	default:
		s.lcs = append(s.lcs, p)
	}
}

func (e *evaluator) pair(x *expr) (uint32, bool) {
	if len(x.args) != 2 {
		return 0, false
	}
	a, ok1 := e.part(x.args[0], 1<<16-1)
	b, ok2 := e.part(x.args[1], 1<<16-1)
	return a.lo<<16 | b.lo, ok1 && ok2 && a.single() && b.single()
}

// addPairs adds all pairs between two, in the order of the numbers they are.
func (e *evaluator) addPairs(s *setValue, item *expr, from, to uint32) {
	const low = 1<<16 - 1
	add := func(aLo, aHi, bLo, bHi uint32) {
		if aLo > aHi || bLo > bHi {
			return
		}
		a, b := part{lo: aLo, hi: aHi}, part{lo: bLo, hi: bHi, all: bLo == 0 && bHi == low}
		e.addPattern(s, device.Standard, item, itoa(aLo)+":"+itoa(bLo), a.pattern()+":"+b.pattern(), a.single() && b.single())
	}
	a, b, c, d := from>>16, from&low, to>>16, to&low
	if a == c {
		add(a, a, b, d)
		return
	}
	add(a, a, b, low)
	if c > 0 {
		add(a+1, c-1, 0, low)
	}
	add(c, c, 0, d)
}

// inSet is ~ with a set on the right.
func (e *evaluator) inSet(x *expr, a value, s *setValue) (c, fails device.Expr) {
	if s.members == 0 {
		return s.ref(x.pos, constExpr(x.pos, false, "an empty set matches nothing")), nil
	}
	if s.unknown != "" {
		return unknownExpr(x.pos, x.String(), s.unknown), nil
	}
	failed := func() (device.Expr, device.Expr) {
		return constExpr(x.pos, false, "~ between these types fails"), constExpr(x.pos, true, "~ between these types: the filter fails")
	}
	switch t := a.(type) {
	case attrValue:
		c, fails := e.attrInSet(x, t, s)
		return s.ref(x.pos, c), fails
	case intValue:
		if len(s.numbers) == 0 {
			return failed()
		}
		return constExpr(x.pos, s.numbers.Contains(uint32(t)), x.String()), nil
	case enumValue:
		return constExpr(x.pos, slices.Contains(s.enums, t), x.String()), nil
	case pairValue:
		v := device.StandardCommunity(uint32(t))
		return constExpr(x.pos, slices.ContainsFunc(s.pairs, func(p device.CommunityPattern) bool { return p.MatchOne(v) }), x.String()), nil
	case netValue:
		set := s.prefixSet()
		return constExpr(x.pos, set.Match(netip.Prefix(t)), x.String()), nil
	case roaValue:
		return roaIn(x, s), nil
	case voidValue:
		return failed()
	}
	return unmodelled(x), nil
}

func roaIn(x *expr, s *setValue) device.Expr {
	var xs []device.Expr
	for _, k := range s.enums {
		xs = append(xs, roaIs(x, k))
	}
	return device.AnyOfExprs(x.pos, xs...)
}

func (e *evaluator) attrInSet(x *expr, a attrValue, s *setValue) (c, fails device.Expr) {
	at := device.At{Pos: x.pos}
	if len(a.edits) > 0 {
		return unmodelled(x), nil
	}
	community := func(kind device.CommunityKind, ps []device.CommunityPattern) (device.Expr, device.Expr) {
		if len(ps) == 0 {
			return unmodelled(x), nil
		}
		return &device.CommunityMatch{At: at, Kind: kind, Patterns: ps}, nil
	}
	switch {
	case a.name == "net" && a.member == "" && len(s.prefixes) > 0:
		set := s.prefixSet()
		if s.def != nil {
			set = s.def.Prefixes
		}
		return &device.PrefixMatch{At: at, Set: set}, nil
	case a.name == "bgp_path" && a.member == "" && len(s.numbers) > 0:
		return &device.ASPathMatch{At: at, Pattern: aspath.Contains(s.numbers)}, nil
	case a.name == "bgp_community" && a.member == "":
		return community(device.Standard, s.pairs)
	case a.name == "bgp_ext_community" && a.member == "":
		return community(device.Extended, s.ecs)
	case a.name == "bgp_large_community" && a.member == "":
		return community(device.Large, s.lcs)
	case numeric(a) && len(s.numbers) > 0:
		c := e.numberIn(x, a, s.numbers, false)
		if f := scalarOf[a.name]; f != nil && a.member == "" && x.args[1].text != "case" {
			return c, absent(x.pos, *f)
		}
		return c, nil
	case len(s.enums) > 0:
		return e.enumIn(x, a, s.enums), nil
	case len(s.ips) > 0:
		return e.addrIn(x, a, s.ips), nil
	}
	return unmodelled(x), nil
}
