package breaker

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// pastWeek is a history under generous limits: two losses a day for a week by
// the noc, and an incident on the fifth day that nothing stopped in time.
func pastWeek(t *testing.T) []Record {
	t.Helper()
	lim := only(func(l *Limits) { l.Ladder = []Rung{{Name: "old", Span: day, Share: 1000, Floor: 5000, Total: 5000}} })
	h := newHarness(t, feb20(), lim)
	n := 0
	for d := range 7 {
		for i := range 2 {
			h.withdraw(operator("noc"), time.Duration(d)*day+time.Duration(i)*time.Hour, h.net.take(n, 1)...)
			n++
		}
		if d == 4 {
			for i := range 500 {
				h.withdraw(operator("script"), time.Duration(d)*day+2*time.Hour+time.Duration(i)*time.Minute/22, h.net.take(100+i, 1)...)
			}
			id := h.step(Tripped{Scope: operator("script").Scope(), To: Open, Reason: "seen by a person", By: operator("noc"), At: at(time.Duration(d)*day + 3*time.Hour)}).TripID
			h.step(WasReset{Scope: operator("script").Scope(), TripID: id, Reason: "fixed", By: operator("noc"), At: at(time.Duration(d)*day + 4*time.Hour)})
		}
	}
	return h.recs
}

func TestSimulate(t *testing.T) {
	past := pastWeek(t)
	sim, err := Simulate(DefaultLimits(), past)
	if err != nil {
		t.Fatal(err)
	}
	if sim.Losses != 514 || len(sim.Trips) != 1 || sim.False != 0 {
		t.Fatalf("%+v, want one trip, the true one, in 514 losses", sim)
	}
	trip := sim.Trips[0]
	if trip.Scope != operator("script").Scope() || trip.Before > 43 || trip.Before < 20 || trip.At.Before(at(4*day)) {
		t.Errorf("%+v, want the script stopped after at most 43 losses", trip)
	}
	tight := DefaultLimits()
	tight.Actor = []Rung{{Name: "tight", Span: 2 * time.Hour, Total: 1}}
	sim, err = Simulate(tight, past)
	if err != nil || sim.False == 0 {
		t.Errorf("too tight limits: %+v %v, want false trips", sim, err)
	}
	if _, err := Simulate(Limits{}, past); err == nil {
		t.Error("simulated limits that are not valid")
	}
}

func TestSuggest(t *testing.T) {
	lim := DefaultLimits()
	if got := Suggest(lim, nil); got != nil {
		t.Errorf("from nothing: %+v", got)
	}
	if len(Suggest(lim, pastWeek(t))) == 0 {
		t.Error("nothing from a week")
	}
	for _, s := range Suggest(lim, pastWeek(t)) {
		if s.Rule == "" || s.Suggested > s.Limit && s.Limit > 0 || s.Most > 14 {
			t.Errorf("%+v: the incident must not count, nor the limit be loosened", s)
		}
	}
}

// The history is as good after it went through JSON.
func TestHistoryAsJSON(t *testing.T) {
	past := pastWeek(t)
	data, err := json.Marshal(past)
	if err != nil {
		t.Fatal(err)
	}
	var again []Record
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	want, _ := Simulate(DefaultLimits(), past)
	got, err := Simulate(DefaultLimits(), again)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("through JSON: %+v %v, want %+v", got, err, want)
	}
}

