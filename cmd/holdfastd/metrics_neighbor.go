package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-bgp/holdfast/bgp"
)

// What the session guard counts. Counters begin with the process.
var (
	perFamily = []string{"neighbor", "family"}

	advertisedDesc = prometheus.NewDesc("holdfast_advertised_prefixes", "Prefixes in the Adj-RIB-Out of an established neighbor.", perFamily, nil)
	targetDesc     = prometheus.NewDesc("holdfast_target_prefixes", "Prefixes the neighbor is to hold.", perFamily, nil)
	shutdownDesc   = prometheus.NewDesc("holdfast_session_shutdown", "1 while the neighbor is shut down on purpose.", []string{"neighbor"}, nil)
	sessionDesc    = prometheus.NewDesc("holdfast_session_established", "1 while the neighbor's session is established.", []string{"neighbor"}, nil)
	survivalDesc   = prometheus.NewDesc("holdfast_neighbor_survival_seconds", "How long the neighbor keeps our routes without us, as its last session settled it.", []string{"neighbor"}, nil)

	stateDesc          = prometheus.NewDesc("holdfast_session_state", "1 for the state that the neighbor's session is in (RFC 4271 section 8.2.2).", []string{"neighbor", "state"}, nil)
	upsDesc            = prometheus.NewDesc("holdfast_session_ups_total", "Times the session came up.", []string{"neighbor"}, nil)
	downsDesc          = prometheus.NewDesc("holdfast_session_downs_total", "Times the session went down, by cause.", []string{"neighbor", "cause"}, nil)
	sessionRefusedDesc = prometheus.NewDesc("holdfast_session_refused_total", "Connections answered with a NOTIFICATION before they were a session.", []string{"neighbor"}, nil)
	alarmsDesc         = prometheus.NewDesc("holdfast_session_alarms_total", "Times our own side was broken; each is worth a look.", []string{"neighbor"}, nil)
	roleDesc           = prometheus.NewDesc("holdfast_session_role", "1; our role and the one that the neighbor sent, empty for none (RFC 9234).", []string{"neighbor", "local", "remote"}, nil)
	updatesOutDesc     = prometheus.NewDesc("holdfast_updates_sent_total", "UPDATE messages to the neighbor.", []string{"neighbor"}, nil)
	updatesInDesc      = prometheus.NewDesc("holdfast_updates_received_total", "UPDATE messages of the neighbor.", []string{"neighbor"}, nil)
	malformedDesc      = prometheus.NewDesc("holdfast_updates_malformed_total", "UPDATE messages of the neighbor that are malformed, by how RFC 7606 has them handled.", []string{"neighbor", "handling"}, nil)
	advertiseDesc      = prometheus.NewDesc("holdfast_prefixes_advertised_total", "Prefixes advertised to the neighbor, repetitions included.", perFamily, nil)
	withdrawDesc       = prometheus.NewDesc("holdfast_prefixes_withdrawn_total", "Prefixes withdrawn from the neighbor.", perFamily, nil)
	heldDesc           = prometheus.NewDesc("holdfast_prefixes_held_back_total", "Withdrawals held back because the target still names the prefix.", perFamily, nil)
	leakBlockedDesc    = prometheus.NewDesc("holdfast_prefixes_leak_blocked_total", "Prefixes stopped by the valley-free guard, OTC or the origin check.", perFamily, nil)
	droppedDesc        = prometheus.NewDesc("holdfast_prefixes_dropped_total", "Prefixes that the neighbor advertised and that were not handed on.", perFamily, nil)
	revokedDesc        = prometheus.NewDesc("holdfast_prefixes_revoked_total", "Prefixes that the neighbor withdrew.", perFamily, nil)
	driftDesc          = prometheus.NewDesc("holdfast_drift_prefixes", "Prefixes in which target and routing engine differed at the last look: missing or foreign.", []string{"neighbor", "family", "kind"}, nil)
	otcDesc            = prometheus.NewDesc("holdfast_otc_total", "Routes by result of the OTC procedures (RFC 9234 section 5).", []string{"neighbor", "result"}, nil)

	neighborDescs = []*prometheus.Desc{
		advertisedDesc, targetDesc, sessionDesc, shutdownDesc, survivalDesc, stateDesc, upsDesc, downsDesc, sessionRefusedDesc, alarmsDesc, roleDesc, updatesOutDesc, updatesInDesc, malformedDesc,
		advertiseDesc, withdrawDesc, heldDesc, leakBlockedDesc, droppedDesc, revokedDesc, driftDesc, otcDesc,
	}
)

// collectNeighbor gives what was counted at one neighbor.
func collectNeighbor(ch chan<- prometheus.Metric, n bgp.NeighborStatus) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{n.Name}, labels...)...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{n.Name}, labels...)...)
	}
	for _, f := range n.Families {
		gauge(advertisedDesc, float64(n.Advertised[f]), f.String())
		gauge(targetDesc, float64(n.Target[f]), f.String())
	}
	gauge(sessionDesc, truth(n.State == bgp.Established))
	gauge(shutdownDesc, truth(n.Shutdown))
	gauge(survivalDesc, n.Survival.Total().Seconds())
	gauge(stateDesc, 1, string(n.State))
	gauge(roleDesc, 1, n.Role.String(), n.RemoteRole.String())
	t := n.Tally
	if t == nil {
		return
	}
	counter(upsDesc, t.Ups)
	counter(sessionRefusedDesc, t.Refused)
	counter(alarmsDesc, t.Alarms)
	counter(updatesOutDesc, t.UpdatesSent)
	counter(updatesInDesc, t.UpdatesRead)
	for cause, v := range t.Downs {
		counter(downsDesc, v, string(cause))
	}
	for handling, v := range t.Malformed {
		counter(malformedDesc, v, handling)
	}
	for result, v := range t.OTC {
		counter(otcDesc, v, result)
	}
	for f, c := range t.Families {
		counter(advertiseDesc, c.Advertised, f.String())
		counter(withdrawDesc, c.Withdrawn, f.String())
		counter(heldDesc, c.HeldBack, f.String())
		counter(leakBlockedDesc, c.LeakBlocked, f.String())
		counter(droppedDesc, c.Dropped, f.String())
		counter(revokedDesc, c.Revoked, f.String())
		gauge(driftDesc, float64(c.Missing), f.String(), "missing")
		gauge(driftDesc, float64(c.Foreign), f.String(), "foreign")
	}
}
