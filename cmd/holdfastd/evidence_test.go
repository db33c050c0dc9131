package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// The bundle of a trip says what was lost, by whom, with which requests, what
// the neighbors held meanwhile, what was planned and which snapshot was active;
// and each account is told its own prefixes, and no other's.
func TestEvidenceOfATrip(t *testing.T) {
	n := newSmall(t, breaker.DefaultLimits())
	other, _, err := n.registry.CreateAccount(t.Context(), n.request(noon), addressing.NewAccount{Name: "other"})
	n.must(err)
	var ids []string
	for i := range 30 {
		ids = append(ids, n.prefix(fmt.Sprintf("20.1.%d.0/24", i), 64500, false))
	}
	mine := n.account
	n.account = other.ID
	ids = append(ids, n.prefix("20.2.0.0/24", 64500, false))
	n.account = mine
	n.holds(31)
	e := n.daemon.evidence
	e.sample([]bgp.NeighborStatus{{Neighbor: policy.Neighbor{Name: "transit-a"}, Advertised: map[addressing.Family]int{addressing.IPv4: 31}}}, time.Now())
	script := func(id string) error {
		q := n.request(time.Now())
		q.Actor, q.Reason = addressing.Actor{Kind: addressing.Operator, ID: "script"}, "clean up"
		_, _, err := n.registry.WithdrawPrefix(t.Context(), q, id)
		return err
	}
	n.must(script(ids[30]))
	for _, id := range ids[:30] {
		if script(id) != nil {
			break
		}
	}
	e.sample([]bgp.NeighborStatus{{Neighbor: policy.Neighbor{Name: "transit-a"}, Advertised: map[addressing.Family]int{addressing.IPv4: 21}}}, time.Now())
	e.collect(t.Context(), time.Now())
	all, err := e.read("")
	n.must(err)
	if len(all) != 1 {
		t.Fatalf("%d bundles", len(all))
	}
	x := all[0]
	if x.TripID == "" || x.Rule == "" || x.Reason == "" || x.At.IsZero() || x.By != "operator/script" || x.Key != "operator/script" || x.Generation == 0 || x.Snapshot == "" {
		t.Errorf("what, who, when: %+v", x)
	}
	if len(x.Requests) < 10 || x.Requests[0].Actor != "operator/script" || len(x.Requests[0].Items) != 1 || x.Requests[0].ID == "" {
		t.Errorf("requests: %+v", x.Requests)
	}
	if len(x.Graph) != 2 || x.Graph[0].Advertised["transit-a"] != 31 || x.Graph[1].Advertised["transit-a"] != 21 {
		t.Errorf("graph: %+v", x.Graph)
	}
	if len(x.Windows) == 0 || len(x.Actors) != 1 || x.Actors[0].Losses != 10 {
		t.Errorf("windows %+v, actors %+v", x.Windows, x.Actors)
	}
	named := 0
	for _, a := range x.Accounts {
		named += len(a.Prefixes)
		for _, p := range a.Prefixes {
			if strings.HasPrefix(p, "20.2.") != (a.Account == other.ID) || !strings.Contains(a.Notice, p) {
				t.Errorf("account %s is told of %s: %s", a.Account, p, a.Notice)
			}
		}
		if !strings.Contains(a.Notice, x.TripID) || !strings.Contains(a.Notice, "advertise them again") {
			t.Errorf("the notice: %s", a.Notice)
		}
	}
	if named != 10 || len(x.Accounts) != 2 {
		t.Errorf("%d prefixes of %d accounts are named, 10 of 2 were lost", named, len(x.Accounts))
	}
	told, err := n.daemon.notices.Told(t.Context(), other.ID)
	n.must(err)
	if len(told) != 1 || len(told[0].Prefixes) != 1 || told[0].Prefixes[0] != "20.2.0.0/24" {
		t.Errorf("the other account is told %+v", told)
	}
	// A plan that was refused is part of the next bundle.
	active, _ := n.daemon.pipeline.Active()
	network := active.Network
	network.Neighbors = slices.Clone(network.Neighbors)
	network.Neighbors[0].NextHop4 = netip.MustParseAddr("192.0.2.99")
	n.must(n.daemon.pipeline.SetNetwork(network))
	for end := time.Now().Add(10 * time.Second); n.daemon.pipeline.Status().LastRefusal == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a wrong next hop on every prefix was not refused")
		}
		// What the script took down soaks for a minute once its rollout has begun,
		// and another change of neighbors waits for that.
		for _, r := range n.daemon.pipeline.Rollouts() {
			if !r.Phase.Ended() {
				_, err := n.daemon.pipeline.Decide(t.Context(), r.ID, rollout.Abort, addressing.Actor{Kind: addressing.Operator, ID: "noc"}, "the script was wrong")
				n.must(err)
			}
		}
	}
	trip, err := n.b.Trip(breaker.Global, breaker.Open, "by hand", breaker.Actor{Kind: breaker.Operator, Key: "operator/noc"}, time.Now())
	n.must(err)
	e.collect(t.Context(), time.Now())
	one, err := e.read(trip)
	n.must(err)
	if len(one) != 1 || one[0].Plan == nil || len(one[0].Plan.Findings) == 0 || one[0].Plan.Verdict != "refuse" {
		t.Errorf("the plan: %+v", one)
	}
}
