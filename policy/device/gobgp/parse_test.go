package gobgp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pelletier/go-toml/v2"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
)

const base = `
[global.config]
  as = 65000
  router-id = "10.99.0.1"
[global.apply-policy.config]
  export-policy-list = ["P"]
  default-export-policy = "reject-route"
[[defined-sets.prefix-sets]]
  prefix-set-name = "OWN"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "203.0.113.0/24"
    masklength-range = "24..26"
[[defined-sets.neighbor-sets]]
  neighbor-set-name = "T1"
  neighbor-info-list = ["10.99.0.10"]
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "TAGS"
  community-list = ["65000:200", "^65000:3..$", "NO_EXPORT"]
[[defined-sets.bgp-defined-sets.large-community-sets]]
  large-community-set-name = "L"
  large-community-list = ["65000:1:2"]
[[defined-sets.bgp-defined-sets.ext-community-sets]]
  ext-community-set-name = "RT"
  ext-community-list = ["rt:65000:1", "soo:^65.*:9$"]
[[defined-sets.bgp-defined-sets.as-path-sets]]
  as-path-set-name = "CUST"
  as-path-list = ["_65050$"]
[[policy-definitions]]
  name = "P"
  [[policy-definitions.statements]]
    name = "s1"
%s
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.99.0.2"
    peer-as = 65010
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.99.0.5"
    peer-as = 65000
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.99.0.10"
    peer-as = 64600
  [[neighbors.afi-safis]]
    config = {afi-safi-name = "ipv4-unicast"}
  [[neighbors.afi-safis]]
    config = {afi-safi-name = "ipv6-unicast", enabled = true}
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.99.0.11"
    peer-as = 64601
`

const (
	accept = "\n[policy-definitions.statements.actions]\nroute-disposition = \"accept-route\"\n"
	when   = "[policy-definitions.statements.conditions.%s]\n%s" + accept
	bgp    = "bgp-conditions"
)

func cond(block, body string) string { return fmt.Sprintf(when, block, body) }

func parse(name, text string) *device.Config {
	return Parse(device.Input{Path: name, Data: []byte(text)})
}

func learned(communities ...string) device.Route {
	r := device.Route{
		Prefix: netip.MustParsePrefix("203.0.113.0/25"), ASPath: []uint32{65010, 65050}, NextHop: netip.MustParseAddr("10.99.0.2"),
		Source: device.Source{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("10.99.0.2"), ASN: 65010, Role: device.Peer},
	}
	for _, c := range communities {
		kind := device.Standard
		switch {
		case strings.HasPrefix(c, "rt:"), strings.HasPrefix(c, "soo:"):
			kind = device.Extended
		case strings.Count(c, ":") == 2:
			kind = device.Large
		}
		r.Communities = append(r.Communities, device.Community{Kind: kind, Text: c})
	}
	return r
}

func export(t *testing.T, cfg *device.Config, neighbor string, r device.Route) concrete.Result {
	t.Helper()
	ss := cfg.SessionsFor(neighbor, r.Family())
	if len(ss) != 1 {
		t.Fatalf("%d sessions with %s: %v", len(ss), neighbor, cfg.Diagnostics)
	}
	return concrete.Session(ss[0], concrete.Export, r)
}

