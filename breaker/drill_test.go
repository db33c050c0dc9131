package breaker

import (
	"testing"
	"time"
)

// feb20 is the network of 20 February: 4,306 customer prefixes of 400
// accounts among 6,500.
func feb20() *network { return newNetwork(4306, 400, 2194, "transit-a", "transit-b") }

// The replay of 20 February by one operator, in every variant: the bars are
// those of requirements 3.2.
func TestDrill20February(t *testing.T) {
	for _, tt := range []struct {
		name  string
		every time.Duration
		for_  time.Duration
		by    Actor
		max   int
	}{
		{"unthrottled operator", 0, 0, operator("script"), 43},
		{"22 a minute operator", time.Minute / 22, 50 * time.Minute, operator("script"), 43},
		{"slow drip operator", 6 * time.Minute, day, operator("script"), 215},
		{"unthrottled task", 0, 0, task("cleanup"), 10},
		{"22 a minute task", time.Minute / 22, 50 * time.Minute, task("cleanup"), 10},
		{"slow drip task", 6 * time.Minute, day, task("cleanup"), 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, feb20(), DefaultLimits())
			for i, l := range h.net.customers {
				when := time.Duration(i) * tt.every
				if when > tt.for_ {
					break
				}
				h.withdraw(tt.by, when, l)
			}
			t.Logf("withdrawn %d, left %d, %v", len(h.down), h.left(), h.m.Status())
			if len(h.down) == 0 || len(h.down) > tt.max {
				t.Errorf("withdrew %d, want 1 to %d", len(h.down), tt.max)
			}
			if tt.max <= 43 && h.left() < 6457 {
				t.Errorf("neighbor holds %d, never less than 6,457", h.left())
			}
			h.wantState(tt.by.Scope(), Open)
			h.wantState(Global, Closed)
		})
	}
}

// The other variants: in bulk, one prefix of each customer, bindings only. No
// person does anything.
func TestDrill20FebruaryAtOnce(t *testing.T) {
	for _, by := range []Actor{operator("script"), task("cleanup")} {
		most := map[ActorKind]int{Operator: 43, System: 10}[by.Kind]
		t.Run("bulk/"+by.Key, func(t *testing.T) {
			h := newHarness(t, feb20(), DefaultLimits())
			for i := range 10 {
				h.withdraw(by, time.Duration(i)*time.Second, h.net.customers...)
			}
			if len(h.down) != 0 {
				t.Errorf("withdrew %d, want 0", len(h.down))
			}
			h.wantState(by.Scope(), Open)
		})
		t.Run("chunks/"+by.Key, func(t *testing.T) {
			h := newHarness(t, feb20(), DefaultLimits())
			for i := 0; i+20 <= 4306; i += 20 {
				h.withdraw(by, 0, h.net.take(i, 20)...)
			}
			if len(h.down) > most {
				t.Errorf("withdrew %d, want at most %d", len(h.down), most)
			}
			h.wantState(by.Scope(), Open)
		})
		t.Run("one of each/"+by.Key, func(t *testing.T) {
			h := newHarness(t, feb20(), DefaultLimits())
			for i, l := range h.net.take(0, 400) { // 400 accounts in turn
				h.withdraw(by, time.Duration(i)*time.Second, l)
			}
			if len(h.down) == 0 || len(h.down) > most {
				t.Errorf("withdrew %d, want at most %d", len(h.down), most)
			}
			h.wantState(by.Scope(), Open)
		})
		t.Run("bindings/"+by.Key, func(t *testing.T) {
			h := newHarness(t, feb20(), DefaultLimits())
			n := 0
			for i, l := range h.net.customers {
				u := []Unbind{{l.Prefix, l.Account, "cdn"}}
				if h.propose(Proposal{Actor: by, At: at(time.Duration(i) * time.Minute / 22), Unbinds: u}).Verdict == Allow {
					n++
				}
			}
			if n == 0 || n > most {
				t.Errorf("removed %d bindings, want at most %d", n, most)
			}
			h.wantState(by.Scope(), Open)
		})
	}
}
