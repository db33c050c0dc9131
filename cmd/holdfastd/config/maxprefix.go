package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// maxPrefix is how many of our prefixes a far end takes.
type maxPrefix struct {
	IPv4 *int `yaml:"ipv4"`
	IPv6 *int `yaml:"ipv6"`
}

// transitEntry is a transit or peer of a site's own routers.
type transitEntry struct {
	Name      string     `yaml:"name"`
	MaxPrefix *maxPrefix `yaml:"max_prefix"`
}

// maxPrefix judges a limit: a family that is left out has none that is known.
func (j *judge) maxPrefix(field string, m *maxPrefix) policy.MaxPrefix {
	var out policy.MaxPrefix
	if m == nil {
		return out
	}
	if m.IPv4 == nil && m.IPv6 == nil {
		j.wrong(field, "names no limit", "give ipv4, ipv6 or both")
	}
	for _, one := range []struct {
		name string
		from *int
		to   *int
	}{{"ipv4", m.IPv4, &out.IPv4}, {"ipv6", m.IPv6, &out.IPv6}} {
		if one.from == nil {
			continue
		}
		if *one.to = *one.from; *one.from < 1 {
			j.wrong(field+"."+one.name, "must be at least 1", "leave it out where the far end has no limit")
		}
	}
	return out
}

// transits are those of all sites, sorted by site and name.
func (j *judge) transits(sites []siteEntry) []snapshots.Transit {
	var out []snapshots.Transit
	for i, s := range sites {
		names := map[string]bool{}
		for k, t := range s.Transits {
			field := fmt.Sprintf("bgp.sites[%d].transits[%d]", i, k)
			name := j.name(field+".name", t.Name, "name the transit")
			if names[name] {
				j.wrong(field+".name", fmt.Sprintf("%q is used twice", name), "give each transit of a site a name of its own")
			}
			names[name] = true
			if t.MaxPrefix == nil {
				j.wrong(field+".max_prefix", "is missing", "give the limit that the transit holds our routers to, by family")
			}
			out = append(out, snapshots.Transit{Name: name, Site: s.Name, Limit: j.maxPrefix(field+".max_prefix", t.MaxPrefix)})
		}
	}
	slices.SortFunc(out, func(a, b snapshots.Transit) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Name, b.Name))
	})
	return out
}
