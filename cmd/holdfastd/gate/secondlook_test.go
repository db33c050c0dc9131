package gate

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// tableEvents is a session that comes up and is told n prefixes.
func tableEvents(n int, at time.Time) []bgp.Event {
	all := bgp.Event{Kind: bgp.Advertised, Neighbor: "transit-a", At: at}
	for i := range n {
		all.Prefixes = append(all.Prefixes, nth(i))
	}
	return []bgp.Event{{Kind: bgp.SessionUp, Neighbor: "transit-a", At: at}, all}
}

func TestSecondLookOpensOnWhatNobodyPlanned(t *testing.T) {
	g := newGate(t, fullTable(4306))
	look := NewSecondLook(slog.New(slog.DiscardHandler))
	for _, e := range tableEvents(4306, noon) {
		look.tell(g.breaker.(*breaker.Breaker), e)
	}
	later := noon.Add(time.Hour)
	look.tell(g.breaker.(*breaker.Breaker), bgp.Event{Kind: bgp.SessionDown, Neighbor: "transit-a", At: later})
	if s := g.breaker.(*breaker.Breaker).State(later); s != breaker.Closed {
		t.Fatalf("a session that went down made the breaker %s", s)
	}
	for _, e := range tableEvents(4306, later) {
		look.tell(g.breaker.(*breaker.Breaker), e)
	}
	later = later.Add(time.Hour)
	admitted := withdrawal(0, script)
	admitted.At = later
	if _, err := g.Admit(context.Background(), admitted); err != nil {
		t.Fatal(err)
	}
	look.tell(g.breaker.(*breaker.Breaker), bgp.Event{Kind: bgp.Withdrawn, Neighbor: "transit-a", Prefixes: []netip.Prefix{nth(0)}, At: later})
	if s := g.breaker.(*breaker.Breaker).State(later); s != breaker.Closed {
		t.Fatalf("an admitted withdrawal made the breaker %s", s)
	}
	look.tell(g.breaker.(*breaker.Breaker), bgp.Event{Kind: bgp.HeldBack, Neighbor: "transit-a", Prefixes: []netip.Prefix{nth(8)}, At: later})
	if s := g.breaker.(*breaker.Breaker).State(later); s != breaker.Closed {
		t.Fatalf("what never left made the breaker %s", s)
	}
	for i := 1; i < 200; i++ {
		look.tell(g.breaker.(*breaker.Breaker), bgp.Event{Kind: bgp.Withdrawn, Neighbor: "transit-a", Prefixes: []netip.Prefix{nth(i)}, At: later})
	}
	if s := g.breaker.(*breaker.Breaker).State(later); s != breaker.Open {
		t.Fatalf("200 withdrawals that nobody planned left the breaker %s", s)
	}
}

func TestSecondLookNeverBlocksTheSpeaker(t *testing.T) {
	g := newGate(t, fullTable(100))
	look := NewSecondLook(slog.New(slog.DiscardHandler))
	for range maxSeen + 10 {
		look.See(bgp.Event{Kind: bgp.SessionUp, Neighbor: "transit-a", At: noon})
	}
	if len(look.lost) != 1 {
		t.Fatal("lost observations were not noticed")
	}
	<-look.lost
	look.open(g.breaker.(*breaker.Breaker), "lost")
	if s := g.breaker.(*breaker.Breaker).State(noon); s != breaker.Open {
		t.Errorf("the breaker is %s without its second look, want open", s)
	}
}

// Leaks that the guard blocked open the neighbor they were meant for, and
// nothing else; a single one is an alert and no trip.
func TestBlockedLeaksOpenTheirNeighbor(t *testing.T) {
	g := newGate(t, fullTable(100))
	b := g.breaker.(*breaker.Breaker)
	look := NewSecondLook(slog.New(slog.DiscardHandler))
	leak := func(after time.Duration, n int) {
		e := bgp.Event{Kind: bgp.LeakBlocked, Neighbor: "transit-a", At: noon.Add(after), Why: "OTC"}
		for i := range n {
			e.Prefixes = append(e.Prefixes, nth(i))
		}
		look.tell(b, e)
	}
	for i := range 5 { // one every two minutes
		leak(time.Duration(2*i)*time.Minute, leakMost-1)
	}
	if s := b.State(noon.Add(10 * time.Minute)); s != breaker.Closed {
		t.Fatalf("the breaker is %s after single leaks", s)
	}
	leak(20*time.Minute, leakMost)
	found := false
	for _, s := range b.Status(noon.Add(20 * time.Minute)) {
		switch {
		case s.Scope == breaker.Scope{Kind: breaker.ScopeNeighbor, Key: "transit-a"}:
			found = s.State == breaker.Open
		case s.State != breaker.Closed:
			t.Errorf("%s is %s", s.Scope, s.State)
		}
	}
	if !found {
		t.Error("the neighbor's scope did not open")
	}
}

// A leak that somebody else saw opens the neighbor it went through, or
// everything where nobody knows; a sighting of nothing opens nothing.
func TestLeakSeenElsewhereOpens(t *testing.T) {
	for name, want := range map[string]breaker.Scope{"transit-a": {Kind: breaker.ScopeNeighbor, Key: "transit-a"}, "": breaker.Global} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(t, fullTable(100))
			b := g.breaker.(*breaker.Breaker)
			look := NewSecondLook(slog.New(slog.DiscardHandler))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			go look.Run(ctx, b)
			look.Outside(Sighting{Source: "collector", Neighbor: name, At: noon})
			synctest.Wait()
			if s := b.State(noon); s != breaker.Closed {
				t.Fatalf("a sighting of nothing made the breaker %s", s)
			}
			look.Outside(Sighting{Source: "collector", Neighbor: name, Prefixes: []netip.Prefix{nth(1)}, Why: "valley", At: noon})
			synctest.Wait()
			for _, s := range b.Status(noon) {
				if (s.State == breaker.Open) != (s.Scope == want) {
					t.Errorf("%s is %s, want %s open", s.Scope, s.State, want)
				}
			}
			if e := b.Evidence(want, noon); e.Rule != "breaker.leak" {
				t.Errorf("opened by %q", e.Rule)
			}
		})
	}
	look := NewSecondLook(slog.New(slog.DiscardHandler))
	for range maxOutside + 10 { // nobody listens, and nobody waits
		look.Outside(Sighting{Source: "collector", Prefixes: []netip.Prefix{nth(1)}})
	}
}
