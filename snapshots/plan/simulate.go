package plan

import (
	"net/netip"
	"reflect"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Simulation is one neighbor's Adj-RIB-Out before and after a plan, and what
// its session would carry: the prefixes that are advertised anew, advertised
// again with other attributes, and withdrawn.
type Simulation struct {
	Before    int            `json:"before"`
	After     int            `json:"after"`
	Advertise []netip.Prefix `json:"advertise"`
	Modify    []netip.Prefix `json:"modify"`
	Withdraw  []netip.Prefix `json:"withdraw"`

	// Had and Has are the two tables, sorted by prefix. They are shared: nothing
	// in them may be written to.
	Had []snapshots.TargetRoute `json:"-"`
	Has []snapshots.TargetRoute `json:"-"`
}

// Simulate computes the tables of every neighbor that either side of the plan
// knows. It goes through Targets, the same as applying does; Impact has the
// counts without the tables.
func (p Plan) Simulate() map[string]Simulation {
	before, after := tables(p.from), tables(p.to)
	out := make(map[string]Simulation, len(after))
	for name := range before {
		out[name] = simulate(before[name].Routes, after[name].Routes)
	}
	for name := range after {
		if _, done := out[name]; !done {
			out[name] = simulate(nil, after[name].Routes)
		}
	}
	return out
}

func tables(s *snapshots.Snapshot) map[string]snapshots.NeighborTarget {
	if s == nil {
		return nil
	}
	t, _ := snapshots.Targets(s, 0, 0, 0)
	return t.Neighbors
}

// simulate merges two sorted tables.
func simulate(a, b []snapshots.TargetRoute) Simulation {
	s := Simulation{Before: len(a), After: len(b), Advertise: []netip.Prefix{}, Modify: []netip.Prefix{}, Withdraw: []netip.Prefix{}, Had: a, Has: b}
	type pair struct{ from, to *snapshots.Attributes }
	same := map[pair]bool{} // attributes are shared: few pairs, many routes
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && addressing.ComparePrefix(a[i].Prefix, b[j].Prefix) < 0:
			s.Withdraw = append(s.Withdraw, a[i].Prefix)
			i++
		case i == len(a) || addressing.ComparePrefix(a[i].Prefix, b[j].Prefix) > 0:
			s.Advertise = append(s.Advertise, b[j].Prefix)
			j++
		default:
			k := pair{a[i].Attrs, b[j].Attrs}
			equal, known := same[k]
			if !known {
				equal = reflect.DeepEqual(*k.from, *k.to)
				same[k] = equal
			}
			if !equal {
				s.Modify = append(s.Modify, b[j].Prefix)
			}
			i++
			j++
		}
	}
	return s
}
