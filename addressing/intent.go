package addressing

import (
	"net/netip"
	"time"
)

// IntentKind says how a negative intent came to be.
type IntentKind string

// Ways of taking something down on purpose (DESIGN section 4).
const (
	IntentEmergency IntentKind = "emergency"
	IntentDrain     IntentKind = "drain"
	IntentBlock     IntentKind = "block" // abuse, legal
	IntentOwner     IntentKind = "owner" // an owner's own withdrawal
)

// NegativeIntent is a prefix, a site or a neighbor that is down on purpose. Rollback,
// restore, undo, drift repair, boot and rebuild never override one unless it
// is named by id (invariant 15).
type NegativeIntent struct {
	ID        string       `json:"id"`
	AccountID string       `json:"account_id,omitempty"` // owner of the prefix; empty for a site
	CIDR      netip.Prefix `json:"cidr"`                 // invalid when Site or Neighbor is set
	Site      string       `json:"site,omitempty"`
	Neighbor  string       `json:"neighbor,omitempty"`
	Kind      IntentKind   `json:"kind"`
	Author    string       `json:"author"`
	Reason    string       `json:"reason"`
	CreatedAt time.Time    `json:"created_at"`
	ExpiresAt *time.Time   `json:"expires_at,omitempty"`
	// DownAt is when routes leave, of a drain; until then they are de-preferred.
	// Nil is at once.
	DownAt *time.Time `json:"down_at,omitempty"`
	// Shutdown says of a neighbor's drain that its session ends then, and stays
	// down (RFC 9003).
	Shutdown bool `json:"shutdown,omitempty"`
}

// InForce reports whether the intent has not expired at this time.
func (n NegativeIntent) InForce(at time.Time) bool {
	return n.ExpiresAt == nil || n.ExpiresAt.After(at)
}

// Blocks reports whether the intent keeps the route of cidr off the wire. A
// block takes everything inside its range down; the other kinds name one
// route, because an owner who withdraws a covering route may well go on
// advertising the more-specifics under it.
func (n NegativeIntent) Blocks(cidr netip.Prefix) bool {
	if !n.CIDR.IsValid() || !cidr.IsValid() {
		return false
	}
	if n.Kind == IntentBlock {
		return contains(n.CIDR, cidr)
	}
	return n.CIDR == cidr
}
