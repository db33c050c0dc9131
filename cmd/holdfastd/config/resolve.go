package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Defaults; docs/reference/configuration.md lists them.
const (
	defaultPort        = 179
	defaultHoldTime    = 90 * time.Second
	defaultRestartTime = 120 * time.Second
	defaultStaleTime   = 24 * time.Hour
	defaultPerSecond   = 200
	defaultBurst       = 400
	defaultSite        = "default"
	defaultMaxPrefixes = 1000
	maxSocketPath      = 107 // sun_path of a Unix socket, without its NUL
)

var accountShape = regexp.MustCompile(`^[0-9a-f]{32}$`)

var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// resolve turns the document into a Config, recording every problem.
func (j *judge) resolve(d document) *Config {
	c := &Config{File: j.file}
	c.Environment = j.name("environment", d.Environment, "name the environment, e.g. production; there is no default, so that two never mix")
	switch d.Mode {
	case "", "enforce":
	case "observe":
		c.Observe = true
	default:
		j.wrong("mode", fmt.Sprintf("%q is no mode", d.Mode), "use enforce or observe")
	}
	c.DataDir = j.path("data_dir", d.DataDir, true)
	j.resolveAPI(c, d.API)
	c.AdminSocket = j.socket(d.Admin.Socket)
	c.Metrics = j.listen("metrics.listen", d.Metrics.Listen)
	j.resolveBreaker(c, d.Breaker)
	c.LogLevel = j.level(d.Log.Level)
	j.resolveSources(c, d.RPKI, d.IRR)
	j.resolveCleanup(c, d.Cleanup)
	j.resolveBGP(c, d.BGP)
	j.resolveBMP(c, d.BMP)
	j.resolveRollout(c, d)
	return c
}

func (j *judge) socket(s string) string {
	path := j.path("admin.socket", s, true)
	if len(path) > maxSocketPath {
		j.wrong("admin.socket", fmt.Sprintf("the path is %d bytes, a Unix socket takes %d", len(path), maxSocketPath), "use a shorter path")
	}
	return path
}

func (j *judge) resolveAPI(c *Config, a apiSection) {
	c.API = API{
		Listen:              j.listen("api.listen", a.Listen),
		RequestsPerSecond:   defaultPerSecond,
		Burst:               defaultBurst,
		AllowSpecialPurpose: a.SpecialRanges,
	}
	if a.TLS != nil {
		c.API.CertFile = j.path("api.tls.certificate_file", a.TLS.Certificate, true)
		c.API.KeyFile = j.path("api.tls.key_file", a.TLS.Key, true)
	}
	if r := a.RateLimit.PerSecond; r != nil {
		c.API.RequestsPerSecond = *r
		if *r <= 0 {
			j.wrong("api.rate_limit.requests_per_second", "must be above 0", "leave it out for 200")
		}
	}
	if b := a.RateLimit.Burst; b != nil {
		c.API.Burst = *b
		if *b < 1 {
			j.wrong("api.rate_limit.burst", "must be at least 1", "leave it out for 400")
		}
	}
}

func (j *judge) level(s string) slog.Level {
	var l slog.Level
	if s == "" {
		return slog.LevelInfo
	}
	if err := l.UnmarshalText([]byte(s)); err != nil {
		j.wrong("log.level", fmt.Sprintf("%q is no level", s), "use debug, info, warn or error")
	}
	return l
}

func (j *judge) resolveBGP(c *Config, b bgpSection) {
	c.BGP.ASN = j.asn("bgp.asn", b.ASN)
	c.BGP.RouterID = j.address("bgp.router_id", b.RouterID, true)
	if c.BGP.RouterID.IsValid() && (!c.BGP.RouterID.Is4() || c.BGP.RouterID.IsUnspecified()) {
		j.wrong("bgp.router_id", "must be an IPv4 address other than 0.0.0.0 (RFC 6286)", "use an address of this machine")
	}
	for i, s := range b.Listen {
		if ap := j.addrPort(fmt.Sprintf("bgp.listen[%d]", i), s); ap.IsValid() {
			c.BGP.Listen = append(c.BGP.Listen, ap)
		}
	}
	if b.Confederation != nil {
		j.wrong("bgp.confederation", noConfederation, nextConfederation)
	}
	c.BGP.Drain = j.drain("bgp.drain", b.Drain)
	d := declarations{groups: j.groups(b.Groups), marker: j.marker("bgp.edge_marker", b.EdgeMarker, c.BGP.ASN)}
	c.BGP.EdgeMarker = d.marker.String()
	c.BGP.Sites, d.sites = j.sites(b.Sites)
	c.BGP.Transits = j.transits(b.Sites)
	c.BGP.Capacity = j.capacities(b.Sites)
	names, addresses := map[string]bool{}, map[netip.Addr]string{}
	for _, n := range j.declared(b) {
		resolved := j.neighbor(n, c, d)
		if names[resolved.Name] && resolved.Name != "" {
			j.wrong(n.field+".name", fmt.Sprintf("%q is used twice", resolved.Name), "give each neighbor a name of its own")
		}
		names[resolved.Name] = true
		if other, taken := addresses[resolved.Address]; taken && resolved.Address.IsValid() {
			j.wrong(n.address, fmt.Sprintf("%s is also the address of %s", resolved.Address, other), "a neighbor is known by its address: use another")
		}
		addresses[resolved.Address] = resolved.Name
		c.BGP.Neighbors = append(c.BGP.Neighbors, resolved)
	}
	slices.SortFunc(c.BGP.Neighbors, func(a, b Neighbor) int { return strings.Compare(a.Name, b.Name) })
	if slices.ContainsFunc(c.BGP.Neighbors, func(n Neighbor) bool { return n.Kind == policy.EBGP && !n.StrictRole }) {
		j.notice("bgp.neighbors", "without strict_role a neighbor that sends no role is let in (RFC 9234 section 4.2, loose mode)")
	}
}

