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
			if g.changed.Swap(false) {
				g.keep()
			}
		}
	}
}

// repair finds what the engine lost or was given behind our back. It only adds
// (invariant 16): what is missing is put back, what is foreign is reported and
// stays inside, because no Target names it.
func (g *Guard) repair() {
	g.applying.Lock() // between two Applies, so that nothing is half done
	defer g.applying.Unlock()
	var missing []netip.Prefix
	for _, n := range g.neighbors {
		d := g.compare(n)
		g.mu.Lock()
		before := g.drift[n.Name]
		g.drift[n.Name] = d
		g.mu.Unlock()
		missing = append(missing, d.Missing...)
		if len(d.Foreign) > 0 && !slices.Equal(before.Foreign, d.Foreign) {
			n.log.Warn("the routing engine holds routes that no Target names; they stay inside",
				"routes", len(d.Foreign), "first", d.Foreign[0].String())
		}
	}
	if len(missing) == 0 {
		return
	}
	slices.SortFunc(missing, netip.Prefix.Compare)
	missing = slices.Compact(missing)
	g.log.Warn("routes are missing in the routing engine; putting them back", "routes", len(missing), "first", missing[0].String())
	if err := g.cfg.RIB.Restore(g.ctx, missing); err != nil {
		g.log.Error("drift: put back", "error", err)
	}
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
	n := g.byName[name]
	if n == nil {
		return nil
	}
	n.table.mu.Lock()
	defer n.table.mu.Unlock()
	return n.table.retry()
}

// compare looks at one neighbor, and makes its session try again what is not on
// the wire as it should be.
func (g *Guard) compare(n *neighbor) bgp.Drift {
	n.leg.mu.Lock()
	connected := n.leg.conn != nil
	n.leg.mu.Unlock()
	if !connected {
		return bgp.Drift{} // nothing to compare with; the wire stays as it is
	}
	t := n.table
	t.mu.Lock()
	d := bgp.Drift{Missing: t.retry()}
	var foreign []netip.Prefix
	want := 0
	if t.target != nil {
		want = len(t.target.routes)
	}
	if t.offered[0]+t.offered[1] > want-len(d.Missing) {
		for p, e := range t.entries {
			if _, named := t.target.find(p); e.offer != 0 && !named {
				foreign = append(foreign, p)
			}
		}
	}
	t.mu.Unlock()
	n.wake()
	// What another neighbor's Target names is not foreign: the engine offers the
	// union to everybody.
	g.mu.Lock()
	for _, p := range foreign {
		if !g.named(p) {
			d.Foreign = append(d.Foreign, p)
		}
	}
	g.mu.Unlock()
	slices.SortFunc(d.Foreign, netip.Prefix.Compare)
	return d
}

func (g *Guard) named(p netip.Prefix) bool {
	for _, t := range g.targets {
		if _, found := t.find(p); found {
			return true
		}
	}
	return false
}
