package breaker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// take returns n losses of the first accounts, one prefix each, in order.
func (w *network) take(from, n int) []Loss { return slices.Clone(w.customers[from : from+n]) }

// of returns up to n losses of one account.
func (w *network) of(account string, n int) []Loss {
	var out []Loss
	for _, l := range w.customers {
		if l.Account == account && len(out) < n {
			out = append(out, l)
		}
	}
	return out
}

func prefixes(losses []Loss) []netip.Prefix {
	var out []netip.Prefix
	for _, l := range losses {
		out = append(out, l.Prefix)
	}
	return out
}

// only returns limits with everything off but what keep sets.
func only(keep func(*Limits)) Limits {
	d := DefaultLimits()
	l := Limits{Recovering: d.Recovering, Wait: d.Wait, PlanTwice: d.PlanTwice, LongWindow: d.LongWindow,
		EmergencyOnce: d.EmergencyOnce, EmergencyHour: d.EmergencyHour, OwnerWhileOpen: d.OwnerWhileOpen, Owner: d.Owner}
	keep(&l)
	return l
}

// w2 is the limit of requirements: 1 % in 10 minutes, both families and each.
var w2 = []Rung{{Name: "W2", Span: 10 * time.Minute, Share: 10, Floor: 10, Total: 20}}

// Each layer alone holds its bar of the ablation table of requirements 3.2.
func TestAblation(t *testing.T) {
	d := DefaultLimits()
	for _, tt := range []struct {
		name   string
		limits Limits
		by     Actor
		every  time.Duration
		max    int
	}{
		{"W1 22 a minute", only(func(l *Limits) { l.Ops, l.Accounts = d.Ops, d.Accounts }), task("cleanup"), time.Minute / 22, 10},
		{"W1 unthrottled", only(func(l *Limits) { l.Ops, l.Accounts = d.Ops, d.Accounts }), task("cleanup"), 0, 10},
		{"W1 without its accounts", only(func(l *Limits) { l.Ops = d.Ops }), task("cleanup"), 0, 10},
		{"W2 22 a minute", only(func(l *Limits) { l.Ladder = w2 }), operator("x"), time.Minute / 22, 43},
		{"W2 unthrottled", only(func(l *Limits) { l.Ladder = w2 }), operator("x"), 0, 43},
		{"ladder 22 a minute", only(func(l *Limits) { l.Ladder = d.Ladder }), operator("x"), time.Minute / 22, 43},
		{"ladder unthrottled", only(func(l *Limits) { l.Ladder = d.Ladder }), operator("x"), 0, 43},
		{"W6 22 a minute", only(func(l *Limits) { l.StateFloor, l.StateShare = 10, 10 }), operator("x"), time.Minute / 22, 65},
		{"W6 unthrottled", only(func(l *Limits) { l.StateFloor, l.StateShare = 10, 10 }), operator("x"), 0, 65},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, feb20(), tt.limits)
			var first Decision
			for i, l := range h.net.customers[:1200] {
				if dec := h.withdraw(tt.by, time.Duration(i)*tt.every, l); dec.Tripped && first.TripID == "" {
					first = dec
				}
			}
			if n := len(h.down); n > tt.max || n < tt.max*4/10 && !strings.HasPrefix(tt.name, "W1") {
				t.Errorf("withdrew %d, want at most %d and not much less", n, tt.max)
			}
			if first.TripID == "" {
				t.Error("nothing opened")
			}
			t.Logf("withdrew %d, opened by %v", len(h.down), rules(first))
		})
	}
	t.Run("none", func(t *testing.T) {
		h := newHarness(t, feb20(), only(func(*Limits) {}))
		for i, l := range h.net.customers {
			h.withdraw(operator("x"), time.Duration(i)*time.Minute/22, l)
		}
		if len(h.down) != 4306 {
			t.Errorf("with every layer off %d are withdrawn, want all 4,306: the harness must reproduce the outage", len(h.down))
		}
	})
}

func TestOneBigChange(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	d := h.withdraw(operator("x"), 0, h.net.customers...)
	if d.Verdict != Refuse || !slices.Contains(rules(d), "breaker.W5") {
		t.Fatalf("all at once: %v %v, want refused by W5", d.Verdict, rules(d))
	}
	h.wantState(operator("x").Scope(), Closed) // one oversized change is refused, no more
	h.withdraw(operator("x"), 11*time.Minute, h.net.customers...)
	h.wantState(operator("x").Scope(), Closed)
	if d = h.withdraw(operator("x"), 20*time.Minute, h.net.customers...); !d.Tripped {
		t.Error("the second oversized change within 10 minutes did not open")
	}
	h.wantState(operator("x").Scope(), Open)
	h.wantState(Global, Closed)
	if len(h.down) != 0 {
		t.Errorf("%d withdrawn, want 0", len(h.down))
	}
}

func TestW5Boundary(t *testing.T) {
	for _, tt := range []struct {
		customers, n int
		want         Verdict
	}{{4306, 43, Allow}, {4306, 44, Refuse}, {100, 20, Allow}, {100, 21, Refuse}} {
		h := newHarness(t, newNetwork(tt.customers, 40, 0), only(func(l *Limits) { l.PlanFloor, l.PlanShare = 20, 10 }))
		if d := h.withdraw(operator("x"), 0, h.net.take(0, tt.n)...); d.Verdict != tt.want {
			t.Errorf("%d of %d: %v, want %v", tt.n, tt.customers, d.Verdict, tt.want)
		}
	}
}

