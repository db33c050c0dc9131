//go:build interop && linux

package frrdiff

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
)

// bgpdPolicies writes random bgpd.conf files. bgpd has one list of rules; those
// of a policy name its neighbor, and some name everybody.
type bgpdPolicies struct {
	*rand.Rand
	b    strings.Builder
	wide bool // rules for all neighbors too
}

func (g *bgpdPolicies) pick(words ...string) string { return words[g.IntN(len(words))] }

func (g *bgpdPolicies) linef(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }

const bgpdSets = `prefix-set OWN { 192.0.2.0/24, 203.0.113.0/24 }
prefix-set EMPTY { }
prefix-set LONG { 198.18.0.0/15 prefixlen >= 25, 203.0.113.0/24 prefixlen 24 - 25 }
prefix-set ZERO { 0.0.0.0/0, 198.18.2.0/24 }
prefix-set ALL { 0.0.0.0/0 or-longer }
as-set CUST { 65050 65060 }
as-set NOBODY { }
as-set MANY { 65020, 65200 64999 }
origin-set ORIGINS { 198.18.5.0/24 source-as 65050
	198.18.0.0/16 maxlen 24 source-as 65020
	192.0.2.0/24 source-as 65000 }
roa-set { 198.18.2.0/24 maxlen 25 source-as 65020
	198.18.5.0/24 source-as 65051
	203.0.113.0/24 maxlen 24 source-as 65000 }
`

func (g *bgpdPolicies) prefix() string {
	return g.pick("198.18.2.0/24", "198.18.0.0/15", "203.0.113.0/24", "0.0.0.0/0", "192.0.2.0/24", "198.18.0.0/16") +
		g.pick("", "", " or-longer", " maxlen 24", " prefixlen >= 25", " prefixlen 24 - 25", " prefixlen = 25", " prefixlen != 25", " prefixlen 24 >< 25", " prefixlen <= 26", " prefixlen > 24")
}

func (g *bgpdPolicies) asn() string {
	return g.pick("65010", "65020", "65050", "65060", "64999", "65000", "65100", "neighbor-as", "!= 65020", "!= 65000", "65010 - 65060", "64512 >< 65099")
}

func (g *bgpdPolicies) test() string {
	switch g.IntN(13) {
	case 0, 1:
		return "prefix-set " + g.pick("OWN", "EMPTY", "LONG", "ZERO", "ALL", "OWN or-longer", "EMPTY or-longer")
	case 2:
		return "prefix " + g.prefix()
	case 3:
		return "prefix { " + g.prefix() + ", " + g.prefix() + " }"
	case 4:
		return g.pick("AS", "peer-as", "source-as", "transit-as") + " " + g.asn()
	case 5:
		return g.pick("AS", "peer-as", "source-as", "transit-as") + " " + g.pick("as-set CUST", "as-set NOBODY", "as-set MANY", "{ 65020, 65050 }", "{ 65010 64999 neighbor-as }")
	case 6:
		return "{ AS { 65020 65050 }, source-as 64999 }"
	case 7:
		return "community " + g.pick("65000:200", "65000:300", "65000:100", "65000:*", "*:200", "local-as:200", "neighbor-as:1", "*:*", "NO_EXPORT", "BLACKHOLE")
	case 8:
		return "community 65000:200 community 65000:900"
	case 9:
		return "large-community " + g.pick("65000:1:300", "65000:1:*", "*:2:*", "local-as:1:100", "65000:9:9")
	case 10:
		return g.pick("max-as-len 1", "max-as-len 2", "max-communities 0", "max-communities 1", "max-large-communities 0")
	case 11:
		return g.pick("inet", "inet6", "inet prefixlen 24 - 26", "origin-set ORIGINS", "ovs valid", "ovs invalid", "ovs not-found")
	}
	return g.pick("nexthop 10.99.0.11", "nexthop 10.99.0.13", "max-as-len 0")
}

// tests are at most one of each kind, as bgpd wants it.
func (g *bgpdPolicies) tests() string {
	var out []string
	seen := map[string]bool{}
	for n := g.IntN(3); n > 0; n-- {
		t := g.test()
		kind, _, _ := strings.Cut(t, " ")
		switch kind {
		case "prefix", "prefix-set", "inet", "inet6":
			kind = "prefix"
		case "AS", "peer-as", "source-as", "transit-as", "{":
			kind = "AS"
		}
		if !seen[kind] {
			seen[kind] = true
			out = append(out, t)
		}
	}
	return strings.Join(out, " ")
}

