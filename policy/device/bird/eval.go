package bird

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// captured is a value in a variable, with the state of the attributes it looks
// at: once one of them has changed, the value is no longer what it was.
type captured struct {
	v    value
	deps map[string]int
}

// environment is what is known at one point of a program.
type environment struct {
	vars     map[string]captured
	versions map[string]int // of attributes: how often they were changed
}

func (n *environment) clone() *environment {
	return &environment{vars: maps.Clone(n.vars), versions: maps.Clone(n.versions)}
}

func (n *environment) changed(attr string) {
	if n.versions == nil {
		n.versions = map[string]int{}
	}
	n.versions[attr]++
}

// evaluator evaluates expressions for one filter.
type evaluator struct {
	p     *parser
	env   *environment
	deps  map[string]bool
	calls int
	steps int
	known map[*expr]value // calls that were executed before
}

// maxCalls bounds functions inside functions, maxSteps the work on one filter.
const (
	maxCalls = 24
	maxSteps = 50_000
)

func unknownExpr(pos device.Pos, text, why string) device.Expr {
	return &device.Unknown{At: device.At{Pos: pos}, Text: text, Why: why}
}

func constExpr(pos device.Pos, b bool, why string) device.Expr {
	return &device.Const{At: device.At{Pos: pos}, Value: b, Why: why}
}

// either joins two conditions under which something fails; nil is never.
func either(a, b device.Expr) device.Expr {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &device.Or{At: device.At{Pos: a.Position()}, Xs: []device.Expr{a, b}}
}

func both(a, b device.Expr) device.Expr {
	if b == nil {
		return nil
	}
	return &device.And{At: device.At{Pos: b.Position()}, Xs: []device.Expr{a, b}}
}

// eval gives the value of an expression and the condition under which it fails
// at run time, which ends the filter with a reject.
func (e *evaluator) eval(x *expr) (v value, fails device.Expr) {
	if x == nil {
		return voidValue{}, nil
	}
	if e.steps++; e.steps > maxSteps {
		return unknownValue{"the filter is too large"}, nil
	}
	if v, ok := e.known[x]; ok {
		return v, nil
	}
	switch x.op {
	case opConst:
		return constant(x.tok), nil
	case opPrefix:
		n := netip.PrefixFrom(x.tok.ip, int(x.num))
		return netValue(n), nil
	case opSet:
		return e.set(x), nil
	case opMask:
		return e.mask(x)
	case opTuple:
		return e.tuple(x)
	case opEmpty:
		return emptyList{map[string]string{"+": "bgp_path", "-": "bgp_community", "--": "bgp_ext_community", "---": "bgp_large_community"}[x.text]}, nil
	case opName:
		return e.name(x), nil
	case opUnary:
		c, fails := e.condition(x.args[0])
		return condValue{device.Negate(c)}, fails
	case opBinary:
		return e.binary(x)
	case opMember:
		return e.member(x)
	case opCall:
		return e.call(x)
	}
	return unknownValue{x.String() + " is not modelled"}, nil
}

func constant(t token) value {
	switch t.kind {
	case number:
		return intValue(t.num)
	case text:
		return stringValue(t.text)
	case addr:
		return ipValue(t.ip)
	}
	return unknownValue{"not a value"}
}

