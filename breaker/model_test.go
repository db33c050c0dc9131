package breaker

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// seen is one loss as the naive reference keeps it: all of them, for ever.
type seen struct {
	p        netip.Prefix
	at       int64
	weight   int64
	restored bool
}

// naive is the specification of a window, written the slow way: every event is
// kept, and the window is counted anew each time.
type naive struct{ events []seen }

// in counts the distinct prefixes in a window whose edge is quantised to a
// sixtieth, erring towards more by at most one of them.
func (n *naive) in(r Rung, now int64) pair {
	width := r.Span.Milliseconds() / buckets
	oldest := now/width - buckets
	last := map[netip.Prefix]seen{}
	heaviest := map[netip.Prefix]int64{}
	longest := testLadder[len(testLadder)-1].Span.Milliseconds() / buckets
	for _, e := range n.events {
		if last[e.p].at/longest < e.at/longest-buckets {
			heaviest[e.p] = 0 // forgotten
		}
		last[e.p] = e
		heaviest[e.p] = max(heaviest[e.p], e.weight)
	}
	var sum pair
	for p, e := range last {
		if e.at/width < oldest || r.Net && e.restored {
			continue
		}
		w := heaviest[p]
		if r.Unit == Routes {
			w = WeightFull
		}
		sum[prefixKey(p).side()] += w
	}
	return sum
}

func (n *naive) with(e seen) *naive {
	return &naive{append(append([]seen(nil), n.events...), e)}
}

// exactly counts distinct prefixes in the true window, not quantised.
func (n *naive) exactly(r Rung, now int64) int {
	distinct := map[netip.Prefix]bool{}
	for _, e := range n.events {
		if e.at > now-r.Span.Milliseconds() {
			distinct[e.p] = true
		}
	}
	return len(distinct)
}

var testLadder = []Rung{
	{Name: "short", Span: time.Minute, Share: 10, Floor: 3, Total: 5},
	{Name: "middle", Span: 10 * time.Minute, Share: 20, Floor: 6, Total: 8},
	{Name: "net", Span: time.Hour, Share: 40, Floor: 9, Total: 12, Net: true},
	{Name: "routes", Span: time.Hour, Floor: 30, Total: 30, Unit: Routes},
}

// The model against the naive reference: it allows a loss exactly when the
// reference finds room in every window for all of a wave, so it opens before
// limit + one wave and never opens on a schedule within the limits.
func TestModelAgainstReference(t *testing.T) {
	w := newNetwork(200, 20, 0)
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(t, w, only(func(l *Limits) { l.Ladder = testLadder }))
		ref := &naive{}
		now := start.UnixMilli()
		denominators := pair{int64(w.base.Customer.IPv4), int64(w.base.Customer.IPv6)}
		for i := range rapid.IntRange(1, 120).Draw(rt, "steps") {
			now += int64(rapid.SampledFrom([]int{0, 1, 900, 1000, 1001, 9_999, 10_000, 59_999, 61_000, 600_000}).Draw(rt, "ms"))
			l := w.customers[rapid.IntRange(0, 40).Draw(rt, "prefix")]
			l.Weight = rapid.SampledFrom([]int{WeightFull, WeightFull, WeightCovered}).Draw(rt, "weight")
			when := time.UnixMilli(now)
			if rapid.IntRange(0, 4).Draw(rt, "restore") == 0 {
				h.step(Proposed{Proposal{ID: fmt.Sprint("g", i), Actor: operator("x"), At: when, Gains: []netip.Prefix{l.Prefix}}, w.base})
				for j := len(ref.events) - 1; j >= 0; j-- {
					if ref.events[j].p == l.Prefix {
						ref.events[j].restored = true
						break
					}
				}
				continue
			}
			wave := []Loss{l}
			next := ref.with(seen{l.Prefix, now, int64(l.Weight), false})
			for j := range rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(rt, "more") {
				more := w.customers[41+(i+j)%20]
				wave, next = append(wave, more), next.with(seen{more.Prefix, now, WeightFull, false})
			}
			fits := true
			for _, r := range testLadder {
				sides, total := r.limit(denominators, 1000)
				sum, before := next.in(r, now), ref.in(r, now)
				for side := range sum {
					if sum[side] > before[side] && sum[side] > sides[side] {
						fits = false
					}
				}
				if sum.total() > before.total() && sum.total() > total {
					fits = false
				}
			}
			d := h.step(Proposed{Proposal{ID: fmt.Sprint("c", i), Actor: operator(fmt.Sprint(i % 3)), At: when, Losses: wave}, w.base})
			if (d.Verdict == Allow) != fits {
				rt.Fatalf("step %d: %v by the model, room by the reference is %v: %v", i, d.Verdict, fits, d.Findings)
			}
			if !fits {
				if !d.Tripped {
					rt.Fatalf("step %d exceeds a limit and opens nothing", i)
				}
				return
			}
			ref = next
			for _, r := range testLadder {
				if _, total := r.limit(denominators, 1000); r.Unit == Routes && ref.exactly(r, now) > int(total/WeightFull) {
					rt.Fatalf("step %d: %d routes in the true window of %s", i, ref.exactly(r, now), r.Name)
				}
			}
		}
	})
}

