package addressing

import (
	"net/netip"
	"slices"
	"time"
)

// Effects is what a change of one prefix does to its routes: the difference of
// the routes that are effective before and after. Either side may be the zero
// PrefixDetail, for a prefix that is created or removed. minSites gives a
// service's least number of sites, 1 if unknown. The result is sorted by CIDR.
func Effects(before, after PrefixDetail, at time.Time, minSites func(service string) int) []Effect {
	was, is := effective(before, at), effective(after, at)
	var out []Effect
	for cidr, old := range was {
		now, still := is[cidr]
		switch {
		case !still:
			out = append(out, effect(Lost, before, old))
		case weakened(before, old, now, minSites):
			e := effect(Weakened, before, old)
			e.SitesLeft = sitesLeft(old.Sites, now.Sites)
			out = append(out, e)
		case modified(before, after, old, now):
			e := effect(Modified, after, now)
			e.SitesLeft = sitesLeft(old.Sites, now.Sites)
			out = append(out, e)
		}
	}
	for cidr, now := range is {
		if _, had := was[cidr]; !had {
			e := effect(Gained, after, now)
			e.Sites = now.Sites
			out = append(out, e)
		}
	}
	out = append(out, unbound(before, after)...)
	slices.SortStableFunc(out, func(a, b Effect) int { return ComparePrefix(a.CIDR, b.CIDR) })
	return out
}

func effective(d PrefixDetail, at time.Time) map[netip.Prefix]BGPPrefix {
	routes, bound, down := make(map[netip.Prefix]BGPPrefix, len(d.BGP)), d.coverage(), d.down(at)
	for _, b := range d.BGP {
		if d.wanted(b) && bound.has(b.CIDR) && !down.has(b.CIDR) {
			routes[b.CIDR] = b
		}
	}
	return routes
}

// down is what negative intents in force keep off the wire: ranges by blocks,
// single routes by all other kinds.
type down struct {
	ranges coverage
	routes map[netip.Prefix]struct{}
}

func (d PrefixDetail) down(at time.Time) down {
	out := down{ranges: coverage{}, routes: map[netip.Prefix]struct{}{}}
	for _, n := range d.Negative {
		switch {
		case !n.InForce(at) || !n.CIDR.IsValid():
		case n.Kind == IntentBlock:
			out.ranges[n.CIDR] = struct{}{}
		default:
			out.routes[n.CIDR] = struct{}{}
		}
	}
	return out
}

func (x down) has(cidr netip.Prefix) bool {
	_, one := x.routes[cidr]
	return one || x.ranges.has(cidr)
}

func effect(kind EffectKind, d PrefixDetail, b BGPPrefix) Effect {
	resting := b.Resting
	if resting == "" {
		resting = RestingAdvertised
	}
	return Effect{Kind: kind, CIDR: b.CIDR, AccountID: d.AccountID, Account: d.Account.Kind, Resting: resting, Services: d.Services(b.CIDR)}
}

// weakened: fewer sites than a service over the route asks for, or a resting
// state that would let the next withdrawal pass as no loss.
func weakened(before PrefixDetail, old, now BGPPrefix, minSites func(string) int) bool {
	if old.Resting != RestingWithdrawn && now.Resting == RestingWithdrawn {
		return true
	}
	if now.Sites.All || old.Sites.All == now.Sites.All && isSubset(old.Sites.Names, now.Sites.Names) {
		return false
	}
	need := 1
	for _, s := range before.Services(old.CIDR) {
		need = max(need, minSites(s))
	}
	return len(now.Sites.Names) < need
}

// sitesLeft are the sites that are left where some were taken away, else nil.
func sitesLeft(was, is Sites) []string {
	if is.All || !was.All && isSubset(was.Names, is.Names) {
		return nil
	}
	return is.Names
}

func modified(before, after PrefixDetail, old, now BGPPrefix) bool {
	return old.Prepend != now.Prepend || before.ASN != after.ASN || old.Resting != now.Resting ||
		old.Sites.All != now.Sites.All || !slices.Equal(old.Sites.Names, now.Sites.Names)
}

func isSubset(of, in []string) bool {
	for _, name := range of {
		if _, found := slices.BinarySearch(in, name); !found {
			return false
		}
	}
	return true
}

// unbound counts every binding that goes, whether or not its range is on the
// wire: removing bindings in bulk is what cannot be repaired by a toggle.
func unbound(before, after PrefixDetail) []Effect {
	var out []Effect
	left := make(map[string]bool, len(after.Bindings))
	for _, b := range after.Bindings {
		left[b.ID] = true
	}
	for _, b := range before.Bindings {
		if left[b.ID] {
			continue
		}
		out = append(out, Effect{Kind: Unbound, CIDR: b.CIDR, AccountID: before.AccountID, Account: before.Account.Kind,
			Resting: RestingAdvertised, Services: []string{b.ServiceID}})
	}
	return out
}
