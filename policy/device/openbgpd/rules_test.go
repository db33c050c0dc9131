package openbgpd_test

import (
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/openbgpd"
)

const head = `AS 65000
own="192.0.2.0/24"
network $own set large-community local-as:1:1
prefix-set OWN { $own, 2001:db8::/32 or-longer }
prefix-set EMPTY { }
as-set CUST { 65050 }
group "transit" {
	remote-as 65100
	neighbor 198.51.100.1 { descr "up" }
}
neighbor 198.51.100.2 {
	remote-as 65010
	role peer
}
allow from any
`

func parse(text string) *device.Config {
	return openbgpd.Parse(device.Input{Path: "bgpd.conf", Data: []byte(text)})
}

func learned(path []uint32, communities ...string) device.Route {
	r := device.Route{
		Prefix: netip.MustParsePrefix("203.0.113.0/24"), ASPath: path,
		Source: device.Source{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("198.51.100.1"), ASN: 65100},
	}
	for _, c := range communities {
		r.Communities = append(r.Communities, device.Community{Kind: device.Standard, Text: c})
	}
	return r
}

var own = device.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Source: device.Source{Protocol: device.Local}}

func export(t *testing.T, cfg *device.Config, neighbor string, r device.Route) concrete.Result {
	t.Helper()
	for _, s := range cfg.SessionsFor(neighbor, r.Family()) {
		return concrete.Session(s, concrete.Export, r)
	}
	t.Fatalf("no session with %s: %v", neighbor, cfg.Diagnostics)
	return concrete.Result{}
}

// What the rules mean, where they surprise.
func TestRules(t *testing.T) {
	theirs := learned([]uint32{65100, 65050}, "65000:200")
	for name, tt := range map[string]struct {
		rules string
		route device.Route
		want  device.Verdict
	}{
		"no rule":                           {"", theirs, device.Reject},
		"the last match wins":               {"deny to any community 65000:200\nallow to any\n", theirs, device.Accept},
		"quick ends":                        {"deny quick to any community 65000:200\nallow to any\n", theirs, device.Reject},
		"match never decides":               {"match to any set community 65000:1\n", theirs, device.Reject},
		"what is set is seen":               {"match to any set community delete 65000:*\nallow to any\ndeny to any community 65000:200\n", theirs, device.Accept},
		"an empty set":                      {"allow to any\ndeny to any prefix-set EMPTY\n", theirs, device.Accept},
		"the neighbor's AS":                 {"allow to any source-as neighbor-as\n", theirs, device.Reject},
		"a set of ASNs":                     {"allow to any source-as as-set CUST\n", theirs, device.Accept},
		"the nearest AS of an empty path":   {"allow to any peer-as 65000\n", own, device.Accept},
		"its origin is nobody":              {"allow to any source-as != 1\n", own, device.Reject},
		"network sets":                      {"allow to ebgp prefix-set OWN large-community local-as:1:1\n", own, device.Accept},
		"lists of lists":                    {"good=\"{ 10.0.0.0/8 }\"\nbad=\"{ 203.0.113.0/24 }\"\nallow to any prefix { $good $bad }\n", theirs, device.Accept},
		"for another group":                 {"allow to group transit\n", theirs, device.Reject},
		"a mixed list of neighbors":         {"allow to { 198.51.100.1, AS 65010 }\n", theirs, device.Accept},
		"a length that is not":              {"allow to any prefix 203.0.0.0/16 prefixlen != 24\n", theirs, device.Reject},
		"no roa-set finds nothing":          {"allow to any ovs not-found\n", theirs, device.Accept},
		"a roa-set in the file":             {"roa-set { 203.0.113.0/24 source-as 65051 }\nallow to any\ndeny to any ovs invalid\n", theirs, device.Reject},
		"aspa is not followed":              {"allow to any\ndeny to any avs invalid\n", theirs, device.Undecided},
		"but may not matter":                {"allow to any\ndeny to any avs invalid prefix-set OWN\n", theirs, device.Accept},
		"a rule that is not understood":     {"allow to any\ndeny to any sparkle 5\n", theirs, device.Undecided},
		"one that cannot be for this group": {"allow to any\ndeny to group transit sparkle 5\n", theirs, device.Accept},
		"well-known communities first":      {"allow to any\n", learned([]uint32{65100}, "65535:65281"), device.Reject},
		"a community the rule adds itself":  {"allow to any set community NO_EXPORT\n", theirs, device.Accept},
		"a line goes on":                    {"allow to any \\\n  prefix-set \\\n OWN\n", theirs, device.Reject},
		"what is not announced":             {"allow to any\n", device.Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Source: device.Source{Protocol: device.Static}}, device.Reject},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := parse(head + tt.rules)
			if cfg.Broken {
				t.Fatalf("does not load: %v", cfg.Diagnostics)
			}
			got := export(t, cfg, "198.51.100.2", tt.route)
			if got.Verdict != tt.want {
				t.Errorf("%s, want %s\n%+v\n%+v", got.Verdict, tt.want, got.Trace, got.Blockers)
			}
		})
	}
}

