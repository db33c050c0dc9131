package bird

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

func addrOf(v ipValue) netip.Addr { return netip.Addr(v) }

// frame is what the end of a program leads to.
type frame struct {
	ret  func(x *expr, v value) ([]*device.Term, bool)
	fell func() ([]*device.Term, bool) // nil: what stands behind goes on
}

// lowerer turns a program into terms.
type lowerer struct {
	evaluator
	terms int
	depth int // of blocks: 0 is the filter itself
}

// maxTerms bounds what one filter becomes.
const maxTerms = 20_000

// program lowers a filter.
func (p *parser) program(name string, pos, end device.Pos, body []*stmt) *device.Policy {
	l := &lowerer{evaluator: evaluator{p: p, env: &environment{vars: map[string]captured{}, versions: map[string]int{}}, known: map[*expr]value{}}}
	out := &device.Policy{At: device.At{Pos: pos}, Name: name, End: end}
	out.Terms, _ = l.run(body, &frame{ret: l.verdict}, true)
	return out
}

// verdict: a filter that returns a bool accepts or rejects; anything else
// fails.
func (l *lowerer) verdict(x *expr, v value) ([]*device.Term, bool) {
	if x == nil {
		x = &expr{}
	}
	c, fails := toCondition(x, v)
	var out []*device.Term
	out = append(out, l.failing(x.pos, fails)...)
	t := &device.Term{At: device.At{Pos: x.pos}, End: x.pos, Name: "return " + x.String(), Match: c}
	t.Then = device.Disposition{At: t.At, Flow: device.AcceptRoute, Text: "return"}
	if k, ok := c.(*device.Const); ok {
		t.Bare = l.depth == 0
		if !k.Value {
			t.Match, t.Then.Flow = device.Always("return false"), device.RejectRoute
		}
		return append(out, t), false
	}
	no := &device.Term{At: t.At, Name: "return false", Match: device.Always("return false"), Then: device.Disposition{At: t.At, Flow: device.RejectRoute}}
	return append(out, t, no), false
}

// failing is the term for what ends a filter at run time.
func (l *lowerer) failing(pos device.Pos, fails device.Expr) []*device.Term {
	if fails == nil {
		return nil
	}
	if c, ok := fails.(*device.Const); ok && !c.Value {
		return nil
	}
	return []*device.Term{{
		At: device.At{Pos: pos}, End: pos, Name: "fails at run time", Match: fails,
		Then: device.Disposition{At: device.At{Pos: pos}, Flow: device.RejectRoute, Text: "runtime error"},
	}}
}

func (l *lowerer) tooLarge(pos device.Pos) []*device.Term {
	return []*device.Term{{
		At: device.At{Pos: pos}, Name: "...", Match: device.Always("the filter is too large"),
		Then: device.Disposition{At: device.At{Pos: pos}, Flow: device.DecideMaybe, Text: "the filter is too large to be followed"},
	}}
}

// always is a term for actions alone.
func always(s *stmt, actions ...device.Action) *device.Term {
	return &device.Term{At: device.At{Pos: s.pos}, End: s.end, Name: s.source, Match: device.Always("no condition"), Actions: actions}
}

// run lowers statements; falls says whether anything goes on behind them. The
// end of a final list is the end of the frame.
func (l *lowerer) run(list []*stmt, fr *frame, final bool) (out []*device.Term, falls bool) {
	for i, s := range list {
		if l.terms++; l.terms > maxTerms {
			return append(out, l.tooLarge(s.pos)...), false
		}
		rest := list[i+1:]
		if call := l.unexecuted(s); call != nil {
			terms, falls := l.hoist(call, list[i:], fr, final)
			return append(out, terms...), falls
		}
		switch s.op {
		case doAccept, doReject:
			return append(out, l.decision(s)), false
		case doReturn:
			v, fails := l.eval(s.x)
			out = append(out, l.failing(s.pos, fails)...)
			terms, falls := fr.ret(s.x, v)
			return append(out, terms...), falls
		case doBlock:
			terms, falls := l.run(append(slices.Clone(s.body), rest...), fr, final)
			return append(out, terms...), falls
		case doCase:
			terms, falls := l.run(append([]*stmt{asIfs(s)}, rest...), fr, final)
			return append(out, terms...), falls
		case doIf:
			terms, done, falls := l.branch(s, rest, fr, final)
			out = append(out, terms...)
			if done {
				return out, falls
			}
		case doFor:
			if found, ok := l.search(s); ok {
				terms, falls := l.run(append([]*stmt{found}, rest...), fr, final)
				return append(out, terms...), falls
			}
			out = append(out, l.loop(s)...)
		case doBroken:
			out = append(out, &device.Term{
				At: device.At{Pos: s.pos}, End: s.end, Name: s.source, Match: unknownExpr(s.pos, s.source, "the statement was not understood"),
				Then: device.Disposition{At: device.At{Pos: s.pos}, Flow: device.DecideMaybe, Text: s.source},
			})
		default:
			out = append(out, l.plain(s)...)
		}
	}
	if final && fr.fell != nil {
		terms, falls := fr.fell()
		return append(out, terms...), falls
	}
	return out, true
}

