package frr

import (
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// router is one BGP instance: the router itself or a VRF.
type router struct {
	head      *line
	asn       uint32
	instance  string
	localPref uint32 // of routes without one
	confed    uint32
	members   map[uint32]bool

	noIPv4, ipv6     bool           // what is active without saying so
	changesReflected bool           // route-reflector allow-outbound-policy
	policy           device.Truth   // RFC 8212, when a line says
	suppress         []*device.Term // summary-only aggregates
	narrow           []*line        // lines that hold routes back and are not modelled
	origins          []origin       // route maps of network and redistribute lines

	peers  []*peer // neighbors, peer groups and templates, in order
	byName map[string]*peer
	ranges []*peer // dynamic neighbors
}

// origin is a route map that routes of our own pass when they come into BGP.
type origin struct {
	device.At
	match device.Expr
	name  string
}

// setting is one line at a neighbor.
type setting struct {
	l    *line
	args []string
	off  bool
}

// peer is a neighbor, a peer group or a template.
type peer struct {
	name   string
	at, to device.Pos
	group  bool
	links  map[device.Family][]*setting // inherit lines
	set    map[device.Family]map[string]*setting
	scopes map[device.Family]bool // address families that are written
}

// router reads "router bgp ASN [vrf NAME]".
func (r *reader) router(l *line) {
	l.file(device.Modelled, true, "")
	n, ok := asn(l.at(2))
	if !ok && l.at(2) != "" {
		r.unread(l, "the ASN is not a number")
	}
	name := ""
	if l.at(3) == "vrf" || l.at(3) == "view" {
		name = l.at(4)
	}
	ro := r.instance(l, n, name)
	if name == "" && r.cfg.ASN == 0 {
		r.cfg.ASN = n
	}
	for _, k := range l.kids {
		r.routerLine(ro, k, device.AnyFamily)
	}
}

// instance returns the BGP of a VRF, made when it does not exist.
func (r *reader) instance(l *line, as uint32, name string) *router {
	for _, ro := range r.routers {
		if ro.instance == name {
			return ro
		}
	}
	ro := &router{head: l, asn: as, instance: name, localPref: 100, members: map[uint32]bool{}, byName: map[string]*peer{}}
	r.routers = append(r.routers, ro)
	return ro
}

func (ro *router) peer(name string, at device.Pos) *peer {
	if p := ro.byName[name]; p != nil {
		return p
	}
	p := &peer{name: name, at: at, to: at, links: map[device.Family][]*setting{}, set: map[device.Family]map[string]*setting{}, scopes: map[device.Family]bool{}}
	ro.byName[name] = p
	ro.peers = append(ro.peers, p)
	return p
}

var (
	routerIgnored = set(`timers distance maximum-paths bgp-router-id router-id log-neighbor-changes synchronization auto-summary
		exit exit-address-family exit-vrf exit-address graceful-restart bestpath event-history dynamic-med-interval
		fast-external-fallover isolate nexthop soft-reconfiguration update dampening dampen-igp-metric additional-paths
		suppress-fib-pending read-quanta write-quanta coalesce-time route-target rd import export label advertise-all-vni
		advertise-svi-ip advertise-default-gw vni segment-routing srv6 sid vpn scan-time table-map autodiscovery-type
		enforce-first-as shutdown wait-for-convergence reconnect-interval neighbor-down rfd vnc vlan
		vlan-aware-bundle default-originate host-flap monitoring max-med graceful-shutdown mp bmp client-to-client
		retain nexthop-vrf af-interface end advertise ip ipv6 dup-addr-detection autort flooding mac-vrf`)
	bgpIgnored = set(`router-id log-neighbor-changes bestpath deterministic-med always-compare-med dampening graceful-restart
		additional-paths nexthop update-delay cluster-id client-to-client max-med network fast-external-failover fast-external-fallover
		redistribute-internal enforce-first-as fast-convergence scan-time suppress-duplicates aggregate-timer graceful-shutdown
		long-lived-graceful-restart minimum-holdtime tcp-keepalive slow-peer recursion rpki refresh consistency-checker soft-reconfig-backup
		transport trap-default labeled-unicast-rib disable-ebgp-connected-route-check reject-as-sets default-received-shutdown
		allow-martian-nexthop advertise-inactive asn convergence session retain route-reflector bgp-mib mpls regexp bmp
		missing-policy-x next-hop-unchanged monitoring use-bestpath convergence-time peer-mac-resolution-timeout config-type conditional-advertisement
		update route-map always-compare auto-local-addr control-plane-filter skip lu missing-policy`)
)

// routerLine reads a line of "router bgp", of an address family in it or of a
// VRF in it.
func (r *reader) routerLine(ro *router, l *line, f device.Family) {
	switch word := l.at(0); word {
	case "neighbor":
		r.neighbor(ro, l, f)
	case "address-family":
		r.addressFamily(ro, l)
	case "vrf":
		l.file(device.Modelled, true, "")
		vrf := r.instance(l, ro.asn, l.at(1))
		for _, k := range l.kids {
			r.routerLine(vrf, k, device.AnyFamily)
		}
	case "template":
		r.template(ro, l)
	case "peer-group":
		l.file(device.Modelled, true, "")
		ro.peer(l.at(1), l.pos).group = true
	case "bgp":
		r.bgpLine(ro, l)
	case "confederation":
		r.confederation(ro, l, 1)
	case "network":
		r.network(ro, l)
	case "aggregate-address":
		r.aggregate(ro, l)
	case "redistribute":
		r.redistribute(ro, l, f)
	case "distribute-list", "default-information", "default-metric", "advertise-map", "dynamic", "default":
		l.file(device.Partly, true, "")
		if word == "distribute-list" && !l.no {
			l.file(device.Unmodelled, true, "a filter of the whole instance")
			ro.narrow = append(ro.narrow, l)
		}
	case "local-as", "activate", "no", "local-preference":
		l.file(device.Partly, true, "")
	default:
		if routerIgnored[word] {
			l.file(device.IgnoredKnown, false, "")
			return
		}
		l.file(device.Unread, true, "not known to this front end")
	}
}

func (r *reader) bgpLine(ro *router, l *line) {
	l.file(device.Modelled, true, "")
	switch {
	case l.starts("bgp", "ebgp-requires-policy"):
		ro.policy = device.Is(!l.no)
		if l.no && r.t.requiresPolicy {
			r.report(device.Diagnostic{
				At: device.At{Pos: l.pos}, Rule: "RL403", Severity: device.Warning,
				Message: "RFC 8212 is switched off: an external neighbor without a policy gets every route", Fix: "remove the line and give every external neighbor a policy",
			})
		}
	case l.starts("bgp", "default", "ipv4-unicast"):
		ro.noIPv4 = l.no
	case l.starts("bgp", "default", "ipv6-unicast"):
		ro.ipv6 = !l.no
	case l.starts("bgp", "missing-policy") && l.at(4) == "deny":
		l.file(device.Unmodelled, true, "")
		ro.narrow = append(ro.narrow, l)
	case l.starts("bgp", "default", "local-preference"):
		if n, ok := number(l.at(3), 32); ok && !l.no {
			ro.localPref = n
		}
	case l.starts("bgp", "default"):
		l.file(device.IgnoredKnown, true, "")
	case l.starts("bgp", "route-reflector", "allow-outbound-policy"):
		ro.changesReflected = !l.no
	case l.starts("bgp", "confederation"):
		r.confederation(ro, l, 2)
	case l.starts("bgp", "listen"):
		r.listen(ro, l)
	case l.starts("bgp", "inject-map"), l.starts("bgp", "suppress-inactive"), l.starts("bgp", "advertise-best-external"):
		l.file(device.Unmodelled, true, "")
	case bgpIgnored[l.at(1)]:
		l.file(device.IgnoredKnown, false, "")
	default:
		l.file(device.Unread, true, "not known to this front end")
	}
}

func (r *reader) confederation(ro *router, l *line, i int) {
	l.file(device.Modelled, true, "")
	switch l.at(i) {
	case "identifier":
		ro.confed, _ = asn(l.at(i + 1))
	case "peers":
		for _, w := range l.rest(i + 1) {
			for part := range strings.SplitSeq(w, ",") {
				if n, ok := asn(part); ok {
					ro.members[n] = true
				}
			}
		}
	}
}

// listen reads "bgp listen range PREFIX peer-group NAME [remote-as N]".
func (r *reader) listen(ro *router, l *line) {
	if l.at(2) == "limit" {
		l.file(device.IgnoredKnown, true, "")
		return
	}
	rest := l.rest(3)
	p, err := netip.ParsePrefix(l.at(3))
	if err != nil || len(rest) < 3 {
		r.unread(l, "want range PREFIX peer-group NAME")
		return
	}
	dyn := &peer{name: p.String(), at: l.pos, to: l.pos, links: map[device.Family][]*setting{}, set: map[device.Family]map[string]*setting{}, scopes: map[device.Family]bool{}}
	for i := 1; i+1 < len(rest); i += 2 {
		switch rest[i] {
		case "peer-group":
			dyn.put(device.AnyFamily, "peer-group", &setting{l: l, args: rest[i+1 : i+2]})
		case "peer", "remote-as":
			dyn.put(device.AnyFamily, rest[i], &setting{l: l, args: rest[i+1 : i+2]})
		}
	}
	ro.ranges = append(ro.ranges, dyn)
}

// family reads the words behind "address-family".
func family(ws []string) (f device.Family, vrf string) {
	f = device.OtherFamily
	for i, w := range ws {
		if w == "vrf" && i+1 < len(ws) {
			vrf = ws[i+1]
			ws = ws[:i]
			break
		}
	}
	if len(ws) == 1 || len(ws) == 2 && ws[1] == "unicast" {
		switch ws[0] {
		case "ipv4":
			f = device.IPv4
		case "ipv6":
			f = device.IPv6
		}
	}
	return f, vrf
}

func (r *reader) addressFamily(ro *router, l *line) {
	l.file(device.Modelled, true, "")
	f, vrf := family(l.rest(1))
	if vrf != "" {
		ro = r.instance(l, ro.asn, vrf)
	}
	for _, k := range l.kids {
		r.routerLine(ro, k, f)
	}
}

func (r *reader) network(ro *router, l *line) {
	l.file(device.Modelled, true, "")
	p, err := netip.ParsePrefix(l.at(1))
	if err != nil {
		if a, addrErr := netip.ParseAddr(l.at(1)); addrErr == nil && a.Is4() {
			p, err = classful(a, l), nil
		}
	}
	if err != nil {
		l.file(device.Partly, true, "the prefix cannot be read")
		return
	}
	if !l.no {
		at := device.At{Pos: l.pos}
		r.cfg.Originated = append(r.cfg.Originated, device.OriginatedPrefix{At: at, Prefix: p.Masked(), Source: device.Local})
		exact := &device.PrefixSet{At: at, Entries: []device.PrefixEntry{{At: at, Range: device.Exact(p)}}}
		ro.originates(l, &device.And{At: at, Xs: []device.Expr{&device.ProtocolMatch{At: at, Protocols: []device.Protocol{device.Local}}, &device.PrefixMatch{At: at, Set: exact}}})
	}
}

// originates notes the route map of a network or redistribute line; it is there
// whether the line names one or not.
func (ro *router) originates(l *line, match device.Expr) (mapped bool) {
	words := l.rest(1)
	for i, w := range words[:max(len(words)-1, 0)] {
		if w == "route-map" {
			ro.origins = append(ro.origins, origin{device.At{Pos: l.pos}, match, words[i+1]})
			return true
		}
	}
	return false
}

// classful is an address with "mask M", or with the mask of its class.
func classful(a netip.Addr, l *line) netip.Prefix {
	if i := 2; l.at(i) == "mask" || strings.Count(l.at(i), ".") == 3 {
		if l.at(i) == "mask" {
			i++
		}
		if m, ok := ipv4(l.at(i)); ok {
			bits := 0
			for bits < 32 && m&(1<<(31-bits)) != 0 {
				bits++
			}
			return netip.PrefixFrom(a, bits)
		}
	}
	switch first := a.As4()[0]; {
	case first < 128:
		return netip.PrefixFrom(a, 8)
	case first < 192:
		return netip.PrefixFrom(a, 16)
	}
	return netip.PrefixFrom(a, 24)
}

// aggregate reads an aggregate; summary-only holds its more-specifics back.
func (r *reader) aggregate(ro *router, l *line) {
	l.file(device.Modelled, true, "")
	p, err := netip.ParsePrefix(l.at(1))
	if err != nil {
		a, addrErr := netip.ParseAddr(l.at(1))
		if addrErr != nil || !a.Is4() {
			l.file(device.Partly, true, "the prefix cannot be read")
			return
		}
		p = classful(a, l)
	}
	if l.no {
		return
	}
	p = p.Masked()
	at := device.At{Pos: l.pos}
	r.cfg.Originated = append(r.cfg.Originated, device.OriginatedPrefix{At: at, Prefix: p, Source: device.Aggregate})
	for _, w := range l.rest(2) {
		inside := device.PrefixRange{Net: p, Min: p.Bits() + 1, Max: p.Addr().BitLen()}
		switch w {
		case "summary-only":
			ro.suppress = append(ro.suppress, &device.Term{At: at, Name: "suppressed by the aggregate", Then: device.Disposition{At: at, Flow: device.RejectRoute},
				Match: &device.PrefixMatch{At: at, Set: &device.PrefixSet{At: at, Entries: []device.PrefixEntry{{At: at, Range: inside}}}}})
		case "suppress-map", "match-map", "attribute-map", "advertise-map":
			l.file(device.Partly, true, w+" is not modelled")
			if w == "suppress-map" {
				ro.narrow = append(ro.narrow, l)
			}
		}
	}
}

// redistributed are the protocols as redistribute names them.
var redistributed = map[string]device.Protocol{
	"connected": device.Direct, "direct": device.Direct, "static": device.Static, "kernel": device.Kernel, "ospf": device.OSPF, "ospf6": device.OSPF,
	"ospfv3": device.OSPF, "isis": device.ISIS, "rip": device.RIP, "ripng": device.RIP,
}

func (r *reader) redistribute(ro *router, l *line, f device.Family) {
	l.file(device.Partly, true, "what it brings in is a candidate of every export policy")
	if l.no {
		return
	}
	at := device.At{Pos: l.pos}
	p, known := redistributed[l.at(1)]
	match := device.Expr(&device.ProtocolMatch{At: at, Protocols: []device.Protocol{p}})
	if f != device.AnyFamily {
		match = &device.And{At: at, Xs: []device.Expr{match, &device.FamilyMatch{At: at, Family: f}}}
	}
	if !known {
		match = &device.Const{At: at, Why: "no route of this protocol is judged"}
	}
	if ro.originates(l, match) {
		return
	}
	r.report(device.Diagnostic{
		At: device.At{Pos: l.pos}, Rule: "RL107", Severity: device.Warning,
		Message: l.text() + " brings every route of that source into BGP: only the export policies hold it back", Fix: "name a route-map that permits own prefixes alone",
	})
}

// template reads the templates of NX-OS and IOS.
func (r *reader) template(ro *router, l *line) {
	l.file(device.Modelled, true, "")
	p := ro.peer("template "+l.at(2), l.pos)
	p.group, p.to = true, l.end
	r.block(p, l.kids, device.AnyFamily)
}

// neighbor reads a line at a neighbor, or the block of one.
func (r *reader) neighbor(ro *router, l *line, f device.Family) {
	name := l.at(1)
	if name == "" {
		r.unread(l, "the neighbor has no name")
		return
	}
	rest := l.rest(2)
	if len(rest) == 0 && !r.t.blocks || l.no && len(rest) == 0 {
		l.file(device.Unmodelled, true, "the removal of a neighbor")
		return
	}
	p := ro.peer(name, l.pos)
	p.to = l.end
	l.file(device.Modelled, true, "")
	if len(rest) > 0 {
		r.setting(p, l, f, rest)
	}
	r.block(p, l.kids, f)
}

// block reads the lines below a neighbor or template.
func (r *reader) block(p *peer, ls []*line, f device.Family) {
	for _, k := range ls {
		if k.at(0) == "address-family" {
			k.file(device.Modelled, true, "")
			inner, _ := family(k.rest(1))
			p.scopes[inner] = true
			r.block(p, k.kids, inner)
			continue
		}
		r.setting(p, k, f, k.rest(0))
	}
}

func (p *peer) put(f device.Family, key string, s *setting) {
	if p.set[f] == nil {
		p.set[f] = map[string]*setting{}
	}
	p.set[f][key] = s
}

var (
	neighborModelled = set(`remote-as local-as description shutdown local-role activate route-map prefix-list filter-list
		distribute-list default-originate route-reflector-client route-server-client send-community inherit interface
		maximum-prefix maximum-prefix-out maximum-routes next-hop-self remove-private-as send-extended-community allowas-in unsuppress-map
		advertise-map as-override disable-peer-as-check enforce-first-as`)
	neighborIgnored = set(`update-source ebgp-multihop password timers passive bfd capability soft-reconfiguration version
		disable-connected-check ttl-security solo weight advertisement-interval port dont-capability-negotiate
		override-capability strict-capability-match addpath-tx-all-paths addpath-tx-bestpath-per-as graceful-restart
		graceful-restart-helper fall-over transport log-neighbor-changes low-memory tcp-mss rib-in auto-local-addr
		next-hop-unchanged idle-restart-timer maximum-accepted-routes link-bandwidth extended-next-hop tcp path-attribute
		sender-as-path-loop-detection shutdown-message address-family dynamic-capability connect-timer-x logging fast-external-fallover
		ha-mode slow-peer translate-update cluster-id aigp additional-paths encapsulation next-hop-v6-addr metric-out out-delay
		session-id translate exit exit-peer-policy exit-peer-session graceful-restart-disable ip extended-community extended-optional-parameters
		bfd-multihop route-to-peer rfd peer-tag keepalive-timeout graceful-shutdown bestpath rpki addpath advertise addpath-tx-best-selected
		remote-private-as affinity-group low-mem dampening disable-connected-check timers-connect oad path next-hop-self-force mpls-label
		neighbor-down link-local as-path-loop-detection bmp maximum ttl dont unsuppress damp encryption-x extended-nexthop next-hop-third-party next-hop`)
	neighborUnmodelled = set(`attribute-unchanged attribute-filter soo site-of-origin send-label
		route-filter dmzlink-bw optimal-route-reflection rcf missing-policy default-route internal-vpn-client`)
)

// setting files one line at a neighbor.
func (r *reader) setting(p *peer, l *line, f device.Family, ws []string) {
	key, args := strings.ToLower(ws[0]), ws[1:]
	s := &setting{l: l, args: args, off: l.no}
	l.file(device.Modelled, true, "")
	switch key {
	case "peer-group":
		if len(args) == 0 {
			p.group = true
			return
		}
	case "peer": // EOS: peer group [NAME]
		key = "peer-group"
		if len(args) < 2 {
			p.group = true
			return
		}
		s.args = args[1:]
	case "no":
		l.file(device.Partly, true, "")
		return
	case "inherit":
		if len(args) > 1 {
			p.links[f] = append(p.links[f], s)
		}
		return
	case "route-map", "prefix-list", "filter-list", "distribute-list":
		if len(args) < 2 {
			r.unread(l, "want a name and in or out")
			return
		}
		key += " " + args[len(args)-1]
		if key == "distribute-list out" || key == "distribute-list in" {
			if args[0] == "prefix" && len(args) == 3 {
				s.args = args[1:]
				key = "prefix-list " + args[2]
			}
		}
		if l.no {
			if p.set[f] != nil {
				delete(p.set[f], key)
			}
			return
		}
	case "interface":
		r.unnumbered(p, l, args)
		return
	case "export-localpref", "local-preference", "as-path", "import-localpref":
		l.file(device.Partly, true, "")
	default:
		switch {
		case neighborModelled[key]:
		case neighborIgnored[key]:
			l.file(device.IgnoredKnown, false, "")
		case neighborUnmodelled[key]:
			l.file(device.Unmodelled, true, "not modelled")
		default:
			l.file(device.Unread, true, "not known to this front end")
		}
	}
	p.put(f, key, s)
}

// unnumbered reads "neighbor IFACE interface [v6only] [remote-as N] [peer-group G]".
func (r *reader) unnumbered(p *peer, l *line, args []string) {
	p.put(device.AnyFamily, "interface", &setting{l: l})
	for i := 0; i+1 < len(args); i++ {
		if args[i] == "remote-as" || args[i] == "peer-group" {
			p.put(device.AnyFamily, args[i], &setting{l: l, args: args[i+1 : i+2]})
		}
	}
}
