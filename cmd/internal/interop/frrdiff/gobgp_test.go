//go:build interop && linux

package frrdiff

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v3/pkg/config"
	"github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
)

// gobgpPolicies writes random gobgpd configurations. GoBGP has one export
// policy for all neighbors, so each policy begins with the set of its own.
type gobgpPolicies struct {
	*rand.Rand
	b      strings.Builder
	counts bool // the policy may ask for the number of communities
}

func (g *gobgpPolicies) pick(words ...string) string { return words[g.IntN(len(words))] }

func (g *gobgpPolicies) linef(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }

// gobgpSets are those every policy may name.
const gobgpSets = `
[[defined-sets.prefix-sets]]
  prefix-set-name = "OWN"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "203.0.113.0/24"
    masklength-range = "24..25"
[[defined-sets.prefix-sets]]
  prefix-set-name = "LAB"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "198.18.0.0/15"
    masklength-range = "25..32"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "198.18.2.0/24"
[[defined-sets.prefix-sets]]
  prefix-set-name = "ANY"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "0.0.0.0/0"
    masklength-range = "0..24"
[[defined-sets.prefix-sets]]
  prefix-set-name = "EMPTY"
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "PEER"
  community-list = ["65000:200"]
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "BOTH"
  community-list = ["65000:200", "65000:900"]
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "REX"
  community-list = ["^65000:[13]00$"]
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "NOADV"
  community-list = ["no-advertise", "65535:65281"]
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "EMPTYC"
[[defined-sets.bgp-defined-sets.as-path-sets]]
  as-path-set-name = "CUST"
  as-path-list = ["_65050$"]
[[defined-sets.bgp-defined-sets.as-path-sets]]
  as-path-set-name = "FIRST"
  as-path-list = ["^65000_65010", "^65010"]
[[defined-sets.bgp-defined-sets.as-path-sets]]
  as-path-set-name = "VIA"
  as-path-list = ["_65020_"]
[[defined-sets.bgp-defined-sets.as-path-sets]]
  as-path-set-name = "DIGITS"
  as-path-list = ["6501"]
[[defined-sets.bgp-defined-sets.as-path-sets]]
  as-path-set-name = "EMPTYP"
[[defined-sets.bgp-defined-sets.large-community-sets]]
  large-community-set-name = "LUP"
  large-community-list = ["65000:1:300"]
[[defined-sets.bgp-defined-sets.large-community-sets]]
  large-community-set-name = "LREX"
  large-community-list = ["^65000:1:"]
`

const bgpConditions = "    [policy-definitions.statements.conditions.bgp-conditions"

func (g *gobgpPolicies) condition(kind int) {
	switch kind {
	case 0:
		g.linef("    [policy-definitions.statements.conditions.match-prefix-set]\n      prefix-set = %q\n      match-set-options = %q",
			g.pick("OWN", "LAB", "ANY", "EMPTY"), g.pick("any", "invert"))
	case 1:
		g.linef(bgpConditions+".match-community-set]\n      community-set = %q\n      match-set-options = %q",
			g.pick("PEER", "BOTH", "REX", "NOADV", "EMPTYC"), g.pick("any", "all", "invert"))
	case 2:
		g.linef(bgpConditions+".match-as-path-set]\n      as-path-set = %q\n      match-set-options = %q",
			g.pick("CUST", "FIRST", "VIA", "DIGITS", "EMPTYP"), g.pick("any", "all", "invert"))
	case 3:
		g.linef(bgpConditions+".match-large-community-set]\n      large-community-set = %q\n      match-set-options = %q",
			g.pick("LUP", "LREX"), g.pick("any", "all", "invert"))
	case 4:
		g.linef(bgpConditions+".as-path-length]\n      operator = %q\n      value = %d", g.pick("eq", "ge", "le"), 1+g.IntN(4))
	case 6:
		g.linef("    [policy-definitions.statements.conditions.bgp-conditions]\n      next-hop-in-list = [%q, \"192.0.2.7\"]", g.pick(feeders[0].addr.String(), feeders[3].addr.String()))
	case 7:
		g.linef("    [policy-definitions.statements.conditions.bgp-conditions]\n      afi-safi-in-list = [%q]", g.pick("ipv4-unicast", "ipv4-unicast", "ipv6-unicast"))
	case 5:
		if !g.counts {
			return
		}
		g.linef(bgpConditions+".community-count]\n      operator = %q\n      value = %d", g.pick("eq", "ge", "le"), g.IntN(3))
	}
}