func TestCompactionKeepsEverything(t *testing.T) {
	w := feb20()
	b, dir := opened(t, DefaultLimits())
	b.compactAt = 4096
	for i, l := range w.customers[:300] {
		b.Admit(ctx, losing(fmt.Sprint(i), operator(fmt.Sprint(i%4)), time.Duration(i)*7*time.Minute, l), w.base)
		if i%2 == 0 {
			b.Admit(ctx, Proposal{ID: "g", Actor: operator("x"), At: at(time.Duration(i) * 7 * time.Minute), Gains: prefixes(w.customers[i : i+1])}, w.base)
		}
	}
	b.m.tellAll()
	b.m.out = nil
	want := b.m.Compacted()
	if _, err := os.Stat(filepath.Join(dir, previousName)); err != nil {
		t.Fatalf("never compacted: %v", err)
	}
	crash(b)
	b = reopened(t, dir, DefaultLimits(), at(0))
	got := b.m.Compacted()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("record %d differs after compaction and a crash:\n%+v\n%+v", i, got[i:], want[i:])
		}
	}
	n := 0
	if err := ReadHistory(dir, func(r Record) error {
		if r.Kind == RecordCharge {
			n++
		}
		return nil
	}); err != nil || n == 0 {
		t.Errorf("the history has %d charges, %v", n, err)
	}
}

func TestEvidenceNamesWhoAndWhose(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	h.withdraw(operator("other"), 0, h.net.take(0, 2)...)
	for _, l := range h.net.take(10, 60) {
		h.withdraw(operator("script"), time.Minute, l)
	}
	h.propose(Proposal{Actor: operator("x"), At: at(time.Minute), Gains: prefixes(h.net.take(10, 1))})
	e := h.m.Evidence(Global)
	if len(e.Actors) != 2 || e.Actors[0].Name != "operator/script" || e.Actors[1] != (Tally{"operator/other", 2}) {
		t.Errorf("actors %+v", e.Actors)
	}
	for _, w := range e.Windows {
		if w.Limit <= 0 || w.Used <= 0 || w.Used > w.Limit {
			t.Errorf("%+v: a window without its limit, or over it", w)
		}
	}
	n := 0
	for _, a := range e.Accounts {
		n += len(a.Prefixes)
		for _, p := range a.Prefixes {
			if !h.down[p] || h.net.byPrefix[p].Account != a.Account {
				t.Errorf("%s is named with %s and is not lost, or not its own", p, a.Account)
			}
		}
	}
	if n != len(h.down) {
		t.Errorf("%d prefixes are named, %d are lost", n, len(h.down))
	}
	if e = h.m.Evidence(operator("script").Scope()); e.Scope.State != Open || e.Rule == "" || len(e.Actors) != 1 {
		t.Errorf("the actor's evidence: %+v", e)
	}
}

func TestHoldQueue(t *testing.T) {
	ps := prefixes(feb20().take(0, 6))
	var q HoldQueue
	q = q.Hold(Held{ID: "a", Prefixes: ps[:3], TripID: "trip-1", At: at(0)})
	q = q.Hold(Held{ID: "none", TripID: "trip-1", At: at(0)})
	q = q.Hold(Held{ID: "b", Prefixes: ps[2:5], TripID: "trip-1", At: at(time.Hour)})
	q = q.Hold(Held{ID: "c", Prefixes: ps[5:], TripID: "trip-2", At: at(-time.Hour)})
	ids := func(list []Held) (out []string) {
		for _, h := range list {
			out = append(out, fmt.Sprint(h.ID, len(h.Prefixes)))
		}
		return out
	}
	if got := ids(q.List()); !slices.Equal(got, []string{"c1", "a2", "b3"}) {
		t.Errorf("held %v, want the latest change per prefix, oldest first", got)
	}
	again := NewHoldQueue(q.List())
	if !slices.Equal(ids(again.List()), ids(q.List())) {
		t.Error("a queue does not survive being kept elsewhere")
	}
	if r := q.DropPrefixes(ps[:2]); !slices.Equal(ids(r.List()), []string{"c1", "b3"}) {
		t.Errorf("after a rollback of two prefixes %v", ids(r.List()))
	}
	r, expired := q.Expire(at(3*time.Hour + time.Minute))
	if !slices.Equal(ids(expired), []string{"c1"}) || len(r.List()) != 2 {
		t.Errorf("expired %v, left %v", ids(expired), ids(r.List()))
	}
	r, released := q.Release("trip-1")
	if !slices.Equal(ids(released), []string{"a2", "b3"}) || !slices.Equal(ids(r.List()), []string{"c1"}) {
		t.Errorf("released %v, left %v", ids(released), ids(r.List()))
	}
	if _, none := q.Release(""); len(none) != 0 {
		t.Error("no trip released something")
	}
	if r, ok := q.Drop("b"); !ok || len(r.List()) != 2 || len(q.List()) != 3 {
		t.Error("drop")
	}
	if _, ok := q.Drop("z"); ok {
		t.Error("dropped what is not held")
	}
}

