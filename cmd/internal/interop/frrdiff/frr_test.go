//go:build interop && linux

package frrdiff

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/cases"
)

// frrPolicies writes random FRR configurations with one policy per neighbor.
type frrPolicies struct {
	*rand.Rand
	b  strings.Builder
	v6 bool // policies ask for IPv6 too, and neighbors carry it
}

func (g *frrPolicies) pick(words ...string) string { return words[g.IntN(len(words))] }

func (g *frrPolicies) linef(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }

// lists are those every policy may name; "NONE" does not exist.
const lists = `ip prefix-list OWN seq 5 permit 192.0.2.0/24
ip prefix-list OWN seq 10 permit 203.0.113.0/24
ip prefix-list ALL seq 5 permit any
ip prefix-list DENYALL seq 5 deny any
ip prefix-list GE25 seq 5 permit 198.18.0.0/15 ge 25
ip prefix-list LE24 seq 5 permit 0.0.0.0/0 le 24
ip prefix-list EXCEPT seq 5 deny 198.18.2.0/24 le 32
ip prefix-list EXCEPT seq 10 permit 0.0.0.0/0 le 32
ip prefix-list MIXED seq 20 permit 198.18.0.0/16 ge 24 le 25
ip prefix-list MIXED seq 10 deny 198.18.5.0/24
ip prefix-list ZERO seq 5 permit 0.0.0.0/0
ip prefix-list FEEDER seq 5 permit 10.99.0.11/32
ip prefix-list EMPTY description nothing yet
ipv6 prefix-list OWN6 seq 5 permit 2001:db8::/32
ipv6 prefix-list OWN6 seq 10 permit 2001:db8:113::/48 le 64
ipv6 prefix-list ALL6 seq 5 permit any
ipv6 prefix-list GE49 seq 5 permit 2001:db8:8000::/33 ge 49
ipv6 prefix-list EXCEPT6 seq 5 deny 2001:db8:8002::/48 le 128
ipv6 prefix-list EXCEPT6 seq 10 permit ::/0 le 128
ipv6 access-list ACL6 seq 5 permit 2001:db8:8000::/34
ipv6 access-list ACL6 seq 10 deny any
access-list 10 permit 198.18.0.0 0.0.3.255
access-list 11 deny 198.18.2.0 0.0.0.255
access-list 11 permit any
access-list ZEBRA seq 5 permit 198.18.0.0/16
access-list EXACT seq 5 permit 198.18.5.0/24 exact-match
access-list EXACT seq 10 deny any
bgp community-list standard PEER seq 5 permit 65000:200
bgp community-list standard UP seq 5 permit 65000:300
bgp community-list standard CUST seq 5 permit 65000:100
bgp community-list standard BOTH seq 5 permit 65000:200 65000:900
bgp community-list standard EITHER seq 5 permit 65000:200
bgp community-list standard EITHER seq 10 permit 65000:300
bgp community-list standard NEG seq 5 deny 65000:200
bgp community-list standard NEG seq 10 permit internet
bgp community-list expanded REXP seq 5 permit 65000:[23]00
bgp community-list expanded WHOLE seq 5 permit ^65000:200 65000:900$
bgp community-list expanded NOTHING seq 5 permit ^$
bgp community-list expanded WORD seq 5 permit _65000:900_
bgp large-community-list standard LUP seq 5 permit 65000:1:300
bgp large-community-list standard LTWO seq 5 permit 65000:1:100 65000:2:9
bgp large-community-list expanded LEXP seq 5 permit 65000:1:
bgp as-path access-list LOCAL seq 5 permit ^$
bgp as-path access-list CUSTAS seq 5 permit ^65050(_|$)
bgp as-path access-list SUBSTR seq 5 permit 6501
bgp as-path access-list TRANSIT seq 5 deny _65020_
bgp as-path access-list TRANSIT seq 10 permit .*
bgp as-path access-list ORIGIN seq 5 permit _65010$
bgp as-path access-list PRIVATE seq 5 permit _(6451[2-9]|645[2-9][0-9]|64[6-9][0-9][0-9]|65[0-4][0-9][0-9])_
bgp as-path access-list PREPENDED seq 5 permit _([0-9]+)_65000_
bgp as-path access-list LONG seq 5 permit ^[0-9]+ [0-9]+ [0-9]+
`

func (g *frrPolicies) prefixList() string {
	return g.pick("OWN", "ALL", "DENYALL", "GE25", "LE24", "EXCEPT", "MIXED", "ZERO", "EMPTY", "NONE")
}