const bgpActions = "    [policy-definitions.statements.actions.bgp-actions"

func (g *gobgpPolicies) action(kind int) {
	switch kind {
	case 0:
		// GoBGP adds a value that is there a second time and then counts it
		// twice; the model holds sets. Policies that count do not add.
		add := "ADD"
		if g.counts {
			add = "REPLACE"
		}
		g.linef(bgpActions+".set-community]\n      options = %q\n"+bgpActions+".set-community.set-community-method]\n      communities-list = [%q]",
			g.pick(add, "REPLACE", "REMOVE"), g.pick("65000:200", "65000:777", "65535:65281"))
	case 1:
		g.linef(bgpActions+".set-as-path-prepend]\n      as = %q\n      repeat-n = %d", g.pick("65000", "65020", "last-as"), 1+g.IntN(2))
	case 2:
		g.linef(bgpActions+".set-large-community]\n      options = %q\n"+bgpActions+".set-large-community.set-large-community-method]\n      communities-list = [%q]",
			g.pick("ADD", "REPLACE", "REMOVE"), g.pick("65000:1:300", "65000:9:9"))
	case 3:
		g.linef(bgpActions+"]\n      %s", g.pick(`set-med = "10"`, `set-med = "+5"`, `set-med = "-3"`, `set-local-pref = 120`, `set-next-hop = "192.0.2.7"`, `set-next-hop = "self"`))
	}
}

// imports are policies for what the feeders send.
func (g *gobgpPolicies) imports() {
	for _, f := range feeders {
		g.counts = false
		g.linef("[[defined-sets.neighbor-sets]]\n  neighbor-set-name = \"F-%s\"\n  neighbor-info-list = [\"%s/32\"]", f.name, f.addr)
	}
	for _, f := range feeders {
		g.linef("[[policy-definitions]]\n  name = \"I-%s\"", f.name)
		for s := range g.IntN(3) {
			g.linef("  [[policy-definitions.statements]]\n    name = \"I-%s-%d\"", f.name, s)
			g.linef("    [policy-definitions.statements.conditions.match-neighbor-set]\n      neighbor-set = \"F-%s\"\n      match-set-options = %q", f.name, g.pick("any", "any", "any", "invert"))
			g.some(5, 2, g.condition)
			if d := g.pick("accept-route", "reject-route", "none", "none"); d != "none" {
				g.linef("    [policy-definitions.statements.actions]\n      route-disposition = %q", d)
			}
			g.some(3, 2, g.action)
		}
	}
}

func (g *gobgpPolicies) policy(i int) {
	g.counts = g.IntN(3) == 0
	g.linef("[[policy-definitions]]\n  name = \"P%d\"", i)
	for s := range 1 + g.IntN(4) {
		g.linef("  [[policy-definitions.statements]]\n    name = \"P%d-%d\"", i, s)
		g.linef("    [policy-definitions.statements.conditions.match-neighbor-set]\n      neighbor-set = \"N%d\"", i)
		g.some(6, 2, g.condition)
		if g.IntN(8) == 0 {
			g.linef("    [policy-definitions.statements.conditions.bgp-conditions]\n      route-type = %q", g.pick("internal", "external", "local"))
		} else if g.IntN(6) == 0 {
			g.condition(6 + g.IntN(2))
		}
		if d := g.pick("accept-route", "accept-route", "reject-route", "none"); d != "none" {
			g.linef("    [policy-definitions.statements.actions]\n      route-disposition = %q", d)
		}
		g.some(4, 1, g.action)
	}
}

