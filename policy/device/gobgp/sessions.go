package gobgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// neighbor is one neighbor with the peer group it takes the rest from.
type neighbor struct {
	n, group *node
}

// block returns the part of the configuration at a path from the neighbor, or
// the group's where the neighbor does not have the key.
func (p neighbor) str(path ...string) string {
	if p.n.child(path...) != nil {
		return p.n.str(path...)
	}
	return p.group.str(path...)
}

func (p neighbor) child(path ...string) *node {
	if c := p.n.child(path...); c != nil {
		return c
	}
	return p.group.child(path...)
}

func (b *builder) sessions() {
	exp, imp := b.globalChain(exporting), b.globalChain(importing)
	for _, n := range b.root.items("neighbors") {
		p := neighbor{n: n, group: b.peerGroup(n.str("config", "peer-group"), n)}
		b.session(p, exp, imp)
	}
	for _, n := range b.root.items("dynamic-neighbors") {
		group := b.peerGroup(n.str("config", "peer-group"), n)
		s := b.session(neighbor{n: &node{pos: n.pos, shape: mapping, key: "dynamic"}, group: group}, exp, imp)
		if r, err := netip.ParsePrefix(n.str("config", "prefix")); err == nil {
			s.Range, s.Name = r.Masked(), r.String()
		}
	}
	b.globalDefaults(exp)
}

func (b *builder) peerGroup(name string, n *node) *node {
	if name == "" {
		return nil
	}
	for _, g := range b.root.items("peer-groups") {
		if g.str("config", "peer-group-name") == name {
			return g
		}
	}
	b.report(device.Diagnostic{
		At: device.At{Pos: n.at("config", "peer-group")}, Rule: "RL301",
		Message: fmt.Sprintf("peer-group %q is not defined: GoBGP leaves this and all later neighbors without their defaults", name),
		Fix:     "define the group or correct the name",
	})
	return nil
}

func (b *builder) session(p neighbor, exp, imp device.Chain) *device.Session {
	s := &device.Session{At: device.At{Pos: p.n.pos}, End: p.n.end()}
	if p.n.child("config") != nil {
		s.Pos = p.n.at("config", "neighbor-address")
	}
	s.Name = p.str("config", "neighbor-address")
	if s.Name == "" {
		s.Name = p.str("config", "neighbor-interface")
	}
	s.Neighbor, _ = netip.ParseAddr(s.Name)
	s.Group = p.n.str("config", "peer-group")
	if s.Group == "" {
		s.Group = p.group.str("config", "peer-group-name")
	}
	s.Description = p.str("config", "description")
	s.Instance = p.str("config", "vrf")
	s.Inactive = p.str("config", "admin-down") == "true"
	s.PeerAS = b.asn(p, "peer-as")
	s.LocalAS = b.localAS(p, s)
	s.Kind = b.kind(p, s)
	if s.Kind == device.InternalSession {
		s.Role, s.RoleSource = device.Internal, device.RoleConfigured
	}
	s.Families = families(p, s)
	s.Facts.RSClient = p.str("route-server", "config", "route-server-client") == "true"
	s.Facts.ReflectorClient = p.str("route-reflector", "config", "route-reflector-client") == "true"
	s.Facts.RemovePrivateAS = p.str("config", "remove-private-as") != ""
	s.Facts.DefaultDeny = device.False
	b.prefixLimit(p, s)
	b.pipelines(p, s, exp, imp)
	b.cfg.Sessions = append(b.cfg.Sessions, s)
	return s
}

func (b *builder) asn(p neighbor, key string) uint32 {
	c := p.child("config", key)
	if c == nil {
		return 0
	}
	v, err := strconv.ParseUint(c.text, 10, 32)
	if err != nil {
		b.cfg.Broken = true
		b.reportOnce(device.Diagnostic{At: device.At{Pos: c.pos}, Rule: "RL902", Message: fmt.Sprintf("%s %q is not an ASN; gobgpd refuses to load it", key, c.text)})
	}
	return uint32(v)
}

func (b *builder) localAS(p neighbor, s *device.Session) uint32 {
	if as := b.asn(p, "local-as"); as != 0 {
		return as
	}
	// RFC 5065: towards the outside a confederation speaks as its identifier.
	if b.confedID != 0 && !b.memberOf[s.PeerAS] && s.PeerAS != b.as {
		return b.confedID
	}
	return b.as
}

func (b *builder) kind(p neighbor, s *device.Session) device.SessionKind {
	switch {
	case s.PeerAS == 0:
		return device.UnknownKind
	case s.PeerAS == s.LocalAS:
		return device.InternalSession
	case b.memberOf[s.PeerAS]:
		return device.Confederation
	}
	return device.External
}

// families are those listed and not disabled; without a list it is the family
// of the neighbor's address, and both for an unnumbered neighbor.
func families(p neighbor, s *device.Session) []device.Family {
	list := p.child("afi-safis")
	if list == nil {
		switch {
		case !s.Neighbor.IsValid():
			return []device.Family{device.IPv4, device.IPv6}
		case s.Neighbor.Is4():
			return []device.Family{device.IPv4}
		}
		return []device.Family{device.IPv6}
	}
	var out []device.Family
	for _, f := range (&node{shape: mapping, kids: []*node{list}}).items("afi-safis") {
		if f.str("config", "enabled") == "false" {
			continue
		}
		family := device.OtherFamily
		switch f.str("config", "afi-safi-name") {
		case "ipv4-unicast":
			family = device.IPv4
		case "ipv6-unicast":
			family = device.IPv6
		}
		if !slices.Contains(out, family) {
			out = append(out, family)
		}
	}
	if len(out) == 0 {
		out = []device.Family{device.OtherFamily}
	}
	return out
}

func (b *builder) prefixLimit(p neighbor, s *device.Session) {
	list := p.child("afi-safis")
	if list == nil {
		return
	}
	for _, f := range list.kids {
		if v, err := strconv.ParseUint(f.str("prefix-limit", "config", "max-prefixes"), 10, 32); err == nil {
			s.Facts.MaxPrefix = max(s.Facts.MaxPrefix, uint32(v))
		}
	}
}

// globalDefaults reports an accepting default towards external neighbors.
func (b *builder) globalDefaults(exp device.Chain) {
	external := slices.ContainsFunc(b.cfg.Sessions, func(s *device.Session) bool {
		return s.Kind != device.InternalSession && !s.Facts.RSClient
	})
	if !external || exp.Default != device.Accept {
		return
	}
	at := device.At{Pos: exp.Pos}
	if at.Pos.IsZero() {
		at.Pos = b.root.at("global")
	}
	b.reportOnce(device.Diagnostic{
		At: at, Rule: "RL405",
		Message: "routes no export policy decides are advertised to external neighbors: " + exp.Why,
		Fix:     "set default-export-policy = \"reject-route\" in global.apply-policy.config",
	})
}