func (g *frrPolicies) communityList() string {
	return g.pick("PEER", "UP", "CUST", "BOTH", "EITHER", "NEG", "REXP", "WHOLE", "NOTHING", "WORD", "NONE")
}

func (g *frrPolicies) pathList() string {
	return g.pick("LOCAL", "CUSTAS", "SUBSTR", "TRANSIT", "ORIGIN", "LONG", "PRIVATE", "PREPENDED", "NONE")
}

func (g *frrPolicies) match(collector netip.Addr) {
	if g.v6 && g.IntN(3) == 0 {
		g.linef(" match ipv6 address %s", g.pick("prefix-list OWN6", "prefix-list ALL6", "prefix-list GE49", "prefix-list EXCEPT6", "prefix-list NONE", "prefix-len 48", "ACL6", "NONE"))
		return
	}
	switch g.IntN(20) {
	case 0, 1, 2:
		g.linef(" match ip address prefix-list %s", g.prefixList())
	case 3:
		g.linef(" match ip address %s", g.pick("10", "11", "ZEBRA", "EXACT", "NONE"))
	case 4, 5, 6:
		exact := ""
		if g.IntN(4) == 0 {
			exact = " exact-match"
		}
		g.linef(" match community %s%s", g.communityList(), exact)
	case 7, 8:
		g.linef(" match as-path %s", g.pathList())
	case 9:
		g.linef(" match large-community %s", g.pick("LUP", "LTWO", "LEXP", "NONE"))
	case 10:
		g.linef(" match local-preference %s", g.pick("100", "120", "150"))
	case 11:
		g.linef(" match metric %s", g.pick("0", "7", "10", "50"))
	case 12:
		g.linef(" match peer %s", g.pick(feeders[2].addr.String(), collector.String(), "local"))
	case 13:
		g.linef(" match ip address prefix-len %s", g.pick("24", "25", "8"))
	case 14:
		g.linef(" match %s", g.pick("route-type local", "ipv6 address prefix-list OWN6", "origin igp", "no-such-thing 5"))
	case 15:
		g.linef(" match ip next-hop prefix-list %s", g.pick("ALL", "LE24", "DENYALL", "EMPTY"))
	case 16:
		g.linef(" match origin %s", g.pick("igp", "egp", "incomplete"))
	case 17:
		g.linef(" match tag %s", g.pick("7", "9"))
	case 18:
		g.linef(" match ip route-source prefix-list %s", g.pick("ALL", "LE24", "DENYALL", "EMPTY", "FEEDER", "NONE"))
	case 19:
		g.linef(" match ip next-hop address %s", g.pick(feeders[0].addr.String(), "192.0.2.1"))
	}
}

func (g *frrPolicies) set() {
	switch g.IntN(12) {
	case 9:
		g.linef(" set as-path exclude %s", g.pick("65010", "65020 65050", "65100", "64999"))
	case 10:
		g.linef(" set community %s", g.pick("internet", "local-AS", "graceful-shutdown", "65000:200 no-advertise", "blackhole additive"))
	case 11:
		g.linef(" set %s", g.pick("origin incomplete", "origin igp", "local-preference 100", "metric 7", "metric -20", "ip next-hop 192.0.2.1", "atomic-aggregate", "tag 9"))
	case 0:
		g.linef(" set community %s", g.pick("65000:13 65000:14", "65000:777", "no-export", "none", "65000:200"))
	case 1, 2:
		g.linef(" set community %s additive", g.pick("65000:777", "65000:200", "no-export", "65000:900 65000:100"))
	case 3, 4:
		g.linef(" set comm-list %s delete", g.communityList())
	case 5:
		g.linef(" set as-path prepend %s", g.pick("65000", "65000 65000", "64999 65001", "last-as 2"))
	case 6:
		g.linef(" set large-community %s", g.pick("65000:9:9", "65000:9:9 additive", "none"))
	case 7:
		g.linef(" set large-comm-list %s delete", g.pick("LUP", "LTWO", "LEXP", "NONE"))
	case 8:
		g.linef(" set %s", g.pick("metric 10", "metric +5", "local-preference 120", "tag 7", "weight 3", "origin egp"))
	}
}

