package api

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

func planOut(p plan.Plan, r plan.Report) Plan {
	out := Plan{Environment: p.Environment, From: string(p.From), To: string(p.To), Generation: int64(p.Generation), At: micro(p.At),
		Origin: string(p.Origin), Verdict: PlanVerdict(r.Verdict.String()), Findings: findingsOut(r.Findings),
		Admitted: append([]string{}, p.Admitted...), Actors: make([]Actor, 0, len(p.Actors)), Changes: make([]PlanChange, 0, len(p.Changes)),
		Network: make([]PlanNetworkChange, 0, len(p.Network)), Tables: map[string]PlanTable{},
		Impact: PlanImpact{Total: planCounts(p.Impact.Total), Customer: planCounts(p.Impact.Customer), Account: nestedCounts(p.Impact.Account),
			Neighbor: map[string]map[string]PlanCount{}, Bind: p.Impact.Bind, Unbind: p.Impact.Unbind}}
	for _, a := range p.Actors {
		out.Actors = append(out.Actors, actorOut(a))
	}
	for _, c := range p.Changes {
		out.Changes = append(out.Changes, PlanChange{Kind: PlanChangeKind(c.Kind), Account: c.Account, AccountKind: string(c.AccountKind),
			Cidr: c.CIDR.String(), Loses: c.Loses, Service: textOrNil(c.Service), Before: planRoute(c.Before), After: planRoute(c.After)})
	}
	for _, n := range p.Network {
		out.Network = append(out.Network, PlanNetworkChange{Kind: PlanNetworkChangeKind(n.Kind), What: n.What, Name: n.Name, Loses: n.Loses})
	}
	for name, s := range p.Simulate() {
		out.Impact.Neighbor[name] = planCounts(s.Count)
		out.Tables[name] = planTable(s)
	}
	return out
}

// maxTable is the most routes that are listed of one neighbor's table.
const maxTable = 200

// planTable lists what changes in a neighbor's simulated Adj-RIB-Out, the
// losses first.
func planTable(s plan.Simulation) PlanTable {
	left := maxTable
	list := func(prefixes []netip.Prefix, in []snapshots.TargetRoute) []NeighborRoute {
		out := []NeighborRoute{}
		for _, p := range prefixes[:min(len(prefixes), left)] {
			at, found := slices.BinarySearchFunc(in, p, func(r snapshots.TargetRoute, p netip.Prefix) int { return addressing.ComparePrefix(r.Prefix, p) })
			if found {
				out = append(out, routeOut(in[at]))
			}
		}
		left -= len(out)
		return out
	}
	out := PlanTable{Withdraw: list(s.Withdraw, s.Had), Advertise: list(s.Advertise, s.Has), Modify: list(s.Modify, s.Has)}
	out.More = len(s.Withdraw) + len(s.Advertise) + len(s.Modify) - (maxTable - left)
	return out
}

func planRollout(f rollout.Forecast) *PlanRollout {
	out := &PlanRollout{AtOnce: f.AtOnce, Queued: f.Queued, Waits: f.Waits, Waves: []RolloutWave{}, Uncovered: []string{}, Holds: textOrNil(f.Holds)}
	if out.Waits == nil {
		out.Waits = map[string]int{}
	}
	if r := f.Begins; r != nil {
		class, monitor := PlanRolloutClass(r.Class), PlanRolloutMonitor(r.Monitor)
		out.Class, out.Monitor = &class, &monitor
		out.Waves, out.Uncovered = wavesOut(r.Waves), r.Uncovered
	}
	return out
}

func planRoute(r *snapshots.Route) *PlanRoute {
	if r == nil {
		return nil
	}
	out := &PlanRoute{Origin: int64(r.Origin), Prepend: r.Prepend, Resting: string(r.Resting), Sites: siteNames(r.Sites),
		Services: append([]string{}, r.Services...), Communities: texts(r.Communities), LargeCommunities: texts(r.LargeCommunities)}
	if r.DownAt != 0 {
		out.DrainingUntil = ptr(time.Unix(r.DownAt, 0).UTC())
	}
	return out
}

func planCounts(m map[addressing.Family]plan.Count) map[string]PlanCount {
	out := make(map[string]PlanCount, len(m))
	for f, c := range m {
		out[f.String()] = PlanCount{Before: c.Before, After: c.After, Advertise: c.Advertise, Withdraw: c.Withdraw, Modify: c.Modify,
			WithdrawPercent: percentOf(c.Withdraw, c.Before), GrowthPercent: percentOf(c.Advertise, c.Before)}
	}
	return out
}

// percentOf has two decimals; something of nothing is new.
func percentOf(n, of int) string {
	switch {
	case n == 0:
		return "0.00"
	case of == 0:
		return "new"
	}
	return fmt.Sprintf("%.2f", 100*float64(n)/float64(of))
}

func nestedCounts(m map[string]map[addressing.Family]plan.Count) map[string]map[string]PlanCount {
	out := make(map[string]map[string]PlanCount, len(m))
	for key, counts := range m {
		out[key] = planCounts(counts)
	}
	return out
}
