package bird

import (
	"slices"
	"strings"
)

// members are the properties of values.
var members = []string{
	"len", "first", "last", "last_nonaggregated", "ip", "type", "is_v4", "asn", "data", "data1", "data2", "maxlen", "min", "max", "mask", "src", "dst", "rd",
	"add", "delete", "filter", "prepend", "empty",
}

// term reads an expression. && and || bind alike, from the left.
func (p *parser) term() *expr {
	x := p.relation()
	for x != nil && (p.tok.is("&&") || p.tok.is("||")) {
		op := p.take()
		y := p.relation()
		if y == nil {
			return nil
		}
		x = &expr{pos: op.pos, op: opBinary, text: op.text, args: []*expr{x, y}}
	}
	return x
}

var relations = []string{"=", "!=", "<", "<=", ">", ">=", "~", "!~"}

func (p *parser) relation() *expr {
	x := p.sum()
	if x == nil || p.tok.kind != punct || !slices.Contains(relations, p.tok.text) {
		return x
	}
	op := p.take()
	y := p.sum()
	if y == nil {
		return nil
	}
	return &expr{pos: op.pos, op: opBinary, text: op.text, args: []*expr{x, y}}
}

func (p *parser) sum() *expr { return p.leftBinary(p.product, "+", "-") }

func (p *parser) product() *expr { return p.leftBinary(p.negation, "*", "/") }

func (p *parser) leftBinary(operand func() *expr, ops ...string) *expr {
	x := operand()
	for x != nil && p.tok.kind == punct && slices.Contains(ops, p.tok.text) {
		op := p.take()
		y := operand()
		if y == nil {
			return nil
		}
		x = &expr{pos: op.pos, op: opBinary, text: op.text, args: []*expr{x, y}}
	}
	return x
}

// negation: ! binds closer than every other operator.
func (p *parser) negation() *expr {
	if !p.tok.is("!") {
		return p.postfix()
	}
	op := p.take()
	x := p.negation()
	if x == nil {
		return nil
	}
	return &expr{pos: op.pos, op: opUnary, text: "!", args: []*expr{x}}
}

func (p *parser) postfix() *expr {
	x := p.primary()
	for x != nil && p.tok.is(".") {
		dot := p.take()
		name := p.take()
		if name.kind != symbol || !slices.Contains(members, name.text) {
			return nil
		}
		m := &expr{pos: dot.pos, op: opMember, text: name.text, args: []*expr{x}}
		if p.accept("(") {
			args, ok := p.arguments()
			if !ok {
				return nil
			}
			m.args = append(m.args, args...)
		}
		x = m
	}
	return x
}

// arguments reads terms up to the closing parenthesis.
func (p *parser) arguments() ([]*expr, bool) {
	var out []*expr
	if p.accept(")") {
		return nil, true
	}
	for {
		x := p.term()
		if x == nil {
			return nil, false
		}
		out = append(out, x)
		if p.accept(")") {
			return out, true
		}
		if !p.accept(",") {
			return nil, false
		}
	}
}

func (p *parser) primary() *expr {
	t := p.tok
	x := &expr{pos: t.pos, tok: t}
	switch {
	case t.kind == number || t.kind == text:
		p.read()
		x.op = opConst
		return x
	case t.kind == addr:
		p.read()
		return p.network(x)
	case t.is("["):
		return p.set()
	case t.is("[="):
		return p.mask()
	case t.is("("):
		return p.parenthesis()
	case t.is("+") || t.is("-"):
		return p.empty()
	case t.kind == symbol:
		return p.named()
	}
	return nil
}

// network reads "10.0.0.0/8"; a plain address stays one.
func (p *parser) network(x *expr) *expr {
	x.op = opConst
	if !p.tok.is("/") {
		return x
	}
	p.read()
	if p.tok.kind != number || int(p.tok.num) > x.tok.ip.BitLen() {
		return nil
	}
	x.op, x.num = opPrefix, p.take().num
	if p.tok.is("max") || p.tok.is("from") {
		x.op = opRoute
		for p.tok.kind != end && !p.tok.is(";") && !p.tok.is(",") && !p.tok.is(")") {
			p.read()
		}
	}
	return x
}

// empty reads +empty+, -empty-, --empty-- and ---empty---.
func (p *parser) empty() *expr {
	x := &expr{pos: p.tok.pos, op: opEmpty}
	sign := p.tok.text
	for p.tok.is(sign) {
		x.text += p.take().text
	}
	if !p.accept("empty") {
		return nil
	}
	for range x.text {
		if !p.accept(sign) {
			return nil
		}
	}
	return x
}

func (p *parser) named() *expr {
	t := p.take()
	x := &expr{pos: t.pos, op: opName, text: t.text, tok: t}
	if !p.tok.is("(") {
		return x
	}
	p.read()
	args, ok := p.arguments()
	if !ok {
		return nil
	}
	x.op, x.args = opCall, args
	return x
}

// kinds of extended communities.
var ecKinds = []string{"rt", "ro", "generic", "unknown"}

func (p *parser) parenthesis() *expr {
	x := &expr{pos: p.take().pos, op: opTuple}
	if p.tok.kind == symbol && slices.Contains(ecKinds, p.tok.text) {
		x.text = p.take().text
		if x.text == "unknown" {
			p.read()
		}
		if !p.accept(",") {
			return nil
		}
	}
	args, ok := p.arguments()
	switch {
	case !ok || len(args) == 0:
		return nil
	case len(args) == 1 && x.text == "":
		return args[0]
	}
	x.args = args
	return x
}