func (g *frrPolicies) routeMap(name string, collector netip.Addr, calls bool) {
	seq := 0
	for n := 1 + g.IntN(4); n > 0; n-- {
		seq += 10
		g.linef("route-map %s %s %d", name, g.pick("permit", "permit", "deny"), seq)
		for k := g.IntN(4); k > 1; k-- {
			g.match(collector)
		}
		if g.IntN(3) > 0 {
			g.match(collector)
		}
		for k := g.IntN(3); k > 0; k-- {
			g.set()
		}
		if calls && g.IntN(5) == 0 {
			g.linef(" call %s", g.pick("SUB0", "SUB1", "SUB2", "SUB3", "NOSUB"))
		}
		switch g.IntN(7) {
		case 0:
			g.linef(" on-match next")
		case 1:
			g.linef(" continue %d", seq+10+10*g.IntN(3))
		case 2:
			g.linef(" on-match goto %d", seq+5+10*g.IntN(2))
		}
	}
}

// collector is a neighbor that is sent routes, under a policy of its own.
type collector struct {
	addr netip.Addr
	asn  uint32
}

func collectors(g *rand.Rand, n int) []collector {
	out := make([]collector, n)
	for i := range out {
		out[i] = collector{netip.AddrFrom4([4]byte{10, 99, 0, byte(20 + i)}), uint32(64600 + i)}
		if g.IntN(6) == 0 {
			out[i].asn = ourAS
		}
	}
	return out
}

func (g *frrPolicies) config(cs []collector) string {
	g.b.WriteString("frr defaults traditional\nhostname dut\n" + lists)
	for i := range 4 {
		g.routeMap(fmt.Sprintf("SUB%d", i), cs[0].addr, false)
	}
	for i, c := range cs {
		g.routeMap(fmt.Sprintf("X%d", i), c.addr, true)
	}
	imports := g.IntN(2) == 0
	for _, f := range feeders {
		if imports {
			g.routeMap("IN-"+f.name, f.addr, true)
			continue
		}
		g.linef("route-map IN-%s permit 10", f.name)
	}
	if g.IntN(2) == 0 {
		g.linef("route-map NETMAP permit 10\n set community 65000:100 65000:777\n set metric 7")
	}
	g.linef("!\nrouter bgp %d\n bgp router-id 10.99.0.2\n no bgp network import-check\n coalesce-time 100", ourAS)
	if g.IntN(2) == 0 {
		g.linef(" no bgp ebgp-requires-policy")
	}
	var af strings.Builder
	for _, f := range feeders {
		g.linef(" neighbor %s remote-as %d\n neighbor %s passive", f.addr, f.asn, f.addr)
		fmt.Fprintf(&af, "  neighbor %s route-map IN-%s in\n", f.addr, f.name)
		if imports && g.IntN(3) == 0 {
			fmt.Fprintf(&af, "  neighbor %s %s in\n", f.addr, g.pick("prefix-list LE24", "prefix-list MIXED", "filter-list TRANSIT", "distribute-list 11"))
		}
	}
	for i, c := range cs {
		g.linef(" neighbor %s remote-as %d\n neighbor %s passive", c.addr, c.asn, c.addr)
		if g.IntN(12) == 0 && c.asn != ourAS {
			g.linef(" neighbor %s local-role %s", c.addr, g.pick("peer", "customer", "provider"))
		}
		g.filters(&af, i, c)
	}
	g.linef(" address-family ipv4 unicast\n  network 192.0.2.0/24%s", g.pick("", " route-map NETMAP"))
	if g.IntN(2) == 0 {
		g.linef("  aggregate-address 198.18.0.0/21 summary-only")
	}
	g.b.WriteString(af.String())
	g.linef(" exit-address-family")
	return g.b.String()
}

func (g *frrPolicies) filters(af *strings.Builder, i int, c collector) {
	say := func(format string, args ...any) {
		fmt.Fprintf(af, "  neighbor %s "+format+"\n", append([]any{c.addr}, args...)...)
	}
	switch g.IntN(20) {
	case 0:
		say("route-map NONE out")
	case 1:
	default:
		say("route-map X%d out", i)
	}
	if g.IntN(6) == 0 {
		say("prefix-list %s out", g.prefixList())
	} else if g.IntN(10) == 0 {
		say("distribute-list %s out", g.pick("10", "11", "ZEBRA", "EXACT", "NONE"))
	}
	if g.IntN(8) == 0 {
		say("filter-list %s out", g.pathList())
	}
	if c.asn == ourAS && g.IntN(2) == 0 {
		say("route-reflector-client")
	}
	if g.IntN(12) == 0 {
		say("default-originate")
	}
	if c.asn != ourAS && g.IntN(6) == 0 {
		say("%s", g.pick("remove-private-AS", "remove-private-AS all", "next-hop-self"))
	}
	if g.IntN(12) == 0 {
		af.WriteString("  no neighbor " + c.addr.String() + " send-community " + g.pick("all", "standard", "large") + "\n")
	}
}

