package breaker

import (
	"net/netip"
	"testing"
	"time"
)

// told is a neighbor whose session has been up for long with these prefixes.
func told(w *Wire, name string, losses []Loss) {
	w.Observe(WireEvent{Kind: WireSessionUp, Neighbor: name, At: at(0)})
	for _, l := range losses {
		w.Observe(WireEvent{Kind: WireAnnounced, Neighbor: name, Prefix: l.Prefix, At: at(time.Second)})
	}
}

func TestWireUnexplainedOpens(t *testing.T) {
	net := feb20()
	none := func(netip.Prefix) (bool, bool) { return false, false }
	w := NewWire(DefaultWireLimits(), none)
	told(w, "a", net.customers)
	told(w, "b", net.customers)
	trip, ok := w.Observe(WireEvent{Kind: WireWithdrawn, Neighbor: "a", Prefix: net.customers[0].Prefix, At: at(time.Minute)})
	if !ok || trip.Scope != (Scope{ScopeNeighbor, "a"}) || trip.Reason == "" {
		t.Errorf("an unexplained withdrawal: %v %+v, want the neighbor open", ok, trip)
	}
	trip, ok = w.Observe(WireEvent{Kind: WireWithdrawn, Neighbor: "b", Prefix: net.customers[0].Prefix, At: at(time.Minute)})
	if !ok || trip.Scope != Global {
		t.Errorf("at a second neighbor too: %v %+v, want everything open", ok, trip)
	}
}

func TestWireSessionLossIsNoWithdrawal(t *testing.T) {
	net := feb20()
	w := NewWire(DefaultWireLimits(), func(netip.Prefix) (bool, bool) { return false, false })
	told(w, "a", net.customers)
	events := []WireEvent{{Kind: WireSessionDown, At: at(time.Minute)}}
	for _, l := range net.customers[:100] { // what a guard might still report
		events = append(events, WireEvent{Kind: WireWithdrawn, Prefix: l.Prefix, At: at(time.Minute)})
	}
	events = append(events, WireEvent{Kind: WireSessionUp, At: at(2 * time.Minute)})
	for _, l := range net.customers[:100] {
		events = append(events, WireEvent{Kind: WireWithdrawn, Prefix: l.Prefix, At: at(2*time.Minute + time.Second)})
	}
	for _, e := range events {
		e.Neighbor = "a"
		if trip, ok := w.Observe(e); ok {
			t.Fatalf("%+v tripped %+v", e, trip)
		}
	}
}

// The second look has a breadth of its own, should the first one be broken.
func TestWireBreadth(t *testing.T) {
	net := feb20()
	w := NewWire(DefaultWireLimits(), func(netip.Prefix) (bool, bool) { return true, true })
	told(w, "a", append(net.customers, net.others...))
	n := 0
	for i, l := range net.customers {
		n++
		if _, ok := w.Observe(WireEvent{Kind: WireWithdrawn, Neighbor: "a", Prefix: l.Prefix, At: at(time.Minute + time.Duration(i)*time.Millisecond)}); ok {
			break
		}
	}
	if n != 131 { // 2 % of 6,500, and the one that exceeds it
		t.Errorf("opened at withdrawal %d, want 131", n)
	}
	w = NewWire(DefaultWireLimits(), func(netip.Prefix) (bool, bool) { return false, true })
	told(w, "a", net.customers)
	for _, l := range net.customers {
		if _, ok := w.Observe(WireEvent{Kind: WireWithdrawn, Neighbor: "a", Prefix: l.Prefix, At: at(time.Minute)}); ok {
			t.Fatal("withdrawals that owners or approvals explain opened")
		}
	}
}

// Through the breaker: what was admitted is explained, also while it is being
// restored; what was not opens, and persists.
func TestBreakerSeesTheWire(t *testing.T) {
	net := feb20()
	b, dir := opened(t, DefaultLimits())
	up := []WireEvent{{Kind: WireSessionUp, Neighbor: "a", At: at(0)}}
	for _, l := range net.customers {
		up = append(up, WireEvent{Kind: WireAnnounced, Neighbor: "a", Prefix: l.Prefix, At: at(0)})
	}
	if id, err := b.ObserveWire(up...); id != "" || err != nil {
		t.Fatal(id, err)
	}
	gone := func(i int, when time.Duration) string {
		t.Helper()
		id, err := b.ObserveWire(WireEvent{Kind: WireWithdrawn, Neighbor: "a", Prefix: net.customers[i].Prefix, At: at(when)})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	b.Admit(ctx, losing("c", operator("x"), time.Minute, net.customers[:5]...), net.base)
	if id := gone(0, time.Minute); id != "" {
		t.Errorf("an admitted loss on the wire tripped %s", id)
	}
	b.Admit(ctx, Proposal{ID: "g", Actor: operator("x"), At: at(time.Minute), Gains: prefixes(net.customers[1:2])}, net.base)
	if id := gone(1, time.Minute+time.Second); id != "" {
		t.Errorf("a withdrawal overtaken by its restore tripped %s", id)
	}
	if id := gone(1, 5*time.Minute); id == "" {
		t.Error("minutes after the restore it is withdrawn again, and nothing opened")
	}
	crash(b)
	b = reopened(t, dir, DefaultLimits(), at(6*time.Minute))
	if st := b.Status(at(6 * time.Minute)); st[0].State != Open || st[0].Scope.Kind != ScopeNeighbor {
		t.Errorf("after a crash: %+v", st)
	}
}

// One million events per second and core.
func BenchmarkWire(b *testing.B) {
	net := newNetwork(50_000, 400, 0)
	w := NewWire(WireLimits{Unexplained: 1 << 30, Share: 1000, Floor: 1 << 30, Span: 5 * minute}, func(netip.Prefix) (bool, bool) { return true, true })
	told(w, "a", net.customers)
	i := 0
	for b.Loop() {
		l := &net.customers[(i/2)%len(net.customers)]
		k := WireWithdrawn
		if i%2 == 1 {
			k = WireAnnounced
		}
		w.Observe(WireEvent{Kind: k, Neighbor: "a", Prefix: l.Prefix, At: start.Add(time.Duration(i) * time.Microsecond)})
		i++
	}
}
