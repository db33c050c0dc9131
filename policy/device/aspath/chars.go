package aspath

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// boundary is what "_" stands for in FRR, IOS and GoBGP.
const boundary = `(^|[,{}() ]|$)`

const symbols = 11 // the digits and the space between ASNs

const space = 10

// charDFA reads the path as text. State 0 is before the first character; a
// state that has matched stays matched, because the search is unanchored.
type charDFA struct {
	delta [][symbols]int
	final []bool
}

func (d *charDFA) states() int        { return len(d.final) }
func (d *charDFA) accepts(q int) bool { return d.final[q] }

func (d *charDFA) step(q int, asn uint32) int {
	if q != 0 {
		q = d.delta[q][space]
	}
	for _, c := range strconv.FormatUint(uint64(asn), 10) {
		q = d.delta[q][c-'0']
	}
	return q
}

func compileChars(text string, s Syntax) (*charDFA, error) {
	flags := syntax.POSIX
	if s == RE2 {
		flags = syntax.Perl
	}
	re, err := syntax.Parse(strings.ReplaceAll(text, "_", boundary), flags)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	b := charBuilder{prog: prog, index: map[string]int{}, seen: make([]int, len(prog.Inst))}
	return b.build()
}

// charState is a set of program counters not yet followed through empty moves,
// and the character before: a begin of text, a digit or a space.
type charState struct {
	pcs     []uint32
	before  rune // -1 at the beginning
	matched bool
}

type charBuilder struct {
	prog   *syntax.Prog
	index  map[string]int
	states []charState

	seen  []int // by program counter, the round it was last seen in
	round int
}

func (b *charBuilder) build() (*charDFA, error) {
	d := &charDFA{}
	b.intern(charState{before: -1})
	for i := 0; i < len(b.states); i++ {
		if len(b.states) > maxStates {
			return nil, fmt.Errorf("more than %d states: too large to analyse", maxStates)
		}
		var row [symbols]int
		for c := range row {
			row[c] = b.intern(b.next(b.states[i], "0123456789 "[c]))
		}
		_, end := b.follow(b.states[i], -1)
		d.delta = append(d.delta, row)
		d.final = append(d.final, end)
	}
	return d, nil
}

func (b *charBuilder) intern(s charState) int {
	k := fmt.Sprint(s.before == -1, s.before == ' ', s.matched, s.pcs)
	if i, ok := b.index[k]; ok {
		return i
	}
	b.index[k] = len(b.states)
	b.states = append(b.states, s)
	return len(b.states) - 1
}

func (b *charBuilder) next(s charState, c byte) charState {
	if s.matched {
		return charState{before: rune(c), matched: true}
	}
	at, matched := b.follow(s, rune(c))
	if matched {
		return charState{before: rune(c), matched: true}
	}
	out := charState{before: rune(c)}
	for _, pc := range at {
		if inst := &b.prog.Inst[pc]; inst.MatchRune(rune(c)) {
			out.pcs = append(out.pcs, inst.Out)
		}
	}
	slices.Sort(out.pcs)
	out.pcs = slices.Compact(out.pcs)
	return out
}

// follow takes the empty moves that are possible between the character before
// and the one after (-1 at the end), starting a new attempt here too. It
// returns the counters that wait for a character.
func (b *charBuilder) follow(s charState, after rune) (at []uint32, matched bool) {
	if s.matched {
		return nil, true
	}
	cond := syntax.EmptyOpContext(s.before, after)
	b.round++
	stack := append(slices.Clone(s.pcs), uint32(b.prog.Start))
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if b.seen[pc] == b.round {
			continue
		}
		b.seen[pc] = b.round
		switch inst := &b.prog.Inst[pc]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^cond == 0 {
				stack = append(stack, inst.Out)
			}
		case syntax.InstMatch:
			matched = true
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			at = append(at, pc)
		}
	}
	return at, matched
}
