package gate

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// maxSeen bounds the observations that wait for the breaker: some seconds of a
// full table. The speaker never waits for it.
const maxSeen = 1 << 16

// SecondLook tells the breaker what was seen at the sessions, apart from what
// the plan said would be seen (invariant 9). It can hold, never withdraw.
type SecondLook struct {
	log  *slog.Logger
	seen chan bgp.Event
	lost chan struct{} // holds one token once an observation was dropped
	out  atomic.Pointer[map[string]bool]

	leaks map[string]leaks // by neighbor

	outside chan Sighting
}

// Sighting is a leak of ours that somebody else saw: a collector, a router's
// BMP session. The guard never saw it leave, so that one is enough.
type Sighting struct {
	Source   string // who saw it
	Neighbor string // that it went through; empty if nobody knows
	Prefixes []netip.Prefix
	Why      string
	At       time.Time
}

// maxOutside bounds the sightings that wait; what is one too many says nothing
// that those before it do not.
const maxOutside = 1024

// NewSecondLook makes one that has seen nothing.
func NewSecondLook(log *slog.Logger) *SecondLook {
	return &SecondLook{log: log, seen: make(chan bgp.Event, maxSeen), lost: make(chan struct{}, 1), outside: make(chan Sighting, maxOutside)}
}

// OutOfService names the neighbors that are drained, or gone from the
// configuration: what they are told to forget was planned for them as a whole.
func (l *SecondLook) OutOfService(names []string) {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	l.out.Store(&out)
}

// See takes an event from the speaker and never blocks.
func (l *SecondLook) See(e bgp.Event) {
	select {
	case l.seen <- e:
	default:
		select {
		case l.lost <- struct{}{}:
		default:
		}
	}
}

// Run hands the events on until ctx ends. Events that were lost leave the
// breaker without its second look, which is a reason to hold.
func (l *SecondLook) Run(ctx context.Context, b *breaker.Breaker) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.lost:
			l.open(b, "observations of the wire were lost: more came than the breaker took")
		case e := <-l.seen:
			l.tell(b, e)
		case s := <-l.outside:
			l.leaked(b, s)
		}
	}
}

func (l *SecondLook) tell(b *breaker.Breaker, e bgp.Event) {
	if e.Kind == bgp.LeakBlocked {
		l.leak(b, e)
		return
	}
	if out := l.out.Load(); e.Kind == bgp.Withdrawn && out != nil && (*out)[e.Neighbor] {
		return
	}
	events := wireEvents(e)
	if len(events) == 0 {
		return
	}
	trip, err := b.ObserveWire(events...)
	switch {
	case err != nil:
		l.log.Error("breaker: second look", "error", err)
	case trip != "":
		l.log.Error("breaker opened: what left on the wire and what was planned differ", "trip", trip, "neighbor", e.Neighbor)
	}
}

// Leaks that the guard blocked at one neighbor within a minute: so many mean
// that the policy or the configuration behind them is wrong, and nothing more
// is deployed towards that neighbor until a person has looked.
const (
	leakWindow = time.Minute
	leakMost   = 10 // prefixes
)

// leaks counts what was blocked at one neighbor.
type leaks struct {
	since    time.Time
	prefixes int
}

func (l *SecondLook) leak(b *breaker.Breaker, e bgp.Event) {
	if l.leaks == nil {
		l.leaks = map[string]leaks{}
	}
	n := l.leaks[e.Neighbor]
	if e.At.Sub(n.since) > leakWindow {
		n = leaks{since: e.At}
	}
	n.prefixes += len(e.Prefixes)
	l.leaks[e.Neighbor] = n
	if n.prefixes < leakMost {
		return
	}
	delete(l.leaks, e.Neighbor)
	why := fmt.Sprintf("the guard blocked %d prefixes towards %s within %s that would have been a leak: %s", n.prefixes, e.Neighbor, leakWindow, e.Why)
	by := breaker.Actor{Kind: breaker.ActorKind(addressing.System), Key: "system/leak-guard"}
	trip, err := b.TripBy("breaker.leak", breaker.Scope{Kind: breaker.ScopeNeighbor, Key: e.Neighbor}, why, by, e.At)
	if err != nil {
		l.log.Error("breaker could not be opened; it holds by itself", "error", err)
		return
	}
	l.log.Error("breaker opened: leaks were blocked", "page", true, "trip", trip, "neighbor", e.Neighbor, "prefixes", n.prefixes)
}

// Outside takes in a leak that was seen elsewhere, and never blocks. It opens
// the neighbor, or everything where nobody knows through whom it went.
func (l *SecondLook) Outside(s Sighting) {
	if len(s.Prefixes) == 0 {
		return
	}
	select {
	case l.outside <- s:
	default:
	}
}

func (l *SecondLook) leaked(b *breaker.Breaker, s Sighting) {
	scope := breaker.Scope{Kind: breaker.ScopeNeighbor, Key: s.Neighbor}
	if s.Neighbor == "" {
		scope = breaker.Global
	}
	why := fmt.Sprintf("%s saw a leak of %d prefixes, %s among them: %s", s.Source, len(s.Prefixes), s.Prefixes[0], s.Why)
	trip, err := b.TripBy("breaker.leak", scope, why, breaker.Actor{Kind: breaker.ActorKind(addressing.System), Key: "system/" + s.Source}, s.At)
	if err != nil {
		l.log.Error("breaker could not be opened; it holds by itself", "error", err)
		return
	}
	l.log.Error("breaker opened: a leak was seen elsewhere", "page", true, "trip", trip, "source", s.Source, "neighbor", s.Neighbor, "prefixes", len(s.Prefixes))
}

func (l *SecondLook) open(b *breaker.Breaker, why string) {
	by := breaker.Actor{Kind: breaker.ActorKind(addressing.System), Key: "system/second-look"}
	if _, err := b.Trip(breaker.Global, breaker.Open, why, by, time.Now()); err != nil {
		l.log.Error("breaker could not be opened; it holds by itself", "error", err)
	}
}

var wireKinds = map[bgp.EventKind]breaker.WireKind{
	bgp.Advertised:  breaker.WireAnnounced,
	bgp.Withdrawn:   breaker.WireWithdrawn,
	bgp.SessionUp:   breaker.WireSessionUp,
	bgp.SessionDown: breaker.WireSessionDown,
}

// wireEvents splits an event of one UPDATE into the breaker's words. What the
// guard held back or blocked never left, so it is none.
func wireEvents(e bgp.Event) []breaker.WireEvent {
	kind, counted := wireKinds[e.Kind]
	if !counted {
		return nil
	}
	if kind == breaker.WireSessionUp || kind == breaker.WireSessionDown {
		return []breaker.WireEvent{{Kind: kind, Neighbor: e.Neighbor, At: e.At}}
	}
	out := make([]breaker.WireEvent, len(e.Prefixes))
	for i, p := range e.Prefixes {
		out[i] = breaker.WireEvent{Kind: kind, Neighbor: e.Neighbor, Prefix: p, At: e.At}
	}
	return out
}
