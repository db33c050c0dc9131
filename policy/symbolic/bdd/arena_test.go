package bdd

import (
	"testing"

	"pgregory.net/rapid"
)

const vars = 7

// formula is a random function with its truth table as the reference.
type formula struct {
	n     Node
	table [1 << vars]bool
}

func grow(t *rapid.T, a *Arena) formula {
	pool := []formula{{n: False}, {n: True}}
	for i := range pool[1].table {
		pool[1].table[i] = true
	}
	for v := range vars {
		f := formula{n: a.Var(v)}
		for i := range f.table {
			f.table[i] = i>>v&1 == 1
		}
		pool = append(pool, f)
	}
	for range rapid.IntRange(1, 20).Draw(t, "operations") {
		pick := func(name string) formula {
			return pool[rapid.IntRange(0, len(pool)-1).Draw(t, name)]
		}
		f, g, h := pick("f"), pick("g"), pick("h")
		out := formula{n: a.Ite(f.n, g.n, h.n)}
		for i := range out.table {
			out.table[i] = f.table[i] && g.table[i] || !f.table[i] && h.table[i]
		}
		pool = append(pool, out)
	}
	return pool[len(pool)-1]
}

func assignment(i int) map[int]bool {
	set := map[int]bool{}
	for v := range vars {
		set[v] = i>>v&1 == 1
	}
	return set
}

func TestAgainstTruthTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := New(1 << 20)
		f, g := grow(t, a), grow(t, a)
		for i := range f.table {
			if got := a.Holds(f.n, assignment(i)); got != f.table[i] {
				t.Fatalf("assignment %b: %v, want %v", i, got, f.table[i])
			}
		}
		if (f.n == g.n) != (f.table == g.table) {
			t.Fatal("equal functions have different nodes, or different ones the same")
		}
		set, ok := a.One(f.n)
		if ok != (f.n != False) || ok && !a.Holds(f.n, set) {
			t.Fatalf("One gave %v, %v", set, ok)
		}
		if a.Diff(f.n, g.n) != a.And(f.n, a.Not(g.n)) || a.Or(f.n, g.n) != a.Not(a.And(a.Not(f.n), a.Not(g.n))) {
			t.Fatal("the operations do not agree")
		}
	})
}

func TestLimit(t *testing.T) {
	a := New(20)
	n := False
	for v := range 40 {
		n = a.Or(n, a.And(a.Var(2*v), a.Var(2*v+1)))
	}
	if !a.Full() || a.Len() > 20 {
		t.Fatalf("full %v with %d nodes", a.Full(), a.Len())
	}
}
