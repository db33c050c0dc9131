package concrete

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// party is what a neighbor test can see of one side.
type party struct {
	addr   netip.Addr
	asn    uint32
	kind   device.SessionKind
	group  string
	name   string
	role   device.Role
	client bool
	none   bool // there is no neighbor on this side
}

func (e *evaluator) party(side device.Side, r *device.Route) party {
	if side == device.Receiver {
		s := e.session
		if s == nil {
			return party{}
		}
		return party{addr: neighborAddr(s), asn: s.PeerAS, kind: s.Kind, group: s.Group, name: s.Name, role: s.Role, client: s.Facts.ReflectorClient}
	}
	src := r.Source
	p := party{addr: src.Neighbor, asn: src.ASN, name: src.Name, role: src.Role, client: src.Client}
	switch src.Protocol {
	case device.EBGP:
		p.kind = device.External
	case device.IBGP:
		p.kind = device.InternalSession
	case device.UnknownProtocol:
	default:
		p.none = true
	}
	return p
}

func (e *evaluator) neighbor(m *device.NeighborMatch, r *device.Route) device.Truth {
	p := e.party(m.Side, r)
	if p.none {
		return device.False
	}
	test := func(asked, known, holds bool) device.Truth {
		switch {
		case !asked:
			return device.True
		case !known:
			e.block(m.Pos, "neighbor", "the neighbor is not known well enough")
			return device.Maybe
		}
		return device.Is(holds)
	}
	tests := []device.Truth{
		test(m.Addrs != nil, p.addr.IsValid(), slices.ContainsFunc(m.Addrs, func(x netip.Prefix) bool { return x.Contains(p.addr) })),
		test(m.ASNs != nil, p.asn != 0, m.ASNs.Contains(p.asn)),
		test(m.Kinds != nil, p.kind != device.UnknownKind, slices.Contains(m.Kinds, p.kind)),
		test(m.Groups != nil, p.group != "" || m.Side == device.Receiver, slices.Contains(m.Groups, p.group)),
		test(m.Names != nil, p.name != "", slices.Contains(m.Names, p.name)),
		test(m.Roles != nil, p.role != device.UnknownRole, slices.Contains(m.Roles, p.role)),
		test(m.Client != nil, true, m.Client != nil && *m.Client == p.client),
	}
	out := device.True
	for _, t := range tests {
		switch t {
		case device.False:
			return device.False
		case device.Maybe:
			out = device.Maybe
		}
	}
	return out
}
