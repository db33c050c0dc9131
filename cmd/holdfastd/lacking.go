package main

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// lacking names a neighbor at one of the sites whose session is up and that does
// not hold a route, by what the session guard saw leave; or "".
func (d *daemon) lacking(p netip.Prefix, sites addressing.Sites) string {
	snap, _ := d.pipeline.Active()
	if snap == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	all, err := d.speaker.Neighbors(ctx)
	if err != nil {
		return "the speaker"
	}
	for _, n := range all {
		if n.State != bgp.Established || !sites.Has(n.Site) || !n.Carries(addressing.FamilyOf(p)) || snap.Network.DutyOf(&n.Neighbor) == snapshots.Drained {
			continue
		}
		routes, err := d.speaker.Routes(ctx, n.Name)
		if err != nil || !slices.ContainsFunc(routes, func(r snapshots.TargetRoute) bool { return r.Prefix == p }) {
			return n.Name
		}
	}
	return ""
}
