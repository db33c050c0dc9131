package breaker

import (
	"net/netip"
	"time"
)

// NeighborFact is what a plan does to one neighbor's table in one family.
type NeighborFact struct {
	Neighbor string
	Family   Family
	Before   int
	After    int
}

// PlanFacts is a whole plan as the breaker judges it, before it reaches the
// speaker.
type PlanFacts struct {
	Origin     string // "changes", "rollback", "config", "drift"; for findings
	Generation uint64
	At         time.Time
	Admitted   []string // ids of the proposals it carries
	Losses     []Loss
	Modifies   []Loss
	Gains      []netip.Prefix
	Neighbors  []NeighborFact
	Approval   string // id of an approval that covers the losses, if any
}
