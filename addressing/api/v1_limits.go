package api

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// BreakerLimitSource is the limits in force, and those that wait for a person
// because they would loosen them.
type BreakerLimitSource interface {
	InForce(ctx context.Context) (LimitsInForce, error)
	Loosen(ctx context.Context, by addressing.Actor, as Person, reason string, at time.Time) error
}

// LimitsInForce is every limit over a window, and what waits.
type LimitsInForce struct {
	Limits  []WindowLimit
	Waiting []string
	AskedBy string
}

// WindowLimit is one limit; Window is zero where it has none.
type WindowLimit struct {
	Rule                string
	Window              time.Duration
	Share, Floor, Total int
	Shadow              bool
}

func (h *handlers) limitsOut(ctx context.Context) (BreakerLimits, error) {
	if h.cfg.Limits == nil {
		return BreakerLimits{}, missing("breaker")
	}
	l, err := h.cfg.Limits.InForce(ctx)
	if err != nil {
		return BreakerLimits{}, err
	}
	out := BreakerLimits{Limits: []BreakerLimit{}, Waiting: append([]string{}, l.Waiting...), AskedBy: l.AskedBy}
	for _, w := range l.Limits {
		out.Limits = append(out.Limits, BreakerLimit{Rule: w.Rule, WindowSeconds: int64(w.Window / time.Second), Share: w.Share, Floor: w.Floor, Total: w.Total, Shadow: w.Shadow})
	}
	return out, nil
}

// GetBreakerLimits shows the limits in force.
func (h *handlers) GetBreakerLimits(ctx context.Context, _ GetBreakerLimitsRequestObject) (GetBreakerLimitsResponseObject, error) {
	out, err := h.limitsOut(ctx)
	if err != nil {
		return nil, err
	}
	return GetBreakerLimits200JSONResponse(out), nil
}

// LoosenBreakerLimits accepts what the file would loosen: asked for by one
// person, accepted by another.
func (h *handlers) LoosenBreakerLimits(ctx context.Context, r LoosenBreakerLimitsRequestObject) (LoosenBreakerLimitsResponseObject, error) {
	if h.cfg.Limits == nil {
		return nil, missing("breaker")
	}
	c := callIn(ctx)
	if err := h.cfg.Limits.Loosen(ctx, c.caller.actor, c.caller.person(), r.Body.Reason, c.at); err != nil {
		return nil, err
	}
	out, err := h.limitsOut(ctx)
	if err != nil {
		return nil, err
	}
	return LoosenBreakerLimits200JSONResponse{Body: out}, nil
}
