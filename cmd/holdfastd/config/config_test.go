package config

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
)

// contract is the configuration of the project's first page; it must work
// exactly as written.
const contract = `environment: demo
data_dir: ./data
api: {listen: 127.0.0.1:8080}
admin: {socket: ./data/admin.sock}
metrics: {listen: 127.0.0.1:9179}
bgp:
  asn: 64500
  router_id: 192.0.2.1
  listen: [127.0.0.1:1790]
  neighbors:
    - name: transit-a
      address: 127.0.0.2
      port: 1790
      asn: 64510
      role: customer            # our role: we are transit-a's customer
      families: [ipv4-unicast, ipv6-unicast]
      next_hop: {ipv4: 192.0.2.1, ipv6: "2001:db8::1"}
`

func TestContractConfiguration(t *testing.T) {
	c, notices, err := Parse("holdfast.yaml", "/etc/holdfast", []byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	if c.Environment != "demo" || c.DataDir != "/etc/holdfast/data" || c.AdminSocket != "/etc/holdfast/data/admin.sock" {
		t.Errorf("environment %q, data %q, socket %q", c.Environment, c.DataDir, c.AdminSocket)
	}
	n := c.BGP.Neighbors[0]
	if n.Name != "transit-a" || n.Port != 1790 || n.Role != policy.RoleCustomer || n.Site != "default" || n.Kind != policy.EBGP {
		t.Errorf("neighbor %+v", n)
	}
	if !n.Carries(addressing.IPv4) || !n.Carries(addressing.IPv6) || n.NextHop6 != netip.MustParseAddr("2001:db8::1") {
		t.Errorf("families %v, next hop %s", n.Families, n.NextHop6)
	}
	if !n.GracefulRestart || n.RestartTime != defaultRestartTime || n.HoldTime != defaultHoldTime {
		t.Errorf("timers %v %v %v", n.GracefulRestart, n.RestartTime, n.HoldTime)
	}
	if len(notices) != 1 || !strings.Contains(notices[0].Why, "loose mode") || notices[0].Line != 11 {
		t.Errorf("notices %v: check-config must say which mode roles are in", notices)
	}
}

func TestStrictRole(t *testing.T) {
	strict := strings.Replace(contract, "role: customer ", "strict_role: true\n      role: customer ", 1)
	c, notices, err := Parse("holdfast.yaml", "/etc/holdfast", []byte(strict))
	if err != nil {
		t.Fatal(err)
	}
	if !c.BGP.Neighbors[0].StrictRole || len(notices) != 0 {
		t.Errorf("strict %v, notices %v", c.BGP.Neighbors[0].StrictRole, notices)
	}
}

func TestStarterParses(t *testing.T) {
	src, err := Starter("production", 4200000001)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := Parse("holdfast.yaml", t.TempDir(), src)
	if err != nil {
		t.Fatalf("the starter configuration must start as it is: %v", err)
	}
	if c.Environment != "production" || c.BGP.ASN != 4200000001 || len(c.BGP.Neighbors) != 0 {
		t.Errorf("got %+v", c)
	}
}

// TestRefusals changes one thing of the contract configuration at a time and
// wants the error at the right place, with field and reason.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		want           []string // all parts of the error
	}{
		{"empty environment", "environment: demo", "environment: \"\"", []string{":1:", "environment: is missing"}},
		{"unknown key", "data_dir: ./data", "data_dir: ./data\ndata_dri: x", []string{":3:1:", "data_dri"}},
		{"repeated key", "data_dir: ./data", "data_dir: ./data\ndata_dir: ./x", []string{":3:", "data_dir", "already"}},
		{"second document", "metrics:", "---\nmetrics:", []string{"second YAML document"}},
		{"alias", "environment: demo", "environment: &e demo", []string{"anchors"}},
		{"wrong type", "asn: 64500", "asn: many", []string{":7:8:"}},
		{"negative asn", "asn: 64500", "asn: -1", []string{":7:8:"}},
		{"too large asn", "asn: 64500", "asn: 4294967296", []string{":7:8:"}},
		{"asn zero", "asn: 64500", "asn: 0", []string{":7:", "bgp.asn: AS0 is reserved"}},
		{"as_trans", "asn: 64510", "asn: 23456", []string{":14:", "AS23456 is reserved"}},
		{"router id v6", "router_id: 192.0.2.1", "router_id: \"2001:db8::1\"", []string{":8:", "IPv4 address"}},
		{"bad listen", "[127.0.0.1:1790]", "[localhost:1790]", []string{":9:", "bgp.listen[0]", "address:port"}},
		{"no role", "role: customer ", "class: x ", []string{"bgp.neighbors[0].role: is missing"}},
		{"bad role", "role: customer ", "role: friend ", []string{":15:", "friend"}},
		{"no families", "families: [ipv4-unicast, ipv6-unicast]", "families: []", []string{"families: is missing"}},
		{"family twice", "families: [ipv4-unicast, ipv6-unicast]", "families: [ipv4-unicast, ipv4-unicast]", []string{"listed twice"}},
		{"no v6 next hop", ", ipv6: \"2001:db8::1\"", "", []string{"next_hop.ipv6: is missing"}},
		{"v4 as v6 next hop", "\"2001:db8::1\"", "192.0.2.9", []string{"is not an IPv6 address"}},
		{"port", "port: 1790", "port: 70000", []string{":13:13:", "no TCP port"}},
		{"edge with a role", "port: 1790", "kind: edge", []string{":15:13:", "role: an edge is a router of ours"}},
		{"own asn", "asn: 64510", "asn: 64500", []string{":14:12:", "only an edge may be an iBGP neighbor", "kind: edge"}},
		{"local as equals asn", "port: 1790", "local_as: 64510", []string{"only an edge may be an iBGP neighbor"}},
		{"local pref on ebgp", "port: 1790", "local_pref: 10", []string{":13:19:", "LOCAL_PREF is not sent to eBGP"}},
		{"reflector on ebgp", "port: 1790", "reflector: true", []string{"reflector: a route reflector is an iBGP neighbor"}},
		{"confederation", "asn: 64500", "asn: 64500\n  confederation: {identifier: 64500}", []string{":8:", "confederations (RFC 5065) are not supported", "route reflector"}},
		{"confederation of a neighbor", "port: 1790", "confederation: 65010", []string{":13:22:", "confederations (RFC 5065) are not supported"}},
		{"marker", "asn: 64500", "asn: 64500\n  edge_marker: no", []string{":8:16:", "\"no\" is no community"}},
		{"marker of a role", "asn: 64500", "asn: 64500\n  edge_marker: 64500:9234:1", []string{"role communities"}},
		{"marker well known", "asn: 64500", "asn: 64500\n  edge_marker: 65535:0", []string{"reserved range"}},
		{"unknown group", "port: 1790", "group: transit", []string{"there is no group"}},
		{"unknown site", "port: 1790", "site: ams", []string{"there is no site"}},
		{"community", "port: 1790", "communities: [\"1:2:3\"]", []string{"communities[0]"}},
		{"hold time", "port: 1790", "hold_time: 1s", []string{"hold_time", "3s"}},
		{"hold mode", "bgp:", "breaker: {hold_mode: later}\nbgp:", []string{"breaker.hold_mode", "queue"}},
		{"approval mode", "bgp:", "breaker: {approval_mode: none}\nbgp:", []string{"breaker.approval_mode", "two_person"}},
		{"no such limit", "bgp:", "breaker: {limits: {breadth.1m: {share: 1}}}\nbgp:", []string{"breaker.limits", "breadth.1m"}},
		{"share", "bgp:", "breaker: {plan: {share: 1001}}\nbgp:", []string{"breaker.plan.share", "0 to 1000"}},
		{"emergency", "bgp:", "breaker: {emergency: {once: 50}}\nbgp:", []string{"breaker.emergency.once", "0 to 5"}},
		{"shadow", "bgp:", "breaker: {shadow: [everything]}\nbgp:", []string{"breaker.shadow[0]", "everything"}},
		{"freeze", "bgp:", "breaker: {freezes: [{from: 2026-12-20T00:00:00Z, until: 2026-12-19T00:00:00Z}]}\nbgp:", []string{"breaker.freezes[0].until", "breaker.freezes[0].reason"}},
		{"single delay", "bgp:", "breaker: {single_delay: 0s}\nbgp:", []string{"breaker.single_delay"}},
		{"protected", "bgp:", "breaker: {protected: [192.0.2.1/24]}\nbgp:", []string{"breaker.protected[0]"}},
		{"mode", "environment: demo", "environment: demo\nmode: watch", []string{"no mode", "observe"}},
		{"control of a provider", "port: 1790", "receive: control\n      account: 0123456789abcdef0123456789abcdef", []string{":13:16:", "control is for a customer's own session"}},
		{"control for nobody", "role: customer ", "receive: control\n      role: provider ", []string{"account: \"\" is no account id", "holdfast account list"}},
		{"unknown receive", "port: 1790", "receive: all", []string{"\"all\" is not known"}},
		{"account without control", "port: 1790", "account: x", []string{"nothing is received from the neighbor"}},
		{"no prefixes", "role: customer ", "receive: control\n      account: 0123456789abcdef0123456789abcdef\n      max_prefixes_in: 0\n      role: provider ", []string{"max_prefixes_in: must be at least 1"}},
		{"max prefix of nothing", "port: 1790", "max_prefix: {}", []string{":13:", "max_prefix: names no limit"}},
		{"max prefix below one", "port: 1790", "max_prefix: {ipv4: 0}", []string{"max_prefix.ipv4: must be at least 1"}},
		{"socket too long", "./data/admin.sock", "./" + strings.Repeat("x", 120), []string{"Unix socket"}},
		{"not a mapping", contract, "just text\n", []string{":1:1:"}},
		{"empty file", contract, "", []string{"the file is empty"}},
		{"comment only", contract, "# nothing\n", []string{"the file is empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := strings.Replace(contract, c.old, c.new, 1)
			if src == contract {
				t.Fatal("the case changes nothing")
			}
			_, _, err := Parse("f.yaml", "/base", []byte(src))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range append(c.want, "f.yaml") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
		})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	_, _, err := Parse("f.yaml", "/", []byte("environment: A B\nbgp: {asn: 0}\n"))
	for _, field := range []string{"environment:", "data_dir:", "api.listen:", "admin.socket:", "metrics.listen:", "bgp.asn:", "bgp.router_id:"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s\n%v", field, err)
		}
	}
}

