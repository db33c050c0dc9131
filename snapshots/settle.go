package snapshots

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// version orders what may stand in one place of the two copies: by generation,
// and where two writers used one number, by content. No clock has a say before
// that, so one that is wrong cannot make the older win.
func (h Head) version(o Head) int {
	return cmp.Or(h.Compare(o), cmp.Compare(h.ID, o.ID), cmp.Compare(h.Parent, o.Parent),
		cmp.Compare(h.CreatedAt, o.CreatedAt), cmp.Compare(h.Actor, o.Actor), cmp.Compare(h.Reason, o.Reason))
}

// place is what one copy has where a head belongs. The zero place is empty.
type place struct {
	there bool // a file
	sound bool // that verifies
	head  Head
}

// yields reports whether a copy that has p takes next: the condition of every
// write of a head that replaces another one.
func (p place) yields(next Head) bool { return !p.sound || next.version(p.head) >= 0 }

// remedy is what has to be done to a copy. The zero remedy is nothing.
type remedy uint8

const (
	leave remedy = iota
	write
	remove
)

// settle is the decision about one place: what both copies shall have, given
// what each has. What was pruned goes, whichever copy still has it; else the
// newest that verifies is written over what is older, broken or missing. If
// neither verifies, nothing is touched.
func settle(pruned bool, has [2]place) (want Head, do [2]remedy) {
	if pruned {
		for i, p := range has {
			if p.there {
				do[i] = remove
			}
		}
		return Head{}, do
	}
	found := false
	for _, p := range has {
		if p.sound && (!found || p.head.version(want) > 0) {
			want, found = p.head, true
		}
	}
	for i, p := range has {
		if found && (!p.sound || p.head != want) {
			do[i] = write
		}
	}
	return want, do
}

// join is the higher of two marks, each number by itself.
func (m mark) join(o mark) mark {
	return mark{max(m.epoch, o.epoch), max(m.generation, o.generation)}
}

// tombs is the set of generations that were pruned, as ascending spans that do
// not touch. It only grows: two copies are brought together by their union, and
// a copy that was away cannot bring a pruned generation back.
type tombs []span

type span struct{ from, to uint64 } // both included

func (t tombs) has(generation uint64) bool {
	i, found := slices.BinarySearchFunc(t, generation, func(s span, g uint64) int { return cmp.Compare(s.to, g) })
	return found || i < len(t) && t[i].from <= generation
}

func (t tombs) with(more tombs) tombs {
	all := append(slices.Clone(t), more...)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out tombs
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].to+1 {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// tombsOf is the set of the heads' generations.
func tombsOf(heads []Head) (t tombs) {
	for _, h := range heads {
		t = append(t, span{h.Generation, h.Generation})
	}
	return tombs(nil).with(t)
}

const tombsText = "holdfast pruned 1 "

// encode writes the set with the hash of its lines in front, so that a torn or
// changed one says so.
func (t tombs) encode() []byte {
	var lines []byte
	for _, s := range t {
		lines = fmt.Appendf(lines, "%d %d\n", s.from, s.to)
	}
	return append(fmt.Appendf(nil, "%s%s\n", tombsText, sumOf(lines)), lines...)
}

func decodeTombs(raw []byte) (t tombs, err error) {
	first, lines, found := bytes.Cut(raw, []byte("\n"))
	if !found || string(first) != tombsText+string(sumOf(lines)) {
		return nil, invalid("hash", "", "", "the list of pruned generations was changed")
	}
	for line := range strings.Lines(string(lines)) {
		from, to, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		a, err1 := strconv.ParseUint(from, 10, 64)
		b, err2 := strconv.ParseUint(to, 10, 64)
		if err1 != nil || err2 != nil || b < a || a == 0 || b == ^uint64(0) || len(t) > 0 && a <= t[len(t)-1].to+1 {
			return nil, invalid("order.pruned", "", "", "the list of pruned generations is out of order")
		}
		t = append(t, span{a, b})
	}
	return t, nil
}
