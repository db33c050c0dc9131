package device

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// Action changes a route that matched. The set of implementations is closed:
// the types of this file.
type Action interface {
	Position() Pos
	action()
}

// CommunityOp is what a SetCommunities does.
type CommunityOp uint8

// Community operations.
const (
	AddCommunities     CommunityOp = iota // union with Values
	ReplaceCommunities                    // the kind becomes Values; empty removes all
	DeleteCommunities                     // remove what Patterns match, first match decides, Keep keeps
)

// SetCommunities adds, replaces or deletes communities of one kind.
type SetCommunities struct {
	At
	Kind     CommunityKind
	Op       CommunityOp
	Values   []Community
	Patterns []CommunityPattern
	Ref      string // name of the list or community, when one was used
}

// PrependAS puts ASNs in front of the path, Repeat times.
type PrependAS struct {
	At
	ASNs   []uint32 // in the order they appear in the path
	Last   bool     // the path's own first ASN instead of ASNs; nothing on an empty path
	Own    bool     // the session's local ASN instead of ASNs
	Repeat int      // 0 counts as 1
	Behind bool     // behind the ASNs that policies of the same pipeline put in front (Junos export)
}

// EditASPath removes ASNs from the path: all of it, the private ones, those in
// the list, or those in the set.
type EditASPath struct {
	At
	Clear   bool
	Private bool
	ASNs    []uint32
	In      aspath.Set
}

// ScalarOp is what a SetScalar does.
type ScalarOp uint8

// Scalar operations; Add and Subtract saturate, an absent value counts as 0.
const (
	Assign ScalarOp = iota
	Add
	Subtract
	Remove
	AssignIfAbsent
)

// SetScalar changes a number.
type SetScalar struct {
	At
	Field Field
	Op    ScalarOp
	Value uint32
	Own   bool // the session's local ASN instead of Value (OTC egress)
	From  bool // the ASN of the neighbor instead of Value (OTC ingress)
}

// NextHopOp is what a SetNextHop does.
type NextHopOp uint8

// Next-hop operations.
const (
	NextHopAddr NextHopOp = iota
	NextHopSelf
	NextHopPeer
	NextHopUnchanged
	NextHopDiscard
)

// SetNextHop changes the next hop.
type SetNextHop struct {
	At
	Op   NextHopOp
	Addr netip.Addr
}

// SetName moves the route to another table, instance or interface.
type SetName struct {
	At
	Field NameField
	Name  string
}

// Call runs policies in the middle of a term and keeps their changes. When
// they reject, OnReject happens instead of the rest of the term.
type Call struct {
	At
	Chain    Chain
	OnReject Disposition
}

// UnknownAction is a change that is written but not modelled.
type UnknownAction struct {
	At
	Text    string
	Changes Fields // what it may change
}

// Ignored is an action with no effect on what is advertised (log, count,
// damping, forwarding class).
type Ignored struct {
	At
	Text string
}

func (*SetCommunities) action() {}
func (*PrependAS) action()      {}
func (*EditASPath) action()     {}
func (*SetScalar) action()      {}
func (*SetNextHop) action()     {}
func (*SetName) action()        {}
func (*Call) action()           {}
func (*UnknownAction) action()  {}
func (*Ignored) action()        {}
