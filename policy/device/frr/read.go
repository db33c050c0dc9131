package frr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Parse reads one FRR configuration. It always returns a Config: what cannot
// be read is in its diagnostics.
func Parse(in device.Input) *device.Config { return parse(in, device.FRR) }

// ParseIOS reads one Cisco IOS or IOS-XE configuration. A text that is plainly
// of NX-OS is read as that: both call themselves Cisco, and the blocks of one
// mean nothing in the other.
func ParseIOS(in device.Input) *device.Config {
	if Recognise(in.Data) == device.NXOS {
		return parse(in, device.NXOS)
	}
	return parse(in, device.IOS)
}

// ParseEOS reads one Arista EOS configuration.
func ParseEOS(in device.Input) *device.Config { return parse(in, device.EOS) }

// ParseNXOS reads one Cisco NX-OS configuration.
func ParseNXOS(in device.Input) *device.Config { return parse(in, device.NXOS) }

// reader collects what the file says before any of it gets its meaning: lists
// and route maps may stand in any order.
type reader struct {
	t    *traits
	cfg  *device.Config
	root []*line

	lists    map[listName]*list
	order    []*list
	maps     map[string]*routeMap
	mapOrder []*routeMap
	routers  []*router
	profile  string // "frr defaults"
}

func parse(in device.Input, d device.Dialect) *device.Config {
	r := &reader{t: dialects[d], lists: map[listName]*list{}, maps: map[string]*routeMap{}}
	roots, lines, templated := scan(in.Path, in.Data, r.t)
	r.root = roots
	r.cfg = &device.Config{
		Dialect: d, Version: in.Version, Files: []device.File{{Path: in.Path, Lines: lines}},
		// A route map that no entry of decides denies.
		Defaults: device.Defaults{Import: device.Reject, ExportBGP: device.Reject, ExportOther: device.Reject},
	}
	if !templated.IsZero() {
		r.cfg.Broken = true
		r.report(device.Diagnostic{At: device.At{Pos: templated}, Rule: "RL902", Message: "the file is a template, not a configuration", Fix: "lint the rendered file"})
	}
	for _, l := range roots {
		r.top(l)
	}
	r.finishLists()
	r.lowerMaps()
	for _, ro := range r.routers {
		r.sessions(ro)
	}
	r.unusedGuards()
	r.statements(roots, nil)
	r.cfg.SortDiagnostics()
	return r.cfg
}

func (r *reader) report(d device.Diagnostic) { r.cfg.Diagnostics = append(r.cfg.Diagnostics, d) }

// unread files a line that should mean something here and cannot be read.
func (r *reader) unread(l *line, why string) {
	l.file(device.Unread, true, why)
	what, fix := "cannot be read: "+why, "correct the line"
	if r.t.dropsLines {
		what += "; FRR skips such lines"
	}
	r.report(device.Diagnostic{At: device.At{Pos: l.pos}, Rule: "RL902", Severity: device.Warning, Message: fmt.Sprintf("%q %s", l.text(), what), Fix: fix})
}

// top reads a line that stands outside of every block.
func (r *reader) top(l *line) {
	switch l.at(0) {
	case "route-map":
		r.routeMap(l)
	case "router":
		if l.at(1) == "bgp" {
			r.router(l)
			return
		}
		l.file(device.IgnoredKnown, false, "")
	case "hostname", "switchname":
		r.cfg.Hostname = l.at(1)
		l.file(device.IgnoredKnown, false, "")
	case "frr":
		r.frrLine(l)
	case "version":
		if r.cfg.Version == "" {
			r.cfg.Version = l.at(1)
		}
		l.file(device.IgnoredKnown, false, "")
	case "ip", "ipv6", "bgp", "access-list":
		if !r.listLine(l) && !l.filed {
			r.other(l)
		}
	default:
		r.other(l)
	}
}