func TestConditions(t *testing.T) {
	local := learned()
	local.Source, local.ASPath = device.Source{Protocol: device.Local}, nil
	v6 := learned()
	v6.Prefix = netip.MustParsePrefix("2001:db8::/32")
	far := learned()
	far.Prefix = netip.MustParsePrefix("203.0.113.0/27")
	tests := map[string]struct {
		statement string
		r         device.Route
		want      device.Verdict
	}{
		"no condition":                      {accept, learned(), device.Accept},
		"prefix in range":                   {cond("match-prefix-set", `prefix-set = "OWN"`), learned(), device.Accept},
		"prefix too long":                   {cond("match-prefix-set", `prefix-set = "OWN"`), far, device.Reject},
		"prefix inverted":                   {cond("match-prefix-set", "prefix-set = \"OWN\"\nmatch-set-options = \"invert\""), far, device.Accept},
		"inverted set of another family":    {cond("match-prefix-set", "prefix-set = \"OWN\"\nmatch-set-options = \"invert\""), v6, device.Reject},
		"prefix option unknown is any":      {cond("match-prefix-set", "prefix-set = \"OWN\"\nmatch-set-options = \"all\""), learned(), device.Accept},
		"receiver":                          {cond("match-neighbor-set", `neighbor-set = "T1"`), learned(), device.Accept},
		"receiver inverted":                 {cond("match-neighbor-set", "neighbor-set = \"T1\"\nmatch-set-options = \"invert\""), learned(), device.Reject},
		"community":                         {cond(bgp+".match-community-set", `community-set = "TAGS"`), learned("65000:200"), device.Accept},
		"community by regex":                {cond(bgp+".match-community-set", `community-set = "TAGS"`), learned("65000:345"), device.Accept},
		"community by name":                 {cond(bgp+".match-community-set", `community-set = "TAGS"`), learned("65535:65281"), device.Accept},
		"no community":                      {cond(bgp+".match-community-set", `community-set = "TAGS"`), learned("65000:1"), device.Reject},
		"all communities":                   {cond(bgp+".match-community-set", "community-set = \"TAGS\"\nmatch-set-options = \"all\""), learned("65000:200", "65000:300"), device.Reject},
		"really all communities":            {cond(bgp+".match-community-set", "community-set = \"TAGS\"\nmatch-set-options = \"all\""), learned("65000:200", "65000:300", "65535:65281"), device.Accept},
		"community inverted":                {cond(bgp+".match-community-set", "community-set = \"TAGS\"\nmatch-set-options = \"invert\""), learned(), device.Accept},
		"large community":                   {cond(bgp+".match-large-community-set", `large-community-set = "L"`), learned("65000:1:2"), device.Accept},
		"extended community":                {cond(bgp+".match-ext-community-set", `ext-community-set = "RT"`), learned("rt:65000:1"), device.Accept},
		"extended community by regex":       {cond(bgp+".match-ext-community-set", `ext-community-set = "RT"`), learned("soo:65010:9"), device.Accept},
		"extended, all":                     {cond(bgp+".match-ext-community-set", "ext-community-set = \"RT\"\nmatch-set-options = \"all\""), learned("rt:65000:1", "rt:1:1"), device.Reject},
		"extended, none there, inverted":    {cond(bgp+".match-ext-community-set", "ext-community-set = \"RT\"\nmatch-set-options = \"invert\""), learned(), device.Accept},
		"extended, several, inverted":       {cond(bgp+".match-ext-community-set", "ext-community-set = \"RT\"\nmatch-set-options = \"invert\""), learned("rt:65000:1", "rt:1:1"), device.Undecided},
		"as-path":                           {cond(bgp+".match-as-path-set", `as-path-set = "CUST"`), learned(), device.Accept},
		"as-path of a local route":          {cond(bgp+".match-as-path-set", `as-path-set = "CUST"`), local, device.Reject},
		"length counts the local ASN":       {cond(bgp+".as-path-length", "operator = \"eq\"\nvalue = 3"), learned(), device.Accept},
		"community count":                   {cond(bgp+".community-count", "operator = \"ge\"\nvalue = 2"), learned("65000:1"), device.Reject},
		"a count without operator":          {cond(bgp+".community-count", "value = 2"), learned(), device.Accept},
		"route type external":               {cond(bgp, `route-type = "external"`), learned(), device.Accept},
		"route type local":                  {cond(bgp, `route-type = "local"`), local, device.Accept},
		"route type local, learned":         {cond(bgp, `route-type = "local"`), learned(), device.Reject},
		"next hop":                          {cond(bgp, `next-hop-in-list = ["10.99.0.0/24"]`), learned(), device.Accept},
		"a bad next hop drops the list":     {cond(bgp, `next-hop-in-list = ["192.0.2.1", "x"]`), learned(), device.Accept},
		"family":                            {cond(bgp, `afi-safi-in-list = ["ipv6-unicast"]`), learned(), device.Reject},
		"validation":                        {cond(bgp, `rpki-validation-result = "valid"`), learned(), device.Undecided},
		"origin is not modelled":            {cond(bgp, `origin-eq = "igp"`), learned(), device.Undecided},
		"conditions the daemon ignores":     {cond(bgp, `med-eq = 7`), learned(), device.Accept},
		"a misspelt disposition is none":    {"[policy-definitions.statements.actions]\nroute-disposition = \"accept\"\n", learned(), device.Reject},
		"an unknown operator loads nothing": {cond(bgp+".community-count", "operator = \"gt\"\nvalue = 2"), learned(), device.Accept},
		"an unknown option loads nothing":   {cond(bgp+".match-community-set", "community-set = \"TAGS\"\nmatch-set-options = \"none\""), learned(), device.Accept},
		"an unknown route type too":         {cond(bgp, `route-type = "ebgp"`), learned(), device.Accept},
		"an unknown key":                    {cond(bgp, `route-kind = "external"`), learned(), device.Undecided},
	}
	for name, tt := range tests {
		cfg := parse("t.toml", fmt.Sprintf(base, tt.statement))
		got := export(t, cfg, "10.99.0.10", tt.r)
		if got.Verdict != tt.want {
			t.Errorf("%s: %s, want %s; %v %v", name, got.Verdict, tt.want, got.Blockers, cfg.Diagnostics)
		}
	}
}

