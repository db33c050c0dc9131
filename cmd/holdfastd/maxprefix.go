package main

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// maxPrefixRisks are the far ends that are told of nearly as many prefixes as
// they take.
func (d *daemon) maxPrefixRisks() []string {
	snap, _ := d.pipeline.Active()
	var out []string
	for _, l := range snap.Loads() {
		if 100*l.Count <= plan.MaxPrefixWarn*l.Limit {
			continue
		}
		far := "neighbor " + l.Neighbor
		if l.Transit != "" {
			far = fmt.Sprintf("transit %s behind site %s", l.Transit, l.Site)
		}
		out = append(out, fmt.Sprintf("max_prefix_near: %s has %d %s prefixes of at most %d", far, l.Count, l.Family, l.Limit))
	}
	return out
}
