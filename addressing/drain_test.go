package addressing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TestDrain: a drain is kept, charged where it leaves a prefix short of sites,
// refused beyond its limits, and taken back by name alone.
func TestDrain(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	x.advertised(x.a.ID, "11.0.0.0/22")
	sites := []string{"ams", "fra"}
	down := epoch.Add(time.Hour)
	ams := addressing.DrainSpec{Site: "ams", Sites: sites, DownAt: &down}
	req := x.operator()
	if _, _, _, err := x.r.Drain(ctx, req, ams); code(err) != addressing.CodeInvalid {
		t.Errorf("without a reason: %v", err)
	}
	req.Reason = "maintenance"
	intent, below, change, err := x.r.Drain(ctx, req, ams)
	if err != nil || len(below) != 0 || len(change.Effects) != 0 || change.Verb != "site.drain" {
		t.Fatalf("below %v, change %+v, %v", below, change, err)
	}
	if got := x.intents(); len(got) != 1 || got[0].Site != "ams" || got[0].DownAt == nil || !got[0].DownAt.Equal(down) || got[0].ID != intent.ID {
		t.Errorf("kept: %+v", got)
	}
	for name, c := range map[string]struct {
		spec addressing.DrainSpec
		code addressing.Code
		says string
	}{
		"twice":               {ams, addressing.CodeConflict, "drained already"},
		"one site too many":   {addressing.DrainSpec{Site: "fra", Sites: sites}, addressing.CodeRefused, "1 of 2 sites are drained already"},
		"the last path":       {addressing.DrainSpec{Site: "fra", Neighbor: "r1", Sites: sites}, addressing.CodeRefused, "11.0.0.0/22"},
		"undrain of a wrong":  {addressing.DrainSpec{Site: "fra"}, addressing.CodeConflict, "is not drained"},
		"undrain of neighbor": {addressing.DrainSpec{Neighbor: "r1", Site: "ams"}, addressing.CodeConflict, "is not drained"},
	} {
		var err error
		if strings.HasPrefix(name, "undrain") {
			_, err = x.r.Undrain(ctx, req, c.spec)
		} else {
			_, _, _, err = x.r.Drain(ctx, req, c.spec)
		}
		var e *addressing.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Error(), c.says) || e.Next == "" {
			t.Errorf("%s: %v, want %s: %s", name, err, c.code, c.says)
		}
	}
	// Another neighbor of the site has the same routes: nothing is short.
	covered := addressing.DrainSpec{Site: "fra", Neighbor: "r1", Sites: sites, Covered: true}
	if _, below, _, err := x.r.Drain(ctx, req, covered); err != nil || len(below) != 0 {
		t.Errorf("a covered neighbor: %v, %v", below, err)
	}
	// The named risk passes, and is a loss that the gate hears of.
	risk := addressing.DrainSpec{Site: "fra", Neighbor: "r2", Sites: sites, AcceptBelow: true}
	_, below, change, err = x.r.Drain(ctx, req, risk)
	if err != nil || len(below) != 1 || len(change.Losses()) != 1 || change.Losses()[0].Kind != addressing.Weakened {
		t.Errorf("with the risk: below %v, effects %+v, %v", below, change.Effects, err)
	}
	if change, err := x.r.Undrain(ctx, req, ams); err != nil || change.Verb != "site.undrain" || len(change.Losses()) != 0 {
		t.Errorf("undrain: %+v, %v", change, err)
	}
	if n := len(x.intents()); n != 2 {
		t.Errorf("%d drains are left, want those of two neighbors", n)
	}
}

func code(err error) addressing.Code { return addressing.CodeOf(err) }

func TestMaxDrained(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 9: 1, 10: 1, 20: 2, 40: 4, 45: 4} {
		if got := addressing.MaxDrained(n); got != want {
			t.Errorf("of %d sites %d, want %d", n, got, want)
		}
	}
}
