package aspath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// ErrTooLarge is returned when the patterns together tell too many paths
// apart; the caller treats them as unknown, never as unmatched.
var ErrTooLarge = errors.New("as-path patterns tell too many paths apart")

const (
	maxClasses = 4_000
	maxAtoms   = 20_000
)

// Space partitions all AS paths by a list of patterns. An atom is a set of
// paths that no pattern tells apart, not even after the same ASNs are
// prepended to all of them.
type Space struct {
	patterns []*Pattern
	parts    []automaton
	offset   []int // of each pattern's states in the joint numbering
	total    int
	classes  []class
	byVector map[string]int
	atoms    []Atom
	next     [][]int32 // next[atom][class]
}

// class is a set of ASNs on which all automata move alike.
type class struct {
	asn    uint32  // an example
	vector []int32 // joint state after reading the ASN, per joint state before
}

// Atom is one part of the space.
type Atom struct {
	Example []uint32 // a shortest path of the atom
	Matches []bool   // by pattern
	from    []bool   // joint states from which the atom's paths are accepted
}

// NewSpace builds the partition. The ASNs in prefer are used in examples where
// they can be (the neighbor's ASN, documentation ASNs); interesting ASNs need
// not be listed, every one that behaves differently gets a class.
func NewSpace(patterns []*Pattern, prefer []uint32) (*Space, error) {
	s := &Space{patterns: patterns, byVector: map[string]int{}}
	for _, p := range patterns {
		a := p.automaton()
		s.parts = append(s.parts, a)
		s.offset = append(s.offset, s.total)
		s.total += a.states()
	}
	if err := s.findClasses(); err != nil {
		return nil, err
	}
	taken := map[int]bool{}
	for _, asn := range prefer {
		if c := s.ClassOf(asn); c >= 0 && !taken[c] {
			s.classes[c].asn, taken[c] = asn, true
		}
	}
	return s, s.findAtoms()
}

// Patterns is the list the space was built from.
func (s *Space) Patterns() []*Pattern { return s.patterns }

// Classes returns one ASN of each class; its index is the class.
func (s *Space) Classes() []uint32 {
	out := make([]uint32, len(s.classes))
	for i, c := range s.classes {
		out[i] = c.asn
	}
	return out
}

// ClassOf is the class of an ASN.
func (s *Space) ClassOf(asn uint32) int {
	if c, ok := s.byVector[vectorKey(s.vector(asn))]; ok {
		return c
	}
	return -1
}

// Atoms are the parts; index 0 is the atom of the empty path.
func (s *Space) Atoms() []Atom { return s.atoms }

// Prepend is the atom that the paths of an atom fall in when an ASN of the
// class is put in front of them.
func (s *Space) Prepend(atom, class int) int { return int(s.next[atom][class]) }

// AtomOf is the atom of a path.
func (s *Space) AtomOf(path []uint32) int {
	atom := 0
	for i := len(path) - 1; i >= 0; i-- {
		atom = s.Prepend(atom, s.ClassOf(path[i]))
	}
	return atom
}

func (s *Space) vector(asn uint32) []int32 {
	v := make([]int32, s.total)
	for i, a := range s.parts {
		for q := 0; q < a.states(); q++ {
			v[s.offset[i]+q] = int32(s.offset[i] + a.step(q, asn))
		}
	}
	return v
}

func vectorKey(v []int32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return string(b)
}

func (s *Space) addClass(asn uint32) error {
	v := s.vector(asn)
	k := vectorKey(v)
	if _, ok := s.byVector[k]; ok {
		return nil
	}
	if len(s.classes) >= maxClasses {
		return fmt.Errorf("%w: more than %d classes of ASN", ErrTooLarge, maxClasses)
	}
	s.byVector[k] = len(s.classes)
	s.classes = append(s.classes, class{asn, v})
	return nil
}

