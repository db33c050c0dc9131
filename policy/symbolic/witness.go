package symbolic

import (
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// Witness is one route of a set as it was received, and its source.
type Witness struct {
	Route  device.Route
	Source int
}

// Witness picks a route of the set: it follows the preferences, sets of routes,
// in order as far as they leave something, and carries as little as it can. ok
// is false when the set is empty.
func (u *Universe) Witness(set bdd.Node, prefer ...bdd.Node) (w Witness, ok bool) {
	set = u.arena.And(set, u.valid)
	for _, p := range prefer {
		if n := u.arena.And(set, p); n != bdd.False {
			set = n
		}
	}
	assignment, ok := u.arena.One(set)
	if !ok || u.arena.Full() {
		return Witness{}, false
	}
	return u.decode(assignment), true
}

func (u *Universe) decode(set map[int]bool) Witness {
	w := Witness{Source: u.source.decode(set)}
	r := &w.Route
	r.Prefix = u.decodePrefix(set)
	if w.Source < len(u.in.Sources) {
		r.Source = u.in.Sources[w.Source].Route
	}
	for f, s := range u.scalars {
		if v := s.decode(set); v > 0 {
			r.Scalars.Set(f, s.cuts[v-1])
		}
	}
	if u.rpki != nil {
		r.RPKI = rpkiStates[u.rpki.decode(set)]
	}
	for f, n := range u.names {
		if r.Names == nil {
			r.Names = map[device.NameField]string{}
		}
		r.Names[f] = "another-" + string(f)
		if v := n.decode(set); v > 0 {
			r.Names[f] = n.list[v-1]
		}
	}
	if u.hops.attribute != nil {
		r.NextHop = u.hops.list[u.hops.decode(set)]
	}
	for _, c := range u.kinds {
		for i := range c.atoms {
			if set[c.atoms[i].level] {
				r.Communities = append(r.Communities, c.atoms[i].example)
			}
		}
	}
	r.Communities = device.SortCommunities(r.Communities)
	r.ASPath = u.decodePath(u.path.decode(set))
	return w
}

func (u *Universe) decodePath(v int) []uint32 {
	switch {
	case u.space != nil:
		return append([]uint32(nil), u.space.Atoms()[v].Example...)
	case v > 0:
		return []uint32{64500}
	}
	return nil
}

// Locate is the set of routes a route belongs to: those no policy of this
// universe can tell from it. It lets a concrete route be asked about.
func (u *Universe) Locate(r device.Route, source int) bdd.Node {
	n := u.arena.And(u.Prefix(r.Prefix), u.is(u.source, func(i int) bool { return i == source }))
	pick := func(e *enum, v int32) { n = u.arena.And(n, u.is(e, func(i int) bool { return int32(i) == v })) }
	for f, s := range u.scalars {
		v, ok := r.Scalars.Get(f)
		if !ok {
			pick(s.enum, 0)
			continue
		}
		pick(s.enum, s.at(v))
	}
	if u.rpki != nil {
		for v, st := range rpkiStates[:3] {
			if st == r.RPKI {
				pick(u.rpki.enum, int32(v))
			}
		}
	}
	for f, x := range u.names {
		pick(x.enum, x.at(r.Names[f]))
	}
	if u.hops.attribute != nil {
		if i := u.hops.like(r.NextHop); i >= 0 {
			pick(u.hops.enum, int32(i))
		}
	}
	if u.space != nil {
		pick(u.path.enum, int32(u.space.AtomOf(r.ASPath)))
	}
	for _, c := range u.kinds {
		has := map[int]bool{}
		for _, v := range r.Communities {
			if v.Kind == c.kind && len(c.atoms) > 0 {
				has[c.atomOf(v)] = true
			}
		}
		for i := range c.atoms {
			x := u.arena.Var(c.atoms[i].level)
			if !has[i] {
				x = u.arena.Not(x)
			}
			n = u.arena.And(n, x)
		}
	}
	return n
}
