package concrete

import (
	"maps"
	"math"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// act applies one change to a route. Slices and maps are copied: ways through
// share them.
func (e *evaluator) act(a device.Action, r *device.Route) {
	switch t := a.(type) {
	case *device.SetCommunities:
		setCommunities(t, r)
	case *device.PrependAS:
		e.prepend(t, r)
	case *device.EditASPath:
		editASPath(t, r)
	case *device.SetScalar:
		e.setScalar(t, r)
	case *device.SetNextHop:
		e.setNextHop(t, r)
	case *device.SetName:
		names := maps.Clone(r.Names)
		if names == nil {
			names = map[device.NameField]string{}
		}
		names[t.Field] = t.Name
		r.Names = names
	case *device.UnknownAction:
		e.block(t.Pos, t.Text, "what it changes is not modelled")
		r.Unknown |= t.Changes
	case *device.Ignored:
	default:
		r.Unknown |= device.AllFields
	}
}

func setCommunities(a *device.SetCommunities, r *device.Route) {
	var out []device.Community
	for _, c := range r.Communities {
		switch {
		case c.Kind != a.Kind, a.Op == device.AddCommunities:
			out = append(out, c)
		case a.Op == device.DeleteCommunities && !deleted(a.Patterns, c):
			out = append(out, c)
		}
	}
	if a.Op != device.DeleteCommunities {
		out = append(out, a.Values...)
	}
	if a.Op == device.ReplaceCommunities {
		r.Unknown &^= device.FieldSet(a.Kind.Field())
	}
	r.Communities = device.SortCommunities(out)
}

// deleted asks the patterns in order; the first that matches decides.
func deleted(patterns []device.CommunityPattern, c device.Community) bool {
	for i := range patterns {
		if patterns[i].MatchOne(c) {
			return !patterns[i].Keep
		}
	}
	return false
}

func (e *evaluator) prepend(a *device.PrependAS, r *device.Route) {
	asns := a.ASNs
	switch {
	case a.Last && len(r.ASPath) == 0:
		return
	case a.Last:
		asns = r.ASPath[:1]
	case a.Own && e.session != nil:
		asns = []uint32{e.session.LocalAS}
	}
	var front []uint32
	for range max(a.Repeat, 1) {
		front = append(front, asns...)
	}
	if a.Behind {
		at := min(r.Front, len(r.ASPath))
		r.ASPath = slices.Insert(slices.Clone(r.ASPath), at, front...)
		return
	}
	r.ASPath, r.Front = append(front, r.ASPath...), r.Front+len(front)
}

// privateASNs are those of RFC 6996.
var privateASNs = aspath.Set{{Lo: 64512, Hi: 65534}, {Lo: 4200000000, Hi: 4294967294}}

func editASPath(a *device.EditASPath, r *device.Route) {
	if a.Clear {
		r.ASPath, r.Front = nil, 0
		r.Unknown &^= device.FieldSet(device.ASPathField)
		return
	}
	r.ASPath = slices.DeleteFunc(slices.Clone(r.ASPath), func(asn uint32) bool {
		return a.Private && privateASNs.Contains(asn) || slices.Contains(a.ASNs, asn) || a.In.Contains(asn)
	})
}

func (e *evaluator) setScalar(a *device.SetScalar, r *device.Route) {
	v := a.Value
	if a.Own && e.session != nil {
		v = e.session.LocalAS
	}
	if a.From && e.session != nil {
		v = e.session.PeerAS
	}
	old, present := r.Scalars.Get(a.Field)
	switch a.Op {
	case device.Assign:
		r.Scalars.Set(a.Field, v)
		r.Unknown &^= device.FieldSet(a.Field)
	case device.AssignIfAbsent:
		if !present {
			r.Scalars.Set(a.Field, v)
		}
	case device.Add:
		r.Scalars.Set(a.Field, uint32(min(uint64(old)+uint64(v), math.MaxUint32)))
	case device.Subtract:
		r.Scalars.Set(a.Field, old-min(old, v))
	case device.Remove:
		r.Scalars.Clear(a.Field)
		r.Unknown &^= device.FieldSet(a.Field)
	}
}

func (e *evaluator) setNextHop(a *device.SetNextHop, r *device.Route) {
	switch a.Op {
	case device.NextHopAddr:
		r.NextHop = a.Addr
	case device.NextHopPeer:
		r.NextHop = neighborAddr(e.session)
	case device.NextHopSelf, device.NextHopDiscard:
		r.Unknown |= device.FieldSet(device.NextHopField)
		return
	case device.NextHopUnchanged:
		return
	}
	r.Unknown &^= device.FieldSet(device.NextHopField)
}
