package snapshots

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Routes derives what is to be advertised from what is desired: approved,
// advertised, bound and not down on purpose. It is the only place where a
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
		var bound map[netip.Prefix][]string
		for j := range rec.BGP {
			b := &rec.BGP[j]
			if !b.Advertised || b.Sites.Empty() || len(down.Over(b.CIDR)) > 0 {
				continue
			}
			if bound == nil {
				bound = boundSet(rec.Bindings)
			}
			services := servicesOver(b.CIDR, bound)
			if len(services) == 0 {
				continue
			}
			out = append(out, Route{
				CIDR: b.CIDR, PrefixID: rec.ID, Origin: rec.ASN, Prepend: b.Prepend,
				Resting: b.Resting, Sites: b.Sites, Services: services,
			})
		}
	}
	slices.SortFunc(out, func(a, b Route) int { return addressing.ComparePrefix(a.CIDR, b.CIDR) })
	return out
}

func boundSet(bindings []Binding) map[netip.Prefix][]string {
	set := make(map[netip.Prefix][]string, len(bindings))
	for _, b := range bindings {
		if b.Active {
			set[b.CIDR] = append(set[b.CIDR], b.Service)
		}
	}
	return set
}

// servicesOver returns the services bound to p or to something that contains
// it, sorted and distinct.
func servicesOver(p netip.Prefix, bound map[netip.Prefix][]string) []string {
	var out []string
	for bits := p.Bits(); len(bound) > 0 && bits >= minBits(p); bits-- {
		out = append(out, bound[netip.PrefixFrom(p.Addr(), bits).Masked()]...)
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
	return r.CIDR == o.CIDR && r.PrefixID == o.PrefixID && r.Origin == o.Origin && r.Prepend == o.Prepend &&
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
