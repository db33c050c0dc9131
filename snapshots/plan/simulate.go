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
	// Count is the same in numbers, of the families that either table has.
	Count map[addressing.Family]Count `json:"count"`

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
	known := map[[2]shape]Simulation{} // neighbors that see the same share their tables
	for _, side := range []map[string]snapshots.NeighborTarget{before, after} {
		for name := range side {
			a, b := before[name].Routes, after[name].Routes
			k := [2]shape{shapeOf(a), shapeOf(b)}
			if _, done := known[k]; !done {
				known[k] = simulate(a, b)
			}
			out[name] = known[k]
		}
	}
	return out
}

// shape is equal for one table and itself.
type shape struct {
	first *snapshots.TargetRoute
	n     int
}

func shapeOf(t []snapshots.TargetRoute) shape {
	if len(t) == 0 {
		return shape{}
	}
	return shape{&t[0], len(t)}
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
	var n byFamily
	in := func(p netip.Prefix) *Count { return &n[index(addressing.FamilyOf(p))] }
	type pair struct{ from, to *snapshots.Attributes }
	same := map[pair]bool{} // attributes are shared: few pairs, many routes
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && addressing.ComparePrefix(a[i].Prefix, b[j].Prefix) < 0:
			s.Withdraw = append(s.Withdraw, a[i].Prefix)
			c := in(a[i].Prefix)
			c.Before++
			c.Withdraw++
			i++
		case i == len(a) || addressing.ComparePrefix(a[i].Prefix, b[j].Prefix) > 0:
			s.Advertise = append(s.Advertise, b[j].Prefix)
			c := in(b[j].Prefix)
			c.After++
			c.Advertise++
			j++
		default:
			k := pair{a[i].Attrs, b[j].Attrs}
			equal, known := same[k]
			if !known {
				equal = reflect.DeepEqual(*k.from, *k.to)
				same[k] = equal
			}
			c := in(b[j].Prefix)
			c.Before++
			c.After++
			if !equal {
				c.Modify++
				s.Modify = append(s.Modify, b[j].Prefix)
			}
			i++
			j++
		}
	}
	s.Count = n.byName()
	return s
}