func TestActions(t *testing.T) {
	tests := map[string]struct {
		actions string
		path    string
		comm    string
	}{
		"add":                       {"[policy-definitions.statements.actions.bgp-actions.set-community]\noptions = \"add\"\n[policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]\ncommunities-list = [\"65000:1\", \"no-export\"]", "[65000 65010 65050]", "65000:1 65000:200 65535:65281"},
		"remove by regex":           {"[policy-definitions.statements.actions.bgp-actions.set-community]\noptions = \"remove\"\n[policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]\ncommunities-list = [\"^65000:\"]", "[65000 65010 65050]", ""},
		"replace":                   {"[policy-definitions.statements.actions.bgp-actions.set-community]\noptions = \"replace\"\n[policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]\ncommunities-list = [\"65000:9\"]", "[65000 65010 65050]", "65000:9"},
		"replace with nothing":      {"[policy-definitions.statements.actions.bgp-actions.set-community]\noptions = \"replace\"\n[policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]\ncommunities-list = []", "[65000 65010 65050]", "65000:200"},
		"an unknown option is add":  {"[policy-definitions.statements.actions.bgp-actions.set-community]\noptions = \"REPLACE\"\n[policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]\ncommunities-list = [\"65000:9\"]", "[65000 65010 65050]", "65000:9 65000:200"},
		"prepend":                   {"[policy-definitions.statements.actions.bgp-actions.set-as-path-prepend]\nas = \"65001\"\nrepeat-n = 2", "[65001 65001 65000 65010 65050]", "65000:200"},
		"prepend last-as":           {"[policy-definitions.statements.actions.bgp-actions.set-as-path-prepend]\nas = \"last-as\"\nrepeat-n = 1", "[65000 65000 65010 65050]", "65000:200"},
		"prepend zero times":        {"[policy-definitions.statements.actions.bgp-actions.set-as-path-prepend]\nas = \"65001\"", "[65000 65010 65050]", "65000:200"},
		"numbers leave the path be": {"[policy-definitions.statements.actions.bgp-actions]\nset-med = \"+10\"\nset-local-pref = 7\nset-next-hop = \"self\"\nset-route-origin = \"igp\"", "[65000 65010 65050]", "65000:200"},
	}
	for name, tt := range tests {
		cfg := parse("t.toml", fmt.Sprintf(base, accept+tt.actions))
		got := export(t, cfg, "10.99.0.10", learned("65000:200"))
		if got.Verdict != device.Accept {
			t.Errorf("%s: %s %v", name, got.Verdict, cfg.Diagnostics)
		}
		if path := fmt.Sprint(got.Route.ASPath); path != tt.path {
			t.Errorf("%s: path %s, want %s", name, path, tt.path)
		}
		if comm := device.WholeText(device.Standard, got.Route.Communities); comm != tt.comm {
			t.Errorf("%s: communities %q, want %q", name, comm, tt.comm)
		}
	}
}