func (l *lowerer) decision(s *stmt) *device.Term {
	t := always(s)
	t.Bare = l.depth == 0
	t.Then = device.Disposition{At: t.At, Flow: device.RejectRoute, Text: s.source}
	if s.op == doAccept {
		t.Then.Flow = device.AcceptRoute
	}
	return t
}

// plain lowers statements that go on with the next.
func (l *lowerer) plain(s *stmt) []*device.Term {
	switch s.op {
	case doVar:
		c, fails := l.capture(s.x)
		l.env.vars[s.text] = c
		return l.failing(s.pos, fails)
	case doAssign:
		return l.assignment(s)
	case doMethod:
		action, fails := l.method(&expr{pos: s.pos}, s.text, s.x.text, s.args)
		l.env.changed(s.text)
		return append(l.failing(s.pos, fails), always(s, action))
	case doUnset:
		l.env.changed(s.text)
		if f := scalarOf[s.text]; f != nil {
			return []*device.Term{always(s, &device.SetScalar{At: device.At{Pos: s.pos}, Field: *f, Op: device.Remove})}
		}
		if _, list := listKind[s.text]; list || s.text == "bgp_path" {
			return []*device.Term{always(s, cleared(device.At{Pos: s.pos}, s.text))}
		}
		return []*device.Term{always(s, &device.UnknownAction{At: device.At{Pos: s.pos}, Text: s.source, Changes: fieldsOf(s.text)})}
	case doCall:
		if l.p.functions[s.text] == nil {
			l.p.undefined(s.pos, "function", s.text)
			return []*device.Term{always(s, &device.UnknownAction{At: device.At{Pos: s.pos}, Text: s.source, Changes: device.AllFields})}
		}
		_, fails := l.eval(s.x)
		return l.failing(s.pos, fails)
	}
	return nil
}

func (l *lowerer) assignment(s *stmt) []*device.Term {
	if _, local := l.env.vars[s.text]; local {
		c, fails := l.capture(s.x)
		l.env.vars[s.text] = c
		return l.failing(s.pos, fails)
	}
	if !slices.Contains(followed, s.text) && !otherAttribute(s.text) && !l.p.attributes[s.text] {
		l.p.undefined(s.pos, "symbol", s.text)
	}
	v, fails := l.eval(s.x)
	out := l.failing(s.pos, fails)
	l.env.changed(s.text)
	if t, ok := v.(choiceValue); ok {
		return append(out, l.chosen(s, t)...)
	}
	return append(out, always(s, l.assign(s.x, s.text, v)...))
}

// chosen assigns one of two values.
func (l *lowerer) chosen(s *stmt, t choiceValue) []*device.Term {
	one := func(v value) []*device.Term {
		if c, ok := v.(choiceValue); ok {
			return l.chosen(s, c)
		}
		return []*device.Term{always(s, l.assign(s.x, s.text, v)...)}
	}
	return []*device.Term{{At: device.At{Pos: s.pos}, End: s.end, Name: s.source, Match: t.x, Body: one(t.a), Else: one(t.b)}}
}

// branch lowers an if. When a branch returns, what follows is lowered in both:
// done says so.
func (l *lowerer) branch(s *stmt, rest []*stmt, fr *frame, final bool) (out []*device.Term, done, falls bool) {
	outer := l.deps
	l.deps = map[string]bool{}
	c, fails := l.condition(s.x)
	deps := l.deps
	l.deps = outer
	out = l.failing(s.pos, fails)
	if k, ok := c.(*device.Const); ok && constantCondition(s.x) {
		way := s.alt
		if k.Value {
			way = s.body
		}
		terms, falls := l.run(append(slices.Clone(way), rest...), fr, final)
		return append(out, terms...), true, falls
	}
	then, other := s.body, s.alt
	done = returns(then) || returns(other)
	if done {
		then, other = append(slices.Clone(then), rest...), append(slices.Clone(other), rest...)
	}
	t := &device.Term{At: device.At{Pos: s.pos}, End: s.end, Name: s.source, Match: c}
	start := l.env
	l.depth++
	l.env = start.clone()
	var fallsA, fallsB bool
	t.Body, fallsA = l.run(then, fr, final && done)
	envA := l.env
	l.env = start.clone()
	t.Else, fallsB = l.run(other, fr, final && done)
	envB := l.env
	l.depth--
	l.env = merge(c, deps, start, envA, envB, fallsA, fallsB)
	fold(t)
	out = append(out, t)
	if !fallsA && !fallsB {
		return out, true, false
	}
	return out, done, true
}

