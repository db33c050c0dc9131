package symbolic

import "github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"

// truth is a condition in Kleene's logic as two sets: where it must hold and
// where it may. The zero value holds nowhere.
type truth struct{ must, may bdd.Node }

var (
	always  = truth{bdd.True, bdd.True}
	never   = truth{bdd.False, bdd.False}
	unknown = truth{bdd.False, bdd.True}
)

func is(b bool) truth {
	if b {
		return always
	}
	return never
}

func exactly(n bdd.Node) truth { return truth{n, n} }

func (u *Universe) not(t truth) truth {
	return truth{u.arena.Not(t.may), u.arena.Not(t.must)}
}

func (u *Universe) and(a, b truth) truth {
	return truth{u.arena.And(a.must, b.must), u.arena.And(a.may, b.may)}
}

func (u *Universe) or(a, b truth) truth {
	return truth{u.arena.Or(a.must, b.must), u.arena.Or(a.may, b.may)}
}