// What GoBGP makes of a configuration it does not take whole.
func TestFailOpen(t *testing.T) {
	own := cond("match-prefix-set", `prefix-set = "OWN"`)
	stranger := learned()
	stranger.Prefix = netip.MustParsePrefix("198.51.100.0/24")
	second := "\n[[policy-definitions]]\nname = \"Q\"\n[[policy-definitions.statements]]\nname = \"%s\"\n"
	tests := map[string]struct {
		text string
		want device.Verdict
		rule string
	}{
		"sound":                      {fmt.Sprintf(base, own), device.Reject, ""},
		"undefined set":              {fmt.Sprintf(base, cond("match-prefix-set", `prefix-set = "OWNN"`)), device.Accept, "RL406"},
		"set name rendered empty":    {fmt.Sprintf(base, cond("match-prefix-set", `prefix-set = ""`)), device.Accept, "RL206"},
		"undefined policy":           {strings.Replace(fmt.Sprintf(base, own), `["P"]`, `["P", "NOSUCH"]`, 1), device.Accept, "RL301"},
		"policy listed twice":        {strings.Replace(fmt.Sprintf(base, own), `["P"]`, `["P", "P"]`, 1), device.Accept, "RL406"},
		"misspelt default":           {strings.Replace(fmt.Sprintf(base, own), `"reject-route"`, `"reject"`, 1), device.Accept, "RL405"},
		"statement named twice":      {fmt.Sprintf(base, own) + fmt.Sprintf(second, "s1"), device.Accept, "RL406"},
		"other statement name":       {fmt.Sprintf(base, own) + fmt.Sprintf(second, "s2"), device.Reject, ""},
		"mixed families in a set":    {strings.Replace(fmt.Sprintf(base, own), "[[defined-sets.neighbor-sets]]", "  [[defined-sets.prefix-sets.prefix-list]]\nip-prefix = \"2001:db8::/32\"\n[[defined-sets.neighbor-sets]]", 1), device.Accept, "RL406"},
		"bad regex in an unused set": {strings.Replace(fmt.Sprintf(base, own), `"_65050$"`, `"[65050"`, 1), device.Accept, "RL406"},
		"no policy named":            {strings.Replace(strings.Replace(fmt.Sprintf(base, own), `["P"]`, `[]`, 1), `"_65050$"`, `"[65050"`, 1), device.Reject, "RL406"},
		"empty neighbor set":         {strings.Replace(fmt.Sprintf(base, cond("match-neighbor-set", `neighbor-set = "T1"`)), `["10.99.0.10"]`, `[]`, 1), device.Accept, "RL205"},
	}
	for name, tt := range tests {
		cfg := parse("t.toml", tt.text)
		if got := export(t, cfg, "10.99.0.11", stranger); got.Verdict != tt.want {
			t.Errorf("%s: %s, want %s", name, got.Verdict, tt.want)
		}
		found := tt.rule == ""
		for _, d := range cfg.Diagnostics {
			found = found || d.Rule == tt.rule && d.Pos.Line > 0
		}
		if !found {
			t.Errorf("%s: no %s in %+v", name, tt.rule, cfg.Diagnostics)
		}
	}
}

