package breaker

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Limits that are tightened at work hold at once, and what was charged before
// counts against them; what loosens them needs persons, and all of it is in
// the journal.
func TestSetLimits(t *testing.T) {
	w := newNetwork(200, 20, 0)
	wide := only(func(l *Limits) {
		l.Ladder = []Rung{{Name: "a", Span: time.Hour, Floor: 10, Total: 10}}
		l.Approvals = 1
	})
	tight := wide
	tight.Ladder = []Rung{{Name: "a", Span: time.Hour, Floor: 5, Total: 5}}
	b, dir := opened(t, wide)
	lose := func(i int) Verdict {
		return b.Admit(ctx, losing(fmt.Sprint("c", i), operator(fmt.Sprint(i)), time.Duration(i)*time.Second, w.customers[i]), w.base).Verdict
	}
	for i := range 5 {
		if lose(i) != Allow {
			t.Fatalf("loss %d of 10 was not allowed", i)
		}
	}
	config := Actor{Kind: System, Key: "system/config"}
	if err := b.SetLimits(tight, "reload", config, at(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if v := lose(5); v == Allow {
		t.Error("a sixth loss passed a limit of five")
	}
	for name, err := range map[string]error{
		"system/config loosens": b.SetLimits(wide, "reload", config, at(2*time.Minute), "operator/b"),
		"one person alone":      b.SetLimits(wide, "too tight", operator("a"), at(2*time.Minute)),
		"the same one twice":    b.SetLimits(wide, "too tight", operator("a"), at(2*time.Minute), "operator/a"),
		"without a reason":      b.SetLimits(tight, " ", config, at(2*time.Minute)),
		"impossible":            b.SetLimits(Limits{}, "reload", config, at(2*time.Minute)),
	} {
		if err == nil {
			t.Errorf("%s: it was done", name)
		}
	}
	if got := b.Limits().Ladder[0].Total; got != 5 {
		t.Fatalf("the limit is %d after refusals, want 5", got)
	}
	if err := b.SetLimits(wide, "too tight", operator("a"), at(2*time.Minute), "operator/b"); err != nil {
		t.Error(err)
	}
	for i := range 5 {
		b.Admit(ctx, losing(fmt.Sprint("d", i), operator(fmt.Sprint("d", i)), 3*time.Minute, w.customers[10+i]), w.base)
	}
	if v := lose(90); v == Allow {
		t.Error("an eleventh loss passed a limit of ten: what was charged before the change is forgotten")
	}
	var amended []Record
	if err := readJournal(filepath.Join(dir, journalName), func(r Record) error {
		if r.Kind == RecordAmend {
			amended = append(amended, r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(amended) != 2 || amended[1].Number == 0 || !strings.Contains(strings.Join(amended[1].Names, " "), "floor 10, was 5") {
		t.Errorf("the journal has %+v", amended)
	}
}

// Windows that are changed at work hold what they would hold had they been so
// from the start, as far as the old ones reach back.
func TestAmendedWindowsKeepTheirContents(t *testing.T) {
	w := newNetwork(60, 6, 0)
	wide := func(spans ...time.Duration) Limits {
		return only(func(l *Limits) {
			for i, s := range spans {
				l.Ladder = append(l.Ladder, Rung{Name: fmt.Sprint("r", i), Span: s, Floor: 1000, Total: 1000, Net: i%2 == 0})
			}
		})
	}
	rapid.Check(t, func(rt *rapid.T) {
		minutes := rapid.Custom(func(rt *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(1, 60).Draw(rt, "m")) * time.Minute
		})
		was := wide(append(rapid.SliceOfN(minutes, 0, 2).Draw(rt, "was"), time.Hour)...)
		now := wide(rapid.SliceOfN(minutes, 1, 3).Draw(rt, "now")...)
		a, b := NewModel(was), NewModel(now)
		when := start
		amendAt := rapid.IntRange(0, 30).Draw(rt, "amended")
		for i := range 31 {
			when = when.Add(time.Duration(rapid.IntRange(0, 600_000).Draw(rt, "ms")) * time.Millisecond)
			l := w.customers[rapid.IntRange(0, 20).Draw(rt, "prefix")]
			var e Event = Proposed{Proposal{ID: fmt.Sprint(i), Actor: operator("x"), At: when, Losses: []Loss{l}}, w.base}
			switch rapid.IntRange(0, 5).Draw(rt, "kind") {
			case 0:
				e = Proposed{Proposal{ID: fmt.Sprint(i), Actor: operator("x"), At: when, Gains: []netip.Prefix{l.Prefix}}, w.base}
			case 1:
				e = Released{ID: fmt.Sprint(i - 1), At: when}
			}
			for _, m := range []*Model{a, b} {
				if _, _, err := m.Step(e); err != nil {
					rt.Fatal(err)
				}
			}
			if i == amendAt {
				if _, _, err := a.Step(Amended{Limits: now, Reason: "test", By: operator("a"), At: when}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		got, want := a.ledger(Global, dimLoss), b.ledger(Global, dimLoss)
		for i := range want.rings {
			if got.rings[i].sum != want.rings[i].sum || got.rings[i].n != want.rings[i].n {
				rt.Fatalf("window %s holds %v, want %v", want.rings[i].rung.Span, got.rings[i].sum, want.rings[i].sum)
			}
		}
	})
}
