package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/station"
	"github.com/holdfast-bgp/holdfast/policy"
)

// BMP is where routers tell what became of our routes. The zero value is
// nowhere.
type BMP struct {
	Listen    []netip.AddrPort
	Silent    time.Duration
	MaxRoutes int // kept of one router
	Routers   []station.Router
}

type bmpSection struct {
	Listen      []string    `yaml:"listen"`
	SilentAfter string      `yaml:"silent_after"`
	MaxRoutes   *int        `yaml:"max_routes"`
	Routers     []bmpRouter `yaml:"routers"`
}

type bmpRouter struct {
	Name      string       `yaml:"name"`
	Addresses []string     `yaml:"addresses"`
	Neighbors []string     `yaml:"neighbors"`
	Speakers  []string     `yaml:"speakers"`
	Outside   bool         `yaml:"outside"`
	ASN       *uint32      `yaml:"asn"`
	Sessions  []bmpSession `yaml:"sessions"`
}

type bmpSession struct {
	Name    string  `yaml:"name"`
	Address string  `yaml:"address"`
	ASN     *uint32 `yaml:"asn"`
	Role    string  `yaml:"role"`
}

// resolveBMP judges the section; neighbors are resolved already.
func (j *judge) resolveBMP(c *Config, b bmpSection) {
	for i, s := range b.Listen {
		if ap := j.addrPort(fmt.Sprintf("bmp.listen[%d]", i), s); ap.IsValid() {
			c.BMP.Listen = append(c.BMP.Listen, ap)
		}
	}
	c.BMP.Silent = j.duration("bmp.silent_after", b.SilentAfter, station.DefaultSilent, 10*time.Second, 24*time.Hour)
	c.BMP.MaxRoutes = station.DefaultMaxRoutes
	if b.MaxRoutes != nil {
		if c.BMP.MaxRoutes = *b.MaxRoutes; *b.MaxRoutes < 1 || *b.MaxRoutes > 2_000_000 {
			j.wrong("bmp.max_routes", "must be 1 to 2000000 routes of one router", fmt.Sprintf("leave it out for %d", station.DefaultMaxRoutes))
		}
	}
	if (len(b.Listen) == 0) != (len(b.Routers) == 0) {
		j.wrong("bmp", "listen and routers need one another", "give both, or leave bmp out")
	}
	names, addresses := map[string]bool{}, map[netip.Addr]string{}
	for i, r := range b.Routers {
		field := fmt.Sprintf("bmp.routers[%d]", i)
		out := j.bmpRouter(field, r, c)
		if names[out.Name] {
			j.wrong(field+".name", fmt.Sprintf("%q is used twice", out.Name), "give each router a name of its own")
		}
		names[out.Name] = true
		for _, a := range out.Addresses {
			if other, taken := addresses[a]; taken {
				j.wrong(field+".addresses", fmt.Sprintf("%s is also an address of %s", a, other), "a router is known by the address it connects from")
			}
			addresses[a] = out.Name
		}
		c.BMP.Routers = append(c.BMP.Routers, out)
	}
	j.bmpRoles(c)
}

func (j *judge) bmpRouter(field string, r bmpRouter, c *Config) station.Router {
	out := station.Router{Name: j.name(field+".name", r.Name, "name the router, as under bgp.sites or bgp.neighbors if it is one of these"), Outside: r.Outside}
	for i, s := range r.Addresses {
		if a := j.address(fmt.Sprintf("%s.addresses[%d]", field, i), s, true); a.IsValid() {
			out.Addresses = append(out.Addresses, a)
		}
	}
	if r.Outside {
		out.ASN = j.asn(field+".asn", r.ASN)
		if len(r.Neighbors)+len(r.Speakers)+len(r.Sessions) > 0 {
			j.wrong(field, "an outside router has no neighbors, speakers or sessions here: only an edge of ours has", "leave them out, or outside")
		}
	} else {
		j.bmpEdge(field, r, c, &out)
	}
	if len(out.Addresses) == 0 {
		j.wrong(field+".addresses", "is missing", "give the addresses that the router's BMP connection comes from")
	}
	return out
}

