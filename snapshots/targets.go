package snapshots

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Targets says what every neighbor of the snapshot is to hold. It is pure.
// A family whose next hop is missing or unusable is left out with a finding,
// never sent with a wrong one.
//
// A neighbor gets the routes of its site, in the families its session carries.
// Towards eBGP the AS path is (1 + prepend) times our ASN, then the prefix's
// ASN if it differs. Towards our own ASN (iBGP) it is the prefix's ASN alone,
// or empty: a path with our ASN in it would be dropped as a loop (RFC 4271
// section 9.1.2), so prepending has no effect there. LOCAL_PREF goes to iBGP
// neighbors only (RFC 4271 section 5.1.5). MED and LOCAL_PREF of a route win
// over the neighbor's; communities are united; prepends add up.
//
// Neighbors that see the same routes share them: nothing in a Target may be
// written to.
func Targets(s *Snapshot, epoch, generation uint64, wave int) (Target, []policy.Finding) {
	return new(Targeter).Targets(s, epoch, generation, wave)
}

// targets puts a Target together from the table of each view.
func targets(s *Snapshot, epoch, generation uint64, wave int, table func(*view) []TargetRoute) (Target, []policy.Finding) {
	t := Target{Epoch: epoch, Generation: generation, Wave: wave, ID: s.ID(), Neighbors: make(map[string]NeighborTarget, len(s.Network.Neighbors))}
	mark := s.Network.mark()
	var findings []policy.Finding
	for i := range s.Network.Neighbors {
		n := &s.Network.Neighbors[i]
		v := viewOf(n, s.Network.ASN, s.Network.DutyOf(n), &mark)
		findings = append(findings, v.findings()...)
		if v.duty == Drained {
			t.Drained = append(t.Drained, n.Name)
		}
		if by := s.Network.ShutBy(n.Name); by != nil {
			if t.Shutdown == nil {
				t.Shutdown = map[string]string{}
			}
			t.Shutdown[n.Name] = by.Reason
		}
		t.Neighbors[n.Name] = NeighborTarget{Routes: table(v)}
	}
	return t, findings
}

// Total is the number of routes over all neighbors.
func (t Target) Total() int {
	n := 0
	for _, nt := range t.Neighbors {
		n += len(nt.Routes)
	}
	return n
}

// sortedRoutes is all routes in order.
func (s *Snapshot) sortedRoutes() []*Route {
	out := make([]*Route, 0, s.RouteCount())
	for i := range s.Accounts {
		for j := range s.Accounts[i].Routes {
			out = append(out, &s.Accounts[i].Routes[j])
		}
	}
	slices.SortFunc(out, func(a, b *Route) int { return addressing.ComparePrefix(a.CIDR, b.CIDR) })
	return out
}

// view is what a neighbor sees of the routes.
type view struct {
	n     *policy.Neighbor
	asn   uint32 // ours towards it
	ibgp  bool
	duty  Duty
	mark  *DrainMark
	known map[attrKey]*Attributes
	lists map[string]*Attributes // routes with communities of their own, by their encoding
}

func viewOf(n *policy.Neighbor, asn uint32, duty Duty, mark *DrainMark) *view {
	if n.LocalASN != 0 {
		asn = n.LocalASN
	}
	return &view{n: n, asn: asn, ibgp: n.ASN == asn, duty: duty, mark: mark, known: map[attrKey]*Attributes{}, lists: map[string]*Attributes{}}
}

// key is equal for neighbors that see exactly the same.
func (v *view) key() string {
	key := fmt.Sprint(v.asn, v.ibgp, v.duty, v.n.Site, v.n.Families, v.n.NextHop4, v.n.NextHop6)
	for _, f := range v.n.Families {
		m := v.n.Metrics(f)
		key += fmt.Sprint("/", m.Standard, m.Large, optional(m.MED), optional(m.LocalPref), m.Prepend)
	}
	return key
}

func (v *view) carries(f addressing.Family) bool { return v.n.Carries(f) && hasNextHop(v.n, f) }

func (v *view) findings() []policy.Finding {
	var out []policy.Finding
	for _, f := range v.n.Families {
		if !hasNextHop(v.n, f) {
			out = append(out, policy.Finding{
				Rule: "target.next-hop", Verdict: policy.Hold,
				Why:  fmt.Sprintf("neighbor %s carries %s but has no usable next hop for it: its %s routes are left out", v.n.Name, f, f),
				Next: fmt.Sprintf("set next_hop.%s of neighbor %s in the configuration", shortFamily(f), v.n.Name),
			})
		}
	}
	return out
}

