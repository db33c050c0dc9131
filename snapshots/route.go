package snapshots

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Routes derives what is to be advertised from what is desired: approved,
// advertised or on its way out, bound and not down on purpose. It is the only place where a
// route comes into being, so that advertised implies bound by construction
// (invariant 1), and Validate runs it again over every snapshot it reads.
// The result is sorted by CIDR and never nil.
func Routes(p *AccountPart) []Route {
	down := DownBy(p.Negative)
	out := []Route{}
	for i := range p.Prefixes {
		rec := &p.Prefixes[i]
		if rec.State != addressing.Approved {
			continue
		}
		var bound bindingIndex
		for j := range rec.BGP {
			b := &rec.BGP[j]
			leaves, gone := leaving(b, down.Over(b.CIDR))
			if gone || b.Sites.Empty() {
				continue
			}
			services := bound.over(b.CIDR, rec)
			if len(services) == 0 {
				continue
			}
			out = append(out, Route{
				CIDR: b.CIDR, PrefixID: rec.ID, Origin: rec.ASN, Prepend: b.Prepend,
				Resting: b.Resting, Sites: b.Sites, Services: services, DownAt: leaves,
			})
		}
	}
	slices.SortFunc(out, func(a, b Route) int { return addressing.ComparePrefix(a.CIDR, b.CIDR) })
	return out
}

// leaving says whether a BGP prefix has no route, and else when its route
// leaves, 0 for never.
func leaving(b *BGPRecord, over []NegativeIntent) (at int64, gone bool) {
	if at = b.DownAt; b.Advertised {
		at = 0
	} else if at == 0 {
		return 0, true
	}
	for _, n := range over {
		if !n.Draining {
			return 0, true
		}
		if at == 0 || n.DownAt < at {
			at = n.DownAt
		}
	}
	return at, false
}

// bindingIndex finds the services bound over a route. A prefix with few
// bindings is searched as it is; one with many is indexed once, so that a /8
// with a binding per /24 is no quadratic matter.
type bindingIndex struct{ by map[netip.Prefix][]string }

const fewBindings = 8

// over returns the services bound to p or to something that contains it,
// sorted and distinct.
func (x *bindingIndex) over(p netip.Prefix, rec *PrefixRecord) []string {
	var out []string
	if len(rec.Bindings) <= fewBindings {
		for _, b := range rec.Bindings {
			if b.Active && within(p, b.CIDR) {
				out = append(out, b.Service)
			}
		}
	} else {
		if x.by == nil {
			x.by = make(map[netip.Prefix][]string, len(rec.Bindings))
			for _, b := range rec.Bindings {
				if b.Active {
					x.by[b.CIDR] = append(x.by[b.CIDR], b.Service)
				}
			}
		}
		for bits := p.Bits(); bits >= minBits(p); bits-- {
			out = append(out, x.by[netip.PrefixFrom(p.Addr(), bits).Masked()]...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func minBits(p netip.Prefix) int {
	if p.Addr().Is4() {
		return addressing.MinBitsIPv4
	}
	return addressing.MinBitsIPv6
}

// Equal reports whether two routes are the same in every respect.
func (r Route) Equal(o Route) bool {
	return r.SameAttributes(o) && slices.Equal(r.Services, o.Services)
}

// SameAttributes reports whether two routes look the same from outside: all
// but the services behind them.
func (r Route) SameAttributes(o Route) bool {
	return r.CIDR == o.CIDR && r.PrefixID == o.PrefixID && r.Origin == o.Origin && r.Prepend == o.Prepend && r.DownAt == o.DownAt &&
		r.Resting == o.Resting && equalSites(r.Sites, o.Sites) &&
		slices.Equal(r.Communities, o.Communities) && slices.Equal(r.LargeCommunities, o.LargeCommunities) &&
		equalValue(r.MED, o.MED) && equalValue(r.LocalPref, o.LocalPref)
}

func equalSites(a, b addressing.Sites) bool {
	return a.All == b.All && slices.Equal(a.Names, b.Names)
}

func equalValue[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
