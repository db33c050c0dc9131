package main

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
)

// counted is a collector of one neighbor.
type counted struct{ bgp.NeighborStatus }

func (counted) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range neighborDescs {
		ch <- d
	}
}

func (c counted) Collect(ch chan<- prometheus.Metric) { collectNeighbor(ch, c.NeighborStatus) }

// What the guard counts is in the metrics under its own name, and a neighbor
// without a tally shows its state alone.
func TestNeighborMetrics(t *testing.T) {
	n := bgp.NeighborStatus{State: bgp.Established, RemoteRole: policy.RoleProvider}
	n.Name, n.Role, n.Families = "transit-a", policy.RoleCustomer, []addressing.Family{addressing.IPv6}
	n.Advertised, n.Target = map[addressing.Family]int{addressing.IPv6: 17}, map[addressing.Family]int{addressing.IPv6: 18}
	gather := func() []*dto.MetricFamily {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(counted{n})
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return families
	}
	if got := gather(); len(got) != 7 {
		t.Errorf("%v without a tally, want its routes, its state, its roles and its survival", got)
	}
	n.Tally = &bgp.Tally{
		Families: map[addressing.Family]bgp.FamilyTally{addressing.IPv6: {
			Advertised: 1, Withdrawn: 2, HeldBack: 3, LeakBlocked: 4, Dropped: 5, Revoked: 6, Missing: 7, Foreign: 8,
		}},
		UpdatesSent: 9, UpdatesRead: 10, Malformed: map[string]uint64{"attribute-discard": 11}, Refused: 12, Ups: 13,
		Downs: map[bgp.DownCause]uint64{bgp.DownAlarm: 14}, Alarms: 15, OTC: map[string]uint64{bgp.OTCLeakIn: 16},
	}
	families := gather()
	for name, value := range map[string]float64{
		"prefixes_advertised_total": 1, "prefixes_withdrawn_total": 2, "prefixes_held_back_total": 3, "prefixes_leak_blocked_total": 4,
		"prefixes_dropped_total": 5, "prefixes_revoked_total": 6, "updates_sent_total": 9, "updates_received_total": 10,
		"updates_malformed_total": 11, "session_refused_total": 12, "session_ups_total": 13, "session_downs_total": 14,
		"session_alarms_total": 15, "otc_total": 16, "session_state": 1, "advertised_prefixes": 17, "target_prefixes": 18, "session_established": 1, "session_shutdown": 0, "session_role": 1,
	} {
		found := false
		for _, f := range families {
			if f.GetName() != "holdfast_"+name {
				continue
			}
			m := f.GetMetric()[0]
			found = m.GetCounter().GetValue() == value || m.GetGauge().GetValue() == value
		}
		if !found {
			t.Errorf("holdfast_%s is not %v in %v", name, value, families)
		}
	}
}
