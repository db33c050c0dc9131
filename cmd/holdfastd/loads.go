package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
	"github.com/prometheus/client_golang/prometheus"
)

// loadSources learn what sites and neighbors carry, for the estimate of what is
// left after a withdrawal (BRK-07).
type loadSources struct {
	health.Loads
	push    bool
	queries []health.LoadQuery
	log     *slog.Logger
	failed  *prometheus.CounterVec // shared with the sources of health
}

func newLoads(c config.Loads, failed *prometheus.CounterVec, log *slog.Logger) *loadSources {
	return &loadSources{Loads: health.Loads{Silence: c.Silence}, push: c.Push, queries: c.Queries, log: log, failed: failed}
}

// Pushed implements api.LoadBoard.
func (l *loadSources) Pushed() bool { return l.push }

// run asks every source until ctx ends.
func (l *loadSources) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, q := range l.queries {
		all.Go(func() { l.ask(ctx, q) })
	}
	all.Wait()
}

func (l *loadSources) ask(ctx context.Context, q health.LoadQuery) {
	poll(ctx, q.Every(), true, func(ctx context.Context, at time.Time) error {
		loads, err := q.Loads(ctx, at)
		if err != nil {
			return err
		}
		return l.Add(loads)
	}, func(err error, turned bool) {
		if err != nil {
			l.failed.WithLabelValues("loads of " + q.Name()).Inc()
		}
		if turned {
			l.log.Warn("source of loads", "source", q.Name(), "silent", err != nil, "error", err)
		}
	})
}

// now answers for the present.
type now struct{ *health.Loads }

// Site implements gate.Loads.
func (n now) Site(name string) (float64, bool) { return n.Loads.Site(name, time.Now()) }

// Neighbor implements gate.Loads.
func (n now) Neighbor(name string) (float64, bool) { return n.Loads.Neighbor(name, time.Now()) }

// ways are the sites and neighbors with what they carry and can.
func (d *daemon) ways() gate.Ways {
	return gate.Ways{
		Loads: now{&d.loads.Loads},
		Sites: func() map[string]float64 { return d.configNow().BGP.Capacity },
		Neighbors: func() []gate.Way {
			var out []gate.Way
			for _, n := range d.configNow().BGP.Neighbors {
				out = append(out, gate.Way{Name: n.Name, Site: n.Site, Capacity: n.Capacity})
			}
			return out
		},
	}
}

// strain is what a drain leaves to the others, in words.
func (d *daemon) strain(spec addressing.DrainSpec) string {
	s := d.gate.Strain(&addressing.Drained{Site: spec.Site, Neighbor: spec.Neighbor})
	if limit := d.breaker.Limits().Capacity; limit > 0 && s.Load > limit {
		return s.String() + ": over the limit, refused unless the risk over-capacity is accepted"
	}
	return s.String()
}

var pathLoadDesc = prometheus.NewDesc("holdfast_path_load_ratio", "What a site or a neighbor carries of its capacity, where both are known.", []string{"path"}, nil)

// pathCollector shows how full paths are at each scrape.
type pathCollector struct{ d *daemon }

// Describe implements prometheus.Collector.
func (c pathCollector) Describe(ch chan<- *prometheus.Desc) { ch <- pathLoadDesc }

// Collect implements prometheus.Collector.
func (c pathCollector) Collect(ch chan<- prometheus.Metric) {
	ways := c.d.ways()
	show := func(p breaker.Path) {
		if p.Fresh && p.Capacity > 0 {
			ch <- prometheus.MustNewConstMetric(pathLoadDesc, prometheus.GaugeValue, p.Load/p.Capacity, p.Name)
		}
	}
	for _, site := range c.d.configNow().BGP.Sites {
		show(ways.Site(site))
	}
	for _, n := range ways.Neighbors() {
		show(ways.Neighbor(n.Name))
	}
}
