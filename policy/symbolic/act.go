package symbolic

import (
	"math"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// act applies a change to a state it owns.
func (r *run) act(a device.Action, st *state) {
	u := r.u
	switch t := a.(type) {
	case *device.SetCommunities:
		u.setCommunities(t, st)
	case *device.PrependAS:
		r.prepend(t, st)
	case *device.EditASPath:
		if t.Clear {
			st.choices[u.path.index] = []choice{{bdd.True, u.path.constant(0)}}
			return
		}
		r.change(u.path, st, func(v int32) int32 {
			if v == 0 {
				return 0
			}
			return -1
		})
	case *device.SetScalar:
		r.setScalar(t, st)
	case *device.SetNextHop:
		r.setNextHop(t, st)
	case *device.SetName:
		if n, ok := u.names[t.Field]; ok {
			st.choices[n.index] = []choice{{bdd.True, n.constant(n.at(t.Name))}}
		}
	case *device.UnknownAction:
		r.forget(t.Changes, st)
	case *device.Ignored:
	default:
		r.forget(device.AllFields, st)
	}
}

// change applies a function of the value to an attribute.
func (r *run) change(a *attribute, st *state, f func(int32) int32) {
	st.choices[a.index] = a.update(st.choices[a.index], func(m int) int { return a.changed(m, f) })
}

func (r *run) prepend(a *device.PrependAS, st *state) {
	u := r.u
	asns := a.ASNs
	if a.Own && r.session != nil {
		asns = []uint32{r.session.LocalAS}
	}
	classes := make([]int, len(asns))
	for i, asn := range asns {
		if u.space != nil {
			classes[i] = u.space.ClassOf(asn)
		}
	}
	if a.Behind {
		// Where earlier ASNs were put in front the place is not tracked.
		st.choices[u.path.index] = u.path.update(st.choices[u.path.index], func(m int) int {
			if m == identity {
				return m
			}
			return u.path.constant(-1)
		})
	}
	r.change(u.path, st, func(v int32) int32 {
		switch {
		case a.Last && v == 0:
			return 0
		case u.space == nil:
			return 1
		case a.Last:
			return -1
		}
		for range max(a.Repeat, 1) {
			for i := len(classes) - 1; i >= 0; i-- {
				class := classes[i]
				if class < 0 || v < 0 {
					return -1
				}
				v = int32(u.space.Prepend(int(v), class))
			}
		}
		return v
	})
}

func (r *run) setScalar(a *device.SetScalar, st *state) {
	s, ok := r.u.scalars[a.Field]
	if !ok || s.attribute == nil {
		return
	}
	v := a.Value
	if a.Own && r.session != nil {
		v = r.session.LocalAS
	}
	if a.From && r.session != nil {
		v = r.session.PeerAS
	}
	switch a.Op {
	case device.Assign:
		st.choices[s.index] = []choice{{bdd.True, s.constant(s.at(v))}}
	case device.Remove:
		st.choices[s.index] = []choice{{bdd.True, s.constant(0)}}
	case device.AssignIfAbsent:
		r.change(s.attribute, st, func(old int32) int32 {
			if old == 0 {
				return s.at(v)
			}
			return old
		})
	default:
		r.change(s.attribute, st, func(old int32) int32 { return s.sum(a.Op, old, v) })
	}
}

// sum adds or subtracts where the result's interval is certain.
func (s *scalar) sum(op device.ScalarOp, old int32, v uint32) int32 {
	n, single := s.single(old)
	if old != 0 && !single {
		return -1
	}
	if op == device.Subtract {
		return s.at(n - min(n, v))
	}
	return s.at(uint32(min(uint64(n)+uint64(v), math.MaxUint32)))
}

func (r *run) setNextHop(a *device.SetNextHop, st *state) {
	h := r.u.hops
	if h.attribute == nil || a.Op == device.NextHopUnchanged {
		return
	}
	to := int32(-1)
	addr := a.Addr
	if a.Op == device.NextHopPeer && r.session != nil {
		addr = r.session.Neighbor
	}
	if a.Op == device.NextHopAddr || a.Op == device.NextHopPeer {
		for i, x := range h.list {
			if x == addr {
				to = int32(i)
			}
		}
	}
	st.choices[h.index] = []choice{{bdd.True, h.constant(to)}}
}

// forget drops what is known of attributes an action may have changed.
func (r *run) forget(fields device.Fields, st *state) {
	u := r.u
	lose := func(a *attribute) { st.choices[a.index] = []choice{{bdd.True, a.constant(-1)}} }
	for f, s := range u.scalars {
		if fields.Has(f) {
			lose(s.attribute)
		}
	}
	if fields.Has(device.ASPathField) {
		lose(u.path)
	}
	if fields.Has(device.NextHopField) && u.hops.attribute != nil {
		lose(u.hops.attribute)
	}
	carries := append([]truth(nil), st.carries...)
	for _, c := range u.kinds {
		if fields.Has(c.kind.Field()) {
			for i := range c.atoms {
				carries[c.first+i] = unknown
			}
		}
	}
	st.carries = carries
}