// some writes up to n different ones of kinds.
func (g *gobgpPolicies) some(kinds, n int, write func(int)) {
	order := g.Perm(kinds)
	for _, k := range order[:g.IntN(n+1)] {
		write(k)
	}
}

func (g *gobgpPolicies) config(local netip.Addr, cs []collector) string {
	g.linef("[global.config]\n  as = %d\n  router-id = %q\n  port = 179\n  local-address-list = [%q]\n[global.apply-policy.config]", ourAS, local, local)
	var names []string
	for i := range cs {
		names = append(names, fmt.Sprintf("%q", fmt.Sprintf("P%d", i)))
	}
	imports := g.IntN(3) > 0
	if imports {
		g.linef("  import-policy-list = [\"I-peerP\", \"I-upU\", \"I-custC\", \"I-ibgpI\"]\n  default-import-policy = %q", g.pick("accept-route", "accept-route", "reject-route"))
	}
	g.linef("  export-policy-list = [%s]\n  default-export-policy = %q", strings.Join(names, ", "), g.pick("accept-route", "reject-route"))
	for _, f := range feeders {
		g.neighbor(f.addr, f.asn)
	}
	for _, c := range cs {
		g.neighbor(c.addr, c.asn)
	}
	g.b.WriteString(gobgpSets)
	for i, c := range cs {
		g.linef("[[defined-sets.neighbor-sets]]\n  neighbor-set-name = \"N%d\"\n  neighbor-info-list = [\"%s/32\"]", i, c.addr)
	}
	if imports {
		g.imports()
	}
	for i := range cs {
		g.policy(i)
	}
	return g.b.String()
}

func (g *gobgpPolicies) neighbor(a netip.Addr, asn uint32) {
	g.linef("[[neighbors]]\n  [neighbors.config]\n    neighbor-address = %q\n    peer-as = %d\n  [neighbors.transport.config]\n    passive-mode = true", a, asn)
	g.linef("  [neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 120\n  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"ipv4-unicast\"\n    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true")
}

const (
	gobgpRounds         = 6
	gobgpPoliciesARound = 90
)

// TestGoBGP: 540 random policies on a GoBGP server in this process; what it
// sends to each neighbor is what the evaluator says.
func TestGoBGP(t *testing.T) {
	policies, decisions := 0, 0
	for round := range gobgpRounds {
		t.Run(fmt.Sprintf("seed %d", round), func(t *testing.T) {
			g := &gobgpPolicies{Rand: rand.New(rand.NewPCG(8212, uint64(round)))}
			cs := collectors(g.Rand, gobgpPoliciesARound)
			l := lab.New(t)
			text := g.config(l.Addr4, cs)
			answers := decide(t, "gobgp", text, cs, routes(netip.Prefix{}))
			startGoBGP(t, text)
			feed(t, l, l.Addr4)
			time.Sleep(time.Second) // the feeders' UPDATEs are on the way to a process that has nothing else to do
			decisions += compareAll(t, l, l.Addr4, cs, answers, text)
			policies += len(cs)
		})
	}
	t.Logf("%d policies, %d decisions", policies, decisions)
	if policies < 500 {
		t.Errorf("%d policies compared, want 500", policies)
	}
}

// quiet keeps the server's log out of the test's output.
type quiet struct{}

func (quiet) Panic(string, log.Fields) {}
func (quiet) Fatal(string, log.Fields) {}
func (quiet) Error(string, log.Fields) {}
func (quiet) Warn(string, log.Fields)  {}
func (quiet) Info(string, log.Fields)  {}
func (quiet) Debug(string, log.Fields) {}
func (quiet) SetLevel(log.LogLevel)    {}
func (quiet) GetLevel() log.LogLevel   { return log.ErrorLevel }

func startGoBGP(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gobgpd.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, err := config.ReadConfigFile(file, "toml")
	if err != nil {
		t.Fatal(err)
	}
	s := server.NewBgpServer(server.LoggerOption(quiet{}))
	go s.Serve()
	t.Cleanup(s.Stop)
	if _, err := config.InitialConfig(t.Context(), s, conf, false); err != nil {
		t.Fatal(err)
	}
}
