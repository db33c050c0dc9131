package rollout

import (
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Edge is the machines behind the prefixes. *edge.Fleet is one.
type Edge interface {
	// Offer tells which snapshot is on the wire and which is wanted.
	Offer(active, next *snapshots.Snapshot, at time.Time)
	// Ready says at which of a route's sites it may be advertised, and why not
	// at the others.
	Ready(account string, route netip.Prefix, services []string, at addressing.Sites, sites []string, now time.Time) (addressing.Sites, string)
	// Dark says why removals must hold; empty if they need not.
	Dark(now time.Time) string
}

// lookAtEdge is how often machines are asked about what waits for them.
const lookAtEdge = 15 * time.Second

func (r *Runner) offer(next *snapshots.Snapshot, now time.Time) {
	r.unready = 0
	if r.cfg.Edge != nil {
		r.cfg.Edge.Offer(r.Active().Snapshot, next, now)
	}
}

// atEdge holds new routes back from the sites that are not ready for them: bind,
// then advertise (invariant 1). What is advertised already is never asked about.
func (r *Runner) atEdge(d *draft, w *waiting) {
	r.offer(d.snapshot, d.plan.At)
	if r.cfg.Edge == nil || r.Active().Snapshot == nil {
		return
	}
	for i := range d.plan.Changes {
		c := &d.plan.Changes[i]
		var had addressing.Sites
		switch {
		case c.After == nil:
			continue
		case c.Kind == plan.Modify && c.Before != nil:
			if had = c.Before.Sites; had.All {
				continue
			}
		case c.Kind != plan.Advertise:
			continue
		}
		all := d.snapshot.Network.Sites
		ready, why := r.cfg.Edge.Ready(c.Account, c.CIDR, c.After.Services, c.After.Sites, all, d.plan.At)
		if why == "" {
			continue
		}
		r.unready++
		names := slices.Clone(ready.Names)
		for _, s := range had.Names { // a site that has it keeps it, if it is still wanted there
			if c.After.Sites.Has(s) {
				names = append(names, s)
			}
		}
		slices.Sort(names)
		if names = slices.Compact(names); len(names) == 0 {
			w.late(c.Account, c.CIDR)
			continue
		}
		w.narrow(c.Account, c.CIDR, addressing.Sites{Names: names})
	}
	if r.unready > 0 {
		r.log.Debug("routes wait for edge machines", "routes", r.unready)
	}
}

func (w *waiting) late(account string, p netip.Prefix) {
	if w.routes == nil {
		w.routes = map[route]bool{}
	}
	w.routes[route{account, p}] = true
}

func (w *waiting) narrow(account string, p netip.Prefix, s addressing.Sites) {
	if w.sites == nil {
		w.sites = map[route]addressing.Sites{}
	}
	w.sites[route{account, p}] = s
}
