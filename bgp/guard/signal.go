package guard

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// signals are the prefixes that a neighbor with Receive control announces on
// its session now: what a customer asks for, never what is sent on. The zero
// value is no session.
type signals struct {
	mu        sync.Mutex
	announced map[netip.Prefix]struct{}
}

// hear notes what an UPDATE signals and returns what is new. Only what the
// neighbor says in so many words is a withdrawal: routes that are treated as
// withdrawn because the UPDATE was malformed (RFC 7606) are an error of the
// session, not a wish.
func (s *signals) hear(u *wire.Update, eligible bool, allowed func(netip.Prefix) bool) (announced, withdrawn []netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Action == wire.Accept || u.Action == wire.AttributeDiscard {
		for p := range u.Withdrawals() {
			delete(s.announced, p)
			if allowed(p) {
				withdrawn = append(withdrawn, p)
			}
		}
	}
	for p := range u.Advertisements() {
		if !eligible || !allowed(p) {
			continue
		}
		if s.announced == nil {
			s.announced = map[netip.Prefix]struct{}{}
		}
		if _, known := s.announced[p]; !known {
			s.announced[p] = struct{}{}
			announced = append(announced, p)
		}
	}
	return announced, withdrawn
}

// end forgets the session; nothing is withdrawn by that.
func (s *signals) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.announced = nil
}

// Signalled lists what a neighbor with Receive control announces now, sorted;
// nil when its session is down or it announces nothing.
func (g *Guard) Signalled(name string) []netip.Prefix {
	n := g.who.Load().byName[name]
	if n == nil {
		return nil
	}
	n.said.mu.Lock()
	defer n.said.mu.Unlock()
	out := make([]netip.Prefix, 0, len(n.said.announced))
	for p := range n.said.announced {
		out = append(out, p)
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return out
}

// signal tells what an UPDATE of the neighbor asks for. eligible says that its
// routes are no leak (RFC 9234 section 5): one that is asks for nothing.
func (in *ingress) signal(u *wire.Update, eligible bool) {
	n := in.neighbor
	announced, withdrawn := n.said.hear(u, eligible, func(p netip.Prefix) bool { return n.Accept != nil && n.Accept(p) })
	for _, e := range []struct {
		kind     bgp.EventKind
		prefixes []netip.Prefix
	}{{bgp.SignalWithdrawn, withdrawn}, {bgp.SignalAnnounced, announced}} {
		if len(e.prefixes) > 0 {
			n.emit(bgp.Event{Kind: e.kind, Prefixes: e.prefixes})
		}
	}
}
