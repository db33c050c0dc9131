package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// cleanupApprovalTime is how long an approval of a plan holds. It lives in
// memory: after a restart a person looks again.
const cleanupApprovalTime = 24 * time.Hour

// cleanupApproval is what a person let the worker do past its cap: an exact
// set of deletions, any part of it, for a time (ADR-04).
type cleanupApproval struct {
	mu    sync.Mutex
	ids   map[string]bool
	until time.Time
}

func (a *cleanupApproval) give(ids []string, until time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids, a.until = make(map[string]bool, len(ids)), until
	for _, id := range ids {
		a.ids[id] = true
	}
}

// covers is how many deletions of a plan over the cap are approved: all of
// them, or none.
func (a *cleanupApproval) covers(plan addressing.CleanupPlan, at time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !plan.OverCap || !at.Before(a.until) {
		return 0
	}
	for _, id := range plan.Expire {
		if !a.ids[id] {
			return 0
		}
	}
	return len(plan.Expire)
}

// planName names exactly these deletions.
func planName(ids []string) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(sum[:16])
}

var _ api.CleanupWorker = (*cleaner)(nil)

// Plan implements api.CleanupWorker.
func (c *cleaner) Plan(ctx context.Context, at time.Time) (api.CleanupState, error) {
	out := api.CleanupState{Enabled: c.cfg.Enabled, DryRun: !c.cfg.Apply, Cap: c.cfg.Cap}
	r := c.registry()
	if r == nil {
		return out, &addressing.Error{Code: addressing.CodeUnavailable, Op: "clean-up", Detail: "desired state cannot be used"}
	}
	pending, err := r.PendingDeletions(ctx, addressing.EveryAccount())
	if err != nil {
		return out, err
	}
	ids := make([]string, len(pending))
	for i, d := range pending {
		ids[i] = d.ID
	}
	// A dry run, whether or not the worker is on: a person asks.
	if out.Work, err = r.Cleanup(ctx, c.request(at), ids, addressing.CleanupOptions{Enabled: true, Cap: c.cfg.Cap}); err != nil {
		return out, err
	}
	out.Plan, out.Approved = planName(out.Work.Expire), c.approval.covers(out.Work, at) > 0
	return out, nil
}

// Approve implements api.CleanupWorker.
func (c *cleaner) Approve(ctx context.Context, r api.CleanupApproval) (api.CleanupState, error) {
	s, err := c.Plan(ctx, r.At)
	if err != nil {
		return s, err
	}
	no := func(why, next string) error {
		return &addressing.Error{Code: addressing.CodeConflict, Op: "approve clean-up", Detail: why, Next: next}
	}
	switch {
	case !s.Enabled:
		return s, no("the worker is off in this environment", "cleanup.enabled in the configuration")
	case s.DryRun:
		return s, no("the worker only runs dry in this environment", "cleanup.dry_run: false in the configuration")
	case s.Plan != r.Plan || len(s.Work.Expire) != r.Count:
		return s, no(fmt.Sprintf("the plan is now %s with %d deletions", s.Plan, len(s.Work.Expire)), "look at it: holdfast cleanup show")
	case !s.Work.OverCap:
		return s, no("the plan needs no approval", "the worker carries it out at its next run")
	}
	c.approval.give(s.Work.Expire, r.At.Add(cleanupApprovalTime))
	c.log.Warn("clean-up approved", "page", true, "plan", r.Plan, "deletions", r.Count, "actor", r.Actor.Key(), "reason", r.Reason)
	s.Approved = true
	select {
	case c.now <- struct{}{}:
	default: // it is about to run
	}
	return s, nil
}