// A family is judged apart: 1 % of all may not be a tenth of IPv6.
func TestFamiliesApart(t *testing.T) {
	h := newHarness(t, feb20(), only(func(l *Limits) { l.Ladder = w2 }))
	n := 0
	for _, l := range h.net.customers {
		if FamilyOf(l.Prefix) == IPv6 && h.withdraw(operator("x"), 0, l).Verdict == Allow {
			n++
		}
	}
	if n != 10 { // max(10, 1 % of 430)
		t.Errorf("withdrew %d IPv6 prefixes, want 10", n)
	}
}

// The bad actor's trip leaves the others deployable, and does not cascade.
func TestSelectivity(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	for _, l := range h.net.take(0, 100) {
		h.withdraw(operator("bad"), 0, l)
	}
	h.wantState(operator("bad").Scope(), Open)
	if d := h.withdraw(operator("good"), time.Second, h.net.take(200, 5)...); d.Verdict != Allow {
		t.Fatalf("another operator: %v %v, want allowed", d.Verdict, d.Findings)
	}
	if d := h.withdraw(owner("a300"), time.Second, h.net.of("a300", 3)...); d.Verdict != Allow {
		t.Fatalf("an owner: %v %v, want allowed", d.Verdict, d.Findings)
	}
	// The window is full of the bad actor's losses: others are refused, and
	// nothing more opens.
	for _, l := range h.net.take(300, 30) {
		h.withdraw(operator("good"), 2*time.Second, l)
	}
	h.wantState(operator("good").Scope(), Closed)
	h.wantState(Global, Closed)
	if d := h.propose(Proposal{Actor: operator("bad"), At: at(time.Minute), Gains: prefixes(h.net.take(0, 30))}); d.Verdict != Allow {
		t.Errorf("the bad actor restores: %v, want allowed", d.Findings)
	}
	if h.left() < 6457 {
		t.Errorf("neighbor holds %d, never less than 6,457", h.left())
	}
}

// Many actors that none explains alone open the global scope.
// Half of one service's prefixes, taken down by many actors from many accounts,
// opens that service and nothing else; the other service goes on.
func TestServiceScope(t *testing.T) {
	w := newNetwork(400, 100, 0)
	w.base.Services = map[string]Count{"dns": {IPv4: 60}, "cdn": {IPv4: 340}}
	h := newHarness(t, w, only(func(l *Limits) { l.Service = DefaultLimits().Service }))
	ask := func(i int, service string) Decision {
		l := w.customers[i]
		l.Services = []string{service}
		return h.propose(Proposal{ID: fmt.Sprint(service, i), Actor: operator(fmt.Sprint(i)), At: at(time.Duration(i) * time.Second), Losses: []Loss{l}})
	}
	allowed := 0
	for i := range 40 {
		if ask(i, "dns").Verdict == Allow {
			allowed++
		}
	}
	if allowed != 30 {
		t.Errorf("%d of 60 prefixes of one service went, want 30", allowed)
	}
	h.wantState(Scope{ScopeService, "dns"}, Open)
	h.wantState(Global, Closed)
	if d := ask(50, "cdn"); d.Verdict != Allow {
		t.Errorf("another service is held: %v", d.Findings)
	}
	if len(h.m.Status()) != 2 {
		t.Errorf("it cascaded: %+v", h.m.Status())
	}
}

func TestManyActorsOpenGlobal(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	for i, l := range h.net.take(0, 60) {
		h.withdraw(operator(fmt.Sprint(i%10)), 0, l)
	}
	h.wantState(Global, Open)
	if n := len(h.down); n > 43 || n < 30 {
		t.Errorf("withdrew %d, want 30 to 43", n)
	}
	// While it is open everything that only adds passes, and nothing else.
	if d := h.withdraw(operator("z"), time.Minute, h.net.take(100, 1)...); d.Verdict != Refuse || d.TripID == "" || !d.Holdable {
		t.Errorf("a loss while open: %+v, want refused with the trip's id", d)
	}
	for _, p := range []Proposal{
		{Actor: operator("z"), Gains: prefixes(h.net.take(0, 3))},
		{Actor: owner("a001"), Gains: prefixes(h.net.of("a001", 1))},
		{Actor: operator("z"), Lane: Restore, Gains: prefixes(h.net.take(3, 3))},
	} {
		p.At = at(2 * time.Minute)
		if d := h.propose(p); d.Verdict != Allow {
			t.Errorf("gains %v while open: %v, want allowed", p.Gains, d.Findings)
		}
	}
	// An owner keeps five an hour of its own, nobody else's.
	mine := h.net.of("a050", 10)
	for i := range mine {
		d := h.withdraw(owner("a050"), 3*time.Minute, mine[i])
		if want := map[bool]Verdict{true: Allow, false: Refuse}[i < 5]; d.Verdict != want {
			t.Errorf("owner's withdrawal %d while open: %v, want %v", i+1, d.Verdict, want)
		}
	}
	if d := h.withdraw(owner("a050"), 70*time.Minute, mine[9]); d.Verdict != Allow {
		t.Errorf("an hour later: %v, want allowed", d.Findings)
	}
	if d := h.withdraw(owner("a051"), 70*time.Minute, h.net.of("a052", 1)...); d.Verdict != Refuse {
		t.Error("an owner took down another's prefix")
	}
}

