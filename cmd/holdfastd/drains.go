package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// drains takes sites and neighbors out of service and back. What is drained is
// kept as a negative intent in desired state and in every snapshot, so that
// restarts, rollbacks and a lost database leave it down (invariant 15).
type drains struct{ d *daemon }

var _ api.Drains = drains{}

// announced tells the second look who is out of service before the speaker
// tells the neighbors.
type announced struct {
	rollout.Applier
	look *gate.SecondLook
}

// Apply implements rollout.Applier.
func (a announced) Apply(ctx context.Context, t snapshots.Target) error {
	a.look.OutOfService(t.Drained)
	return a.Applier.Apply(ctx, t)
}

// Sites implements api.Drains, from the active snapshot: without the database
// too.
func (x drains) Sites(context.Context) ([]api.SiteStatus, error) {
	network, snap := x.d.network()
	out := make([]api.SiteStatus, 0, len(network.Sites))
	for _, site := range network.Sites {
		s := api.SiteStatus{Name: site, Routes: routesAt(snap, site)}
		for _, n := range network.Neighbors {
			if n.Site == site {
				s.Neighbors = append(s.Neighbors, n.Name)
			}
		}
		p := x.d.ways().Site(site)
		if p.Fresh {
			s.Load = &p.Load
		}
		if p.Capacity > 0 {
			s.Capacity = &p.Capacity
		}
		duty, by := network.DutyOfSite(site)
		out = append(out, dutyStatus(s, duty, by))
	}
	return out, nil
}

func dutyStatus(s api.SiteStatus, duty snapshots.Duty, by *snapshots.NegativeIntent) api.SiteStatus {
	s.State = duty.String()
	if by == nil {
		return s
	}
	s.Intent, s.By, s.Reason = by.ID, by.Author, by.Reason
	if by.DownAt != 0 {
		s.DownAt = time.Unix(by.DownAt, 0).UTC()
	}
	return s
}

// network is the network part of the active snapshot, or what the configuration
// declares before the first.
func (d *daemon) network() (snapshots.NetworkPart, *snapshots.Snapshot) {
	if snap, _ := d.pipeline.Active(); snap != nil {
		return snap.Network, snap
	}
	return d.configNow().Network(nil, nil), nil
}

func routesAt(s *snapshots.Snapshot, site string) int {
	n := 0
	if s == nil {
		return 0
	}
	for i := range s.Accounts {
		for _, r := range s.Accounts[i].Routes {
			if r.Sites.Has(site) {
				n++
			}
		}
	}
	return n
}

// Drain implements api.Drains.
func (x drains) Drain(ctx context.Context, q addressing.Request, o api.DrainOrder) (api.DrainStatus, error) {
	registry, err := x.intent()
	if err != nil {
		return api.DrainStatus{}, err
	}
	spec, out, err := x.spec(o)
	if err != nil {
		return out, err
	}
	wait := x.d.configNow().BGP.Drain.Wait
	if o.Wait != nil {
		wait = *o.Wait
	}
	if wait > 0 {
		// Whole seconds, rounded up: snapshots know no less.
		at := q.At.Add(wait + time.Second - 1).UTC().Truncate(time.Second)
		spec.DownAt, out.DownAt = &at, at
	}
	spec.AcceptBelow, spec.AcceptOver = o.AcceptBelow, o.AcceptOver
	strain := x.d.strain(spec)
	if o.DryRun {
		var below []netip.Prefix
		if again := o.Shutdown && out.Intent != "" && out.State != shutDown; !again { // else only the session is left
			below, err = registry.Short(ctx, q.At, spec)
		}
		out.Below, out.Detail = prefixTexts(below), fmt.Sprintf("would de-prefer %d routes for %s, then withdraw them%s; %s", out.Routes, wait, ends(o), strain)
		return out, err
	}
	intent, below, change, err := registry.Drain(ctx, q, spec)
	if err != nil {
		return out, err
	}
	out.Below, out.Intent, out.Change, out.By, out.Reason = prefixTexts(below), intent.ID, change, intent.Author, intent.Reason
	out.DownAt = time.Time{}
	if intent.DownAt != nil {
		out.DownAt = *intent.DownAt
	}
	out.State, out.Detail = snapshots.Draining.String(), fmt.Sprintf("%d routes are de-preferred, and leave at %s%s; %s", out.Routes, out.DownAt.Format(time.RFC3339), ends(o), strain)
	if !out.DownAt.After(q.At) {
		out.State, out.Detail = snapshots.Drained.String(), fmt.Sprintf("%d routes leave now%s; %s", out.Routes, ends(o), strain)
		if o.Shutdown {
			out.State = shutDown
		}
	}
	return out, nil
}

