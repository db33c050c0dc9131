package frr_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
)

// learned is a route from a customer with one community, as a table of BGP
// holds it.
func learned(prefix string) device.Route {
	r := device.Route{
		Prefix: netip.MustParsePrefix(prefix), ASPath: []uint32{64500, 64501}, NextHop: netip.MustParseAddr("198.51.100.9"),
		Source:      device.Source{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("198.51.100.9"), ASN: 64500},
		Communities: []device.Community{{Kind: device.Standard, Text: "65000:200"}},
	}
	r.Scalars.Set(device.MED, 5)
	return r
}

func parse(t *testing.T, d device.Dialect, text string) *device.Config {
	t.Helper()
	cfg, ok := frontend.Parse(d, device.Input{Path: "router.conf", Data: []byte(text)})
	if !ok {
		t.Fatalf("no front end for %s", d)
	}
	return cfg
}

// export is what the first session with 192.0.2.1 does with a route.
func export(t *testing.T, d device.Dialect, text, prefix string) concrete.Result {
	t.Helper()
	ss := parse(t, d, text).SessionsFor("192.0.2.1", device.AnyFamily)
	if len(ss) == 0 {
		t.Fatalf("%s: no session in\n%s", d, text)
	}
	return concrete.Session(ss[0], concrete.Export, learned(prefix))
}

const (
	frrHead  = "router bgp 65000\n neighbor 192.0.2.1 remote-as 65001\n neighbor 192.0.2.1 send-community\n"
	outMap   = frrHead + " neighbor 192.0.2.1 route-map X out\n"
	nxosHead = "router bgp 65000\n  neighbor 192.0.2.1\n    remote-as 65001\n    address-family ipv4 unicast\n"
)

// What the dialects make of the same words, and what is not confirmed.
func TestDialects(t *testing.T) {
	const yes, no, open = device.Accept, device.Reject, device.Undecided
	for _, tt := range []struct {
		name                string
		body                string // FRR, IOS and EOS
		nx                  string // NX-OS, below the address family
		frr, ios, eos, nxos device.Verdict
	}{
		{"no policy", frrHead, "", no, yes, yes, yes},
		{"undefined route map", outMap, "      route-map X out\n", no, no, yes, no},
		{"undefined prefix list at the neighbor", frrHead + " neighbor 192.0.2.1 prefix-list P out\n", "      prefix-list P out\n", no, open, open, open},
		{"undefined prefix list in a permit entry", outMap + "route-map X permit 10\n match ip address prefix-list P\n",
			"      route-map X out\nroute-map X permit 10\n  match ip address prefix-list P\n", no, open, open, yes},
		{"undefined community list in a deny entry", outMap + "route-map X deny 10\n match community C\nroute-map X permit 20\n",
			"      route-map X out\nroute-map X deny 10\n  match community C\nroute-map X permit 20\n", yes, open, open, yes},
		{"undefined access list", outMap + "route-map X permit 10\n match ip address 10\n", "      route-map X out\nroute-map X permit 10\n  match ip address A\n", no, yes, open, open},
		{"permit, continue, nothing after it matches", outMap + "route-map X permit 10\n continue 20\nroute-map X permit 20\n match tag 9\n",
			"      route-map X out\nroute-map X permit 10\n  continue 20\nroute-map X permit 20\n  match tag 9\n", no, yes, yes, yes},
		{"continue past the end", outMap + "route-map X permit 10\n continue 90\nroute-map X deny 20\n",
			"      route-map X out\nroute-map X permit 10\n  continue 90\nroute-map X deny 20\n", yes, yes, yes, yes},
		{"continue in a deny entry", outMap + "route-map X deny 10\n continue 20\nroute-map X permit 20\n",
			"      route-map X out\nroute-map X deny 10\n  continue 20\nroute-map X permit 20\n", no, open, open, yes},
		{"two conditions of a kind", outMap + "ip prefix-list A permit 203.0.113.0/24\nip prefix-list B permit 192.0.2.0/24\nroute-map X permit 10\n match ip address prefix-list A\n match ip address prefix-list B\n",
			"      route-map X out\nip prefix-list A permit 203.0.113.0/24\nip prefix-list B permit 192.0.2.0/24\nroute-map X permit 10\n  match ip address prefix-list A\n  match ip address prefix-list B\n", no, yes, open, yes},
		{"a line that is no condition", outMap + "route-map X permit 10\n match nonsense\n", "      route-map X out\nroute-map X permit 10\n  match nonsense\n", yes, open, open, open},
	} {
		for d, want := range map[device.Dialect]device.Verdict{device.FRR: tt.frr, device.IOS: tt.ios, device.EOS: tt.eos, device.NXOS: tt.nxos} {
			text := tt.body
			if d == device.NXOS {
				text = nxosHead + tt.nx
			}
			if got := export(t, d, text, "203.0.113.0/24"); got.Verdict != want {
				t.Errorf("%s on %s: %s, want %s: %+v", tt.name, d, got.Verdict, want, got.Trace)
			}
		}
	}
}

