package aspath

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Syntax names the language an expression is written in.
type Syntax uint8

// Syntaxes.
const (
	Composed Syntax = iota // built by a constructor, not written
	POSIX                  // FRR, IOS, NX-OS: POSIX extended over the text, "_" is a boundary
	RE2                    // GoBGP: Go regular expression over the text, "_" is a boundary
	JunosRegex
	BIRDMask
)

// String writes the name.
func (s Syntax) String() string {
	return [...]string{"composed", "posix", "re2", "junos", "bird"}[s]
}

// Pattern is a compiled AS-path expression. It is immutable and safe for
// concurrent use.
type Pattern struct {
	source string
	syntax Syntax
	chars  *charDFA  // expressions over text
	tokens *tokenDFA // expressions over ASNs
}

// Compile reads an expression in its dialect's syntax. The error names what is
// wrong with it, or says that it grew too large to analyse.
func Compile(text string, syntax Syntax) (*Pattern, error) {
	switch syntax {
	case POSIX, RE2:
		dfa, err := compileChars(text, syntax)
		if err != nil {
			return nil, fmt.Errorf("as-path regex %q: %w", text, err)
		}
		return &Pattern{source: text, syntax: syntax, chars: dfa}, nil
	case JunosRegex, BIRDMask:
		parse := parseJunos
		if syntax == BIRDMask {
			parse = parseBIRD
		}
		n, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("as-path expression %q: %w", text, err)
		}
		p, err := FromNode(n, text)
		if err != nil {
			return nil, err
		}
		p.syntax = syntax
		return p, nil
	}
	return nil, fmt.Errorf("as-path regex %q: no such syntax %d", text, syntax)
}

// FromNode compiles an expression over whole ASNs that has to match the whole
// path; source is what String shows.
func FromNode(n Node, source string) (*Pattern, error) {
	dfa, err := compileTokens(n)
	if err != nil {
		return nil, fmt.Errorf("as-path expression %q: %w", source, err)
	}
	return &Pattern{source: source, tokens: dfa}, nil
}

func must(n Node, source string) *Pattern {
	p, err := FromNode(n, source)
	if err != nil {
		// A fixed small shape does not grow with its set; should it ever, a
		// pattern that matches nothing is what the tests below notice.
		return &Pattern{source: source, tokens: &tokenDFA{}}
	}
	return p
}

// First matches paths whose nearest ASN is in the set.
func First(s Set) *Pattern { return must(Seq{Token{s}, Star()}, "first in "+s.String()) }

// OriginIn matches paths whose last ASN is in the set.
func OriginIn(s Set) *Pattern { return must(Seq{Star(), Token{s}}, "origin in "+s.String()) }

// Contains matches paths with an ASN of the set anywhere.
func Contains(s Set) *Pattern { return must(Seq{Star(), Token{s}, Star()}, "contains "+s.String()) }

// Transit matches paths with an ASN of the set anywhere but at the origin.
func Transit(s Set) *Pattern {
	return must(Seq{Star(), Token{s}, Repeat{Token{Any}, 1, -1}}, "transit "+s.String())
}

// Within matches paths whose every ASN is in the set, also the empty one.
func Within(s Set) *Pattern { return must(Repeat{Token{s}, 0, -1}, "only "+s.String()) }

// Empty matches the empty path.
func Empty() *Pattern { return must(Seq{}, "empty") }

// Longer matches paths of at least n ASNs. n above 200 counts as 200, which no
// advertised path reaches.
func Longer(n int) *Pattern {
	return must(Repeat{Token{Any}, min(max(n, 0), 200), -1}, fmt.Sprintf("length >= %d", n))
}

// String is the expression as written.
func (p *Pattern) String() string { return p.source }

// Syntax is the language it was written in.
func (p *Pattern) Syntax() Syntax { return p.syntax }

// Match reports whether the pattern matches the path, nearest ASN first.
func (p *Pattern) Match(path []uint32) bool {
	a := p.automaton()
	q := 0
	for _, asn := range path {
		q = a.step(q, asn)
	}
	return a.accepts(q)
}

