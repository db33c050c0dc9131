package main

import "github.com/prometheus/client_golang/prometheus"

// storeCollector tells how whole snapshots and desired state are.
type storeCollector struct{ d *daemon }

var (
	apartDesc    = prometheus.NewDesc("holdfast_snapshot_accounts_apart", "Accounts that are invalid and stay at their last-known-good.", nil, nil)
	staticDesc   = prometheus.NewDesc("holdfast_snapshot_lost", "1 while the wire is held at what the neighbors were told last, without a snapshot.", nil, nil)
	unsignedDesc = prometheus.NewDesc("holdfast_snapshot_unsigned", "1 while the signing key cannot be used and no generation can be stored.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{apartDesc, staticDesc, unsignedDesc, copiesHealedDesc, copiesBehindDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c storeCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	gauge(apartDesc, float64(len(c.d.pipeline.Apart())))
	gauge(staticDesc, truth(c.d.pipeline.Runner.Status().Static != ""))
	gauge(unsignedDesc, truth(c.d.store.Unsigned() != ""))
	collectCopies(ch, c.d.store)
}