// A line that was read and is not followed is counted as that.
func TestUnmodelled(t *testing.T) {
	for text, want := range map[string]device.StatementState{
		"deny to any avs invalid\n": device.Unmodelled, "deny to any prefix-set OWN\n": device.Modelled, "deny to any sparkle\n": device.Unread,
	} {
		cfg := parse(head + "allow to any\n" + text)
		last := cfg.Statements[len(cfg.Statements)-1]
		if last.State != want || want != device.Modelled && last.Why == "" {
			t.Errorf("%q: %s %q", text, last.State, last.Why)
		}
	}
}

// Setting something for each member of a list sets it as often.
func TestRepeatedSet(t *testing.T) {
	cfg := parse(head + "allow to any\nmatch to { any 198.51.100.2 } AS { 65100 65050 } set prepend-self 1\n")
	got := export(t, cfg, "198.51.100.2", learned([]uint32{65100, 65050}))
	if want := []uint32{65000, 65000, 65000, 65000, 65000, 65100, 65050}; !slices.Equal(got.Route.ASPath, want) {
		t.Errorf("path %v, want %v", got.Route.ASPath, want)
	}
}

// The rule to blame has a place, also when others change what is sent.
func TestTrace(t *testing.T) {
	cfg := parse(head + "allow to ebgp prefix-set OWN\nmatch to ebgp set { prepend-self 1 community 65000:5 }\nallow to any\n")
	got := export(t, cfg, "198.51.100.2", learned([]uint32{65100}))
	last := got.Trace[len(got.Trace)-1]
	if want := strings.Count(head, "\n") + 3; last.Pos.Line != want || last.Term != "allow to any" {
		t.Errorf("%+v, want line %d", got.Trace, want)
	}
	if !slices.Equal(got.Route.ASPath, []uint32{65000, 65000, 65100}) || len(got.Route.Communities) != 1 {
		t.Errorf("%+v", got.Route)
	}
}

// A deny that a later allow takes back is RL213; quick, or behind it, is not.
func TestDeadDeny(t *testing.T) {
	for rules, want := range map[string]bool{
		"deny to group transit community 65000:200\nallow to group transit\n":           true,
		"deny to any community 65000:200\nallow to ebgp\n":                              true,
		"deny to any community 65000:200 prefix-set OWN\nallow to any prefix-set OWN\n": true,
		"deny quick to any community 65000:200\nallow to any\n":                         false,
		"allow to any\ndeny to any community 65000:200\n":                               false,
		"deny to any\nallow to any\n":                                                   false,
		"deny to any community 65000:200\nallow to any prefix-set OWN\n":                false,
	} {
		cfg := parse(head + rules)
		if got := slices.ContainsFunc(cfg.Diagnostics, func(d device.Diagnostic) bool { return d.Rule == "RL213" }); got != want {
			t.Errorf("%q: RL213 %v", rules, got)
		}
	}
}