func (j *judge) groups(entries []groupEntry) map[string]shared {
	out := make(map[string]shared, len(entries))
	for i, g := range entries {
		field := fmt.Sprintf("bgp.groups[%d].name", i)
		name := j.name(field, g.Name, "name the group")
		if _, taken := out[name]; taken {
			j.wrong(field, fmt.Sprintf("%q is used twice", name), "give each group a name of its own")
		}
		out[name] = g.Session
	}
	return out
}

// declarations are what neighbors refer to.
type declarations struct {
	groups map[string]shared
	sites  map[string]attributes
	marker marker
}

const (
	noConfederation   = "BGP confederations (RFC 5065) are not supported: what Holdfast sends has no confederation segments"
	nextConfederation = "make it a neighbor of the member AS: set local_as to that AS, or peer with a route reflector"
)

func (j *judge) neighbor(n declared, c *Config, d declarations) Neighbor {
	field, s := n.field, n.Session
	var g shared
	if n.Group != "" {
		var known bool
		if g, known = d.groups[n.Group]; !known {
			j.wrong(field+".group", fmt.Sprintf("there is no group %q", n.Group), "declare it under bgp.groups")
		}
	}
	// Nearest first: the neighbor, its site, its group.
	own := s.Attributes
	s = s.inherit(g)
	site := j.site(field, s.Site, c.BGP.Sites)
	kind := j.kind(field, s.Kind)
	from := d.sites[site]
	if kind != policy.Edge {
		from = from.exterior()
	}
	s.Attributes = own.inherit(from).inherit(g.Attributes)
	out := Neighbor{Router: n.router, Neighbor: policy.Neighbor{
		Name:     j.name(field+".name", n.Name, "name the neighbor"),
		Kind:     kind,
		Site:     site,
		Group:    n.Group,
		Class:    s.Class,
		Address:  j.address(n.address, n.Address, true),
		ASN:      j.remoteASN(field, s, kind, c.BGP.ASN),
		LocalASN: c.BGP.ASN,
		Families: j.families(field, s.Families),
	}}
	if s.LocalAS != nil {
		out.LocalASN = j.asn(field+".local_as", s.LocalAS)
	}
	if s.Confederation != nil {
		j.wrong(field+".confederation", noConfederation, nextConfederation)
	}
	j.session(field, s, &out)
	j.role(field, s, &out)
	j.receive(field, s, &out)
	j.nextHops(field, s.Attributes, &out)
	j.attributes(field, s.Attributes, d.marker, &out)
	j.transport(field, s, &out)
	out.Limit = j.maxPrefix(field+".max_prefix", s.MaxPrefix)
	out.Capacity = j.bits(field+".capacity", s.Capacity)
	return out
}

func (j *judge) kind(field, s string) policy.NeighborKind {
	switch policy.NeighborKind(s) {
	case "", policy.EBGP:
	case policy.Edge:
		return policy.Edge
	default:
		j.wrong(field+".kind", fmt.Sprintf("%q is no kind", s), "use ebgp, or edge for a router or route reflector of your own")
	}
	return policy.EBGP
}

// remoteASN is ours for an edge that gives none: iBGP.
func (j *judge) remoteASN(field string, s shared, kind policy.NeighborKind, ours uint32) uint32 {
	if s.ASN == nil && kind == policy.Edge {
		if s.LocalAS != nil {
			return *s.LocalAS
		}
		return ours
	}
	return j.asn(field+".asn", s.ASN)
}

