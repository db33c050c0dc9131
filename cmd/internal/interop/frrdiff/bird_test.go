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

// birdPolicies writes random BIRD filters, one per neighbor, that use the same
// constants and functions.
type birdPolicies struct {
	*rand.Rand
	b      strings.Builder
	indent int
}

func (g *birdPolicies) pick(words ...string) string { return words[g.IntN(len(words))] }

func (g *birdPolicies) linef(format string, args ...any) {
	fmt.Fprintf(&g.b, strings.Repeat(" ", g.indent)+format+"\n", args...)
}

const birdConstants = `define US = 65000;
define CUST = 65050;
define OWN = [ 192.0.2.0/24, 203.0.113.0/24 ];
define LONG = [ 198.18.0.0/15{25,32}, 203.0.113.0/24{24,25} ];
define ANY = [ 0.0.0.0/0+ ];
define UP = [ 198.18.2.128/25-, 8.0.0.0/8 ];
define TAGS = [ (US,200), (US,300..900) ];
define WILD = [ (*,100), (65100,*), (65535,600..700) ];
define SPAN = [ (64999,5)..(US,250) ];
define LARGE = [ (US,1,*), (US,2,5..20) ];
define ASNS = [ 65020, 65100..65200, CUST ];
define NONE = [];
function is_own() { return net ~ OWN; }
function tagged(int v) { if (US, v) ~ bgp_community then return true; return false; }
function no_value() { if net ~ OWN then return true; }
function kind_of()
int r;
{
  r = 3;
  if bgp_path.len = 0 then r = 1;
  else if bgp_path.last = CUST then r = 2;
  case r { 1: return 10; 2..3: { if net.len > 24 then return 20; } }
  return 30;
}
function mark(int v) { bgp_community.add((US, v)); if v > 500 then bgp_large_community.add((US, 9, v)); }
function strip() { bgp_community.delete([(US,*)]); if net ~ LONG then return false; bgp_path.prepend(US); return true; }
function gate() { if net ~ [ 198.18.2.0/24 ] then reject; if (US,100) ~ bgp_community then accept; }
function seen(int who) { for int a in bgp_path do { if a = who then return true; } return false; }
`

// condition is a random bool.
func (g *birdPolicies) condition(depth int) string {
	if depth > 0 {
		switch g.IntN(6) {
		case 0:
			return g.condition(depth-1) + " && " + g.condition(depth-1)
		case 1:
			return g.condition(depth-1) + " || " + g.condition(depth-1)
		case 2:
			return "!(" + g.condition(depth-1) + ")"
		case 3:
			return "(" + g.condition(depth-1) + " || " + g.condition(depth-1) + ") && " + g.condition(depth-1)
		}
	}
	switch g.IntN(20) {
	case 0, 1:
		return "net " + g.pick("~", "!~") + " " + g.pick("OWN", "LONG", "ANY", "UP", "NONE", "[ 198.18.0.0/15+ ]", "[ 198.18.2.0/24 ]", "198.18.0.0/16", "203.0.113.0/24")
	case 2:
		return "net " + g.pick("=", "!=") + " " + g.pick("198.18.2.0/24", "0.0.0.0/0")
	case 3:
		return "net.len " + g.pick("=", "<", ">", "<=", ">=", "!=") + " " + g.pick("24", "25", "0", "32")
	case 4, 5:
		return g.pick("(US,200)", "(US,100)", "(US,900)", "(65535,666)", "(US,13)") + " ~ bgp_community"
	case 6:
		return "bgp_community " + g.pick("~", "!~") + " " + g.pick("TAGS", "WILD", "SPAN", "NONE", "[(US,*)]", "[(64000..65001,100..200)]", "[(*,*)]")
	case 7:
		return g.pick("(US,1,300) ~ bgp_large_community", "bgp_large_community ~ LARGE", "bgp_large_community ~ [(US,*,*)]", "bgp_large_community.len > 0", "bgp_large_community.len = 0")
	case 8, 9:
		return "bgp_path " + g.pick("~", "!~") + " " + g.pick("[= * 65020 * =]", "[= =]", "[= CUST =]", "[= 65010 65020+ =]", "[= 65010 65020+ * =]", "[= ? ? =]", "[= * [65050, 65060..65070] =]", "[= 65000..65100 * =]", "[= ASNS + =]", "ASNS", "[65050, 1..100]", "[= ? * 64999 =]")
	case 10:
		return g.pick("65020", "CUST", "64999", "US") + " ~ bgp_path"
	case 11:
		return "bgp_path.len " + g.pick("=", "<", ">", "<=", ">=", "!=") + " " + g.pick("0", "1", "2", "3")
	case 12:
		return "bgp_path." + g.pick("first", "last") + " " + g.pick("= 65010", "!= CUST", "= 0", "~ ASNS", "~ [65010, 65050..65060]", "> 65049", "< 65050")
	case 13:
		return "bgp_community.len " + g.pick("= 0", "> 0", "> 1", "!= 1", "<= 1")
	case 14:
		return "source " + g.pick("= RTS_BGP", "= RTS_STATIC", "!= RTS_BGP", "~ [RTS_STATIC, RTS_DEVICE]")
	case 15:
		return "proto " + g.pick("= \"custC\"", "~ \"*P\"", "!= \"upU\"", "= \"own\"", "~ \"i*\"")
	case 16:
		return g.pick("bgp_local_pref > 120", "bgp_local_pref = 100", "bgp_local_pref < 150", "bgp_med = 50", "bgp_med > 7", "bgp_med <= 10", "bgp_med != 10", "defined(bgp_med)", "defined(bgp_local_pref)", "bgp_med ~ [7..20]", "bgp_local_pref ~ [100]")
	case 17:
		return "from " + g.pick("= 10.99.0.13", "!= 10.99.0.11", "~ 10.99.0.12/31")
	case 18:
		return g.pick("is_own()", "tagged(200)", "tagged(300)", "no_value()", "kind_of() = 10", "kind_of() > 15", "kind_of() ~ [20, 30]", "seen(65020)", "seen(64999)")
	}
	return g.pick("net.ip ~ 198.18.0.0/16", "net.type = NET_IP4", "net.type = NET_IP6", "true", "false", "bgp_origin = ORIGIN_IGP && source = RTS_BGP", "bgp_next_hop = 10.99.0.11 && source = RTS_BGP")
}

