package addressing

import (
	"net/netip"
	"time"
)

// ValidationState of one validation step, in Cloudflare's words.
type ValidationState string

// Validation states seen in Cloudflare's documentation.
const (
	ValidationPending     ValidationState = "pending"
	ValidationValid       ValidationState = "valid"
	ValidationInvalid     ValidationState = "invalid"
	ValidationMissing     ValidationState = "missing"
	ValidationMismatchASN ValidationState = "mismatch_asn"
	ValidationExpired     ValidationState = "expired" // ours: it was valid, and the source has it no more
)

// Control says who signals advertisement of a prefix; the two exclude one another.
type Control string

// The two ways of control.
const (
	ControlAPI Control = "api"
	ControlBGP Control = "bgp"
)

// Prefix is an address block of an account.
type Prefix struct {
	ID              string       `json:"id"`
	AccountID       string       `json:"account_id"`
	CIDR            netip.Prefix `json:"cidr"`
	ASN             uint32       `json:"asn"`
	Description     *string      `json:"description"` // nil is unset and stays null on the wire
	State           Lifecycle    `json:"state"`
	Control         Control      `json:"control"`
	OnDemandEnabled bool         `json:"on_demand_enabled"`
	OnDemandLocked  bool         `json:"on_demand_locked"`

	DelegateLOACreation bool            `json:"delegate_loa_creation"`
	LOADocumentID       *string         `json:"loa_document_id"` // never filled in unasked
	IRR                 ValidationState `json:"irr"`
	RPKI                ValidationState `json:"rpki"`
	Ownership           ValidationState `json:"ownership"`
	OwnershipToken      string          `json:"ownership_token"`
	AcceptedRisks       []string        `json:"accepted_risks,omitempty"` // named risks an operator approved with, e.g. "unverified"

	DeleteAfter *time.Time `json:"delete_after,omitempty"` // end of the grace time while pending_delete
	CreatedAt   time.Time  `json:"created_at"`
	ModifiedAt  time.Time  `json:"modified_at"`
	Version     int64      `json:"version"`
}

// Resting is the state a BGP prefix goes back to; returning to it is no loss.
// The zero value is read as advertised.
type Resting string

// Resting states (DESIGN section 4).
const (
	RestingAdvertised Resting = "advertised"
	RestingWithdrawn  Resting = "withdrawn" // on-demand, e.g. DDoS protection
)

// BGPPrefix is one route of a prefix: the prefix itself or a more-specific.
type BGPPrefix struct {
	ID                    string       `json:"id"`
	PrefixID              string       `json:"prefix_id"`
	CIDR                  netip.Prefix `json:"cidr"`
	Prepend               int          `json:"prepend"` // 0..3 extra copies of our ASN
	AutoAdvertiseWithdraw bool         `json:"auto_advertise_withdraw"`
	Advertised            bool         `json:"advertised"` // desired
	AdvertisedModifiedAt  *time.Time   `json:"advertised_modified_at"`
	// DownAt is when a withdrawn route leaves; until then it is de-preferred
	// (RFC 8326). Nil, or a time that has passed: it is not there.
	DownAt     *time.Time `json:"down_at,omitempty"`
	Resting    Resting    `json:"resting"`
	Sites      Sites      `json:"sites"`
	CreatedAt  time.Time  `json:"created_at"`
	ModifiedAt time.Time  `json:"modified_at"`
	Version    int64      `json:"version"`
}

// Draining reports whether the route is withdrawn and on its way out.
func (b BGPPrefix) Draining(at time.Time) bool {
	return !b.Advertised && b.DownAt != nil && b.DownAt.After(at)
}

// Binding assigns a range of a prefix to a service. Immutable: created or deleted.
type Binding struct {
	ID        string       `json:"id"`
	PrefixID  string       `json:"prefix_id"`
	CIDR      netip.Prefix `json:"cidr"`
	ServiceID string       `json:"service_id"`
	Active    bool         `json:"active"` // deployed at a quorum of the live edge machines
	CreatedAt time.Time    `json:"created_at"`
}
