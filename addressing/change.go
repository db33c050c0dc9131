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

// Effect is the effect of a ChangeSet on one route.
type Effect struct {
	Kind      EffectKind
	CIDR      netip.Prefix
	AccountID string
	Account   AccountKind
	Resting   Resting
	Services  []string // ids of the services bound over the route
}

// ChangeSet is one mutation of desired state with everything that must be
// known before it is committed. It always names explicit objects: there is no
// bulk change by filter (invariant 2).
type ChangeSet struct {
	ID        string // ULID, also the undo handle
	RequestID string
	Actor     Actor
	Reason    string
	At        time.Time
	Verb      string // e.g. "bgp_prefix.withdraw"
	Objects   []string
	Effects   []Effect
	Confirm   string // owner's confirmation token for a withdrawal beyond the free budget
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
