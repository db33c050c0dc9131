package guard

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// end is one end of a session, for the resolution of collisions.
type end struct {
	id  netip.Addr // BGP identifier
	asn uint32
}

// before reports whether e is the lower end. RFC 6286 section 2.3: with equal
// identifiers the greater AS number is the higher end.
func (e end) before(o end) bool {
	if c := e.id.Compare(o.id); c != 0 {
		return c < 0
	}
	return e.asn < o.asn
}

// rival is a connection with the same neighbor that is there already when an
// OPEN arrives on another one.
type rival struct {
	phase   wire.Phase
	inbound bool // the neighbor opened it
}

// newcomerWins decides which of two connections lives (RFC 4271 section 6.8):
// the one that the end with the higher identifier opened. Until its OPEN has
// arrived a rival is not examined, and both go on. An established session stays
// unless the neighbor says in its new OPEN that it has restarted (RFC 4724
// sections 4.2 and 5: the old session is then dead and the routes are kept).
func newcomerWins(r rival, inbound bool, local, remote end, restarted bool) bool {
	if r.phase == wire.PhaseEstablished {
		return inbound && restarted
	}
	if r.inbound == inbound {
		return true // the neighbor gave up on the older one, or we did
	}
	theirs := local.before(remote)
	return inbound == theirs
}

// resolve is newcomerWins for every rival; a newcomer that loses to one has
// lost. The rivals to close are those it wins against.
func resolve(rivals []rival, inbound bool, local, remote end, restarted bool) (wins bool) {
	for _, r := range rivals {
		if r.phase < wire.PhaseOpenConfirm {
			continue
		}
		if !newcomerWins(r, inbound, local, remote, restarted) {
			return false
		}
	}
	return true
}
