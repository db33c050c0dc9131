package bgp

import (
	"context"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Speaker speaks BGP. Apply is declarative: the Target is the whole set of
// every neighbor it names, so that a lost call cannot leave half a change.
//
// Order at start: Apply the last-known-good Target, then Start, which lets
// neighbors connect (DESIGN section 8). Close ends the sessions without
// NOTIFICATION, so that graceful restart keeps the routes.
type Speaker interface {
	// Apply makes the neighbors hold exactly the Target. It is idempotent,
	// paced, and refuses an older (epoch, generation) than it has seen and an
	// empty Target that does not say why. It returns when the difference has
	// been handed to the sessions.
	Apply(ctx context.Context, t snapshots.Target) error
	// Start lets neighbors connect. Call it once, after the first Apply if
	// there is a snapshot.
	Start(ctx context.Context) error
	// Neighbors reports every configured neighbor, sorted by name.
	Neighbors(ctx context.Context) ([]NeighborStatus, error)
	// Routes is the Adj-RIB-Out of one neighbor, sorted by prefix.
	Routes(ctx context.Context, neighbor string) ([]snapshots.TargetRoute, error)
	// Close drops the sessions without NOTIFICATION and stops.
	Close() error
}

// SessionState is the state of a neighbor's session in the words of RFC 4271
// section 8.2.2. The zero value is Idle.
type SessionState string

// States worth telling apart from outside.
const (
	Idle        SessionState = "idle"
	Connect     SessionState = "connect"
	Active      SessionState = "active"
	OpenSent    SessionState = "opensent"
	OpenConfirm SessionState = "openconfirm"
	Established SessionState = "established"
)

// NeighborStatus is one neighbor as it stands.
type NeighborStatus struct {
	policy.Neighbor
	State      SessionState              `json:"state"`
	Since      time.Time                 `json:"since"` // of State
	Uptime     time.Duration             `json:"uptime_ns"`
	Shutdown   bool                      `json:"shutdown,omitempty"` // it has no session on purpose; LastError says why
	LastError  string                    `json:"last_error,omitempty"`
	RemoteRole policy.Role               `json:"remote_role,omitempty"`
	RouterID   netip.Addr                `json:"router_id"`
	Advertised map[addressing.Family]int `json:"advertised"` // Adj-RIB-Out of an established session, else 0
	Target     map[addressing.Family]int `json:"target"`     // what it is to hold
	Tally      *Tally                    `json:"tally,omitempty"`
	Survival   Survival                  `json:"survival"` // of the last session; zero before the first
}

// EventKind is what was seen at a session.
type EventKind string

// Kinds of event.
const (
	SessionUp   EventKind = "session_up"
	SessionDown EventKind = "session_down" // an observation, never a loss
	Advertised  EventKind = "advertised"
	Withdrawn   EventKind = "withdrawn"
	LeakBlocked EventKind = "leak_blocked"
	HeldBack    EventKind = "held_back" // a withdrawal that the Target does not ask for

	// What a customer asks for on its own session (BGP control, ADR-08).
	SignalAnnounced EventKind = "signal_announced"
	SignalWithdrawn EventKind = "signal_withdrawn" // in so many words; a session that ends signals nothing
)

// Event is one observation at a neighbor's session. Routes of one UPDATE
// travel in one event.
type Event struct {
	Kind       EventKind         `json:"kind"`
	Neighbor   string            `json:"neighbor"`
	Family     addressing.Family `json:"family,omitempty"`
	Prefixes   []netip.Prefix    `json:"prefixes,omitempty"`
	Epoch      uint64            `json:"epoch"`
	Generation uint64            `json:"generation"`
	At         time.Time         `json:"at"`
	Why        string            `json:"why,omitempty"`
}