func (v *view) routes(all []*Route) []TargetRoute {
	out := []TargetRoute{}
	four, six := v.carries(addressing.IPv4), v.carries(addressing.IPv6)
	if v.duty == Drained || !four && !six {
		return out
	}
	out = make([]TargetRoute, 0, len(all))
	for _, r := range all {
		if is4 := r.CIDR.Addr().Is4(); is4 && !four || !is4 && !six || !r.Sites.Has(v.n.Site) {
			continue
		}
		out = append(out, TargetRoute{Prefix: r.CIDR, Attrs: v.attributes(r)})
	}
	return out
}

// attrKey is what decides the attributes of a route towards one neighbor, if
// the route has no communities of its own.
type attrKey struct {
	four    bool
	origin  uint32
	prepend int
	med, lp int64 // -1 is unset
	leaves  bool
}

// attributes returns the shared attributes of a route towards the neighbor.
func (v *view) attributes(r *Route) *Attributes {
	k := attrKey{r.CIDR.Addr().Is4(), r.Origin, r.Prepend, optional(r.MED), optional(r.LocalPref), r.DownAt != 0}
	if len(r.Communities) == 0 && len(r.LargeCommunities) == 0 {
		a := v.known[k]
		if a == nil {
			a = v.merge(r)
			v.known[k] = a
		}
		return a
	}
	lk := listKey(k, r)
	a := v.lists[lk]
	if a == nil {
		a = v.merge(r)
		v.lists[lk] = a
	}
	return a
}

func listKey(k attrKey, r *Route) string {
	b := fmt.Append(nil, k)
	for _, c := range r.Communities {
		b = binary.BigEndian.AppendUint32(b, uint32(c))
	}
	b = append(b, '/')
	for _, c := range r.LargeCommunities {
		b = binary.BigEndian.AppendUint32(b, c.Global)
		b = binary.BigEndian.AppendUint32(b, c.Local1)
		b = binary.BigEndian.AppendUint32(b, c.Local2)
	}
	return string(b)
}

func (v *view) merge(r *Route) *Attributes {
	f := addressing.FamilyOf(r.CIDR)
	m := v.n.Metrics(f)
	a := &Attributes{ASPath: v.path(r, m.Prepend), NextHop: nextHop(v.n, f), MED: m.MED}
	if r.MED != nil {
		a.MED = r.MED
	}
	if v.ibgp {
		a.LocalPref = m.LocalPref
		if r.LocalPref != nil {
			a.LocalPref = r.LocalPref
		}
	}
	a.Communities = union(m.Standard, r.Communities, cmp.Compare[policy.Community])
	a.LargeCommunities = union(m.Large, r.LargeCommunities, compareLarge)
	if v.duty == Draining || r.DownAt != 0 {
		v.drain(a)
	}
	return a
}

// drain makes a route the last choice: the marks of a drain, and towards our own
// routers LOCAL_PREF 0 (RFC 8326 section 4.1).
func (v *view) drain(a *Attributes) {
	a.Communities = union(a.Communities, v.mark.Standard, cmp.Compare[policy.Community])
	a.LargeCommunities = union(a.LargeCommunities, v.mark.Large, compareLarge)
	if v.ibgp {
		a.LocalPref = new(uint32)
	}
}

func (v *view) path(r *Route, prepend int) []uint32 {
	path := []uint32{}
	if !v.ibgp {
		for range 1 + r.Prepend + prepend {
			path = append(path, v.asn)
		}
	}
	if r.Origin != v.asn {
		path = append(path, r.Origin)
	}
	return path
}

// union is the sorted, distinct union; nil if both are empty.
func union[T any](a, b []T, compare func(x, y T) int) []T {
	out := slices.Concat(a, b)
	slices.SortFunc(out, compare)
	out = slices.CompactFunc(out, func(x, y T) bool { return compare(x, y) == 0 })
	if len(out) == 0 {
		return nil
	}
	return out
}

func optional(v *uint32) int64 {
	if v == nil {
		return -1
	}
	return int64(*v)
}
