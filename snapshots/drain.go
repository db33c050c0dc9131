package snapshots

import "github.com/holdfast-bgp/holdfast/policy"

// Duty is whether a neighbor or a site serves. The zero value does.
type Duty uint8

// Duties.
const (
	InService Duty = iota
	Draining       // its routes are there, de-preferred (RFC 8326)
	Drained        // it has none, on purpose
)

var dutyNames = [...]string{"in-service", "draining", "drained"}

// String is in-service, draining or drained.
func (d Duty) String() string { return dutyNames[d] }

// gracefulShutdown is GRACEFUL_SHUTDOWN (RFC 8326 section 3).
const gracefulShutdown policy.Community = 0xffff0000

// DutyOf says whether a neighbor serves, by what is down on purpose.
func (n *NetworkPart) DutyOf(neighbor *policy.Neighbor) Duty {
	d, _ := n.drain(func(i *NegativeIntent) bool {
		return i.Neighbor == neighbor.Name && i.Neighbor != "" || i.Site == neighbor.Site && i.Site != ""
	})
	return d
}

// DutyOfSite says whether a site serves, and by which intent it does not.
func (n *NetworkPart) DutyOfSite(site string) (Duty, *NegativeIntent) {
	return n.drain(func(i *NegativeIntent) bool { return i.Site == site && site != "" })
}

// DutyOfNeighbor is DutyOf by a drain of the neighbor itself.
func (n *NetworkPart) DutyOfNeighbor(name string) (Duty, *NegativeIntent) {
	return n.drain(func(i *NegativeIntent) bool { return i.Neighbor == name && name != "" })
}

// ShutBy is the intent that keeps a neighbor's session down, nil if none does.
func (n *NetworkPart) ShutBy(name string) *NegativeIntent {
	for i := range n.Negative {
		if in := &n.Negative[i]; in.Shutdown && !in.Draining && in.Neighbor == name {
			return in
		}
	}
	return nil
}

// drain is the strictest of the intents that match.
func (n *NetworkPart) drain(match func(*NegativeIntent) bool) (d Duty, by *NegativeIntent) {
	for i := range n.Negative {
		in := &n.Negative[i]
		if !match(in) {
			continue
		}
		if in.Draining {
			if d == InService {
				d, by = Draining, in
			}
			continue
		}
		return Drained, in
	}
	return d, by
}

// mark is what routes carry that are being drained.
func (n *NetworkPart) mark() DrainMark {
	if n.Drain == nil || len(n.Drain.Standard)+len(n.Drain.Large) == 0 {
		return DrainMark{Standard: []policy.Community{gracefulShutdown}}
	}
	return *n.Drain
}
