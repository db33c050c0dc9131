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
