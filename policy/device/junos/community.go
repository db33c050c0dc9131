package junos

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// community is a named community: all its members have to be there.
type community struct {
	set     *device.Set
	x       device.Expr
	members []member
	invert  bool
	unclear bool // a member could not be read
}

// member is one line: a value, or an expression over the text of one value.
// An expression that is not tied to both ends may mean more than the whole
// value; loose is that wider reading, nil when the two agree.
type member struct {
	exact []device.CommunityPattern // one for each kind it may match
	loose []device.CommunityPattern
	value *device.Community
}

func (s *scope) community(n *tree.Node) {
	c := &community{invert: n.Get("invert-match") != nil}
	mark(n.Child("invert-match"), device.Modelled)
	members := n.Get("members").Active()
	c.set = s.define(n, device.CommunitySetKind, len(members))
	var xs []device.Expr
	var literals []device.CommunityPattern
	for _, k := range members {
		m, err := readMember(k)
		if err != nil {
			k.Mark(device.Unmodelled, err.Error())
			c.unclear = true
			xs = append(xs, &device.Unknown{At: device.At{Pos: k.Pos}, Text: k.Word, Why: err.Error()})
			continue
		}
		k.Mark(device.Modelled, "")
		c.members = append(c.members, m)
		if m.value != nil {
			literals = append(literals, m.exact[0])
			continue
		}
		xs = append(xs, m.expr(k.Pos))
	}
	for _, k := range n.Active() {
		if k.Word != "members" && k.Word != "invert-match" {
			k.Cover(device.Unmodelled, "")
			c.unclear = true
			xs = append(xs, &device.Unknown{At: device.At{Pos: k.Pos}, Text: k.Word, Why: "not modelled"})
		}
	}
	xs = append(allPresent(n, literals), xs...)
	c.x = device.AllOfExprs(n.Pos, xs...)
	if len(xs) == 0 {
		c.unclear = true
		c.x = &device.Unknown{At: c.set.At, Text: "community " + n.Word, Why: "the community has no members"}
		s.report(device.Diagnostic{
			At: c.set.At, Rule: "RL306", Set: c.set.Name, Message: fmt.Sprintf("community %s has no members: what it matches is not defined", n.Word), Fix: "add members",
		})
	}
	if c.invert {
		c.x = device.Negate(c.x)
	}
	c.set.X = c.x
	s.communities[n.Word] = c
}

func mark(n *tree.Node, state device.StatementState) {
	if n != nil {
		n.Mark(state, "")
	}
}

// allPresent groups the literal members by kind.
func allPresent(n *tree.Node, literals []device.CommunityPattern) []device.Expr {
	var xs []device.Expr
	for _, kind := range []device.CommunityKind{device.Standard, device.Extended, device.Large} {
		var ps []device.CommunityPattern
		for _, p := range literals {
			if p.Kind == kind {
				ps = append(ps, p)
			}
		}
		if len(ps) > 0 {
			xs = append(xs, &device.CommunityMatch{At: device.At{Pos: n.Pos}, Kind: kind, Quant: device.AllOf, Patterns: ps})
		}
	}
	return xs
}

func (m member) expr(pos device.Pos) device.Expr {
	anyOf := func(ps []device.CommunityPattern) device.Expr {
		var xs []device.Expr
		for _, p := range ps {
			xs = append(xs, &device.CommunityMatch{At: device.At{Pos: pos}, Kind: p.Kind, Patterns: []device.CommunityPattern{p}})
		}
		return device.AnyOfExprs(pos, xs...)
	}
	if len(m.loose) == 0 {
		return anyOf(m.exact)
	}
	return device.AnyOfExprs(pos, anyOf(m.exact), device.AllOfExprs(pos, anyOf(m.loose), &device.Unknown{
		At: device.At{Pos: pos}, Text: m.exact[0].Source, Why: "whether an expression without ^ and $ also matches a part of a value is not confirmed on a device",
	}))
}

var (
	plainValue = regexp.MustCompile(`^\d+(:\d+)?$`)
	largeValue = regexp.MustCompile(`^\d+:\d+:\d+$`)
	extValue   = regexp.MustCompile(`^[\dA-Fa-fxL.]+:\d+L?$|^0x[0-9A-Fa-f:x]+$|^[\w.-]+$`)
	asnWithL   = regexp.MustCompile(`\b(\d+)L\b`)
)