// shutDown is the state of a neighbor whose session is down on purpose.
const shutDown = "shut-down"

func ends(o api.DrainOrder) string {
	if o.Shutdown {
		return ", and then end the session"
	}
	return ""
}

// outOfService are the sites and neighbors that are down on purpose: nobody is to
// forget them.
func (d *daemon) outOfService() []string {
	network, _ := d.network()
	var out []string
	for i := range network.Negative {
		n := &network.Negative[i]
		what, name, lift := "site", n.Site, "site undrain"
		if n.Neighbor != "" {
			what, name, lift = "neighbor", n.Neighbor, "neighbor undrain"
		}
		state := snapshots.Drained.String()
		switch {
		case n.Draining:
			state = snapshots.Draining.String() + " until " + time.Unix(n.DownAt, 0).UTC().Format(time.RFC3339)
		case n.Shutdown:
			state = "shut down"
		}
		if n.Shutdown {
			lift = "neighbor enable"
		}
		out = append(out, fmt.Sprintf("out_of_service: %s %s is %s, since %s, by %s: %s (holdfast %s %s)", what, name, state,
			time.Unix(n.CreatedAt, 0).UTC().Format(time.RFC3339), n.Author, n.Reason, lift, name))
	}
	return out
}

// Undrain implements api.Drains.
func (x drains) Undrain(ctx context.Context, q addressing.Request, o api.DrainOrder) (api.DrainStatus, error) {
	registry, err := x.intent()
	if err != nil {
		return api.DrainStatus{}, err
	}
	spec, out, err := x.spec(o)
	if err != nil {
		return out, err
	}
	if out.Change, err = registry.Undrain(ctx, q, spec); err != nil {
		return out, err
	}
	out.State, out.Detail = snapshots.InService.String(), fmt.Sprintf("%d routes are on their way", out.Routes)
	return out, nil
}

func (x drains) intent() (*addressing.Registry, error) {
	if r := x.d.registry.Load(); r != nil {
		return r, nil
	}
	return nil, &addressing.Error{Code: addressing.CodeUnavailable, Op: "drain", Detail: "desired state cannot be used now", Next: "shut the sessions down on the routers, or wait for the database"}
}

// spec says what the order is about, in the words of desired state.
func (x drains) spec(o api.DrainOrder) (addressing.DrainSpec, api.DrainStatus, error) {
	network, snap := x.d.network()
	spec := addressing.DrainSpec{Site: o.Site, Neighbor: o.Neighbor, Shutdown: o.Shutdown, Sites: staffed(network)}
	var out api.DrainStatus
	if o.Neighbor != "" {
		i := slices.IndexFunc(network.Neighbors, func(n policy.Neighbor) bool { return n.Name == o.Neighbor })
		if i < 0 {
			return spec, out, unknown("neighbor", o.Neighbor)
		}
		n := &network.Neighbors[i]
		spec.Site, spec.Covered = n.Site, covered(network, n)
		duty, by := network.DutyOfNeighbor(o.Neighbor)
		out.SiteStatus = dutyStatus(api.SiteStatus{Name: o.Neighbor, Routes: routesAt(snap, n.Site)}, duty, by)
		if network.ShutBy(o.Neighbor) != nil {
			out.State = shutDown
		}
		return spec, out, nil
	}
	if !slices.Contains(network.Sites, o.Site) {
		return spec, out, unknown("site", o.Site)
	}
	duty, by := network.DutyOfSite(o.Site)
	out.SiteStatus = dutyStatus(api.SiteStatus{Name: o.Site, Routes: routesAt(snap, o.Site)}, duty, by)
	return spec, out, nil
}

func unknown(what, name string) error {
	return &addressing.Error{Code: addressing.CodeNotFound, Op: "drain", Field: what, Detail: "there is no " + what + " " + name, Next: "holdfast " + what + " list shows them"}
}

// staffed are the sites with a neighbor: a route cannot be anywhere else.
func staffed(network snapshots.NetworkPart) []string {
	var out []string
	for _, n := range network.Neighbors {
		if !slices.Contains(out, n.Site) {
			out = append(out, n.Site)
		}
	}
	return out
}

// covered reports whether the site has, for every family of the neighbor,
// another one that serves.
func covered(network snapshots.NetworkPart, n *policy.Neighbor) bool {
	for _, f := range n.Families {
		if !slices.ContainsFunc(network.Neighbors, func(o policy.Neighbor) bool {
			return o.Name != n.Name && o.Site == n.Site && o.Carries(f) && network.DutyOf(&o) == snapshots.InService
		}) {
			return false
		}
	}
	return true
}

func prefixTexts(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = p.String()
	}
	return out
}
