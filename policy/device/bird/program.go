package bird

import (
	"slices"
	"strings"
)

// types of variables.
var types = []string{"int", "bool", "ip", "prefix", "pair", "quad", "ec", "lc", "string", "bgpmask", "bgppath", "clist", "eclist", "lclist", "rd", "enum", "bytestring"}

func (p *parser) isType() bool { return p.tok.kind == symbol && slices.Contains(types, p.tok.text) }

func (p *parser) skipType() string {
	name := p.take().text
	for p.tok.is("set") {
		name += " " + p.take().text
	}
	return name
}

// functionDef reads a function or a filter behind its keyword.
func (p *parser) functionDef(filter bool) *function {
	f := &function{pos: p.tok.pos, filter: filter}
	f.name = p.take().text
	if !filter {
		if !p.accept("(") {
			return nil
		}
		for !p.accept(")") {
			if !p.isType() {
				return nil
			}
			kind := p.skipType()
			f.params = append(f.params, param{kind, p.take().text})
			if !p.accept(";") && !p.accept(",") && !p.tok.is(")") {
				return nil
			}
		}
		// BIRD 2.14 lets a function say what it returns.
		if p.accept("-") && p.accept(">") {
			p.skipType()
		}
	}
	return p.functionBody(f)
}

// functionBody reads the variables of old style, and the block.
func (p *parser) functionBody(f *function) *function {
	for p.isType() {
		s := p.statement()
		f.body = append(f.body, s)
	}
	body, ok := p.block()
	if !ok {
		return nil
	}
	f.body = append(f.body, body...)
	f.end = p.last
	return f
}

// block reads statements in braces. What cannot be read is a statement of its
// own; ok is false when the block does not end.
func (p *parser) block() (out []*stmt, ok bool) {
	if !p.accept("{") {
		return nil, false
	}
	for !p.accept("}") {
		if p.tok.kind == end {
			return out, false
		}
		if s := p.statement(); s != nil {
			out = append(out, s)
		}
	}
	return out, true
}

// statement reads one; nil for an empty one.
func (p *parser) statement() *stmt {
	s := &stmt{pos: p.tok.pos}
	p.depth++
	defer func() { p.depth-- }()
	ok := p.depth < maxNesting && p.fill(s)
	if !ok {
		p.unreadStatement(s)
	}
	s.end = p.last
	if s.source == "" {
		s.source = s.oneLine()
	}
	if s.op == "" {
		return nil
	}
	return s
}

// maxNesting bounds blocks and conditions inside one another.
const maxNesting = 200

func (p *parser) unreadStatement(s *stmt) {
	found := p.tok
	p.skipStatement()
	s.op, s.source = doBroken, "not understood at "+found.text
	s.pos = found.pos
	p.notUnderstood(found.pos, "filter statement", found)
}

func (p *parser) fill(s *stmt) bool {
	t := p.tok
	switch {
	case p.accept(";"):
		return true
	case t.is("{"):
		s.op = doBlock
		var ok bool
		s.body, ok = p.block()
		return ok
	case p.accept("if"):
		return p.ifStatement(s)
	case p.accept("case"):
		return p.caseStatement(s)
	case p.accept("for"):
		return p.forStatement(s)
	case p.accept("return"):
		s.op = doReturn
		if !p.tok.is(";") {
			if s.x = p.term(); s.x == nil {
				return false
			}
		}
		return p.accept(";")
	case t.is("accept") || t.is("reject") || t.is("error"):
		s.op = map[string]string{"accept": doAccept, "reject": doReject, "error": doReject}[t.text]
		p.read()
		p.messages()
		return p.accept(";")
	case t.is("print") || t.is("printn"):
		p.read()
		s.op = doPrint
		p.messages()
		return p.accept(";")
	case p.accept("unset"):
		s.op = doUnset
		if !p.accept("(") {
			return false
		}
		s.text = p.take().text
		return p.accept(")") && p.accept(";")
	case p.isType():
		s.op = doVar
		p.skipType()
		s.text = p.take().text
		if p.accept("=") {
			if s.x = p.term(); s.x == nil {
				return false
			}
		}
		return p.accept(";")
	case t.kind == symbol:
		return p.simple(s)
	}
	return false
}