// session judges iBGP against eBGP.
func (j *judge) session(field string, s shared, out *Neighbor) {
	internal := out.ASN == out.LocalASN && out.ASN != 0
	if internal && out.Kind != policy.Edge {
		j.wrong(field+".asn", "is our own: only an edge may be an iBGP neighbor", "set kind: edge, or give the neighbor's own AS")
	}
	if s.Reflector == nil || !*s.Reflector {
		return
	}
	out.Reflector = true
	if !internal || out.Kind != policy.Edge {
		j.wrong(field+".reflector", "a route reflector is an iBGP neighbor of kind edge (RFC 4456)", "leave it out, or set kind: edge and leave asn out")
	}
}

func (j *judge) site(field, s string, sites []string) string {
	switch {
	case s == "" && len(sites) == 1:
		return sites[0]
	case s == "":
		j.wrong(field+".site", "is missing and there are several sites", "name one of "+strings.Join(sites, ", "))
	case !slices.Contains(sites, s):
		j.wrong(field+".site", fmt.Sprintf("there is no site %q", s), "declare it under bgp.sites")
	}
	return s
}

// receive judges who may send us routes: nobody, or a customer that signals
// the prefixes of its account (ADR-08).
func (j *judge) receive(field string, s shared, out *Neighbor) {
	out.Receive = policy.ReceiveNone
	switch policy.Receive(s.Receive) {
	case "", policy.ReceiveNone:
		if s.Account != "" || s.MaxPrefixes != nil {
			j.wrong(field+".account", "is given, and nothing is received from the neighbor", "set receive: control, or leave account and max_prefixes_in out")
		}
		return
	case policy.ReceiveControl:
	default:
		j.wrong(field+".receive", fmt.Sprintf("%q is not known", s.Receive), "use none, the default, or control: the customer signals its prefixes by announcing them")
		return
	}
	out.Receive, out.Account, out.MaxPrefixes = policy.ReceiveControl, s.Account, defaultMaxPrefixes
	if out.Kind == policy.Edge || out.Role != policy.RoleProvider {
		j.wrong(field+".receive", "control is for a customer's own session", "set kind: ebgp and role: provider, or leave receive out")
	}
	if !accountShape.MatchString(s.Account) {
		j.wrong(field+".account", fmt.Sprintf("%q is no account id", s.Account), "give the id of the account whose prefixes the neighbor signals (holdfast account list)")
	}
	if s.MaxPrefixes != nil {
		if out.MaxPrefixes = *s.MaxPrefixes; *s.MaxPrefixes < 1 {
			j.wrong(field+".max_prefixes_in", "must be at least 1", fmt.Sprintf("leave it out for %d", defaultMaxPrefixes))
		}
	}
}

func (j *judge) role(field string, s shared, out *Neighbor) {
	if out.Kind == policy.Edge {
		if s.Role != "" || s.StrictRole != nil {
			j.wrong(field+".role", "an edge is a router of ours: it has no role (RFC 9234 is for eBGP between networks)", "leave role and strict_role out, or kind: edge")
		}
		return
	}
	if s.Role == "" {
		j.wrong(field+".role", "is missing", "give our role towards the neighbor: customer (it is our transit), peer, provider, rs or rs-client")
	} else if err := out.Role.UnmarshalText([]byte(s.Role)); err != nil {
		j.wrong(field+".role", err.Error(), "")
	}
	if s.StrictRole != nil {
		out.StrictRole = *s.StrictRole
	}
}

