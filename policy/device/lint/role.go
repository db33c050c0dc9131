package lint

import (
	"net/netip"
	"regexp"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// assignRoles fills in what each neighbor is to us: declared, configured
// (RFC 9234, iBGP), or guessed from what the network calls it.
func (d *Declaration) assignRoles(cfg *device.Config) {
	for _, s := range cfg.Sessions {
		if r, ok := d.declared(s); ok {
			s.Role, s.RoleSource = r, device.RoleDeclared
			continue
		}
		switch {
		case s.RoleSource >= device.RoleConfigured && s.Role != device.UnknownRole:
		case s.Kind == device.InternalSession || s.Kind == device.Confederation:
			s.Role, s.RoleSource = device.Internal, device.RoleConfigured
		case s.Facts.LocalRole != device.UnknownRole:
			s.Role, s.RoleSource = s.Facts.LocalRole, device.RoleConfigured
		default:
			if s.Role = inferRole(s); s.Role != device.UnknownRole {
				s.RoleSource = device.RoleInferred
			}
		}
	}
}

func (d *Declaration) declared(s *device.Session) (device.Role, bool) {
	for i := range d.Roles {
		if d.Roles[i].matches(s) {
			return d.Roles[i].role, true
		}
	}
	return device.UnknownRole, false
}

func (r *RoleRule) matches(s *device.Session) bool {
	return (r.group == nil || r.group.MatchString(s.Group)) &&
		(r.description == nil || r.description.MatchString(s.Description)) &&
		(len(r.ASNs) == 0 || slices.Contains(r.ASNs, s.PeerAS)) &&
		(len(r.Neighbors) == 0 || slices.Contains(r.Neighbors, s.Name) ||
			s.Neighbor.IsValid() && slices.ContainsFunc(r.nets, func(p netip.Prefix) bool { return p.Contains(s.Neighbor) }))
}

// hints are the words networks use, the strongest first.
var hints = []struct {
	role device.Role
	re   *regexp.Regexp
}{
	{device.Collector, words("collector|route-?views|routeviews|bgpmon|bgpstream|ris|pch")},
	{device.RSClient, words("rs-?clients?|route-?server-?clients?")},
	{device.RouteServer, words("rs[0-9]*|route-?servers?|rserver")},
	{device.Customer, words("cust|custs|customers?|downstreams?|clients?")},
	{device.Peer, words("peers?|peering|pni|ixp?|private-?peers?|public-?peers?|bilateral")},
	{device.Provider, words("transits?|providers?|upstreams?|uplinks?|isp[0-9]*|telia|arelion|cogent|level-?3|lumen|gtt|ntt|zayo|tata|telefonica|comcast|sparkle|retn|hurricane|he|voxility")},
}

func words(alternatives string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(^|[^a-z])(` + alternatives + `)([^a-z]|$)`)
}

func inferRole(s *device.Session) device.Role {
	for _, text := range []string{s.Group, s.Description, s.Name} {
		for _, h := range hints {
			if text != "" && h.re.MatchString(text) {
				return h.role
			}
		}
	}
	return device.UnknownRole
}

// judged is the role a session is judged as.
func (d *Declaration) judged(s *device.Session) device.Role {
	if s.Role == device.UnknownRole {
		return d.judge
	}
	return s.Role
}

// external reports whether routes of providers, peers and route servers must
// not be advertised on the session.
func (d *Declaration) external(s *device.Session) bool {
	if s.Inactive {
		return false
	}
	switch d.judged(s) {
	case device.Provider, device.Peer, device.RouteServer:
		return s.Kind != device.InternalSession && s.Kind != device.Confederation
	}
	return false
}
