package gobgp

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// neighborSet keeps the addresses; the side they are compared with depends on
// the direction of the policy.
type neighborSet struct {
	set   *device.Set
	addrs []netip.Prefix
}

// sets reads defined-sets. A set that does not parse makes the whole load fail;
// of two with one name the last wins.
func (b *builder) sets() {
	b.neighbors = map[string]*neighborSet{}
	ds := b.root.child("defined-sets")
	for _, n := range ds.items("prefix-sets") {
		b.prefixSet(n)
	}
	for _, n := range ds.items("neighbor-sets") {
		b.neighborSet(n)
	}
	bgp := ds.child("bgp-defined-sets")
	for _, n := range bgp.items("as-path-sets") {
		b.asPathSet(n)
	}
	for _, k := range communityKinds {
		for _, n := range bgp.items(k.key + "-sets") {
			b.communitySet(n, k)
		}
	}
}

// communityKind ties a kind of community to the keys it is written with.
type communityKind struct {
	key  string // "ext-community": in ext-community-sets, set-ext-community, …
	kind device.CommunityKind
	set  device.SetKind
}

var communityKinds = []communityKind{
	{"community", device.Standard, device.CommunitySetKind},
	{"ext-community", device.Extended, device.ExtSetKind},
	{"large-community", device.Large, device.LargeSetKind},
}

// define registers a set; a nameless one makes the load fail.
func (b *builder) define(n *node, kind device.SetKind, nameKey, listKey string) *device.Set {
	s := &device.Set{At: device.At{Pos: n.pos}, End: n.end(), Kind: kind, Name: n.str(nameKey), Len: len(n.items(listKey))}
	if s.Name == "" {
		b.loadError(device.Diagnostic{At: s.At, Message: fmt.Sprintf("%s without a name", kind), Fix: "give it a " + nameKey})
		return nil
	}
	if i, twice := b.setAt[setName{kind, s.Name}]; twice {
		b.report(device.Diagnostic{
			At: s.At, Rule: "RL219", Severity: device.Warning, Set: s.Name,
			Message: fmt.Sprintf("%s %q is defined twice; the one at %s has no effect", kind, s.Name, b.cfg.Sets[i].Pos),
		})
		b.cfg.Sets[i] = s
		return s
	}
	b.setAt[setName{kind, s.Name}] = len(b.cfg.Sets)
	b.cfg.Sets = append(b.cfg.Sets, s)
	return s
}

func (b *builder) badMember(n *node, s *device.Set, why error) {
	b.loadError(device.Diagnostic{
		At: device.At{Pos: n.pos}, Set: s.Name,
		Message: fmt.Sprintf("%s %q: %v", s.Kind, s.Name, why), Fix: "correct the entry",
	})
}

func (b *builder) prefixSet(n *node) {
	s := b.define(n, device.PrefixSetKind, "prefix-set-name", "prefix-list")
	if s == nil {
		return
	}
	// The table is asked for the longest network that holds the prefix, and
	// only the entries of that network are looked at.
	set := &device.PrefixSet{At: s.At, Name: s.Name, Mode: device.LongestMatch}
	for _, e := range n.items("prefix-list") {
		r, err := prefixRange(e.str("ip-prefix"), e.str("masklength-range"))
		if err != nil {
			b.badMember(e, s, err)
			continue
		}
		if len(set.Entries) > 0 && set.Entries[0].Range.Net.Addr().Is4() != r.Net.Addr().Is4() {
			b.badMember(e, s, fmt.Errorf("%s is of another family than the entries above it", r.Net))
			continue
		}
		pos := e.at("ip-prefix")
		set.Entries = append(set.Entries, device.PrefixEntry{At: device.At{Pos: pos}, Range: r})
	}
	s.Prefixes = set
}

var maskRange = regexp.MustCompile(`(\d+)\.\.(\d+)`)

func prefixRange(prefix, lengths string) (device.PrefixRange, error) {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return device.PrefixRange{}, fmt.Errorf("ip-prefix %q is not a prefix", prefix)
	}
	r := device.Exact(p)
	if lengths == "" {
		return r, nil
	}
	m := maskRange.FindStringSubmatch(lengths)
	if m == nil {
		return r, fmt.Errorf("masklength-range %q: want MIN..MAX", lengths)
	}
	lo, err1 := strconv.Atoi(m[1])
	hi, err2 := strconv.Atoi(m[2])
	if err1 != nil || err2 != nil || lo > hi || hi > p.Addr().BitLen() {
		return r, fmt.Errorf("masklength-range %q: want MIN..MAX with MIN <= MAX <= %d", lengths, p.Addr().BitLen())
	}
	r.Min, r.Max = lo, hi
	return r, nil
}