// constantCondition: only what asks nothing of the route is decided at once, so
// that a set that is empty stays in view.
func constantCondition(x *expr) bool {
	if x == nil {
		return true
	}
	if x.op == opName && (slices.Contains(followed, x.text) || otherAttribute(x.text)) || x.op == opCall {
		return false
	}
	return !slices.ContainsFunc(x.args, func(a *expr) bool { return !constantCondition(a) })
}

// merge joins what is known behind two branches.
func merge(c device.Expr, deps map[string]bool, start, a, b *environment, fallsA, fallsB bool) *environment {
	switch {
	case !fallsA:
		return b
	case !fallsB:
		return a
	}
	out := start.clone()
	for _, way := range []*environment{a, b} {
		for attr, v := range way.versions {
			if out.versions == nil {
				out.versions = map[string]int{}
			}
			out.versions[attr] = max(out.versions[attr], v)
		}
	}
	for name := range start.vars {
		x, y := a.vars[name], b.vars[name]
		if sameCapture(x, y) {
			out.vars[name] = x
			continue
		}
		both := captured{v: choice(c, fresh(x, a), fresh(y, b)), deps: map[string]int{}}
		if weight(both.v, maxWeight) <= 0 {
			both.v = unknownValue{"what " + name + " depends on is too large"}
		}
		for attr := range deps {
			both.deps[attr] = start.versions[attr]
		}
		for _, d := range []map[string]int{x.deps, y.deps} {
			for attr := range d {
				both.deps[attr] = d[attr]
			}
		}
		out.vars[name] = both
	}
	return out
}

// fresh is the value of a variable, unless what it looks at has changed.
func fresh(c captured, env *environment) value {
	for attr, v := range c.deps {
		if env.versions[attr] != v {
			return unknownValue{attr + " has changed since"}
		}
	}
	return c.v
}

func sameCapture(x, y captured) bool {
	return maps.Equal(x.deps, y.deps) && (isConstant(x.v) && isConstant(y.v) && x.v == y.v || sameSet(x.v, y.v))
}

func sameSet(a, b value) bool {
	s, ok1 := a.(*setValue)
	t, ok2 := b.(*setValue)
	return ok1 && ok2 && s == t
}

// fold takes what a branch does before anything is asked, and what it decides,
// into the term itself.
func fold(t *device.Term) {
	for len(t.Body) > 0 {
		first := t.Body[0]
		k, ok := first.Match.(*device.Const)
		if !ok || !k.Value || len(first.Body) > 0 || len(first.Else) > 0 || k.Why != "no condition" {
			return
		}
		t.Actions = append(t.Actions, first.Actions...)
		if first.Then.Flow != device.Continue {
			t.Then, t.Body = first.Then, nil
			return
		}
		t.Body = t.Body[1:]
	}
}

// loop is one that is not followed.
func (l *lowerer) loop(s *stmt) []*device.Term {
	var fields device.Fields
	decides := false
	var walk func(body []*stmt)
	walk = func(body []*stmt) {
		for _, b := range body {
			switch b.op {
			case doAccept, doReject, doReturn, doBroken:
				decides = true
			case doMethod, doUnset, doAssign:
				fields |= fieldsOf(b.text)
				l.env.changed(b.text)
			}
			if l.p.callsEffects(b.x) {
				fields, decides = device.AllFields, true
			}
			walk(b.body)
			walk(b.alt)
			for _, a := range b.cases {
				walk(a.body)
			}
		}
	}
	walk(s.body)
	l.forget(s.body)
	at := device.At{Pos: s.pos}
	t := &device.Term{At: at, End: s.end, Name: s.source, Match: unknownExpr(s.pos, s.source, "loops are not followed")}
	if fields != 0 {
		t.Actions = []device.Action{&device.UnknownAction{At: at, Text: s.source, Changes: fields}}
	}
	if !decides {
		if fields == 0 {
			return nil
		}
		return []*device.Term{t}
	}
	t.Body = []*device.Term{{
		At: at, Name: s.source, Match: unknownExpr(s.pos, s.source, "loops are not followed"),
		Then: device.Disposition{At: at, Flow: device.DecideMaybe, Text: s.source},
	}}
	return []*device.Term{t}
}