func TestSessions(t *testing.T) {
	text := fmt.Sprintf(base, accept) + `
[[peer-groups]]
  [peer-groups.config]
    peer-group-name = "clients"
    peer-as = 64700
    local-as = 64999
  [peer-groups.route-server.config]
    route-server-client = true
[[neighbors]]
  [neighbors.config]
    neighbor-address = "2001:db8::7"
    peer-group = "clients"
  [neighbors.apply-policy.config]
    export-policy-list = ["NOSUCH"]
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
    [neighbors.afi-safis.prefix-limit.config]
      max-prefixes = 10
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "l2vpn-evpn"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.99.0.12"
    peer-as = 64602
    admin-down = true
  [neighbors.apply-policy.config]
    export-policy-list = ["P"]
[[dynamic-neighbors]]
  [dynamic-neighbors.config]
    prefix = "192.0.2.0/24"
    peer-group = "clients"
`
	cfg := parse("t.toml", text)
	client := cfg.SessionsFor("2001:db8::7", device.IPv4)
	if len(client) != 1 {
		t.Fatal("no client")
	}
	s := client[0]
	if s.PeerAS != 64700 || s.LocalAS != 64999 || s.Kind != device.External || !s.Facts.RSClient || s.Facts.MaxPrefix != 10 || s.Group != "clients" {
		t.Errorf("client %+v", s)
	}
	if s.Carries(device.IPv6) || !s.Carries(device.OtherFamily) {
		t.Errorf("families %v", s.Families)
	}
	// A list that cannot be assigned leaves a client's table without a default.
	if got := concrete.Session(s, concrete.Export, learned()); got.Verdict != device.Reject {
		t.Errorf("client with an undefined policy: %s", got.Verdict)
	}
	down := cfg.SessionsFor("10.99.0.12", device.IPv4)[0]
	if !down.Inactive || len(down.Facts.Ignored) != 1 || down.Facts.Ignored[0].Pos.Line == 0 {
		t.Errorf("neighbor policy %+v", down.Facts)
	}
	dynamic := cfg.SessionsFor("192.0.2.77", device.IPv4)
	if len(dynamic) != 1 || dynamic[0].PeerAS != 64700 || !dynamic[0].Facts.RSClient {
		t.Errorf("dynamic %+v", dynamic)
	}
	ibgp := cfg.SessionsFor("10.99.0.5", device.IPv4)[0]
	if ibgp.Kind != device.InternalSession || ibgp.Role != device.Internal {
		t.Errorf("ibgp %+v", ibgp)
	}
	internal := learned()
	internal.Source = device.Source{Protocol: device.IBGP, Neighbor: netip.MustParseAddr("10.99.0.6"), ASN: 65000}
	if got := concrete.Session(ibgp, concrete.Export, internal); got.Verdict != device.Reject {
		t.Errorf("ibgp to ibgp: %s", got.Verdict)
	}
	loop := learned()
	loop.ASPath = []uint32{65010, 64600}
	if got := export(t, cfg, "10.99.0.10", loop); got.Verdict != device.Reject {
		t.Errorf("neighbor's ASN in the path: %s", got.Verdict)
	}
	if got := export(t, cfg, "10.99.0.2", learned()); got.Verdict != device.Reject {
		t.Errorf("back to the sender: %s", got.Verdict)
	}
	own := learned()
	own.ASPath = []uint32{65010, 65000}
	if got := concrete.Session(cfg.SessionsFor("10.99.0.2", device.IPv4)[0], concrete.Import, own); got.Verdict != device.Reject {
		t.Errorf("own ASN in the path: %s", got.Verdict)
	}
}

// A neighbor set is the sender on import.
func TestImportNeighborSet(t *testing.T) {
	text := strings.Replace(fmt.Sprintf(base, cond("match-neighbor-set", `neighbor-set = "T1"`)), "export-policy-list", "import-policy-list", 1)
	text = strings.Replace(text, "default-export-policy", "default-import-policy", 1)
	cfg := parse("t.toml", text)
	r := learned()
	for addr, want := range map[string]device.Verdict{"10.99.0.10": device.Accept, "10.99.0.11": device.Reject} {
		r.Source.Neighbor = netip.MustParseAddr(addr)
		if got := concrete.Session(cfg.SessionsFor(addr, device.IPv4)[0], concrete.Import, r); got.Verdict != want {
			t.Errorf("from %s: %s, want %s", addr, got.Verdict, want)
		}
	}
}

