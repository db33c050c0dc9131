package bird_test

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/bird"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
)

const head = `router id 192.0.2.1;
define US = 65000;
define OWN = [ 192.0.2.0/24, 2001:db8::/32+ ];
define NONE = [];
protocol device {}
protocol static own { ipv4; route 192.0.2.0/24 blackhole; }
protocol bgp up { local as US; neighbor 198.51.100.1 as 65100; ipv4 { import all; export none; }; }
`

// with is a configuration whose only question is the export filter of a session.
func with(before, export string) string {
	return head + before + "protocol bgp out { local as US; neighbor 198.51.100.2 as 65010; ipv4 { import none; export " + export + "; }; ipv6 { import none; export none; }; }\n"
}

func parse(text string) *device.Config {
	return bird.Parse(device.Input{Path: "bird.conf", Data: []byte(text)})
}

func learned(prefix string, path []uint32, communities ...string) device.Route {
	r := device.Route{
		Prefix: netip.MustParsePrefix(prefix), ASPath: path,
		Source: device.Source{Protocol: device.EBGP, Name: "up", Neighbor: netip.MustParseAddr("198.51.100.1"), ASN: 65100},
	}
	r.Scalars.Set(device.LocalPref, 100)
	for _, c := range communities {
		r.Communities = append(r.Communities, device.Community{Kind: device.Standard, Text: c})
	}
	return r
}

func static(prefix string) device.Route {
	return device.Route{Prefix: netip.MustParsePrefix(prefix), Source: device.Source{Protocol: device.Static}}
}

func export(t *testing.T, cfg *device.Config, r device.Route) concrete.Result {
	t.Helper()
	for _, s := range cfg.SessionsFor("out", r.Family()) {
		return concrete.Session(s, concrete.Export, r)
	}
	t.Fatalf("no session carries %s: %v", r.Prefix, cfg.Diagnostics)
	return concrete.Result{}
}

// filterCase is a filter and what becomes of a route.
type filterCase struct {
	before, export string
	route          device.Route
	want           device.Verdict
}

