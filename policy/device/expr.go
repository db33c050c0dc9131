package device

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// Expr is a condition over a route and the session it is judged for. The set
// of implementations is closed: the types of this file.
type Expr interface {
	Position() Pos
	expr()
}

// Const is a condition that is always true or always false; Why says how it
// came to be (no condition written, an undefined list, an empty set).
type Const struct {
	At
	Value bool
	Why   string
}

// And is true when all are; an empty one is true.
type And struct {
	At
	Xs []Expr
}

// Or is true when one is; an empty one is false.
type Or struct {
	At
	Xs []Expr
}

// Not negates.
type Not struct {
	At
	X Expr
}

// Cases is an ordered list: the first arm that matches gives the value, Else
// when none does. Access lists of all kinds are this.
type Cases struct {
	At
	Arms []Arm
	Else bool
}

// Arm is one line of an ordered list.
type Arm struct {
	At
	X     Expr
	Value bool
}

// Ref is the use of a named set. X is what it means here: the set's own
// condition, or what the dialect makes of a set that does not exist or is
// empty. Evaluators look at X alone; rules look at the rest.
type Ref struct {
	At
	Kind SetKind
	Name string
	Set  *Set // nil when undefined
	X    Expr
}

// PrefixMatch asks a prefix list about the route's prefix.
type PrefixMatch struct {
	At
	Set *PrefixSet
}

// Quantifier says how the patterns of a CommunityMatch combine.
type Quantifier uint8

// Quantifiers. Mathematics decides the empty list (AnyOf false, AllOf true);
// a dialect that differs is lowered to a Const.
const (
	AnyOf   Quantifier = iota // some pattern matches some value of the route
	AllOf                     // every pattern matches some value
	ExactOf                   // AllOf, and every value of the kind is matched by some pattern
	OnlyOf                    // every value of the kind is matched by some pattern
)

// CommunityMatch asks about the communities of one kind.
type CommunityMatch struct {
	At
	Kind     CommunityKind
	Quant    Quantifier
	Patterns []CommunityPattern
}

// ASPathMatch asks about the AS path. Patterns for origin, first and
// transit ASNs are built with the constructors of package aspath.
type ASPathMatch struct {
	At
	Pattern *aspath.Pattern
}

// Op is a comparison operator.
type Op uint8

// Operators.
const (
	EQ Op = iota
	NE
	LT
	LE
	GT
	GE
)

// String writes the operator.
func (o Op) String() string { return [...]string{"==", "!=", "<", "<=", ">", ">="}[o] }

// Holds applies the operator.
func (o Op) Holds(a, b uint32) bool {
	switch o {
	case EQ:
		return a == b
	case NE:
		return a != b
	case LT:
		return a < b
	case LE:
		return a <= b
	case GT:
		return a > b
	}
	return a >= b
}

// Compare asks about a number. An absent attribute compares as Absent when
// that is set, otherwise the comparison is false.
type Compare struct {
	At
	Field  Field
	Op     Op
	Value  uint32
	Absent *uint32
}

// Present asks whether an attribute is there (MED, OTC).
type Present struct {
	At
	Field Field
}

// ProtocolMatch asks where the route comes from.
type ProtocolMatch struct {
	At
	Protocols []Protocol
}

// FamilyMatch asks for the address family of the route.
type FamilyMatch struct {
	At
	Family Family
}

// Side tells the session a route came from and the one it is judged for apart.
type Side uint8

// Sides. On import both are the session of the policy.
const (
	Sender   Side = iota // the neighbor the route was learned from
	Receiver             // the neighbor the route would be sent to
)

// NeighborMatch asks about a neighbor. The kinds of test AND; within one they
// OR; an unset one does not test. Sender tests are false for routes that came
// over no session.
type NeighborMatch struct {
	At
	Side   Side
	Addrs  []netip.Prefix
	ASNs   aspath.Set
	Kinds  []SessionKind
	Groups []string
	Names  []string // session or protocol names
	Roles  []Role
	Client *bool // route-reflector client
}

