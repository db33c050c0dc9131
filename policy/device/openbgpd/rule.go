package openbgpd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

type ruleAction uint8

const (
	matchOnly ruleAction = iota
	allow
	deny
)

// rule is a filter rule as written; its lists are still together.
type rule struct {
	pos, end device.Pos
	text     string
	action   ruleAction
	quick    bool
	out      bool
	ribs     []string
	peers    []peer
	prefixes []prefixSpec // nil: not asked
	as       []asTest     // nil: not asked
	tests    []test
	sets     []setting
	unread   bool
}

type peerKind uint8

const (
	peerAny peerKind = iota
	peerAddress
	peerGroup
	peerAS
	peerEBGP
	peerIBGP
)

type peer struct {
	kind peerKind
	addr netip.Addr
	name string
	asn  uint32

	block int // of a group: a rule names one block, whatever its name
}

// asPart is the part of the AS path a test looks at.
type asPart string

type asTest struct {
	pos      device.Pos
	part     asPart
	set      aspath.Set
	neighbor bool // neighbor-as
	local    bool // local-as
	negate   bool
	named    *asSet
	text     string
}

// test is any other condition of a rule.
type test struct {
	pos    device.Pos
	kind   string // the keyword
	text   string // its argument
	sub    string // second argument
	number int64
	longer bool
	set    *prefixSet
	origin *roaSet
}

func (p *parser) rule(first token) {
	r := &rule{pos: first.pos, end: first.pos}
	r.action = map[string]ruleAction{"allow": allow, "deny": deny}[first.text]
	words := []string{first.text}
	from := len(words)
	ok := p.ruleHead(r) && p.ruleTests(r)
	if ok && p.accept("set") {
		r.sets, ok = p.settings()
	}
	r.text = p.textOf(r, words[:from])
	if !ok || !p.done() {
		r.unread = true
		p.unread(first.pos, first.text, true)
		if len(r.peers) == 0 {
			// Which way it works is not known: it may be either.
			r.peers = []peer{{kind: peerAny}}
			both := *r
			both.out = !r.out
			p.rules = append(p.rules, &both)
		}
		p.rules = append(p.rules, r)
		return
	}
	r.end = p.tok.pos
	p.rules = append(p.rules, r)
	p.file(first.pos, r.text, device.Modelled, true, "")
}

func (p *parser) ruleHead(r *rule) bool {
	r.quick = p.accept("quick")
	if p.accept("rib") {
		if p.tok.is("{") {
			if !p.list(func() bool { r.ribs = append(r.ribs, p.take().text); return true }) {
				return false
			}
		} else {
			r.ribs = []string{p.take().text}
		}
	}
	switch {
	case p.accept("to"):
		r.out = true
	case !p.accept("from"):
		return false
	}
	if p.tok.is("{") {
		ok := p.list(func() bool { return p.peer(r) })
		slices.Reverse(r.peers)
		return ok && len(r.peers) > 0
	}
	return p.peer(r)
}

func (p *parser) peer(r *rule) bool {
	t := p.take()
	one := peer{}
	switch {
	case t.is("any"):
	case t.is("ebgp"):
		one.kind = peerEBGP
	case t.is("ibgp"):
		one.kind = peerIBGP
	case t.is("AS"):
		n, ok := asn(p.take())
		if !ok {
			return false
		}
		one.kind, one.asn = peerAS, n
	case t.is("group"):
		name := p.take()
		one.kind, one.name, one.block = peerGroup, name.text, p.groups[name.text]
		if one.block == 0 {
			p.refused(name.pos, "RL301", fmt.Sprintf("there is no neighbor in a group %q", name.text), "define the group before the rules")
		}
	default:
		a, ok := address(t)
		if !ok {
			return false
		}
		one.kind, one.addr = peerAddress, a
		if !slices.ContainsFunc(p.neighbors, func(n *neighbor) bool { return n.net.Addr() == a }) {
			p.refused(t.pos, "RL301", fmt.Sprintf("there is no neighbor %s", a), "define the neighbor before the rules")
		}
	}
	r.peers = append(r.peers, one)
	return true
}

func (p *parser) ruleTests(r *rule) bool {
	for !p.done() && !p.tok.is("set") {
		if !p.ruleTest(r) {
			return false
		}
	}
	return true
}

func (p *parser) ruleTest(r *rule) bool {
	t := p.tok
	switch t.text {
	case "AS", "peer-as", "source-as", "transit-as":
		p.read()
		return r.as == nil && p.asTests(r, asPart(t.text))
	case "{":
		// A list of AS tests.
		return r.as == nil && p.list(func() bool { part := p.take(); return p.asTests(r, asPart(part.text)) })
	case "inet", "inet6", "IPv4", "IPv6":
		p.read()
		return r.prefixes == nil && p.familyTest(r, t)
	case "prefix":
		p.read()
		return r.prefixes == nil && p.prefixTest(r)
	}
	p.read()
	one := test{pos: t.pos, kind: t.text}
	ok := true
	switch t.text {
	case "prefix-set":
		name := p.take()
		one.text, one.set = name.text, p.prefixSets[name.text]
		one.longer = p.accept("or-longer")
		p.named(one.set == nil, t.text, name)
		if one.set != nil && one.longer && one.set.ops {
			p.refused(name.pos, "RL902", fmt.Sprintf("prefix-set %q has lengths of its own and cannot be used with or-longer", name.text), "drop one of the two")
		}
	case "origin-set":
		name := p.take()
		one.text, one.origin = name.text, p.originSets[name.text]
		p.named(one.origin == nil, t.text, name)
	case "community", "large-community":
		one.text = p.take().text
	case "ext-community":
		one.text, one.sub = p.take().text, p.take().text
	case "max-as-len", "max-as-seq", "max-communities", "max-ext-communities", "max-large-communities":
		one.number, ok = number(p.take())
	case "nexthop", "ovs", "avs":
		one.text = p.take().text
	default:
		ok = false
	}
	r.tests = append(r.tests, one)
	return ok
}