func (j *judge) families(field string, names []string) []addressing.Family {
	if len(names) == 0 {
		j.wrong(field+".families", "is missing or empty", "list ipv4-unicast, ipv6-unicast or both")
	}
	var out []addressing.Family
	for i, s := range names {
		var f addressing.Family
		at := fmt.Sprintf("%s.families[%d]", field, i)
		if err := f.UnmarshalText([]byte(s)); err != nil {
			j.wrong(at, err.Error(), "")
		} else if slices.Contains(out, f) {
			j.wrong(at, fmt.Sprintf("%s is listed twice", f), "list each family once")
		}
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// nextHops demands one per family: a route without a next hop of its family
// could only be sent with a wrong one.
func (j *judge) nextHops(field string, s attributes, out *Neighbor) {
	out.NextHop4 = j.address(field+".next_hop.ipv4", s.NextHop.IPv4, out.Carries(addressing.IPv4))
	out.NextHop6 = j.address(field+".next_hop.ipv6", s.NextHop.IPv6, out.Carries(addressing.IPv6))
	if out.NextHop4.IsValid() && !out.NextHop4.Is4() {
		j.wrong(field+".next_hop.ipv4", fmt.Sprintf("%s is not an IPv4 address", out.NextHop4), "")
	}
	if out.NextHop6.IsValid() && !(out.NextHop6.Is6() && !out.NextHop6.Is4In6()) {
		j.wrong(field+".next_hop.ipv6", fmt.Sprintf("%s is not an IPv6 address", out.NextHop6), "")
	}
}

func (j *judge) transport(field string, s shared, out *Neighbor) {
	out.Port = defaultPort
	if s.Port != nil {
		if *s.Port < 1 || *s.Port > 65535 {
			j.wrong(field+".port", fmt.Sprintf("%d is no TCP port", *s.Port), "use 1 to 65535, 179 if left out")
		}
		out.Port = uint16(*s.Port)
	}
	out.LocalAddress = j.address(field+".local_address", s.LocalAddress, false)
	out.MD5File = j.path(field+".md5_file", s.MD5File, false)
	out.TTLSecurity = s.TTLSecurity != nil && *s.TTLSecurity
	out.Passive = s.Passive != nil && *s.Passive
	if s.Multihop != nil {
		out.Multihop = *s.Multihop
		if *s.Multihop < 1 || *s.Multihop > 255 {
			j.wrong(field+".multihop", "must be 1 to 255 hops", "leave it out for a directly connected neighbor")
		}
		if out.TTLSecurity {
			j.wrong(field+".multihop", "excludes ttl_security (RFC 5082)", "keep one of the two")
		}
	}
	out.HoldTime = j.duration(field+".hold_time", s.HoldTime, defaultHoldTime, 3*time.Second, 65535*time.Second)
	out.GracefulRestart, out.RestartTime, out.StaleTime = true, defaultRestartTime, defaultStaleTime
	if g := s.GracefulRestart; g != nil {
		out.GracefulRestart = g.Enabled == nil || *g.Enabled
		// RFC 4724 section 3: the restart time has 12 bits.
		out.RestartTime = j.duration(field+".graceful_restart.restart_time", g.RestartTime, defaultRestartTime, time.Second, 4095*time.Second)
		// RFC 9494 section 3: the stale time has 24 bits; 0 offers none.
		out.StaleTime = j.duration(field+".graceful_restart.stale_time", g.StaleTime, defaultStaleTime, 0, (1<<24-1)*time.Second)
	}
}

func (j *judge) name(field, s, next string) string {
	if s == "" {
		j.wrong(field, "is missing", next)
	} else if !nameShape.MatchString(s) {
		j.wrong(field, fmt.Sprintf("%q is no name", s), "use lower-case letters, digits, dot, dash and underscore, 63 at most, beginning with a letter or digit")
	}
	return s
}

func (j *judge) path(field, s string, required bool) string {
	switch {
	case s == "" && required:
		j.wrong(field, "is missing", "give a path; a relative one starts at the configuration file")
		return ""
	case s == "" || filepath.IsAbs(s):
		return s
	}
	return filepath.Join(j.base, s)
}

func (j *judge) listen(field, s string) string {
	if s == "" {
		j.wrong(field, "is missing", "give address:port, e.g. 127.0.0.1:8080")
		return ""
	}
	if ap := j.addrPort(field, s); ap.IsValid() {
		return net.JoinHostPort(ap.Addr().String(), fmt.Sprint(ap.Port()))
	}
	return ""
}

func (j *judge) addrPort(field, s string) netip.AddrPort {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		j.wrong(field, fmt.Sprintf("%q is not address:port", s), "e.g. 127.0.0.1:8080 or [::1]:8080; names are not looked up")
	}
	return ap
}

func (j *judge) address(field, s string, required bool) netip.Addr {
	if s == "" {
		if required {
			j.wrong(field, "is missing", "give an IP address")
		}
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		j.wrong(field, fmt.Sprintf("%q is not a plain IP address", s), "e.g. 192.0.2.1 or 2001:db8::1")
		return netip.Addr{}
	}
	return a
}

// asn refuses what may not stand in an AS path: 0 (RFC 7607) and AS_TRANS
// (RFC 6793); the last numbers are reserved (RFC 7300).
func (j *judge) asn(field string, v *uint32) uint32 {
	switch {
	case v == nil:
		j.wrong(field, "is missing", "give an AS number, e.g. 64500")
		return 0
	case *v == 0, *v == 23456, *v == 65535, *v == 4294967295:
		j.wrong(field, fmt.Sprintf("AS%d is reserved", *v), "use your own AS number")
	}
	return *v
}

func (j *judge) duration(field, s string, fallback, low, high time.Duration) time.Duration {
	if s == "" {
		return fallback
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < low || d > high {
		j.wrong(field, fmt.Sprintf("%q is not a duration from %s to %s", s, low, high), fmt.Sprintf("e.g. %s", fallback))
	}
	return d
}