// MatchesSubstrings reports whether two ASNs that merely share digits can be
// told apart by the pattern only as text: an unanchored character expression
// such as "6501", which also matches 65010 (RL217).
func (p *Pattern) MatchesSubstrings() bool {
	if p.chars == nil {
		return false
	}
	for _, asn := range numbersIn(p.source) {
		for _, other := range []uint32{asn*10 + 1, asn*10 + 7} {
			if uint64(asn)*10+7 > 1<<32-1 {
				break
			}
			for _, path := range [][]uint32{{asn}, {64500, asn}, {asn, 64500}, {64500, asn, 64501}} {
				swapped := slices.Clone(path)
				for i := range swapped {
					if swapped[i] == asn {
						swapped[i] = other
					}
				}
				if p.Match(path) && p.Match(swapped) && !p.Match(without(path, asn)) {
					return true
				}
			}
		}
	}
	return false
}

// Mentioned returns the numbers that appear in the expression, in order.
func (p *Pattern) Mentioned() []uint32 { return numbersIn(p.source) }

func without(path []uint32, asn uint32) []uint32 {
	out := slices.Clone(path)
	for i := range out {
		if out[i] == asn {
			out[i] = 64499
		}
	}
	return out
}

func numbersIn(s string) []uint32 {
	var out []uint32
	n, digits := uint64(0), 0
	flush := func() {
		if digits > 0 && n <= 1<<32-1 {
			out = append(out, uint32(n))
		}
		n, digits = 0, 0
	}
	for _, c := range s {
		if c < '0' || c > '9' || digits > 10 {
			flush()
			continue
		}
		n, digits = n*10+uint64(c-'0'), digits+1
	}
	flush()
	return out
}

// automaton reads a path one ASN at a time; state 0 is the start.
type automaton interface {
	states() int
	step(q int, asn uint32) int
	accepts(q int) bool
}

func (p *Pattern) automaton() automaton {
	if p.chars != nil {
		return p.chars
	}
	return p.tokens
}

// tokenDFA reads ASNs by the interval they fall in.
type tokenDFA struct {
	bounds []uint32 // interval i starts at bounds[i]; bounds[0] is 0
	delta  [][]int  // delta[q][i]
	final  []bool
}

func (d *tokenDFA) states() int { return len(d.final) }

func (d *tokenDFA) accepts(q int) bool { return q < len(d.final) && d.final[q] }

func (d *tokenDFA) step(q int, asn uint32) int {
	if q >= len(d.delta) {
		return q
	}
	i, found := slices.BinarySearch(d.bounds, asn)
	if !found {
		i--
	}
	return d.delta[q][i]
}

func compileTokens(n Node) (*tokenDFA, error) {
	var a nfa
	start, end, ok := a.build(n)
	if !ok {
		return nil, fmt.Errorf("more than %d automaton states: the repetition is too large to analyse", maxNFA)
	}
	d := &tokenDFA{bounds: intervals(a.set)}
	index := map[string]int{}
	var subsets [][]int
	intern := func(qs []int) int {
		k := key(qs)
		if i, ok := index[k]; ok {
			return i
		}
		index[k] = len(subsets)
		subsets = append(subsets, qs)
		return len(subsets) - 1
	}
	intern(a.closure([]int{start}))
	for i := 0; i < len(subsets); i++ {
		if len(subsets) > maxStates {
			return nil, fmt.Errorf("more than %d states: too large to analyse", maxStates)
		}
		row := make([]int, len(d.bounds))
		for b, asn := range d.bounds {
			var to []int
			for _, q := range subsets[i] {
				if a.next[q] >= 0 && a.set[q].Contains(asn) {
					to = append(to, a.next[q])
				}
			}
			row[b] = intern(a.closure(to))
		}
		d.delta = append(d.delta, row)
		d.final = append(d.final, slices.Contains(subsets[i], end))
	}
	return d, nil
}

// intervals cuts the ASNs where any of the sets begins or ends.
func intervals(sets []Set) []uint32 {
	cuts := []uint32{0}
	for _, s := range sets {
		for _, r := range s {
			cuts = append(cuts, r.Lo)
			if r.Hi < 1<<32-1 {
				cuts = append(cuts, r.Hi+1)
			}
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

func sorted(qs []int) []int {
	slices.SortFunc(qs, cmp.Compare[int])
	return qs
}

func key(qs []int) string {
	b := make([]byte, 0, 4*len(qs))
	for _, q := range qs {
		b = binary.LittleEndian.AppendUint32(b, uint32(q))
	}
	return string(b)
}
