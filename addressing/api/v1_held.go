package api

import (
	"context"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// HeldChanges are desired already and wait for the breaker.
type HeldChanges interface {
	Waiting(ctx context.Context) ([]Waiting, error)
	Drop(ctx context.Context, r HeldRequest) error
	Release(ctx context.Context, r HeldRequest) error
}

// Waiting is one change that waits.
type Waiting struct {
	ID, Actor, Account, TripID, Reason string
	Prefixes                           []netip.Prefix
	At, Expires                        time.Time
}

// HeldRequest is about one change that waits.
type HeldRequest struct {
	ID, Reason string
	Actor      addressing.Actor
	RequestID  string
	At         time.Time
}

func (h *handlers) held(ctx context.Context) (HeldList, error) {
	if h.cfg.Held == nil {
		return HeldList{}, missing("breaker")
	}
	all, err := h.cfg.Held.Waiting(ctx)
	if err != nil {
		return HeldList{}, err
	}
	out := make([]HeldChange, 0, len(all))
	for _, w := range all {
		one := HeldChange{ID: w.ID, Actor: w.Actor, Account: w.Account, TripID: w.TripID, Reason: w.Reason, At: micro(w.At), Expires: micro(w.Expires), Prefixes: []string{}}
		for _, p := range w.Prefixes {
			one.Prefixes = append(one.Prefixes, p.String())
		}
		out = append(out, one)
	}
	return HeldList{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// heldRequest is one by the caller, about one change.
func heldRequest(ctx context.Context, id, reason string) HeldRequest {
	c := callIn(ctx)
	return HeldRequest{ID: id, Reason: reason, Actor: c.caller.actor, RequestID: c.requestID, At: c.at}
}

// ListHeld lists what waits, oldest first.
func (h *handlers) ListHeld(ctx context.Context, _ ListHeldRequestObject) (ListHeldResponseObject, error) {
	out, err := h.held(ctx)
	if err != nil {
		return nil, err
	}
	return ListHeld200JSONResponse(out), nil
}

// DropHeld forgets one change: desired state goes back to what is on the wire.
func (h *handlers) DropHeld(ctx context.Context, r DropHeldRequestObject) (DropHeldResponseObject, error) {
	if h.cfg.Held == nil {
		return nil, missing("breaker")
	}
	if err := h.cfg.Held.Drop(ctx, heldRequest(ctx, r.ChangeID, r.Body.Reason)); err != nil {
		return nil, err
	}
	out, err := h.held(ctx)
	if err != nil {
		return nil, err
	}
	return DropHeld200JSONResponse{Body: out}, nil
}

// ReleaseHeld plans one change afresh.
func (h *handlers) ReleaseHeld(ctx context.Context, r ReleaseHeldRequestObject) (ReleaseHeldResponseObject, error) {
	if h.cfg.Held == nil {
		return nil, missing("breaker")
	}
	if err := h.cfg.Held.Release(ctx, heldRequest(ctx, r.ChangeID, r.Body.Reason)); err != nil {
		return nil, err
	}
	out, err := h.held(ctx)
	if err != nil {
		return nil, err
	}
	return ReleaseHeld200JSONResponse{Body: out}, nil
}
