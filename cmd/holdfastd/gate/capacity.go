package gate

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Paths says what sites and neighbors carry now, and what they can.
type Paths interface {
	Site(name string) breaker.Path
	Neighbor(name string) breaker.Path
}

// Carried gives the gate what paths carry, for the estimate of what is left
// (BRK-07). Without it no load is known.
func (g *Gate) Carried(p Paths) { g.paths = p }

// remaining is what a change leaves of what it does not take away everywhere.
func (g *Gate) remaining(c addressing.ChangeSet, snap *snapshots.Snapshot) []breaker.Remaining {
	var out []breaker.Remaining
	if c.Drains != nil && !c.Drains.OverCapacity {
		out = append(out, breaker.Remaining{Drained: DrainedName(c.Drains), Strain: g.Strain(c.Drains)})
	}
	moved, left := g.moved(c, snap)
	if moved.why == "" && len(left) > 0 {
		moved.strain = breaker.Estimate(left, moved.bits)
	} else {
		moved.strain.Unknown = moved.why
	}
	for _, e := range c.Effects {
		if len(e.SitesLeft) > 0 && (snap == nil || len(abandoned(snap, e)) > 0) {
			out = append(out, breaker.Remaining{Prefix: e.CIDR, Paths: len(e.SitesLeft), Strain: moved.strain})
		}
	}
	return out
}

// DrainedName is a site or a neighbor in words.
func DrainedName(d *addressing.Drained) string {
	if d.Neighbor != "" {
		return "neighbor " + d.Neighbor
	}
	return "site " + d.Site
}

// moving is the traffic that a change sends elsewhere.
type moving struct {
	bits   float64
	why    string // it is not known
	strain breaker.Strain
}

// moved estimates the traffic of the routes that a change takes off some sites:
// at each, as much of the site's as those routes are of all that it has. left
// are the sites that keep any of them and are in service.
func (g *Gate) moved(c addressing.ChangeSet, snap *snapshots.Snapshot) (m moving, left []breaker.Path) {
	gone, kept := map[string]int{}, map[string]bool{}
	for _, e := range c.Effects {
		if len(e.SitesLeft) == 0 || snap == nil {
			continue
		}
		for _, site := range e.SitesLeft {
			kept[site] = true
		}
		for _, site := range abandoned(snap, e) {
			gone[site]++
		}
	}
	if len(kept) == 0 {
		return m, nil
	}
	if g.paths == nil {
		m.why = "nothing says what sites carry"
		return m, nil
	}
	for site, n := range gone {
		p := g.paths.Site(site)
		if !p.Fresh {
			m.why = "nobody says what " + p.Name + " carries now"
			return m, nil
		}
		m.bits += p.Load * float64(n) / float64(max(n, g.baseline.routesAt(site)))
	}
	for _, site := range snap.Network.Sites {
		if kept[site] && serves(snap, site) {
			left = append(left, g.paths.Site(site))
		}
	}
	return m, left
}

// abandoned are the sites that an effect takes a route off which has it there now.
func abandoned(snap *snapshots.Snapshot, e addressing.Effect) []string {
	part := AccountPart(snap, e.AccountID)
	if part == nil {
		return nil
	}
	r := RouteAt(part, e.CIDR)
	if r == nil {
		return nil
	}
	var out []string
	for _, site := range snap.Network.Sites {
		if r.Sites.Has(site) && !slices.Contains(e.SitesLeft, site) && serves(snap, site) {
			out = append(out, site)
		}
	}
	return out
}

// unknownSite is a site that a change leaves a route at and that there is not.
func unknownSite(c addressing.ChangeSet, snap *snapshots.Snapshot) string {
	for _, e := range c.Effects {
		for _, site := range e.SitesLeft {
			if snap != nil && !slices.Contains(snap.Network.Sites, site) {
				return site
			}
		}
	}
	return ""
}

// serves reports whether a site has a neighbor and is not drained. What a site
// that is being drained still carries will be elsewhere soon.
func serves(snap *snapshots.Snapshot, site string) bool {
	duty, _ := snap.Network.DutyOfSite(site)
	return duty == snapshots.InService && slices.ContainsFunc(snap.Network.Neighbors, func(n policy.Neighbor) bool { return n.Site == site })
}

