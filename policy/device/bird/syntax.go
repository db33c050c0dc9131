package bird

import "github.com/holdfast-bgp/holdfast/policy/device"

// The syntax tree of filters. Every node knows where it was written and how.

// expr is an expression.
type expr struct {
	pos  device.Pos
	op   string // see below
	text string // name, operator, string
	num  uint32
	tok  token
	args []*expr
	to   *expr // upper end of a range
}

// Values of expr.op.
const (
	opConst  = "constant" // tok
	opName   = "name"     // text: constant, variable, attribute
	opUnary  = "unary"    // text: !
	opBinary = "binary"   // text
	opMember = "member"   // text; args[0], arguments behind it
	opCall   = "call"     // text: function; args
	opSet    = "set"      // args: items
	opMask   = "mask"     // args: items
	opTuple  = "tuple"    // (a, b), (a, b, c), (rt, a, b)
	opPrefix = "prefix"   // tok with num as length; text: + - or {
	opEmpty  = "empty"    // text: +empty+, -empty-, ...
	opStar   = "star"     // *
	opAny    = "any"      // ?
	opLoop   = "loop"     // +
	opRoute  = "net"      // ROA and the like: not modelled
)

// stmt is a statement.
type stmt struct {
	pos, end device.Pos
	op       string
	text     string // variable, attribute, function
	x        *expr
	args     []*expr
	body     []*stmt
	alt      []*stmt
	hasElse  bool
	cases    []caseArm
	source   string // as written, in one line
}

// Values of stmt.op.
const (
	doIf     = "if"
	doCase   = "case"
	doFor    = "for"
	doBlock  = "block"
	doVar    = "variable"
	doAssign = "assign"
	doMethod = "method" // attribute.add(...)
	doUnset  = "unset"
	doReturn = "return"
	doCall   = "call"
	doPrint  = "print"
	doAccept = "accept"
	doReject = "reject"
	doBroken = "broken" // was not understood
)

type caseArm struct {
	items  []*expr // nil for else
	body   []*stmt
	isElse bool
}

type param struct{ kind, name string }

// function is a function or a filter.
type function struct {
	pos, end device.Pos
	name     string
	params   []param
	body     []*stmt
	filter   bool
	impure   *bool // changes the route or decides; nil while not known
}