// unexecuted is a call with effects in a statement, which has to run before the
// statement is looked at.
func (l *lowerer) unexecuted(s *stmt) *expr {
	if s.op == doFor || s.op == doBroken {
		return nil
	}
	find := func(x *expr) *expr {
		c := l.p.effectCall(x)
		if c == nil {
			return nil
		}
		if _, ran := l.known[c]; ran {
			return nil
		}
		return c
	}
	if c := find(s.x); c != nil {
		return c
	}
	if s.op == doCall || s.op == doMethod {
		for _, a := range s.args {
			if c := find(a); c != nil {
				return c
			}
		}
	}
	return nil
}

// hoist executes a call with effects, and then, wherever it returns, what comes
// behind it with the value it returned.
func (l *lowerer) hoist(call *expr, list []*stmt, fr *frame, final bool) ([]*device.Term, bool) {
	s := list[0]
	if split := l.split(s, call); split != nil {
		return l.run(append([]*stmt{split}, list[1:]...), fr, final)
	}
	f := l.p.functions[call.text]
	if l.calls >= maxCalls || len(call.args) != len(f.params) {
		l.known[call] = unknownValue{"recursion"}
		t := always(s, &device.UnknownAction{At: device.At{Pos: call.pos}, Text: call.String(), Changes: device.AllFields})
		t.Then = device.Disposition{At: t.At, Flow: device.DecideMaybe, Text: "recursion"}
		t.Match = unknownExpr(call.pos, call.String(), "recursion")
		terms, falls := l.run(list, fr, final)
		delete(l.known, call)
		return append([]*device.Term{t}, terms...), falls
	}
	vars, fails := l.arguments(f, call.args)
	out := l.failing(call.pos, fails)
	caller := l.env
	l.env = &environment{vars: vars, versions: caller.versions}
	l.calls++
	goOn := func(x *expr, v value) ([]*device.Term, bool) {
		inner, calls := l.env, l.calls
		l.env = &environment{vars: maps.Clone(caller.vars), versions: maps.Clone(inner.versions)}
		l.calls--
		saved, had := l.known[call]
		l.known[call] = v
		var terms []*device.Term
		falls := true
		if s.op == doCall && s.x == call {
			terms, falls = l.run(list[1:], fr, final)
		} else {
			terms, falls = l.run(list, fr, final)
		}
		delete(l.known, call)
		if had {
			l.known[call] = saved
		}
		l.env, l.calls = inner, calls
		return terms, falls
	}
	statement := s.op == doCall && s.x == call
	if statement {
		// Nothing looks at the value: what is behind follows where it ends.
		terms, falls := l.run(f.body, &frame{ret: func(*expr, value) ([]*device.Term, bool) { return nil, true }}, true)
		versions := l.env.versions
		l.env, l.calls = &environment{vars: caller.vars, versions: versions}, l.calls-1
		out = append(out, terms...)
		if !falls {
			return out, false
		}
		more, falls := l.run(list[1:], fr, final)
		return append(out, more...), falls
	}
	terms, falls := l.run(f.body, &frame{ret: goOn, fell: func() ([]*device.Term, bool) { return goOn(nil, voidValue{}) }}, true)
	// What holds behind all the ways through is not known.
	l.env, l.calls = caller.clone(), l.calls-1
	for _, attr := range followed {
		l.env.changed(attr)
	}
	l.forget(list)
	return append(out, terms...), falls
}

// split takes "if a && f() then" apart, so that f runs only where a holds.
func (l *lowerer) split(s *stmt, call *expr) *stmt {
	if s.op != doIf || s.x.op != opBinary || s.x.text != "&&" && s.x.text != "||" || holds(s.x.args[0], call) {
		return nil
	}
	inner := *s
	inner.x, inner.source = s.x.args[1], "if "+s.x.args[1].String()
	outer := *s
	outer.x, outer.source = s.x.args[0], "if "+s.x.args[0].String()
	if s.x.text == "&&" {
		outer.body = []*stmt{&inner}
	} else {
		outer.alt, outer.hasElse = []*stmt{&inner}, true
	}
	return &outer
}

func holds(x, call *expr) bool {
	return x == call || slices.ContainsFunc(x.args, func(a *expr) bool { return holds(a, call) })
}