func (g *bgpdPolicies) set() string {
	switch g.IntN(8) {
	case 0:
		return "set community " + g.pick("65000:777", "65000:200", "NO_EXPORT", "local-as:14", "neighbor-as:1")
	case 1:
		return "set community delete " + g.pick("65000:*", "65000:200", "*:*", "local-as:100", "*:900")
	case 2:
		return "set large-community " + g.pick("65000:9:9", "delete 65000:*:*", "delete 65000:1:300")
	case 3:
		return "set prepend-self " + g.pick("1", "2", "0")
	case 4:
		return "set { community delete 65000:* community 65000:13 prepend-self 1 }"
	case 5:
		return "set { localpref " + g.pick("300", "+10", "-20") + " metric 5 }"
	}
	return ""
}

func (g *bgpdPolicies) rule(to string) {
	quick := ""
	if g.IntN(4) == 0 {
		quick = " quick"
	}
	g.linef("%s%s to %s %s %s", g.pick("allow", "allow", "deny", "match"), quick, to, g.tests(), g.set())
}

func (g *bgpdPolicies) config(cs []collector) string {
	g.linef("AS %d\nrouter-id 10.99.0.2\nnetwork 192.0.2.0/24%s", ourAS, g.pick("", " set community 65000:13"))
	g.b.WriteString(bgpdSets)
	for _, f := range feeders {
		g.linef("neighbor %s {\n remote-as %d\n passive\n}", f.addr, f.asn)
	}
	for i, c := range cs {
		own := ""
		if g.IntN(8) == 0 {
			own = "\n set prepend-self 1"
		}
		if g.IntN(25) == 0 {
			own += "\n export " + g.pick("none", "default-route")
		}
		if c.asn == ourAS && g.IntN(2) == 0 {
			own += "\n route-reflector"
		}
		if i%10 == 9 && c.asn != ourAS {
			own += "\n transparent-as yes"
		}
		g.linef("group \"g%d\" {\n neighbor %s {\n remote-as %d\n passive%s\n }\n}", i/7, c.addr, c.asn, own)
	}
	g.linef("allow from any")
	if g.wide {
		g.rule("any")
		g.rule("ebgp")
		g.rule("{ ibgp any }")
	}
	for i, c := range cs {
		for n := 1 + g.IntN(4); n > 0; n-- {
			switch {
			case g.IntN(12) == 0:
				g.rule(fmt.Sprintf("AS %d", c.asn))
			case g.IntN(12) == 0 && i%7 == 0:
				g.rule(fmt.Sprintf("group \"g%d\"", i/7))
			case g.IntN(12) == 0:
				g.rule(fmt.Sprintf("{ %s any }", c.addr))
			default:
				g.rule(c.addr.String())
			}
		}
	}
	return g.b.String()
}

const (
	bgpdRounds         = 6
	bgpdPoliciesARound = 70
)

// TestOpenBGPD: 420 random policies on a real OpenBGPD; what it sends to each
// neighbor is what the evaluator says.
func TestOpenBGPD(t *testing.T) {
	policies, decisions := 0, 0
	for round := range bgpdRounds {
		t.Run(fmt.Sprintf("seed %d", round), func(t *testing.T) {
			g := &bgpdPolicies{Rand: rand.New(rand.NewPCG(7454, uint64(round))), wide: round%2 == 1}
			cs := collectors(g.Rand, bgpdPoliciesARound)
			config := g.config(cs)
			own := routes(netip.MustParsePrefix("192.0.2.0/24"))
			answers := decide(t, "openbgpd", config, cs, own)
			l := lab.New(t)
			host := l.Host("bgpd")
			daemon := host.OpenBGPD(config)
			feed(t, l, host.Addr4)
			l.Eventually(20*time.Second, func() error {
				out, err := daemon.Show("-j", "show", "rib")
				if got := strings.Count(string(out), "\"prefix\""); err == nil && got != len(own) {
					err = fmt.Errorf("%d routes, want %d: %.300s", got, len(own), out)
				}
				return err
			})
			decisions += compareAll(t, l, host.Addr4, cs, answers, config)
			policies += len(cs)
		})
	}
	t.Logf("%d policies, %d decisions", policies, decisions)
	if policies < 300 {
		t.Errorf("%d policies compared, want 300", policies)
	}
}