func TestGroupsAreInherited(t *testing.T) {
	src := strings.Replace(contract, "  neighbors:", `  sites: [{name: fra}, {name: ams}]
  groups:
    - name: transit
      site: ams
      med: 10
      communities: ["64500:1"]
      graceful_restart: {restart_time: 240s}
  neighbors:`, 1)
	src = strings.Replace(src, "port: 1790", "group: transit\n      med: 20", 1)
	c, _, err := Parse("f.yaml", "/", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	n := c.BGP.Neighbors[0]
	if n.Site != "ams" || *n.MED != 20 || len(n.Standard) != 1 || n.RestartTime.Seconds() != 240 || n.Port != 179 {
		t.Errorf("got %+v", n)
	}
	if c.BGP.Sites[0] != "ams" || c.BGP.Sites[1] != "fra" {
		t.Errorf("sites %v are not sorted", c.BGP.Sites)
	}
}

func TestLoadMakesPathsAbsolute(t *testing.T) {
	_, _, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("error %v must name the file", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(contract))
	f.Add([]byte("bgp: {neighbors: [{}]}"))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, _, err := Parse("f.yaml", "/", src)
		if (c == nil) == (err == nil) {
			t.Errorf("config %v with error %v", c, err)
		}
	})
}

// The file says every limit by its name; persons decide the mode where it does not.
func TestBreakerSection(t *testing.T) {
	src := contract + `breaker:
  hold_mode: queue
  hold_for: 1h
  operators_enforced_by: carol
  shadow: [W6]
  plan: {share: 5, floor: 10}
  limits:
    breadth.5m: {share: 5, total: 7, window: 10m}
    W3: {off: true}
  freezes:
    - {from: 2026-12-20T00:00:00Z, until: 2027-01-03T00:00:00Z, reason: "end of year"}
`
	c, _, err := Parse("f.yaml", "/", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	b := c.Breaker
	if r := b.Limits.Ladder[0]; r.Share != 5 || r.Total != 7 || r.Floor != 10 || r.Span != 10*time.Minute {
		t.Errorf("breadth.5m is %+v", r)
	}
	if len(b.Limits.Accounts) != 1 || b.Limits.PlanFloor != 10 || !b.Limits.EnforceOps || b.Limits.Shadow[0] != "breaker.W6" || b.HoldMode != HoldQueue || b.HoldFor != time.Hour || len(b.Limits.Freezes) != 1 {
		t.Errorf("%+v", b)
	}
	if breaker.DefaultLimits().Ladder[0].Share != 10 {
		t.Error("the defaults were written to")
	}
	for _, tc := range []struct {
		mode     ApprovalMode
		enrolled int
		delay    time.Duration
		below    int
		risk     string
	}{
		{"", 1, DefaultSingleDelay, 0, "single_person"}, {"", 2, 0, DefaultApproveBelow, ""},
		{TwoPerson, 1, 0, DefaultApproveBelow, "no_second_person"}, {DelayedSingle, 3, DefaultSingleDelay, 0, "single_person"},
	} {
		b.ApprovalMode = tc.mode
		p := b.Policy(tc.enrolled)
		if p.SingleDelay != tc.delay || p.ApproveBelow != tc.below || p.Approvals != 1 || p.ResetApprovals != 1 {
			t.Errorf("%q with %d persons: %+v", tc.mode, tc.enrolled, p)
		}
		if all := strings.Join(b.Risks(tc.enrolled), " "); tc.risk == "" && strings.Contains(all, "person") || !strings.Contains(all, tc.risk) {
			t.Errorf("%q with %d persons: risks %q", tc.mode, tc.enrolled, all)
		}
	}
}