func (b *builder) neighborSet(n *node) {
	s := b.define(n, device.NeighborSetKind, "neighbor-set-name", "neighbor-info-list")
	if s == nil {
		return
	}
	set := &neighborSet{set: s}
	for _, e := range n.items("neighbor-info-list") {
		p, err := netip.ParsePrefix(e.text)
		if err != nil {
			a, addrErr := netip.ParseAddr(e.text)
			if addrErr != nil {
				b.badMember(e, s, fmt.Errorf("%q is not an address or prefix", e.text))
				continue
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		set.addrs = append(set.addrs, p.Masked())
	}
	b.neighbors[s.Name] = set
}

func (b *builder) asPathSet(n *node) {
	s := b.define(n, device.ASPathSetKind, "as-path-set-name", "as-path-list")
	if s == nil {
		return
	}
	for _, e := range n.items("as-path-list") {
		// An expression the daemon takes and we cannot analyse is found again
		// where the set is used; only a syntax error makes the load fail.
		if _, err := regexp.Compile(strings.ReplaceAll(e.text, "_", "(^|[,{}() ]|$)")); err != nil {
			b.badMember(e, s, fmt.Errorf("%q is not a regular expression", e.text))
		}
	}
	s.X = b.asPathMembers(n, s)
}

// asPathMembers is the set as one condition: any of its expressions.
func (b *builder) asPathMembers(n *node, s *device.Set) device.Expr {
	var xs []device.Expr
	for _, e := range n.items("as-path-list") {
		at := device.At{Pos: e.pos}
		p, err := aspath.Compile(e.text, aspath.RE2)
		if err != nil {
			xs = append(xs, &device.Unknown{At: at, Text: e.text, Why: err.Error()})
			continue
		}
		xs = append(xs, &device.ASPathMatch{At: at, Pattern: p})
	}
	return &device.Or{At: s.At, Xs: xs}
}

func (b *builder) communitySet(n *node, k communityKind) {
	s := b.define(n, k.set, k.key+"-set-name", k.key+"-list")
	if s == nil {
		return
	}
	var ps []device.CommunityPattern
	for _, e := range n.items(k.key + "-list") {
		p, err := communityPattern(k.kind, e.text, e.pos)
		if err != nil {
			b.badMember(e, s, err)
			continue
		}
		ps = append(ps, p)
	}
	s.X = &device.CommunityMatch{At: s.At, Kind: k.kind, Quant: device.AnyOf, Patterns: ps}
}

var (
	plainStandard = regexp.MustCompile(`^\d+:\d+$`)
	someLarge     = regexp.MustCompile(`\d+:\d+:\d+`)
	plainLarge    = regexp.MustCompile(`^\d+:\d+:\d+$`)
)

// communityPattern reads a member of a community set: a value or a regular
// expression that is searched in the text of each value.
func communityPattern(kind device.CommunityKind, text string, pos device.Pos) (device.CommunityPattern, error) {
	switch kind {
	case device.Extended:
		return extendedPattern(text, pos)
	case device.Large:
		switch {
		case plainLarge.MatchString(text):
			return device.LiteralPattern(device.Community{Kind: kind, Text: text}, text, pos), nil
		case someLarge.MatchString(text):
			return device.RegexPattern(kind, "^"+text+"$", text, false, pos)
		}
		return device.RegexPattern(kind, text, text, false, pos)
	}
	if plainStandard.MatchString(text) {
		return device.LiteralPattern(device.Community{Kind: kind, Text: text}, text, pos), nil
	}
	if c, err := device.ParseCommunity(kind, text); err == nil {
		return device.LiteralPattern(c, text, pos), nil
	}
	return device.RegexPattern(kind, text, text, false, pos)
}

// extendedPattern reads "rt:VALUE", "soo:VALUE", "encap:VALUE" or "lb:VALUE";
// the value is a community or a regular expression over it.
func extendedPattern(text string, pos device.Pos) (device.CommunityPattern, error) {
	typ, value, found := strings.Cut(text, ":")
	typ = strings.ToLower(typ)
	switch typ {
	case "rt", "soo", "encap", "lb":
	default:
		found = false
	}
	if !found {
		return device.CommunityPattern{}, fmt.Errorf("ext-community %q: want rt:, soo:, encap: or lb: and a value", text)
	}
	if plainStandard.MatchString(value) {
		return device.LiteralPattern(device.Community{Kind: device.Extended, Text: typ + ":" + value}, text, pos), nil
	}
	if _, err := regexp.Compile(value); err != nil {
		return device.CommunityPattern{}, fmt.Errorf("ext-community %q: %w", text, err)
	}
	// The value is searched, so that "^" means the beginning of the value; a
	// group keeps alternatives together.
	re := "^" + typ + ":.*(?:" + value + ")"
	if rest, anchored := strings.CutPrefix(value, "^"); anchored && !strings.ContainsAny(rest, "|^") {
		re = "^" + typ + ":(?:" + rest + ")"
	}
	return device.RegexPattern(device.Extended, re, text, false, pos)
}
