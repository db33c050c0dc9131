package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/prometheus/client_golang/prometheus"
)

// In mode observe sessions are up and nothing is announced: the pipeline plans
// and judges, and stops there. Three things each keep routes from leaving: the
// Runner hands out no Target, onlooker refuses one, and the session guard has
// none to narrow by.

// onlooker is the speaker of a daemon that observes: it takes no Target, and
// shows of each neighbor what it would hold.
type onlooker struct {
	bgp.Speaker
	would func() (rollout.Observed, bool)
}

// Apply refuses.
func (onlooker) Apply(context.Context, snapshots.Target) error {
	return errors.New("mode is observe: nothing is announced")
}

// Neighbors implements bgp.Speaker.
func (o onlooker) Neighbors(ctx context.Context) ([]bgp.NeighborStatus, error) {
	all, err := o.Speaker.Neighbors(ctx)
	seen, known := o.would()
	if err != nil || !known {
		return all, err
	}
	for i := range all {
		counts := map[addressing.Family]int{}
		for _, r := range seen.Target.Neighbors[all[i].Name].Routes {
			counts[addressing.FamilyOf(r.Prefix)]++
		}
		all[i].Target = counts
	}
	return all, nil
}

// mode is the word of the configuration.
func (d *daemon) mode() string {
	if d.cfg.Observe {
		return "observe"
	}
	return "enforce"
}

// observing says in status that nothing is announced, and what would be.
func (d *daemon) observing() []string {
	if !d.cfg.Observe {
		return nil
	}
	seen, known := d.pipeline.Observed()
	if !known {
		return []string{"mode is observe: nothing is announced; desired state was not read yet"}
	}
	prefixes := map[string]bool{}
	for _, n := range seen.Target.Neighbors {
		for _, r := range n.Routes {
			prefixes[r.Prefix.String()] = true
		}
	}
	return []string{fmt.Sprintf("mode is observe: nothing is announced; %d prefix(es) would be, to %d neighbor(s): holdfast plan show", len(prefixes), len(seen.Target.Neighbors))}
}

var (
	observingDesc = prometheus.NewDesc("holdfast_observing", "1 while mode is observe and nothing is announced.", nil, nil)
	wouldDesc     = prometheus.NewDesc("holdfast_observed_prefixes", "In mode observe, prefixes that the neighbor would be sent.", []string{"neighbor", "family"}, nil)
)

// observeCollector tells a scrape what would be done.
type observeCollector struct{ d *daemon }

// Describe implements prometheus.Collector.
func (c observeCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- observingDesc
	ch <- wouldDesc
}

// Collect implements prometheus.Collector.
func (c observeCollector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(observingDesc, prometheus.GaugeValue, truth(c.d.cfg.Observe))
	seen, known := c.d.pipeline.Observed()
	if !known {
		return
	}
	for _, n := range c.d.configNow().BGP.Neighbors {
		counts := map[addressing.Family]int{}
		for _, r := range seen.Target.Neighbors[n.Name].Routes {
			counts[addressing.FamilyOf(r.Prefix)]++
		}
		for _, f := range n.Families {
			ch <- prometheus.MustNewConstMetric(wouldDesc, prometheus.GaugeValue, float64(counts[f]), n.Name, f.String())
		}
	}
}