// Strain estimates what a drain leaves to the others: of a neighbor to those of
// its site that carry what it carries, else, and of a site, to the other sites.
func (g *Gate) Strain(d *addressing.Drained) breaker.Strain {
	snap, _ := g.baseline.active()
	switch {
	case g.paths == nil:
		return breaker.Strain{Unknown: "nothing says what sites carry"}
	case snap == nil:
		return breaker.Strain{Unknown: "nothing is advertised"}
	}
	var gone, left []breaker.Path
	if d.Neighbor != "" {
		gone, left = g.besides(snap, d)
	}
	if len(left) == 0 {
		gone, left = g.elsewhere(snap, d)
	}
	moved := 0.0
	for _, p := range gone {
		if !p.Fresh {
			return breaker.Strain{Unknown: "nobody says what " + p.Name + " carries now"}
		}
		moved += p.Load
	}
	return breaker.Estimate(left, moved)
}

// besides are a neighbor with those of its site that are being drained, and
// those that serve.
func (g *Gate) besides(snap *snapshots.Snapshot, d *addressing.Drained) (gone, left []breaker.Path) {
	drained, network := neighbor(snap, d.Neighbor), &snap.Network
	for i := range network.Neighbors {
		n := &network.Neighbors[i]
		if n.Site != d.Site || !slices.ContainsFunc(n.Families, drained.Carries) {
			continue
		}
		if n.Name == d.Neighbor || network.DutyOf(n) == snapshots.Draining {
			gone = append(gone, g.paths.Neighbor(n.Name))
		} else if network.DutyOf(n) == snapshots.InService {
			left = append(left, g.paths.Neighbor(n.Name))
		}
	}
	return gone, left
}

// elsewhere are a site with those that are being drained, and the sites that
// serve.
func (g *Gate) elsewhere(snap *snapshots.Snapshot, d *addressing.Drained) (gone, left []breaker.Path) {
	for _, site := range snap.Network.Sites {
		duty, _ := snap.Network.DutyOfSite(site)
		switch {
		case site == d.Site || duty == snapshots.Draining:
			gone = append(gone, g.paths.Site(site))
		case serves(snap, site):
			left = append(left, g.paths.Site(site))
		}
	}
	return gone, left
}

// Loads are what was said of the load of sites and neighbors.
type Loads interface {
	Site(name string) (bits float64, fresh bool)
	Neighbor(name string) (bits float64, fresh bool)
}

// Ways puts loads and capacities together. A site of which nothing is told is
// the sum of its neighbors, where each of them is.
type Ways struct {
	Loads     Loads
	Sites     func() map[string]float64 // capacities
	Neighbors func() []Way
}

// Way is a neighbor with its capacity; 0 is not told.
type Way struct {
	Name, Site string
	Capacity   float64
}

// Site implements Paths.
func (w Ways) Site(name string) breaker.Path {
	p := breaker.Path{Name: "site " + name, Capacity: w.Sites()[name]}
	p.Load, p.Fresh = w.Loads.Site(name)
	if p.Fresh && p.Capacity > 0 {
		return p
	}
	load, room, spoken, told := 0.0, 0.0, false, false
	for i, n := range w.at(name) {
		bits, ok := w.Loads.Neighbor(n.Name)
		load, room = load+bits, room+n.Capacity
		spoken, told = ok && (spoken || i == 0), n.Capacity > 0 && (told || i == 0)
	}
	if !p.Fresh && spoken {
		p.Load, p.Fresh = load, true
	}
	if p.Capacity <= 0 && told {
		p.Capacity = room
	}
	return p
}

// at are the neighbors of a site.
func (w Ways) at(site string) []Way {
	return slices.DeleteFunc(w.Neighbors(), func(n Way) bool { return n.Site != site })
}

// Neighbor implements Paths.
func (w Ways) Neighbor(name string) breaker.Path {
	p := breaker.Path{Name: "neighbor " + name}
	p.Load, p.Fresh = w.Loads.Neighbor(name)
	for _, n := range w.Neighbors() {
		if n.Name == name {
			p.Capacity = n.Capacity
		}
	}
	return p
}
