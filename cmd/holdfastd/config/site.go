package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// siteEntry is a site: what the routes of its neighbors get, and its routers,
// each of which is a neighbor for every address that it has.
type siteEntry struct {
	Name       string         `yaml:"name"`
	Group      string         `yaml:"group"` // of its routers
	Routers    []routerEntry  `yaml:"routers"`
	Transits   []transitEntry `yaml:"transits"` // behind its routers
	Attributes attributes     `yaml:",inline"`
	Capacity   string         `yaml:"capacity"`
}

// routerEntry is a router of a site. Over its IPv4 address it gets IPv4 routes,
// over its IPv6 address IPv6 routes.
type routerEntry struct {
	Name        string `yaml:"name"`
	AddressIPv4 string `yaml:"address_ipv4"`
	AddressIPv6 string `yaml:"address_ipv6"`
	Group       string `yaml:"group"`
	Session     shared `yaml:",inline"`
}

// sites are the names, sorted, and what each site hands on.
func (j *judge) sites(entries []siteEntry) ([]string, map[string]attributes) {
	if len(entries) == 0 {
		return []string{defaultSite}, nil
	}
	var out []string
	given := make(map[string]attributes, len(entries))
	for i, s := range entries {
		field := fmt.Sprintf("bgp.sites[%d].name", i)
		name := j.name(field, s.Name, "name the site")
		if slices.Contains(out, name) && name != "" {
			j.wrong(field, fmt.Sprintf("%q is used twice", name), "give each site a name of its own")
		}
		out = append(out, name)
		given[name] = s.Attributes
	}
	slices.Sort(out)
	return out, given
}

// declared is a neighbor as the file has it, with its place there.
type declared struct {
	field, address string // places
	router         string // that it is a session of; empty if it stands alone
	neighborEntry
}

// declared lists the neighbors and the routers of sites.
func (j *judge) declared(b bgpSection) []declared {
	var out []declared
	for i, n := range b.Neighbors {
		field := fmt.Sprintf("bgp.neighbors[%d]", i)
		out = append(out, declared{field, field + ".address", "", n})
	}
	for i, s := range b.Sites {
		for k, r := range s.Routers {
			out = append(out, j.router(fmt.Sprintf("bgp.sites[%d].routers[%d]", i, k), s, r)...)
		}
	}
	return out
}

func (j *judge) router(field string, s siteEntry, r routerEntry) []declared {
	if r.Session.Site != "" {
		j.wrong(field+".site", "a router belongs to the site that lists it", "leave it out")
	}
	if r.AddressIPv4 == "" && r.AddressIPv6 == "" {
		j.wrong(field, "has no address", "give address_ipv4, address_ipv6 or both")
	}
	r.Session.Site = s.Name
	text(&r.Group, s.Group)
	name := j.name(field+".name", r.Name, "name the router; its sessions are NAME-v4 and NAME-v6")
	var out []declared
	for _, one := range []struct{ key, address, suffix, family string }{
		{"address_ipv4", r.AddressIPv4, "-v4", addressing.IPv4.String()},
		{"address_ipv6", r.AddressIPv6, "-v6", addressing.IPv6.String()},
	} {
		if one.address == "" {
			continue
		}
		if a, err := netip.ParseAddr(one.address); err == nil && a.Is4() != (one.suffix == "-v4") {
			j.wrong(field+"."+one.key, fmt.Sprintf("%s is of the other family", a), "")
		}
		session := r.Session
		session.Families = []string{one.family}
		out = append(out, declared{field, field + "." + one.key, name, neighborEntry{Name: name + one.suffix, Group: r.Group, Address: one.address, Session: session}})
	}
	return out
}