func (g *birdPolicies) statement(depth int) {
	switch g.IntN(17) {
	case 0, 1, 2, 3, 4:
		g.ifStatement(depth)
	case 5:
		g.linef("%s", g.pick("accept;", "reject;", "accept \"fine\";", "reject \"no\", net;"))
	case 6, 7:
		g.linef("bgp_community.add(%s);", g.pick("(US,777)", "(US,200)", "(65535,65281)", "(64999,1)"))
	case 8:
		g.linef("bgp_community.%s;", g.pick("delete((US,200))", "delete(TAGS)", "delete(WILD)", "delete([(US,*)])", "filter(TAGS)", "filter(SPAN)", "empty", "delete([(*,*)])"))
	case 9:
		g.linef("bgp_large_community.%s;", g.pick("add((US,9,9))", "delete(LARGE)", "delete((US,1,300))", "filter([(US,1,*)])", "empty"))
	case 10:
		g.linef("bgp_path.%s;", g.pick("prepend(US)", "prepend(64999)", "prepend(65001)", "delete(65020)", "delete(ASNS)", "filter([65000..65060])", "empty"))
	case 11:
		g.linef("%s", g.pick("bgp_local_pref = 300;", "bgp_med = 5;", "unset(bgp_med);", "bgp_local_pref = bgp_local_pref + 50;", "bgp_med = bgp_med + 1;", "unset(bgp_community);", "bgp_community = -empty-;", "bgp_community = add(bgp_community, (US,55));", "bgp_path = +empty+;", "bgp_path = prepend(bgp_path, US);"))
	case 12:
		g.linef("%s;", g.pick("mark(5)", "mark(600)", "strip()", "gate()"))
	case 13:
		g.caseStatement(depth)
	case 14:
		g.linef("a = %s;", g.pick("1", "2", "a + 1", "kind_of()", "3"))
	case 15:
		g.linef("b = %s;", g.condition(1))
	case 16:
		g.linef("%s", g.pick("print \"seen \", net;", "{ int c = 4; if c > a then bgp_community.add((US, 44)); }"))
	}
}

func (g *birdPolicies) block(depth int) {
	g.indent += 2
	for n := 1 + g.IntN(2); n > 0; n-- {
		g.statement(depth - 1)
	}
	g.indent -= 2
}

func (g *birdPolicies) ifStatement(depth int) {
	c := g.condition(2)
	switch g.IntN(10) {
	case 0:
		c = g.pick("strip()", "net ~ OWN && strip()", "strip() || tagged(200)", "! strip()")
	case 1:
		c = g.pick("a = 1", "a > 2", "b", "! b", "b && a < 5", "a ~ [1..2]", "a = 30")
	}
	if depth <= 0 {
		g.linef("if %s then %s", c, g.pick("accept;", "reject;", "bgp_community.add((US,66));", "a = 7;"))
		return
	}
	g.linef("if %s then {", c)
	g.block(depth)
	if g.IntN(2) == 0 {
		g.linef("} else {")
		g.block(depth)
	}
	g.linef("}")
}

