package openbgpd

import (
	"fmt"
	"maps"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// neighbor is a neighbor with what it took over from its group.
type neighbor struct {
	pos, end    device.Pos
	net         netip.Prefix // one address, or those a template accepts
	template    bool
	group       string
	block       int // the group's block: a name may be used again
	descr       string
	remoteAS    uint32
	localAS     uint32
	families    map[device.Family]bool
	role        device.Role // what it is to us
	strict      bool
	noRole      bool // announce policy no
	reflector   bool
	down        bool
	transparent bool
	looseLocal  bool // enforce local-as no
	enforce     device.Truth
	export      string // none or default-route
	rib         string
	asOverride  device.Pos
	maxPrefix   uint32
	maxOut      uint32
}

// theirs is what the neighbor is to us when we are the role.
var theirs = map[string]device.Role{
	"provider": device.Customer, "customer": device.Provider, "peer": device.Peer, "rs": device.RSClient, "rs-client": device.RouteServer,
}

func (p *parser) group(first token) {
	g := &neighbor{pos: first.pos, families: map[device.Family]bool{}}
	for p.tok.kind == word {
		if g.group != "" {
			g.group += " "
		}
		g.group += p.take().text
	}
	p.file(first.pos, "group "+g.group, device.Modelled, true, "")
	p.blocks++
	g.block = p.blocks
	if g.group == "" || !p.accept("{") {
		p.unread(first.pos, "group", true)
		return
	}
	for {
		p.lines()
		switch {
		case p.tok.kind == end:
			p.unread(first.pos, "group "+g.group, true)
			return
		case p.accept("}"):
			return
		case p.tok.is("neighbor"):
			p.neighbor(p.take(), g)
		default:
			p.option(g, nil)
		}
	}
}

func (p *parser) neighbor(first token, group *neighbor) {
	n := &neighbor{pos: first.pos, families: map[device.Family]bool{}, transparent: p.transparent}
	if group != nil {
		*n = *group
		n.pos, n.families = first.pos, maps.Clone(group.families)
		n.transparent = n.transparent || p.transparent
		if p.groups[n.group] == 0 {
			p.groups[n.group] = n.block
		}
	}
	a, ok := address(p.tok)
	switch {
	case ok:
		p.read()
		n.net = netip.PrefixFrom(a, a.BitLen())
		if p.accept("/") {
			bits, isNumber := number(p.take())
			ok = isNumber && bits >= 0 && bits <= int64(a.BitLen())
			if ok {
				n.net = netip.PrefixFrom(a, int(bits)).Masked()
			}
		}
	default:
		n.net, ok = p.prefix()
	}
	if !ok {
		p.unread(first.pos, "neighbor", true)
		return
	}
	n.template = !n.net.IsSingleIP()
	n.families[device.FamilyOf(n.net)] = true
	p.file(first.pos, "neighbor "+n.net.Addr().String(), device.Modelled, true, "")
	if p.accept("{") {
		for {
			p.lines()
			if p.tok.kind == end {
				p.unread(first.pos, "neighbor", true)
				return
			}
			n.end = p.tok.pos
			if p.accept("}") {
				break
			}
			p.option(n, n)
		}
	}
	if !p.done() {
		p.unread(first.pos, "neighbor", true)
	}
	p.consistent(n)
	p.neighbors = append(p.neighbors, n)
}

// consistent reports what bgpd refuses of a neighbor.
func (p *parser) consistent(n *neighbor) {
	switch {
	case p.cfg.ASN == 0:
		p.refused(n.pos, "RL902", "a neighbor comes before AS", "begin the file with AS")
	case n.remoteAS == 0 && !n.template:
		p.refused(n.pos, "RL902", fmt.Sprintf("neighbor %s has no remote-as", n.net.Addr()), "add remote-as")
	}
}

// quiet are options without a bearing on what is advertised.
var quiet = map[string]bool{
	"descr": true, "local-address": true, "multihop": true, "passive": true, "holdtime": true, "tcp": true, "ipsec": true, "ttl-security": true,
	"log": true, "port": true, "dump": true, "depend": true, "demote": true, "reject": true, "rde": true, "staletime": true, "max": true,
	"connect-retry": true, "send": true, "min": true, "allow": false,
}

// option reads one property of a group or neighbor; of is the neighbor for
// which sets are kept, nil for a group.
func (p *parser) option(g, of *neighbor) {
	first := p.take()
	ok := true
	switch first.text {
	case "remote-as":
		g.remoteAS, ok = asn(p.take())
	case "local-as":
		if g.localAS, ok = asn(p.take()); ok {
			if _, second := asn(p.tok); second {
				p.read()
			}
		}
	case "descr":
		for !p.done() && p.tok.kind == word {
			if g.descr != "" && g.descr != p.tok.text {
				g.descr += " "
			}
			g.descr += p.take().text
		}
	case "down":
		g.down = true
		p.skip()
	case "announce":
		p.announce(g, first)
		return
	case "role":
		role := p.take().text
		if g.role, ok = theirs[role]; !ok && role == "none" {
			g.role, ok = device.UnknownRole, true
		}
	case "export":
		g.export = p.take().text
		ok = g.export == "none" || g.export == "default-route"
	case "enforce":
		ok = p.enforce(g)
	case "as-override":
		if g.asOverride = (device.Pos{}); !p.accept("no") {
			g.asOverride, ok = first.pos, p.accept("yes")
		}
	case "transparent-as":
		if g.transparent = p.accept("yes"); !g.transparent {
			ok = p.accept("no")
		}
	case "route-reflector":
		g.reflector = true
		p.skip()
	case "max-prefix":
		p.maxPrefix(g)
	case "rib":
		g.rib = p.take().text
	case "set":
		var sets []setting
		if sets, ok = p.settings(); ok {
			p.defaults(g, of, first, sets)
		}
	case "no":
		p.skip()
		p.file(first.pos, "no", device.IgnoredKnown, false, "")
		return
	default:
		if quiet[first.text] {
			p.skip()
			p.file(first.pos, first.text, device.IgnoredKnown, false, "")
			return
		}
		ok = false
	}
	if !ok || !p.done() {
		p.unread(first.pos, first.text, true)
		return
	}
	p.file(first.pos, first.text, device.Modelled, first.text != "descr", "")
}

func (p *parser) enforce(g *neighbor) bool {
	what := p.take().text
	yes := p.accept("yes")
	if !yes && !p.accept("no") {
		return false
	}
	switch what {
	case "neighbor-as":
		g.enforce = device.Is(yes)
	case "local-as":
		g.looseLocal = !yes
	default:
		return false
	}
	return true
}

func (p *parser) maxPrefix(g *neighbor) {
	n, _ := number(p.take())
	limit := &g.maxPrefix
	if p.accept("out") {
		limit = &g.maxOut
	}
	*limit = uint32(max(n, 0))
	p.skip()
}

// announce reads capabilities; families and roles matter.
func (p *parser) announce(g *neighbor, first token) {
	what := p.take()
	state, policy, ok := device.IgnoredKnown, false, true
	switch what.text {
	case "IPv4", "IPv6", "inet", "inet6":
		state, policy = device.Modelled, true
		switch safi := p.take().text; safi {
		case "none":
			g.families[families[what.text]] = false
		case "unicast":
			g.families[families[what.text]] = true
		case "vpn", "flowspec":
			g.families[device.OtherFamily] = true
		default:
			ok = false
		}
	case "policy":
		state, policy = device.Modelled, true
		switch role := p.take().text; role {
		case "no":
			g.noRole = true
		case "yes":
			g.noRole = false
		case "enforce":
			g.noRole, g.strict = false, true
		default:
			g.role, ok = theirs[role]
		}
	case "add-path":
		// Which of several paths is sent is not judged.
	case "capabilities", "refresh", "enhanced", "restart", "as-4byte", "graceful", "extended":
	default:
		ok = false
	}
	if p.accept("enforce") && what.text == "policy" {
		g.strict = true
	}
	if ok {
		p.skip()
		p.file(first.pos, "announce "+what.text, state, policy, "")
		return
	}
	p.unread(first.pos, "announce "+what.text, true)
}

// defaults turns the set statement of a group or neighbor into the rules bgpd
// makes of it: some are for what is sent, the others for what is received.
func (p *parser) defaults(g, of *neighbor, first token, sets []setting) {
	var in, out []setting
	for _, s := range sets {
		if s.kind == setPrependSelf || s.kind == setNextHopSelf || s.kind == setNextHopKeep {
			out = append(out, s)
			continue
		}
		in = append(in, s)
	}
	for outbound, list := range map[bool][]setting{true: out, false: in} {
		if len(list) == 0 {
			continue
		}
		r := &rule{pos: first.pos, end: first.pos, action: matchOnly, out: outbound, sets: list, text: "set of neighbor " + g.net.Addr().String()}
		if of == nil {
			r.text = "set of group " + g.group
			r.peers = []peer{{kind: peerGroup, name: g.group, block: g.block}}
			p.groupSets = append(p.groupSets, r)
			continue
		}
		r.peers = []peer{{kind: peerAddress, addr: g.net.Addr()}}
		p.peerSets = append(p.peerSets, r)
	}
}

// sessions makes one session of every neighbor.
func (p *parser) session(n *neighbor) *device.Session {
	s := &device.Session{
		At: device.At{Pos: n.pos}, End: n.end, Name: n.net.Addr().String(), Group: n.group, Description: n.descr,
		LocalAS: p.cfg.ASN, PeerAS: n.remoteAS, Kind: device.External, Inactive: n.down,
	}
	if n.template {
		s.Range, s.Name = n.net, n.net.String()
	} else {
		s.Neighbor = n.net.Addr()
	}
	if n.localAS != 0 {
		s.LocalAS = n.localAS
	}
	if n.remoteAS == p.cfg.ASN && n.remoteAS != 0 {
		s.Kind, s.Role, s.RoleSource = device.InternalSession, device.Internal, device.RoleConfigured
	}
	for _, f := range []device.Family{device.IPv4, device.IPv6, device.OtherFamily} {
		if n.families[f] {
			s.Families = append(s.Families, f)
		}
	}
	if len(s.Families) == 0 {
		s.Families = []device.Family{device.OtherFamily}
	}
	f := &s.Facts
	f.MaxPrefix, f.MaxPrefixOut, f.ReflectorClient = n.maxPrefix, n.maxOut, n.reflector
	f.SendCommunity, f.SendExtended, f.SendLarge = device.Sent, device.Sent, device.Sent
	f.DefaultDeny = device.True
	if !n.noRole && s.Kind == device.External && n.role != device.UnknownRole {
		f.LocalRole, f.StrictRole = n.role, n.strict
		s.Role, s.RoleSource = n.role, device.RoleConfigured
	}
	return s
}