// Facts of FRR that the daemon taught.
func TestFRR(t *testing.T) {
	const yes, no, open = device.Accept, device.Reject, device.Undecided
	for _, tt := range []struct {
		name, text string
		want       device.Verdict
	}{
		{"no policy, profile datacenter", "frr defaults datacenter\n" + frrHead, yes},
		{"no policy, a version between", "frr version 7.4\n" + frrHead, open},
		{"match metric 0 is dropped", outMap + "route-map X permit 10\n match metric 0\n", yes},
		{"MED is seen on export", outMap + "route-map X permit 10\n match metric 5\n", yes},
		{"match peer does not hold on export", outMap + "route-map X permit 10\n match peer 192.0.2.1\n", no},
		{"undefined call", outMap + "route-map X permit 10\n call Y\n", yes},
		{"route maps that call each other", outMap + "route-map X permit 10\n call Y\nroute-map Y permit 10\n call X\n", open},
		{"all filters have to permit", outMap + " neighbor 192.0.2.1 filter-list F out\nbgp as-path access-list F deny _64501$\nroute-map X permit 10\n", no},
		{"summary-only holds back", frrHead + " neighbor 192.0.2.1 route-map X out\n aggregate-address 203.0.0.0/16 summary-only\nroute-map X permit 10\n", no},
		{"not activated", "router bgp 65000\n no bgp default ipv4-unicast\n neighbor 192.0.2.1 remote-as 65001\n neighbor 192.0.2.1 route-map X out\nroute-map X permit 10\n", no},
		{"shut down", outMap + " neighbor 192.0.2.1 shutdown\nroute-map X permit 10\n", no},
		{"the group's policy", "route-map X permit 10\nrouter bgp 65000\n neighbor G peer-group\n neighbor G remote-as 65001\n neighbor 192.0.2.1 peer-group G\n address-family ipv4 unicast\n  neighbor G route-map X out\n exit-address-family\n", yes},
		{"blocks without indentation", "route-map X permit 10\nmatch community C\nroute-map X deny 20\n!\nbgp community-list standard C permit 65000:200\nrouter bgp 65000\nneighbor 192.0.2.1 remote-as 65001\naddress-family ipv4 unicast\nneighbor 192.0.2.1 route-map X out\nexit-address-family\n", yes},
		{"a template", outMap + "route-map {{ name }} permit 10\nroute-map X permit 10\n", open},
		{"a banner is no configuration", "banner motd ^C\nroute-map X permit 10\n^C\n" + outMap, no},
	} {
		if got := export(t, device.FRR, tt.text, "203.0.113.0/24"); got.Verdict != tt.want {
			t.Errorf("%s: %s, want %s: %+v", tt.name, got.Verdict, tt.want, got.Trace)
		}
	}
}

// The AS path and communities as they are sent.
func TestSent(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		path       []uint32
		community  string
	}{
		{"plain", outMap + "route-map X permit 10\n", []uint32{65000, 64500, 64501}, "65000:200"},
		{"prepended", outMap + "route-map X permit 10\n set as-path prepend 65000 65000\n", []uint32{65000, 65000, 65000, 64500, 64501}, "65000:200"},
		{"local-as", outMap + " neighbor 192.0.2.1 local-as 64999\nroute-map X permit 10\n", []uint32{64999, 65000, 64500, 64501}, "65000:200"},
		{"a list deletes", outMap + "bgp community-list standard C permit 65000:200\nroute-map X permit 10\n set comm-list C delete\n", []uint32{65000, 64500, 64501}, ""},
		{"a later set of a kind replaces", outMap + "route-map X permit 10\n set community 1:1\n set community 2:2\n", []uint32{65000, 64500, 64501}, "2:2"},
		{"confederation", outMap + " bgp confederation identifier 64000\nroute-map X permit 10\n", []uint32{64000, 64500, 64501}, "65000:200"},
	} {
		got := export(t, device.FRR, tt.text, "203.0.113.0/24")
		if got.Verdict != device.Accept || !slices.Equal(got.Route.ASPath, tt.path) || device.WholeText(device.Standard, got.Route.Communities) != tt.community {
			t.Errorf("%s: %s %v %v", tt.name, got.Verdict, got.Route.ASPath, got.Route.Communities)
		}
	}
	for d, want := range map[device.Dialect]string{device.FRR: "65000:200", device.IOS: "", device.EOS: ""} {
		text := strings.Replace(outMap, " neighbor 192.0.2.1 send-community\n", "", 1) + "route-map X permit 10\n"
		if got := device.WholeText(device.Standard, export(t, d, text, "203.0.113.0/24").Route.Communities); got != want {
			t.Errorf("%s without send-community sends %q, want %q", d, got, want)
		}
	}
}

