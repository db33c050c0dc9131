package breaker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What is the stricter of two limits loosens neither the one nor, window for
// window, the other.
func TestTightenLoosensNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		was, now := drawLimits(t), drawLimits(t)
		both := was.Tighten(now)
		if out := both.Loosens(was); len(out) > 0 {
			t.Errorf("looser than it was: %q", out)
		}
		if out := both.Loosens(now); len(out) > 0 {
			t.Errorf("looser than the new ones: %q", out)
		}
		if out := was.Tighten(was).Loosens(was); len(out) > 0 {
			t.Errorf("nothing changed, yet %q", out)
		}
	})
}

// drawLimits moves some of the defaults.
func drawLimits(t *rapid.T) Limits {
	l := DefaultLimits()
	for _, list := range []*[]Rung{&l.Ladder, &l.Actor, &l.Ops, &l.Accounts, &l.Account, &l.Bindings, &l.Modifies, &l.Owner} {
		*list = append([]Rung(nil), *list...)
		r := &(*list)[rapid.IntRange(0, len(*list)-1).Draw(t, "rung")]
		r.Share = rapid.IntRange(0, 1000).Draw(t, "share")
		r.Total = rapid.IntRange(0, 50).Draw(t, "total")
		if r.Floor > 0 {
			r.Floor = rapid.IntRange(1, 50).Draw(t, "floor")
		}
		r.Net = r.Net && rapid.Bool().Draw(t, "net")
		r.Shadow = rapid.Bool().Draw(t, "shadow")
	}
	for _, v := range []*int{&l.PlanFloor, &l.PlanShare, &l.StateFloor, &l.StateShare, &l.GrowthFloor, &l.GrowthShare, &l.EmergencyOnce, &l.EmergencyHour,
		&l.OwnerWhileOpen, &l.SitesDown, &l.LastPaths, &l.Capacity, &l.Recovering, &l.ApproveBelow} {
		*v = rapid.IntRange(0, 100).Draw(t, "number")
	}
	if rapid.Bool().Draw(t, "shadows") {
		l.Shadow = []string{"breaker.W5"}
	}
	l.EnforceOps = rapid.Bool().Draw(t, "enforce")
	l.Wait = time.Duration(rapid.IntRange(1, 60).Draw(t, "wait")) * time.Minute
	return l
}
