package addressing_test

import (
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TestShutdown: a neighbor is shut down as it is drained, charged once, and
// comes back by the verb for it alone.
func TestShutdown(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	x.advertised(x.a.ID, "11.0.0.0/22")
	down := epoch.Add(time.Hour)
	drain := addressing.DrainSpec{Site: "ams", Neighbor: "r1", Sites: []string{"ams", "fra"}, DownAt: &down}
	shut := drain
	shut.Shutdown, shut.DownAt = true, nil
	req := func() addressing.Request { r := x.operator(); r.Reason = "fibre cut"; return r }
	admitted := func() addressing.ChangeSet { return x.gate.last() }

	if _, _, _, err := x.r.Drain(ctx, req(), addressing.DrainSpec{Site: "ams", Shutdown: true}); code(err) != addressing.CodeInvalid {
		t.Errorf("a site: %v", err)
	}
	owner := x.owner(x.a.ID)
	owner.Reason = "mine"
	if _, _, _, err := x.r.Drain(ctx, owner, shut); code(err) != addressing.CodeForbidden {
		t.Errorf("an owner: %v", err)
	}
	n, _, c, err := x.r.Drain(ctx, req(), shut)
	if err != nil || !n.Shutdown || c.Verb != "neighbor.shutdown" || admitted().Drains == nil {
		t.Fatalf("%+v, %+v, %v", n, c, err)
	}
	if _, _, _, err := x.r.Drain(ctx, req(), shut); code(err) != addressing.CodeConflict {
		t.Errorf("twice: %v", err)
	}
	if _, err := x.r.Undrain(ctx, req(), drain); code(err) != addressing.CodeConflict {
		t.Errorf("undrained: %v", err)
	}
	if c, err := x.r.Undrain(ctx, req(), shut); err != nil || c.Verb != "neighbor.enable" || len(x.intents()) != 0 {
		t.Errorf("enabled: %+v, %v", c, err)
	}

	// What is drained may be shut down, when its routes leave and no earlier.
	if _, _, _, err := x.r.Drain(ctx, req(), drain); err != nil {
		t.Fatal(err)
	}
	if _, err := x.r.Undrain(ctx, req(), shut); code(err) != addressing.CodeConflict {
		t.Errorf("enabled what was drained: %v", err)
	}
	_, _, c, err = x.r.Drain(ctx, req(), shut)
	if err != nil || admitted().Drains != nil || len(admitted().Effects) != 0 {
		t.Errorf("charged twice: %+v, %v", admitted(), err)
	}
	if all := x.intents(); len(all) != 1 || !all[0].Shutdown || all[0].DownAt == nil || !all[0].DownAt.Equal(down) {
		t.Errorf("kept: %+v", all)
	}
	// An undo lifts nothing that is down on purpose unless it is named (invariant 15).
	if _, err := x.r.Undo(ctx, x.operator(), c.ID); err == nil || len(x.intents()) != 1 {
		t.Errorf("undone without a name: %v", err)
	}
}
