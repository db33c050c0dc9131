package symbolic

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// atom is a community, or a class of communities no pattern tells apart; each
// is one variable: the route carries one of them or not.
type atom struct {
	example device.Community
	literal bool   // exactly this value
	matches []bool // by regular expression of the kind
	level   int
}

// communities is what the policies can tell about one kind of community.
type communities struct {
	kind      device.CommunityKind
	regexes   []device.CommunityPattern
	regexAt   map[string]int
	literals  []device.Community
	atoms     []atom
	atomAt    map[string]int // literals by text
	first     int            // index of the first atom in a state's list
	opaque    bool           // regular expressions are too much: they are unknown
	mentioned bool
}

func newCommunities(kind device.CommunityKind) *communities {
	return &communities{kind: kind, regexAt: map[string]int{}, atomAt: map[string]int{}}
}

func regexKey(p *device.CommunityPattern) string {
	if p.Whole {
		return "whole " + p.Regex
	}
	return "one " + p.Regex
}

// mention notes a pattern before the atoms are made.
func (c *communities) mention(p *device.CommunityPattern) {
	c.mentioned = true
	if p.Literal != "" {
		c.value(device.Community{Kind: c.kind, Text: p.Literal})
		return
	}
	if p.Regex == "" {
		return
	}
	if _, ok := c.regexAt[regexKey(p)]; !ok {
		c.regexAt[regexKey(p)] = len(c.regexes)
		c.regexes = append(c.regexes, *p)
	}
}

func (c *communities) value(v device.Community) {
	c.mentioned = true
	if !slices.Contains(c.literals, v) {
		c.literals = append(c.literals, v)
	}
}

// finish makes the atoms: every literal, and every class of other values that
// some route may carry.
func (c *communities) finish(u *Universe) {
	for _, v := range c.literals {
		c.atomAt[v.Text] = len(c.atoms)
		c.atoms = append(c.atoms, atom{example: v, literal: true, matches: c.vector(v)})
	}
	others := c.classes()
	if others == nil {
		c.opaque = len(c.regexes) > 0
		others = []device.Community{c.unmentioned()}
	}
	for _, v := range others {
		c.atoms = append(c.atoms, atom{example: v, matches: c.vector(v)})
	}
	for i := range c.atoms {
		c.atoms[i].level = u.levels
		u.levels++
	}
}

func (c *communities) vector(v device.Community) []bool {
	out := make([]bool, len(c.regexes))
	for i := range c.regexes {
		out[i] = c.regexes[i].MatchOne(v)
	}
	return out
}

func (c *communities) unmentioned() device.Community {
	shape := map[device.CommunityKind]string{device.Standard: "64510:", device.Large: "64510:0:", device.Extended: "rt:64510:"}[c.kind]
	for n := 0; ; n++ {
		v := device.Community{Kind: c.kind, Text: shape + strconv.Itoa(n)}
		if !slices.Contains(c.literals, v) {
			return v
		}
	}
}

// atomOf is the atom a value belongs to.
func (c *communities) atomOf(v device.Community) int {
	if i, ok := c.atomAt[v.Text]; ok {
		return i
	}
	vector := c.vector(v)
	for i := range c.atoms {
		if !c.atoms[i].literal && slices.Equal(c.atoms[i].matches, vector) {
			return i
		}
	}
	return len(c.atoms) - 1
}

// covers says how a pattern, asked about one value, meets an atom. known is
// false when the analysis cannot say.
func (c *communities) covers(p *device.CommunityPattern, i int) (matches, known bool) {
	a := &c.atoms[i]
	if p.Literal != "" {
		return a.literal && a.example.Text == p.Literal, true
	}
	at, ok := c.regexAt[regexKey(p)]
	if a.literal || !ok {
		return p.MatchOne(a.example), a.literal
	}
	return a.matches[at], !c.opaque
}

// carried is the truth of "some value of the route matches the pattern".
func (u *Universe) carried(c *communities, p *device.CommunityPattern, st *state) truth {
	if p.Whole && p.Regex != "" {
		if !perValue(p.Regex) {
			return unknown
		}
		if re, err := regexp.Compile(p.Regex); err == nil && re.MatchString("") {
			return u.or(u.eachValue(c, p, st), u.carriesNone(c, st))
		}
	}
	return u.eachValue(c, p, st)
}

func (u *Universe) eachValue(c *communities, p *device.CommunityPattern, st *state) truth {
	out := never
	for i := range c.atoms {
		matches, known := c.covers(p, i)
		has := st.carries[c.first+i]
		switch {
		case !known:
			out = u.or(out, truth{bdd.False, has.may})
		case matches:
			out = u.or(out, has)
		}
	}
	return out
}

