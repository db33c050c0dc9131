package breaker

import (
	"fmt"
	"testing"
	"time"
)

// room is how many losses, one by one by as many operators, pass at a time.
func room(h *harness, when time.Duration, base Baseline) int {
	n := 0
	for i, l := range h.net.customers {
		d := h.step(Proposed{Proposal{ID: fmt.Sprint("room", when, i), Actor: operator(fmt.Sprint(i)), At: at(when), Losses: []Loss{l}}, base})
		if d.Verdict != Allow {
			return n
		}
		n++
	}
	return n
}

func sized(n int) Baseline { return Baseline{Customer: Count{IPv4: n}} }

// The denominator is what was advertised when the window began: growth within
// it loosens nothing, and a loss within it tightens nothing.
func TestDenominatorsAreFrozen(t *testing.T) {
	ten := []Rung{{Name: "10m", Span: 10 * time.Minute, Share: 10, Floor: 1, Total: 1}}
	grown := func(h *harness, n int, when time.Duration) {
		h.step(Proposed{Proposal{Actor: operator("noc"), At: at(when)}, sized(n)})
	}
	for _, tt := range []struct {
		name string
		life func(h *harness)
		when time.Duration
		base int
		want int
	}{
		{"nothing known before", func(*harness) {}, 0, 3000, 30},
		{"grown long ago", func(h *harness) { grown(h, 1000, 0); grown(h, 5000, time.Hour) }, 2 * time.Hour, 5000, 50},
		{"grown within the window", func(h *harness) { grown(h, 1000, 0); grown(h, 1000, time.Hour); grown(h, 5000, time.Hour+time.Minute) }, time.Hour + 5*time.Minute, 5000, 10},
		{"grown since anybody asked", func(h *harness) { grown(h, 1000, 0) }, 9 * time.Hour, 5000, 50},
		{"shrunk within the window", func(h *harness) { grown(h, 5000, 0); grown(h, 5001, time.Hour) }, time.Hour + time.Minute, 4000, 50},
		{"shrunk long ago", func(h *harness) { grown(h, 5000, 0); grown(h, 4000, time.Hour) }, 2 * time.Hour, 4000, 40},
		{"a first load is no growth", func(h *harness) {
			for n := 0; n <= 5000; n += 500 {
				grown(h, n, time.Duration(n)*time.Millisecond)
			}
		}, time.Minute, 5000, 50},
		{"an emptied baseline is not believed", func(h *harness) { grown(h, 5000, 0); grown(h, 0, time.Hour) }, 2 * time.Hour, 5000, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, restarted := range []bool{false, true} {
				h := newHarness(t, newNetwork(100, 10, 0), only(func(l *Limits) { l.Ladder = ten }))
				for i := range h.net.customers { // IPv4 alone
					h.net.customers[i].Prefix = testPrefix(i*10 + 1)
				}
				tt.life(h)
				if restarted {
					m := NewModel(h.m.limits)
					for i := range h.recs {
						m.Replay(&h.recs[i])
					}
					h.m = m
				}
				if got := room(h, tt.when, sized(tt.base)); got != tt.want {
					t.Errorf("restarted %v: room for %d, want %d", restarted, got, tt.want)
				}
			}
		})
	}
}

func TestHistoryForgetsWhatNoWindowNeeds(t *testing.T) {
	var h history
	for i := range int64(200_000) {
		h.add(point{at: i * 60_000, customer: pair{i, 0}})
	}
	if len(h) > 120_000 {
		t.Errorf("%d points are kept of 139 days", len(h))
	}
	now := int64(199_999 * 60_000)
	if p, ok := h.at(now - 7*day.Milliseconds()); !ok || p.customer[0] != 199_999-7*24*60 {
		t.Errorf("a week ago: %+v %v", p, ok)
	}
	if _, ok := h.at(-1); ok {
		t.Error("something is known from before the first point")
	}
}
