package main

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// pins is the snapshot store as an operator handles it.
type pins struct{ d *daemon }

var _ api.Pins = pins{}

// Pin implements api.Pins.
func (p pins) Pin(_ context.Context, by addressing.Actor, reason string) (api.PinStatus, error) {
	if p.d.pipeline.Runner.Active().Snapshot == nil {
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeConflict, Op: "pin", Detail: "there is no generation to pin yet"}
	}
	if err := p.d.pipeline.Pin(by, reason); err != nil {
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeUnavailable, Op: "pin", Detail: err.Error(), Next: "look at the data directory's space and permissions"}
	}
	return p.status(), nil
}

func (p pins) status() api.PinStatus {
	pin, pinned := p.d.store.Pinned()
	out := api.PinStatus{Pinned: pinned, Generation: pin.Generation, Actor: pin.Actor, Reason: pin.Reason}
	if pin.At != 0 {
		out.At = time.Unix(0, pin.At)
	}
	return out
}

// Unpin implements api.Pins.
func (p pins) Unpin(ctx context.Context, by addressing.Actor, reason, accept string) (api.PinStatus, error) {
	if !p.status().Pinned {
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeConflict, Op: "unpin", Detail: "nothing is pinned"}
	}
	err := p.d.pipeline.Unpin(ctx, snapshots.ID(accept))
	switch {
	case errors.Is(err, rollout.ErrDiffers):
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeRefused, Op: "unpin", Detail: err.Error(),
			Next: "holdfast plan show, then unpin with --accept and the snapshot it leads to"}
	case err != nil:
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeUnavailable, Op: "unpin", Detail: err.Error(),
			Next: "desired state must be there: holdfast restore --all rebuilds it from the snapshot"}
	}
	p.d.log.Info("unpinned", "actor", by.Key(), "reason", reason, "accepted", accept)
	return p.status(), nil
}

// Verify implements api.Pins.
func (p pins) Verify(context.Context) (api.Verification, error) { return verifyStore(p.d.store), nil }

func verifyStore(store *snapshots.Dir) api.Verification {
	out := api.Verification{}
	if err := store.Verify(); err != nil {
		out.Problems = problems(err)
	}
	for _, found := range store.Damage() {
		if found.Healed {
			out.Healed = append(out.Healed, found.Path)
		}
	}
	out.Generations = len(store.History())
	return out
}

func problems(err error) []string {
	joined, many := err.(interface{ Unwrap() []error }) //nolint:errorlint // errors.Join's own form
	if !many {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range joined.Unwrap() {
		out = append(out, e.Error())
	}
	return out
}
