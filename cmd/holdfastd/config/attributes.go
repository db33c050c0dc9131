package config

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// attributes are what the routes of a neighbor get. A neighbor inherits what it
// leaves out from its site, and then from its group. What stands under ipv4 or
// ipv6 is for that family alone and wins over the rest at the same place.
type attributes struct {
	NextHop          nextHops `yaml:"next_hop"`
	Communities      []string `yaml:"communities"`
	LargeCommunities []string `yaml:"large_communities"`
	MED              *uint32  `yaml:"med"`
	LocalPref        *uint32  `yaml:"local_pref"`
	Prepend          *int     `yaml:"prepend"`
	IPv4             metrics  `yaml:"ipv4"`
	IPv6             metrics  `yaml:"ipv6"`
}

type nextHops struct {
	IPv4 string `yaml:"ipv4"`
	IPv6 string `yaml:"ipv6"`
}

// metrics are the attributes of one family.
type metrics struct {
	Communities      []string `yaml:"communities"`
	LargeCommunities []string `yaml:"large_communities"`
	MED              *uint32  `yaml:"med"`
	LocalPref        *uint32  `yaml:"local_pref"`
	Prepend          *int     `yaml:"prepend"`
}

// inherit fills what a leaves out. A value for both families that a gives
// itself is nearer than one for a single family that it would inherit.
func (a attributes) inherit(from attributes) attributes {
	a.IPv4 = a.IPv4.inherit(from.IPv4.without(a))
	a.IPv6 = a.IPv6.inherit(from.IPv6.without(a))
	text(&a.NextHop.IPv4, from.NextHop.IPv4)
	text(&a.NextHop.IPv6, from.NextHop.IPv6)
	all := a.shared().inherit(from.shared())
	a.Communities, a.LargeCommunities, a.MED, a.LocalPref, a.Prepend = all.Communities, all.LargeCommunities, all.MED, all.LocalPref, all.Prepend
	return a
}

// shared is what a says for both families.
func (a attributes) shared() metrics {
	return metrics{a.Communities, a.LargeCommunities, a.MED, a.LocalPref, a.Prepend}
}

func (m metrics) inherit(from metrics) metrics {
	value(&m.MED, from.MED)
	value(&m.LocalPref, from.LocalPref)
	value(&m.Prepend, from.Prepend)
	if m.Communities == nil {
		m.Communities = from.Communities
	}
	if m.LargeCommunities == nil {
		m.LargeCommunities = from.LargeCommunities
	}
	return m
}

// without is m less what a says for both families.
func (m metrics) without(a attributes) metrics {
	if a.Communities != nil {
		m.Communities = nil
	}
	if a.LargeCommunities != nil {
		m.LargeCommunities = nil
	}
	if a.MED != nil {
		m.MED = nil
	}
	if a.LocalPref != nil {
		m.LocalPref = nil
	}
	if a.Prepend != nil {
		m.Prepend = nil
	}
	return m
}

// empty reports whether the family has no word of its own.
func (m metrics) empty() bool {
	return m.Communities == nil && m.LargeCommunities == nil && m.MED == nil && m.LocalPref == nil && m.Prepend == nil
}

// exterior is a without LOCAL_PREF: what a site says of it is for edges.
func (a attributes) exterior() attributes {
	a.LocalPref, a.IPv4.LocalPref, a.IPv6.LocalPref = nil, nil, nil
	return a
}

// attributes fills what the neighbor's routes get, the marker of edges among it.
func (j *judge) attributes(field string, a attributes, marker marker, out *Neighbor) {
	m := j.metrics(field, a.shared(), out)
	out.Standard, out.Large, out.MED, out.LocalPref, out.Prepend = m.Standard, m.Large, m.MED, m.LocalPref, m.Prepend
	out.IPv4 = j.family(field+".ipv4", addressing.IPv4, a.IPv4, a.shared(), out)
	out.IPv6 = j.family(field+".ipv6", addressing.IPv6, a.IPv6, a.shared(), out)
	if out.Kind != policy.Edge {
		return
	}
	marker.mark(&out.Standard, &out.Large)
	for _, own := range []*policy.Metrics{out.IPv4, out.IPv6} {
		if own != nil {
			marker.mark(&own.Standard, &own.Large)
		}
	}
}