func filterCases() map[string]filterCase {
	theirs := learned("203.0.113.0/24", []uint32{65100, 65200, 65200}, "65000:200")
	long := learned("203.0.113.0/25", []uint32{65100})
	ours := static("192.0.2.0/24")
	return map[string]filterCase{
		"falls off the end":                   {"", "filter { if net ~ OWN then accept; }", theirs, device.Reject},
		"an empty set":                        {"", "where net !~ NONE", theirs, device.Accept},
		"and and or bind alike":               {"", "where true || false && false", theirs, device.Reject},
		"not binds closest":                   {"", "where ! net ~ OWN", theirs, device.Reject},
		"no value is no truth":                {"function f() { if net ~ OWN then return true; }\n", "where f()", theirs, device.Reject},
		"no value where it is not asked":      {"function f() { if net ~ OWN then return true; }\n", "where f()", ours, device.Accept},
		"a number that is not there":          {"", "where bgp_local_pref < 5", ours, device.Accept},
		"is not greater":                      {"", "where bgp_local_pref >= 0", ours, device.Reject},
		"in a set it fails":                   {"", "filter { if bgp_med ~ [1..5] then accept; accept; }", ours, device.Reject},
		"a verdict in a function":             {"function f() { if net.len > 24 then reject; }\n", "filter { f(); accept; }", long, device.Reject},
		"and behind it":                       {"function f() { if net.len > 24 then reject; }\n", "filter { f(); accept; }", theirs, device.Accept},
		"a function that changes and tells":   {"function f() { bgp_community.add((US,1)); return net.len > 24; }\n", "filter { if f() then reject; if (US,1) ~ bgp_community then accept; }", theirs, device.Accept},
		"return from the middle":              {"function f(int a) { if a > 5 then return; bgp_community.add((US,1)); }\n", "filter { f(6); if (US,1) ~ bgp_community then reject; accept; }", theirs, device.Accept},
		"a variable":                          {"", "filter { int n = 1; if net.len = 24 then n = 2; if n = 2 then accept; }", theirs, device.Accept},
		"a variable over a change":            {"", "filter { bool b = (US,200) ~ bgp_community; bgp_community.delete([(US,*)]); if b then reject; accept; }", theirs, device.Undecided},
		"deleted before it is tested":         {"", "filter { bgp_community.delete([(US,*)]); if (US,200) ~ bgp_community then reject; accept; }", theirs, device.Accept},
		"case with a range":                   {"", "filter { case net.len { 0..24: accept; else: reject; } }", long, device.Reject},
		"case without else":                   {"", "filter { case net.len { 8: reject; } accept; }", long, device.Accept},
		"a loop that searches":                {"", "filter { for int a in bgp_path do { if a = 65200 then reject; } accept; }", theirs, device.Reject},
		"a loop that does more":               {"", "filter { for int a in bgp_path do { if a > 65100 then reject; } accept; }", theirs, device.Undecided},
		"prefixes that hold another":          {"", "where net ~ [ 203.0.113.128/25- ]", learned("203.0.112.0/22", []uint32{65100}), device.Accept},
		"lengths above the prefix":            {"", "where net ~ [ 203.0.113.0/24{20,23} ]", theirs, device.Reject},
		"a mask that repeats":                 {"", "where bgp_path ~ [= 65100 65200+ =]", theirs, device.Accept},
		"an address in a set":                 {"", "where net.ip ~ 203.0.113.0/24", theirs, device.Accept},
		"pairs between two":                   {"", "where bgp_community ~ [(64999,9)..(65000,199)]", theirs, device.Reject},
		"pairs between two, the end":          {"", "where bgp_community ~ [(64999,9)..(65000,200)]", theirs, device.Accept},
		"another attribute is not followed":   {"", "where ospf_metric1 > 5", theirs, device.Undecided},
		"nor a comparison of two":             {"", "where bgp_path.first = bgp_path.last", theirs, device.Undecided},
		"the unknown need not matter":         {"", "where bgp_path.first = bgp_path.last && net ~ OWN", theirs, device.Reject},
		"static routes pass the communities":  {"", "filter { accept; }", ours, device.Accept},
		"no-export of what was learned":       {"", "all", learned("203.0.113.0/24", []uint32{65100}, "65535:65281"), device.Reject},
		"recursion":                           {"function f(int a) { if a > 0 then return f(a - 1); return true; }\n", "where f(100)", theirs, device.Undecided},
		"the validation state":                {"roa4 table r;\n", "where roa_check(r, net, bgp_path.last) = ROA_VALID", theirs, device.Undecided},
		"a route no protocol brings":          {"", "all", static("198.51.100.0/24"), device.Reject},
		"local definitions hide constants":    {"", "filter { int US = 7; if US = 7 then accept; }", theirs, device.Accept},
		"a number that was added to":          {"", "filter { bgp_local_pref = bgp_local_pref + 20; if bgp_local_pref = 120 then accept; }", theirs, device.Accept},
		"a choice between numbers":            {"function f() { if net ~ OWN then return 1; return 2; }\n", "where f() = 2", theirs, device.Accept},
		"a choice inside an assignment":       {"function f() { if net ~ OWN then return 1; return 2; }\n", "filter { bgp_med = f(); if bgp_med = 2 then accept; }", theirs, device.Accept},
		"else belongs to the nearest":         {"", "filter { if net.len > 8 then if net.len > 24 then reject; else accept; }", theirs, device.Accept},
		"both names of a filter's end":        {"", "filter { return net !~ OWN; }", theirs, device.Accept},
		"print changes nothing":               {"", `filter { print "x", net; accept "y", net; }`, theirs, device.Accept},
		"what cannot be read is not followed": {"", "filter { frobnicate net; accept; }", theirs, device.Undecided},
	}
}

