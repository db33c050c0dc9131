package api

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// CleanupWorker is the clean-up worker as the API sees it.
type CleanupWorker interface {
	// Plan is what a run would do now.
	Plan(ctx context.Context, at time.Time) (CleanupState, error)
	// Approve lets a run carry out exactly one plan. A refusal is an
	// *addressing.Error.
	Approve(ctx context.Context, r CleanupApproval) (CleanupState, error)
}

// CleanupState is the worker and what it would do.
type CleanupState struct {
	Enabled, DryRun bool
	Cap             int
	Plan            string // names exactly the deletions of Work
	Work            addressing.CleanupPlan
	Approved        bool
}

// CleanupApproval names the plan that was looked at, and its size.
type CleanupApproval struct {
	Plan   string
	Count  int
	Reason string
	Actor  addressing.Actor
	At     time.Time
}

func (h *handlers) cleanupOut(s CleanupState) Cleanup {
	return Cleanup{Environment: h.environment(), Enabled: s.Enabled, DryRun: s.DryRun, Cap: s.Cap, Plan: s.Plan, Expire: append([]string{}, s.Work.Expire...),
		Kept: len(s.Work.Kept), Refused: s.Work.Refused, OverCap: s.Work.OverCap, Approved: s.Approved}
}

// GetCleanup shows what the worker would do now.
func (h *handlers) GetCleanup(ctx context.Context, _ GetCleanupRequestObject) (GetCleanupResponseObject, error) {
	if h.cfg.Cleanup == nil {
		return nil, missing("clean-up worker")
	}
	s, err := h.cfg.Cleanup.Plan(ctx, callIn(ctx).at)
	if err != nil {
		return nil, err
	}
	return GetCleanup200JSONResponse(h.cleanupOut(s)), nil
}

// ApproveCleanup approves one plan that is over the cap.
func (h *handlers) ApproveCleanup(ctx context.Context, r ApproveCleanupRequestObject) (ApproveCleanupResponseObject, error) {
	if h.cfg.Cleanup == nil {
		return nil, missing("clean-up worker")
	}
	c := callIn(ctx)
	s, err := h.cfg.Cleanup.Approve(ctx, CleanupApproval{Plan: r.Body.Plan, Count: r.Body.Count, Reason: r.Body.Reason, Actor: c.caller.actor, At: c.at})
	if err != nil {
		return nil, err
	}
	return ApproveCleanup200JSONResponse(h.cleanupOut(s)), nil
}