func TestOwnersBudget(t *testing.T) {
	for _, tt := range []struct{ has, free int }{{40, 20}, {4, 5}, {11, 5}, {10, 5}} {
		w := newNetwork(tt.has, 1, 0)
		big := newNetwork(5000, 400, 0)
		for i := range w.customers { // one account of that size among others
			w.customers[i].Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{200, 0, byte(i), 0}), 24)
			w.customers[i].Account = "mine"
		}
		big.base.Accounts["mine"] = Count{IPv4: tt.has}
		h := newHarness(t, big, DefaultLimits())
		n := 0
		var last Decision
		for _, l := range w.customers {
			if last = h.withdraw(owner("mine"), 0, l); last.Verdict == Allow {
				n++
			}
		}
		if want := min(tt.free, tt.has); n != want {
			t.Errorf("of %d prefixes %d were free, want %d", tt.has, n, want)
		}
		if tt.has <= tt.free {
			continue
		}
		if last.Verdict != Confirm || last.ConfirmToken == "" {
			t.Fatalf("beyond the budget: %+v, want a token", last)
		}
		rest := w.customers[tt.free:]
		ask := h.withdraw(owner("mine"), time.Second, rest...)
		wrong := h.propose(Proposal{Actor: owner("mine"), At: at(time.Second), Losses: rest[1:], Confirm: ask.ConfirmToken})
		if len(rest) > 1 && wrong.Verdict == Allow {
			t.Error("a token confirmed another set of prefixes")
		}
		slices.Reverse(rest)
		if d := h.propose(Proposal{Actor: owner("mine"), At: at(time.Second), Losses: rest, Confirm: ask.ConfirmToken}); d.Verdict != Allow {
			t.Errorf("confirmed: %v %v, want allowed", d.Verdict, d.Findings)
		}
		h.wantState(Global, Closed)
	}
}

// An owner's own withdrawals leave everybody's short windows alone and lower
// the state floor by as much.
func TestOwnersLowerTheFloor(t *testing.T) {
	w := newNetwork(1000, 4, 0, "n")
	h := newHarness(t, w, DefaultLimits())
	mine := w.of("a000", 200)
	ask := h.withdraw(owner("a000"), 0, mine...)
	if d := h.propose(Proposal{Actor: owner("a000"), Losses: mine, At: at(time.Second), Confirm: ask.ConfirmToken}); d.Verdict != Allow {
		t.Fatalf("owner: %v", d.Findings)
	}
	b := h.baseline()
	d := h.step(Planned{PlanFacts{Origin: "changes", At: at(2 * time.Second), Losses: mine,
		Neighbors: []NeighborFact{
			{"n", IPv4, w.base.Neighbors["n"].IPv4, b.Neighbors["n"].IPv4},
			{"n", IPv6, w.base.Neighbors["n"].IPv6, b.Neighbors["n"].IPv6}}}, b})
	if d.Verdict != Allow {
		t.Fatalf("the plan of an owner's withdrawal: %v", d.Findings)
	}
	h.step(Advertised{"n", IPv4, b.Neighbors["n"].IPv4, at(3 * time.Second)})
	h.step(Advertised{"n", IPv6, b.Neighbors["n"].IPv6, at(3 * time.Second)})
	for i, l := range w.of("a001", 8) {
		if d := h.withdraw(operator("x"), time.Minute, l); d.Verdict != Allow {
			t.Fatalf("operator's loss %d after the owner's: %v", i, d.Findings)
		}
	}
}

// Long windows: one owner can use up half of one, all owners together all.
func TestOwnersInLongWindows(t *testing.T) {
	w := newNetwork(2000, 20, 0) // 100 prefixes each; 24 h: 5 % is 100, 90 of IPv4
	h := newHarness(t, w, DefaultLimits())
	for i := range 20 {
		account := fmt.Sprintf("a%03d", i)
		for j, l := range w.of(account, 40) {
			h.withdraw(owner(account), time.Duration(i*40+j)*time.Second, l)
		}
	}
	h.wantState(Global, Open)
	if n := len(h.down); n < 90 || n > 110 {
		t.Errorf("owners took down %d, want about 5 %% of 2,000", n)
	}
	h = newHarness(t, w, DefaultLimits())
	mine := w.of("a000", 100)
	ask := h.withdraw(owner("a000"), 0, mine...)
	if d := h.propose(Proposal{Actor: owner("a000"), Losses: mine, Confirm: ask.ConfirmToken, At: at(0)}); d.Verdict != Allow {
		t.Fatalf("one owner: %v", d.Findings)
	}
	if d := h.withdraw(operator("x"), time.Minute, w.of("a001", 8)...); d.Verdict != Allow {
		t.Errorf("an operator after one owner left: %v, want allowed", d.Findings)
	}
}

