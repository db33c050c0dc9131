package gobgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Neighbors implements bgp.Speaker. It answers from what was seen of GoBGP, at
// most a second old, and never waits for GoBGP's main loop.
func (s *Speaker) Neighbors(context.Context) ([]bgp.NeighborStatus, error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]bgp.NeighborStatus, len(s.neighbors))
	for i, n := range s.neighbors {
		se := s.sessions[i]
		out[i] = bgp.NeighborStatus{
			Neighbor: n.Neighbor, State: se.state, Since: se.since, LastError: se.lastError, RouterID: se.routerID,
			Advertised: map[addressing.Family]int{}, Target: map[addressing.Family]int{},
		}
		if se.state == bgp.Established {
			out[i].Uptime = now.Sub(se.since)
		}
		for _, f := range n.Families {
			out[i].Advertised[f] = 0
			if se.sends() {
				out[i].Advertised[f] = *s.counts[i].of(f)
			}
			out[i].Target[f] = countFamily(s.targets[i], f)
		}
	}
	return out, nil
}

// countFamily counts the routes of f. Routes are sorted by prefix, IPv4 first.
func countFamily(routes []snapshots.TargetRoute, f addressing.Family) int {
	four, _ := slices.BinarySearchFunc(routes, addressing.IPv6, func(r snapshots.TargetRoute, f addressing.Family) int {
		return int(addressing.FamilyOf(r.Prefix)) - int(f)
	})
	if f == addressing.IPv4 {
		return four
	}
	return len(routes) - four
}

// Routes implements bgp.Speaker: with import and export policy known, the
// Adj-RIB-Out of a session that sends is what GoBGP holds for the neighbor.
func (s *Speaker) Routes(_ context.Context, neighbor string) ([]snapshots.TargetRoute, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := s.byName[neighbor]
	if !known {
		return nil, fmt.Errorf("routes: neighbor %q: %w", neighbor, bgp.ErrUnknownNeighbor)
	}
	if !s.sessions[i].sends() {
		return nil, nil
	}
	if len(s.pending) == 0 {
		return slices.Clone(s.targets[i]), nil
	}
	var out []snapshots.TargetRoute
	for p, c := range s.loaded {
		if m := c.member(i); m != nil {
			out = append(out, snapshots.TargetRoute{Prefix: p, Attrs: m.attrs})
		}
	}
	slices.SortFunc(out, func(a, b snapshots.TargetRoute) int { return a.Prefix.Compare(b.Prefix) })
	return out, nil
}

// Loaded asks GoBGP which prefixes it holds, sorted, for the drift check. It
// waits for GoBGP and costs about 30 microseconds a prefix.
func (s *Speaker) Loaded(ctx context.Context) ([]netip.Prefix, error) {
	var out []netip.Prefix
	var bad error
	for _, f := range addressing.Families() {
		err := s.server.ListPath(ctx, &api.ListPathRequest{TableType: api.TableType_GLOBAL, Family: apiFamily(f)}, func(d *api.Destination) {
			p, err := netip.ParsePrefix(d.Prefix)
			if err != nil {
				bad = err
			}
			out = append(out, p)
		})
		if err != nil {
			return nil, fmt.Errorf("loaded: %s: %w", f, err)
		}
	}
	if bad != nil {
		return nil, fmt.Errorf("loaded: %w", bad)
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out, ctx.Err()
}

// Reload puts paths that somebody took out of GoBGP back in, as they were
// loaded, and reports how many. It only adds: a prefix that no Target names is
// left alone.
func (s *Speaker) Reload(ctx context.Context, prefixes []netip.Prefix) (int, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	done := 0
	for _, p := range prefixes {
		s.mu.Lock()
		c, closed := s.loaded[p], s.closed
		s.mu.Unlock()
		switch {
		case closed:
			return done, fmt.Errorf("reload: %w", bgp.ErrClosed)
		case ctx.Err() != nil:
			return done, fmt.Errorf("reload: %w", ctx.Err())
		case c == nil:
			continue
		}
		if _, err := s.server.AddPath(ctx, &api.AddPathRequest{Path: c.path(p)}); err != nil {
			return done, fmt.Errorf("reload: prefix %s: %w", p, err)
		}
		done++
	}
	return done, nil
}
