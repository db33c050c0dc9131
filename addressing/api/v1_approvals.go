package api

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Approvals is what persons approve for one another. None of it may need the
// store (invariant 11).
type Approvals interface {
	List(ctx context.Context) ([]ApprovalStatus, error)
	Request(ctx context.Context, r ApprovalAsked) (ApprovalStatus, error)
	Decide(ctx context.Context, r ApprovalDecision) (ApprovalStatus, error)
}

// ApprovalStatus is one approval as it stands.
type ApprovalStatus struct {
	ID, State            string
	Prefixes             []netip.Prefix
	Count                int
	Until, At, DecidedAt time.Time
	Requester, Reason    string
	DecidedBy, Decision  string
}

// ApprovalAsked asks for an approval: an upper bound, of an exact set.
type ApprovalAsked struct {
	Prefixes []netip.Prefix
	Count    int // 0: all
	Until    time.Time
	Reason   string
	Actor    addressing.Actor
	At       time.Time
}

// ApprovalDecision approves or denies.
type ApprovalDecision struct {
	ID      string
	Approve bool
	Reason  string
	Actor   addressing.Actor
	Local   bool // on the admin socket

	EnrolledAt time.Time // when the token that decides was made; zero on the admin socket
	EnrolledBy string    // and who made it
	At         time.Time
}

func approvalOut(a ApprovalStatus) Approval {
	out := Approval{ID: a.ID, State: ApprovalState(a.State), Prefixes: []string{}, Count: a.Count, Until: micro(a.Until), Requester: a.Requester, Reason: a.Reason,
		At: micro(a.At), DecidedBy: a.DecidedBy, DecidedAt: timeOrNil(a.DecidedAt), Decision: a.Decision}
	for _, p := range a.Prefixes {
		out.Prefixes = append(out.Prefixes, p.String())
	}
	return out
}

// ListApprovals lists what was asked for, newest first.
func (h *handlers) ListApprovals(ctx context.Context, _ ListApprovalsRequestObject) (ListApprovalsResponseObject, error) {
	if h.cfg.Approvals == nil {
		return nil, missing("breaker")
	}
	all, err := h.cfg.Approvals.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Approval, 0, len(all))
	for _, a := range all {
		out = append(out, approvalOut(a))
	}
	return ListApprovals200JSONResponse{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// RequestApproval asks another person. Each prefix is named, once.
func (h *handlers) RequestApproval(ctx context.Context, r RequestApprovalRequestObject) (RequestApprovalResponseObject, error) {
	if h.cfg.Approvals == nil {
		return nil, missing("breaker")
	}
	c := callIn(ctx)
	req := ApprovalAsked{Until: r.Body.Until, Reason: r.Body.Reason, Actor: c.caller.actor, At: c.at}
	named := map[netip.Prefix]bool{}
	for i, text := range r.Body.Prefixes {
		p, err := addressing.ParsePrefix(text)
		if err != nil {
			return nil, &inputError{"/prefixes/" + strconv.Itoa(i), err.Error()}
		}
		if named[p] {
			return nil, &inputError{"/prefixes/" + strconv.Itoa(i), p.String() + " is named twice"}
		}
		named[p] = true
		req.Prefixes = append(req.Prefixes, p)
	}
	if r.Body.Count != nil {
		req.Count = *r.Body.Count
	}
	a, err := h.cfg.Approvals.Request(ctx, req)
	if err != nil {
		return nil, err
	}
	return RequestApproval200JSONResponse{Body: approvalOut(a)}, nil
}

func (h *handlers) decide(ctx context.Context, id, reason string, approve bool) (Approval, error) {
	if h.cfg.Approvals == nil {
		return Approval{}, missing("breaker")
	}
	c := callIn(ctx)
	a, err := h.cfg.Approvals.Decide(ctx, ApprovalDecision{ID: id, Approve: approve, Reason: reason, Actor: c.caller.actor, Local: c.caller.local,
		EnrolledAt: c.caller.enrolledAt, EnrolledBy: c.caller.enrolledBy, At: c.at})
	return approvalOut(a), err
}

// ApproveApproval approves what somebody else asked for.
func (h *handlers) ApproveApproval(ctx context.Context, r ApproveApprovalRequestObject) (ApproveApprovalResponseObject, error) {
	a, err := h.decide(ctx, r.ApprovalID, r.Body.Reason, true)
	if err != nil {
		return nil, err
	}
	return ApproveApproval200JSONResponse{Body: a}, nil
}

// DenyApproval denies, or takes back what was approved.
func (h *handlers) DenyApproval(ctx context.Context, r DenyApprovalRequestObject) (DenyApprovalResponseObject, error) {
	a, err := h.decide(ctx, r.ApprovalID, r.Body.Reason, false)
	if err != nil {
		return nil, err
	}
	return DenyApproval200JSONResponse{Body: a}, nil
}
