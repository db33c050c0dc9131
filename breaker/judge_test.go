package breaker

import (
	"slices"
	"testing"
	"time"
)

// plan judges a plan that loses these, with the neighbors' tables before and
// after. Nothing of it is on the wire yet.
func (h *harness) plan(when time.Duration, losses []Loss, neighbors ...NeighborFact) Decision {
	h.t.Helper()
	return h.step(Planned{PlanFacts{Origin: "changes", At: at(when), Losses: losses, Neighbors: neighbors}, h.net.base})
}

// A plan that loses what nobody asked to lose is refused; one that looks like a
// lost database opens everything.
func TestUnexplainedLosses(t *testing.T) {
	for _, tt := range []struct {
		name      string
		losses    int
		neighbors []NeighborFact
		opens     bool
	}{
		{"one", 1, []NeighborFact{{"n", IPv4, 3876, 3875}}, false},
		{"as many as one plan may", 43, []NeighborFact{{"n", IPv4, 3876, 3833}}, false},
		{"one more", 44, []NeighborFact{{"n", IPv4, 3876, 3832}}, true},
		{"everything", 4306, []NeighborFact{{"n", IPv4, 3876, 0}, {"n", IPv6, 430, 0}}, true},
		{"the last of a family", 3, []NeighborFact{{"n", IPv4, 3876, 3876}, {"n", IPv6, 3, 0}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, feb20(), DefaultLimits())
			lost := h.net.take(0, tt.losses)
			d := h.plan(0, lost, tt.neighbors...)
			if d.Verdict != Refuse || d.Holdable || len(d.Hold) != tt.losses {
				t.Errorf("%v, holding %d, want all refused", d.Verdict, len(d.Hold))
			}
			rule := map[bool]string{true: "breaker.lost-database", false: "breaker.unexplained"}[tt.opens]
			if rules(d)[0] != rule || d.Tripped != tt.opens || (d.TripID != "") != tt.opens {
				t.Errorf("%v, trip %q, want %s", rules(d), d.TripID, rule)
			}
			h.wantState(Global, map[bool]State{true: Open, false: Closed}[tt.opens])
			// What the same plan only adds still passes.
			if d := h.step(Planned{PlanFacts{Origin: "rollback", At: at(time.Second), Gains: prefixes(lost)}, h.baseline()}); d.Verdict != Allow {
				t.Errorf("a rollback that only adds: %v", d.Findings)
			}
		})
	}
}

// A loss explains one plan after the other, until it is announced again.
func TestExplainedUntilRegained(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	lost := h.net.take(0, 5)
	h.withdraw(operator("x"), 0, lost...)
	for range 2 { // the first attempt may have failed
		if d := h.plan(time.Second, lost); d.Verdict != Allow {
			t.Fatalf("an admitted loss: %v", d.Findings)
		}
	}
	h.step(Planned{PlanFacts{Origin: "rollback", At: at(2 * time.Second), Gains: prefixes(lost)}, h.baseline()})
	if d := h.plan(3*time.Second, lost); d.Verdict != Refuse {
		t.Error("a loss that was rolled back explained another one")
	}
}

func TestPlanOverW5(t *testing.T) {
	lim := only(func(l *Limits) { l.PlanFloor, l.PlanShare = 20, 10 })
	h := newHarness(t, feb20(), lim)
	lost := h.net.take(0, 44)
	for _, l := range lost { // one by one, faster than the builder
		if d := h.withdraw(operator("x"), 0, l); d.Verdict != Allow {
			t.Fatal(d.Findings)
		}
	}
	d := h.plan(0, lost)
	if d.Verdict != Refuse || rules(d)[0] != "breaker.W5" || len(d.Hold) != 44 || !d.Holdable {
		t.Fatalf("44 in one plan: %v %v, want held by W5", d.Verdict, rules(d))
	}
	h.wantState(Global, Closed)
	if d := h.plan(time.Second, lost[1:]); d.Verdict != Allow {
		t.Errorf("43 in one plan: %v", d.Findings)
	}
	if d := h.plan(time.Minute, lost); !d.Tripped {
		t.Error("twice oversized in ten minutes and still closed")
	}
	h.wantState(Global, Open)
}