// otherAttributes are attributes of other protocols, and of the route itself,
// that are not followed.
func otherAttribute(name string) bool {
	for _, p := range []string{"ospf_", "rip_", "krt_", "babel_", "radv_", "bgp_", "mpls_", "l3vpn_", "static_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return slices.Contains([]string{"gw", "scope", "dest", "ifname", "ifindex", "weight", "preference", "onlink", "igp_metric", "gw_mpls", "aggregated"}, name)
}

// followed are the attributes that the model knows.
var followed = []string{
	"net", "proto", "source", "from", "bgp_path", "bgp_community", "bgp_ext_community", "bgp_large_community",
	"bgp_local_pref", "bgp_med", "bgp_origin", "bgp_otc", "bgp_next_hop",
}

func (e *evaluator) name(x *expr) value {
	if c, ok := e.env.vars[x.text]; ok {
		for attr, version := range c.deps {
			if e.env.versions[attr] != version {
				return unknownValue{attr + " has changed since " + x.text + " was set"}
			}
			e.depend(attr)
		}
		return c.v
	}
	switch x.text {
	case "true", "TRUE":
		return boolValue(true)
	case "false", "FALSE":
		return boolValue(false)
	}
	if v, ok := e.p.constants[x.text]; ok {
		return v
	}
	if v, ok := enums[x.text]; ok {
		return v
	}
	if slices.Contains(followed, x.text) {
		e.depend(x.text)
		return attrValue{name: x.text}
	}
	if otherAttribute(x.text) || e.p.attributes[x.text] {
		return unknownValue{"the attribute " + x.text + " is not followed"}
	}
	e.p.undefined(x.pos, "symbol", x.text)
	return unknownValue{x.text + " is not defined"}
}

func (e *evaluator) depend(attr string) {
	if e.deps != nil {
		e.deps[attr] = true
	}
}

// capture evaluates an expression for a variable.
func (e *evaluator) capture(x *expr) (captured, device.Expr) {
	outer := e.deps
	e.deps = map[string]bool{}
	v, fails := e.eval(x)
	if weight(v, maxWeight) <= 0 {
		v = unknownValue{"what it depends on is too large"}
	}
	c := captured{v: v, deps: map[string]int{}}
	for attr := range e.deps {
		c.deps[attr] = e.env.versions[attr]
		if outer != nil {
			outer[attr] = true
		}
	}
	e.deps = outer
	return c, fails
}

// maxWeight bounds the conditions a variable may hold: each use repeats them.
const maxWeight = 2_000

// weight is what is left of a budget when a value is walked.
func weight(v value, budget int) int {
	switch t := v.(type) {
	case condValue:
		return weigh(t.x, budget)
	case choiceValue:
		return weight(t.b, weight(t.a, weigh(t.x, budget)))
	}
	return budget - 1
}

func weigh(x device.Expr, budget int) int {
	device.Walk(x, func(device.Expr) bool {
		budget--
		return budget > 0
	})
	return budget
}

// condition evaluates what has to be a bool.
func (e *evaluator) condition(x *expr) (device.Expr, device.Expr) {
	v, fails := e.eval(x)
	c, more := toCondition(x, v)
	return c, either(fails, more)
}

func toCondition(x *expr, v value) (c, fails device.Expr) {
	switch t := v.(type) {
	case boolValue:
		return constExpr(x.pos, bool(t), x.String()), nil
	case condValue:
		return t.x, nil
	case unknownValue:
		return unknownExpr(x.pos, x.String(), t.why), nil
	case choiceValue:
		a, failsA := toCondition(x, t.a)
		b, failsB := toCondition(x, t.b)
		return choose(x.pos, t.x, a, b), either(both(t.x, failsA), both(device.Negate(t.x), failsB))
	}
	// What is no bool ends the filter.
	return constExpr(x.pos, false, "no truth value"), constExpr(x.pos, true, "no truth value: the filter fails")
}

// choose is the condition that is a where x holds and b elsewhere.
func choose(pos device.Pos, x, a, b device.Expr) device.Expr {
	at := device.At{Pos: pos}
	if c, ok := a.(*device.Const); ok {
		if c.Value {
			return &device.Or{At: at, Xs: []device.Expr{x, b}}
		}
		return &device.And{At: at, Xs: []device.Expr{device.Negate(x), b}}
	}
	if c, ok := b.(*device.Const); ok {
		if c.Value {
			return &device.Or{At: at, Xs: []device.Expr{device.Negate(x), a}}
		}
		return &device.And{At: at, Xs: []device.Expr{x, a}}
	}
	return &device.Or{At: at, Xs: []device.Expr{
		&device.And{At: at, Xs: []device.Expr{x, a}},
		&device.And{At: at, Xs: []device.Expr{device.Negate(x), b}},
	}}
}

func (e *evaluator) binary(x *expr) (value, device.Expr) {
	switch x.text {
	case "&&", "||":
		return e.logic(x)
	case "+", "-", "*", "/":
		return e.arithmetic(x)
	}
	a, failsA := e.eval(x.args[0])
	b, failsB := e.eval(x.args[1])
	c, fails := e.relate(x, a, b)
	return condValue{c}, either(either(failsA, failsB), fails)
}

// logic: the second operand is not evaluated when the first decides.
func (e *evaluator) logic(x *expr) (value, device.Expr) {
	a, failsA := e.condition(x.args[0])
	if c, ok := a.(*device.Const); ok && c.Value == (x.text == "||") {
		return condValue{a}, failsA
	}
	b, failsB := e.condition(x.args[1])
	at := device.At{Pos: x.pos}
	if x.text == "&&" {
		return condValue{flat(at, a, b, false)}, either(failsA, both(a, failsB))
	}
	return condValue{flat(at, a, b, true)}, either(failsA, both(device.Negate(a), failsB))
}

// flat joins without nesting, so that rules see the parts.
func flat(at device.At, a, b device.Expr, or bool) device.Expr {
	var xs []device.Expr
	for _, x := range []device.Expr{a, b} {
		switch t := x.(type) {
		case *device.Or:
			if or {
				xs = append(xs, t.Xs...)
				continue
			}
		case *device.And:
			if !or {
				xs = append(xs, t.Xs...)
				continue
			}
		}
		xs = append(xs, x)
	}
	if or {
		return &device.Or{At: at, Xs: xs}
	}
	return &device.And{At: at, Xs: xs}
}

func (e *evaluator) arithmetic(x *expr) (value, device.Expr) {
	a, failsA := e.eval(x.args[0])
	b, failsB := e.eval(x.args[1])
	fails := either(failsA, failsB)
	n, isInt := a.(intValue)
	m, isInt2 := b.(intValue)
	if isInt && isInt2 {
		switch x.text {
		case "+":
			return n + m, fails
		case "-":
			return n - m, fails
		case "*":
			return n * m, fails
		}
		if m == 0 {
			return voidValue{}, constExpr(x.pos, true, "division by 0")
		}
		return n / m, fails
	}
	if attr, ok := a.(attrValue); ok && isInt2 && (x.text == "+" || x.text == "-") && scalarOf[attr.name] != nil && attr.member == "" {
		return sumValue{attr, uint32(m), x.text == "-"}, either(fails, absent(x.pos, *scalarOf[attr.name]))
	}
	return unknownValue{"arithmetic with what the route brings"}, fails
}

func field(f device.Field) *device.Field { return &f }

// scalarOf are the numbers of a route.
var scalarOf = map[string]*device.Field{
	"bgp_local_pref": field(device.LocalPref), "bgp_med": field(device.MED), "bgp_otc": field(device.OTC),
}

func absent(pos device.Pos, f device.Field) device.Expr {
	return device.Negate(&device.Present{At: device.At{Pos: pos}, Field: f})
}

// tuple builds a pair, a large or an extended community.
func (e *evaluator) tuple(x *expr) (value, device.Expr) {
	var ns []uint32
	var fails device.Expr
	for _, a := range x.args {
		v, f := e.eval(a)
		fails = either(fails, f)
		switch n := v.(type) {
		case intValue:
			ns = append(ns, uint32(n))
		case ipValue:
			if x.text != "" && len(ns) == 0 {
				return unknownValue{"extended communities with an address are not modelled"}, fails
			}
			return unknownValue{"no number"}, fails
		default:
			return unknownValue{"a community that depends on the route"}, fails
		}
	}
	switch {
	case (x.text == "rt" || x.text == "ro") && len(ns) == 2:
		kind := map[string]string{"rt": "rt", "ro": "soo"}[x.text]
		return ecValue(fmt.Sprintf("%s:%d:%d", kind, ns[0], ns[1])), fails
	case x.text != "":
		return unknownValue{"this kind of extended community is not modelled"}, fails
	case len(ns) == 2 && ns[0] < 1<<16 && ns[1] < 1<<16:
		return pairValue(ns[0]<<16 | ns[1]), fails
	case len(ns) == 3:
		return lcValue{ns[0], ns[1], ns[2]}, fails
	}
	return voidValue{}, constExpr(x.pos, true, "a part of the pair is too large: the filter fails")
}

func (e *evaluator) mask(x *expr) (value, device.Expr) {
	var seq aspath.Seq
	for _, item := range x.args {
		var node aspath.Node
		switch item.op {
		case opStar:
			node = aspath.Star()
		case opAny:
			node = aspath.Token{Set: aspath.Any}
		case opLoop:
			if len(seq) == 0 {
				return voidValue{}, constExpr(x.pos, true, "+ has nothing before it: the filter fails")
			}
			seq[len(seq)-1] = aspath.Repeat{X: seq[len(seq)-1], Min: 1, Max: -1}
			continue
		default:
			v, _ := e.eval(item)
			switch t := v.(type) {
			case intValue:
				node = aspath.Token{Set: aspath.One(uint32(t))}
				if item.to != nil {
					node = aspath.Token{Set: aspath.Union(aspath.Set{{Lo: uint32(t), Hi: item.to.tok.num}})}
				}
			case *setValue:
				node = aspath.Token{Set: t.numbers}
			default:
				return unknownValue{"a path mask that depends on the route"}, nil
			}
		}
		seq = append(seq, node)
	}
	pattern, err := aspath.FromNode(seq, x.String())
	if err != nil {
		return unknownValue{err.Error()}, nil
	}
	return maskValue{pattern}, nil
}

func (e *evaluator) member(x *expr) (value, device.Expr) {
	v, fails := e.eval(x.args[0])
	switch t := v.(type) {
	case attrValue:
		if len(x.args) > 1 || x.text == "empty" {
			return e.edited(x, t)
		}
		if t.member != "" {
			return unknownValue{x.String() + " is not modelled"}, fails
		}
		return attrValue{name: t.name, member: x.text, edits: t.edits}, fails
	case choiceValue:
		a, failsA := e.memberOf(x, t.a)
		b, failsB := e.memberOf(x, t.b)
		return choiceValue{t.x, a, b}, either(fails, either(both(t.x, failsA), both(device.Negate(t.x), failsB)))
	}
	out, more := e.memberOf(x, v)
	return out, either(fails, more)
}

// memberOf is a property of a constant.
func (e *evaluator) memberOf(x *expr, v value) (value, device.Expr) {
	switch t := v.(type) {
	case netValue:
		n := netip.Prefix(t)
		switch x.text {
		case "len":
			return intValue(n.Bits()), nil
		case "ip":
			return ipValue(n.Addr()), nil
		case "type":
			return enumValue{"nettype", map[bool]string{true: "IP4", false: "IP6"}[n.Addr().Is4()]}, nil
		}
	case ipValue:
		if x.text == "is_v4" {
			return boolValue(netip.Addr(t).Is4()), nil
		}
	case pairValue:
		switch x.text {
		case "asn":
			return intValue(t >> 16), nil
		case "data":
			return intValue(t & 0xffff), nil
		}
	case lcValue:
		if i := slices.Index([]string{"asn", "data1", "data2"}, x.text); i >= 0 {
			return intValue(t[i]), nil
		}
	case attrValue:
		return attrValue{name: t.name, member: x.text, edits: t.edits}, nil
	case unknownValue:
		return t, nil
	case emptyList:
		if x.text == "len" {
			return intValue(0), nil
		}
	}
	return unknownValue{x.text + " of this value is not modelled"}, nil
}

// call runs built-in functions and functions without effects. Those that have
// effects were executed before.
func (e *evaluator) call(x *expr) (value, device.Expr) {
	switch x.text {
	case "defined":
		return e.defined(x)
	case "roa_check":
		return e.roaCheck(x)
	case "aspa_check", "format":
		return unknownValue{x.text + " is not modelled"}, nil
	case "prepend", "add", "delete", "filter":
		if len(x.args) == 2 {
			v, fails := e.eval(x.args[0])
			if attr, ok := v.(attrValue); ok {
				out, more := e.edit(x, attr, x.text, x.args[1:])
				return out, either(fails, more)
			}
			return unknownValue{"a list that is not an attribute"}, fails
		}
	}
	f := e.p.functions[x.text]
	if f == nil {
		e.p.undefined(x.pos, "function", x.text)
		return unknownValue{x.text + " is not defined"}, nil
	}
	if e.p.effects(f) {
		return unknownValue{"the function " + f.name + " changes the route or decides, inside an expression"}, nil
	}
	if e.calls >= maxCalls || len(x.args) != len(f.params) {
		return unknownValue{"recursion"}, nil
	}
	vars, fails := e.arguments(f, x.args)
	inner := &evaluator{p: e.p, env: &environment{vars: vars, versions: e.env.versions}, deps: e.deps, calls: e.calls + 1, steps: e.steps, known: e.known}
	v, more := inner.pure(f.body)
	e.steps = inner.steps
	return v, either(fails, more)
}

func (e *evaluator) arguments(f *function, args []*expr) (map[string]captured, device.Expr) {
	vars := map[string]captured{}
	var fails device.Expr
	for i, a := range args {
		c, more := e.capture(a)
		fails = either(fails, more)
		if i < len(f.params) {
			vars[f.params[i].name] = c
		}
	}
	return vars, fails
}

// defined asks whether an attribute is there.
func (e *evaluator) defined(x *expr) (value, device.Expr) {
	if len(x.args) != 1 {
		return unknownValue{"defined wants one argument"}, nil
	}
	v, fails := e.eval(x.args[0])
	switch t := v.(type) {
	case attrValue:
		switch {
		case t.member != "":
			return unknownValue{"defined(" + x.args[0].String() + ")"}, fails
		case scalarOf[t.name] != nil:
			return condValue{&device.Present{At: device.At{Pos: x.pos}, Field: *scalarOf[t.name]}}, fails
		case t.name == "bgp_origin" || t.name == "bgp_next_hop":
			return condValue{&device.ProtocolMatch{At: device.At{Pos: x.pos}, Protocols: device.BGP}}, fails
		case strings.HasPrefix(t.name, "bgp_"):
			return unknownValue{"whether " + t.name + " is there, or empty"}, fails
		}
		return boolValue(true), fails
	case voidValue:
		return boolValue(false), fails
	case unknownValue:
		return t, fails
	}
	return boolValue(true), fails
}

// roaCheck looks up the origin of the route. A look-up without a path fails.
func (e *evaluator) roaCheck(x *expr) (value, device.Expr) {
	switch len(x.args) {
	case 1:
		return roaValue{}, device.Negate(&device.ProtocolMatch{At: device.At{Pos: x.pos}, Protocols: device.BGP})
	case 3:
		net, _ := e.eval(x.args[1])
		last, _ := e.eval(x.args[2])
		n, ok1 := net.(attrValue)
		l, ok2 := last.(attrValue)
		if ok1 && ok2 && n.name == "net" && n.member == "" && l.name == "bgp_path" && l.member == "last" {
			return roaValue{}, nil
		}
	}
	return unknownValue{"roa_check of another prefix or origin"}, nil
}

// matchPattern applies BIRD's patterns of * and ? to a name.
func matchPattern(pattern, name string) bool {
	ok, err := path.Match(strings.NewReplacer("[", "\\[", "]", "\\]").Replace(pattern), name)
	return err == nil && ok
}
