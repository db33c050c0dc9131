package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
	"github.com/prometheus/client_golang/prometheus"
)

// healthSources ask what is configured and put the answers on the board.
type healthSources struct {
	*health.Board
	push    bool
	off     func() bool // its kill switch
	sources []health.Source
	log     *slog.Logger
	failed  *prometheus.CounterVec
}

func newHealth(c config.Health, off func() bool, log *slog.Logger) *healthSources {
	h := &healthSources{Board: health.NewBoard(c.Thresholds, c.Classes), push: c.Push, off: off, sources: c.Sources, log: log,
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_health_source_failures_total", Help: "Times a configured health source gave no answer."}, []string{"source"})}
	for class, t := range c.ByClass {
		t.Silence, t.Before = c.Thresholds.Silence, c.Thresholds.Before
		h.Use(class, t)
	}
	return h
}

// Judge implements rollout.Health. Sources that a person turned off are silent.
func (h *healthSources) Judge(q health.Question) health.Answer {
	if h.off() && h.Monitors(q.Class) {
		return health.Answer{Verdict: health.NoData, Why: "source/health is turned off"}
	}
	return h.Board.Judge(q)
}

// Harmed is Board.Harmed; sources that a person turned off say nothing.
func (h *healthSources) Harmed(since, at time.Time) []string {
	if h.off() {
		return nil
	}
	return h.Board.Harmed(since, at)
}

// Pushed implements api.HealthBoard.
func (h *healthSources) Pushed() bool { return h.push }

// run asks every source until ctx ends.
func (h *healthSources) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range h.sources {
		all.Go(func() { h.ask(ctx, s) })
	}
	all.Wait()
}

func (h *healthSources) ask(ctx context.Context, s health.Source) {
	poll(ctx, s.Every(), false, func(ctx context.Context, at time.Time) error {
		samples, err := s.Sample(ctx, at)
		if err != nil {
			return err
		}
		return h.Add(samples)
	}, func(err error, turned bool) {
		if err != nil {
			h.failed.WithLabelValues(s.Name()).Inc()
		}
		if turned {
			h.log.Warn("health source", "source", s.Name(), "silent", err != nil, "error", err)
		}
	})
}

// edgeMachines are the machines that acknowledge bindings. Their names outlive
// a restart, so that one that is down then is not forgotten.
type edgeMachines struct {
	*edge.Fleet
	off  func() bool // its kill switch
	file string
	log  *slog.Logger
}

func newEdge(s edge.Settings, file string, off func() bool, h *health.Board, moved func(), log *slog.Logger, now time.Time) *edgeMachines {
	var known []edge.Machine
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil:
		if err = json.Unmarshal(raw, &known); err == nil {
			break
		}
		fallthrough
	default:
		// Not a reason to keep the wire down; the machines register again.
		log.Error("edge machines are not known until they call", "error", err)
		known = nil
	}
	s.Alive = h.Alive
	return &edgeMachines{edge.New(s, known, now, moved), off, file, log}
}

// Ask implements api.Edge and writes a new machine down.
func (e *edgeMachines) Ask(name, site string, at time.Time) (edge.Feed, <-chan struct{}, bool, error) {
	feed, newer, fresh, err := e.Fleet.Ask(name, site, at)
	if fresh && err == nil {
		e.save()
	}
	if err == nil && e.off() {
		return edge.Feed{}, nil, false, errors.New("sink/edge-machines is turned off")
	}
	return feed, newer, fresh, err
}

// Acknowledge implements api.Edge.
func (e *edgeMachines) Acknowledge(name, site string, generation uint64, at time.Time) (edge.Machine, bool, error) {
	m, fresh, err := e.Fleet.Acknowledge(name, site, generation, at)
	if fresh && err == nil {
		e.save()
	}
	return m, fresh, err
}

func (e *edgeMachines) save() {
	all, _ := e.Machines()
	raw, err := json.Marshal(all)
	if err == nil {
		err = renameio.WriteFile(e.file, raw, 0o600)
	}
	if err != nil {
		e.log.Error("edge machine not written down", "error", err)
	}
}