// family is what one family gets if that differs; what it leaves out is the
// neighbor's.
func (j *judge) family(field string, f addressing.Family, own, all metrics, out *Neighbor) *policy.Metrics {
	if own.empty() || !out.Carries(f) {
		return nil
	}
	m := j.metrics(field, own.inherit(all), out)
	return &m
}

func (j *judge) metrics(field string, m metrics, n *Neighbor) policy.Metrics {
	out := policy.Metrics{MED: m.MED, LocalPref: m.LocalPref}
	for i, text := range m.Communities {
		c, err := policy.ParseCommunity(text)
		if err != nil {
			j.wrong(fmt.Sprintf("%s.communities[%d]", field, i), err.Error(), "")
		}
		out.Standard = append(out.Standard, c)
	}
	for i, text := range m.LargeCommunities {
		c, err := policy.ParseLargeCommunity(text)
		if err != nil {
			j.wrong(fmt.Sprintf("%s.large_communities[%d]", field, i), err.Error(), "")
		}
		out.Large = append(out.Large, c)
	}
	if m.LocalPref != nil {
		switch {
		case n.ASN != n.LocalASN:
			j.wrong(field+".local_pref", "LOCAL_PREF is not sent to eBGP neighbors (RFC 4271 section 5.1.5)", "leave it out, or use med")
		case *m.LocalPref == 0:
			j.wrong(field+".local_pref", "0 is what a drain sets (RFC 8326 section 4.1)", "use 1 or more")
		}
	}
	if m.Prepend != nil {
		out.Prepend = *m.Prepend
		if *m.Prepend < 0 || *m.Prepend > 10 {
			j.wrong(field+".prepend", "must be 0 to 10", "")
		}
		if *m.Prepend > 0 && n.ASN == n.LocalASN {
			j.wrong(field+".prepend", "has no effect on iBGP: a path with our own AS in it would be a loop", "use local_pref or med")
		}
	}
	return out
}

// marker is the community that every route to an edge carries.
type marker struct {
	standard policy.Community
	large    policy.LargeCommunity
}

// markerFunction is the function field of the default marker, ASN:9235:1.
const markerFunction = 9235

func (j *judge) marker(field, text string, asn uint32) marker {
	if text == "" {
		return marker{large: policy.LargeCommunity{Global: asn, Local1: markerFunction, Local2: 1}}
	}
	if c, err := policy.ParseLargeCommunity(text); err == nil {
		if policy.IsRoleCommunity(asn, c) {
			j.wrong(field, fmt.Sprintf("%s is one of our role communities, which never leave", text), "choose another function field")
		}
		return marker{large: c}
	}
	c, err := policy.ParseCommunity(text)
	switch {
	case err != nil:
		j.wrong(field, fmt.Sprintf("%q is no community", text), "write ASN:value or ASN:value:value")
	case c>>16 == 0xffff || c>>16 == 0:
		j.wrong(field, fmt.Sprintf("%s is in a reserved range (RFC 1997)", text), "use a community of your own AS")
	}
	return marker{standard: c}
}

// mark adds the marker to lists that it is not in.
func (m marker) mark(standard *[]policy.Community, large *[]policy.LargeCommunity) {
	if m.standard != 0 && !slices.Contains(*standard, m.standard) {
		*standard = append(*standard, m.standard)
	}
	if m.large != (policy.LargeCommunity{}) && !slices.Contains(*large, m.large) {
		*large = append(*large, m.large)
	}
}

// String is the marker as it is written.
func (m marker) String() string {
	if m.standard != 0 {
		return m.standard.String()
	}
	return m.large.String()
}