// Access lists ask for the address, its wildcard and, when extended, the mask.
func TestAccessLists(t *testing.T) {
	for _, tt := range []struct {
		list, prefix string
		want         bool
	}{
		{"access-list 10 permit 203.0.112.0 0.0.1.255", "203.0.113.0/24", true},
		{"access-list 10 permit 203.0.112.0 0.0.0.255", "203.0.113.0/24", false},
		{"access-list 10 permit 203.0.112.1 0.255.255.254", "203.0.113.0/24", false},
		{"access-list 10 permit ip 203.0.113.0 0.0.0.255 host 255.255.255.0", "203.0.113.0/24", true},
		{"access-list 10 permit ip 203.0.113.0 0.0.0.255 host 255.255.255.0", "203.0.113.0/25", false},
		{"access-list 10 permit ip any 255.255.255.128 0.0.0.127", "203.0.113.0/25", true},
		{"access-list 10 permit 203.0.113.0/24", "203.0.113.128/25", true},
		{"access-list 10 permit 203.0.113.0/24 exact-match", "203.0.113.128/25", false},
		{"access-list 10 deny host 203.0.113.0\naccess-list 10 permit any", "203.0.113.0/24", false},
		{"ip access-list standard 10\n 20 permit any\n 10 deny 203.0.113.0 0.0.0.255", "203.0.113.0/24", false},
	} {
		got := export(t, device.FRR, outMap+tt.list+"\nroute-map X permit 10\n match ip address 10\n", tt.prefix).Verdict
		if want := map[bool]device.Verdict{true: device.Accept, false: device.Reject}[tt.want]; got != want {
			t.Errorf("%s on %s: %s, want %s", tt.list, tt.prefix, got, want)
		}
	}
}

// Diagnostics that need no evaluation, with the line they are about.
func TestDiagnostics(t *testing.T) {
	for _, tt := range []struct {
		rule, text string
		line       int
	}{
		{"RL107", "router bgp 1\n redistribute connected\n", 2},
		{"RL207", "route-map X permit 10\n match route-type local\n", 2},
		{"RL208", "route-map X permit 10\n match tag 1\n match tag 2\n", 3},
		{"RL209", "ip prefix-list A permit any\nipv6 prefix-list A permit any\nroute-map X permit 10\n match ip address prefix-list A\n match ipv6 address prefix-list A\n", 5},
		{"RL301", outMap, 4},
		{"RL302", "route-map X permit 10\n match as-path N\n", 2},
		{"RL303", "route-map X deny 10\n match community N\n", 2},
		{"RL304", "route-map X permit 10\n call N\n", 2},
		{"RL305", "bgp community-list standard NO-EXPORT-TAG permit 1:1\n", 1},
		{"RL306", "route-map X permit 10\n set comm-list N delete\n", 2},
		{"RL307", "route-map X permit 10\n continue 20\n", 2},
		{"RL403", "router bgp 1\n no bgp ebgp-requires-policy\n", 2},
		{"RL902", "ip prefix-list A permit 10.0.0.0/8 ge 4\n", 1},
	} {
		cfg := parse(t, device.FRR, tt.text)
		if len(cfg.Diagnostics) != 1 || cfg.Diagnostics[0].Rule != tt.rule || cfg.Diagnostics[0].Pos.Line != tt.line {
			t.Errorf("%s at line %d: %+v", tt.rule, tt.line, cfg.Diagnostics)
		}
	}
}

// RFC 9234: the role of the neighbor is known from the configuration.
func TestRole(t *testing.T) {
	s := parse(t, device.FRR, outMap+" neighbor 192.0.2.1 local-role customer strict-mode\n").Sessions[0]
	if s.Role != device.Provider || s.RoleSource != device.RoleConfigured || !s.Facts.StrictRole {
		t.Errorf("%+v", s)
	}
	r := learned("203.0.113.0/24")
	r.Scalars.Set(device.OTC, 64500)
	text := outMap + " neighbor 192.0.2.1 local-role customer\nroute-map X permit 10\n"
	if got := concrete.Session(parse(t, device.FRR, text).Sessions[0], concrete.Export, r); got.Verdict != device.Reject {
		t.Errorf("a route with OTC goes to a provider: %+v", got.Trace)
	}
}
