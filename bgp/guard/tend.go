package guard

import (
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
)

// driftEvery is how often Target, engine and wire are compared.
const driftEvery = 10 * time.Second

// tend compares and repairs until the guard is closed.
func (g *Guard) tend() {
	tick := time.NewTicker(driftEvery)
	defer tick.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-tick.C:
			g.repair()
		}
	}
}

// repair finds what the engine lost or was given behind our back. It only adds
// (invariant 16): what is missing is put back, what is foreign is reported and
// stays inside, because no Target names it.
func (g *Guard) repair() {
	g.applying.Lock() // between two Applies, so that nothing is half done
	defer g.applying.Unlock()
	drift := map[string]bgp.Drift{}
	var missing []netip.Prefix
	for _, n := range g.who.Load().neighbors {
		d := n.compare()
		drift[n.Name] = d
		missing = append(missing, d.Missing...)
	}
	slices.SortFunc(missing, netip.Prefix.Compare)
	missing = slices.Compact(missing)
	for _, l := range g.legs {
		g.foreign(l, len(missing), drift)
	}
	g.mu.Lock()
	g.drift = drift
	g.mu.Unlock()
	if len(missing) == 0 {
		return
	}
	g.log.Warn("routes are missing in the routing engine; putting them back", "routes", len(missing), "first", missing[0].String())
	if err := g.cfg.RIB.Restore(g.ctx, missing); err != nil {
		g.log.Error("drift: put back", "error", err)
	}
}

// foreign notes at every neighbor of a leg what the engine offers there and no
// Target names. What another neighbor's Target names is not foreign: the engine
// offers the union to everybody. A table of the right size is not searched.
func (g *Guard) foreign(l *leg, missing int, drift map[string]bgp.Drift) {
	if !l.connected() {
		return
	}
	var foreign []netip.Prefix
	l.offers.mu.RLock()
	if l.offers.count[0]+l.offers.count[1] > g.size()-missing {
		for p := range l.offers.all {
			if !g.named(p) {
				foreign = append(foreign, p)
			}
		}
	}
	l.offers.mu.RUnlock()
	if len(foreign) == 0 {
		return
	}
	slices.SortFunc(foreign, netip.Prefix.Compare)
	for i, n := range l.neighbors() {
		if i == 0 && !slices.Equal(g.Drift(n.Name).Foreign, foreign) {
			l.log.Warn("the routing engine holds routes that no Target names; they stay inside",
				"routes", len(foreign), "first", foreign[0].String())
		}
		d := drift[n.Name]
		d.Foreign = foreign
		drift[n.Name] = d
	}
}

// size is how many prefixes the engine has to hold.
func (g *Guard) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.union
}

// Drift is what the last look, at most 10 s ago, found at a neighbor: missing
// and foreign are the engine's against the Target.
func (g *Guard) Drift(name string) bgp.Drift {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.drift[name]
}

// Missing are the prefixes of a neighbor's Target that the engine does not offer
// at this moment, sorted. They are on the wire still if they were before.
func (g *Guard) Missing(name string) []netip.Prefix {
	n := g.who.Load().byName[name]
	if n == nil {
		return nil
	}
	n.table.mu.Lock()
	defer n.table.mu.Unlock()
	return n.table.retry()
}

// compare looks at one neighbor, and makes its session try again what is not on
// the wire as it should be.
func (n *neighbor) compare() bgp.Drift {
	if !n.leg.connected() {
		return bgp.Drift{} // nothing to compare with; the wire stays as it is
	}
	n.table.mu.Lock()
	d := bgp.Drift{Missing: n.table.retry()}
	n.table.mu.Unlock()
	n.wake()
	return d
}

// named reports whether any neighbor's Target has p. Apply is not running.
func (g *Guard) named(p netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	var last *target
	for _, t := range g.targets {
		if t == last {
			continue
		}
		if _, found := t.find(p); found {
			return true
		}
		last = t
	}
	return false
}
