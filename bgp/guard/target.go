package guard

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// counts are routes per family.
type counts [2]int

func (c *counts) of(p netip.Prefix) *int {
	if p.Addr().Is4() {
		return &c[0]
	}
	return &c[1]
}

func (c *counts) family(f addressing.Family) int {
	if f == addressing.IPv4 {
		return c[0]
	}
	return c[1]
}

// target is a snapshots.NeighborTarget, ready to be sent. It is immutable.
type target struct {
	order   bgp.Order
	routes  []snapshots.TargetRoute // sorted
	sets    []wire.AttrSet          // of routes
	count   counts
	origins map[uint32]struct{} // every origin AS that a route names
}

// defaultLocalPref is what an iBGP route has when the Target says nothing: the
// attribute is mandatory there (RFC 4271 section 5.1.5).
const defaultLocalPref = 100

// compile makes the target of a neighbor; equal attributes become one set.
func compile(n *Neighbor, order bgp.Order, routes []snapshots.TargetRoute) (*target, error) {
	t := &target{order: order, routes: routes, sets: make([]wire.AttrSet, len(routes)), origins: map[uint32]struct{}{n.LocalASN: {}}}
	memo := map[*snapshots.Attributes]wire.AttrSet{}
	var last *snapshots.Attributes
	var set wire.AttrSet
	for i, r := range routes {
		*t.count.of(r.Prefix)++
		if r.Attrs != last || i == 0 {
			var found bool
			if set, found = memo[r.Attrs]; !found {
				var err error
				if set, err = attributesOf(n, r.Attrs); err != nil {
					return nil, fmt.Errorf("prefix %s: %w", r.Prefix, err)
				}
				memo[r.Attrs] = set
				if p := r.Attrs.ASPath; len(p) > 0 {
					t.origins[p[len(p)-1]] = struct{}{}
				}
			}
			last = r.Attrs
		}
		t.sets[i] = set
	}
	return t, nil
}

// attributesOf gives a route the attributes that the Target says, and OTC by
// the egress procedure.
func attributesOf(n *Neighbor, a *snapshots.Attributes) (wire.AttrSet, error) {
	if err := checkOrigin(n.LocalASN, a.ASPath); err != nil {
		return wire.AttrSet{}, err
	}
	w := wire.Attributes{
		Origin: wire.OriginIGP, ASPath: wire.Sequence(a.ASPath...), NextHop: a.NextHop,
		Communities: a.Communities, LargeCommunities: a.LargeCommunities,
	}
	if a.NextHop.Is6() {
		w.LinkLocal = n.LinkLocal
	}
	if a.MED != nil {
		w.MED = wire.MetricOf(*a.MED)
	}
	if n.internal() {
		w.LocalPref = wire.MetricOf(defaultLocalPref)
		if a.LocalPref != nil {
			w.LocalPref.Value = *a.LocalPref
		}
	}
	if n.external() {
		// RFC 9234 section 5, egress: the routes of a Target are our own and
		// carry no OTC before this.
		d := policy.OTCEgress(n.Role, n.LocalASN, policy.OTC{})
		if d.Verdict != policy.Allow {
			return wire.AttrSet{}, fmt.Errorf("otc: %s: %w", d.Why, bgp.ErrRoute)
		}
		w.OTC = d.OTC
	}
	set, err := w.Intern()
	if err == nil {
		err = fits(set, a.NextHop)
	}
	if err != nil {
		return set, fmt.Errorf("%w: %w", err, bgp.ErrRoute)
	}
	return set, nil
}

// fits refuses attributes that leave no room for a prefix in a message, however
// the neighbor reads AS numbers: found out on a session, it would end it.
func fits(set wire.AttrSet, nextHop netip.Addr) error {
	longest := []netip.Prefix{netip.PrefixFrom(nextHop, nextHop.BitLen())}
	for _, two := range []bool{false, true} {
		if _, _, err := (wire.Encoding{TwoOctetAS: two}).AppendAdvertise(nil, set, longest); err != nil {
			return err
		}
	}
	return nil
}

// checkOrigin keeps a Target to routes of ours: our AS, as often as wanted, then
// at most the AS of the prefix (DESIGN section 8). Anything longer was learned
// from somebody.
func checkOrigin(ours uint32, path []uint32) error {
	i := 0
	for i < len(path) && path[i] == ours {
		i++
	}
	if len(path)-i > 1 {
		return fmt.Errorf("AS path %v is not one of ours: more than one AS behind AS %d: %w", path, ours, bgp.ErrRoute)
	}
	return nil
}

// find is where p is in the routes.
func (t *target) find(p netip.Prefix) (int, bool) {
	if t == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(t.routes, p, func(r snapshots.TargetRoute, p netip.Prefix) int { return r.Prefix.Compare(p) })
}

// set is what p is to be advertised with, zero if it is not in the target.
func (t *target) set(p netip.Prefix) wire.AttrSet {
	if i, found := t.find(p); found {
		return t.sets[i]
	}
	return wire.AttrSet{}
}

// delegated reports whether the target has a route of that origin AS.
func (t *target) delegated(origin uint32) bool {
	if t == nil {
		return false
	}
	_, known := t.origins[origin]
	return known
}

// walk calls f for every prefix of two targets with its place in each, -1 where
// it is in one alone, in one pass.
func walk(before, after *target, f func(i, j int)) {
	var b, a []snapshots.TargetRoute
	if before != nil {
		b = before.routes
	}
	if after != nil {
		a = after.routes
	}
	i, j := 0, 0
	for i < len(b) && j < len(a) {
		if b[i].Prefix == a[j].Prefix {
			f(i, j)
			i, j = i+1, j+1
			continue
		}
		if b[i].Prefix.Compare(a[j].Prefix) < 0 {
			f(i, -1)
			i++
		} else {
			f(-1, j)
			j++
		}
	}
	for ; i < len(b); i++ {
		f(i, -1)
	}
	for ; j < len(a); j++ {
		f(-1, j)
	}
}

// changed calls f for every prefix in which two targets differ.
func changed(before, after *target, f func(netip.Prefix)) {
	if before == after {
		return
	}
	walk(before, after, func(i, j int) {
		switch {
		case j < 0:
			f(before.routes[i].Prefix)
		case i < 0 || before.sets[i] != after.sets[j]:
			f(after.routes[j].Prefix)
		}
	})
}

// compiler makes the targets of one Apply. Neighbors that are to hold the same
// routes in the same way share one target.
type compiler map[compiled]*target

// compiled is what a target depends on, apart from its order.
type compiled struct {
	first              *snapshots.TargetRoute
	routes             int
	external, internal bool
	role               policy.Role
	localASN           uint32
	linkLocal          netip.Addr
}

func (c compiler) target(n *Neighbor, order bgp.Order, routes []snapshots.TargetRoute) (*target, error) {
	if len(routes) == 0 {
		return compile(n, order, nil)
	}
	key := compiled{&routes[0], len(routes), n.external(), n.internal(), n.role(), n.LocalASN, n.LinkLocal}
	if t, found := c[key]; found {
		return t, nil
	}
	t, err := compile(n, order, routes)
	if err != nil {
		return nil, err
	}
	c[key] = t
	return t, nil
}
