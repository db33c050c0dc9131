package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/station"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/policy"
)

// A leak that a router's BMP session tells holds our sessions with that router,
// and nobody else's.
func TestLeakOfARouterHoldsItsSessions(t *testing.T) {
	n := newSmall(t, breaker.DefaultLimits())
	d := n.daemon
	d.cfg.BGP.Neighbors = []config.Neighbor{{Neighbor: policy.Neighbor{Name: "ams-r1-v4"}, Router: "ams-r1"}, {Neighbor: policy.Neighbor{Name: "ams-r1-v6"}, Router: "ams-r1"},
		{Neighbor: policy.Neighbor{Name: "fra-r1-v4"}, Router: "fra-r1"}}
	d.look = gate.NewSecondLook(d.log)
	go d.look.Run(t.Context(), d.breaker)
	d.leakSeen(station.Finding{Kind: station.Leak, Router: "elsewhere", Prefixes: 3, Examples: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	d.leakSeen(station.Finding{Kind: station.Leak, Router: "ams-r1", Prefixes: 3, Examples: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	open := func() map[string]bool {
		out := map[string]bool{}
		for _, s := range d.breaker.Status(time.Now()) {
			if s.State == breaker.Open {
				out[s.Scope.String()] = true
			}
		}
		return out
	}
	for end := time.Now().Add(10 * time.Second); len(open()) < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if got := open(); len(got) != 2 || !got["neighbor:ams-r1-v4"] || !got["neighbor:ams-r1-v6"] {
		t.Errorf("open: %v", got)
	}
}
