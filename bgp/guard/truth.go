package guard

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// asTarget is what a set says in the words of a Target.
func asTarget(set wire.AttrSet) *snapshots.Attributes {
	w := set.Attributes()
	a := &snapshots.Attributes{NextHop: w.NextHop, Communities: w.Communities, LargeCommunities: w.LargeCommunities}
	for _, s := range w.ASPath {
		a.ASPath = append(a.ASPath, s.ASNs...)
	}
	if w.MED.Present {
		a.MED = &w.MED.Value
	}
	if w.LocalPref.Present {
		a.LocalPref = &w.LocalPref.Value
	}
	return a
}

func sortRoutes(routes []snapshots.TargetRoute) {
	slices.SortFunc(routes, func(a, b snapshots.TargetRoute) int { return a.Prefix.Compare(b.Prefix) })
}

// Counters count since the start what one neighbor sent and was sent.
type Counters struct {
	Updates   uint64 // UPDATEs from the neighbor
	Dropped   uint64 // routes of the neighbor that were not handed on
	Withdrawn uint64 // withdrawals of the neighbor
	Refused   uint64 // connections refused with a NOTIFICATION
	Leaks     uint64 // routes blocked by the valley-free guard or OTC, both directions
	Alarms    uint64 // sessions of ours that broke on our own side
	Messages  uint64 // UPDATEs to the neighbor
	Prefixes  uint64 // advertised or withdrawn in them
}

// Counters gives the counters of a neighbor; ok is false for an unknown one.
func (g *Guard) Counters(name string) (c Counters, ok bool) {
	n := g.byName[name]
	if n == nil {
		return Counters{}, false
	}
	return Counters{
		Updates: n.count.updates.Load(), Dropped: n.count.dropped.Load(), Withdrawn: n.count.withdrawn.Load(),
		Refused: n.count.refused.Load(), Leaks: n.count.leaks.Load(), Alarms: n.count.alarms.Load(),
		Messages: n.count.messages.Load(), Prefixes: n.count.prefixes.Load(),
	}, true
}