// rolledOut hears of every move of a rollout. One that does harm opens the
// breaker: nobody's next removal follows it.
func (d *daemon) rolledOut(r rollout.Rollout, e rollout.Effect) {
	d.decided.add(r)
	if e != rollout.Trip {
		return
	}
	d.log.Error("a rollout did harm: what it took down is put back", "rollout", r.ID, "wave", r.Released, "why", r.Why)
	by := breaker.Actor{Kind: breaker.ActorKind(addressing.System), Key: "system/rollout"}
	if _, err := d.breaker.TripBy("breaker.health", breaker.Global, "rollout "+r.ID+" did harm: "+r.Why, by, time.Now()); err != nil {
		d.log.Error("breaker could not be opened; it holds by itself", "error", err)
	}
}

// rolloutRisks is what /v1/status says of rollouts that wait for a person and
// of edge machines that are not heard.
func (d *daemon) rolloutRisks(now time.Time) []string {
	var out []string
	for _, r := range d.pipeline.Rollouts() {
		switch {
		case r.Phase == rollout.Paused, r.Phase == rollout.Failed, r.Waiting:
			out = append(out, fmt.Sprintf("rollout_waits: rollout %s is %s after %d of %d waves: %s (holdfast rollout show %s)", r.ID, r.Phase, r.Applied, len(r.Waves), r.Why, r.ID))
		}
	}
	all, _ := d.edge.Machines()
	stale := 0
	for _, m := range all {
		if d.edge.State(m, now) != "live" {
			stale++
		}
	}
	if stale > 0 {
		out = append(out, fmt.Sprintf("edge_machines_silent: %d of %d edge machines are not heard (holdfast edge list)", stale, len(all)))
	}
	return out
}

// rolloutCollector shows rollouts, health and edge machines at each scrape.
type rolloutCollector struct{ d *daemon }

var (
	rolloutDesc     = prometheus.NewDesc("holdfast_rollouts", "Rollouts that are kept, by class and phase.", []string{"class", "phase"}, nil)
	rolloutWaitDesc = prometheus.NewDesc("holdfast_rollout_waiting", "1 while a rollout's soak is over and health has no answer.", nil, nil)
	healthDesc      = prometheus.NewDesc("holdfast_health_series", "Accounts x sites x services that report, by whether they spoke lately.", []string{"fresh"}, nil)
	machineDesc     = prometheus.NewDesc("holdfast_edge_machines", "Edge machines by site and state.", []string{"site", "state"}, nil)
	behindDesc      = prometheus.NewDesc("holdfast_edge_machines_behind", "Edge machines that have not acknowledged the newest bindings, by site.", []string{"site"}, nil)
)

// Describe implements prometheus.Collector.
func (c rolloutCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{rolloutDesc, rolloutWaitDesc, healthDesc, machineDesc, behindDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c rolloutCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	counts := map[[2]string]int{}
	waiting := false
	for _, r := range c.d.pipeline.Rollouts() {
		counts[[2]string{string(r.Class), string(r.Phase)}]++
		waiting = waiting || r.Waiting
	}
	for k, n := range counts {
		gauge(rolloutDesc, float64(n), k[0], k[1])
	}
	gauge(rolloutWaitDesc, truth(waiting))
	known, fresh := c.d.health.Count(now)
	gauge(healthDesc, float64(fresh), "true")
	gauge(healthDesc, float64(known-fresh), "false")
	all, newest := c.d.edge.Machines()
	states, behind := map[[2]string]int{}, map[string]int{}
	for _, m := range all {
		states[[2]string{m.Site, c.d.edge.State(m, now)}]++
		if behind[m.Site] += 0; m.Acked < newest {
			behind[m.Site]++
		}
	}
	for k, n := range states {
		gauge(machineDesc, float64(n), k[0], k[1])
	}
	for site, n := range behind {
		gauge(behindDesc, float64(n), site)
	}
}