// Whoever filled a window is blamed, whichever way it counts there.
func TestOwnerIsNotBlamedForOthers(t *testing.T) {
	w := newNetwork(2000, 20, 0)
	h := newHarness(t, w, only(func(l *Limits) { l.Ladder = []Rung{{Name: "24h", Span: day, Total: 50}} }))
	for i, l := range w.take(0, 50) {
		h.withdraw(operator(fmt.Sprint(i%5)), 0, l)
	}
	d := h.withdraw(owner("a015"), time.Hour, w.of("a015", 1)...)
	if d.Verdict != Refuse {
		t.Fatal("the window is full and an owner's loss passed")
	}
	h.wantState(owner("a015").Scope(), Closed)
	h.wantState(Scope{ScopeAccount, "a015"}, Closed)
}

func TestOnDemandIsNoLoss(t *testing.T) {
	w := newNetwork(300, 10, 0, "n")
	h := newHarness(t, w, DefaultLimits())
	for i := range 500 { // toggles a day
		l := Loss{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i % 40), 0}), 24), Account: "a001", Customer: true, OnDemand: true}
		when := time.Duration(i) * day / 500
		if d := h.propose(Proposal{Actor: owner("a001"), At: at(when), Gains: []netip.Prefix{l.Prefix}}); d.Verdict != Allow {
			t.Fatalf("announce %d: %v", i, d.Findings)
		}
		if d := h.withdraw(owner("a001"), when+time.Minute, l); d.Verdict != Allow {
			t.Fatalf("back to rest %d: %v", i, d.Findings)
		}
	}
	if n := h.m.ledger(Global, dimLoss).rings[0].sum.total(); n != 0 {
		t.Errorf("%d are charged to everybody, want 0", n)
	}
}

func TestMoreSpecificWeighsAFifth(t *testing.T) {
	h := newHarness(t, newNetwork(1000, 50, 0), only(func(l *Limits) { l.Ladder = w2 }))
	n := 0
	for _, l := range h.net.customers {
		if l.Weight = WeightCovered; FamilyOf(l.Prefix) == IPv4 && h.withdraw(operator("x"), 0, l).Verdict == Allow {
			n++
		}
	}
	if n != 50 { // max(10, 1 % of 900) / 0.2
		t.Errorf("withdrew %d more-specifics, want 50", n)
	}
}

func TestOncePerWindowWhateverTheOperation(t *testing.T) {
	h := newHarness(t, newNetwork(1000, 50, 0), only(func(l *Limits) { l.Ladder = w2 }))
	for range 30 {
		d := h.withdraw(operator("x"), 0, h.net.take(0, 5)...)
		if d.Verdict != Allow {
			t.Fatalf("the same five prefixes again: %v", d.Findings)
		}
		h.propose(Proposal{Actor: operator("x"), At: at(0), Gains: prefixes(h.net.take(0, 5))})
	}
}

func TestNetOfRestores(t *testing.T) {
	day1 := []Rung{{Name: "net", Span: day, Floor: 10, Total: 10, Net: true}}
	h := newHarness(t, newNetwork(1000, 50, 0), only(func(l *Limits) { l.Ladder = day1 }))
	for i := range 20 {
		l := h.net.take(i, 1)
		when := time.Duration(i) * time.Minute
		if d := h.withdraw(operator("x"), when, l...); d.Verdict != Allow {
			t.Fatalf("loss %d of restored ones: %v", i, d.Findings)
		}
		h.propose(Proposal{Actor: operator("x"), At: at(when), Gains: prefixes(l)})
	}
	for i := range 11 {
		d := h.withdraw(operator("x"), time.Hour, h.net.take(100+i, 1)...)
		if want := map[bool]Verdict{true: Allow, false: Refuse}[i < 10]; d.Verdict != want {
			t.Fatalf("loss %d: %v, want %v", i+1, d.Verdict, want)
		}
	}
}

func TestReleaseTakesBack(t *testing.T) {
	h := newHarness(t, newNetwork(1000, 50, 0, "n"), DefaultLimits())
	for i := range 50 {
		id := fmt.Sprint("failed-", i)
		d := h.step(Proposed{Proposal{ID: id, Actor: operator("x"), Losses: h.net.take(i*10, 5), At: at(0)}, h.net.base})
		if d.Verdict != Allow {
			t.Fatalf("change %d: %v; the ones before were released", i, d.Findings)
		}
		h.step(Released{ID: id, At: at(0)})
	}
	if h.m.Explained(h.net.customers[0].Prefix) {
		t.Error("a released loss still explains")
	}
	if n := h.m.ledger(Global, dimLoss).rings[0].sum.total(); n != 0 {
		t.Errorf("%d thousandths are still charged", n)
	}
	// A release gives back the charge before it, not none.
	h.step(Proposed{Proposal{ID: "a", Actor: operator("x"), Losses: h.net.take(0, 1), At: at(0)}, h.net.base})
	h.step(Proposed{Proposal{ID: "b", Actor: operator("x"), Losses: h.net.take(0, 1), At: at(time.Minute)}, h.net.base})
	h.step(Released{ID: "b", At: at(time.Minute)})
	if n := h.m.ledger(Global, dimLoss).rings[0].sum.total(); n != WeightFull || !h.m.Explained(h.net.customers[0].Prefix) {
		t.Errorf("after releasing the second charge %d is charged, want the first one", n)
	}
}

