package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/prometheus/client_golang/prometheus"
)

// watchSwitch is how often a run looks at its kill switch. Each deletion asks
// the breaker as well.
const watchSwitch = 200 * time.Millisecond

// cleaner is the clean-up worker: it makes tombstones of pending deletions
// whose grace time is over. It is off until an operator enables it, plans
// before it acts, reads every object again, and goes through the same gate as
// everybody (requirement ADR-04).
type cleaner struct {
	cfg      config.Cleanup
	registry func() *addressing.Registry // nil while there is no intent
	off      func() bool                 // its kill switch
	log      *slog.Logger

	overCap, refused, deleted prometheus.Counter
	ran                       prometheus.Gauge

	approval cleanupApproval
	now      chan struct{} // a run is wanted before the next tick
}

func newCleaner(cfg config.Cleanup, registry func() *addressing.Registry, off func() bool, log *slog.Logger) *cleaner {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &cleaner{cfg: cfg, registry: registry, off: off, log: log, now: make(chan struct{}, 1),
		overCap: counter("holdfast_cleanup_plan_exceeds_cap_total", "Plans of the clean-up worker that were larger than its cap; nothing of them was done."),
		refused: counter("holdfast_cleanup_plans_refused_total", "Plans of the clean-up worker that were refused, those over the cap included."),
		deleted: counter("holdfast_cleanup_deletions_total", "Pending deletions that the clean-up worker made tombstones of."),
		ran:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_cleanup_last_run_timestamp_seconds", Help: "When the clean-up worker last planned, Unix time; 0 for never."}),
	}
}

func (c *cleaner) collectors() []prometheus.Collector {
	return []prometheus.Collector{c.overCap, c.refused, c.deleted, c.ran}
}

// run works until ctx ends. The first run comes after one interval, never at
// the start: a release must not act by being released.
func (c *cleaner) run(ctx context.Context) {
	if !c.cfg.Enabled {
		return
	}
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			c.round(ctx, at)
		case <-c.now:
			c.round(ctx, time.Now())
		}
	}
}

// round lists the pending deletions and cleans up.
func (c *cleaner) round(ctx context.Context, at time.Time) {
	r := c.registry()
	if r == nil || c.off() {
		return
	}
	pending, err := r.PendingDeletions(ctx, addressing.EveryAccount())
	if err != nil {
		c.log.Error("clean-up: no list", "error", err)
		return
	}
	ids := make([]string, len(pending))
	for i, d := range pending {
		ids[i] = d.ID
	}
	c.clean(ctx, r, ids, at)
}

// clean runs over a list that is not trusted.
func (c *cleaner) clean(ctx context.Context, r *addressing.Registry, listed []string, at time.Time) addressing.CleanupPlan {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.guard(ctx, cancel)
	opt := addressing.CleanupOptions{Enabled: c.cfg.Enabled, Cap: c.cfg.Cap}
	plan, err := r.Cleanup(ctx, c.request(at), listed, opt)
	if err != nil {
		c.log.Error("clean-up: no plan", "error", err)
		return addressing.CleanupPlan{}
	}
	if opt.Approved = c.approval.covers(plan, at); opt.Approved > 0 {
		plan.Refused, plan.OverCap = "", false // judged again when it is carried out
	}
	c.ran.Set(float64(at.UnixNano()) / 1e9)
	c.tell(plan)
	if !c.cfg.Apply || plan.Refused != "" || len(plan.Expire) == 0 || c.off() {
		return addressing.CleanupPlan{Listed: plan.Listed, Kept: plan.Kept, Refused: plan.Refused, OverCap: plan.OverCap}
	}
	// The plan is out; carrying it out reads and judges everything again.
	opt.Apply = true
	done, err := r.Cleanup(ctx, c.request(at), plan.Expire, opt)
	if done.Refused == "" {
		c.deleted.Add(float64(len(done.Expire)))
	}
	if err != nil {
		c.log.Error("clean-up stopped", "deleted", len(done.Expire), "planned", len(plan.Expire), "error", err)
	}
	return done
}

func (c *cleaner) tell(plan addressing.CleanupPlan) {
	c.log.Info("clean-up plan", "listed", plan.Listed, "expire", plan.Expire, "kept", len(plan.Kept), "dry_run", !c.cfg.Apply)
	if plan.Refused == "" {
		return
	}
	c.refused.Inc()
	alert := "cleanup_plan_refused"
	// A list that is no list of pending deletions is over the cap as well, if
	// it is longer: on 20 February it held every prefix there was.
	if plan.OverCap || plan.Listed > c.cfg.Cap {
		alert = "cleanup_plan_exceeds_cap"
		c.overCap.Inc()
	}
	c.log.Error("clean-up does nothing", "alert", alert, "why", plan.Refused, "listed", plan.Listed, "cap", c.cfg.Cap)
}

// guard ends a run when the kill switch is turned.
func (c *cleaner) guard(ctx context.Context, cancel func()) {
	tick := time.NewTicker(watchSwitch)
	defer tick.Stop()
	for {
		if c.off() {
			cancel()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *cleaner) request(at time.Time) addressing.Request {
	return addressing.Request{Actor: addressing.Actor{Kind: addressing.System, ID: "cleanup", Name: "clean-up worker"},
		Scope: addressing.EveryAccount(), Reason: "its grace time is over", At: at}
}