// SameNeighbor asks whether the route came from the neighbor it would be sent
// to. A route that does not say where it was learned came from elsewhere.
type SameNeighbor struct{ At }

// NextHopMatch asks whether the next hop lies in one of the prefixes.
type NextHopMatch struct {
	At
	In []netip.Prefix
}

// RPKIMatch asks for an origin validation state.
type RPKIMatch struct {
	At
	States []RPKI
}

// NameField is a part of the router a route can be known by.
type NameField string

// Name fields.
const (
	RIB       NameField = "rib"
	Instance  NameField = "instance"
	Interface NameField = "interface"
	Area      NameField = "area"
)

// NameMatch asks whether the route is known by one of the names. A route that
// does not say is Maybe.
type NameMatch struct {
	At
	Field NameField
	Names []string
}

// SubPolicy uses policies as a condition: true when they accept. Changes they
// make are dropped. Default is what falling off the end means.
type SubPolicy struct {
	At
	Chain Chain
}

// InPath asks whether the receiver's ASN is in the AS path (sender-side loop
// check), or the local one when Own is set.
type InPath struct {
	At
	Own bool // the local ASN of the session instead of the receiver's
}

// Unknown is a condition that is written but not modelled. It is Maybe.
type Unknown struct {
	At
	Text string // as written
	Why  string
}

func (*Const) expr()          {}
func (*And) expr()            {}
func (*Or) expr()             {}
func (*Not) expr()            {}
func (*Cases) expr()          {}
func (*Ref) expr()            {}
func (*PrefixMatch) expr()    {}
func (*CommunityMatch) expr() {}
func (*ASPathMatch) expr()    {}
func (*Compare) expr()        {}
func (*Present) expr()        {}
func (*ProtocolMatch) expr()  {}
func (*FamilyMatch) expr()    {}
func (*NeighborMatch) expr()  {}
func (*SameNeighbor) expr()   {}
func (*NextHopMatch) expr()   {}
func (*RPKIMatch) expr()      {}
func (*NameMatch) expr()      {}
func (*SubPolicy) expr()      {}
func (*InPath) expr()         {}
func (*Unknown) expr()        {}

// Always is a condition nobody wrote: a term without one matches everything.
func Always(why string) *Const { return &Const{Value: true, Why: why} }

// Never matches nothing, and says why.
func Never(why string) *Const { return &Const{Why: why} }

// AllOfExprs joins conditions with And; none is Always, one is itself.
func AllOfExprs(pos Pos, xs ...Expr) Expr {
	switch len(xs) {
	case 0:
		return &Const{At: At{pos}, Value: true, Why: "no condition"}
	case 1:
		return xs[0]
	}
	return &And{At: At{pos}, Xs: xs}
}

// AnyOfExprs joins conditions with Or; none is Never, one is itself.
func AnyOfExprs(pos Pos, xs ...Expr) Expr {
	switch len(xs) {
	case 0:
		return &Const{At: At{pos}, Why: "no alternative"}
	case 1:
		return xs[0]
	}
	return &Or{At: At{pos}, Xs: xs}
}

// Negate wraps in Not, folding constants and double negation.
func Negate(x Expr) Expr {
	switch t := x.(type) {
	case *Const:
		return &Const{At: t.At, Value: !t.Value, Why: t.Why}
	case *Not:
		return t.X
	}
	return &Not{At: At{x.Position()}, X: x}
}

// Walk calls f for x and everything below it, parents first, until f returns
// false for a node, whose children are then left out.
func Walk(x Expr, f func(Expr) bool) {
	if x == nil || !f(x) {
		return
	}
	switch t := x.(type) {
	case *And:
		for _, c := range t.Xs {
			Walk(c, f)
		}
	case *Or:
		for _, c := range t.Xs {
			Walk(c, f)
		}
	case *Not:
		Walk(t.X, f)
	case *Cases:
		for _, a := range t.Arms {
			Walk(a.X, f)
		}
	case *Ref:
		Walk(t.X, f)
	}
}