// What the language means, where it surprises.
func TestFilters(t *testing.T) {
	for name, tt := range filterCases() {
		t.Run(name, func(t *testing.T) {
			cfg := parse(with(tt.before, tt.export))
			if cfg.Broken {
				t.Fatalf("does not load: %v", cfg.Diagnostics)
			}
			got := export(t, cfg, tt.route)
			if got.Verdict != tt.want {
				t.Errorf("%s, want %s\n%+v\n%+v", got.Verdict, tt.want, got.Trace, got.Blockers)
			}
			if got.Verdict == device.Undecided && len(got.Blockers) == 0 {
				t.Error("undecided without a reason")
			}
		})
	}
}

// What BIRD refuses leaves every session undecided, and says why.
func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct{ text, rule string }{
		"an undefined symbol":   {with("", "where net ~ OWM"), "RL301"},
		"an undefined filter":   {with("", "filter nobody"), "RL301"},
		"an undefined function": {with("", "where nobody()"), "RL301"},
		"an undefined template": {head + "protocol bgp out from nobody { neighbor 198.51.100.2 as 5; ipv4 { import none; export none; }; }\n", "RL301"},
		"no export policy":      {head + "protocol bgp out { local as US; neighbor 198.51.100.2 as 5; ipv4 { import none; }; }\n", "RL401"},
		"no import policy":      {head + "protocol bgp out { local as US; neighbor 198.51.100.2 as 5; ipv4 { export none; }; }\n", "RL402"},
		"a role inside":         {head + "protocol bgp out { local as US; local role peer; neighbor 198.51.100.2 as US; ipv4; }\n", "RL603"},
		"lengths upside down":   {with("", "where net ~ [ 10.0.0.0/8{24,16} ]"), "RL902"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := parse(tt.text)
			found := false
			for _, d := range cfg.Diagnostics {
				found = found || d.Rule == tt.rule && d.Pos.Line > 0
			}
			if !cfg.Broken || !found {
				t.Errorf("broken %v, %v", cfg.Broken, cfg.Diagnostics)
			}
			for _, s := range cfg.Sessions {
				if got := concrete.Session(s, concrete.Export, static("192.0.2.0/24")); s.Name == "out" && s.Carries(device.IPv4) && got.Verdict != device.Undecided {
					t.Errorf("%s: %s", s.Name, got.Verdict)
				}
			}
		})
	}
}

// A second export in a channel replaces the first without a word.
func TestDuplicateExport(t *testing.T) {
	cfg := parse(with("", "none; export all"))
	if got := export(t, cfg, static("192.0.2.0/24")); got.Verdict != device.Accept {
		t.Errorf("%s", got.Verdict)
	}
	if !slices.ContainsFunc(cfg.Diagnostics, func(d device.Diagnostic) bool { return d.Rule == "RL219" }) {
		t.Errorf("diagnostics %v", cfg.Diagnostics)
	}
}

