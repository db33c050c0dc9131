package breaker

import (
	"slices"
	"testing"
	"time"
)

func TestSwitches(t *testing.T) {
	lim := DefaultLimits()
	lim.Switches = []Switch{{Name: "system/cleanup", Effect: "the clean-up worker deletes nothing"}, {Name: "sink/notices", FailsOn: true}}
	b, dir := opened(t, lim)
	w := feb20()
	gain := Proposal{ID: "g", Actor: task("cleanup"), At: at(0), Gains: prefixes(w.take(0, 1))}
	if b.SwitchedOff("system/cleanup") || !b.SwitchedOff("system/unknown") {
		t.Error("a registered switch begins on, an unknown one is off")
	}
	if d := b.Admit(ctx, gain, w.base); d.Verdict != Allow {
		t.Fatal(d.Findings)
	}
	for name, e := range map[string]Switched{
		"unknown":   {Name: "system/cleanupp", Reason: "r", By: operator("x")},
		"no reason": {Name: "system/cleanup", By: operator("x")},
		"by a task": {Name: "system/cleanup", Reason: "r", By: task("cleanup")},
		"by nobody": {Name: "system/cleanup", Reason: "r", By: Actor{Kind: Operator}},
	} {
		if err := b.Switch(e.Name, true, e.Reason, e.By, at(0)); err == nil {
			t.Errorf("%s: turned", name)
		}
	}
	if err := b.Switch("system/cleanup", true, "it deletes too much", operator("x"), at(0)); err != nil {
		t.Fatal(err)
	}
	crash(b)
	b = reopened(t, dir, lim, at(time.Minute))
	st := b.Switches()
	if !st[0].Off || st[0].Reason == "" || st[0].By != "operator/x" || st[1].Off || st[0].Since.IsZero() {
		t.Errorf("after a crash %+v, want cleanup off", st)
	}
	for _, p := range []Proposal{gain, losing("l", task("cleanup"), time.Minute, w.take(0, 1)...), {ID: "r", Actor: task("cleanup"), At: at(time.Minute), Lane: Restore}} {
		if d := b.Admit(ctx, p, w.base); d.Verdict != Refuse || !slices.Contains(rules(d), "breaker.switch") {
			t.Errorf("%s of a task that is off: %v %v", p.ID, d.Verdict, rules(d))
		}
	}
	if d := b.Admit(ctx, Proposal{ID: "o", Actor: task("other"), At: at(time.Minute), Gains: gain.Gains}, w.base); d.Verdict != Allow {
		t.Error("another task was stopped")
	}
	if err := b.Switch("system/cleanup", false, "fixed", operator("x"), at(2*time.Minute)); err != nil || b.SwitchedOff("system/cleanup") {
		t.Errorf("turned on again: %v", err)
	}
	zero := Model{limits: lim}
	if !zero.SwitchedOff("system/cleanup") || zero.SwitchedOff("sink/notices") {
		t.Error("without state each switch is what its fail mode says")
	}
}

// A switch that is turned off while a change is on its way stops it before the
// wire, and nothing else: emergencies and restores go on.
func TestSwitchStopsWhatIsOnItsWay(t *testing.T) {
	lim := DefaultLimits()
	lim.Switches = []Switch{{Name: "change/withdrawals", Stops: StopsWithdrawals}, {Name: "change/owners", Stops: StopsOwners},
		{Name: "guard/otc", Stops: StopsAnnouncements}, {Name: "system/config", FailsOn: true}}
	h := newHarness(t, feb20(), lim)
	ordinary, urgent, own := h.net.take(0, 1), h.net.take(1, 1), h.net.take(2, 1)
	h.withdraw(operator("x"), 0, ordinary...)
	h.withdraw(owner(own[0].Account), 0, own...)
	if d := h.propose(Proposal{ID: "e", Actor: operator("x"), At: at(0), Lane: Emergency, Reason: "r", Incident: "i", Losses: urgent}); d.Verdict != Allow {
		t.Fatal(d.Findings)
	}
	turn := func(name string, off bool) {
		h.step(Switched{Name: name, Off: off, Reason: "r", By: operator("x"), At: at(0)})
	}
	held := func(losses []Loss, want bool) {
		t.Helper()
		d := h.step(Planned{PlanFacts{At: at(time.Second), Losses: losses}, h.net.base})
		if (d.Verdict == Refuse) != want || want && (!slices.Contains(rules(d), "breaker.switch") || len(d.Hold) != len(losses)) {
			t.Errorf("%v: %v %v, held is to be %v", losses[0].Prefix, d.Verdict, rules(d), want)
		}
	}
	turn("change/withdrawals", true)
	held(ordinary, true)
	held(urgent, false)
	held(own, false)
	turn("change/withdrawals", false)
	turn("change/owners", true)
	held(own, true)
	held(ordinary, false)
	turn("guard/otc", true)
	for _, tt := range []struct {
		name string
		f    PlanFacts
		want Verdict
	}{
		{"what the configuration brings up", PlanFacts{Origin: "config", At: at(time.Second), Gains: prefixes(h.net.take(9, 1))}, Refuse},
		{"what people were allowed to announce", PlanFacts{Origin: "changes", At: at(time.Second), Gains: prefixes(h.net.take(9, 1))}, Allow},
		{"a rollback", PlanFacts{Origin: "rollback", At: at(time.Second), Gains: prefixes(h.net.take(9, 1))}, Allow},
	} {
		if d := h.step(Planned{tt.f, h.net.base}); d.Verdict != tt.want {
			t.Errorf("%s while a guard is off: %v %v", tt.name, d.Verdict, rules(d))
		}
	}
	turn("guard/otc", false)
	turn("system/config", true)
	if d := h.step(Planned{PlanFacts{Origin: "config", At: at(time.Second)}, h.net.base}); d.Verdict != Refuse {
		t.Errorf("a plan of the configuration, which is off: %v", d.Verdict)
	}
}