func (r *reader) frrLine(l *line) {
	l.file(device.IgnoredKnown, false, "")
	switch l.at(1) {
	case "defaults":
		r.profile = l.at(2)
		l.file(device.Modelled, true, "")
	case "version":
		if r.cfg.Version == "" {
			r.cfg.Version = l.at(2)
		}
	}
}

// elsewhere are the first words of lines that have nothing to do with BGP.
var elsewhere = set(`aaa aclmgr aggregate alias allow-imported-vpn archive arp auto banner bfd boot boot-end-marker boot-start-marker
	bridge building call cdp certificate class-map clock cns control-plane controller copp crypto current cvx daemon debug default
	define dhcp diagnostic dial-peer dot1x ecc enable end errdisable event exception exit fabric feature feature-set fex
	fips flow forward frame-relay gateway hardware hash http interface ip ipv6 iface isdn key key-chain kron l2vpn ldap lacp
	licence license line lldp load-interval location log logging mac mac-address-table management memory
	mgcp mlag monitor mpls mqc multilink netconf network-clock nv object-group ospf pagp password parser pim platform policy-map
	port-channel power process privilege ptp qos queue-monitor radius-server redundancy resource restconf rmon role router
	scheduler secret security service service-policy session show slot snmp snmp-server spanning-tree spd ssh sntp standby
	statistics storm-control stp subscriber switch switchport system tacacs tacacs-server telnet terminal tftp-server time-range
	timezone track transceiver transport udld upgrade username userpassphrase vdc virtual-service vlan vmtracer vni voice
	voice-card voice-port vpc vpdn vrf vtp vxlan wait-start warm-reboot wlan xconnect zone rpki segment-routing nexthop-group
	traffic-engineering pbr-map integrated-vtysh-config domain nat archive swprofile group ntp tacacs+ terminal-length
	no-dns dns traffic-policy tap-aggregation maintenance peer-filter daemon sflow tcam remark shutdown`)

// other files a line that is not of this front end: known to have no bearing
// on what is advertised, or not known at all.
func (r *reader) other(l *line) {
	if elsewhere[strings.ToLower(l.at(0))] {
		l.file(device.IgnoredKnown, false, "")
		return
	}
	l.file(device.Unread, false, "not known to this front end")
}

// statements files every line; a line nobody looked at shares the state of its
// block.
func (r *reader) statements(ls []*line, parent *line) {
	for _, l := range ls {
		if !l.filed && parent != nil {
			l.file(parent.state, parent.policy, parent.why)
		}
		r.cfg.Statements = append(r.cfg.Statements, device.Statement{
			At: device.At{Pos: l.pos}, State: l.state, Policy: l.policy, Text: l.text(), Why: l.why,
		})
		r.statements(l.kids, l)
	}
}

// guards are words operators call what keeps routes in.
var guards = []string{"no-export", "noexport", "bogon", "martian", "leak", "reject", "deny", "learned", "peer-tag", "transit-tag"}

// unusedGuards reports lists that are named like a guard and guard nothing
// (RL305).
func (r *reader) unusedGuards() {
	for _, s := range r.cfg.Sets {
		if s.Used > 0 || s.Kind == device.AccessListKind {
			continue
		}
		name := strings.ToLower(s.Name)
		if !slices.ContainsFunc(guards, func(g string) bool { return strings.Contains(name, g) }) {
			continue
		}
		r.report(device.Diagnostic{
			At: s.At, Rule: "RL305", Severity: device.Warning, Set: s.Name,
			Message: string(s.Kind) + " " + s.Name + " is named like a guard and nothing uses it", Fix: "use it in the export policies or remove it",
		})
	}
}

// number reads a decimal number that fits bits.
func number(s string, bits int) (uint32, bool) {
	v, err := strconv.ParseUint(s, 10, bits)
	return uint32(v), err == nil
}

// asn reads an ASN, plain or with a dot.
func asn(s string) (uint32, bool) {
	if high, low, dotted := strings.Cut(s, "."); dotted {
		h, ok1 := number(high, 16)
		l, ok2 := number(low, 16)
		return h<<16 | l, ok1 && ok2
	}
	return number(s, 32)
}
