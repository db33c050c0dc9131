package frr

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// neighborView is a neighbor with the groups and templates it takes the rest
// from, nearest first.
type neighborView struct {
	*reader
	ro     *router
	chain  []*peer
	family device.Family
}

// sessions makes a session of each neighbor and address family.
func (r *reader) sessions(ro *router) {
	for _, p := range ro.peers {
		if !p.group {
			r.neighborSessions(ro, p)
		}
	}
	for _, p := range ro.ranges {
		r.neighborSessions(ro, p)
	}
}

func (r *reader) neighborSessions(ro *router, p *peer) {
	v := neighborView{reader: r, ro: ro, chain: r.ancestors(ro, p)}
	active := false
	for _, f := range []device.Family{device.IPv4, device.IPv6} {
		v.family = f
		if v.active() {
			active = true
			v.session(f)
		}
	}
	if !active {
		v.family = device.OtherFamily
		v.session(device.OtherFamily)
	}
}

// ancestors are the peer and what it inherits from, nearest first.
func (r *reader) ancestors(ro *router, p *peer) []*peer {
	chain := []*peer{p}
	seen := map[*peer]bool{p: true}
	add := func(name string, at device.Pos, template bool) {
		q := ro.byName[name]
		if q == nil && ro.instance != "" {
			for _, other := range r.routers { // templates belong to the router itself
				if other.instance == "" {
					q = other.byName[name]
				}
			}
		}
		if q == nil {
			r.report(device.Diagnostic{At: device.At{Pos: at}, Rule: "RL301", Severity: device.Warning, Session: p.name,
				Message: fmt.Sprintf("%s is not defined: the neighbor takes nothing from it", name), Fix: "define it or correct the name"})
			return
		}
		if !seen[q] {
			seen[q] = true
			chain = append(chain, q)
		}
		_ = template
	}
	for i := 0; i < len(chain); i++ {
		q := chain[i]
		for _, f := range []device.Family{device.AnyFamily, device.IPv4, device.IPv6, device.OtherFamily} {
			for _, s := range q.links[f] {
				add("template "+s.args[1], s.l.pos, true)
			}
			if s := q.set[f]["peer-group"]; s != nil && len(s.args) > 0 {
				add(s.args[0], s.l.pos, false)
			}
		}
	}
	return chain
}

// anywhere is a setting that belongs to the session, in whatever family it was
// written.
func (v *neighborView) anywhere(key string) *setting {
	for _, p := range v.chain {
		for _, f := range []device.Family{device.AnyFamily, device.IPv4, device.IPv6, device.OtherFamily} {
			if s := p.set[f][key]; s != nil {
				return s
			}
		}
	}
	return nil
}

// of is a setting of the session's address family.
func (v *neighborView) of(key string) *setting {
	for _, p := range v.chain {
		if s := v.ofPeer(p, key); s != nil {
			return s
		}
	}
	return nil
}

func (v *neighborView) ofPeer(p *peer, key string) *setting {
	if s := p.set[v.family][key]; s != nil {
		return s
	}
	// Outside of address families a line is about IPv4, in EOS about all; a
	// policy template has no families of its own.
	if v.family == device.IPv4 && !v.t.blocks || v.t.baseForAll || strings.HasPrefix(p.name, "template ") {
		return p.set[device.AnyFamily][key]
	}
	return nil
}

// filter is a filter of the session, and the one of the member that has no
// effect because the group's holds.
func (v *neighborView) filter(key string) (s, ignored *setting) {
	s = v.of(key)
	if !v.t.groupWinsOut || !strings.HasSuffix(key, " out") || s == nil {
		return s, nil
	}
	for _, p := range v.chain[1:] {
		if g := v.ofPeer(p, key); g != nil && g != s {
			return g, s
		}
	}
	return s, nil
}

func (v *neighborView) says(key string) bool {
	s := v.of(key)
	return s != nil && !s.off
}

// active reports whether the family is negotiated.
func (v *neighborView) active() bool {
	for _, p := range v.chain {
		if s := p.set[v.family]["activate"]; s != nil {
			return !s.off
		}
		if v.t.blocks && p.scopes[v.family] {
			return true
		}
	}
	switch {
	case v.t.blocks:
		return false
	case v.family == device.IPv6:
		return v.ro.ipv6
	}
	return !v.ro.noIPv4
}

func (v *neighborView) session(f device.Family) {
	p := v.chain[0]
	s := &device.Session{At: device.At{Pos: p.at}, End: p.to, Name: p.name, Instance: v.ro.instance, Families: []device.Family{f}}
	if a, err := netip.ParseAddr(p.name); err == nil {
		s.Neighbor = a.WithZone("")
	} else if rng, err := netip.ParsePrefix(p.name); err == nil {
		s.Range = rng.Masked()
	}
	if len(v.chain) > 1 {
		s.Group = strings.TrimPrefix(v.chain[1].name, "template ")
	}
	if d := v.anywhere("description"); d != nil {
		s.Description = strings.Join(d.args, " ")
	}
	off := v.anywhere("shutdown")
	s.Inactive = off != nil && !off.off
	v.numbers(s)
	v.facts(s)
	v.role(s)
	v.pipelines(s)
	v.cfg.Sessions = append(v.cfg.Sessions, s)
}