// bmpEdge judges a router of ours: by default it is the neighbors with its name.
func (j *judge) bmpEdge(field string, r bmpRouter, c *Config, out *station.Router) {
	if r.ASN != nil {
		j.wrong(field+".asn", "is for outside routers", "leave it out, or set outside: true")
	}
	for _, n := range c.BGP.Neighbors {
		mine := n.Name == r.Name || n.Router == r.Name && r.Name != ""
		if r.Neighbors != nil {
			mine = slices.Contains(r.Neighbors, n.Name)
		}
		if !mine {
			continue
		}
		out.Neighbors, out.Site = append(out.Neighbors, n.Name), n.Site
		if r.Addresses == nil {
			out.Addresses = append(out.Addresses, n.Address)
		}
	}
	for i, name := range r.Neighbors {
		if !slices.Contains(out.Neighbors, name) {
			j.wrong(fmt.Sprintf("%s.neighbors[%d]", field, i), fmt.Sprintf("there is no neighbor %q", name), "name a neighbor of bgp.neighbors; one of a site's router is NAME-v4 or NAME-v6")
		}
	}
	if len(out.Neighbors) == 0 {
		j.wrong(field+".neighbors", fmt.Sprintf("no neighbor is called %q", r.Name), "name our sessions with this router, or set outside: true")
	}
	for i, s := range r.Speakers {
		if a := j.address(fmt.Sprintf("%s.speakers[%d]", field, i), s, true); a.IsValid() {
			out.Speakers = append(out.Speakers, a)
		}
	}
	if r.Speakers == nil {
		out.Speakers = []netip.Addr{c.BGP.RouterID}
	}
	for i, s := range r.Sessions {
		at := fmt.Sprintf("%s.sessions[%d]", field, i)
		x := station.Session{Name: j.name(at+".name", s.Name, "name the network"), Address: j.address(at+".address", s.Address, true), ASN: j.asn(at+".asn", s.ASN)}
		if err := x.Role.UnmarshalText([]byte(s.Role)); err != nil || !x.Role.Valid() {
			j.wrong(at+".role", fmt.Sprintf("%q is no role", s.Role), "give our role towards the network: customer (it is our transit), peer, provider, rs or rs-client")
		}
		if slices.ContainsFunc(out.Sessions, func(o station.Session) bool { return o.Address == x.Address || o.Name == x.Name }) {
			j.wrong(at, "has the name or address of another session of the router", "give each its own")
		}
		out.Sessions = append(out.Sessions, x)
	}
}

// bmpRoles refuses two roles towards one network: whether its routes leak would
// depend on which one is looked at.
func (j *judge) bmpRoles(c *Config) {
	seen := map[uint32]policy.Role{}
	for asn, role := range c.networks() {
		if other, known := seen[asn]; known && other != role {
			j.wrong("bmp.routers", fmt.Sprintf("AS%d is said to be two things to us: our roles are %s and %s", asn, other, role), "give one role towards a network everywhere")
		}
		seen[asn] = role
	}
}

// networks yields what other networks are to us, as the file says it, repeats
// included.
func (c *Config) networks() func(yield func(uint32, policy.Role) bool) {
	return func(yield func(uint32, policy.Role) bool) {
		for _, n := range c.BGP.Neighbors {
			if n.Kind != policy.Edge && !yield(n.ASN, n.Role) {
				return
			}
		}
		for _, r := range c.BMP.Routers {
			for _, s := range r.Sessions {
				if !yield(s.ASN, s.Role) {
					return
				}
			}
		}
	}
}

// Station is what the BMP station is told.
func (c *Config) Station() station.Config {
	out := station.Config{Listen: c.BMP.Listen, Routers: c.BMP.Routers, Silent: c.BMP.Silent, MaxRoutes: c.BMP.MaxRoutes,
		Own: []uint32{c.BGP.ASN}, Roles: map[uint32]policy.Role{}}
	for _, n := range c.BGP.Neighbors {
		out.Neighbors = append(out.Neighbors, n.Name)
		out.Own = append(out.Own, n.LocalASN)
		if n.Kind == policy.Edge {
			out.Own = append(out.Own, n.ASN)
		}
	}
	slices.Sort(out.Own)
	out.Own = slices.Compact(out.Own)
	for asn, role := range c.networks() {
		out.Roles[asn] = role
	}
	return out
}
