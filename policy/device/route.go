package device

import (
	"fmt"
	"net/netip"
	"strings"
)

// Family is an address family of unicast routes.
type Family uint8

// Families. AnyFamily is the zero value and stands for "not restricted".
const (
	AnyFamily Family = iota
	IPv4
	IPv6
	OtherFamily // VPN, EVPN, flowspec and the like: never judged, always said
)

// String writes ipv4, ipv6, other or any.
func (f Family) String() string { return [...]string{"any", "ipv4", "ipv6", "other"}[f] }

// FamilyOf is the family of a prefix.
func FamilyOf(p netip.Prefix) Family {
	if p.Addr().Is4() {
		return IPv4
	}
	return IPv6
}

// Protocol says where a route of the local table comes from.
type Protocol uint8

// Protocols. UnknownProtocol is the zero value.
const (
	UnknownProtocol Protocol = iota
	EBGP                     // learned from an external neighbor
	IBGP                     // learned from an internal neighbor
	Static
	Direct    // connected networks
	Local     // the router's own addresses, or a BGP "network" statement
	Aggregate // aggregate or generated
	OSPF
	ISIS
	RIP
	Kernel
	OtherProtocol
)

var protocolNames = [...]string{"unknown", "ebgp", "ibgp", "static", "direct", "local", "aggregate", "ospf", "isis", "rip", "kernel", "other"}

// String writes the lower-case name.
func (p Protocol) String() string { return protocolNames[p] }

// BGP is the set of protocols that a plain "protocol bgp" matches.
var BGP = []Protocol{EBGP, IBGP}

// ParseProtocol reads a name as String writes it, and "bgp" with a session
// kind ("ebgp", "ibgp"), "connected" for direct.
func ParseProtocol(name, session string) (Protocol, error) {
	switch name {
	case "bgp", "":
		switch session {
		case "ibgp":
			return IBGP, nil
		case "ebgp":
			return EBGP, nil
		case "local":
			return Local, nil
		case "":
			if name == "bgp" {
				return EBGP, nil
			}
			return UnknownProtocol, nil
		}
		return 0, fmt.Errorf("session %q: want ebgp, ibgp or local", session)
	case "connected":
		return Direct, nil
	}
	for i, n := range protocolNames {
		if n == name {
			return Protocol(i), nil
		}
	}
	return OtherProtocol, nil
}

// Source is where a route was learned. Protocol is always meaningful; the rest
// is set for routes that came over a session.
type Source struct {
	Protocol Protocol
	Name     string     // session name as the configuration or the case writes it
	Neighbor netip.Addr // address of the neighbor that sent it
	ASN      uint32     // its ASN
	Role     Role       // what that neighbor is to us
	Client   bool       // it is a route-reflector client
}

// RPKI is the origin validation state (RFC 6811). The zero value is unset.
type RPKI uint8

// Validation states.
const (
	RPKIUnset RPKI = iota
	RPKIValid
	RPKIInvalid
	RPKINotFound
)

// Field names an attribute that can be compared, set or be unknown.
type Field uint8

// Fields of a route.
const (
	LocalPref Field = iota
	MED
	Origin // 0 IGP, 1 EGP, 2 incomplete
	Tag
	Weight
	Preference // administrative distance
	OTC        // RFC 9234 Only to Customer
	IGPMetric
	ASPathLen      // computed: number of ASNs; read only
	CommunityCount // computed: number of standard communities; read only
	numScalars

	// Fields below hold no scalar; they name what an unknown action may change
	// and what is not known of a route.
	ASPathField
	CommunityField
	ExtCommunityField
	LargeCommunityField
	NextHopField
	numFields
)

var fieldNames = [...]string{
	LocalPref: "local-pref", MED: "med", Origin: "origin", Tag: "tag", Weight: "weight", Preference: "preference",
	OTC: "otc", IGPMetric: "igp-metric", ASPathLen: "as-path-length", CommunityCount: "community-count", numScalars: "",
	ASPathField: "as-path", CommunityField: "community", ExtCommunityField: "ext-community",
	LargeCommunityField: "large-community", NextHopField: "next-hop",
}

// String writes the name of the field.
func (f Field) String() string { return fieldNames[f] }

// Fields is a set of fields.
type Fields uint32

// FieldSet collects fields.
func FieldSet(fs ...Field) Fields {
	var s Fields
	for _, f := range fs {
		s |= 1 << f
	}
	return s
}

// AllFields is every attribute: what an action nobody understood may change.
const AllFields = Fields(1<<numFields - 1)

// Has reports membership.
func (s Fields) Has(f Field) bool { return s&(1<<f) != 0 }

// String lists the members.
func (s Fields) String() string {
	var names []string
	for f := Field(0); f < numFields; f++ {
		if s.Has(f) && fieldNames[f] != "" {
			names = append(names, fieldNames[f])
		}
	}
	return strings.Join(names, ",")
}

// Scalars holds the numeric attributes of a route; an absent one is not in the
// map's place and Get says so.
type Scalars struct {
	set    Fields
	values [numScalars]uint32
}

// Get returns the value and whether the attribute is present.
func (s *Scalars) Get(f Field) (uint32, bool) { return s.values[f], s.set.Has(f) }

// Set stores a value.
func (s *Scalars) Set(f Field, v uint32) { s.values[f], s.set = v, s.set|1<<f }

// Clear removes the attribute.
func (s *Scalars) Clear(f Field) { s.values[f], s.set = 0, s.set&^(1<<f) }

// Route is one path of the local table, or what a policy made of it. Slices
// are never changed in place: evaluators copy before they write.
type Route struct {
	Prefix      netip.Prefix
	Source      Source
	ASPath      []uint32 // nearest first; sequences only
	Communities []Community
	Scalars     Scalars
	NextHop     netip.Addr
	RPKI        RPKI
	Names       map[NameField]string // RIB, instance, interface it is known by
	Unknown     Fields               // attributes an unknown action may have changed
	Front       int                  // ASNs that the pipeline has put in front of ASPath so far
}

// Family is the family of the route's prefix.
func (r *Route) Family() Family { return FamilyOf(r.Prefix) }
