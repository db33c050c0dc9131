package main

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/control"
	"github.com/prometheus/client_golang/prometheus"
)

// collector reads the daemon's state at each scrape, so that no gauge can be
// left behind by a path that forgot to set it.
type collector struct{ d *daemon }

var (
	breakerDesc    = prometheus.NewDesc("holdfast_breaker_state", "1 for the state a breaker scope is in.", []string{"scope", "key", "state"}, nil)
	generationDesc = prometheus.NewDesc("holdfast_snapshot_generation", "Generation of the active snapshot, 0 before the first.", nil, nil)
	ageDesc        = prometheus.NewDesc("holdfast_snapshot_age_seconds", "Age of the active snapshot.", nil, nil)
	staleDesc      = prometheus.NewDesc("holdfast_snapshot_stale_seconds", "How long desired state cannot be read or built; 0 while it can.", nil, nil)
	buildDesc      = prometheus.NewDesc("holdfast_snapshot_last_build_timestamp_seconds", "When a build last succeeded, Unix time; 0 for never.", nil, nil)
	pinnedDesc     = prometheus.NewDesc("holdfast_snapshot_pinned", "1 while a person holds the speaker at a generation.", nil, nil)
	waitingDesc    = prometheus.NewDesc("holdfast_held_changes", "Changes that are desired and wait for the breaker.", nil, nil)
	intentDesc     = prometheus.NewDesc("holdfast_intent_available", "1 while the database of desired state can be used.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{breakerDesc, generationDesc, ageDesc, staleDesc, buildDesc, pinnedDesc, waitingDesc, intentDesc} {
		ch <- d
	}
	for _, d := range neighborDescs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if neighbors, err := c.d.speaker.Neighbors(ctx); err == nil {
		for _, n := range neighbors {
			collectNeighbor(ch, n)
		}
	}
	now := time.Now()
	for _, s := range c.d.breaker.Status(now) {
		gauge(breakerDesc, 1, string(s.Kind), s.Key, s.State.String())
	}
	status := c.d.pipeline.Status()
	gauge(generationDesc, float64(status.Generation))
	if snap, head := c.d.pipeline.Active(); snap != nil {
		gauge(ageDesc, now.Sub(time.Unix(0, head.CreatedAt)).Seconds())
	}
	build := 0.0
	if !status.LastBuild.IsZero() {
		build = float64(status.LastBuild.UnixNano()) / 1e9
	}
	gauge(buildDesc, build)
	stale := 0.0
	if since := c.d.pipeline.Runner.Status().StaleSince; !since.IsZero() {
		stale = now.Sub(since).Seconds()
	}
	gauge(staleDesc, stale)
	held := 0
	if c.d.queue != nil {
		held = len(c.d.queue.List())
	}
	gauge(waitingDesc, float64(held))
	gauge(pinnedDesc, truth(status.Pinned))
	gauge(intentDesc, truth(c.d.api.Usable() && !status.IntentLost))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// observe tells the breaker how full the neighbors' tables are, for the state
// floor. A session that is down is an observation, never a loss.
func (d *daemon) observe(ctx context.Context, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	neighbors, err := d.speaker.Neighbors(ctx)
	if err != nil {
		d.log.Warn("neighbors cannot be counted", "error", err)
		return
	}
	d.sites.look(neighbors, at)
	d.evidence.sample(neighbors, at)
	for _, n := range neighbors {
		if n.State != bgp.Established {
			continue
		}
		for _, f := range n.Families {
			if err := d.breaker.ObserveAdvertised(n.Name, breaker.Family(f), n.Advertised[f], at); err != nil {
				d.log.Error("breaker journal", "error", err)
			}
		}
	}
}

// controlCollector reads what customers signal at each scrape.
type controlCollector struct{ c *control.Control }

var (
	signalsDesc  = prometheus.NewDesc("holdfast_control_signals_total", "BGP control signals carried out, and tries that were refused.", []string{"outcome"}, nil)
	unheededDesc = prometheus.NewDesc("holdfast_control_signals_waiting", "BGP control signals that were heard and not carried out.", nil, nil)
	lostDesc     = prometheus.NewDesc("holdfast_control_sessions_lost", "BGP control sessions that are down; what they signalled last stays.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c controlCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{signalsDesc, unheededDesc, lostDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c controlCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.c.State()
	for outcome, n := range map[string]int{"announced": s.Counts.Announced, "withdrawn": s.Counts.Withdrawn, "refused": s.Counts.Refused} {
		ch <- prometheus.MustNewConstMetric(signalsDesc, prometheus.CounterValue, float64(n), outcome)
	}
	ch <- prometheus.MustNewConstMetric(unheededDesc, prometheus.GaugeValue, float64(s.Waiting))
	ch <- prometheus.MustNewConstMetric(lostDesc, prometheus.GaugeValue, float64(len(s.Lost)))
}