// action drives a random life of the breaker.
func drawAction(rt *rapid.T, w *network, i int, when time.Time) Event {
	some := func() []Loss {
		var out []Loss
		for range rapid.IntRange(1, 4).Draw(rt, "n") {
			l := rapid.SampledFrom(w.customers[:60]).Draw(rt, "loss")
			l.Services = []string{rapid.SampledFrom([]string{"cdn", "dns"}).Draw(rt, "service")}
			if rapid.IntRange(0, 3).Draw(rt, "named") == 0 {
				l.Neighbors = []string{"n"}
			}
			l.OnDemand = rapid.IntRange(0, 5).Draw(rt, "rests") == 0
			l.Weight = rapid.SampledFrom([]int{0, WeightFull, WeightCovered}).Draw(rt, "weight")
			out = append(out, l)
		}
		return out
	}
	id := fmt.Sprint("c", i)
	who := operator(rapid.SampledFrom([]string{"x", "y", "z"}).Draw(rt, "who"))
	switch rapid.IntRange(0, 13).Draw(rt, "action") {
	case 0, 1, 2, 3:
		return Proposed{Proposal{ID: id, Actor: who, At: when, Losses: some()}, w.base}
	case 4:
		l := some()[:1]
		return Proposed{Proposal{ID: id, Actor: owner(l[0].Account), At: when, Losses: l}, w.base}
	case 5, 6:
		return Proposed{Proposal{ID: id, Actor: who, At: when, Gains: prefixes(some())}, w.base}
	case 7:
		return Released{fmt.Sprint("c", i-rapid.IntRange(1, 5).Draw(rt, "back")), when}
	case 8:
		return Advertised{"n", rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(rt, "family"), rapid.IntRange(0, 400).Draw(rt, "count"), when}
	case 9:
		b := w.base
		b.Customer.IPv4 += rapid.IntRange(0, 50).Draw(rt, "growth")
		return Planned{PlanFacts{At: when, Losses: some(), Gains: prefixes(some()),
			Neighbors: []NeighborFact{{"n", IPv4, 270, 265}}}, b}
	case 10:
		return Proposed{Proposal{ID: id, Actor: who, At: when, Lane: Emergency, Reason: "r", Incident: "i", Losses: some()[:1]}, w.base}
	case 11:
		l := w.customers[rapid.IntRange(0, 60).Draw(rt, "bound")]
		return Proposed{Proposal{ID: id, Actor: who, At: when, Modifies: some(), Unbinds: []Unbind{{l.Prefix, l.Account, "cdn"}}}, w.base}
	case 12:
		return Proposed{Proposal{ID: id, Actor: task("t"), At: when, Losses: some()}, w.base}
	}
	return Tripped{Scope: rapid.SampledFrom([]Scope{{ScopeActor, "operator/y"}, {ScopeService, "dns"}}).Draw(rt, "scope"), To: rapid.SampledFrom([]State{Open, Open, Locked}).Draw(rt, "to"), Reason: "r", By: who, At: when}
}

