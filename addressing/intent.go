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

// NegativeIntent is a prefix or a site that is down on purpose. Rollback,
// restore, undo, drift repair, boot and rebuild never override one unless it
// is named by id (invariant 15).
type NegativeIntent struct {
	ID        string
	AccountID string       // owner of the prefix; empty for a site
	CIDR      netip.Prefix // invalid when Site is set
	Site      string
	Kind      IntentKind
	Author    string
	Reason    string
	CreatedAt time.Time
	ExpiresAt *time.Time
}
