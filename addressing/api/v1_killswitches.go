package api

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// KillSwitches is what can be turned off at once. None of it may need the
// store (invariant 11).
type KillSwitches interface {
	List(ctx context.Context) ([]SwitchStatus, error)
	Set(ctx context.Context, r SwitchRequest) error
}

// SwitchStatus is one kill switch as it is.
type SwitchStatus struct {
	Name, Effect, Side string
	Off, FailsOn       bool
	Reason, By         string
	Since              time.Time
}

// SwitchRequest turns one switch off or on.
type SwitchRequest struct {
	Name   string
	Off    bool
	Reason string
	Actor  addressing.Actor
	At     time.Time
}

func (h *handlers) killSwitches(ctx context.Context) (KillSwitchList, error) {
	if h.cfg.Switches == nil {
		return KillSwitchList{}, missing("breaker")
	}
	all, err := h.cfg.Switches.List(ctx)
	if err != nil {
		return KillSwitchList{}, err
	}
	out := make([]KillSwitch, 0, len(all))
	for _, s := range all {
		k := KillSwitch{Name: s.Name, Off: s.Off, Effect: s.Effect, Side: s.Side, Fails: KillSwitchFailsOff,
			Reason: textOrNil(s.Reason), By: textOrNil(s.By), Since: timeOrNil(s.Since)}
		if s.FailsOn {
			k.Fails = KillSwitchFailsOn
		}
		out = append(out, k)
	}
	return KillSwitchList{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// ListKillSwitches lists what can be turned off.
func (h *handlers) ListKillSwitches(ctx context.Context, _ ListKillSwitchesRequestObject) (ListKillSwitchesResponseObject, error) {
	out, err := h.killSwitches(ctx)
	if err != nil {
		return nil, err
	}
	return ListKillSwitches200JSONResponse(out), nil
}

// SetKillSwitch turns one off or on.
func (h *handlers) SetKillSwitch(ctx context.Context, r SetKillSwitchRequestObject) (SetKillSwitchResponseObject, error) {
	if h.cfg.Switches == nil {
		return nil, missing("breaker")
	}
	c := callIn(ctx)
	if err := h.cfg.Switches.Set(ctx, SwitchRequest{Name: r.Body.Name, Off: r.Body.Off, Reason: r.Body.Reason, Actor: c.caller.actor, At: c.at}); err != nil {
		return nil, err
	}
	out, err := h.killSwitches(ctx)
	if err != nil {
		return nil, err
	}
	return SetKillSwitch200JSONResponse{Body: out}, nil
}
