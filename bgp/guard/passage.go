package guard

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// offer is what has been decided about the routes of an UPDATE of the engine,
// for all neighbors of the leg. The zero value lets nothing out.
type offer struct {
	policy.Passage
	// origin is the AS that the path ends in if that is not the leg's: the routes
	// are for neighbors whose Target names that AS. Leak and Why are then those
	// towards the others.
	origin  uint32
	otc     bool         // the OTC egress procedure refused them
	learned wire.AttrSet // while the Target layer is off
}

// judge asks the valley-free guard, the OTC egress procedure and the origin
// check about the routes of an UPDATE. They come after the engine's policy, and
// nothing there can switch them off.
func (l *leg) judge(u *wire.Update) (offer, error) {
	allowed := offer{Passage: policy.Passage{Verdict: policy.Allow}}
	f, some := familyOf(u)
	if !some {
		return allowed, nil
	}
	attrs, err := u.Attributes(f)
	if err != nil {
		return offer{}, err
	}
	off := l.guard.cfg.Off
	if !off.ValleyFree {
		if allowed = l.passage(&attrs); allowed.Verdict != policy.Allow {
			return allowed, nil
		}
	}
	if !off.Target {
		return allowed, nil
	}
	// Only in tests: what the engine offers goes out as it is.
	attrs.LargeCommunities = policy.StripRoles(l.guard.cfg.ASN, attrs.LargeCommunities)
	allowed.learned, err = attrs.Intern()
	return allowed, err
}

func familyOf(u *wire.Update) (wire.Family, bool) {
	for p := range u.Advertisements() {
		return wire.FamilyOf(addressing.FamilyOf(p)), true
	}
	return wire.Family{}, false
}

// passage is the second layer: may a route with these attributes, as the engine
// offers it, go to the neighbors of the leg?
func (l *leg) passage(attrs *wire.Attributes) offer {
	from := policy.SourceByMark(l.guard.cfg.ASN, attrs.LargeCommunities)
	if l.Role == policy.NoRole {
		// Our own router takes our own routes and nothing else.
		if from == policy.FromSelf || from == policy.FromInternal {
			return l.originOf(attrs)
		}
		return offer{Passage: policy.Passage{Why: "a route from " + from.String() + " is not injected into our own network"}}
	}
	if p := policy.Allowed(from, l.Role); p.Verdict != policy.Allow {
		return offer{Passage: p}
	}
	// RFC 9234 section 5, egress 2: a route with OTC goes down only.
	if d := policy.OTCEgress(l.Role, l.LocalASN, attrs.OTC); d.Verdict != policy.Allow {
		return offer{otc: true, Passage: policy.Passage{Why: d.Why}}
	}
	return l.originOf(attrs)
}

// originOf lets out what originates in our AS or in one that the Target names,
// and nothing that has passed through another.
func (l *leg) originOf(attrs *wire.Attributes) offer {
	refused := policy.Passage{Leak: policy.ReoriginationLeak, Why: "AS path " + attrs.ASPath.String() + " is not one of ours"}
	var path []uint32
	for _, s := range attrs.ASPath {
		if s.Type != wire.ASSequence {
			return offer{Passage: policy.Passage{Why: "AS path " + attrs.ASPath.String() + ": only sequences are ours"}}
		}
		path = append(path, s.ASNs...)
	}
	if err := checkOrigin(l.LocalASN, path); err != nil {
		return offer{Passage: refused}
	}
	if len(path) == 0 || path[len(path)-1] == l.LocalASN {
		return offer{Passage: policy.Passage{Verdict: policy.Allow}}
	}
	origin := path[len(path)-1]
	return offer{origin: origin, Passage: policy.Passage{
		Verdict: policy.Allow, Leak: policy.ReoriginationLeak,
		Why: fmt.Sprintf("origin AS %d is neither ours nor delegated to us", origin),
	}}
}

// delegated reports whether the Target has a route of that origin.
func (n *neighbor) delegated(origin uint32) bool {
	n.table.mu.Lock()
	defer n.table.mu.Unlock()
	return n.table.target.delegated(origin)
}
