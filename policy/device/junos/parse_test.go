package junos_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
)

// world is what the conditions and actions of the tests refer to. The policy P
// of the session has one term of the test, then rejects.
const world = `
routing-options { autonomous-system 64496; }
interfaces { ge-0/0/0 { unit 0 { family inet { address 203.0.113.1/30; } } } }
policy-options {
    prefix-list OWN { 198.51.100.0/24; 2001:db8::/32; 192.0.2.77; }
    prefix-list EMPTY;
    prefix-list NEIGHBORS { apply-path "protocols bgp group <*> neighbor <*>"; }
    prefix-list NOTHING { apply-path "protocols bgp group <x*> neighbor <*>"; }
    community A members 64496:1;
    community AB members [ 64496:1 64496:2 ];
    community NOT-A { invert-match; members 64496:1; }
    community ANY members *:*;
    community TENS members "^64496:.0$";
    community LOOSE members "64496:1.";
    community LARGE members large:64496:1:1;
    community RT members target:64496:7;
    community NONE;
    community NOEXP members no-export;
    as-path CUST "64500+ .*";
    as-path BAD "64500(";
    as-path-group GRP { as-path one "64500"; as-path two "64501 .*"; }
    condition C { if-route-exists { 0.0.0.0/0; table inet.0; } }
    policy-statement YES { then accept; }
    policy-statement NO { then reject; }
    policy-statement OPEN { term x { from protocol static; then reject; } }
    policy-statement P {
        term t { %s }
        then reject;
    }
}
protocols { bgp {
    group up { peer-as 64511; export P; neighbor 192.0.2.1; }
    group v6 { peer-as 64512; export P; family inet6 { unicast; } neighbor 2001:db8:1::1; }
    group mesh { type internal; neighbor 192.0.2.9; }
} }
`

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// peerRoute is 198.51.100.0/24 of AS 64500 with community 64496:1.
func peerRoute(change ...func(*device.Route)) device.Route {
	r := device.Route{
		Prefix: netip.MustParsePrefix("198.51.100.0/24"), ASPath: []uint32{64500}, NextHop: addr("192.0.2.9"),
		Source:      device.Source{Protocol: device.EBGP, Neighbor: addr("192.0.2.5"), ASN: 64500},
		Communities: []device.Community{{Kind: device.Standard, Text: "64496:1"}},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func prefix(s string) func(*device.Route) {
	return func(r *device.Route) { r.Prefix = netip.MustParsePrefix(s) }
}

func from(p device.Protocol) func(*device.Route) {
	return func(r *device.Route) {
		r.Source = device.Source{Protocol: p}
		if p == device.IBGP {
			r.Source.Neighbor = addr("192.0.2.9")
		}
	}
}

func tagged(cs ...string) func(*device.Route) {
	return func(r *device.Route) {
		r.Communities = nil
		for _, c := range cs {
			kind := device.Standard
			if strings.Count(c, ":") == 2 {
				kind = device.Large
			}
			if strings.HasPrefix(c, "rt:") {
				kind = device.Extended
			}
			r.Communities = append(r.Communities, device.Community{Kind: kind, Text: c})
		}
		r.Communities = device.SortCommunities(r.Communities)
	}
}

func path(asns ...uint32) func(*device.Route) { return func(r *device.Route) { r.ASPath = asns } }

func scalar(f device.Field, v uint32) func(*device.Route) {
	return func(r *device.Route) { r.Scalars.Set(f, v) }
}

func parse(text string) *device.Config {
	return junos.Parse(device.Input{Path: "t.conf", Data: []byte(text)})
}

func exportTo(t *testing.T, cfg *device.Config, neighbor string, r device.Route) concrete.Result {
	t.Helper()
	for _, s := range cfg.Sessions {
		if s.Name == neighbor {
			return concrete.Session(s, concrete.Export, r)
		}
	}
	t.Fatalf("no session %s", neighbor)
	return concrete.Result{}
}

func TestConditions(t *testing.T) {
	const yes, no, unknown = device.Accept, device.Reject, device.Undecided
	tests := []struct {
		from string
		r    device.Route
		want device.Verdict
	}{
		{``, peerRoute(), yes},
		{`from { prefix-list OWN; }`, peerRoute(), yes},
		{`from { prefix-list OWN; }`, peerRoute(prefix("198.51.100.0/25")), no},
		{`from { prefix-list OWN; }`, peerRoute(prefix("192.0.2.77/32")), yes},
		{`from { prefix-list EMPTY; }`, peerRoute(), no},
		{`from { prefix-list NOTHING; }`, peerRoute(), no},
		{`from { prefix-list NEIGHBORS; }`, peerRoute(prefix("192.0.2.9/32")), yes},
		{`from { prefix-list UNDEFINED; }`, peerRoute(), unknown},
		{`from { prefix-list-filter OWN orlonger; }`, peerRoute(prefix("198.51.100.0/25")), yes},
		{`from { prefix-list-filter OWN longer; }`, peerRoute(), no},
		{`from { prefix-list-filter OWN exact; }`, peerRoute(), yes},
		{`from { prefix-list-filter OWN sideways; }`, peerRoute(), unknown},
		{`from { prefix-list EMPTY; route-filter 198.51.100.0/24 exact; }`, peerRoute(), yes},
		{`from { protocol static; prefix-list OWN; }`, peerRoute(), no},
		{`from { inactive: prefix-list EMPTY; protocol bgp; }`, peerRoute(), yes},
		{`inactive: from { prefix-list EMPTY; }`, peerRoute(), yes},

		{`from { route-filter 198.51.0.0/16 orlonger; }`, peerRoute(), yes},
		{`from { route-filter 198.51.100.0/24 longer; }`, peerRoute(), no},
		{`from { route-filter 198.51.0.0/16 upto /24; }`, peerRoute(), yes},
		{`from { route-filter 198.51.0.0/16 upto /23; }`, peerRoute(), no},
		{`from { route-filter 198.51.0.0/16 prefix-length-range /17-/23; }`, peerRoute(), no},
		{`from { route-filter 198.51.0.0/16 prefix-length-range /24-/24; }`, peerRoute(), yes},
		{`from { route-filter 198.51.0.0/16 through 198.51.100.0/24; }`, peerRoute(), yes},
		{`from { route-filter 198.51.0.0/16 through 198.51.0.0/24; }`, peerRoute(), no},
		{`from { route-filter 198.51.7.0/24 address-mask 255.0.255.0; }`, peerRoute(prefix("198.9.7.0/24")), yes},
		{`from { route-filter 198.51.100.9/24 exact; }`, peerRoute(), yes},
		{`from { route-filter 198.51.100.0/24; }`, peerRoute(), unknown},
		{`from { route-filter 198.51.100.0/24 roughly; }`, peerRoute(), unknown},
		// The longest network is the /24, which takes the /24 alone.
		{`from { route-filter 198.51.0.0/16 orlonger; route-filter 198.51.100.0/24 exact; }`, peerRoute(), yes},
		{`from { route-filter 198.51.0.0/16 orlonger; route-filter 198.51.100.0/24 exact; }`, peerRoute(prefix("198.51.100.0/25")), unknown},
		{`from { route-filter 198.51.0.0/16 orlonger; route-filter 198.51.100.0/24 exact; }`, peerRoute(prefix("198.51.0.0/25")), yes},
		{`from { route-filter 198.51.0.0/16 orlonger; route-filter 198.51.100.0/24 exact; }`, peerRoute(prefix("198.52.0.0/25")), no},
		{`from { route-filter 198.51.0.0/16 exact; route-filter 198.51.100.0/24 exact; }`, peerRoute(prefix("198.51.100.0/25")), no},
		{`from { route-filter 198.51.100.0/24 exact reject; }`, peerRoute(), unknown},
		{`from { route-filter 198.51.100.0/24 exact reject; }`, peerRoute(prefix("192.0.2.0/24")), no},
		{`from { route-filter 198.51.100.0/24 exact accept; }`, peerRoute(), yes},

		{`from protocol bgp;`, peerRoute(), yes},
		{`from protocol [ static direct ];`, peerRoute(), no},
		{`from protocol [ static direct ];`, peerRoute(from(device.Static)), yes},
		{`from protocol ldp;`, peerRoute(), no},
		{`from protocol ldp;`, peerRoute(from(device.OtherProtocol)), unknown},
		{`from protocol carrier-pigeon;`, peerRoute(), unknown},
		{`from route-type internal;`, peerRoute(), no},
		{`from route-type internal;`, peerRoute(from(device.IBGP)), yes},
		{`from route-type internal;`, peerRoute(from(device.Static)), unknown},
		{`from route-type external;`, peerRoute(), yes},
		{`from family inet;`, peerRoute(), yes},
		{`from { family inet; family inet6; }`, peerRoute(), no},
		{`from rib inet6.0;`, peerRoute(), no},
		{`from rib inet.2;`, peerRoute(), no},
		{`from instance blue;`, peerRoute(), unknown},
		{`from interface ge-0/0/0.0;`, peerRoute(from(device.Direct), prefix("203.0.113.0/30")), yes},
		{`from interface ge-0/0/0.0;`, peerRoute(from(device.Direct)), no},
		{`from interface ge-0/0/0.0;`, peerRoute(), unknown},
		{`from interface xe-9/9/9.0;`, peerRoute(from(device.Direct)), unknown},
		{`from neighbor 192.0.2.5;`, peerRoute(), yes},
		{`from neighbor 192.0.2.6;`, peerRoute(), no},
		{`to neighbor 192.0.2.1;`, peerRoute(), yes},
		{`to neighbor 192.0.2.5;`, peerRoute(), no},
		{`to rib inet.0;`, peerRoute(), yes},
		{`to level 1;`, peerRoute(), unknown},
		{`from next-hop [ 192.0.2.8 192.0.2.9 ];`, peerRoute(), yes},
		{`from next-hop discard;`, peerRoute(), unknown},
		{`from condition C;`, peerRoute(), unknown},
		{`from area 0.0.0.0;`, peerRoute(), unknown},
		{`from mind-reading on;`, peerRoute(), unknown},
		{`from validation-database invalid;`, peerRoute(func(r *device.Route) { r.RPKI = device.RPKIInvalid }), yes},

		{`from community A;`, peerRoute(), yes},
		{`from community AB;`, peerRoute(), no},
		{`from community AB;`, peerRoute(tagged("64496:1", "64496:2")), yes},
		{`from community [ AB A ];`, peerRoute(), yes},
		{`from community NOT-A;`, peerRoute(), no},
		{`from community NOT-A;`, peerRoute(tagged()), yes},
		{`from community ANY;`, peerRoute(), yes},
		{`from community ANY;`, peerRoute(tagged("64496:1:1")), yes},
		{`from community ANY;`, peerRoute(tagged()), no},
		{`from community TENS;`, peerRoute(tagged("64496:10")), yes},
		{`from community TENS;`, peerRoute(tagged("64496:110")), no},
		{`from community LOOSE;`, peerRoute(tagged("64496:11")), yes},
		{`from community LOOSE;`, peerRoute(tagged("64496:111")), unknown},
		{`from community LOOSE;`, peerRoute(tagged("64497:11")), no},
		{`from community LARGE;`, peerRoute(tagged("64496:1:1")), yes},
		{`from community RT;`, peerRoute(tagged("rt:64496:7")), yes},
		{`from community NONE;`, peerRoute(), unknown},
		{`from community UNDEFINED;`, peerRoute(), unknown},
		{`from community-count 1 orhigher;`, peerRoute(), yes},
		{`from community-count 2;`, peerRoute(), no},
		{`from community-count many;`, peerRoute(), unknown},

		{`from as-path CUST;`, peerRoute(path(64500, 64500, 1)), yes},
		{`from as-path CUST;`, peerRoute(path(64501)), no},
		{`from as-path BAD;`, peerRoute(), unknown},
		{`from as-path UNDEFINED;`, peerRoute(), unknown},
		{`from as-path-group GRP;`, peerRoute(path(64501, 9)), yes},
		{`from as-path-group GRP;`, peerRoute(path(64500, 9)), no},
		{`from as-path-calc-length 1 orlower;`, peerRoute(), yes},

		{`from local-preference 100;`, peerRoute(), yes},
		{`from { local-preference 100; local-preference 200; }`, peerRoute(), no},
		{`from metric 5;`, peerRoute(scalar(device.MED, 5)), yes},
		{`from metric 5;`, peerRoute(), no},
		{`from metric 0;`, peerRoute(), unknown},
		{`from tag [ 3 4 ];`, peerRoute(scalar(device.Tag, 4)), yes},
		{`from origin igp;`, peerRoute(scalar(device.Origin, 0)), yes},
		{`from origin igp;`, peerRoute(), unknown},
		{`from preference 170;`, peerRoute(), unknown},

		{`from policy YES;`, peerRoute(), yes},
		{`from policy NO;`, peerRoute(), no},
		{`from policy OPEN;`, peerRoute(), unknown},
		{`from policy OPEN;`, peerRoute(from(device.Static)), no},
		{`from policy ( YES && !NO );`, peerRoute(), yes},
		{`from policy ( NO || ( YES && NO ) );`, peerRoute(), no},
		{`from policy "(YES && (!NO))";`, peerRoute(), yes},
		{`from policy ( YES && );`, peerRoute(), unknown},
		{`from policy UNDEFINED;`, peerRoute(), unknown},
		{`from policy P;`, peerRoute(), unknown},
	}
	for _, tt := range tests {
		cfg := parse(fmt.Sprintf(world, tt.from+" then accept;"))
		if got := exportTo(t, cfg, "192.0.2.1", tt.r); got.Verdict != tt.want {
			t.Errorf("%s with %s: %s, want %s\n%+v", tt.from, tt.r.Prefix, got.Verdict, tt.want, got.Trace)
		}
		// An unknown answer names what stands in its way.
		if got := exportTo(t, cfg, "192.0.2.1", tt.r); tt.want == unknown && (len(got.Blockers) == 0 || got.Blockers[0].Why == "") {
			t.Errorf("%s: unknown without a reason: %+v", tt.from, got.Blockers)
		}
	}
}

func TestActions(t *testing.T) {
	none := []string(nil)
	tests := map[string]struct {
		then        string
		verdict     device.Verdict
		communities []string
	}{
		"accept":                     {`then accept;`, device.Accept, []string{"64496:1"}},
		"reject":                     {`then reject;`, device.Reject, nil},
		"no action":                  {``, device.Reject, nil},
		"next term beats accept":     {`then { accept; next term; }`, device.Reject, nil},
		"next policy":                {`then next policy;`, device.Accept, []string{"64496:1"}},
		"last of accept and reject":  {`then { reject; accept; }`, device.Accept, []string{"64496:1"}},
		"default-action":             {`then default-action accept;`, device.Reject, nil}, // the policy's last term rejects
		"unknown word":               {`then evaporate;`, device.Undecided, nil},
		"unknown word before accept": {`then { evaporate; accept; }`, device.Accept, []string{"64496:1"}},
		"add":                        {`then { community add AB; accept; }`, device.Accept, []string{"64496:1", "64496:2"}},
		"plus":                       {`then { community + AB; accept; }`, device.Accept, []string{"64496:1", "64496:2"}},
		"set":                        {`then { community set LARGE; accept; }`, device.Accept, []string{"64496:1", "64496:1:1"}},
		"delete":                     {`then { community delete A; accept; }`, device.Accept, none},
		"delete any":                 {`then { community delete ANY; accept; }`, device.Accept, none},
		"delete inverted":            {`then { community add AB; community delete NOT-A; accept; }`, device.Accept, []string{"64496:1"}},
		"in the order written":       {`then { community delete A; community add AB; community delete A; accept; }`, device.Accept, []string{"64496:1", "64496:2"}},
	}
	for name, tt := range tests {
		cfg := parse(fmt.Sprintf(world, tt.then))
		got := exportTo(t, cfg, "192.0.2.1", peerRoute())
		if got.Verdict != tt.verdict {
			t.Errorf("%s: %s, want %s", name, got.Verdict, tt.verdict)
			continue
		}
		var left []string
		for _, c := range got.Route.Communities {
			left = append(left, c.Text)
		}
		if got.Verdict == device.Accept && !slices.Equal(left, tt.communities) {
			t.Errorf("%s: communities %v, want %v", name, left, tt.communities)
		}
	}
}

func TestAttributes(t *testing.T) {
	cfg := parse(fmt.Sprintf(world, `then { local-preference 300; local-preference add 50; metric 7; metric subtract 2; tag 9; origin egp;
		as-path-prepend "64496 64496"; next-hop 203.0.113.9; accept; }`))
	s := cfg.Policy("P")
	got := concrete.Policy(nil, s, device.Reject, peerRoute(scalar(device.LocalPref, 100), scalar(device.MED, 10)))
	want := map[device.Field]uint32{device.LocalPref: 150, device.MED: 8, device.Tag: 9, device.Origin: 1}
	for f, w := range want {
		if v, _ := got.Route.Scalars.Get(f); v != w {
			t.Errorf("%s: %d, want %d (of several changes the last one holds)", f, v, w)
		}
	}
	if !slices.Equal(got.Route.ASPath, []uint32{64496, 64496, 64500}) || got.Route.NextHop != addr("203.0.113.9") {
		t.Errorf("AS path %v, next hop %s", got.Route.ASPath, got.Route.NextHop)
	}
	for _, then := range []string{"metric igp", "metric minimum-igp", "local-preference lots", "as-path-prepend x", "next-hop next-table blue.inet.0", "as-path-expand last-as count 0"} {
		got := concrete.Policy(nil, parse(fmt.Sprintf(world, "then { "+then+"; accept; }")).Policy("P"), device.Reject, peerRoute())
		if got.Verdict != device.Accept || got.Route.Unknown == 0 {
			t.Errorf("%s: %s, unknown %s; want accept with an attribute that is not known", then, got.Verdict, got.Route.Unknown)
		}
	}
}

// What Junos does without being told.
func TestProtocolBehaviour(t *testing.T) {
	const open = `routing-options { autonomous-system 64496; }
policy-options { policy-statement NOTHING { term x { from protocol rip; then reject; } } policy-statement DEF { then default-action reject; } }
protocols { bgp { %s
    group up { type external; peer-as 64511; neighbor 192.0.2.1; }
    group fall { type external; peer-as 64511; export NOTHING; neighbor 192.0.2.2; }
    group def { peer-as 64511; export [ DEF NOTHING ]; neighbor 192.0.2.3; }
    group mesh { type internal; export NOTHING; neighbor 192.0.2.7; }
    group rr { type internal; cluster 192.0.2.254; neighbor 192.0.2.8; }
    group off { peer-as 64511; shutdown; neighbor 192.0.2.4; inactive: neighbor 192.0.2.41; }
    group back { peer-as 64500; neighbor 192.0.2.6; neighbor 192.0.2.61 { advertise-peer-as; } }
} }`
	tests := []struct {
		name, bgp, neighbor string
		r                   device.Route
		want                device.Verdict
	}{
		{"no policy advertises BGP routes", "", "192.0.2.1", peerRoute(), device.Accept},
		{"no policy keeps static routes", "", "192.0.2.1", peerRoute(from(device.Static)), device.Reject},
		{"iBGP routes too", "", "192.0.2.1", peerRoute(from(device.IBGP)), device.Accept},
		{"falling off advertises BGP routes", "", "192.0.2.2", peerRoute(), device.Accept},
		{"default-action replaces the default", "", "192.0.2.3", peerRoute(), device.Reject},
		{"RFC 8212 when configured", "defaults { ebgp { no-policy { advertise reject; } } }", "192.0.2.1", peerRoute(), device.Reject},
		{"RFC 8212 and a policy", "defaults { ebgp { no-policy { advertise reject; } } }", "192.0.2.2", peerRoute(), device.Accept},
		{"reject-always and a policy", "defaults { ebgp { no-policy { advertise reject-always; } } }", "192.0.2.2", peerRoute(), device.Undecided},
		{"iBGP to iBGP", "", "192.0.2.7", peerRoute(from(device.IBGP)), device.Reject},
		{"eBGP to iBGP", "", "192.0.2.7", peerRoute(), device.Accept},
		{"to a reflector client", "", "192.0.2.8", peerRoute(func(r *device.Route) { from(device.IBGP)(r); r.Source.Neighbor = addr("192.0.2.7") }), device.Accept},
		{"shut down", "", "192.0.2.4", peerRoute(), device.Reject},
		{"inactive neighbor", "", "192.0.2.41", peerRoute(), device.Reject},
		{"back to the AS it came from", "", "192.0.2.6", peerRoute(), device.Reject},
		{"advertise-peer-as", "", "192.0.2.61", peerRoute(), device.Accept},
		{"back to the sender", "", "192.0.2.1", peerRoute(func(r *device.Route) { r.Source.Neighbor = addr("192.0.2.1") }), device.Reject},
		{"no-export", "", "192.0.2.1", peerRoute(tagged("65535:65281")), device.Reject},
		{"no-export inside", "", "192.0.2.7", peerRoute(tagged("65535:65281")), device.Accept},
		{"no-advertise", "", "192.0.2.7", peerRoute(tagged("65535:65282")), device.Reject},
	}
	for _, tt := range tests {
		cfg := parse(fmt.Sprintf(open, tt.bgp))
		if got := exportTo(t, cfg, tt.neighbor, tt.r); got.Verdict != tt.want {
			t.Errorf("%s: %s, want %s: %+v", tt.name, got.Verdict, tt.want, got.Trace)
		}
	}
	cfg := parse(fmt.Sprintf(open, ""))
	got := exportTo(t, cfg, "192.0.2.1", peerRoute(scalar(device.LocalPref, 200)))
	if _, has := got.Route.Scalars.Get(device.LocalPref); has || !slices.Equal(got.Route.ASPath, []uint32{64496, 64500}) {
		t.Errorf("sent with LOCAL_PREF %v and path %v", has, got.Route.ASPath)
	}
	if got := concrete.Session(cfg.SessionsFor("192.0.2.1", device.IPv4)[0], concrete.Import, peerRoute(path(64511, 64496))); got.Verdict != device.Reject {
		t.Errorf("own ASN in a received path: %s", got.Verdict)
	}
}

func TestSessions(t *testing.T) {
	cfg := parse(`version 21.4R1; system { host-name edge1; }
routing-options { autonomous-system 1.10; aggregate { route 198.51.100.0/24; } rib inet6.0 { aggregate { route 2001:db8::/32; } } }
policy-options { policy-statement GLOBAL { then reject; } policy-statement GROUP { then reject; } policy-statement NEAR { then reject; } }
protocols { bgp {
    export GLOBAL;
    group a { peer-as 64500; description "transit a"; family inet { unicast { prefix-limit { maximum 500; } } } family inet6 { labeled-unicast; } family evpn { signaling; }
        neighbor 192.0.2.1; neighbor 192.0.2.2 { export NEAR; peer-as 64501; local-as 64999; } neighbor 192.0.2.3 { inactive: export NEAR; } }
    group b { export [ GROUP NEAR ]; type internal; neighbor 2001:db8::1; }
    group c { peer-as 64502; allow 198.51.100.0/25; }
} }
routing-instances { blue { routing-options { autonomous-system 64777; } protocols { bgp { group v { peer-as 64503; neighbor 192.0.2.1; } } } } }
logical-systems { ls1 { routing-options { autonomous-system 64888; } policy-options { policy-statement GLOBAL { then accept; } }
    protocols { bgp { group l { peer-as 64504; export GLOBAL; neighbor 192.0.2.11; } } } } }
`)
	var got []string
	for _, s := range cfg.Sessions {
		got = append(got, fmt.Sprintf("%s/%s/%s %s %d>%d %v %v %q %d", s.Instance, s.Group, s.Name, s.Kind, s.LocalAS, s.PeerAS, s.Families, s.Export.Named(), s.Description, s.Facts.MaxPrefix))
	}
	want := []string{
		`/a/192.0.2.1 ebgp 65546>64500 [ipv4 ipv6 other] [GLOBAL] "transit a" 500`,
		`/a/192.0.2.2 ebgp 64999>64501 [ipv4 ipv6 other] [NEAR] "transit a" 500`,
		`/a/192.0.2.3 ebgp 65546>64500 [ipv4 ipv6 other] [GLOBAL] "transit a" 500`,
		`/b/2001:db8::1 ibgp 65546>65546 [ipv6] [GROUP NEAR] "" 0`,
		`/c/c 198.51.100.0/25 ebgp 65546>64502 [ipv4] [GLOBAL] "" 0`,
		`blue/v/192.0.2.1 ebgp 64777>64503 [ipv4] [] "" 0`,
		`ls1/l/192.0.2.11 ebgp 64888>64504 [ipv4] [ls1/GLOBAL] "" 0`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("sessions\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if cfg.Hostname != "edge1" || cfg.Version != "21.4R1" || cfg.ASN != 65546 || len(cfg.Originated) != 2 {
		t.Errorf("%q %q %d %v", cfg.Hostname, cfg.Version, cfg.ASN, cfg.Originated)
	}
	s := cfg.Sessions[5]
	if !s.Facts.NoExportPolicy || !s.Facts.NoImportPolicy || s.Facts.DefaultDeny != device.False || s.Pos.Line != 11 {
		t.Errorf("%+v at %s", s.Facts, s.Pos)
	}
}

// Policy expressions in a chain keep what their policies change.
func TestPolicyExpressions(t *testing.T) {
	const text = `routing-options { autonomous-system 64496; }
policy-options { community TAG members 64496:9;
    policy-statement A { then { community add TAG; accept; } }
    policy-statement B { term x { from community TAG; then accept; } then reject; }
    policy-statement N { then reject; } }
protocols { bgp { group g { peer-as 64511; export %s; neighbor 192.0.2.1; } } }`
	for expr, want := range map[string]device.Verdict{
		`( A && B )`: device.Accept, `( B && A )`: device.Reject, `( B || A )`: device.Accept, `( !N )`: device.Accept, `( N || !A )`: device.Reject,
		`[ ( N && A ) A ]`: device.Reject, `( A &&& B )`: device.Undecided, `( A && UNDEFINED )`: device.Undecided, `UNDEFINED`: device.Undecided,
	} {
		if got := exportTo(t, parse(fmt.Sprintf(text, expr)), "192.0.2.1", peerRoute(tagged())); got.Verdict != want {
			t.Errorf("export %s: %s, want %s", expr, got.Verdict, want)
		}
	}
}

func TestGroups(t *testing.T) {
	cfg := parse(`
groups {
    OUT {
        policy-options { policy-statement P { term g { from protocol static; then accept; } } }
        protocols { bgp { group <t*> { peer-as 1; export P; neighbor <192.0.2.*> { description from-group; } } group made { peer-as 2; neighbor 192.0.2.200; } } }
    }
    NOT-APPLIED { protocols { bgp { group <*> { export WRONG; } } } }
}
apply-groups [ OUT GONE ];
policy-options { policy-statement P { term own { then reject; } } }
routing-options { autonomous-system 64496; }
protocols { bgp {
    group transit { neighbor 192.0.2.1; neighbor 203.0.113.1; }
    group tight { peer-as 64500; export [ Q ]; neighbor 192.0.2.2; }
    group peer { peer-as 64501; neighbor 192.0.2.3; }
    group theirs { apply-groups-except OUT; peer-as 64502; neighbor 192.0.2.4; }
} }
`)
	var got []string
	for _, s := range cfg.Sessions {
		got = append(got, fmt.Sprintf("%s %s %d %v %s", s.Group, s.Name, s.PeerAS, s.Export.Named(), s.Description))
	}
	want := []string{
		"transit 192.0.2.1 1 [P] from-group", "transit 203.0.113.1 1 [P] ", "tight 192.0.2.2 64500 [Q P] from-group",
		"peer 192.0.2.3 64501 [] ", "theirs 192.0.2.4 64502 [] ", "made 192.0.2.200 2 [] ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sessions\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	p := cfg.Policy("P")
	if len(p.Terms) != 2 || p.Terms[0].Name != "own" || p.Terms[1].Name != "g" || p.Terms[1].Via != "OUT" || p.Terms[1].Pos.Line != 4 {
		t.Errorf("terms %+v", p.Terms)
	}
	if !cfg.Incomplete || !reports(cfg, "RL310") {
		t.Errorf("the missing group is not reported: %+v", cfg.Diagnostics)
	}
}

func reports(cfg *device.Config, rule string) bool {
	return slices.ContainsFunc(cfg.Diagnostics, func(d device.Diagnostic) bool { return d.Rule == rule && d.Pos.Line > 0 && d.Message != "" })
}

func TestDiagnostics(t *testing.T) {
	for name, tt := range map[string]struct{ term, rule string }{
		"all conditions inactive":    {`from { inactive: prefix-list OWN; } then accept;`, "RL202"},
		"from inactive":              {`inactive: from { prefix-list OWN; } then accept;`, "RL202"},
		"empty list":                 {`from prefix-list EMPTY; then accept;`, "RL203"},
		"empty list guards":          {`from prefix-list EMPTY; then reject;`, "RL204"},
		"scalar twice":               {`from { family inet; family inet6; } then accept;`, "RL208"},
		"two endings":                {`then { accept; reject; }`, "RL215"},
		"ending and next":            {`then { accept; next policy; }`, "RL215"},
		"undefined policy":           {`from policy GONE; then accept;`, "RL301"},
		"undefined list":             {`from prefix-list GONE; then accept;`, "RL302"},
		"undefined list guards":      {`from prefix-list GONE; then reject;`, "RL303"},
		"undefined community":        {`from community GONE; then reject;`, "RL306"},
		"undefined community in add": {`then { community add GONE; accept; }`, "RL306"},
		"community without members":  {``, "RL306"},
		"apply-path without result":  {``, "RL309"},
		"template":                   {`from prefix-list {{ list }}; then accept;`, "RL902"},
		"missing brace":              {`from { protocol bgp; `, "RL902"},
	} {
		cfg := parse(fmt.Sprintf(world, tt.term))
		if !reports(cfg, tt.rule) {
			t.Errorf("%s: no %s in %+v", name, tt.rule, cfg.Diagnostics)
		}
	}
	if cfg := parse(strings.Replace(world, "community NONE;", "", 1)); reports(cfg, "RL202") || reports(cfg, "RL301") || reports(cfg, "RL306") {
		t.Errorf("findings without a cause: %+v", cfg.Diagnostics)
	}
}

// A policy that asks for a table is answered per session: the instance of the
// session names its tables.
func TestTables(t *testing.T) {
	cfg := parse(`routing-options { autonomous-system 64496; }
policy-options { policy-statement P { term a { from rib blue.inet.0; then accept; } term b { to rib inet.0; then accept; } then reject; }
    policy-statement Q { from rib inet.0; then reject; } }
protocols { bgp { group g { peer-as 64511; export Q; neighbor 192.0.2.1; } group h { peer-as 64511; export P; neighbor 192.0.2.2; } } }
routing-instances { blue { protocols { bgp { group b { peer-as 64512; export Q; neighbor 192.0.2.3; } group c { peer-as 64512; export P; neighbor 192.0.2.4; } } } } }`)
	for neighbor, want := range map[string]device.Verdict{
		"192.0.2.1": device.Reject, "192.0.2.2": device.Accept, "192.0.2.3": device.Accept, "192.0.2.4": device.Accept,
	} {
		if got := exportTo(t, cfg, neighbor, peerRoute()); got.Verdict != want {
			t.Errorf("%s: %s, want %s: %+v", neighbor, got.Verdict, want, got.Trace)
		}
	}
}

// What a router would not load is never called safe.
func TestBrokenFiles(t *testing.T) {
	templated := parse(strings.Replace(fmt.Sprintf(world, "then reject;"), "peer-as 64511", "peer-as {{ asn }}", 1))
	if got := exportTo(t, templated, "192.0.2.1", peerRoute()); !templated.Broken || got.Verdict != device.Undecided {
		t.Errorf("template: broken=%v, %s", templated.Broken, got.Verdict)
	}
	cut := parse("policy-options { policy-statement P { term a { from protocol bgp;")
	if !cut.Incomplete || !reports(cut, "RL902") || len(cut.Policies) != 1 {
		t.Errorf("cut off: %+v", cut)
	}
}

func TestStatementStates(t *testing.T) {
	cfg := parse(`system { host-name x; }
policy-options {
    policy-statement P { term t { from { protocol bgp; rib inet.2; condition C; telepathy on; inactive: tag 3; } then { accept; load-balance per-packet; } } }
    damping soft { half-life 5; }
}
protocols { bgp { group g { peer-as 1; hold-time 90; vpn-apply-export; nonsense; } } }
gibberish { x; }
`)
	got := map[string]string{}
	for _, s := range cfg.Statements {
		words := strings.Fields(s.Text)
		got[words[len(words)-1]+"@"+fmt.Sprint(s.Pos.Line)] = fmt.Sprintf("%s %v", s.State, s.Policy)
	}
	for key, want := range map[string]string{
		"x@1": "known and ignored false", "bgp@3": "fully true", "inet.2@3": "fully true", "C@3": "known and not modelled true", "on@3": "unknown true",
		"3@3": "known and ignored true", "accept@3": "fully true", "per-packet@3": "known and ignored true", "5@4": "known and ignored false",
		"1@6": "fully true", "90@6": "known and ignored false", "vpn-apply-export@6": "known and not modelled true", "nonsense@6": "unknown true", "x@7": "unknown false",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
}

func TestRecognise(t *testing.T) {
	for text, want := range map[string]bool{
		"set system host-name r1\nset protocols bgp group x type external\n":                         true,
		"system {\n    host-name r1;\n}\n":                                                           true,
		"protocols {\n    bgp {\n        group x {\n            type external;\n        }\n    }\n}": true,
		"## Last commit: yesterday\nversion 12.3R1;\nsystem {\n    host-name a;\n}":                  true,
		"configure {\n    policy-options {\n        policy-statement \"x\" {\n        }\n    }\n}":   false, // SR-OS
		"set protocols bgp 65000 neighbor 192.0.2.1 remote-as 1\nset system host-name 'r'\n":         false, // VyOS
		"router bgp 65000\n neighbor 192.0.2.1 remote-as 1\n":                                        false,
		"protocol bgp up {\n  local as 65000;\n  neighbor 192.0.2.1 as 1;\n}\n":                      false,
		"group \"peers\" {\n  neighbor 192.0.2.1 {\n  }\n}\n":                                        false,
		"": false,
	} {
		if d, _ := frontend.Recognise("x", []byte(text)); (d == device.Junos) != want {
			t.Errorf("%q: %q", text, d)
		}
	}
}
