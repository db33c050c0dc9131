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
	ID              string
	AccountID       string
	CIDR            netip.Prefix
	ASN             uint32
	Description     *string // nil is unset and stays null on the wire
	State           Lifecycle
	Control         Control
	OnDemandEnabled bool
	OnDemandLocked  bool

	DelegateLOACreation bool
	LOADocumentID       *string // never filled in unasked
	IRR, RPKI           ValidationState
	Ownership           ValidationState
	OwnershipToken      string
	AcceptedRisks       []string // named risks an operator approved with, e.g. "unverified"

	DeleteAfter *time.Time // end of the grace time while pending_delete
	CreatedAt   time.Time
	ModifiedAt  time.Time
	Version     int64
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
	ID                    string
	PrefixID              string
	CIDR                  netip.Prefix
	Prepend               int // 0..3 extra copies of our ASN
	AutoAdvertiseWithdraw bool
	Advertised            bool // desired
	AdvertisedModifiedAt  *time.Time
	Resting               Resting
	Sites                 Sites
	CreatedAt             time.Time
	ModifiedAt            time.Time
	Version               int64
}

// Binding assigns a range of a prefix to a service. Immutable: created or deleted.
type Binding struct {
	ID        string
	PrefixID  string
	CIDR      netip.Prefix
	ServiceID string
	Active    bool // deployed at a quorum of the live edge machines
	CreatedAt time.Time
}