// extendedTypes are the words in front of an extended community; target and
// origin have their common short names in canonical text.
var extendedTypes = map[string]string{
	"target": "rt", "origin": "soo", "bandwidth": "bandwidth", "color": "color", "domain-id": "domain-id", "domain": "domain",
	"encapsulation": "encapsulation", "rt-import": "rt-import", "src-as": "src-as", "traffic-rate": "traffic-rate",
	"traffic-action": "traffic-action", "redirect": "redirect", "mac-mobility": "mac-mobility", "route-type": "route-type",
	"rte-type": "rte-type", "iana": "iana", "opaque": "opaque", "as4": "as4", "ipv6-target": "ipv6-target", "ext": "ext",
	"evpn-mcast-flags": "evpn-mcast-flags", "es-import": "es-import", "default-gateway": "default-gateway",
	"validation-state": "validation-state", "l2vpn-layer2": "l2vpn-layer2", "fragment": "fragment", "redirect-to-nexthop": "redirect-to-nexthop",
}

// readMember tells values and expressions apart.
func readMember(n *tree.Node) (member, error) {
	text := strings.TrimSpace(n.Word)
	if k := n.Value(); k != nil {
		text = strings.Join(lineFrom(n), " ")
	}
	word, rest, typed := strings.Cut(text, ":")
	word = strings.TrimLeft(strings.ToLower(word), "^(")
	switch {
	case typed && word == "large":
		return typedMember(device.Large, "", rest, text, n.Pos, largeValue)
	case typed && extendedTypes[word] != "":
		return typedMember(device.Extended, extendedTypes[word]+":", asnWithL.ReplaceAllString(rest, "$1"), text, n.Pos, extValue)
	case plainValue.MatchString(text) || !strings.ContainsAny(text, `:*.^$[](){}|+?\`):
		c, err := device.ParseCommunity(device.Standard, text)
		if err != nil {
			return member{}, err
		}
		return literal(c, text, n.Pos), nil
	}
	return expression(text, n.Pos)
}

func literal(c device.Community, source string, pos device.Pos) member {
	return member{exact: []device.CommunityPattern{device.LiteralPattern(c, source, pos)}, value: &c}
}

func typedMember(kind device.CommunityKind, prefix, rest, source string, pos device.Pos, value *regexp.Regexp) (member, error) {
	if value.MatchString(rest) {
		c, err := device.ParseCommunity(kind, prefix+rest)
		if err != nil {
			return member{}, err
		}
		return literal(c, source, pos), nil
	}
	re, _, _ := ends(rest)
	p, err := device.RegexPattern(kind, "^"+prefix+"(?:"+re+")$", source, false, pos)
	return member{exact: []device.CommunityPattern{p}}, err
}

// expression reads a regular expression over the text of one value. One that
// begins with a wildcard also takes values of the other kinds, as was seen on
// a router that deleted ".*:.*".
func expression(text string, pos device.Pos) (member, error) {
	re, left, right := ends(text)
	kinds := []device.CommunityKind{device.Standard}
	if strings.HasPrefix(strings.TrimLeft(re, "("), ".") {
		kinds = append(kinds, device.Extended, device.Large)
	}
	var m member
	for _, k := range kinds {
		p, err := device.RegexPattern(k, "^(?:"+re+")$", text, false, pos)
		if err != nil {
			return member{}, err
		}
		m.exact = append(m.exact, p)
		if left && right || k != device.Standard {
			continue
		}
		open, closed := "", ""
		if left {
			open = "^"
		}
		if right {
			closed = "$"
		}
		if p, err = device.RegexPattern(k, open+"(?:"+re+")"+closed, text, false, pos); err == nil {
			m.loose = append(m.loose, p)
		}
	}
	return m, nil
}

var (
	fiveLeft  = regexp.MustCompile(`^[1-9]\d{4}:`)
	fiveRight = regexp.MustCompile(`:[1-9]\d{4}$`)
)

// ends strips anchors and turns "*" that repeats nothing into ".*". It says
// for each end whether the expression is tied to it: by an anchor, by a
// wildcard, or because no value of 16 bits has more than five digits.
func ends(text string) (re string, left, right bool) {
	re, left = strings.CutPrefix(text, "^")
	if strings.HasSuffix(re, "$") && !strings.HasSuffix(re, `\$`) {
		re, right = re[:len(re)-1], true
	}
	var b strings.Builder
	for i, c := range re {
		if c == '*' && (i == 0 || strings.ContainsRune(":(|^", rune(re[i-1]))) {
			b.WriteByte('.')
		}
		b.WriteRune(c)
	}
	re = b.String()
	left = left || strings.HasPrefix(re, ".*") || fiveLeft.MatchString(re)
	right = right || strings.HasSuffix(re, ".*") || fiveRight.MatchString(re)
	return re, left, right
}

// patterns are what "community delete" removes.
func (c *community) patterns(kind device.CommunityKind) []device.CommunityPattern {
	var ps []device.CommunityPattern
	for _, m := range c.members {
		for _, p := range m.exact {
			if p.Kind == kind {
				p.Keep = c.invert
				ps = append(ps, p)
			}
		}
	}
	return ps
}

func (c *community) loose() bool {
	for _, m := range c.members {
		if len(m.loose) > 0 {
			return true
		}
	}
	return false
}
