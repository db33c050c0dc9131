package snapshots

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// ID is the sha256, in lower-case hex, of a snapshot's canonical manifest. The
// same desired state gives the same ID: generation, time and signature are
// not part of it.
type ID string

// Snapshot is the complete operational state. Immutable once built.
type Snapshot struct {
	Environment string        `json:"environment"`
	Accounts    []AccountPart `json:"accounts"` // sorted by account id
	Network     NetworkPart   `json:"network"`

	seal *seal // nil while this is a draft; set by Build, Seal and load
}

// AccountPart is everything of one account. It is written, hashed, compared
// and rolled back on its own.
type AccountPart struct {
	Account  string                 `json:"account"`
	Name     string                 `json:"name"`
	Kind     addressing.AccountKind `json:"kind"`
	Prefixes []PrefixRecord         `json:"prefixes"`         // sorted by CIDR; all of them, so that intent can be rebuilt
	Routes   []Route                `json:"routes"`           // sorted by CIDR; what is to be advertised
	Negative []NegativeIntent       `json:"negative_intents"` // sorted by id
}

// PrefixRecord is a prefix with its BGP prefixes and bindings, as desired.
type PrefixRecord struct {
	ID          string               `json:"id"`
	CIDR        netip.Prefix         `json:"cidr"`
	ASN         uint32               `json:"asn"`
	State       addressing.Lifecycle `json:"state"`
	Description *string              `json:"description"`
	OnDemand    bool                 `json:"on_demand_enabled"`
	Locked      bool                 `json:"on_demand_locked"`
	Control     addressing.Control   `json:"control"`
	BGP         []BGPRecord          `json:"bgp_prefixes"` // sorted by CIDR
	Bindings    []Binding            `json:"bindings"`     // sorted by id
}

// BGPRecord is the desired state of one BGP prefix.
type BGPRecord struct {
	ID         string             `json:"id"`
	CIDR       netip.Prefix       `json:"cidr"`
	Advertised bool               `json:"advertised"`
	Prepend    int                `json:"prepend"`
	Resting    addressing.Resting `json:"resting"`
	Sites      addressing.Sites   `json:"sites"`
	// DownAt says of one that is withdrawn that its route is still there,
	// de-preferred, and leaves then (Unix seconds); 0 is not there.
	DownAt int64 `json:"down_at,omitempty"`
}

// Binding is a service binding as desired.
type Binding struct {
	ID      string       `json:"id"`
	CIDR    netip.Prefix `json:"cidr"`
	Service string       `json:"service"` // service id
	Active  bool         `json:"active"`
}

// Route is one prefix that is to be advertised: approved, bound, desired and
// not blocked by a negative intent.
type Route struct {
	CIDR     netip.Prefix       `json:"cidr"`
	PrefixID string             `json:"prefix_id"`
	Origin   uint32             `json:"origin"`  // the prefix's ASN; ours if equal to NetworkPart.ASN
	Prepend  int                `json:"prepend"` // 0..3 extra copies of our ASN
	Resting  addressing.Resting `json:"resting"`
	Sites    addressing.Sites   `json:"sites"`
	Services []string           `json:"services"` // ids of the services bound over it, sorted; never empty (invariant 1)
	// DownAt is when it leaves (Unix seconds): until then it is the last choice
	// (RFC 8326). 0 is never.
	DownAt int64 `json:"down_at,omitempty"`
	// Attributes that follow the prefix to every neighbor.
	Communities      []policy.Community      `json:"communities,omitempty"`
	LargeCommunities []policy.LargeCommunity `json:"large_communities,omitempty"`
	MED              *uint32                 `json:"med,omitempty"`
	LocalPref        *uint32                 `json:"local_pref,omitempty"`
}

// NegativeIntent as stored in a snapshot (invariant 15): a CIDR, a site or a
// neighbor, one of them.
type NegativeIntent struct {
	ID        string                `json:"id"`
	CIDR      string                `json:"cidr,omitempty"`
	Site      string                `json:"site,omitempty"`
	Neighbor  string                `json:"neighbor,omitempty"`
	Kind      addressing.IntentKind `json:"kind"`
	Author    string                `json:"author"`
	Reason    string                `json:"reason"`
	CreatedAt int64                 `json:"created_at"` // Unix seconds
	ExpiresAt int64                 `json:"expires_at,omitempty"`
	DownAt    int64                 `json:"down_at,omitempty"` // Unix seconds, of a drain
	// Draining says of a drain that its routes are still there, de-preferred,
	// and leave at DownAt.
	Draining bool `json:"draining,omitempty"`
	// Shutdown says of a neighbor's drain that its session is down after it.
	Shutdown bool `json:"shutdown,omitempty"`
}

// NetworkPart is what the configuration declares: our ASN, sites, neighbors
// and services. Its hash changes when a neighbor does.
type NetworkPart struct {
	ASN       uint32            `json:"asn"`
	Sites     []string          `json:"sites"`     // sorted; never empty ("default" if none is configured)
	Services  []Service         `json:"services"`  // sorted by id
	Neighbors []policy.Neighbor `json:"neighbors"` // sorted by name
	// Negative intents that belong to a site or a neighbor, not to an account.
	Negative []NegativeIntent `json:"negative_intents"`
	// Drain is what routes carry that are being drained; nil is
	// GRACEFUL_SHUTDOWN (RFC 8326).
	Drain *DrainMark `json:"drain,omitempty"`
	// Transits stand behind edges: what a site's edges get, they pass on.
	Transits []Transit `json:"transits,omitempty"` // sorted by site and name
	// Limits of the breaker in force when the snapshot was made.
	Limits []LimitInForce `json:"limits,omitempty"` // sorted by name
}

// Transit is a transit or peer of our own edge routers at a site, that has no
// session with us.
type Transit struct {
	Name  string           `json:"name"`
	Site  string           `json:"site"`
	Limit policy.MaxPrefix `json:"max_prefix"`
}

// DrainMark is the communities of what is being drained.
type DrainMark struct {
	Standard []policy.Community      `json:"communities,omitempty"`
	Large    []policy.LargeCommunity `json:"large_communities,omitempty"`
}

// Service is a service as snapshots know it.
type Service struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	MinSites int    `json:"min_sites"`
}

// Head is the small signed pointer that says which snapshot is active: what a
// speaker flips to after it has staged and verified the parts. Generations
// only grow; a rollback composes a new one.
type Head struct {
	Environment string `json:"environment"`
	Epoch       uint64 `json:"epoch"`
	Generation  uint64 `json:"generation"`
	ID          ID     `json:"id"`
	Parent      ID     `json:"parent,omitempty"`
	CreatedAt   int64  `json:"created_at"` // Unix nanoseconds
	Actor       string `json:"actor"`      // addressing.Actor.Key
	Reason      string `json:"reason"`
}