// What bgpd refuses leaves every session undecided.
func TestRefused(t *testing.T) {
	for name, rules := range map[string]string{
		"prefix-set": "allow to any prefix-set OWM\n", "as-set": "allow to any source-as as-set NOBODY\n", "group": "allow to group nobody\n",
		"neighbor": "allow to 198.51.100.77\n", "macro": "allow to $nobody\n", "or-longer": "prefix-set L { 10.0.0.0/8 or-longer }\nallow to any prefix-set L or-longer\n",
		"network": "network prefix-set NOBODY\n", "remote-as": "neighbor 198.51.100.9 { descr \"x\" }\n",
	} {
		cfg := parse(head + rules)
		if !cfg.Broken || len(cfg.Diagnostics) == 0 {
			t.Errorf("%s: broken %v %v", name, cfg.Broken, cfg.Diagnostics)
			continue
		}
		if got := export(t, cfg, "198.51.100.2", own); got.Verdict != device.Undecided {
			t.Errorf("%s: %s", name, got.Verdict)
		}
	}
}

// Includes are followed; what is missing proves nothing.
func TestInclude(t *testing.T) {
	in := device.Input{Path: "etc/bgpd.conf", Data: []byte("include \"sets\"\n" + head + "allow to any prefix-set THEIRS\n"), Open: func(name string) ([]byte, error) {
		if name == "sets" {
			return []byte("prefix-set THEIRS { 203.0.113.0/24 }\n"), nil
		}
		return nil, fs.ErrNotExist
	}}
	cfg := openbgpd.Parse(in)
	if got := export(t, cfg, "198.51.100.2", learned([]uint32{65100})); got.Verdict != device.Accept || cfg.Incomplete {
		t.Errorf("%s, incomplete %v, %v", got.Verdict, cfg.Incomplete, cfg.Diagnostics)
	}
	if s := cfg.Set(device.PrefixSetKind, "THEIRS"); s == nil || s.Pos.File != "etc/sets" {
		t.Errorf("%+v", s)
	}
	in.Open = nil
	cfg = openbgpd.Parse(in)
	if got := export(t, cfg, "198.51.100.2", learned([]uint32{65100})); got.Verdict != device.Undecided || !cfg.Incomplete || cfg.Broken {
		t.Errorf("missing: %s, incomplete %v, broken %v", got.Verdict, cfg.Incomplete, cfg.Broken)
	}
}

// Groups hand down, neighbors override.
func TestNeighbors(t *testing.T) {
	cfg := parse(`AS 4200000000 23456
group "ebgp peers" {
	remote-as 65010
	role peer
	max-prefix 100
	set prepend-self 2
	neighbor 198.51.100.1
	neighbor 2001:db8::1 {
		remote-as 3.10
		announce policy no
		announce IPv4 unicast
	}
}
neighbor 198.51.100.0/24 { down "later" }
neighbor 192.0.2.9 { remote-as 4200000000
	route-reflector }
`)
	if cfg.Broken || len(cfg.Sessions) != 4 {
		t.Fatalf("%v", cfg.Diagnostics)
	}
	a, b, tmpl, in := cfg.Sessions[0], cfg.Sessions[1], cfg.Sessions[2], cfg.Sessions[3]
	if a.Group != "ebgp peers" || a.PeerAS != 65010 || a.Role != device.Peer || a.Facts.MaxPrefix != 100 || !a.Carries(device.IPv4) || a.Carries(device.IPv6) {
		t.Errorf("%+v", a)
	}
	if b.PeerAS != 3<<16+10 || b.Role != device.UnknownRole || !b.Carries(device.IPv4) || !b.Carries(device.IPv6) {
		t.Errorf("%+v", b)
	}
	if !tmpl.Range.IsValid() || !tmpl.Inactive || tmpl.PeerAS != 0 {
		t.Errorf("%+v", tmpl)
	}
	if in.Kind != device.InternalSession || !in.Facts.ReflectorClient || in.Role != device.Internal {
		t.Errorf("%+v", in)
	}
}
