package addressing

import (
	"net/netip"
	"time"
)

// EffectKind is what a change does to the reachability of one route.
type EffectKind string

// Effects of a change on a route. Lost and Gained are against the desired
// state before the change; Weakened is a modification that can lose
// reachability; Unbound removes a binding that is not the last.
const (
	Gained   EffectKind = "gained"
	Lost     EffectKind = "lost"
	Weakened EffectKind = "weakened"
	Modified EffectKind = "modified"
	Unbound  EffectKind = "unbound"
)

// Verbs of the changes that lead back to what was.
const (
	VerbRestore = "state.restore"
	VerbUndo    = "change.undo"
)

// Effect is the effect of a ChangeSet on one route.
type Effect struct {
	Kind      EffectKind   `json:"kind"`
	CIDR      netip.Prefix `json:"cidr"`
	AccountID string       `json:"account_id"`
	Account   AccountKind  `json:"account_kind"`
	Resting   Resting      `json:"resting"`
	Services  []string     `json:"services"` // ids of the services bound over the route
	// Sites are where a gained route will be.
	Sites Sites `json:"sites,omitzero"`
	// SitesLeft are the sites that keep a route which a change takes off others;
	// nil where it takes it off none, or off all.
	SitesLeft []string `json:"sites_kept,omitempty"`
}

// ChangeSet is one mutation of desired state with everything that must be
// known before it is committed. It always names explicit objects: there is no
// bulk change by filter (invariant 2).
type ChangeSet struct {
	ID        string    `json:"id"` // ULID, also the undo handle
	RequestID string    `json:"request_id,omitempty"`
	Actor     Actor     `json:"actor"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	Verb      string    `json:"verb"`    // e.g. "bgp_prefix.withdraw"
	Version   int64     `json:"version"` // of State with this change in it; no two changes share one
	Objects   []string  `json:"objects"`
	Effects   []Effect  `json:"effects"`
	Approval  string    `json:"approval,omitempty"`
	Incident  string    `json:"incident,omitempty"` // of an emergency
	// ReplacedBy is the route that takes the place of what is withdrawn: with it
	// on the wire already, nothing is lost.
	ReplacedBy netip.Prefix `json:"replaced_by,omitzero"`
	Drains     *Drained     `json:"drains,omitempty"`  // what the change takes out of service as a whole
	Confirm    string       `json:"confirm,omitempty"` // owner's confirmation token for a withdrawal beyond the free budget
}

// Drained names a site or a neighbor that goes as a whole.
type Drained struct {
	Site     string `json:"site"` // of the neighbor, if it is one
	Neighbor string `json:"neighbor,omitempty"`
	// OverCapacity is the named risk that what is left cannot carry it all.
	OverCapacity bool `json:"over_capacity,omitempty"`
}

// Gains reports whether the change only adds reachability: it has effects and
// none of them loses, weakens, modifies or unbinds.
func (c ChangeSet) Gains() bool {
	for _, e := range c.Effects {
		if e.Kind != Gained {
			return false
		}
	}
	return len(c.Effects) > 0
}

// Losses returns the effects that lose or can lose reachability.
func (c ChangeSet) Losses() []Effect {
	var out []Effect
	for _, e := range c.Effects {
		if e.Kind == Lost || e.Kind == Weakened {
			out = append(out, e)
		}
	}
	return out
}
