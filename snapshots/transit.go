package snapshots

import (
	"cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

func compareTransit(a, b Transit) int {
	return cmp.Or(compareString(a.Site, b.Site), compareString(a.Name, b.Name))
}

func checkTransits(bad *Invalid, n *NetworkPart, sites map[string]bool) {
	for i, t := range n.Transits {
		switch {
		case !validID(t.Name):
			bad.add("transit.name", "", "", "transit %q: the name is not 1 to %d letters, digits, '-', '_' or '.'", t.Name, maxID)
		case !sites[t.Site]:
			bad.add("reference.site", "", "", "transit %s: site %q does not exist", t.Name, t.Site)
		case i > 0 && compareTransit(n.Transits[i-1], t) >= 0:
			bad.add("order.transits", "", "", "transit %s of site %s is there twice or out of order", t.Name, t.Site)
		case t.Limit.IPv4 < 0 || t.Limit.IPv6 < 0:
			bad.add("transit.max_prefix", "", "", "transit %s of site %s: max_prefix is below 0", t.Name, t.Site)
		}
	}
}

// Load is how full one table of ours is at a far end that takes so many
// prefixes and no more.
type Load struct {
	Neighbor string // or Transit, of Site
	Transit  string
	Site     string
	Family   addressing.Family
	Count    int
	Limit    int
}

// Loads are the tables whose limit is known, in order: first those of
// neighbors, then those of the transits behind a site's edges, which get what
// the edges get.
func (s *Snapshot) Loads() []Load {
	if s == nil {
		return nil
	}
	var out []Load
	for i := range s.Network.Neighbors {
		n := &s.Network.Neighbors[i]
		for _, f := range n.Families {
			if limit := n.Limit.Of(f); limit > 0 {
				out = append(out, Load{Neighbor: n.Name, Site: n.Site, Family: f, Limit: limit, Count: s.sent(n, f)})
			}
		}
	}
	for _, t := range s.Network.Transits {
		for _, f := range addressing.Families() {
			if limit := t.Limit.Of(f); limit > 0 {
				out = append(out, Load{Transit: t.Name, Site: t.Site, Family: f, Limit: limit, Count: s.passedOn(t.Site, f)})
			}
		}
	}
	return out
}

// sent is the size of a neighbor's table.
func (s *Snapshot) sent(n *policy.Neighbor, f addressing.Family) int {
	if !n.Carries(f) || !hasNextHop(n, f) || s.Network.DutyOf(n) == Drained {
		return 0
	}
	sum := 0
	for i := range s.Accounts {
		sum += s.Tally(i).At(n.Site, f)
	}
	return sum
}

// passedOn is the size of the largest table among a site's edges: they hold the
// same routes, unless one of them is drained.
func (s *Snapshot) passedOn(site string, f addressing.Family) int {
	most := 0
	for i := range s.Network.Neighbors {
		if n := &s.Network.Neighbors[i]; n.Kind == policy.Edge && n.Site == site {
			most = max(most, s.sent(n, f))
		}
	}
	return most
}
