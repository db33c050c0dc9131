package api

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// EmergencyLane takes a few prefixes down at once, whatever the state of the
// breaker, and without the store if need be (invariant 11).
type EmergencyLane interface {
	Withdraw(ctx context.Context, r EmergencyRequest) (EmergencyOutcome, error)
}

// EmergencyRequest names the prefixes, the incident and the reason.
type EmergencyRequest struct {
	Prefixes  []netip.Prefix
	Incident  string
	Reason    string
	DryRun    bool
	Actor     addressing.Actor
	RequestID string
	At        time.Time
}

// EmergencyOutcome is what an emergency withdrawal did.
type EmergencyOutcome struct {
	ChangeID          string
	Advertised, Total int      // of them, and in all, on the wire before
	Intents           []string // ids
	Offline           bool     // made without the database
	Detail            string
}

// EmergencyWithdraw takes the prefixes named down. It names each exactly:
// neither a covering prefix nor a pattern is understood.
func (h *handlers) EmergencyWithdraw(ctx context.Context, r EmergencyWithdrawRequestObject) (EmergencyWithdrawResponseObject, error) {
	if h.cfg.Emergency == nil {
		return nil, missing("emergency lane")
	}
	c := callIn(ctx)
	req := EmergencyRequest{Incident: r.Body.Incident, Reason: r.Body.Reason, Actor: c.caller.actor, RequestID: c.requestID, At: c.at,
		DryRun: r.Body.DryRun != nil && *r.Body.DryRun}
	named := map[netip.Prefix]bool{}
	for i, text := range r.Body.Prefixes {
		p, err := addressing.ParsePrefix(text)
		if err == nil && named[p] {
			return nil, &inputError{"/prefixes/" + strconv.Itoa(i), p.String() + " is named twice"}
		}
		if err != nil {
			return nil, &inputError{"/prefixes/" + strconv.Itoa(i), err.Error()}
		}
		named[p] = true
		req.Prefixes = append(req.Prefixes, p)
	}
	o, err := h.cfg.Emergency.Withdraw(ctx, req)
	if err != nil {
		return nil, err
	}
	if o.ChangeID != "" {
		c.header.Set("Holdfast-Change", o.ChangeID)
	}
	out := EmergencyResult{ChangeID: textOrNil(o.ChangeID), Prefixes: *texts(req.Prefixes), Advertised: o.Advertised, Total: o.Total,
		Intents: append([]string{}, o.Intents...), Offline: o.Offline, Detail: o.Detail}
	return EmergencyWithdraw200JSONResponse{Body: out}, nil
}
