package symbolic

import "github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"

// state is what is known at one point of a pipeline: the routes, as received,
// that must and may be there, and what became of their attributes. States are
// never changed once others may hold them; attributes of inputs that cannot be
// here mean nothing. The list of choices is indexed by attribute, carries by
// community class. Nil is the state nothing reaches.
type state struct {
	reach   truth
	choices [][]choice
	carries []truth
}

// at is the state with another reach, nil when nothing may be there.
func (st *state) at(reach truth) *state {
	if reach.may == bdd.False {
		return nil
	}
	out := *st
	out.reach = reach
	return &out
}

// within is the part of the state where a condition holds.
func (u *Universe) within(st *state, t truth) *state {
	if st == nil {
		return nil
	}
	return st.at(u.and(st.reach, t))
}

// join merges two states of one point.
func (u *Universe) join(a, b *state) *state {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	out := &state{reach: u.or(a.reach, b.reach)}
	for i := range a.choices {
		out.choices = append(out.choices, u.joinChoices(a.choices[i], b.choices[i], a.reach.may, b.reach.may))
	}
	notA, notB := bdd.Node(-1), bdd.Node(-1)
	out.carries = make([]truth, len(a.carries))
	for i, x := range a.carries {
		y := b.carries[i]
		if x == y {
			out.carries[i] = x
			continue
		}
		if notA < 0 {
			notA, notB = u.arena.Not(a.reach.may), u.arena.Not(b.reach.may)
		}
		out.carries[i] = truth{
			must: u.arena.And(u.arena.Or(notA, x.must), u.arena.Or(notB, y.must)),
			may:  u.arena.Or(u.arena.And(a.reach.may, x.may), u.arena.And(b.reach.may, y.may)),
		}
	}
	return out
}

// clone prepares a state for a change of its choices.
func (st *state) clone() *state {
	out := *st
	out.choices = append([][]choice(nil), st.choices...)
	return &out
}
