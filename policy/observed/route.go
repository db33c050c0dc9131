package observed

import (
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Route is a route as a collector saw it.
type Route struct {
	Prefix    netip.Prefix
	Path      wire.ASPath
	OTC       policy.OTC
	At        time.Time
	Peer      netip.Addr // of the collector, if it is known
	PeerAS    uint32
	Collector string // its name, if the source gives one
}

// hops writes the path's ASes to dst, the collector's neighbor first, without
// repetitions and without what is inside a confederation. An AS_SET leaves a
// gap, 0, which no relationship spans; set tells that there is one.
func hops(dst []uint32, path wire.ASPath) (out []uint32, set bool) {
	for _, s := range path {
		switch s.Type {
		case wire.ASSequence:
			for _, asn := range s.ASNs {
				if len(dst) == 0 || dst[len(dst)-1] != asn {
					dst = append(dst, asn)
				}
			}
		case wire.ASSet:
			set = true
			if len(dst) == 0 || dst[len(dst)-1] != 0 {
				dst = append(dst, 0)
			}
		}
	}
	return dst, set
}

// origin is the AS that the path ends with, 0 when an AS_SET hides it.
func origin(hops []uint32) uint32 {
	if len(hops) == 0 {
		return 0
	}
	return hops[len(hops)-1]
}

// loop reports whether an AS occurs twice with others between: it was poisoned
// or forged, and which of the two places leaked cannot be said.
func loop(hops []uint32) bool {
	for i, asn := range hops {
		if asn != 0 && slices.Contains(hops[i+1:], asn) {
			return true
		}
	}
	return false
}