// numbers gives both ASNs and the kind of the session.
func (v *neighborView) numbers(s *device.Session) {
	s.LocalAS = v.ro.asn
	if l := v.anywhere("local-as"); l != nil && !l.off && len(l.args) > 0 {
		if n, ok := asn(l.args[0]); ok {
			s.LocalAS = n
		}
	}
	remote := v.anywhere("remote-as")
	if remote == nil || len(remote.args) == 0 {
		return
	}
	switch remote.args[0] {
	case "internal":
		s.Kind, s.PeerAS = device.InternalSession, v.ro.asn
	case "external", "auto":
		s.Kind = device.External
	default:
		n, ok := asn(remote.args[0])
		switch {
		case !ok:
			return
		case n == v.ro.asn:
			s.Kind = device.InternalSession
		case v.ro.members[n]:
			s.Kind = device.Confederation
		default:
			s.Kind = device.External
			if v.ro.confed != 0 && s.LocalAS == v.ro.asn {
				// RFC 5065: towards the outside it speaks as its identifier.
				s.LocalAS = v.ro.confed
			}
		}
		s.PeerAS = n
	}
	if s.Kind == device.InternalSession {
		s.Role, s.RoleSource = device.Internal, device.RoleConfigured
	}
}

func (v *neighborView) facts(s *device.Session) {
	f := &s.Facts
	f.ReflectorClient, f.RSClient = v.says("route-reflector-client"), v.says("route-server-client")
	f.NextHopSelf, f.RemovePrivateAS = v.says("next-hop-self"), v.says("remove-private-as")
	for key, limit := range map[string]*uint32{"maximum-prefix": &f.MaxPrefix, "maximum-routes": &f.MaxPrefix, "maximum-prefix-out": &f.MaxPrefixOut} {
		if l := v.of(key); l != nil && !l.off && len(l.args) > 0 {
			*limit, _ = number(l.args[0], 32)
		}
	}
	f.SendCommunity, f.SendExtended, f.SendLarge = v.sending()
	v.discardedAttributes(s)
	f.DefaultDeny = v.defaultDeny(s)
}

// discardedAttributes: RL606, "path-attribute discard 35" takes OTC off every
// route of the neighbor (RFC 9234 section 5).
func (v *neighborView) discardedAttributes(s *device.Session) {
	l := v.anywhere("path-attribute")
	if l == nil || l.off || len(l.args) < 2 || l.args[0] != "discard" {
		return
	}
	codes := l.args[1:]
	if codes[0] == "range" && len(codes) > 2 {
		codes = []string{codes[1] + "-" + codes[2]}
	}
	for _, code := range codes {
		low, high, isRange := strings.Cut(code, "-")
		if !isRange {
			high = low
		}
		a, okA := number(low, 8)
		b, okB := number(high, 8)
		if okA && okB && a <= 35 && 35 <= b {
			v.report(device.Diagnostic{
				At: device.At{Pos: l.l.pos}, Rule: "RL606", Session: s.Name,
				Message: fmt.Sprintf("OTC is taken off the routes of %s: routers behind it cannot see that they must not go up again", s.Name),
				Fix:     "leave attribute 35 out (RFC 9234 section 5)",
			})
			return
		}
	}
}

// sending says which communities cross the session.
func (v *neighborView) sending() (std, ext, large device.Sending) {
	std, ext, large = device.Stripped, device.Stripped, device.Stripped
	if v.t.sendsCommunities {
		std, ext, large = device.Sent, device.Sent, device.Sent
	}
	s := v.of("send-community")
	if s == nil {
		return std, ext, large
	}
	state := device.Sent
	if s.off {
		state = device.Stripped
	}
	if len(s.args) == 0 {
		if v.t.dialect == device.EOS {
			return state, state, state
		}
		return state, ext, large
	}
	for _, a := range s.args {
		switch a {
		case "all":
			std, ext, large = state, state, state
		case "both":
			std, ext = state, state
		case "standard":
			std = state
		case "extended":
			ext = state
		case "large":
			large = state
		}
	}
	return std, ext, large
}

// defaultDeny: whether RFC 8212 is in force. Which versions of FRR follow it
// without being told is known from 7.5 on.
func (v *neighborView) defaultDeny(s *device.Session) device.Truth {
	if !v.t.requiresPolicy || s.Kind != device.External {
		return device.False
	}
	if v.ro.policy != device.Maybe {
		return v.ro.policy
	}
	if v.profile == "datacenter" {
		return device.False
	}
	major, minor, _ := strings.Cut(strings.TrimLeft(v.cfg.Version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	a, ok := number(major, 16)
	b, _ := number(strings.TrimRight(minor, "-abcdefghijklmnopqrstuvwxyz"), 16)
	switch {
	case !ok, a >= 8, a == 7 && b >= 5:
		return device.True
	case a < 7:
		return device.False
	}
	return device.Maybe
}

// theirs is what the neighbor is to us when we are the role.
var theirs = map[string]device.Role{
	"provider": device.Customer, "customer": device.Provider, "peer": device.Peer, "rs-server": device.RSClient, "rs-client": device.RouteServer,
}

func (v *neighborView) role(s *device.Session) {
	l := v.anywhere("local-role")
	if l == nil || l.off || len(l.args) == 0 {
		return
	}
	if !v.t.roles {
		l.l.file(device.Unread, true, "not known to this front end")
		return
	}
	role, ok := theirs[l.args[0]]
	if !ok {
		v.unread(l.l, "no such role")
		return
	}
	s.Facts.LocalRole, s.Facts.StrictRole = role, len(l.args) > 1 && l.args[1] == "strict-mode"
	if s.Kind == device.External {
		s.Role, s.RoleSource = role, device.RoleConfigured
	}
}
