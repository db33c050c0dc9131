package snapshots

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Targeter makes one Target after another, each from the one before and what
// has changed since: what Targets gives, at a cost that follows the change, but
// for copying. Routes that did not change keep their *Attributes. The zero
// Targeter is ready. It is not safe for concurrent use.
type Targeter struct {
	last   *Snapshot
	views  map[string]*view
	routes map[string][]TargetRoute // of a view
}

// maxKept bounds the attributes that a view keeps for routes to come.
const maxKept = 1 << 16

// Targets is like the function Targets.
func (g *Targeter) Targets(s *Snapshot, epoch, generation uint64, wave int) (Target, []policy.Finding) {
	edits, known := g.edits(s)
	if !known {
		g.views, g.routes = map[string]*view{}, map[string][]TargetRoute{}
	}
	for key, routes := range g.routes {
		g.routes[key] = g.views[key].patch(routes, edits)
	}
	g.last = s
	var all []*Route
	return targets(s, epoch, generation, wave, func(v *view) []TargetRoute {
		key := v.key()
		if routes, done := g.routes[key]; done {
			return routes
		}
		if all == nil {
			all = s.sortedRoutes()
		}
		g.views[key], g.routes[key] = v, v.routes(all)
		return g.routes[key]
	})
}

// edit is a prefix whose route is another now; nil if it has none.
type edit struct {
	cidr netip.Prefix
	now  *Route
}

// edits is what to change in the tables of the last snapshot, in order. It is
// false if that would not be all: another network changes every table.
func (g *Targeter) edits(s *Snapshot) ([]edit, bool) {
	if g.last == nil || s.seal == nil || g.last.seal == nil || g.last.NetworkSum() != s.NetworkSum() {
		return nil, false
	}
	for _, v := range g.views {
		if len(v.known)+len(v.lists) > maxKept {
			return nil, false
		}
	}
	var gone, come []*Route
	a, b := g.last.Accounts, s.Accounts
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && a[i].Account < b[j].Account:
			gone = appendRoutes(gone, a[i].Routes)
			i++
		case i == len(a) || a[i].Account > b[j].Account:
			come = appendRoutes(come, b[j].Routes)
			j++
		default:
			if g.last.seal.manifest.Accounts[i].SHA256 != s.seal.manifest.Accounts[j].SHA256 {
				gone, come = appendRoutes(gone, a[i].Routes), appendRoutes(come, b[j].Routes)
			}
			i++
			j++
		}
	}
	return mergeEdits(gone, come), true
}

func appendRoutes(out []*Route, routes []Route) []*Route {
	for i := range routes {
		out = append(out, &routes[i])
	}
	return out
}

func compareRoute(a, b *Route) int { return addressing.ComparePrefix(a.CIDR, b.CIDR) }

// mergeEdits leaves out what is there before and after.
func mergeEdits(gone, come []*Route) []edit {
	slices.SortFunc(gone, compareRoute)
	slices.SortFunc(come, compareRoute)
	var out []edit
	for len(gone) > 0 || len(come) > 0 {
		c := 0
		switch {
		case len(gone) == 0:
			c = 1
		case len(come) == 0:
			c = -1
		default:
			c = compareRoute(gone[0], come[0])
		}
		switch {
		case c < 0:
			out, gone = append(out, edit{gone[0].CIDR, nil}), gone[1:]
		case c > 0:
			out, come = append(out, edit{come[0].CIDR, come[0]}), come[1:]
		default:
			if !gone[0].Equal(*come[0]) {
				out = append(out, edit{come[0].CIDR, come[0]})
			}
			gone, come = gone[1:], come[1:]
		}
	}
	return out
}

// patch is a view's table with the edits. What lies between two of them is
// copied as it is; the old table is not written to.
func (v *view) patch(routes []TargetRoute, edits []edit) []TargetRoute {
	if len(edits) == 0 {
		return routes
	}
	out := make([]TargetRoute, 0, len(routes)+len(edits))
	for _, e := range edits {
		at, found := slices.BinarySearchFunc(routes, e.cidr, func(r TargetRoute, p netip.Prefix) int { return addressing.ComparePrefix(r.Prefix, p) })
		out = append(out, routes[:at]...)
		if routes = routes[at:]; found {
			routes = routes[1:]
		}
		if e.now != nil && v.takes(e.now) {
			out = append(out, TargetRoute{Prefix: e.cidr, Attrs: v.attributes(e.now)})
		}
	}
	return append(out, routes...)
}

// takes reports whether the neighbor gets a route.
func (v *view) takes(r *Route) bool {
	return v.duty != Drained && v.carries(addressing.FamilyOf(r.CIDR)) && r.Sites.Has(v.n.Site)
}
