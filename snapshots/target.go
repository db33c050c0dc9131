package snapshots

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy"
)

// Target is what every neighbor is to hold, whole. It is immutable,
// serialisable and ordered by (Epoch, Generation, Wave); applying it twice is
// the same as once. A neighbor that is not named keeps what it has.
type Target struct {
	Epoch      uint64                    `json:"epoch"`
	Generation uint64                    `json:"generation"`
	Wave       int                       `json:"wave"`
	ID         ID                        `json:"id"`
	Neighbors  map[string]NeighborTarget `json:"neighbors"`
	// Empty says why a Target without any route is meant (see EmptyTarget);
	// a Speaker refuses an empty Target without it.
	Empty string `json:"empty,omitempty"`
	// Drained are the neighbors that hold nothing on purpose, sorted.
	Drained []string `json:"drained,omitempty"`
	// Shutdown are those of them that have no session on purpose, with what they
	// are told when it ends (RFC 9003).
	Shutdown map[string]string `json:"shutdown,omitempty"`
}

// NeighborTarget is the whole set of routes of one neighbor, sorted by prefix
// and without duplicates.
type NeighborTarget struct {
	Routes []TargetRoute `json:"routes"`
}

// TargetRoute is one route as the neighbor is to see it. Routes with equal
// attributes share one *Attributes value, so that a million routes cost a
// pointer each; it must never be written to.
type TargetRoute struct {
	Prefix netip.Prefix `json:"prefix"`
	Attrs  *Attributes  `json:"attrs"`
}

// Attributes are the path attributes of a route towards one neighbor.
// ASPath is complete as it leaves towards an eBGP neighbor: (1 + prepend) times
// our ASN, then the prefix's ASN if it differs (DESIGN section 8). Towards an
// iBGP neighbor it is the prefix's ASN, or empty if that is ours.
type Attributes struct {
	ASPath           []uint32                `json:"as_path"`
	NextHop          netip.Addr              `json:"next_hop"`
	MED              *uint32                 `json:"med,omitempty"`
	LocalPref        *uint32                 `json:"local_pref,omitempty"` // iBGP only
	Communities      []policy.Community      `json:"communities,omitempty"`
	LargeCommunities []policy.LargeCommunity `json:"large_communities,omitempty"`
}

// EmptyTarget is the only way to a Target that takes every route away. The
// reason is kept in the Target and must not be empty.
func EmptyTarget(epoch, generation uint64, neighbors []string, reason string) Target {
	t := Target{Epoch: epoch, Generation: generation, Empty: reason, Neighbors: make(map[string]NeighborTarget, len(neighbors))}
	for _, n := range neighbors {
		t.Neighbors[n] = NeighborTarget{}
	}
	return t
}