func (p *parser) named(missing bool, kind string, name token) {
	if missing {
		p.refused(name.pos, "RL301", fmt.Sprintf("%s %q is not defined", kind, name.text), "define it before it is used")
	}
}

func (p *parser) familyTest(r *rule, t token) bool {
	net := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if families[t.text] == device.IPv6 {
		net = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	s := prefixSpec{pos: t.pos, net: net}
	if !p.lengths(&s) {
		return false
	}
	if s.op == opNone {
		s.op, s.max = opRange, net.Addr().BitLen()
	}
	r.prefixes = []prefixSpec{s}
	return true
}

// prefixTest reads one prefix, a list, or lists in a list. bgpd makes the rules
// of a list from its end.
func (p *parser) prefixTest(r *rule) bool {
	r.prefixes = []prefixSpec{}
	one := func() bool {
		s, ok := p.prefixSpec()
		r.prefixes = append(r.prefixes, s)
		return ok
	}
	if !p.tok.is("{") {
		return one()
	}
	return p.nested(one, func(from int) { slices.Reverse(r.prefixes[from:]) }, func() int { return len(r.prefixes) })
}

// nested reads a list whose members may be lists; reverse is called with the
// number of members before each innermost list.
func (p *parser) nested(one func() bool, reverse func(from int), count func() int) bool {
	from, inner := count(), false
	ok := p.list(func() bool {
		if !p.tok.is("{") {
			return one()
		}
		inner = true
		start := count()
		ok := p.list(one)
		reverse(start)
		return ok
	})
	if !inner {
		reverse(from)
	}
	return ok && count() > from
}

func (p *parser) asTests(r *rule, part asPart) bool {
	switch part {
	case "AS", "peer-as", "source-as", "transit-as":
	default:
		return false
	}
	if p.accept("as-set") {
		name := p.take()
		s := p.asSets[name.text]
		p.named(s == nil, "as-set", name)
		r.as = append(r.as, asTest{pos: name.pos, part: part, named: s, text: name.text})
		return true
	}
	one := func() bool {
		t, ok := p.asTest(part)
		r.as = append(r.as, t)
		return ok
	}
	if !p.tok.is("{") {
		return one()
	}
	return p.nested(one, func(from int) { slices.Reverse(r.as[from:]) }, func() int { return len(r.as) })
}

func (p *parser) asTest(part asPart) (asTest, bool) {
	t := asTest{pos: p.tok.pos, part: part}
	switch {
	case p.accept("neighbor-as"):
		t.neighbor, t.text = true, "neighbor-as"
		return t, true
	case p.accept("local-as"):
		t.local, t.text = true, "local-as"
		return t, true
	case p.accept("!="):
		t.negate = true
	default:
		p.accept("=")
	}
	if t.negate && p.accept("neighbor-as") {
		t.neighbor = true
		return t, true
	}
	from, ok := asn(p.take())
	if !ok {
		return t, false
	}
	t.set, t.text = aspath.One(from), fmt.Sprint(from)
	if p.tok.is("-") || p.tok.is("><") {
		op := p.take().text
		to, ok := asn(p.take())
		if !ok || to <= from {
			return t, false
		}
		t.set, t.text = aspath.Set{{Lo: from, Hi: to}}, fmt.Sprintf("%d-%d", from, to)
		t.negate = op == "><"
	}
	return t, true
}

// textOf writes a rule in one line, the same whatever its layout.
func (p *parser) textOf(r *rule, words []string) string {
	add := func(ws ...string) { words = append(words, ws...) }
	if r.quick {
		add("quick")
	}
	if len(r.ribs) > 0 {
		add("rib", strings.Join(r.ribs, ","))
	}
	add(map[bool]string{true: "to", false: "from"}[r.out])
	add(braces(r.peers, peer.String))
	if r.prefixes != nil {
		add("prefix", braces(r.prefixes, func(s prefixSpec) string {
			return strings.Join(rangesOf(s), ",")
		}))
	}
	if r.as != nil {
		add(braces(r.as, func(t asTest) string {
			return string(t.part) + map[bool]string{true: " !="}[t.negate] + " " + t.text
		}))
	}
	for _, t := range r.tests {
		add(t.kind)
		if t.text != "" {
			add(t.text)
		}
		if t.sub != "" {
			add(t.sub)
		}
		if t.text == "" {
			add(fmt.Sprint(t.number))
		}
		if t.longer {
			add("or-longer")
		}
	}
	return strings.Join(words, " ")
}

func rangesOf(s prefixSpec) []string {
	var out []string
	for _, e := range entries([]prefixSpec{s}) {
		out = append(out, e.Range.String())
	}
	return out
}

// shown is how many members of a list a rule's text names.
const shown = 3

func braces[T any](xs []T, text func(T) string) string {
	var parts []string
	for i, x := range xs {
		if i == shown {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, text(x))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "{ " + strings.Join(parts, " ") + " }"
}

func (p peer) String() string {
	switch p.kind {
	case peerAddress:
		return p.addr.String()
	case peerGroup:
		return "group " + p.name
	case peerAS:
		return fmt.Sprint("AS ", p.asn)
	case peerEBGP:
		return "ebgp"
	case peerIBGP:
		return "ibgp"
	}
	return "any"
}