func (u *Universe) carriesNone(c *communities, st *state) truth {
	out := always
	for i := range c.atoms {
		out = u.and(out, u.not(st.carries[c.first+i]))
	}
	return out
}

// onlyThese is the truth of "every value of the route matches some pattern".
func (u *Universe) onlyThese(c *communities, ps []device.CommunityPattern, st *state) truth {
	out := always
	for i := range c.atoms {
		allowed, doubt := false, false
		for j := range ps {
			matches, known := c.covers(&ps[j], i)
			allowed = allowed || matches && known
			doubt = doubt || !known
		}
		has := u.not(st.carries[c.first+i])
		switch {
		case allowed:
		case doubt:
			out = u.and(out, truth{has.must, bdd.True})
		default:
			out = u.and(out, has)
		}
	}
	return out
}

func (u *Universe) communityMatch(m *device.CommunityMatch, st *state) truth {
	c := u.kinds[m.Kind]
	anyOf, allOf := never, always
	for i := range m.Patterns {
		t := u.carried(c, &m.Patterns[i], st)
		anyOf, allOf = u.or(anyOf, t), u.and(allOf, t)
	}
	switch m.Quant {
	case device.AnyOf:
		return anyOf
	case device.AllOf:
		return allOf
	case device.ExactOf:
		return u.and(allOf, u.onlyThese(c, m.Patterns, st))
	}
	return u.onlyThese(c, m.Patterns, st)
}

// setCommunities applies an action to the list of a state.
func (u *Universe) setCommunities(a *device.SetCommunities, st *state) {
	c := u.kinds[a.Kind]
	if !c.mentioned {
		return
	}
	carries := slices.Clone(st.carries)
	for i := range c.atoms {
		has := &carries[c.first+i]
		switch a.Op {
		case device.ReplaceCommunities:
			*has = never
		case device.DeleteCommunities:
			deleted, known := c.deletes(a.Patterns, i)
			switch {
			case !known:
				*has = truth{bdd.False, has.may}
			case deleted:
				*has = never
			}
		}
	}
	if a.Op != device.DeleteCommunities {
		for _, v := range a.Values {
			carries[c.first+c.atomOf(v)] = always
		}
	}
	st.carries = carries
}

func (c *communities) deletes(ps []device.CommunityPattern, i int) (deleted, known bool) {
	for j := range ps {
		switch matches, known := c.covers(&ps[j], i); {
		case !known:
			return false, false
		case matches:
			return !ps[j].Keep, true
		}
	}
	return false, true
}

// perValue reports whether a regular expression over all values of a route says
// the same as when it is asked about each: it never reads across a space, and
// the ends of the text mean no more than a space does.
func perValue(re string) bool {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return false
	}
	return separable(tree.Simplify(), true, true)
}

// separable: first and last say whether the node stands at an end of the
// expression, where reading on into the next value does no harm.
func separable(n *syntax.Regexp, first, last bool) bool {
	switch n.Op {
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return false
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		if !readsSpace(n) {
			return !hasAnchor(n)
		}
		return (first || last) && !hasAnchor(n)
	case syntax.OpCharClass:
		return !readsSpace(n) || first || last
	case syntax.OpLiteral:
		return !slices.Contains(n.Rune, ' ')
	case syntax.OpCapture:
		return separable(n.Sub[0], first, last)
	case syntax.OpAlternate:
		if boundary(n) {
			return first || last
		}
		for _, s := range n.Sub {
			if !separable(s, first, last) {
				return false
			}
		}
		return true
	case syntax.OpConcat:
		for i, s := range n.Sub {
			if !separable(s, first && i == 0, last && i == len(n.Sub)-1) {
				return false
			}
		}
		return true
	case syntax.OpEmptyMatch:
		return true
	}
	return false
}

// boundary is the form "_" is translated to: a separator, or an end of the text.
func boundary(n *syntax.Regexp) bool {
	space := false
	ends := 0
	for _, s := range n.Sub {
		for s.Op == syntax.OpCapture {
			s = s.Sub[0]
		}
		switch s.Op {
		case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
			ends++
		case syntax.OpCharClass, syntax.OpLiteral:
			space = space || readsSpace(s)
		default:
			return false
		}
	}
	return space && ends > 0
}

func readsSpace(n *syntax.Regexp) bool {
	switch n.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(n.Rune); i += 2 {
			if n.Rune[i] <= ' ' && ' ' <= n.Rune[i+1] {
				return true
			}
		}
	case syntax.OpLiteral:
		return strings.ContainsRune(string(n.Rune), ' ')
	}
	return slices.ContainsFunc(n.Sub, readsSpace)
}

func hasAnchor(n *syntax.Regexp) bool {
	switch n.Op {
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return true
	}
	return slices.ContainsFunc(n.Sub, hasAnchor)
}
