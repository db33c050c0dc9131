package gate

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// configuration is who changes neighbors, sites and attributes.
var configuration = breaker.Actor{Kind: breaker.System, Key: addressing.Actor{Kind: addressing.System, ID: "config"}.Key()}

// network charges what a plan's change of the network takes away: a neighbor
// that goes, or is told NO_EXPORT or another next hop, loses every route that
// it holds (DESIGN section 4, Loss). No change set was admitted for that, so it
// is proposed here; an approval of exactly these prefixes lets it pass.
func (g *Gate) network(ctx context.Context, p plan.Plan, f *breaker.PlanFacts, counts breaker.Baseline) breaker.Decision {
	at := map[netip.Prefix]int{}
	var losses []breaker.Loss
	from, _ := p.Snapshots()
	for _, name := range weakened(p, from) {
		n := neighbor(from, name)
		for i := range from.Accounts {
			part := &from.Accounts[i]
			for _, r := range part.Routes {
				if !n.Carries(addressing.FamilyOf(r.CIDR)) || !r.Sites.Has(n.Site) {
					continue
				}
				j, known := at[r.CIDR]
				if !known {
					j = len(losses)
					at[r.CIDR] = j
					losses = append(losses, breaker.Loss{Prefix: r.CIDR, Account: part.Account, Customer: part.Kind != addressing.FirstParty,
						OnDemand: r.Resting == addressing.RestingWithdrawn, Services: r.Services, Cause: "network"})
				}
				losses[j].Neighbors = append(losses[j].Neighbors, name)
			}
		}
	}
	if len(losses) == 0 {
		return breaker.Decision{Verdict: breaker.Allow}
	}
	prefixes := make([]netip.Prefix, len(losses))
	for i := range losses {
		prefixes[i] = losses[i].Prefix
	}
	f.Approval = g.breaker.Covering(prefixes, p.At)
	d := g.breaker.Admit(ctx, breaker.Proposal{ID: "config-" + string(p.To), Actor: configuration, Reason: "configuration", At: p.At,
		Generation: p.Generation, Losses: losses, Approval: f.Approval}, counts)
	if d.Verdict != breaker.Allow {
		d.Findings = append(d.Findings, breaker.Finding{Rule: "breaker.network", Scope: breaker.Global, Asked: len(losses),
			Why:  fmt.Sprintf("the configuration takes %d routes away from neighbors, or spoils them there", len(losses)),
			Next: "undo it in the file, or have exactly these prefixes approved: holdfast approval request"})
	}
	return d
}

// weakened are the neighbors that lose what they hold.
func weakened(p plan.Plan, from *snapshots.Snapshot) []string {
	if from == nil {
		return nil
	}
	var names []string
	for _, c := range p.Network {
		if !c.Loses {
			continue
		}
		for _, n := range from.Network.Neighbors {
			if from.Network.DutyOf(&n) == snapshots.Drained {
				continue // it holds nothing any more
			}
			if c.What == "asn" || c.What == "neighbor" && c.Name == n.Name || c.What == "site" && c.Name == n.Site {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

func neighbor(s *snapshots.Snapshot, name string) policy.Neighbor {
	for _, n := range s.Network.Neighbors {
		if n.Name == name {
			return n
		}
	}
	return policy.Neighbor{}
}

// neighborsOf are the neighbors that hold a route which is not sent to all
// sites; nil means that all of them do.
func neighborsOf(s *snapshots.Snapshot, account string, p netip.Prefix) []string {
	part := AccountPart(s, account)
	if part == nil {
		return nil
	}
	r := RouteAt(part, p)
	if r == nil || r.Sites.All {
		return nil
	}
	var out []string
	for _, n := range s.Network.Neighbors {
		if n.Carries(addressing.FamilyOf(p)) && r.Sites.Has(n.Site) {
			out = append(out, n.Name)
		}
	}
	return out
}