// What was admitted before everything opened does not reach the wire after it,
// but for the emergency lane and what owners do meanwhile.
func TestPlanWhileOpen(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	before := h.net.take(0, 3)
	h.withdraw(operator("x"), 0, before...)
	h.step(Tripped{Scope: Global, To: Open, Reason: "test", By: operator("y"), At: at(time.Second)})
	own := h.net.of("a100", 2)
	h.withdraw(owner("a100"), 2*time.Second, own...)
	urgent := h.net.take(200, 2)
	h.propose(Proposal{Actor: operator("x"), Lane: Emergency, Reason: "r", Incident: "INC-1", At: at(2 * time.Second), Losses: urgent})
	all := slices.Concat(before, own, urgent)
	d := h.plan(3*time.Second, all)
	if d.Verdict != Refuse || !slices.Equal(d.Hold, prefixes(before)) || !d.Holdable || d.TripID == "" {
		t.Fatalf("%v, holding %v, want the three from before", d.Verdict, d.Hold)
	}
	if d := h.plan(3*time.Second, slices.Concat(own, urgent)); d.Verdict != Allow {
		t.Errorf("the plan without them: %v", d.Findings)
	}
	h.step(Tripped{Scope: Global, To: Locked, Reason: "freeze", By: operator("y"), At: at(4 * time.Second)})
	if d := h.plan(5*time.Second, slices.Concat(own, urgent)); d.Verdict != Refuse || len(d.Hold) != 2 {
		t.Errorf("locked: %v, holding %v, want the owner's two", d.Verdict, d.Hold)
	}
}

// What a stopped actor was allowed before stays allowed: the others' plans
// carry it.
func TestPlanOfAStoppedActor(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	lost := h.net.take(0, 3)
	h.withdraw(operator("x"), 0, lost...)
	h.step(Tripped{Scope: operator("x").Scope(), To: Open, Reason: "test", By: operator("y"), At: at(time.Second)})
	if d := h.plan(2*time.Second, lost); d.Verdict != Allow {
		t.Errorf("%v", d.Findings)
	}
	h.step(Tripped{Scope: Scope{ScopeAccount, lost[0].Account}, To: Open, Reason: "test", By: operator("y"), At: at(3 * time.Second)})
	if d := h.plan(4*time.Second, lost); d.Verdict != Refuse || len(d.Hold) != 1 {
		t.Errorf("an open account: %v, holding %v, want its one", d.Verdict, d.Hold)
	}
	l := h.net.take(10, 2)
	l[0].Services = []string{"cdn"}
	l[1].Neighbors = []string{"transit-a"}
	h.withdraw(operator("z"), 5*time.Second, l...)
	for _, s := range []Scope{{ScopeService, "cdn"}, {ScopeNeighbor, "transit-a"}} {
		h.step(Tripped{Scope: s, To: Open, Reason: "test", By: operator("y"), At: at(5 * time.Second)})
	}
	if d := h.plan(6*time.Second, l); d.Verdict != Refuse || len(d.Hold) != 2 {
		t.Errorf("an open service and neighbor: %v, holding %v", d.Verdict, d.Hold)
	}
	if d := h.withdraw(operator("z"), 6*time.Second, h.net.take(20, 1)...); d.Verdict != Refuse {
		t.Error("a loss at every neighbor passed while one of them is open")
	}
}

func TestApprovedPlan(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	lost := h.net.take(0, 100)
	h.step(WasApproved{Approval{ID: "cfg", Prefixes: prefixes(lost), Until: at(time.Hour), Requester: operator("x")}, at(0)})
	f := PlanFacts{Origin: "config", At: at(time.Minute), Losses: lost, Approval: "cfg"}
	if d := h.step(Planned{f, h.baseline()}); d.Verdict != Allow {
		t.Fatalf("a plan that an approval covers: %v", d.Findings)
	}
	f.Losses = h.net.take(100, 1)
	if d := h.step(Planned{f, h.baseline()}); d.Verdict != Refuse {
		t.Error("a plan that its approval does not cover passed")
	}
}

