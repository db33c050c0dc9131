package junos

import (
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// scalars take one value: an inherited one gives way to one in place.
var scalars = set(`peer-as type local-address description hold-time preference autonomous-system cluster authentication-key
	local-preference metric metric2 metric3 metric4 origin host-name version instance-type local-as tag2 route-type
	router-id family-limit authentication-algorithm authentication-key-chain metric-out as-path-prepend route-distinguisher`)

func isScalar(word string) bool { return scalars[word] }

// topLevel are the statements of the first level.
var topLevel = set(`version groups apply-groups apply-groups-except system chassis services interfaces snmp forwarding-options event-options
	routing-options protocols policy-options class-of-service firewall routing-instances logical-systems security vlans
	bridge-domains applications access access-profile switch-options ethernet-switching-options virtual-chassis poe
	multi-chassis accounting-options dynamic-profiles diameter jsrc tenants wlan multicast-snooping-options unified-edge
	fabric vmhost extensions schedulers smtp session-limit-group profile rcsid logging sampling partition gtp l2-learning
	virtual-network-functions host-os nfv-back-plane bfd openconfig-interfaces openconfig-bgp subscriber-management layer2-control license`)

// bgpModelled are the statements below protocols bgp, a group or a neighbor
// that this front end gives a meaning.
var bgpModelled = set(`export import type peer-as local-as neighbor group allow cluster family shutdown disable remove-private
	as-override advertise-peer-as no-advertise-peer-as route-server-client defaults dynamic-neighbor loops no-client-reflect`)

// bgpPartly have a bearing that is modelled in part.
var bgpPartly = set(`confederation advertise-inactive advertise-external`)

// bgpUnmodelled have a bearing on what is advertised that is not modelled.
var bgpUnmodelled = set(`vpn-apply-export outbound-route-filter include-mp-next-hop egress-te conditional-export optimal-route-reflection
	advertise-bgp-static rfc6514-compliant-safi129 accept-remote-nexthop peer-as-list precision-timers-policy
	egress-te-node-segment rib-sharding-policy send-addpath-optimization advertise-prefix-sid`)

// bgpIgnored have no bearing on which routes are advertised.
var bgpIgnored = set(`description local-address authentication-key authentication-algorithm authentication-key-chain hold-time keep
	log-updown traceoptions multipath bfd-liveness-detection graceful-restart mtu-discovery tcp-mss tcp-aggressive-transmission ttl passive
	out-delay metric-out path-selection preference multihop damping local-interface local-preference idle-after-switch-over
	bgp-error-tolerance graceful-shutdown ipsec-sa mvpn-iana-rt-import output-queue-priority stale-labels-holddown-period
	minimum-hold-time disable-4byte-as drop-path-attributes hold-down unconfigured-peer-graceful-restart validate authentication
	as-path-prepend bmp enforce-first-as no-nexthop-change no-aggregator-id delay-route-advertisements no-advertise-4byte
	holdtime ttl-security no-prepend session-mode tos precision-timers snmp-options sagment-routing-te rib-sharding update-threading
	segment-routing-te source-packet-routing add-path-display-ipv4-address nsr-phantom-holdtime no-precision-timers tcp-connect-port
	bgp-config egress-te-backup-paths egress-te-sid-stats group-split-size iso-holdtime iso-neighbor-hold-time output-queue-priority-rank
	send-buffer receive-buffer link-state-te suppress-route-download apply-macro long-lived-graceful-restart
	tunnel-encapsulation transport-class set-tcp-option no-install traffic-statistics-labeled-path`)

// thenIgnored are actions with no bearing on what is advertised.
var thenIgnored = set(`load-balance forwarding-class damping external install-nexthop cos-next-hop-map class source-class
	destination-class map-to-interface color color2 trace analyze label-allocation label add-path aigp-originate aigp-adjust
	ssm-source p2mp-lsp-root dynamic-tunnel-attributes priority bgp-output-queue-priority validation-state count log
	no-entropy-label-capability resolution-map sr-te-template tunnel-attribute prefix-segment explicit-null
	multipath-resolve accounting bgp-path-hunting no-route-localize no-backup backup-path bandwidth-non-eligible
	limit-bandwidth get-route-range lsp-index mhop-bfd-port set-down-bit srte-color tunnel-end-point-address
	redundancy-group use-igp-metric nhc-index tunnel-map reserve-bandwidth preference-group traffic-class
	metric-type next-hop-self-route selected-mldp-egress no-mvpn-advertisement walkup reset`)

// policyOptions are the statements of policy-options; true when the policies
// of BGP may use them.
var policyOptions = map[string]bool{
	"policy-statement": true, "prefix-list": true, "community": true, "as-path": true, "as-path-group": true, "condition": true,
	"as-list": true, "as-list-group": true, "route-filter-list": true, "large-community": true,
	"damping": false, "defaults": true, "application-maps": false, "mac-list": false, "redundancy-policy": false,
	"rtf-prefix-list": false, "tunnel-attribute": false, "resolution-map": false, "route-distinguisher": false, "apply-macro": false,
	"vrf-target-list": false, "ecmp": false, "walkup": false, "map": false,
}

// sweep files what nobody marked in the parts that bear on policy.
func (s *scope) sweep() {
	if po := s.root.Child("policy-options"); po != nil {
		s.rest(po)
	}
	places := []*tree.Node{s.root}
	if ri := s.root.Child("routing-instances"); ri != nil {
		places = append(places, ri.Kids()...)
	}
	for _, at := range places {
		if bgp := at.Find("protocols", "bgp"); bgp != nil {
			s.rest(bgp)
		}
	}
}

// rest marks every unmarked end below n: switched off, or not known.
func (s *scope) rest(n *tree.Node) {
	if _, _, ok := n.State(); ok && n.Leaf() {
		return
	}
	if n.Inactive {
		n.Cover(device.IgnoredKnown, "inactive")
		return
	}
	if n.Leaf() {
		n.Mark(device.Unread, "not known to this front end")
		return
	}
	for _, k := range n.Kids() {
		s.rest(k)
	}
}

// metaWords may stand anywhere.
var metaWords = set(`apply-groups apply-groups-except apply-macro`)

// statements files every statement of the text.
func (b *builder) statements() {
	for _, st := range b.t.Statements {
		leaves := st.Live()
		if len(leaves) == 0 {
			continue
		}
		n := leaves[0]
		words := n.Words(nil)
		out := device.Statement{At: device.At{Pos: st.Pos}, State: device.Modelled, Text: n.Path(), Inactive: n.Off()}
		known := false
		for _, l := range leaves {
			if state, why, ok := l.State(); ok {
				known = true
				if state < out.State {
					out.State, out.Why = state, why
				}
			}
		}
		out.Policy = bears(words)
		switch {
		case metaWords[n.Word] || len(words) > 1 && metaWords[words[len(words)-2]]:
			out.State, out.Why, out.Policy = device.Modelled, "", false
		case out.Inactive:
			out.State, out.Why = device.IgnoredKnown, "inactive"
		case known:
		case words[0] == "groups" && len(words) > 2 && topLevel[words[2]]:
			out.State, out.Why = device.IgnoredKnown, "no statement inherits it"
		case topLevel[words[0]]:
			out.State, out.Why = device.IgnoredKnown, ""
		default:
			out.State, out.Why = device.Unread, "not known to this front end"
		}
		b.cfg.Statements = append(b.cfg.Statements, out)
	}
}

// bears reports whether a statement has to do with what is advertised.
func bears(words []string) bool {
	for len(words) > 2 && (words[0] == "groups" || words[0] == "logical-systems" || words[0] == "routing-instances") {
		words = words[2:]
	}
	switch {
	case words[0] == "policy-options":
		return len(words) == 1 || policyOptions[words[1]] || !has(policyOptions, words[1])
	case len(words) > 1 && words[0] == "protocols" && words[1] == "bgp":
		for _, w := range words[2:] {
			if bgpIgnored[w] {
				return false
			}
		}
		return true
	case len(words) > 1 && words[0] == "routing-options":
		return words[1] == "autonomous-system" || words[1] == "confederation"
	}
	return false
}

func has[V any](m map[string]V, k string) bool {
	_, ok := m[k]
	return ok
}