// maybeReset resets what is open from time to time, so that a life goes on.
func maybeReset(rt *rapid.T, m *Model, when time.Time) Event {
	if rapid.IntRange(0, 6).Draw(rt, "reset") != 0 {
		return nil
	}
	for _, s := range m.Status() {
		if s.State == Open || s.State == Locked {
			return WasReset{Scope: s.Scope, TripID: s.TripID, Reason: "r", By: operator("boss"), At: when}
		}
	}
	return nil
}

// Replaying the records gives the state that made them, and so does replaying
// the compacted ones.
func TestReplayIsTheState(t *testing.T) {
	w := newNetwork(300, 10, 20, "n")
	rapid.Check(t, func(rt *rapid.T) {
		lim := DefaultLimits()
		m, replayed := NewModel(lim), NewModel(lim)
		when := start
		var all []byte
		feed := func(recs []Record) {
			for i := range recs {
				all = appendRecord(nil, &recs[i])
				r, err := decodeRecord(all, map[string]string{})
				if err != nil {
					rt.Fatalf("record %+v: %v", recs[i], err)
				}
				replayed.Replay(&r)
			}
		}
		for i := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			when = when.Add(rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, time.Minute, 7 * time.Minute, 3 * time.Hour}).Draw(rt, "wait"))
			e := maybeReset(rt, m, when)
			if e == nil {
				e = drawAction(rt, w, i, when)
			}
			_, recs, err := m.Step(e)
			if err != nil {
				rt.Fatalf("%+v: %v", e, err)
			}
			feed(recs)
		}
		_, recs, _ := m.Step(Advertised{"n", IPv4, 1000, when.Add(time.Second)})
		feed(recs)
		replayed.clock(when.Add(time.Second))
		m.tellAll() // what a crash may lose
		feed(m.out)
		want := m.Compacted()
		sameState(rt, "replayed", replayed.Compacted(), want)
		compacted := NewModel(lim)
		for i := range want {
			r, err := decodeRecord(appendRecord(nil, &want[i]), map[string]string{})
			if err != nil {
				rt.Fatal(err)
			}
			compacted.Replay(&r)
		}
		sameState(rt, "compacted", compacted.Compacted(), want)
	})
}

// sameState compares two states record by record.
func sameState(rt *rapid.T, name string, got, want []Record) {
	for i := range max(len(got), len(want)) {
		var g, w Record
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if !reflect.DeepEqual(g, w) {
			rt.Fatalf("%s, record %d:\n got %+v\nwant %+v", name, i, g, w)
		}
	}
}

// Whatever happens: what only adds passes, nothing else passes while
// everything is open, and each neighbor stays above its floor.
func TestInvariantsOfAnyLife(t *testing.T) {
	w := newNetwork(3000, 30, 100, "n")
	rapid.Check(t, func(rt *rapid.T) {
		h := newHarness(t, w, DefaultLimits())
		when := time.Duration(0)
		for i := range rapid.IntRange(1, 60).Draw(rt, "steps") {
			when += rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 2 * time.Minute}).Draw(rt, "wait")
			n := rapid.IntRange(1, 30).Draw(rt, "n")
			from := rapid.IntRange(0, 2900).Draw(rt, "from")
			who := operator(fmt.Sprint(rapid.IntRange(0, 5).Draw(rt, "who")))
			before := h.state(Global)
			d := h.withdraw(who, when, w.take(from, n)...)
			if before == Open && d.Verdict == Allow {
				rt.Fatalf("step %d: a loss passed while everything was open", i)
			}
			if d.Verdict != Allow && len(d.Findings) == 0 {
				rt.Fatalf("step %d: refused without a reason", i)
			}
			if g := h.step(Proposed{Proposal{ID: "g", Actor: who, At: at(when), Gains: prefixes(w.others[:1])}, h.baseline()}); g.Verdict != Allow {
				rt.Fatalf("step %d: a pure gain was held: %v", i, g.Findings)
			}
		}
		if when < time.Hour && h.left() < w.size()-w.size()/100 {
			rt.Fatalf("%d of %d are left", h.left(), w.size())
		}
	})
}