// The floor holds whatever the reason, and blames the smallest scope.
func TestStateFloorOfPlans(t *testing.T) {
	for _, tt := range []struct {
		name      string
		losses    int
		neighbors []NeighborFact
		want      Verdict
		scope     Scope
	}{
		{"within", 0, []NeighborFact{{"a", IPv4, 5000, 4950}}, Allow, Scope{}},
		{"one neighbor", 0, []NeighborFact{{"a", IPv4, 5000, 4949}, {"b", IPv4, 5000, 5000}}, Refuse, Scope{ScopeNeighbor, "a"}},
		{"all of them", 0, []NeighborFact{{"a", IPv4, 5000, 4949}, {"b", IPv4, 5000, 4000}}, Refuse, Global},
		{"both families together", 0, []NeighborFact{{"a", IPv4, 5000, 4955}, {"a", IPv6, 500, 490}}, Allow, Scope{}},
		{"each in its bounds, both not", 0, []NeighborFact{{"a", IPv4, 5000, 4951}, {"a", IPv6, 500, 491}}, Refuse, Scope{ScopeNeighbor, "a"}},
		{"a small table", 0, []NeighborFact{{"a", IPv4, 12, 2}}, Allow, Scope{}},
		{"a small table, one more", 0, []NeighborFact{{"a", IPv4, 12, 1}}, Refuse, Scope{ScopeNeighbor, "a"}},
		{"an actor behind it", 20, []NeighborFact{{"a", IPv4, 5000, 4900}, {"b", IPv4, 5000, 4900}}, Refuse, operator("x").Scope()},
		{"growth", 0, []NeighborFact{{"a", IPv4, 10, 5000}}, Allow, Scope{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, newNetwork(4306, 400, 2194), DefaultLimits())
			lost := h.net.take(0, tt.losses)
			if tt.losses > 0 {
				h.withdraw(operator("x"), 0, lost...)
			}
			d := h.plan(time.Second, lost, tt.neighbors...)
			if d.Verdict != tt.want {
				t.Fatalf("%v %v, want %v", d.Verdict, d.Findings, tt.want)
			}
			if tt.want == Refuse {
				h.wantState(tt.scope, Open)
				if !d.Tripped || rules(d)[0] != "breaker.W6" {
					t.Errorf("%v %v", d.Tripped, rules(d))
				}
			}
		})
	}
}

// A table that shrank by itself, a lost session say, holds further losses and
// nothing else.
func TestObservedFallIsNoLoss(t *testing.T) {
	h := newHarness(t, newNetwork(1000, 50, 0, "n"), DefaultLimits())
	h.step(Advertised{"n", IPv4, 900, at(0)})
	h.step(Advertised{"n", IPv4, 0, at(time.Minute)})
	h.wantState(Global, Closed)
	if d := h.withdraw(operator("x"), 2*time.Minute, h.net.take(0, 2)...); d.Verdict != Allow {
		t.Errorf("a loss while a session is down: %v", d.Findings)
	}
}

func TestNames(t *testing.T) {
	for _, s := range []State{Open, Closed, Recovering, Locked} {
		var got State
		if b, _ := s.MarshalText(); got.UnmarshalText(b) != nil || got != s {
			t.Errorf("state %s does not survive text", s)
		}
	}
	for k := range recordNames {
		var got RecordKind
		if b, _ := k.MarshalText(); got.UnmarshalText(b) != nil || got != k {
			t.Errorf("kind %s does not survive text", k)
		}
	}
	for l := Ordinary; l <= Drain; l++ {
		var got Lane
		if b, _ := l.MarshalText(); got.UnmarshalText(b) != nil || got != l {
			t.Errorf("lane %s does not survive text", l)
		}
	}
	for c := Counted; c <= Modified; c++ {
		var got Class
		if b, _ := c.MarshalText(); got.UnmarshalText(b) != nil || got != c {
			t.Errorf("class %s does not survive text", c)
		}
	}
	var s State
	var k RecordKind
	var l Lane
	var c Class
	for _, u := range []interface{ UnmarshalText([]byte) error }{&s, &k, &l, &c} {
		if u.UnmarshalText([]byte("nonsense")) == nil {
			t.Errorf("%T took nonsense", u)
		}
	}
	if s != Open {
		t.Error("nonsense changed a state")
	}
}

func TestLimitsAreValidated(t *testing.T) {
	if err := DefaultLimits().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Limits){
		"no name":    func(l *Limits) { l.Ladder = []Rung{{Span: hour, Total: 5}} },
		"no window":  func(l *Limits) { l.Ladder = []Rung{{Name: "x", Total: 5}} },
		"a year":     func(l *Limits) { l.Ladder = []Rung{{Name: "x", Span: 365 * day, Total: 5}} },
		"share":      func(l *Limits) { l.Actor = []Rung{{Name: "x", Span: hour, Share: 1001}} },
		"negative":   func(l *Limits) { l.Owner = []Rung{{Name: "x", Span: hour, Total: -1}} },
		"recovering": func(l *Limits) { l.Recovering = 1001 },
		"no wait":    func(l *Limits) { l.Wait = 0 },
	} {
		l := DefaultLimits()
		change(&l)
		if l.Validate() == nil {
			t.Errorf("%s: valid", name)
		}
		if b, err := OpenDir(t.TempDir(), Options{Limits: l, At: start}); err == nil || b.State(start) != Open {
			t.Errorf("%s: opened with it: %v", name, err)
		}
	}
}