// findClasses visits every interval the token patterns tell apart, and in each
// every way its numbers move the character patterns.
func (s *Space) findClasses() error {
	cuts := []uint32{0}
	var chars []*charDFA
	for _, p := range s.patterns {
		if p.chars != nil {
			chars = append(chars, p.chars)
			continue
		}
		cuts = append(cuts, p.tokens.bounds...)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i, lo := range cuts {
		hi := uint32(math.MaxUint32)
		if i+1 < len(cuts) {
			hi = cuts[i+1] - 1
		}
		if err := s.classesIn(chars, lo, hi); err != nil {
			return err
		}
	}
	return nil
}

func (s *Space) classesIn(chars []*charDFA, lo, hi uint32) error {
	if len(chars) == 0 || lo == hi {
		return s.addClass(lo)
	}
	for digits := 1; digits <= 10; digits++ {
		first, last := uint64(1), uint64(9)
		for i := 1; i < digits; i++ {
			first, last = first*10, last*10+9
		}
		if digits == 1 {
			first = 0
		}
		from, to := max(uint64(lo), first), min(uint64(hi), last)
		if from > to {
			continue
		}
		if err := s.digitClasses(chars, from, to); err != nil {
			return err
		}
	}
	return nil
}

// partial is a beginning of a number: what it does to the character automata,
// and whether it still runs along the lower or the upper end of the range.
type partial struct {
	value  uint64
	vector []int32
	lo, hi bool
}

// digitClasses finds one number for every way the numbers from lo to hi (of
// equal length) move the automata, digit by digit.
func (s *Space) digitClasses(chars []*charDFA, lo, hi uint64) error {
	lowest, highest := strconv.FormatUint(lo, 10), strconv.FormatUint(hi, 10)
	level := []partial{{vector: beforeDigits(chars), lo: true, hi: true}}
	for pos := range lowest {
		seen := map[string]bool{}
		var next []partial
		for _, p := range level {
			from, to := byte('0'), byte('9')
			if p.lo {
				from = lowest[pos]
			}
			if p.hi {
				to = highest[pos]
			}
			for d := from; d <= to; d++ {
				n := partial{
					value: p.value*10 + uint64(d-'0'), vector: readDigit(chars, p.vector, d-'0'),
					lo: p.lo && d == lowest[pos], hi: p.hi && d == highest[pos],
				}
				k := fmt.Sprint(n.lo, n.hi) + vectorKey(n.vector)
				if !seen[k] {
					seen[k] = true
					next = append(next, n)
				}
			}
		}
		if len(next) > maxClasses {
			return fmt.Errorf("%w: more than %d classes of ASN", ErrTooLarge, maxClasses)
		}
		level = next
	}
	for _, p := range level {
		if err := s.addClass(uint32(p.value)); err != nil {
			return err
		}
	}
	return nil
}

// beforeDigits is the state every automaton is in when an ASN begins, for each
// state it may have been in before: a space comes first, except at the start.
func beforeDigits(chars []*charDFA) []int32 {
	var v []int32
	for _, d := range chars {
		for q := range d.delta {
			if q != 0 {
				q = d.delta[q][space]
			}
			v = append(v, int32(q))
		}
	}
	return v
}

func readDigit(chars []*charDFA, v []int32, digit byte) []int32 {
	out := make([]int32, len(v))
	at := 0
	for _, d := range chars {
		for range d.delta {
			out[at] = int32(d.delta[v[at]][digit])
			at++
		}
	}
	return out
}

// findAtoms runs the automata backwards from the empty path: an atom is the
// set of joint states from which its paths are accepted.
func (s *Space) findAtoms() error {
	start := make([]bool, s.total)
	for i, a := range s.parts {
		for q := 0; q < a.states(); q++ {
			start[s.offset[i]+q] = a.accepts(q)
		}
	}
	index := map[string]int{}
	s.intern(index, start, nil)
	for at := 0; at < len(s.atoms); at++ {
		row := make([]int32, len(s.classes))
		for c := range s.classes {
			from := make([]bool, s.total)
			for q, to := range s.classes[c].vector {
				from[q] = s.atoms[at].from[to]
			}
			example := append([]uint32{s.classes[c].asn}, s.atoms[at].Example...)
			row[c] = int32(s.intern(index, from, example))
			if len(s.atoms) > maxAtoms {
				return fmt.Errorf("%w: more than %d kinds of path", ErrTooLarge, maxAtoms)
			}
		}
		s.next = append(s.next, row)
	}
	return nil
}

func (s *Space) intern(index map[string]int, from []bool, example []uint32) int {
	k := make([]byte, len(from))
	for i, b := range from {
		if b {
			k[i] = 1
		}
	}
	if i, ok := index[string(k)]; ok {
		return i
	}
	index[string(k)] = len(s.atoms)
	matches := make([]bool, len(s.patterns))
	for i := range matches {
		matches[i] = from[s.offset[i]]
	}
	s.atoms = append(s.atoms, Atom{Example: example, Matches: matches, from: from})
	return len(s.atoms) - 1
}