// set reads a set of any type.
func (p *parser) set() *expr {
	x := &expr{pos: p.take().pos, op: opSet}
	if p.accept("]") {
		return x
	}
	for {
		item := p.setItem()
		if item == nil {
			return nil
		}
		x.args = append(x.args, item)
		if p.accept("]") {
			return x
		}
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *parser) setItem() *expr {
	var item *expr
	switch t := p.tok; {
	case t.is("("):
		item = p.tupleItem()
	case t.kind == addr:
		p.read()
		item = p.network(&expr{pos: t.pos, tok: t})
		if item != nil && item.op == opPrefix {
			return p.prefixRange(item)
		}
	case t.kind == number:
		p.read()
		item = &expr{pos: t.pos, op: opConst, tok: t}
	case t.kind == symbol:
		p.read()
		item = &expr{pos: t.pos, op: opName, text: t.text, tok: t}
	}
	if item != nil && p.accept("..") {
		item.to = p.setItemEnd()
		if item.to == nil {
			return nil
		}
	}
	return item
}

func (p *parser) setItemEnd() *expr {
	t := p.tok
	if t.is("(") {
		return p.tupleItem()
	}
	p.read()
	switch t.kind {
	case number, addr:
		return &expr{pos: t.pos, op: opConst, tok: t}
	case symbol:
		return &expr{pos: t.pos, op: opName, text: t.text, tok: t}
	}
	return nil
}

func (p *parser) prefixRange(x *expr) *expr {
	switch {
	case p.accept("+"):
		x.text = "+"
	case p.accept("-"):
		x.text = "-"
	case p.accept("{"):
		x.text = "{"
		lo := p.take()
		if !p.accept(",") {
			return nil
		}
		hi := p.take()
		if lo.kind != number || hi.kind != number || !p.accept("}") {
			return nil
		}
		x.args = []*expr{{op: opConst, tok: lo}, {op: opConst, tok: hi}}
	}
	return x
}

// tupleItem reads (a, b..c), (a, *), (rt, a, b) and the like, or (term).
func (p *parser) tupleItem() *expr {
	x := &expr{pos: p.take().pos, op: opTuple}
	if p.tok.kind == symbol && slices.Contains(ecKinds, p.tok.text) {
		x.text = p.take().text
		if x.text == "unknown" {
			p.read()
		}
		if !p.accept(",") {
			return nil
		}
	}
	for {
		var part *expr
		if p.tok.is("*") {
			part = &expr{pos: p.take().pos, op: opStar}
		} else {
			part = p.term()
		}
		if part == nil {
			return nil
		}
		if p.accept("..") {
			if part.to = p.term(); part.to == nil {
				return nil
			}
		}
		x.args = append(x.args, part)
		if p.accept(")") {
			break
		}
		if !p.accept(",") {
			return nil
		}
	}
	if len(x.args) == 1 && x.text == "" {
		return x.args[0]
	}
	return x
}

// mask reads a path mask behind [=.
func (p *parser) mask() *expr {
	x := &expr{pos: p.take().pos, op: opMask}
	for !p.accept("=]") {
		t := p.tok
		item := &expr{pos: t.pos, tok: t}
		switch {
		case t.is("*"):
			item.op = opStar
			p.read()
		case t.is("?"):
			item.op = opAny
			p.read()
		case t.is("+"):
			item.op = opLoop
			p.read()
		case t.is("["):
			item = p.set()
		case t.is("("):
			item = p.parenthesis()
		case t.kind == number:
			item.op = opConst
			p.read()
			if p.accept("..") {
				item.to = &expr{pos: p.tok.pos, op: opConst, tok: p.take()}
				if item.to.tok.kind != number {
					return nil
				}
			}
		case t.kind == symbol:
			item.op, item.text = opName, t.text
			p.read()
		default:
			return nil
		}
		if item == nil {
			return nil
		}
		x.args = append(x.args, item)
	}
	return x
}

// String writes an expression in one line, the same whatever its layout.
func (x *expr) String() string {
	if x == nil {
		return "?"
	}
	out := x.plain()
	if x.to != nil {
		out += ".." + x.to.String()
	}
	return out
}

func (x *expr) plain() string {
	switch x.op {
	case opName:
		return x.text
	case opConst:
		if x.tok.kind == text {
			return `"` + x.tok.text + `"`
		}
		return x.tok.text
	case opUnary:
		return "!" + grouped(x.args[0])
	case opBinary:
		return grouped(x.args[0]) + " " + x.text + " " + grouped(x.args[1])
	case opMember:
		out := x.args[0].String() + "." + x.text
		if len(x.args) > 1 {
			out += "(" + joined(x.args[1:], ", ") + ")"
		}
		return out
	case opCall:
		return x.text + "(" + joined(x.args, ", ") + ")"
	case opSet:
		return "[" + joined(x.args, ", ") + "]"
	case opMask:
		return "[= " + joined(x.args, " ") + " =]"
	case opTuple:
		if x.text != "" {
			return "(" + x.text + ", " + joined(x.args, ", ") + ")"
		}
		return "(" + joined(x.args, ", ") + ")"
	case opPrefix:
		out := x.tok.text + "/" + itoa(x.num) + x.text
		if x.text == "{" {
			out += joined(x.args, ",") + "}"
		}
		return out
	case opEmpty:
		return x.text + "empty" + x.text
	case opStar:
		return "*"
	case opAny:
		return "?"
	case opLoop:
		return "+"
	}
	return x.tok.text
}

func grouped(x *expr) string {
	if x.op == opBinary && (x.text == "&&" || x.text == "||") {
		return "(" + x.String() + ")"
	}
	return x.String()
}

// longList is how many members of a list the text of an expression names.
const longList = 4

func joined(xs []*expr, sep string) string {
	var parts []string
	for i, x := range xs {
		if i == longList && len(xs) > longList+1 {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, x.String())
	}
	return strings.Join(parts, sep)
}
