package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Speaker is the part of bgp.Speaker that is read here.
type Speaker interface {
	Neighbors(ctx context.Context) ([]bgp.NeighborStatus, error)
	Routes(ctx context.Context, neighbor string) ([]snapshots.TargetRoute, error)
}

// Pipeline is the way to the wire as the API sees it: what is active, what is
// pending, and the way back. None of it may need the store.
type Pipeline interface {
	Status() PipelineStatus
	// Active is the snapshot on the wire, nil before the first one.
	Active() (*snapshots.Snapshot, snapshots.Head)
	// Pending is what the next snapshot would change. An error means that it
	// cannot be known now, for instance because the store is unavailable.
	Pending(ctx context.Context) (plan.Plan, plan.Report, error)
	Rollback(ctx context.Context, r RollbackRequest) (RollbackOutcome, error)
}

// History is the snapshots that were kept.
type History interface {
	// Heads lists them, newest first.
	Heads(ctx context.Context) ([]snapshots.Head, error)
	// Snapshot reads one generation.
	Snapshot(ctx context.Context, generation uint64) (*snapshots.Snapshot, snapshots.Head, error)
}

// CircuitBreaker is the breaker as the API sees it.
type CircuitBreaker interface {
	// Scopes lists the scopes that are not closed, and global always.
	Scopes(ctx context.Context) ([]BreakerStatus, error)
	// Reset moves one scope on after a trip. A refusal is an *addressing.Error.
	Reset(ctx context.Context, r ResetRequest) error
}

// PipelineStatus is where the pipeline stands. Zero times are unknown.
type PipelineStatus struct {
	Generation    uint64
	LastKnownGood uint64 // generation
	LastBuild     time.Time
	Pinned        bool
	IntentLost    bool
	LastRefusal   *PipelineRefusal
}

// PipelineRefusal is the last plan that did not go out.
type PipelineRefusal struct {
	At         time.Time
	Generation uint64
	Verdict    policy.Verdict
	Findings   []policy.Finding
}

// RollbackRequest asks for a new generation composed from an old one. Exactly
// one of All, AccountID, PrefixID and Prefix is set.
type RollbackRequest struct {
	All       bool
	AccountID string
	PrefixID  string
	Prefix    netip.Prefix // a prefix or BGP prefix, exactly
	To        uint64       // 0: the generation before the active one
	DryRun    bool         // plan and judge only
	Actor     addressing.Actor
	Reason    string
	RequestID string
	At        time.Time
	Pace
}

// RollbackOutcome is what a rollback did.
type RollbackOutcome struct {
	Generation      uint64
	ID              snapshots.ID
	From, To        uint64
	Of              int // routes advertised before
	Advertised      int // routes put back
	Later           int // of these, not advertised yet
	Modified        int
	LeftAdvertised  int // newer routes that were left alone
	NegativeIntents int // routes kept down on purpose
	Pinned          bool
	IntentRestored  bool
	Detail          string
}

// BreakerStatus is one scope of the breaker.
type BreakerStatus struct {
	Scope  string // global, account, actor, neighbor or service
	Key    string
	State  string // locked, open, recovering or closed
	TripID string
	Since  time.Time
	Reason string
}

// ResetRequest names the trip it resets, so that a trip that came in between
// is not reset with it.
type ResetRequest struct {
	Scope, Key, TripID string
	Reason             string
	Actor              addressing.Actor
	Person             Person
	At                 time.Time
}
