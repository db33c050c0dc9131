package policy

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// NeighborKind says what stands at the other end. The zero value is eBGP.
type NeighborKind string

// Kinds of neighbor (DESIGN section 8).
const (
	EBGP NeighborKind = "ebgp" // has a role
	Edge NeighborKind = "edge" // our own router or route reflector: no role, no OTC, import deny-all
)

// Receive says which routes a neighbor may send us. The zero value is none.
type Receive string

// What a neighbor may send.
const (
	ReceiveNone    Receive = "none"
	ReceiveControl Receive = "control" // BGP control: a customer signals its own prefixes
)

// Neighbor is the part of a configured neighbor that decides what it is sent;
// it is in every snapshot. Transport (MD5, TTL, bind address, timers) is the
// speaker's configuration and not here.
type Neighbor struct {
	Name      string              `json:"name"`
	Kind      NeighborKind        `json:"kind"`
	Site      string              `json:"site"`
	Group     string              `json:"group,omitempty"`
	Address   netip.Addr          `json:"address"`
	ASN       uint32              `json:"asn"`
	LocalASN  uint32              `json:"local_asn"`
	Role      Role                `json:"role"` // ours towards the neighbor
	Class     string              `json:"class,omitempty"`
	Families  []addressing.Family `json:"families"`
	NextHop4  netip.Addr          `json:"next_hop_ipv4"`
	NextHop6  netip.Addr          `json:"next_hop_ipv6"`
	Receive   Receive             `json:"receive"`
	Standard  []Community         `json:"communities,omitempty"`
	Large     []LargeCommunity    `json:"large_communities,omitempty"`
	MED       *uint32             `json:"med,omitempty"`
	LocalPref *uint32             `json:"local_pref,omitempty"`
	Prepend   int                 `json:"prepend,omitempty"`
	// What one family gets instead; nil is the same as above.
	IPv4 *Metrics `json:"ipv4,omitempty"`
	IPv6 *Metrics `json:"ipv6,omitempty"`
	// Limit is how many prefixes the neighbor takes from us before it ends the
	// session.
	Limit MaxPrefix `json:"max_prefix,omitzero"`
}

// MaxPrefix is the most prefixes that the far end takes, by family; 0 is not
// known.
type MaxPrefix struct {
	IPv4 int `json:"ipv4,omitempty"`
	IPv6 int `json:"ipv6,omitempty"`
}

// Of a family; 0 is not known.
func (m MaxPrefix) Of(f addressing.Family) int {
	if f == addressing.IPv6 {
		return m.IPv6
	}
	return m.IPv4
}

// Metrics are the attributes that a neighbor's routes get besides their next
// hop. LOCAL_PREF is for iBGP alone (RFC 4271 section 5.1.5).
type Metrics struct {
	Standard  []Community      `json:"communities,omitempty"`
	Large     []LargeCommunity `json:"large_communities,omitempty"`
	MED       *uint32          `json:"med,omitempty"`
	LocalPref *uint32          `json:"local_pref,omitempty"`
	Prepend   int              `json:"prepend,omitempty"`
}

// Metrics are the attributes of the neighbor's routes in a family.
func (n *Neighbor) Metrics(f addressing.Family) Metrics {
	own := n.IPv4
	if f == addressing.IPv6 {
		own = n.IPv6
	}
	if own != nil {
		return *own
	}
	return Metrics{Standard: n.Standard, Large: n.Large, MED: n.MED, LocalPref: n.LocalPref, Prepend: n.Prepend}
}

// Carries reports whether the session carries the family.
func (n Neighbor) Carries(f addressing.Family) bool {
	for _, have := range n.Families {
		if have == f {
			return true
		}
	}
	return false
}