func TestLoosens(t *testing.T) {
	old := DefaultLimits()
	old.Freezes = []Freeze{{From: at(0), Until: at(time.Hour), Reason: "holidays"}}
	if got := old.Loosens(old); len(got) != 0 {
		t.Fatalf("the same limits loosen %v", got)
	}
	for name, change := range map[string]func(*Limits){
		"share":           func(l *Limits) { l.Ladder[0].Share++ },
		"floor":           func(l *Limits) { l.Ladder[0].Floor++ },
		"no family floor": func(l *Limits) { l.Ladder[0].Floor = 0 },
		"total":           func(l *Limits) { l.Ladder[0].Total++ },
		"shorter":         func(l *Limits) { l.Ladder[0].Span /= 2 },
		"net":             func(l *Limits) { l.Ladder[0].Net = true },
		"shadow":          func(l *Limits) { l.Ladder[0].Shadow = true },
		"gone":            func(l *Limits) { l.Ladder = l.Ladder[1:] },
		"all gone":        func(l *Limits) { l.Ops = nil },
		"W5 off":          func(l *Limits) { l.PlanFloor = 0 },
		"W6 off":          func(l *Limits) { l.StateFloor = 0 },
		"reset alone":     func(l *Limits) { l.ResetApprovals-- },
		"small":           func(l *Limits) { l.ApproveBelow-- },
		"recovering":      func(l *Limits) { l.Recovering++ },
		"wait":            func(l *Limits) { l.Wait /= 2 },
		"sites":           func(l *Limits) { l.SitesDown = 0 },
		"freeze":          func(l *Limits) { l.Freezes = nil },
		"growth":          func(l *Limits) { l.GrowthFloor = 0 },
		"alone":           func(l *Limits) { l.SingleDelay = time.Minute },
		"in shadow":       func(l *Limits) { l.Shadow = []string{"breaker.W6"} },
		"long window":     func(l *Limits) { l.LongWindow *= 2 },
	} {
		old.ResetApprovals, old.ApproveBelow = 1, 50
		l := old
		l.Ladder = slices.Clone(old.Ladder)
		change(&l)
		if got := l.Loosens(old); len(got) == 0 {
			t.Errorf("%s: loosens nothing", name)
		}
		if got := old.Loosens(l); name != "net" && len(got) != 0 {
			t.Errorf("%s undone: loosens %v", name, got)
		}
	}
	off := old
	off.EnforceOps = true
	if len(old.Loosens(off)) == 0 || len(off.Loosens(old)) != 0 {
		t.Error("enforcing W1 tightens, no longer enforcing it loosens")
	}
}

func TestGrowthByConfiguration(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	for _, tt := range []struct {
		origin        string
		before, after int
		want          Verdict
	}{
		{"config", 0, 6500, Allow}, // a first load
		{"config", 1000, 1100, Allow},
		{"config", 1000, 1101, Refuse},
		{"drift", 1000, 1101, Refuse},
		{"changes", 1000, 2000, Allow},
		{"rollback", 1000, 2000, Allow},
	} {
		d := h.step(Planned{PlanFacts{Origin: tt.origin, At: at(0), Neighbors: []NeighborFact{{"n", IPv4, tt.before, tt.after}}}, h.net.base})
		if d.Verdict != tt.want {
			t.Errorf("%s from %d to %d: %v %v, want %v", tt.origin, tt.before, tt.after, d.Verdict, d.Findings, tt.want)
		}
	}
}