// shown is how many differences a failed test describes.
const shown = 200

const (
	frrRounds      = 8
	policiesARound = 70
)

// TestFRR: 560 random policies on a real FRR; what it sends to each neighbor is
// what the evaluator says.
func TestFRR(t *testing.T) {
	policies, decisions := 0, 0
	for round := range frrRounds {
		t.Run(fmt.Sprintf("seed %d", round), func(t *testing.T) {
			g := &frrPolicies{Rand: rand.New(rand.NewPCG(9234, uint64(round)))}
			cs := collectors(g.Rand, policiesARound)
			config := g.config(cs)
			answers := decide(t, "frr", config, cs, routes(netip.MustParsePrefix("192.0.2.0/24")))
			accepted := accepts(t, "frr", config)
			l := lab.New(t)
			host := l.Host("frr")
			daemon := host.FRR(config)
			feed(t, l, host.Addr4)
			l.Eventually(20*time.Second, func() error {
				for _, f := range feeders {
					n, err := daemon.Neighbor(f.addr)
					if err != nil {
						return err
					}
					if got, want := n.Families["ipv4Unicast"].Accepted, accepted[f.name]; got != want {
						return fmt.Errorf("%s: %d routes accepted, want %d", f.name, got, want)
					}
				}
				return nil
			})
			d := compareAll(t, l, host.Addr4, cs, answers, config)
			policies, decisions = policies+len(cs), decisions+d
		})
	}
	t.Logf("%d policies, %d decisions", policies, decisions)
	if policies < 500 {
		t.Errorf("%d policies compared, want 500", policies)
	}
}

// feed lets the feeders announce the table.
func feed(t *testing.T, l *lab.Lab, to netip.Addr) {
	t.Helper()
	all := table()
	for _, f := range feeders {
		l.Address(f.addr)
		dial(t, f.addr, to, f.asn).announce(t, all[f.name])
	}
}

// decide asks the evaluator what each collector is sent.
func decide(t *testing.T, lang, config string, cs []collector, rs []cases.Route) []cases.Answer {
	t.Helper()
	f := &cases.File{Routes: rs}
	for _, c := range cs {
		f.Cases = append(f.Cases, cases.Case{ID: c.addr.String(), Lang: lang, Config: "config", Neighbor: c.addr.String(), Direction: "export"})
	}
	report, err := cases.Decide(f, func(string) ([]byte, error) { return []byte(config), nil })
	if err != nil {
		t.Fatal(err)
	}
	return report.Cases
}

// accepts is how many routes of each feeder the evaluator lets in.
func accepts(t *testing.T, lang, config string) map[string]int {
	t.Helper()
	f := &cases.File{}
	for _, from := range feeders {
		f.Cases = append(f.Cases, cases.Case{ID: from.name, Lang: lang, Config: "config", Neighbor: from.addr.String(), Direction: "import", Routes: table()[from.name]})
	}
	report, err := cases.Decide(f, func(string) ([]byte, error) { return []byte(config), nil })
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, a := range report.Cases {
		for _, d := range a.Decisions {
			if d.Action == device.Accept {
				out[a.ID]++
			}
		}
	}
	return out
}

// compareAll opens the collectors' sessions and compares what they are sent.
func compareAll(t *testing.T, l *lab.Lab, to netip.Addr, cs []collector, answers []cases.Answer, config string) (decisions int) {
	t.Helper()
	speakers := make([]*speaker, len(cs))
	for i, c := range cs {
		l.Address(c.addr)
		speakers[i] = dial(t, c.addr, to, c.asn)
	}
	bad := 0
	for i, s := range speakers {
		l.Eventually(30*time.Second, s.settled)
		decisions += len(answers[i].Decisions)
		ds := s.differences(&answers[i])
		if bad += len(ds); len(ds) > 0 && bad-len(ds) < shown {
			t.Errorf("%s\nand %d more\n%s", ds[0], len(ds)-1, excerpt(config, fmt.Sprintf(" X%d ", i), fmt.Sprintf("\"P%d", i), " SUB", cs[i].addr.String()+" "))
		}
	}
	if bad > shown {
		t.Errorf("%d differences", bad)
	}
	return decisions
}

// excerpt is what a configuration has below the lines that name one of the
// words.
func excerpt(config string, words ...string) string {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(config) {
		named := slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) })
		if !strings.HasPrefix(line, " ") {
			inside = named
		}
		if inside || named {
			out.WriteString(line)
		}
	}
	return out.String()
}
