package gate

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Explain tells the pipeline about losses that were charged before a restart.
// Those of owners stay theirs, and those that were approved stay so: a
// snapshot's size limit counts neither (W7).
func (g *Gate) Explain(_ string, cidr netip.Prefix) (plan.Reason, bool) {
	class, admitted := g.breaker.Admitted(cidr)
	switch {
	case !admitted:
		return plan.Reason{}, false
	case class == breaker.OwnersOwn:
		return plan.Reason{Set: "journal", By: addressing.Owner}, true
	}
	return plan.Reason{Set: "journal", Approved: class == breaker.Approved}, true
}
