package guard

import (
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// maxStaleTime is what 24 bits of seconds hold (RFC 9494 section 3).
const maxStaleTime = (1<<24 - 1) * time.Second

// longLived is our offer of long-lived graceful restart (RFC 9494 section 3),
// which goes with graceful restart or not at all. F is what it is there: we are
// off the forwarding path.
func longLived(n *Neighbor, r restart) (wire.Capability, bool) {
	if n.RestartTime <= 0 || n.StaleTime <= 0 {
		return wire.Capability{}, false
	}
	var families []wire.LongLivedFamily
	for _, f := range n.Families {
		families = append(families, wire.LongLivedFamily{Family: wire.FamilyOf(f), Forwarding: r.forwarding, StaleTime: uint32(n.StaleTime / time.Second)})
	}
	return wire.LongLivedCapability(families...), true
}

// survival is how long the neighbor that sent the OPEN keeps our routes. What
// counts are our times: the neighbor's are of its own restart.
func survival(n *Neighbor, o wire.Open) bgp.Survival {
	g, graceful := o.Capabilities.GracefulRestart()
	if !graceful || n.RestartTime <= 0 {
		return bgp.Survival{}
	}
	s := bgp.Survival{Restart: n.RestartTime, Notification: g.Notification}
	if _, lives := o.Capabilities.LongLived(); lives {
		s.LongLived = n.StaleTime
	}
	return s
}