func TestEmergencyLane(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	h.step(Tripped{Scope: Global, To: Locked, Reason: "test", By: operator("x"), At: at(0)})
	em := Proposal{Actor: operator("x"), Lane: Emergency, Reason: "blackhole", Incident: "INC-1", At: at(0)}
	bad := func(name string, change func(*Proposal)) {
		p := em
		p.Losses = h.net.take(0, 1)
		change(&p)
		if d := h.propose(p); d.Verdict == Allow {
			t.Errorf("%s: allowed", name)
		}
	}
	bad("system", func(p *Proposal) { p.Actor = task("cleanup") })
	bad("no reason", func(p *Proposal) { p.Reason = " " })
	bad("no incident", func(p *Proposal) { p.Incident = "" })
	bad("six at once", func(p *Proposal) { p.Losses = h.net.take(0, 6) })
	for i := range 5 {
		p := em
		p.Losses = h.net.take(i*5, 5)
		d := h.propose(p)
		if want := map[bool]Verdict{true: Allow, false: Refuse}[i < 4]; d.Verdict != want {
			t.Errorf("command %d: %v %v, want %v", i+1, d.Verdict, d.Findings, want)
		}
	}
	d := h.step(Planned{PlanFacts{At: at(0), Losses: h.net.take(0, 20)}, h.baseline()})
	if d.Verdict != Allow {
		t.Errorf("the plan of the emergency: %v", d.Findings)
	}
	h.wantState(Global, Locked)
}

func TestLocked(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	h.step(Tripped{Scope: Global, To: Locked, Reason: "freeze", By: operator("x"), At: at(0)})
	for _, tt := range []struct {
		name string
		p    Proposal
		want Verdict
	}{
		{"announce", Proposal{Actor: owner("a001"), Gains: prefixes(h.net.take(0, 1))}, Refuse},
		{"restore", Proposal{Actor: operator("x"), Lane: Restore, Gains: prefixes(h.net.take(0, 1))}, Allow},
		{"owner withdraws", Proposal{Actor: owner("a001"), Losses: h.net.of("a001", 1)}, Refuse},
		{"drain", Proposal{Actor: operator("x"), Lane: Drain, Modifies: h.net.take(0, 5)}, Refuse},
	} {
		tt.p.At = at(time.Second)
		if d := h.propose(tt.p); d.Verdict != tt.want || d.State != Locked {
			t.Errorf("%s: %v in %v, want %v in locked", tt.name, d.Verdict, d.State, tt.want)
		}
	}
}

