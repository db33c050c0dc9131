package bdd

// Node is a function of the variables. It belongs to one arena.
type Node int32

// The constants.
const (
	False Node = 0
	True  Node = 1
)

// leafLevel is below every variable.
const leafLevel = int32(1) << 30

type node struct {
	level  int32
	lo, hi Node
}

type result struct {
	f, g, h Node
	r       Node
}

// Arena holds nodes. The zero value is not usable; New makes one.
type Arena struct {
	nodes []node
	table []int32 // open addressing; 0 is empty
	cache []result
	limit int
	full  bool
}

// New makes an arena that gives up beyond limit nodes (12 bytes each, and as
// much again for its tables).
func New(limit int) *Arena {
	a := &Arena{limit: limit, table: make([]int32, 1<<12), cache: make([]result, 1<<12)}
	a.nodes = append(make([]node, 0, 1<<11), node{level: leafLevel}, node{level: leafLevel})
	return a
}

// Full reports that the limit was reached: answers since then mean nothing.
func (a *Arena) Full() bool { return a.full }

// Len is the number of nodes.
func (a *Arena) Len() int { return len(a.nodes) }

// Var is the function that is true where the variable of the level is.
func (a *Arena) Var(level int) Node { return a.Mk(level, False, True) }

// Mk is "if the variable then hi else lo". The level must be above (smaller
// than) those of lo and hi.
func (a *Arena) Mk(level int, lo, hi Node) Node {
	if lo == hi {
		return lo
	}
	l := int32(level)
	mask := uint32(len(a.table) - 1)
	for at := hash3(uint32(l), uint32(lo), uint32(hi)) & mask; ; at = (at + 1) & mask {
		i := a.table[at]
		if i == 0 {
			return a.add(at, node{l, lo, hi})
		}
		if n := &a.nodes[i]; n.level == l && n.lo == lo && n.hi == hi {
			return Node(i)
		}
	}
}

func (a *Arena) add(at uint32, n node) Node {
	if len(a.nodes) >= a.limit {
		a.full = true
		return False
	}
	a.nodes = append(a.nodes, n)
	i := int32(len(a.nodes) - 1)
	a.table[at] = i
	if 2*len(a.nodes) > len(a.table) {
		a.grow()
	}
	return Node(i)
}

func (a *Arena) grow() {
	a.table = make([]int32, 2*len(a.table))
	mask := uint32(len(a.table) - 1)
	for i := 2; i < len(a.nodes); i++ {
		n := &a.nodes[i]
		at := hash3(uint32(n.level), uint32(n.lo), uint32(n.hi)) & mask
		for a.table[at] != 0 {
			at = (at + 1) & mask
		}
		a.table[at] = int32(i)
	}
	if len(a.cache) < 1<<19 {
		a.cache = make([]result, 2*len(a.cache))
	}
}

func hash3(a, b, c uint32) uint32 {
	h := a*0x9E3779B1 ^ b*0x85EBCA77 ^ c*0xC2B2AE3D
	h ^= h >> 15
	h *= 0x2C1B3C6D
	return h ^ h>>13
}

// Ite is "if f then g else h".
func (a *Arena) Ite(f, g, h Node) Node {
	switch {
	case f == True || g == h:
		return g
	case f == False:
		return h
	case g == True && h == False:
		return f
	case a.full:
		return False
	}
	if f == g {
		g = True
	}
	if f == h {
		h = False
	}
	slot := hash3(uint32(f), uint32(g), uint32(h)) & uint32(len(a.cache)-1)
	if c := &a.cache[slot]; c.f == f && c.g == g && c.h == h {
		return c.r
	}
	level := min(a.nodes[f].level, a.nodes[g].level, a.nodes[h].level)
	lo := a.Ite(a.cofactor(f, level, false), a.cofactor(g, level, false), a.cofactor(h, level, false))
	hi := a.Ite(a.cofactor(f, level, true), a.cofactor(g, level, true), a.cofactor(h, level, true))
	r := a.Mk(int(level), lo, hi)
	a.cache[hash3(uint32(f), uint32(g), uint32(h))&uint32(len(a.cache)-1)] = result{f, g, h, r}
	return r
}

func (a *Arena) cofactor(n Node, level int32, high bool) Node {
	d := &a.nodes[n]
	switch {
	case d.level != level:
		return n
	case high:
		return d.hi
	}
	return d.lo
}

// And is true where all are; of none it is True.
func (a *Arena) And(ns ...Node) Node {
	out := True
	for _, n := range ns {
		out = a.Ite(out, n, False)
	}
	return out
}

// Or is true where one is; of none it is False.
func (a *Arena) Or(ns ...Node) Node {
	out := False
	for _, n := range ns {
		out = a.Ite(n, True, out)
	}
	return out
}

// Not is true where n is not.
func (a *Arena) Not(n Node) Node { return a.Ite(n, False, True) }

// Diff is true where f is and g is not.
func (a *Arena) Diff(f, g Node) Node { return a.Ite(g, False, f) }

// One returns an assignment under which n is true: the set of levels that are
// true, all others being false. It prefers false. ok is false when there is
// none.
func (a *Arena) One(n Node) (set map[int]bool, ok bool) {
	if n == False {
		return nil, false
	}
	set = map[int]bool{}
	for n != True {
		d := &a.nodes[n]
		if d.lo != False {
			n = d.lo
			continue
		}
		set[int(d.level)] = true
		n = d.hi
	}
	return set, true
}

// Holds evaluates n under an assignment.
func (a *Arena) Holds(n Node, set map[int]bool) bool {
	for n > True {
		d := &a.nodes[n]
		if set[int(d.level)] {
			n = d.hi
		} else {
			n = d.lo
		}
	}
	return n == True
}