// messages skips what is printed.
func (p *parser) messages() {
	for !p.tok.is(";") && p.tok.kind != end {
		p.read()
	}
}

func (p *parser) ifStatement(s *stmt) bool {
	s.op = doIf
	if s.x = p.term(); s.x == nil || !p.accept("then") {
		return false
	}
	one := func() []*stmt {
		if b := p.statement(); b != nil {
			return []*stmt{b}
		}
		return nil
	}
	s.source = s.oneLine()
	s.body = one()
	if p.tok.is("else") && !p.elseOfCase() {
		p.read()
		s.hasElse = true
		s.alt = one()
	}
	return true
}

// elseOfCase tells "else:" of a case from the else of an if.
func (p *parser) elseOfCase() bool {
	return strings.HasPrefix(p.lex.data[p.lex.at:], ":") && !strings.HasPrefix(p.lex.data[p.lex.at:], "::")
}

func (p *parser) caseStatement(s *stmt) bool {
	s.op = doCase
	if s.x = p.term(); s.x == nil || !p.accept("{") {
		return false
	}
	s.source = "case " + s.x.String()
	for !p.accept("}") {
		var arm caseArm
		if p.tok.is("else") && p.elseOfCase() {
			p.read()
			arm.isElse = true
		} else {
			for {
				item := p.setItem()
				if item == nil {
					return false
				}
				arm.items = append(arm.items, item)
				if !p.accept(",") {
					break
				}
			}
		}
		if !p.accept(":") {
			return false
		}
		for !p.tok.is("}") && !p.caseLabel() {
			if p.tok.kind == end {
				return false
			}
			if b := p.statement(); b != nil {
				arm.body = append(arm.body, b)
			}
		}
		s.cases = append(s.cases, arm)
	}
	return true
}

// caseLabel looks for the beginning of the next arm: constants never begin a
// statement.
func (p *parser) caseLabel() bool {
	t := p.tok
	switch {
	case t.kind == number || t.kind == addr || t.is("("):
		return true
	case t.is("else"):
		return p.elseOfCase()
	case t.kind == symbol:
		if _, ok := enums[t.text]; ok {
			return true
		}
		rest := strings.TrimLeft(p.lex.data[p.lex.at:], " \t\r\n")
		return strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::") || strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, "..")
	}
	return false
}

func (p *parser) forStatement(s *stmt) bool {
	s.op = doFor
	if p.isType() {
		p.skipType()
	}
	s.text = p.take().text
	if !p.accept("in") {
		return false
	}
	if s.x = p.term(); s.x == nil || !p.accept("do") {
		return false
	}
	if b := p.statement(); b != nil {
		s.body = []*stmt{b}
	}
	s.source = "for " + s.text + " in " + s.x.String()
	return true
}

// simple reads an assignment, a call or a method.
func (p *parser) simple(s *stmt) bool {
	name := p.take()
	s.text = name.text
	switch {
	case p.accept("="):
		s.op = doAssign
		if s.x = p.term(); s.x == nil {
			return false
		}
	case p.accept("("):
		s.op = doCall
		var ok bool
		if s.args, ok = p.arguments(); !ok {
			return false
		}
		s.x = &expr{pos: name.pos, op: opCall, text: name.text, args: s.args}
	case p.accept("."):
		s.op = doMethod
		method := p.take()
		s.x = &expr{pos: method.pos, op: opMember, text: method.text}
		if p.accept("(") {
			var ok bool
			if s.args, ok = p.arguments(); !ok {
				return false
			}
		}
	default:
		return false
	}
	return p.accept(";")
}

func (s *stmt) oneLine() string {
	switch s.op {
	case doIf:
		return "if " + s.x.String()
	case doReturn:
		if s.x == nil {
			return "return"
		}
		return "return " + s.x.String()
	case doAssign:
		return s.text + " = " + s.x.String()
	case doCall:
		return s.x.String()
	case doMethod:
		return s.text + "." + s.x.text + "(" + joined(s.args, ", ") + ")"
	case doUnset:
		return "unset(" + s.text + ")"
	}
	return s.op
}
