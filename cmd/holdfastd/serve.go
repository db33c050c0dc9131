package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// observeEvery is how often the neighbors' tables are counted for the state
// floor (W6): often enough that its trailing hour misses nothing that matters.
const observeEvery = 10 * time.Second

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, file string) error {
	cfg, notices, err := config.Load(file)
	if err != nil {
		return err
	}
	d := &daemon{cfg: cfg, dir: dataDir(cfg.DataDir), log: jsonLog(cfg.LogLevel)}
	for _, n := range notices {
		d.log.Info("configuration note", "note", n.Error())
	}
	if err := d.open(time.Now()); err != nil {
		d.close()
		return err
	}
	defer d.close()
	return d.run(ctx)
}

// run starts the daemon: the wire first, then the ways in, then intent.
func (d *daemon) run(ctx context.Context) error {
	booted, err := d.pipeline.Boot(ctx)
	if err != nil {
		// A snapshot that is there and cannot be used: connecting with an empty
		// table would withdraw everything at the first End-of-RIB.
		return fmt.Errorf("last-known-good cannot be used, so no neighbor is let in: %w", err)
	}
	if !booted.None && missing(d.dir.database()) {
		d.pipeline.StopIntentLost("the database file is gone")
	}
	d.log.Info("booted", "generation", booted.Head.Generation, "routes", booted.Routes, "first_start", d.first)
	d.guard.Await(booted.Waiting...)
	if err := d.speaker.Start(ctx); err != nil {
		d.pipeline.Ended()
		return fmt.Errorf("speaker: %w", err)
	}
	if err := d.listen(ctx); err != nil {
		d.pipeline.Ended()
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.pipeline.Run(running)
	}()
	go d.look.Run(running, d.breaker)
	go d.hangup(running)
	crawled := make(chan struct{})
	go func() { defer close(crawled); crawl(running, d.store) }()
	go d.evidence.run(running)
	go d.feed.run(running)
	if d.queue != nil {
		go d.expireHeld(running)
	}
	go d.keepDatabase(running, !booted.None)
	go d.probeDatabase(running)
	go d.validate.run(running)
	go d.cleaner.run(running)
	go d.control.Run(running)
	d.beyond.listen(running)
	go d.beyond.run(running)
	go d.health.run(running)
	go d.decided.run(running)
	go d.loads.run(running)
	go d.watchDeploys(running)
	d.watch(running)
	stop()
	<-ended
	<-crawled
	d.log.Info("stopping; the neighbors keep our routes for their restart time")
	return nil
}

// listen opens the ways in. The admin socket must open, and at the very first
// start everything must. Later the API and metrics are reported and tried
// again: the wire does not need them, and ending for a port would take it down.
func (d *daemon) listen(ctx context.Context) error {
	d.servers.log = d.log
	if err := d.servers.admin(d.cfg.AdminSocket, d.api); err != nil {
		return err
	}
	if err := d.closed.open(ctx, d.first, d.log, func() error { return d.servers.public(d.cfg.API, d.api) }); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{d}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(d.api.Collectors()...)
	registry.MustRegister(sourceCollector{d.validate}, storeCollector{d})
	registry.MustRegister(d.cleaner.collectors()...)
	registry.MustRegister(d.speakers, observeCollector{d}, controlCollector{d.control}, rolloutCollector{d}, d.health.failed, pathCollector{d})
	registry.MustRegister(d.beyond)
	mux := http.NewServeMux()
	scrape := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if d.off(sinkMetrics) {
			http.Error(w, "turned off: holdfast kill-switch list", http.StatusServiceUnavailable)
			return
		}
		scrape.ServeHTTP(w, r)
	})
	return d.closed.open(ctx, d.first, d.log, func() error { return d.servers.metrics(d.cfg.Metrics, mux) })
}

// watch counts the neighbors' tables until ctx ends.
func (d *daemon) watch(ctx context.Context) {
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			d.observe(ctx, at)
		}
	}
}

// risks are the named risks in force.
func (d *daemon) risks() []string {
	out := slices.Concat(d.observing(), d.standing(), d.storeRisks(), d.storageRisks(), d.validate.risks(), d.speakers.risks(), d.control.Risks(), d.rolloutRisks(time.Now()), d.maxPrefixRisks(), d.outOfService(), d.cfg.Breaker.Risks(persons{d}.count()))
	out = append(out, d.beyond.risks()...)
	d.settling.Lock()
	defer d.settling.Unlock()
	if len(d.limits.waiting) > 0 {
		out = append(out, "limits_wait: the configuration loosens limits of the breaker, which waits for two persons (holdfast breaker limits): "+strings.Join(d.limits.waiting, "; "))
	}
	return out
}

// ready says whether the daemon does its whole job. Neighbors that are down do
// not count: that is their business.
func (d *daemon) ready() (bool, string) {
	if d.api.Usable() {
		return true, ""
	}
	if d.registry.Load() != nil {
		return false, "desired state: the database cannot be read"
	}
	if why := d.intent.Load(); why != nil {
		return false, "desired state: " + *why
	}
	return false, "starting"
}

// refused opens the global scope when desired state looks like a lost
// database; everything else that preflight refuses just stays off the wire.
func (d *daemon) refused(p plan.Plan, r plan.Report) {
	for _, f := range r.Findings {
		d.log.Warn("plan refused", "generation", p.Generation, "rule", f.Rule, "why", f.Why)
	}
	if !r.Has(plan.RuleLostDatabase) {
		return
	}
	builder := breaker.Actor{Kind: breaker.ActorKind(addressing.System), Key: "system/builder"}
	if _, err := d.breaker.TripBy("breaker.lost-database", breaker.Global, "desired state looks like a lost database", builder, time.Now()); err != nil {
		d.log.Error("breaker could not be opened; it holds by itself", "error", err)
	}
}

func (d *daemon) applied(a rollout.Applied) {
	d.deploys.applied(a, time.Now())
	d.feed.refresh(time.Now())
	d.log.Info("applied", "generation", a.Head.Generation, "changes", len(a.Plan.Changes), "actor", a.Head.Actor, "took", a.Took.String())
	for _, f := range a.Findings {
		d.log.Warn("remark on what was applied", "rule", f.Rule, "why", f.Why)
	}
}
