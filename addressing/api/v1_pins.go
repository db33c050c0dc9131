package api

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Pins is the kept snapshots as an operator handles them. None of it may need
// the store (invariant 11).
type Pins interface {
	// Pin holds the wire where it is.
	Pin(ctx context.Context, by addressing.Actor, reason string) (PinStatus, error)
	// Unpin lets the builder go on; accept names the snapshot that desired
	// state differs by, empty if it does not differ.
	Unpin(ctx context.Context, by addressing.Actor, reason, accept string) (PinStatus, error)
	// Verify reads every kept snapshot in both copies.
	Verify(ctx context.Context) (Verification, error)
}

// PinStatus says whether the wire is pinned, and by whom.
type PinStatus struct {
	Pinned        bool
	Generation    uint64
	Actor, Reason string
	At            time.Time
}

// Verification is what reading everything found.
type Verification struct {
	Generations      int
	Healed, Problems []string
}

func pinOut(p PinStatus) Pin {
	return Pin{Pinned: p.Pinned, Generation: int64(p.Generation), Actor: p.Actor, Reason: p.Reason, At: timeOrNil(p.At)}
}

// PinSnapshot holds the wire at the active generation.
func (h *handlers) PinSnapshot(ctx context.Context, r PinSnapshotRequestObject) (PinSnapshotResponseObject, error) {
	if h.cfg.Pins == nil {
		return nil, missing("pin")
	}
	p, err := h.cfg.Pins.Pin(ctx, callIn(ctx).caller.actor, r.Body.Reason)
	if err != nil {
		return nil, err
	}
	return PinSnapshot200JSONResponse{Body: pinOut(p)}, nil
}

// UnpinSnapshot lets the builder go on.
func (h *handlers) UnpinSnapshot(ctx context.Context, r UnpinSnapshotRequestObject) (UnpinSnapshotResponseObject, error) {
	if h.cfg.Pins == nil {
		return nil, missing("pin")
	}
	accept := ""
	if r.Body.Accept != nil {
		accept = *r.Body.Accept
	}
	p, err := h.cfg.Pins.Unpin(ctx, callIn(ctx).caller.actor, r.Body.Reason, accept)
	if err != nil {
		return nil, err
	}
	return UnpinSnapshot200JSONResponse{Body: pinOut(p)}, nil
}

// VerifySnapshots reads every kept snapshot and heals what one copy lacks.
func (h *handlers) VerifySnapshots(ctx context.Context, _ VerifySnapshotsRequestObject) (VerifySnapshotsResponseObject, error) {
	if h.cfg.Pins == nil {
		return nil, missing("snapshot history")
	}
	v, err := h.cfg.Pins.Verify(ctx)
	if err != nil {
		return nil, err
	}
	return VerifySnapshots200JSONResponse{Body: SnapshotVerification{Ok: len(v.Problems) == 0, Generations: v.Generations,
		Healed: append([]string{}, v.Healed...), Problems: append([]string{}, v.Problems...)}}, nil
}
