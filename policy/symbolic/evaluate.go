package symbolic

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// truth evaluates a condition in a state.
func (r *run) truth(x device.Expr, st *state) truth {
	u := r.u
	switch t := x.(type) {
	case *device.Const:
		return is(t.Value)
	case *device.And:
		out := always
		for _, c := range t.Xs {
			if out = u.and(out, r.truth(c, st)); out.may == bdd.False {
				return never
			}
		}
		return out
	case *device.Or:
		out := never
		for _, c := range t.Xs {
			out = u.or(out, r.truth(c, st))
		}
		return out
	case *device.Not:
		return u.not(r.truth(t.X, st))
	case *device.Cases:
		return r.cases(t, st)
	case *device.Ref:
		return r.truth(t.X, st)
	case *device.PrefixMatch:
		return exactly(u.prefixes(t.Set))
	case *device.CommunityMatch:
		return u.communityMatch(t, st)
	case *device.ASPathMatch:
		return u.pathMatch(u.present[patternKey(t.Pattern)], st)
	case *device.Compare:
		return u.compare(t, st)
	case *device.Present:
		s := u.scalars[t.Field]
		return u.ask(s.enum, st.choices[s.index], func(v int32) bool { return v != 0 })
	case *device.ProtocolMatch:
		return u.bySource(func(s *Source) device.Truth {
			if s.Route.Protocol == device.UnknownProtocol {
				return device.Maybe
			}
			return device.Is(slices.Contains(t.Protocols, s.Route.Protocol))
		})
	case *device.FamilyMatch:
		return exactly(u.Family(t.Family))
	case *device.NeighborMatch:
		return r.neighbor(t)
	case *device.SameNeighbor:
		return u.bySource(func(s *Source) device.Truth {
			return device.Is(r.session != nil && r.session.Neighbor.IsValid() && r.session.Neighbor == s.Route.Neighbor)
		})
	case *device.NextHopMatch:
		return r.nextHop(t, st)
	case *device.RPKIMatch:
		return u.ask(u.rpki.enum, st.choices[u.rpki.index], func(v int32) bool { return slices.Contains(t.States, rpkiStates[v]) })
	case *device.NameMatch:
		n := u.names[t.Field]
		return u.ask(n.enum, st.choices[n.index], func(v int32) bool { return v > 0 && slices.Contains(t.Names, n.list[v-1]) })
	case *device.SubPolicy:
		return r.subPolicy(t, st)
	case *device.InPath:
		return r.inPath(t, st)
	}
	return unknown
}

// rpkiStates by value: a route that was not validated is "not found".
var rpkiStates = [...]device.RPKI{device.RPKINotFound, device.RPKIValid, device.RPKIInvalid, device.RPKINotFound}

func (r *run) cases(c *device.Cases, st *state) truth {
	u := r.u
	out, rest := never, always
	for i := range c.Arms {
		arm := r.truth(c.Arms[i].X, st)
		if c.Arms[i].Value {
			out = u.or(out, u.and(rest, arm))
		}
		if rest = u.and(rest, u.not(arm)); rest.may == bdd.False {
			return out
		}
	}
	if c.Else {
		out = u.or(out, rest)
	}
	return out
}

func (r *run) nextHop(m *device.NextHopMatch, st *state) truth {
	h := r.u.hops
	if h.attribute == nil {
		return unknown
	}
	return r.u.ask(h.enum, st.choices[h.index], func(v int32) bool {
		return slices.ContainsFunc(m.In, func(p netip.Prefix) bool { return p.Contains(h.list[v]) })
	})
}

func (r *run) inPath(m *device.InPath, st *state) truth {
	if r.session == nil {
		return unknown
	}
	asn := r.session.PeerAS
	if m.Own {
		asn = r.session.LocalAS
	}
	if asn == 0 || !r.u.in.Loops {
		return never
	}
	at, ok := r.u.present[patternKey(aspath.Contains(aspath.One(asn)))]
	if !ok {
		return unknown
	}
	return r.u.pathMatch(at, st)
}

// subPolicy is a policy used as a condition: what it changes is dropped.
func (r *run) subPolicy(s *device.SubPolicy, st *state) truth {
	sub := run{u: r.u, session: r.session, depth: r.depth + 1}
	whole := st.at(always)
	if accepted := sub.chain(&s.Chain, whole).accept; accepted != nil {
		return accepted.reach
	}
	return never
}

// party is what a neighbor test sees of one side.
type party struct {
	addr   netip.Addr
	asn    uint32
	kind   device.SessionKind
	group  string
	name   string
	role   device.Role
	client bool
}

func (r *run) neighbor(m *device.NeighborMatch) truth {
	if m.Side == device.Receiver {
		p := party{}
		if s := r.session; s != nil {
			p = party{s.Neighbor, s.PeerAS, s.Kind, s.Group, s.Name, s.Role, s.Facts.ReflectorClient}
		}
		switch neighborTruth(m, &p) {
		case device.True:
			return always
		case device.False:
			return never
		}
		return unknown
	}
	return r.u.bySource(func(s *Source) device.Truth {
		p := party{addr: s.Route.Neighbor, asn: s.Route.ASN, name: s.Route.Name, role: s.Route.Role, client: s.Route.Client}
		switch s.Route.Protocol {
		case device.EBGP:
			p.kind = device.External
		case device.IBGP:
			p.kind = device.InternalSession
		case device.UnknownProtocol:
		default:
			return device.False
		}
		return neighborTruth(m, &p)
	})
}

func neighborTruth(m *device.NeighborMatch, p *party) device.Truth {
	out := device.True
	test := func(asked, known, holds bool) {
		switch {
		case !asked || out == device.False:
		case !known:
			out = device.Maybe
		case !holds:
			out = device.False
		}
	}
	test(m.Addrs != nil, p.addr.IsValid(), slices.ContainsFunc(m.Addrs, func(x netip.Prefix) bool { return x.Contains(p.addr) }))
	test(m.ASNs != nil, p.asn != 0, m.ASNs.Contains(p.asn))
	test(m.Kinds != nil, p.kind != device.UnknownKind, slices.Contains(m.Kinds, p.kind))
	test(m.Groups != nil, p.group != "" || m.Side == device.Receiver, slices.Contains(m.Groups, p.group))
	test(m.Names != nil, p.name != "", slices.Contains(m.Names, p.name))
	test(m.Roles != nil, p.role != device.UnknownRole, slices.Contains(m.Roles, p.role))
	test(m.Client != nil, true, m.Client != nil && *m.Client == p.client)
	return out
}
