package concrete

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// truth evaluates a condition in Kleene's logic.
func (e *evaluator) truth(x device.Expr, r *device.Route) device.Truth {
	switch t := x.(type) {
	case *device.Const:
		return device.Is(t.Value)
	case *device.And:
		return e.all(t.Xs, r)
	case *device.Or:
		return e.any(t.Xs, r)
	case *device.Not:
		return e.truth(t.X, r).Not()
	case *device.Cases:
		return e.cases(t, r)
	case *device.Ref:
		return e.truth(t.X, r)
	case *device.PrefixMatch:
		return device.Is(t.Set.Match(r.Prefix))
	case *device.CommunityMatch:
		return e.communities(t, r)
	case *device.ASPathMatch:
		if e.hidden(r, device.ASPathField, t.Pos, t.Pattern.String()) {
			return device.Maybe
		}
		return device.Is(t.Pattern.Match(r.ASPath))
	case *device.Compare:
		return e.compare(t, r)
	case *device.Present:
		if e.hidden(r, t.Field, t.Pos, t.Field.String()) {
			return device.Maybe
		}
		_, ok := r.Scalars.Get(t.Field)
		return device.Is(ok)
	case *device.ProtocolMatch:
		if r.Source.Protocol == device.UnknownProtocol {
			e.block(t.Pos, "protocol", "the route does not say where it comes from")
			return device.Maybe
		}
		return device.Is(slices.Contains(t.Protocols, r.Source.Protocol))
	case *device.FamilyMatch:
		return device.Is(t.Family == device.AnyFamily || t.Family == r.Family())
	case *device.NeighborMatch:
		return e.neighbor(t, r)
	case *device.SameNeighbor:
		to := neighborAddr(e.session)
		return device.Is(to.IsValid() && to == r.Source.Neighbor)
	case *device.NextHopMatch:
		return e.nextHop(t, r)
	case *device.RPKIMatch:
		if r.RPKI == device.RPKIUnset {
			e.block(t.Pos, "rpki", "the route does not say its validation state")
			return device.Maybe
		}
		return device.Is(slices.Contains(t.States, r.RPKI))
	case *device.NameMatch:
		name, ok := r.Names[t.Field]
		if !ok {
			e.block(t.Pos, string(t.Field), "the route does not say its "+string(t.Field))
			return device.Maybe
		}
		return device.Is(slices.Contains(t.Names, name))
	case *device.SubPolicy:
		return e.subPolicy(t, r)
	case *device.InPath:
		return e.inPath(t, r)
	case *device.Unknown:
		e.block(t.Pos, t.Text, t.Why)
		return device.Maybe
	}
	if x != nil {
		e.block(x.Position(), "", "a condition this evaluator does not know")
	}
	return device.Maybe
}

func (e *evaluator) all(xs []device.Expr, r *device.Route) device.Truth {
	out := device.True
	for _, x := range xs {
		switch e.truth(x, r) {
		case device.False:
			return device.False
		case device.Maybe:
			out = device.Maybe
		}
	}
	return out
}

func (e *evaluator) any(xs []device.Expr, r *device.Route) device.Truth {
	out := device.False
	for _, x := range xs {
		switch e.truth(x, r) {
		case device.True:
			return device.True
		case device.Maybe:
			out = device.Maybe
		}
	}
	return out
}

// cases walks an ordered list. An arm that may match leaves its value possible
// and goes on; the list is Maybe when the possible values differ.
func (e *evaluator) cases(c *device.Cases, r *device.Route) device.Truth {
	var possible []bool
	for i := range c.Arms {
		switch e.truth(c.Arms[i].X, r) {
		case device.True:
			return agree(append(possible, c.Arms[i].Value))
		case device.Maybe:
			possible = append(possible, c.Arms[i].Value)
		}
	}
	return agree(append(possible, c.Else))
}

func agree(vs []bool) device.Truth {
	for _, v := range vs[1:] {
		if v != vs[0] {
			return device.Maybe
		}
	}
	return device.Is(vs[0])
}

// hidden reports whether an unknown action may have changed the field, and
// names the condition that would need it.
func (e *evaluator) hidden(r *device.Route, f device.Field, pos device.Pos, text string) bool {
	if !r.Unknown.Has(f) {
		return false
	}
	e.block(pos, text, "an earlier action that is not modelled may have changed "+f.String())
	return true
}

func (e *evaluator) communities(m *device.CommunityMatch, r *device.Route) device.Truth {
	if e.hidden(r, m.Kind.Field(), m.Pos, "community") {
		return device.Maybe
	}
	anyOf := func() bool {
		for i := range m.Patterns {
			if m.Patterns[i].MatchAny(r.Communities) {
				return true
			}
		}
		return false
	}
	allOf := func() bool {
		for i := range m.Patterns {
			if !m.Patterns[i].MatchAny(r.Communities) {
				return false
			}
		}
		return true
	}
	onlyOf := func() bool {
		for _, c := range r.Communities {
			if c.Kind == m.Kind && !slices.ContainsFunc(m.Patterns, func(p device.CommunityPattern) bool { return p.MatchOne(c) }) {
				return false
			}
		}
		return true
	}
	switch m.Quant {
	case device.AnyOf:
		return device.Is(anyOf())
	case device.AllOf:
		return device.Is(allOf())
	case device.ExactOf:
		return device.Is(allOf() && onlyOf())
	}
	return device.Is(onlyOf())
}

func (e *evaluator) compare(c *device.Compare, r *device.Route) device.Truth {
	source := c.Field
	switch c.Field {
	case device.ASPathLen:
		source = device.ASPathField
	case device.CommunityCount:
		source = device.CommunityField
	}
	if e.hidden(r, source, c.Pos, c.Field.String()) {
		return device.Maybe
	}
	var v uint32
	ok := true
	switch c.Field {
	case device.ASPathLen:
		v = uint32(len(r.ASPath))
	case device.CommunityCount:
		for _, x := range r.Communities {
			if x.Kind == device.Standard {
				v++
			}
		}
	default:
		v, ok = r.Scalars.Get(c.Field)
	}
	if !ok {
		if c.Absent == nil {
			return device.False
		}
		v = *c.Absent
	}
	return device.Is(c.Op.Holds(v, c.Value))
}

func (e *evaluator) nextHop(m *device.NextHopMatch, r *device.Route) device.Truth {
	if e.hidden(r, device.NextHopField, m.Pos, "next-hop") {
		return device.Maybe
	}
	if !r.NextHop.IsValid() {
		e.block(m.Pos, "next-hop", "the route does not say its next hop")
		return device.Maybe
	}
	return device.Is(slices.ContainsFunc(m.In, func(p netip.Prefix) bool { return p.Contains(r.NextHop) }))
}

func (e *evaluator) inPath(m *device.InPath, r *device.Route) device.Truth {
	if e.hidden(r, device.ASPathField, m.Pos, "as-path loop") {
		return device.Maybe
	}
	if e.session == nil {
		return device.Maybe
	}
	asn := e.session.PeerAS
	if m.Own {
		asn = e.session.LocalAS
	}
	return device.Is(asn != 0 && slices.Contains(r.ASPath, asn))
}

// subPolicy is true when the policies accept; the changes they make are lost.
func (e *evaluator) subPolicy(s *device.SubPolicy, r *device.Route) device.Truth {
	verdicts := map[device.Verdict]bool{}
	for _, o := range e.chain(&s.Chain, *r, nil) {
		verdicts[o.verdict] = true
	}
	switch {
	case verdicts[device.Undecided] || len(verdicts) != 1:
		return device.Maybe
	case verdicts[device.Accept]:
		return device.True
	}
	return device.False
}
