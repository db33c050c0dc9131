package symbolic

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// maxValueStates bounds the search for classes of community values.
const maxValueStates = 40_000

// classes finds one value of every class the regular expressions of the kind
// tell apart, among the values no literal names. It walks all expressions, the
// literals and the grammar of the kind in step, digit by digit, and is exact.
// Nil when there are no expressions, or too many.
func (c *communities) classes() []device.Community {
	if len(c.regexes) == 0 || c.kind == device.Extended {
		return nil
	}
	w, ok := c.walker()
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	queue := []reading{w.start()}
	found := map[string]bool{}
	var out []device.Community
	for at := 0; at < len(queue); at++ {
		r := queue[at]
		if v := (device.Community{Kind: c.kind, Text: r.text}); r.shape.done(w) && !slices.Contains(c.literals, v) {
			if k := boolKey(c.vector(v)); !found[k] {
				found[k] = true
				out = append(out, v)
			}
		}
		for _, ch := range "0123456789:" {
			next, ok := w.step(r, ch)
			if !ok {
				continue
			}
			if k := next.key(); !seen[k] {
				if len(seen) > maxValueStates {
					return nil
				}
				seen[k] = true
				queue = append(queue, next)
			}
		}
	}
	return out
}

func boolKey(bs []bool) string {
	out := make([]byte, len(bs))
	for i, b := range bs {
		if b {
			out[i] = 1
		}
	}
	return string(out)
}

// walker reads values of one kind.
type walker struct {
	programs []*syntax.Prog
	begins   map[string]bool // beginnings of literals
	parts    int
	limit    string // largest number of a part
}

func (c *communities) walker() (*walker, bool) {
	w := &walker{begins: map[string]bool{}, parts: 2, limit: "65535"}
	if c.kind == device.Large {
		w.parts, w.limit = 3, "4294967295"
	}
	for i := range c.regexes {
		tree, err := syntax.Parse(c.regexes[i].Regex, syntax.Perl)
		if err != nil {
			return nil, false
		}
		prog, err := syntax.Compile(tree.Simplify())
		if err != nil {
			return nil, false
		}
		w.programs = append(w.programs, prog)
	}
	for _, v := range c.literals {
		for i := range v.Text {
			w.begins[v.Text[:i+1]] = true
		}
	}
	return w, true
}

// shape is where in the grammar a beginning of a value stands.
type shape struct {
	part, digits int
	zero         bool // the number is 0: no further digit
	order        int8 // against the limit's beginning: -1 below, 0 equal, 1 above
}

func (s shape) done(w *walker) bool { return s.part == w.parts-1 && s.digits > 0 }

func (s shape) step(w *walker, ch rune) (shape, bool) {
	if ch == ':' {
		return shape{part: s.part + 1}, s.digits > 0 && s.part+1 < w.parts
	}
	if s.zero || s.digits == len(w.limit) {
		return s, false
	}
	n := shape{part: s.part, digits: s.digits + 1, zero: s.digits == 0 && ch == '0', order: s.order}
	if limit := rune(w.limit[s.digits]); n.order == 0 && ch != limit {
		n.order = -1
		if ch > limit {
			n.order = 1
		}
	}
	return n, n.digits < len(w.limit) || n.order <= 0
}

// reading is a beginning of a value and where every expression stands after it.
type reading struct {
	text      string
	beginning string // the text, while it may become a literal: a class is not lost to one
	shape     shape
	prev      rune
	states    [][]uint32
	matched   []bool
}

func (w *walker) start() reading {
	r := reading{prev: -1, states: make([][]uint32, len(w.programs)), matched: make([]bool, len(w.programs))}
	return r
}

func (w *walker) step(r reading, ch rune) (reading, bool) {
	s, ok := r.shape.step(w, ch)
	if !ok {
		return reading{}, false
	}
	n := reading{text: r.text + string(ch), shape: s, prev: ch, states: make([][]uint32, len(w.programs)), matched: slices.Clone(r.matched)}
	flags := syntax.EmptyOpContext(r.prev, ch)
	for i, prog := range w.programs {
		if n.matched[i] {
			continue
		}
		here := closure(prog, append(slices.Clone(r.states[i]), uint32(prog.Start)), flags)
		for _, pc := range here {
			inst := &prog.Inst[pc]
			if inst.Op == syntax.InstMatch {
				n.matched[i] = true
				break
			}
			if inst.MatchRune(ch) {
				n.states[i] = append(n.states[i], inst.Out)
			}
		}
		if n.matched[i] {
			n.states[i] = nil
			continue
		}
		slices.Sort(n.states[i])
		n.states[i] = slices.Compact(n.states[i])
	}
	if w.begins[n.text] {
		n.beginning = n.text
	}
	return n, true
}

// closure follows the instructions that read nothing; consuming ones and
// matches are returned.
func closure(prog *syntax.Prog, pcs []uint32, flags syntax.EmptyOp) []uint32 {
	seen := map[uint32]bool{}
	var out []uint32
	var visit func(pc uint32)
	visit = func(pc uint32) {
		if seen[pc] {
			return
		}
		seen[pc] = true
		inst := &prog.Inst[pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			visit(inst.Out)
			visit(inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			visit(inst.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&^flags == 0 {
				visit(inst.Out)
			}
		case syntax.InstFail:
		default:
			out = append(out, pc)
		}
	}
	for _, pc := range pcs {
		visit(pc)
	}
	return out
}

func (r *reading) key() string {
	var b []byte
	b = append(b, byte(r.shape.part), byte(r.shape.digits), byte(r.shape.order+1))
	if r.shape.zero {
		b = append(b, 1)
	}
	if r.prev == ':' {
		b = append(b, ':')
	}
	for i, s := range r.states {
		b = append(b, 0xff)
		if r.matched[i] {
			b = append(b, 'm')
		}
		for _, pc := range s {
			b = binary.LittleEndian.AppendUint32(b, pc)
		}
	}
	return string(b) + "|" + r.beginning
}
