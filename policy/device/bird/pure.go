package bird

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// changesRoute are statements that do something to the route.
func changesRoute(s *stmt) bool {
	switch s.op {
	case doMethod, doUnset, doAccept, doReject, doBroken:
		return true
	}
	return false
}

// effects reports whether a function changes the route or decides.
func (p *parser) effects(f *function) bool {
	if f.impure != nil {
		return *f.impure
	}
	yes := true
	f.impure = &yes // a function that calls itself
	locals := map[string]bool{}
	for _, q := range f.params {
		locals[q.name] = true
	}
	yes = p.bodyEffects(f.body, locals)
	return yes
}

func (p *parser) bodyEffects(body []*stmt, locals map[string]bool) bool {
	return slices.ContainsFunc(body, func(s *stmt) bool {
		if s.op == doVar {
			locals[s.text] = true
		}
		if changesRoute(s) || s.op == doAssign && !locals[s.text] {
			return true
		}
		if p.callsEffects(s.x) || slices.ContainsFunc(s.args, p.callsEffects) {
			return true
		}
		if p.bodyEffects(s.body, locals) || p.bodyEffects(s.alt, locals) {
			return true
		}
		return slices.ContainsFunc(s.cases, func(a caseArm) bool { return p.bodyEffects(a.body, locals) })
	})
}

func (p *parser) callsEffects(x *expr) bool { return p.effectCall(x) != nil }

// effectCall is the first call in an expression that has effects.
func (p *parser) effectCall(x *expr) *expr {
	if x == nil {
		return nil
	}
	for _, a := range x.args {
		if c := p.effectCall(a); c != nil {
			return c
		}
	}
	if x.op == opCall {
		if f := p.functions[x.text]; f != nil && p.effects(f) {
			return x
		}
	}
	return nil
}

func returns(body []*stmt) bool {
	return slices.ContainsFunc(body, func(s *stmt) bool {
		return s.op == doReturn || returns(s.body) || returns(s.alt) ||
			slices.ContainsFunc(s.cases, func(a caseArm) bool { return returns(a.body) })
	})
}

// asIfs turns a case into conditions one behind the other.
func asIfs(s *stmt) *stmt {
	var last []*stmt
	for _, arm := range s.cases {
		if arm.isElse {
			last = arm.body
		}
	}
	for i := len(s.cases) - 1; i >= 0; i-- {
		arm := s.cases[i]
		if arm.isElse {
			continue
		}
		in := &expr{pos: s.pos, op: opBinary, text: "~", args: []*expr{s.x, {pos: s.pos, op: opSet, args: arm.items, text: "case"}}}
		last = []*stmt{{pos: s.pos, end: s.end, op: doIf, x: in, body: arm.body, alt: last, hasElse: true, source: "case " + s.x.String() + " " + joined(arm.items, ", ")}}
	}
	if len(last) == 1 && last[0].op == doIf {
		return last[0]
	}
	return &stmt{pos: s.pos, end: s.end, op: doBlock, body: last, source: s.source}
}

// pure runs a program without effects and gives what it returns.
func (e *evaluator) pure(list []*stmt) (value, device.Expr) {
	var fails device.Expr
	for i, s := range list {
		if e.steps++; e.steps > maxSteps {
			return unknownValue{"the function is too large"}, fails
		}
		rest := list[i+1:]
		switch s.op {
		case doReturn:
			v, more := e.eval(s.x)
			return v, either(fails, more)
		case doVar, doAssign:
			c, more := e.capture(s.x)
			fails = either(fails, more)
			e.env.vars[s.text] = c
		case doBlock:
			v, more := e.pure(append(slices.Clone(s.body), rest...))
			return v, either(fails, more)
		case doCase:
			v, more := e.pure(append([]*stmt{asIfs(s)}, rest...))
			return v, either(fails, more)
		case doIf:
			c, more := e.condition(s.x)
			fails = either(fails, more)
			v, more := e.pureIf(s, c, rest)
			return v, either(fails, more)
		case doFor:
			found, ok := e.search(s)
			if !ok {
				if returns(s.body) {
					return unknownValue{"a loop"}, fails
				}
				e.forget(s.body)
				continue
			}
			v, more := e.pureIf(found, nil, rest)
			return v, either(fails, more)
		case doCall:
			_, more := e.eval(s.x)
			fails = either(fails, more)
		}
	}
	return voidValue{}, fails
}

