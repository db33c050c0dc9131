package breaker

import (
	"fmt"
	"net/netip"
	"time"
)

// WireKind is what the session guard saw.
type WireKind uint8

// Kinds of wire event. The zero kind is none.
const (
	WireAnnounced WireKind = iota + 1
	WireWithdrawn
	WireSessionUp
	WireSessionDown
)

// WireEvent is one thing seen leaving towards a neighbor, or its session.
type WireEvent struct {
	Kind     WireKind
	Neighbor string
	Prefix   netip.Prefix // of announcements and withdrawals
	At       time.Time
}

// Wire is the second look: it counts what neighbors were told, knows nothing of
// plans and windows of the model, and shares no code with them. What was
// withdrawn with no admitted loss behind it, or more of it than a plan may
// carry, opens.
//
// A lost session withdraws nothing: it is an observation. What a neighbor is
// told before its session is up, or while it comes back, is not counted.
type Wire struct {
	limits    WireLimits
	explained func(netip.Prefix) (counted, ok bool)
	neighbors map[string]*wireTable
}

// WireLimits are the limits of the second look.
type WireLimits struct {
	Unexplained int           // distinct withdrawals without an admitted loss, per neighbor and Span; the next one opens
	Share       int           // of what the neighbor held, counted losses per Span, in thousandths
	Floor       int           // never less than this many
	Span        time.Duration // of both
	Settle      time.Duration // after a session came up nothing is judged for so long
}

// DefaultWireLimits open on the first unexplained withdrawal, and on twice what
// the plan side lets through in five minutes.
func DefaultWireLimits() WireLimits {
	return WireLimits{Share: 20, Floor: 40, Span: 5 * minute, Settle: 10 * time.Second}
}

// wireTable is one neighbor as the wire shows it: when each prefix was last
// withdrawn, in sixtieths of the span, and how many are in the window.
type wireTable struct {
	up          bool
	settled     int64 // ms, when judging begins
	held        int   // announced and not withdrawn
	top         int   // most it held since the session came up
	now         int64 // newest part
	counted     wireWindow
	unexplained wireWindow
	out         map[netip.Prefix]bool // announced
}

type wireWindow struct {
	parts [buckets + 1]int32
	sum   int
	last  map[netip.Prefix]int64
}

// NewWire judges wire events. explained says of a prefix whether it is down by
// an admitted loss, and whether that loss counted against everybody's limits.
func NewWire(l WireLimits, explained func(netip.Prefix) (counted, ok bool)) *Wire {
	return &Wire{limits: l, explained: explained, neighbors: map[string]*wireTable{}}
}

func (w *Wire) table(name string) *wireTable {
	t := w.neighbors[name]
	if t == nil {
		t = &wireTable{}
		t.forget()
		w.neighbors[name] = t
	}
	return t
}

// forget begins anew with a session.
func (t *wireTable) forget() {
	t.held, t.top = 0, 0
	t.out = map[netip.Prefix]bool{}
	t.counted = wireWindow{last: map[netip.Prefix]int64{}}
	t.unexplained = wireWindow{last: map[netip.Prefix]int64{}}
}

// Observe takes one event and says what it trips, if anything.
func (w *Wire) Observe(e WireEvent) (Tripped, bool) {
	t := w.table(e.Neighbor)
	switch e.Kind {
	case WireSessionDown:
		t.up = false
		t.forget()
	case WireSessionUp:
		t.forget()
		t.up, t.settled = true, e.At.Add(w.limits.Settle).UnixMilli()
	case WireAnnounced:
		if !t.out[e.Prefix] {
			t.out[e.Prefix] = true
			t.held++
			t.top = max(t.top, t.held)
		}
	case WireWithdrawn:
		if t.out[e.Prefix] {
			delete(t.out, e.Prefix)
			t.held--
		}
		if t.up && e.At.UnixMilli() >= t.settled {
			return w.withdrawn(t, &e)
		}
	}
	return Tripped{}, false
}

func (w *Wire) withdrawn(t *wireTable, e *WireEvent) (Tripped, bool) {
	t.advance(e.At.UnixMilli() / (w.limits.Span.Milliseconds() / buckets))
	counted, ok := w.explained(e.Prefix)
	why := ""
	switch {
	case !ok:
		if n := t.unexplained.add(e.Prefix, t.now); n > w.limits.Unexplained {
			why = fmt.Sprintf("%d prefixes were withdrawn from %s with no admitted change behind them, %s the last", n, e.Neighbor, e.Prefix)
		}
	case counted:
		limit := max(w.limits.Floor, t.top*w.limits.Share/1000)
		if n := t.counted.add(e.Prefix, t.now); n > limit {
			why = fmt.Sprintf("%d prefixes were withdrawn from %s in %s, the limit is %d", n, e.Neighbor, span(w.limits.Span), limit)
		}
	}
	if why == "" {
		return Tripped{}, false
	}
	return Tripped{Scope: w.scope(e.Neighbor), To: Open, Rule: "breaker.wire", Reason: why, By: Actor{Kind: System, Key: "system/wire"}, At: e.At}, true
}

// scope is the neighbor, or everything if another one shows the same.
func (w *Wire) scope(neighbor string) Scope {
	for name, t := range w.neighbors {
		if name != neighbor && t.unexplained.sum > w.limits.Unexplained {
			return Global
		}
	}
	return Scope{ScopeNeighbor, neighbor}
}

// advance moves both windows to a part of time; it never moves back.
func (t *wireTable) advance(part int64) {
	if part <= t.now {
		return
	}
	for i := max(t.now+1, part-buckets); i <= part; i++ {
		t.counted.clear(i)
		t.unexplained.clear(i)
	}
	t.now = part
}

func (x *wireWindow) clear(part int64) {
	s := part % (buckets + 1)
	x.sum -= int(x.parts[s])
	x.parts[s] = 0
}

// add counts a prefix at a part, once per window, and returns the window's sum.
func (x *wireWindow) add(p netip.Prefix, part int64) int {
	if old, ok := x.last[p]; ok && old >= part-buckets {
		x.parts[old%(buckets+1)]--
		x.sum--
	}
	x.last[p] = part
	x.parts[part%(buckets+1)]++
	x.sum++
	return x.sum
}