func (g *birdPolicies) caseStatement(depth int) {
	switch g.IntN(4) {
	case 0:
		g.linef("case source { RTS_STATIC: %s RTS_BGP: %s else: reject; }", g.pick("accept;", "bgp_community.add((US,71));"), g.pick("a = 9;", "if net.len > 24 then reject;"))
	case 1:
		g.linef("case bgp_path.len { 0: %s 1..2: %s else: bgp_community.add((US,72)); }", g.pick("accept;", "a = 4;"), g.pick("reject;", "b = true;"))
	case 2:
		g.linef("case bgp_path.first { CUST_FIRST: accept; 65100: { bgp_path.prepend(US); } else: }")
	case 3:
		g.linef("case a { 1: accept; 2, 4..30: bgp_community.add((US,73)); }")
	}
	_ = depth
}

func (g *birdPolicies) filter(i int) {
	g.linef("filter X%d", i)
	g.linef("int a;\nbool b;\n{\n  a = %s; b = %s;", g.pick("0", "1", "2"), g.pick("false", "true", "net ~ OWN"))
	g.indent = 2
	for n := 1 + g.IntN(5); n > 0; n-- {
		g.statement(2)
	}
	if g.IntN(2) == 0 {
		g.linef("%s", g.pick("accept;", "accept;", "return true;", "return net ~ ANY;", "reject;"))
	}
	g.indent = 0
	g.linef("}")
}

func (g *birdPolicies) config(cs []collector) string {
	g.linef("router id 10.99.0.2;")
	g.b.WriteString(birdConstants)
	g.linef("protocol direct { ipv4; }\nprotocol static own { ipv4; route 192.0.2.0/24 blackhole; }")
	g.linef("template bgp feeder { local as US; passive; ipv4 { import all; export none; }; }")
	for _, f := range feeders {
		g.linef("protocol bgp %s from feeder { neighbor %s as %d; }", f.name, f.addr, f.asn)
	}
	for i, c := range cs {
		export := fmt.Sprintf("filter X%d", i)
		if g.IntN(4) == 0 {
			export = "where " + g.condition(2)
		} else {
			g.filter(i)
		}
		more := ""
		if c.asn == ourAS && g.IntN(2) == 0 {
			more = " rr client;"
		} else if c.asn != ourAS && g.IntN(8) == 0 {
			more = g.pick(" rs client;", " interpret communities off;", " local role peer;", " local role provider;", " local role customer;")
		}
		g.linef("protocol bgp c%d { local as US; neighbor %s as %d; passive;%s\n  ipv4 { import none; export %s; };\n}", i, c.addr, c.asn, more, export)
	}
	return strings.ReplaceAll(g.b.String(), "CUST_FIRST", "65050")
}

const (
	birdRounds         = 6
	birdPoliciesARound = 70
)

// open takes the decisions out that the evaluator leaves open, or makes with an
// attribute it does not know, and counts them.
func open(answers []cases.Answer) int {
	n := 0
	for i := range answers {
		a := &answers[i]
		before := len(a.Decisions)
		a.Decisions = slices.DeleteFunc(a.Decisions, func(d cases.Decision) bool {
			unsure := d.Result.Route.Unknown & device.FieldSet(device.ASPathField, device.CommunityField, device.LargeCommunityField)
			return d.Action == device.Undecided || d.Action == device.Accept && unsure != 0
		})
		n += before - len(a.Decisions)
	}
	return n
}

// TestBIRD: 420 random policies on a real BIRD; what it sends to each neighbor
// is what the evaluator says, and no more than 3 of 100 decisions stay open.
func TestBIRD(t *testing.T) {
	policies, decisions, unknown := 0, 0, 0
	for round := range birdRounds {
		t.Run(fmt.Sprintf("seed %d", round), func(t *testing.T) {
			g := &birdPolicies{Rand: rand.New(rand.NewPCG(2012, uint64(round)))}
			cs := collectors(g.Rand, birdPoliciesARound)
			config := g.config(cs)
			own := routes(netip.MustParsePrefix("192.0.2.0/24"))
			answers := decide(t, "bird", config, cs, own)
			unknown += open(answers)
			l := lab.New(t)
			host := l.Host("bird")
			daemon := host.BIRD(config)
			feed(t, l, host.Addr4)
			l.Eventually(20*time.Second, func() error {
				out, err := daemon.Show("show route count")
				if want := fmt.Sprintf("%d of %d routes", len(own)+1, len(own)+1); err == nil && !strings.Contains(string(out), want) {
					err = fmt.Errorf("want %s: %s", want, out)
				}
				return err
			})
			decisions += compareAll(t, l, host.Addr4, cs, answers, config)
			policies += len(cs)
		})
	}
	t.Logf("%d policies, %d decisions, %d left open", policies, decisions, unknown)
	if policies < 300 || unknown*100 > 3*decisions {
		t.Errorf("%d policies compared, %d of %d decisions left open; want 300, and at most 3 %%", policies, unknown, decisions+unknown)
	}
}
