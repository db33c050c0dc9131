package bird

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// value is what an expression comes to: a constant, something of the route, or
// a choice between values.
type value interface{}

type (
	intValue    uint32
	boolValue   bool
	stringValue string
	ipValue     netip.Addr
	netValue    netip.Prefix
	pairValue   uint32
	lcValue     [3]uint32
	ecValue     string // canonical text
	enumValue   struct {
		kind string
		name string
	}
	voidValue struct{}

	// condValue is a condition on the route.
	condValue struct{ x device.Expr }

	// unknownValue is what is not modelled.
	unknownValue struct{ why string }

	// attrValue is an attribute of the route, or a property of one.
	attrValue struct {
		name   string // net, bgp_path, bgp_community, ...
		member string // len, first, ip, type, ...
		edits  []device.Action
	}

	// sumValue is a number of the route with something added.
	sumValue struct {
		attr  attrValue
		n     uint32
		minus bool
	}

	// choiceValue is one value where a condition holds and another elsewhere.
	choiceValue struct {
		x    device.Expr
		a, b value
	}

	// roaValue is the outcome of a look-up of validated origins.
	roaValue struct{}

	maskValue struct{ pattern *aspath.Pattern }

	emptyList struct{ attr string } // +empty+ and its kin
)

// setValue is a set of any type.
type setValue struct {
	name     string
	def      *device.Set
	prefixes []device.PrefixEntry
	numbers  aspath.Set
	pairs    []device.CommunityPattern
	ecs      []device.CommunityPattern
	lcs      []device.CommunityPattern
	enums    []enumValue
	ips      []netip.Prefix
	members  int
	unknown  string // why something of it is not modelled
}

func (s *setValue) size() int { return s.members }

func (s *setValue) kind() device.SetKind {
	switch {
	case len(s.prefixes) > 0:
		return device.PrefixSetKind
	case len(s.pairs) > 0:
		return device.CommunitySetKind
	case len(s.ecs) > 0:
		return device.ExtSetKind
	case len(s.lcs) > 0:
		return device.LargeSetKind
	case len(s.numbers) > 0:
		return device.ASSetKind
	}
	return device.PrefixSetKind
}

func (s *setValue) prefixSet() *device.PrefixSet {
	return &device.PrefixSet{Name: s.name, Entries: s.prefixes}
}

// ref wraps a condition in the use of the named set.
func (s *setValue) ref(pos device.Pos, x device.Expr) device.Expr {
	if s.def == nil {
		return x
	}
	s.def.Used++
	if s.members == 0 {
		x = &device.Const{At: device.At{Pos: pos}, Why: "an empty set matches nothing"}
	}
	return &device.Ref{At: device.At{Pos: pos}, Kind: s.def.Kind, Name: s.name, Set: s.def, X: x}
}

// enums are the words of the configuration that are values.
var enums = map[string]enumValue{}

func init() {
	for kind, names := range map[string]string{
		"rts":     "STATIC INHERIT DEVICE STATIC_DEVICE REDIRECT RIP OSPF OSPF_IA OSPF_EXT1 OSPF_EXT2 BGP PIPE BABEL RPKI PERF L3VPN AGGREGATED",
		"scope":   "HOST LINK SITE ORGANIZATION UNIVERSE UNDEFINED",
		"rtd":     "UNICAST BLACKHOLE UNREACHABLE PROHIBIT",
		"roa":     "UNKNOWN VALID INVALID",
		"aspa":    "UNKNOWN VALID INVALID",
		"nettype": "IP4 IP6 VPN4 VPN6 ROA4 ROA6 FLOW4 FLOW6 IP6_SADR MPLS",
		"origin":  "IGP EGP INCOMPLETE",
		"af":      "IPV4 IPV6",
	} {
		prefix := map[string]string{"nettype": "NET_"}[kind]
		if prefix == "" {
			prefix = strings.ToUpper(kind) + "_"
		}
		for _, n := range strings.Fields(names) {
			enums[prefix+n] = enumValue{kind, n}
		}
	}
}

// constant evaluates an expression without a route.
func (p *parser) constant(x *expr) value {
	e := &evaluator{p: p, env: &environment{vars: map[string]captured{}}}
	v, fails := e.eval(x)
	if fails != nil {
		return unknownValue{"it fails"}
	}
	switch v.(type) {
	case attrValue, sumValue, choiceValue, condValue, roaValue:
		return unknownValue{"it is no constant"}
	}
	return v
}

// prefixEntry turns a prefix pattern into ranges. A range may begin above the
// prefix: then the prefixes that hold it are meant too.
func prefixEntries(pos device.Pos, net netip.Prefix, lo, hi int) []device.PrefixEntry {
	at := device.At{Pos: pos}
	var out []device.PrefixEntry
	for bits := lo; bits < net.Bits() && bits <= hi; bits++ {
		out = append(out, device.PrefixEntry{At: at, Range: device.Exact(netip.PrefixFrom(net.Addr(), bits))})
	}
	if hi >= net.Bits() {
		out = append(out, device.PrefixEntry{At: at, Range: device.PrefixRange{Net: net, Min: max(lo, net.Bits()), Max: hi}})
	}
	return out
}

// digits is a regular expression for the decimal numbers from lo to hi.
func digits(lo, hi uint32) string {
	if lo == 0 && hi == 1<<32-1 {
		return "[0-9]+"
	}
	var alts []string
	for from := uint64(lo); from <= uint64(hi); {
		// The widest block that begins here and ends inside: 1200..1299.
		step := uint64(1)
		for from%(step*10) == 0 && from+step*10-1 <= uint64(hi) && from >= step*10 {
			step *= 10
		}
		last := from + step - 1
		// Blocks of one size that follow one another: 12xx..17xx.
		for last+step <= uint64(hi) && (last+1)/(step*10) == from/(step*10) {
			last += step
		}
		alts = append(alts, block(from, last, step))
		from = last + 1
	}
	if len(alts) == 1 {
		return alts[0]
	}
	return "(?:" + strings.Join(alts, "|") + ")"
}

// block writes numbers that differ in one digit, and in all those behind it.
func block(from, last, step uint64) string {
	head, digit, end := from/(step*10), from/step%10, last/step%10
	out := ""
	if head > 0 {
		out = fmt.Sprint(head)
	}
	if digit == end {
		out += fmt.Sprint(digit)
	} else {
		out += fmt.Sprintf("[%d-%d]", digit, end)
	}
	for ; step > 1; step /= 10 {
		out += "[0-9]"
	}
	return out
}