// Includes are followed; what is missing proves nothing.
func TestInclude(t *testing.T) {
	files := map[string]string{
		"own.conf":      "define MINE = [ 192.0.2.0/24 ];\n",
		"peers/a.conf":  "filter out_a { if net ~ MINE then accept; reject; }\n",
		"peers/b.conf":  "function same() { return net ~ MINE; }\n",
		"selfish.conf":  "include \"selfish.conf\";\n",
		"peers/c.conf.": "garbage",
	}
	in := device.Input{
		Path: "bird.conf", Data: []byte("include \"own.conf\";\ninclude \"peers/*.conf\";\n" + with("", "filter out_a")),
		Open: func(name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
		Glob: func(string) ([]string, error) { return []string{"peers/a.conf", "peers/b.conf"}, nil },
	}
	cfg := bird.Parse(in)
	if cfg.Broken || cfg.Incomplete || len(cfg.Files) != 4 {
		t.Fatalf("%+v %v", cfg.Files, cfg.Diagnostics)
	}
	if p := cfg.Policy("out_a"); p == nil || p.Pos.File != "peers/a.conf" || p.Pos.Line != 1 {
		t.Errorf("policy %+v", p)
	}
	if got := export(t, cfg, static("192.0.2.0/24")); got.Verdict != device.Accept {
		t.Errorf("%s", got.Verdict)
	}
	for _, missing := range []string{"nobody.conf", "selfish.conf"} {
		in.Data = []byte("include \"" + missing + "\";\n" + with("", "where net ~ MAYBE_THERE"))
		cfg := bird.Parse(in)
		if !cfg.Incomplete || cfg.Broken {
			t.Errorf("%s: incomplete %v, broken %v", missing, cfg.Incomplete, cfg.Broken)
		}
		if got := export(t, cfg, static("192.0.2.0/24")); got.Verdict != device.Undecided {
			t.Errorf("%s: %s", missing, got.Verdict)
		}
	}
	in.Glob = func(string) ([]string, error) { return nil, errors.New("no such directory") }
	in.Data = []byte("include \"peers/*.conf\";\n" + with("", "none"))
	if cfg := bird.Parse(in); !cfg.Incomplete {
		t.Error("a pattern that cannot be listed is complete")
	}
}

// Templates are inherited, channel by channel.
func TestTemplate(t *testing.T) {
	cfg := parse(head + `template bgp base { local as US; ipv4 { import none; export where net ~ OWN; }; }
template bgp peer from base { local role peer; ipv4 { import limit 100 action block; }; }
protocol bgp a from peer { neighbor 198.51.100.7 as 65007; }
protocol bgp from base { neighbor 198.51.100.8 as US; disabled; ipv4 { export all; }; rr client; }
`)
	if cfg.Broken || len(cfg.Sessions) != 3 {
		t.Fatalf("%d sessions, %v", len(cfg.Sessions), cfg.Diagnostics)
	}
	a, b := cfg.Sessions[1], cfg.Sessions[2]
	if a.Name != "a" || a.Role != device.Peer || a.RoleSource != device.RoleConfigured || a.Facts.MaxPrefix != 100 || a.PeerAS != 65007 {
		t.Errorf("%+v", a)
	}
	if got := concrete.Session(a, concrete.Export, static("192.0.2.0/24")); got.Verdict != device.Accept {
		t.Errorf("a: %s", got.Verdict)
	}
	if b.Name != "bgp1" || b.Kind != device.InternalSession || !b.Inactive || !b.Facts.ReflectorClient {
		t.Errorf("%+v", b)
	}
}

// Routes of another table do not arrive; through a pipe they may.
func TestTables(t *testing.T) {
	const tables = `ipv4 table other;
protocol bgp far { local as US; neighbor 198.51.100.9 as 65009; ipv4 { table other; import all; export none; }; }
`
	r := learned("203.0.113.0/24", []uint32{65009})
	r.Source.Name, r.Source.Neighbor, r.Source.ASN = "far", netip.MustParseAddr("198.51.100.9"), 65009
	if got := export(t, parse(with(tables, "all")), r); got.Verdict != device.Reject {
		t.Errorf("another table: %s", got.Verdict)
	}
	piped := tables + "protocol pipe { table master4; peer table other; import all; export none; }\n"
	if got := export(t, parse(with(piped, "all")), r); got.Verdict != device.Undecided {
		t.Errorf("a pipe: %s", got.Verdict)
	}
}

// Every term and condition has a place; the trace names the filter.
func TestTrace(t *testing.T) {
	cfg := parse(with("filter f {\n  if net ~ OWN then accept;\n  reject;\n}\n", "filter f"))
	got := export(t, cfg, static("192.0.2.0/24"))
	last := got.Trace[len(got.Trace)-1]
	if last.Policy != "f" || last.Pos.Line != strings.Count(head, "\n")+2 || last.Term != "if net ~ OWN" {
		t.Errorf("%+v", got.Trace)
	}
}