// A freeze put on an open breaker and taken off again resets no trip.
func TestUnfreezeGivesBackTheTrip(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	open := h.step(Tripped{Scope: Global, To: Open, Reason: "test", By: operator("x"), At: at(0)}).TripID
	lock := h.step(Tripped{Scope: Global, To: Locked, Reason: "freeze", By: operator("x"), At: at(time.Minute)}).TripID
	if open == lock {
		t.Fatal("the lock has the trip's id")
	}
	replayed := NewModel(DefaultLimits())
	for _, r := range h.m.Compacted() {
		replayed.Replay(&r)
	}
	for _, m := range []*Model{h.m, replayed} {
		if _, _, err := m.Step(WasReset{Scope: Global, TripID: lock, Reason: "unfreeze", By: operator("x"), At: at(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if st := m.Status()[0]; st.State != Open || st.TripID != open || st.Reason != "test" {
			t.Errorf("after the lock was taken off: %+v, want open by %s", st, open)
		}
	}
	h = newHarness(t, feb20(), DefaultLimits())
	lock = h.step(Tripped{Scope: Global, To: Locked, Reason: "freeze", By: operator("x"), At: at(0)}).TripID
	h.step(WasReset{Scope: Global, TripID: lock, Reason: "unfreeze", By: operator("x"), At: at(time.Hour)})
	h.wantState(Global, Closed)
}

func TestCalendarFreezes(t *testing.T) {
	lim := DefaultLimits()
	lim.Freezes = []Freeze{{From: at(time.Hour), Until: at(2 * time.Hour), Reason: "holidays"}}
	h := newHarness(t, feb20(), lim)
	for _, tt := range []struct {
		when time.Duration
		want State
	}{{0, Closed}, {time.Hour, Locked}, {2*time.Hour - time.Millisecond, Locked}, {2 * time.Hour, Closed}} {
		h.withdraw(operator("x"), tt.when, h.net.take(0, 1)...)
		h.wantState(Global, tt.want)
		if want := tt.want != Locked; want != h.down[h.net.customers[0].Prefix] {
			t.Errorf("at %s in %s the loss passed: %v", tt.when, tt.want, !want)
		}
		h.propose(Proposal{Actor: operator("x"), Lane: Restore, At: at(tt.when), Gains: prefixes(h.net.take(0, 1))})
	}
}

// While nothing but the global scope is open an owner keeps five withdrawals of
// its own an hour; with its own scope open it has none.
func TestOwnersAllowanceWhileOpen(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	h.step(Tripped{Scope: Global, To: Open, Reason: "a drill", By: operator("x"), At: at(0)})
	account := h.net.customers[0].Account
	own := h.net.of(account, 8)
	ask := func(i int, when time.Duration) Verdict { return h.withdraw(owner(account), when, own[i]).Verdict }
	for i := range 5 {
		if v := ask(i, time.Duration(i)*time.Second); v != Allow {
			t.Fatalf("withdrawal %d of 5: %v", i+1, v)
		}
	}
	if v := ask(5, time.Minute); v == Allow {
		t.Error("a sixth withdrawal within the hour passed")
	}
	if d := h.withdraw(operator("y"), time.Minute, own[6]); d.Verdict == Allow {
		t.Error("an operator's withdrawal passed")
	}
	if v := ask(6, time.Hour+2*time.Minute); v != Allow {
		t.Errorf("an hour later: %v", v)
	}
	h.step(Tripped{Scope: Scope{ScopeAccount, account}, To: Open, Reason: "a drill", By: operator("x"), At: at(3 * time.Hour)})
	if v := ask(7, 3*time.Hour); v == Allow {
		t.Error("with its own scope open an owner's withdrawal passed")
	}
}

// While everything is open an owner still changes its prepends.
func TestOwnersModifyWhileOpen(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	h.step(Tripped{Scope: Global, To: Open, Reason: "test", By: operator("x"), At: at(0)})
	if d := h.propose(Proposal{Actor: owner("a001"), At: at(0), Modifies: h.net.of("a001", 10)}); d.Verdict != Allow {
		t.Errorf("an owner's prepend: %v", d.Findings)
	}
	if d := h.propose(Proposal{Actor: operator("x"), At: at(0), Modifies: h.net.of("a001", 1)}); d.Verdict != Refuse {
		t.Error("an operator's modification passed while open")
	}
}

func TestDrainPassesWhileOpen(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	h.step(Tripped{Scope: Global, To: Open, Reason: "test", By: operator("x"), At: at(0)})
	p := Proposal{Actor: operator("x"), Lane: Drain, Modifies: h.net.customers, At: at(0)}
	if d := h.propose(p); d.Verdict != Allow {
		t.Errorf("a drain without losses: %v", d.Findings)
	}
	p.Losses = h.net.take(0, 1)
	if d := h.propose(p); d.Verdict != Refuse {
		t.Error("a drain that falls under min_sites passed while open")
	}
}

func TestResetNeedsTripReasonAndPerson(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	id := h.step(Tripped{Scope: Global, To: Open, Reason: "test", By: operator("x"), At: at(0)}).TripID
	for _, e := range []WasReset{
		{TripID: id, By: operator("x")},
		{TripID: "trip-99", Reason: "r", By: operator("x")},
		{TripID: "", Reason: "r", By: operator("x")},
		{TripID: id, Reason: "r", By: task("cleanup")},
		{TripID: id, Reason: "r", By: owner("a001")},
		{TripID: id, Reason: "r", By: operator("x"), Scope: Scope{ScopeActor, "operator/x"}},
	} {
		if e.Scope == (Scope{}) {
			e.Scope = Global
		}
		e.At = at(time.Minute)
		if _, _, err := h.m.Step(e); err == nil {
			t.Errorf("%+v was accepted", e)
		}
		h.wantState(Global, Open)
	}
	h.step(WasReset{Scope: Global, TripID: id, Reason: "was a test", By: operator("x"), At: at(time.Minute)})
	h.wantState(Global, Recovering)
	// 20 % of the budgets: 8 of 43.
	n := 0
	for i, l := range h.net.take(0, 20) {
		if h.withdraw(operator(fmt.Sprint(i)), 2*time.Minute, l).Verdict == Allow {
			n++
		}
	}
	if n < 2 || n > 8 {
		t.Errorf("%d passed while recovering, want up to 8", n)
	}
	h.wantState(Global, Open)
	again := h.m.Status()[0]
	if again.TripID == id {
		t.Error("a new trip has the old id")
	}
	h.step(WasReset{Scope: Global, TripID: again.TripID, Reason: "again", By: operator("x"), At: at(3 * time.Minute)})
	h.m.clock(at(3*time.Minute + 15*time.Minute))
	h.wantState(Global, Recovering) // the wait has doubled
	h.m.clock(at(3*time.Minute + 20*time.Minute))
	h.wantState(Global, Closed)
}

func TestResetByTwo(t *testing.T) {
	lim := DefaultLimits()
	lim.ResetApprovals = 1
	h := newHarness(t, feb20(), lim)
	id := h.step(Tripped{Scope: Global, To: Open, Reason: "test", By: operator("x"), At: at(0)}).TripID
	e := WasReset{Scope: Global, TripID: id, Reason: "r", By: operator("x"), At: at(0)}
	for _, approvers := range [][]string{nil, {""}, {"operator/x"}, {"operator/x", "operator/x"}} {
		e.Approvers = approvers
		if d := h.step(e); d.Verdict == Allow || h.state(Global) != Open {
			t.Fatalf("one person reset it with approvers %q: %+v", approvers, d)
		}
	}
	e.Approvers = []string{"operator/y"}
	h.step(e)
	h.wantState(Global, Recovering)
}

func TestProtectedSmallAndSitesDown(t *testing.T) {
	lim := DefaultLimits()
	lim.ApproveBelow = 50
	h := newHarness(t, newNetwork(49, 7, 0), lim)
	if d := h.withdraw(operator("x"), 0, h.net.take(0, 1)...); !slices.Contains(rules(d), "breaker.small") {
		t.Errorf("49 prefixes: %v, want breaker.small", rules(d))
	}
	if d := h.withdraw(owner("a000"), 0, h.net.of("a000", 1)...); d.Verdict != Allow {
		t.Errorf("an owner on a small network: %v", d.Findings)
	}
	h = newHarness(t, newNetwork(51, 7, 0), lim)
	if d := h.withdraw(operator("x"), 0, h.net.take(0, 1)...); d.Verdict != Allow {
		t.Errorf("51 prefixes: %v", d.Findings)
	}
	l := h.net.take(1, 1)
	l[0].Protected = true
	if d := h.withdraw(operator("x"), 0, l...); !slices.Contains(rules(d), "breaker.protected") {
		t.Errorf("protected: %v", rules(d))
	}
	h.net.base.SitesDown = []string{"ams", "fra"}
	if d := h.withdraw(operator("x"), 0, h.net.take(2, 1)...); !slices.Contains(rules(d), "breaker.sites-down") {
		t.Errorf("two sites down: %v", rules(d))
	}
}

func TestApprovalIsAnUpperBound(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	set := h.net.take(0, 200)
	a := Approval{ID: "mig", Prefixes: prefixes(set), Count: 150, From: at(0), Until: at(4 * time.Hour),
		Requester: operator("x"), Approvers: []string{"operator/y"}, Reason: "migration"}
	h.step(WasApproved{a, at(0)})
	use := func(when time.Duration, id string, losses []Loss) Decision {
		return h.propose(Proposal{Actor: operator("x"), At: at(when), Losses: losses, Approval: id})
	}
	if d := use(0, "mig", set[:100]); d.Verdict != Allow {
		t.Fatalf("a subset: %v", d.Findings)
	}
	for name, d := range map[string]Decision{
		"used already":     use(time.Minute, "mig", set[50:60]),
		"more than count":  use(time.Minute, "mig", set[100:151]),
		"not in the set":   use(time.Minute, "mig", h.net.take(300, 1)),
		"unknown":          use(time.Minute, "other", set[100:101]),
		"after its window": use(5*time.Hour, "mig", set[100:101]),
	} {
		if d.Verdict != Refuse || !slices.Contains(rules(d), "breaker.approval") {
			t.Errorf("%s: %v %v, want refused", name, d.Verdict, rules(d))
		}
	}
	h.wantState(Global, Closed)
	if n := h.m.ledger(Global, dimLoss).rings[0].sum.total(); n != 0 {
		t.Errorf("approved losses are charged to everybody: %d", n)
	}
	a.ID, a.Until = "rev", at(10*time.Hour)
	h.step(WasApproved{a, at(5 * time.Hour)})
	h.step(WasRevoked{"rev", operator("y"), at(5 * time.Hour)})
	if d := use(5*time.Hour, "rev", set[100:101]); d.Verdict != Refuse {
		t.Error("a revoked approval was used")
	}
	for name, change := range map[string]func(*Approval){
		"empty set":  func(a *Approval) { a.Prefixes = nil },
		"no end":     func(a *Approval) { a.Until = time.Time{} },
		"no id":      func(a *Approval) { a.ID = "" },
		"by a task":  func(a *Approval) { a.Requester = task("cleanup") },
		"bad prefix": func(a *Approval) { a.Prefixes = []netip.Prefix{{}} },
	} {
		b := a
		b.ID = "bad"
		change(&b)
		if _, _, err := h.m.Step(WasApproved{b, at(5 * time.Hour)}); err == nil {
			t.Errorf("%s: approved", name)
		}
	}
}

func TestBindingsOnly(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	n := 0
	for _, l := range h.net.take(0, 100) {
		u := Unbind{Prefix: l.Prefix, Account: l.Account, Service: "cdn"}
		if h.propose(Proposal{Actor: operator("x"), At: at(0), Unbinds: []Unbind{u}}).Verdict == Allow {
			n++
		}
	}
	if n > 43 || n < 20 {
		t.Errorf("%d bindings removed, want at most 43", n)
	}
	h.wantState(operator("x").Scope(), Open)
}

func TestShadowFindings(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	d := h.withdraw(operator("x"), 0, h.net.take(0, 11)...)
	if d.Verdict != Allow || !slices.Contains(rules(d), "breaker.W1?") || !slices.Contains(rules(d), "breaker.W1.accounts?") {
		t.Errorf("11 by an operator: %v %v, want allowed with W1 in shadow", d.Verdict, rules(d))
	}
	lim := DefaultLimits()
	lim.EnforceOps = true
	h = newHarness(t, feb20(), lim)
	if d := h.withdraw(operator("x"), 0, h.net.take(0, 11)...); d.Verdict != Refuse || !d.Tripped {
		t.Errorf("enforced: %v %v, want refused", d.Verdict, rules(d))
	}
}

// Any limit can run in shadow: it says what it would have done.
func TestAnyRuleInShadow(t *testing.T) {
	for _, rule := range []string{"breaker.W5", "breaker.W6", "breaker.breadth.5m", "breaker.growth"} {
		lim := only(func(l *Limits) {
			l.Ladder = DefaultLimits().Ladder[:1]
			l.PlanFloor, l.PlanShare, l.StateFloor, l.StateShare, l.GrowthFloor = 20, 10, 10, 10, 50
		})
		lim.Shadow = []string{"breaker.W5", "breaker.W6", "breaker.breadth.5m", "breaker.growth"}
		lim.Shadow = slices.DeleteFunc(lim.Shadow, func(s string) bool { return s == rule })
		said := func() (admit, judge Decision) {
			h := newHarness(t, feb20(), lim)
			lost := h.net.take(0, 100)
			admit = h.withdraw(operator("x"), 0, lost...)
			judge = h.step(Planned{PlanFacts{Origin: "config", At: at(0), Losses: lost, Neighbors: []NeighborFact{
				{"n", IPv4, 5000, 4900}, {"m", IPv4, 1000, 2000}}}, h.net.base})
			return admit, judge
		}
		if a, j := said(); a.Verdict != Refuse && j.Verdict != Refuse {
			t.Errorf("with only %s enforced nothing was refused", rule)
		}
		lim.Shadow = append(lim.Shadow, rule)
		a, j := said()
		if a.Verdict != Allow || j.Verdict != Allow {
			t.Errorf("all in shadow: %v %v", rules(a), rules(j))
		}
		if got := append(rules(a), rules(j)...); !slices.Contains(got, rule+"?") {
			t.Errorf("%s did not say that it would trip: %v", rule, got)
		}
	}
}

func TestSlowerThanTheWindowsIsSeenByTheLongOnes(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	// Ten actors, each under its own limits, 24 h.
	for i, l := range h.net.take(0, 480) {
		h.withdraw(operator(fmt.Sprint(i%10)), time.Duration(i)*3*time.Minute, l)
	}
	if n := len(h.down); n > 215 || n < 150 {
		t.Errorf("a drip over ten actors withdrew %d in 24 h, want at most 215", n)
	}
	h.wantState(Global, Open)
}

func TestInvalidProposals(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	one := h.net.take(0, 1)
	host := one[0]
	host.Prefix = netip.MustParsePrefix("192.0.2.1/24")
	zero := one[0]
	zero.Prefix = netip.Prefix{}
	nobody := one[0]
	nobody.Account = ""
	for name, p := range map[string]Proposal{
		"no actor":        {ID: "x", Losses: one},
		"no actor key":    {ID: "x", Actor: Actor{Kind: Operator}, Losses: one},
		"unknown actor":   {ID: "x", Actor: Actor{Kind: "root", Key: "root"}, Losses: one},
		"owner of none":   {ID: "x", Actor: Actor{Kind: Owner, Key: "o"}, Losses: one},
		"no id":           {Actor: operator("x"), Losses: one},
		"host bits":       {ID: "x", Actor: operator("x"), Losses: []Loss{host}},
		"zero prefix":     {ID: "x", Actor: operator("x"), Losses: []Loss{zero}},
		"no account":      {ID: "x", Actor: operator("x"), Losses: []Loss{nobody}},
		"unknown lane":    {ID: "x", Actor: operator("x"), Lane: 9, Losses: one},
		"unbind nothing":  {ID: "x", Actor: operator("x"), Unbinds: []Unbind{{}}},
		"modify the zero": {ID: "x", Actor: operator("x"), Modifies: []Loss{zero}},
	} {
		p.At = at(0)
		d := h.step(Proposed{p, h.net.base})
		if d.Verdict != Refuse || !slices.Contains(rules(d), "breaker.invalid") {
			t.Errorf("%s: %v %v, want refused as invalid", name, d.Verdict, rules(d))
		}
	}
	h.wantState(Global, Closed)
}

func TestZeroValues(t *testing.T) {
	var m Model
	d, recs, err := m.Step(Proposed{Proposal{ID: "x", Actor: operator("x"), Gains: prefixes(feb20().take(0, 1)), At: at(0)}, Baseline{}})
	if err != nil || d.Verdict != Refuse || d.State != Open || len(recs) != 0 {
		t.Errorf("the zero model: %v %v %v, want refused and open", d, recs, err)
	}
	if d, _, _ := m.Step(Planned{}); d.Verdict != Refuse {
		t.Error("the zero model allowed the empty plan")
	}
	if m.Status()[0].State != Open || (Decision{}).Verdict != Refuse || State(0) != Open || State(200).String() != "open" {
		t.Error("a zero value is not the safe one")
	}
	for _, e := range []Event{Tripped{Scope: Global, Reason: "r"}, WasReset{Scope: Global}, WasApproved{}, WasRevoked{}} {
		if _, _, err := m.Step(e); err == nil {
			t.Errorf("the zero model took %T", e)
		}
	}
	if _, _, err := m.Step(Advertised{"n", IPv4, 1, at(0)}); err != nil {
		t.Error(err)
	}
	if _, _, err := m.Step(Released{ID: "x"}); err != nil {
		t.Error(err)
	}
}

func TestStatusStrictestFirst(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	for _, e := range []Tripped{
		{Scope: Scope{ScopeActor, "b"}, To: Open}, {Scope: Scope{ScopeAccount, "z"}, To: Locked}, {Scope: Scope{ScopeActor, "a"}, To: Open},
	} {
		e.Reason, e.At, e.By = "r", at(0), operator("x")
		h.step(e)
	}
	var got []string
	for _, s := range h.m.Status() {
		got = append(got, s.State.String()+" "+s.Scope.String())
	}
	want := []string{"locked account:z", "open actor:a", "open actor:b", "closed global"}
	if !slices.Equal(got, want) {
		t.Errorf("status %q, want %q", got, want)
	}
}