// The three formats give the same model but for positions.
func TestFormatsAgree(t *testing.T) {
	text := fmt.Sprintf(base, cond(bgp+".match-community-set", `community-set = "TAGS"`))
	var plain map[string]any
	if err := toml.Unmarshal([]byte(text), &plain); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.MarshalIndent(plain, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	want := parse("t.toml", text)
	for name, data := range map[string][]byte{"t.json": asJSON, "t.yaml": asYAML, "gobgpd.conf": asJSON} {
		got := parse(name, string(data))
		opts := cmp.Options{
			cmpopts.IgnoreTypes(device.Pos{}, device.At{}), cmpopts.IgnoreUnexported(device.CommunityPattern{}, device.Scalars{}),
			cmpopts.IgnoreFields(device.ASPathMatch{}, "Pattern"), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
			cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		}
		if d := cmp.Diff(want.Sessions, got.Sessions, opts); d != "" {
			t.Errorf("%s: sessions differ:\n%s", name, d)
		}
		if d := cmp.Diff(want.Policies, got.Policies, opts); d != "" {
			t.Errorf("%s: policies differ:\n%s", name, d)
		}
		if len(got.Statements) != len(want.Statements) {
			t.Errorf("%s: %d statements, want %d", name, len(got.Statements), len(want.Statements))
		}
		for _, s := range got.Statements {
			if s.Pos.Line == 0 || s.Pos.Col == 0 {
				t.Errorf("%s: %s has no place", name, s.Text)
			}
		}
	}
}

func TestPositions(t *testing.T) {
	cfg := parse("t.toml", fmt.Sprintf(base, cond("match-prefix-set", `prefix-set = "OWN"`)))
	line := func(needle string) int {
		text := fmt.Sprintf(base, cond("match-prefix-set", `prefix-set = "OWN"`))
		return strings.Count(text[:strings.Index(text, needle)], "\n") + 1
	}
	term := cfg.Policy("P").Terms[0]
	ref := term.Match.(*device.Ref)
	if got, want := ref.Pos.Line, line(`prefix-set = "OWN"`); got != want {
		t.Errorf("condition at line %d, want %d", got, want)
	}
	if got, want := term.Then.Pos.Line, line(`route-disposition`); got != want {
		t.Errorf("disposition at line %d, want %d", got, want)
	}
	if got, want := term.Pos.Line, line(`[[policy-definitions.statements]]`); got != want || term.End.Line != line(`route-disposition`) {
		t.Errorf("term at line %d to %d, want %d", got, term.End.Line, want)
	}
	if got, want := cfg.SessionsFor("10.99.0.11", device.IPv4)[0].Pos.Line, line(`"10.99.0.11"`); got != want {
		t.Errorf("session at line %d, want %d", got, want)
	}
}

func TestUnreadable(t *testing.T) {
	for name, text := range map[string]string{
		"t.toml": "[global.config]\nas = = 1", "twice.toml": "[global.config]\nas = 1\nas = 2", "t.yaml": "global:\n  - [x\n", "t.json": `{"global": {"config": {"as": }}}`,
		"as.toml": "[global.config]\nas = \"x\"",
	} {
		cfg := parse(name, text)
		if !cfg.Broken || len(cfg.Diagnostics) == 0 || cfg.Diagnostics[0].Rule != "RL902" || cfg.Diagnostics[0].Pos.Line == 0 {
			t.Errorf("%s: broken %v, %+v", name, cfg.Broken, cfg.Diagnostics)
		}
	}
}

// Aliases that double ten times over are refused, not expanded.
func TestAliasBomb(t *testing.T) {
	text := "a0: &a0 [x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 7), i-1)
	}
	if cfg := parse("t.yaml", text); !cfg.Broken {
		t.Error("the file was read")
	}
}

func TestRecognise(t *testing.T) {
	good, err := os.ReadFile("../../../testdata/oracle/configs/gobgp/GOBGP-01-no-policy.toml")
	if err != nil {
		t.Fatal(err)
	}
	for path, tt := range map[string]struct {
		text string
		want bool
	}{
		"a.toml": {string(good), true}, "gobgpd.conf": {string(good), true}, "a.yaml": {"global:\n  config:\n    as: 65000\n", true},
		"router.conf": {"router bgp 65000\n neighbor 192.0.2.1 remote-as 65001\n", false}, "b.yaml": {"name: x\n", false}, "c.json": {"[]", false},
	} {
		if got := Recognise(path, []byte(tt.text)); got != tt.want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../../testdata/oracle/configs/gobgp/*.toml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint8(0))
	}
	f.Add([]byte("global:\n  config: &a\n    as: 65000\nneighbors:\n- config: *a\n"), uint8(1))
	f.Add([]byte(`{"global":{"config":{"as":65000}},"neighbors":{"config":{"peer-as":"1,2"}}}`), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, format uint8) {
		name := "f" + []string{".toml", ".yaml", ".json", ".conf"}[format%4]
		cfg := Parse(device.Input{Path: name, Data: data})
		for _, s := range cfg.Sessions {
			concrete.Session(s, concrete.Export, learned("65000:200"))
			concrete.Session(s, concrete.Import, learned("65000:200"))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, base, cond("match-prefix-set", `prefix-set = "BIG"`))
	buf.WriteString("[[defined-sets.prefix-sets]]\nprefix-set-name = \"BIG\"\n")
	for i := range 10_000 {
		fmt.Fprintf(&buf, "[[defined-sets.prefix-sets.prefix-list]]\nip-prefix = \"10.%d.%d.0/24\"\n", i/256, i%256)
	}
	b.SetBytes(int64(buf.Len()))
	for b.Loop() {
		if cfg := parse("t.toml", buf.String()); cfg.Broken {
			b.Fatal(cfg.Diagnostics)
		}
	}
}
