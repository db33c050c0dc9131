package addressing_test

import (
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// drainRig is a rig whose withdrawals take ten minutes.
func drainRig(t *testing.T) *rig {
	x := newRig(t)
	x.r = addressing.NewRegistry(x.store, x.gate, addressing.Options{Entropy: &counter{n: 1 << 40}, Drain: func() time.Duration { return 10 * time.Minute }})
	return x
}

func (x *rig) route(id string) addressing.BGPPrefix { return x.get(id).BGP[0] }

// TestWithdrawalDrains: a planned withdrawal is charged at once and takes its
// route down later, whoever plans it.
func TestWithdrawalDrains(t *testing.T) {
	x, ctx := drainRig(t), t.Context()
	for name, by := range map[string]func() addressing.Request{
		"operator": x.operator, "owner": func() addressing.Request { return x.owner(x.a.ID) }, "task": x.system,
	} {
		t.Run(name, func(t *testing.T) {
			p := x.advertised(x.a.ID, map[string]string{"operator": "11.0.0.0/22", "owner": "11.0.4.0/22", "task": "11.0.8.0/22"}[name])
			req := by()
			must(x.r.WithdrawPrefix(ctx, req, p.ID))(t)
			want := req.At.Add(10 * time.Minute)
			if b := x.route(p.ID); b.Advertised || b.DownAt == nil || !b.DownAt.Equal(want) || !b.Draining(req.At) || b.Draining(want) {
				t.Errorf("withdrawn: %+v, want it to leave at %s", b, want)
			}
			if c := x.gate.last(); len(c.Effects) != 1 || c.Effects[0].Kind != addressing.Lost {
				t.Errorf("charged: %+v", c.Effects)
			}
			for _, n := range x.get(p.ID).Negative {
				if n.DownAt == nil || !n.DownAt.Equal(want) {
					t.Errorf("the owner's intent is in force from %v, want %s", n.DownAt, want)
				}
			}
		})
	}
}

// TestDrainingHoldsTheGround: what is still on its way out stays bound, and
// leaves earlier, or not at all, when somebody says so.
func TestDrainingHoldsTheGround(t *testing.T) {
	x, ctx := drainRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	until := *x.route(p.ID).DownAt
	p = x.get(p.ID)
	if _, err := x.r.DeleteBinding(ctx, x.owner(x.a.ID), p.ID, p.Bindings[0].ID); code(err) != addressing.CodeConflict {
		t.Errorf("unbound under a route that is there: %v", err)
	}
	if _, err := x.r.DeleteBGPPrefix(ctx, x.owner(x.a.ID), p.ID, p.BGP[0].ID); code(err) != addressing.CodeConflict {
		t.Errorf("deleted a route that is there: %v", err)
	}

	admitted := len(x.gate.admitted)
	if _, c, err := x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID); err != nil || c.ID != "" {
		t.Errorf("withdrawing again: %+v, %v; want nothing to do", c, err)
	}
	later := x.owner(x.a.ID)
	later.Drain = new(time.Hour)
	if _, c, err := x.r.WithdrawPrefix(ctx, later, p.ID); err != nil || c.ID != "" || !x.route(p.ID).DownAt.Equal(until) {
		t.Errorf("a later time: %+v, %v", c, err)
	}
	if len(x.gate.admitted) != admitted {
		t.Error("charged twice")
	}
	now := x.owner(x.a.ID)
	now.Drain = new(time.Duration(0))
	must(x.r.WithdrawPrefix(ctx, now, p.ID))(t)
	if b := x.route(p.ID); b.DownAt != nil {
		t.Errorf("at once: %+v", b)
	}
	if n := x.get(p.ID).Negative; len(n) != 1 || n[0].DownAt != nil {
		t.Errorf("at once, the owner's intent: %+v", n)
	}
	if c := x.gate.last(); len(c.Effects) != 0 {
		t.Errorf("charged again: %+v", c.Effects)
	}
	must(x.r.AdvertisePrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	must(x.r.AdvertisePrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	if d := x.get(p.ID); !d.BGP[0].Advertised || d.BGP[0].DownAt != nil || len(d.Negative) != 0 {
		t.Errorf("advertised again: %+v, down on purpose %+v", d.BGP[0], d.Negative)
	}
}

// TestDrainWaitIsBounded: absurd waits are refused, not cut.
func TestDrainWaitIsBounded(t *testing.T) {
	x := drainRig(t)
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	for _, wait := range []time.Duration{-time.Second, addressing.MaxDrainWait + 1} {
		req := x.operator()
		req.Drain = &wait
		if _, _, err := x.r.WithdrawPrefix(t.Context(), req, p.ID); code(err) != addressing.CodeInvalid {
			t.Errorf("%s: %v", wait, err)
		}
	}
}

// TestUndoOfADrain: undoing a withdrawal leaves the route as it was.
func TestUndoOfADrain(t *testing.T) {
	x := drainRig(t)
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	_, c, err := x.r.WithdrawPrefix(t.Context(), x.operator(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.r.Undo(t.Context(), x.operator(), c.ID); err != nil {
		t.Fatal(err)
	}
	if b := x.route(p.ID); !b.Advertised || b.DownAt != nil {
		t.Errorf("undone: %+v", b)
	}
}
