package symbolic

import (
	"encoding/binary"
	"math/bits"

	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// enum is an attribute with finitely many values that matter, numbered from 0
// and encoded in bits, the most significant first.
type enum struct {
	base, bits, n int
	maps          [][]int32      // what became of a value: index after, by index as received; -1 is not known
	mapAt         map[string]int // interned maps
}

// identity is the index of the map of an attribute nobody changed.
const identity = 0

func (u *Universe) newEnum(n int) *enum {
	e := &enum{base: u.levels, bits: bits.Len(uint(max(n-1, 0))), n: n, mapAt: map[string]int{}}
	u.levels += e.bits
	same := make([]int32, n)
	for i := range same {
		same[i] = int32(i)
	}
	e.intern(same)
	return e
}

func (e *enum) intern(m []int32) int {
	key := make([]byte, 0, 4*len(m))
	for _, v := range m {
		key = binary.LittleEndian.AppendUint32(key, uint32(v))
	}
	if i, ok := e.mapAt[string(key)]; ok {
		return i
	}
	e.mapAt[string(key)] = len(e.maps)
	e.maps = append(e.maps, m)
	return len(e.maps) - 1
}

// changed is the map that follows m by what f makes of each known value.
func (e *enum) changed(m int, f func(int32) int32) int {
	out := make([]int32, e.n)
	for i, v := range e.maps[m] {
		if v < 0 {
			out[i] = v
			continue
		}
		out[i] = f(v)
	}
	return e.intern(out)
}

// constant is the map to one value, whatever it was; -1 forgets it.
func (e *enum) constant(v int32) int {
	out := make([]int32, e.n)
	for i := range out {
		out[i] = v
	}
	return e.intern(out)
}

// is is the set of inputs whose value is one of those marked.
func (u *Universe) is(e *enum, marked func(i int) bool) bdd.Node {
	return u.isFrom(e, 0, 0, marked)
}

func (u *Universe) isFrom(e *enum, bit, index int, marked func(i int) bool) bdd.Node {
	if index >= e.n {
		return bdd.False
	}
	if bit == e.bits {
		if marked(index) {
			return bdd.True
		}
		return bdd.False
	}
	lo := u.isFrom(e, bit+1, index, marked)
	hi := u.isFrom(e, bit+1, index|1<<(e.bits-1-bit), marked)
	return u.arena.Mk(e.base+bit, lo, hi)
}

// decode reads the value of an assignment.
func (e *enum) decode(set map[int]bool) int {
	v := 0
	for b := range e.bits {
		v <<= 1
		if set[e.base+b] {
			v |= 1
		}
	}
	return v
}

// choice is one thing that may have become of an attribute, with the inputs
// for which it may have.
type choice struct {
	guard bdd.Node
	m     int
}

// ask is the truth of a test on an attribute in a state: it may hold where some
// possible value passes and must where none that is possible fails.
func (u *Universe) ask(e *enum, cs []choice, passes func(v int32) bool) truth {
	may, fail := bdd.False, bdd.False
	for _, c := range cs {
		m := e.maps[c.m]
		may = u.arena.Or(may, u.arena.And(c.guard, u.is(e, func(i int) bool { return m[i] < 0 || passes(m[i]) })))
		fail = u.arena.Or(fail, u.arena.And(c.guard, u.is(e, func(i int) bool { return m[i] < 0 || !passes(m[i]) })))
	}
	return truth{must: u.arena.Not(fail), may: may}
}

// update applies a change to every possibility.
func (e *enum) update(cs []choice, change func(m int) int) []choice {
	out := make([]choice, len(cs))
	for i, c := range cs {
		out[i] = choice{c.guard, change(c.m)}
	}
	return out
}

// joinChoices merges what two states hold of an attribute, each where its state
// may be.
func (u *Universe) joinChoices(a, b []choice, whereA, whereB bdd.Node) []choice {
	if sameChoices(a, b) {
		return a
	}
	var out []choice
	put := func(m int, guard bdd.Node) {
		for i := range out {
			if out[i].m == m {
				out[i].guard = u.arena.Or(out[i].guard, guard)
				return
			}
		}
		out = append(out, choice{guard, m})
	}
	for _, c := range a {
		put(c.m, u.arena.And(c.guard, whereA))
	}
	for _, c := range b {
		put(c.m, u.arena.And(c.guard, whereB))
	}
	return out
}

func sameChoices(a, b []choice) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