// pureIf goes on in both branches, unless the condition is known.
func (e *evaluator) pureIf(s *stmt, c device.Expr, rest []*stmt) (value, device.Expr) {
	var more device.Expr
	if c == nil {
		c, more = e.condition(s.x)
	}
	then, other := append(slices.Clone(s.body), rest...), append(slices.Clone(s.alt), rest...)
	if k, ok := c.(*device.Const); ok {
		if k.Value {
			return e.pure(then)
		}
		return e.pure(other)
	}
	start := e.env
	e.env = start.clone()
	a, failsA := e.pure(then)
	e.env = start.clone()
	b, failsB := e.pure(other)
	e.env = start
	return choice(c, a, b), either(more, either(both(c, failsA), both(device.Negate(c), failsB)))
}

// choice keeps conditions conditions.
func choice(x device.Expr, a, b value) value {
	if a == nil || b == nil {
		return unknownValue{"no value"}
	}
	truth := func(v value) (device.Expr, bool) {
		switch t := v.(type) {
		case boolValue:
			return constExpr(x.Position(), bool(t), ""), true
		case condValue:
			return t.x, true
		}
		return nil, false
	}
	p, ok1 := truth(a)
	q, ok2 := truth(b)
	if ok1 && ok2 {
		return condValue{choose(x.Position(), x, p, q)}
	}
	if isConstant(a) && isConstant(b) && a == b {
		return a
	}
	return choiceValue{x, a, b}
}

func isConstant(v value) bool {
	switch v.(type) {
	case intValue, boolValue, stringValue, ipValue, netValue, pairValue, lcValue, ecValue, enumValue, voidValue:
		return true
	}
	return false
}

// forget drops the variables a program sets.
func (e *evaluator) forget(body []*stmt) {
	for _, s := range body {
		if s.op == doAssign || s.op == doVar || s.op == doFor {
			if _, local := e.env.vars[s.text]; local {
				e.env.vars[s.text] = captured{v: unknownValue{s.text + " is set in a loop"}}
			}
		}
		e.forget(s.body)
		e.forget(s.alt)
		for _, a := range s.cases {
			e.forget(a.body)
		}
	}
}

// search recognises a loop that only looks for an element and acts once it is
// found: it is then a condition on the whole list.
func (e *evaluator) search(s *stmt) (*stmt, bool) {
	body := s.body
	for len(body) == 1 && body[0].op == doBlock {
		body = body[0].body
	}
	if len(body) != 1 || body[0].op != doIf || len(body[0].alt) > 0 || s.x.op != opName {
		return nil, false
	}
	in := body[0]
	if in.x.op != opBinary || in.x.text != "=" && in.x.text != "~" || in.x.args[0].op != opName || in.x.args[0].text != s.text || mentions(in.x.args[1], s.text) {
		return nil, false
	}
	if !decides(in.body) || mentionsIn(in.body, s.text) {
		return nil, false
	}
	list, element := s.x, in.x.args[1]
	x := &expr{pos: in.x.pos, op: opBinary, text: "~", args: []*expr{element, list}}
	if in.x.text == "~" {
		x.args = []*expr{list, element}
	}
	return &stmt{pos: s.pos, end: s.end, op: doIf, x: x, body: in.body, source: s.source}, true
}

// decides reports whether a program ends for good: it returns, accepts or
// rejects.
func decides(body []*stmt) bool {
	if len(body) == 0 {
		return false
	}
	switch last := body[len(body)-1]; last.op {
	case doReturn, doAccept, doReject:
		return true
	case doBlock:
		return decides(last.body)
	}
	return false
}

func mentions(x *expr, name string) bool {
	if x == nil {
		return false
	}
	return x.op == opName && x.text == name || mentions(x.to, name) || slices.ContainsFunc(x.args, func(a *expr) bool { return mentions(a, name) })
}

func mentionsIn(body []*stmt, name string) bool {
	return slices.ContainsFunc(body, func(s *stmt) bool {
		return mentions(s.x, name) || slices.ContainsFunc(s.args, func(a *expr) bool { return mentions(a, name) }) ||
			mentionsIn(s.body, name) || mentionsIn(s.alt, name)
	})
}
