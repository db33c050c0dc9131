package addressing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func (x *rig) intents() []addressing.NegativeIntent {
	x.t.Helper()
	all, err := x.r.NegativeIntents(x.t.Context(), addressing.EveryAccount())
	if err != nil {
		x.t.Fatal(err)
	}
	return all
}

func (x *rig) block(id string, expires *time.Time) addressing.NegativeIntent {
	x.t.Helper()
	req := x.operator()
	req.Reason = "abuse, case 7"
	return must(x.r.BlockPrefix(x.t.Context(), req, id, expires))(x.t)
}

func TestBlocks(t *testing.T) {
	at := epoch
	for _, c := range []struct {
		kind         addressing.IntentKind
		intent, cidr string
		want         bool
	}{
		{addressing.IntentBlock, "11.0.0.0/22", "11.0.0.0/22", true},
		{addressing.IntentBlock, "11.0.0.0/22", "11.0.1.0/24", true},
		{addressing.IntentBlock, "11.0.1.0/24", "11.0.0.0/22", false},
		{addressing.IntentBlock, "11.0.0.0/22", "11.0.4.0/24", false},
		{addressing.IntentOwner, "11.0.0.0/22", "11.0.0.0/22", true},
		{addressing.IntentOwner, "11.0.0.0/22", "11.0.1.0/24", false},
		{addressing.IntentEmergency, "2a00::/32", "2a00::/32", true},
		{addressing.IntentEmergency, "2a00::/32", "2a00::/48", false},
	} {
		n := addressing.NegativeIntent{Kind: c.kind, CIDR: pfx(c.intent)}
		if got := n.Blocks(pfx(c.cidr)); got != c.want {
			t.Errorf("%s %s blocks %s: %v", c.kind, c.intent, c.cidr, got)
		}
	}
	site := addressing.NegativeIntent{Kind: addressing.IntentDrain, Site: "ams", ExpiresAt: &at}
	if site.Blocks(pfx("11.0.0.0/22")) || site.InForce(at) || !site.InForce(at.Add(-1)) {
		t.Error("a site's intent blocks a route, or outlives its time")
	}
}

// TestOwnWithdrawal: an owner's own withdrawal stays down until it advertises
// again (invariant 15); an operator's is no intent.
func TestOwnWithdrawal(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	g := p.BGP[0]

	must(x.r.EditBGPPrefix(ctx, x.operator(), p.ID, g.ID, toggle(false)))(t)
	must(x.r.EditBGPPrefix(ctx, x.system(), p.ID, g.ID, toggle(true)))(t)
	must(x.r.EditBGPPrefix(ctx, x.system(), p.ID, g.ID, toggle(false)))(t)
	must(x.r.EditBGPPrefix(ctx, x.operator(), p.ID, g.ID, toggle(true)))(t)
	if n := x.intents(); len(n) != 0 {
		t.Fatalf("operators and tasks left intents: %+v", n)
	}

	req := x.owner(x.a.ID)
	req.Reason = "moving to another network"
	must(x.r.EditBGPPrefix(ctx, req, p.ID, g.ID, toggle(false)))(t)
	all := x.intents()
	if len(all) != 1 || all[0].Kind != addressing.IntentOwner || all[0].CIDR != g.CIDR || all[0].AccountID != x.a.ID || all[0].Reason != req.Reason || all[0].Author != req.Actor.Key() {
		t.Fatalf("intents: %+v", all)
	}
	for _, other := range []addressing.Request{x.operator(), x.system()} {
		_, _, err := x.r.EditBGPPrefix(ctx, other, p.ID, g.ID, toggle(true))
		wantCode(t, err, addressing.CodeConflict)
		var e *addressing.Error
		if !errors.As(err, &e) || !strings.Contains(e.Detail, all[0].ID) || !strings.Contains(e.Detail, req.Reason) || e.Next == "" {
			t.Errorf("the refusal does not name the intent: %+v", e)
		}
	}
	named := x.system()
	named.Lift = []string{all[0].ID}
	_, _, err := x.r.EditBGPPrefix(ctx, named, p.ID, g.ID, toggle(true))
	wantCode(t, err, addressing.CodeConflict) // not even by name
	named = x.operator()
	named.Lift = []string{all[0].ID}
	must(x.r.EditBGPPrefix(ctx, named, p.ID, g.ID, toggle(true)))(t)
	if n := x.intents(); len(n) != 0 {
		t.Errorf("named, but still there: %+v", n)
	}

	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID))(t) // again: nothing to do
	if n := x.intents(); len(n) != 1 {
		t.Errorf("intents after two withdrawals: %+v", n)
	}
	must(x.r.AdvertisePrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	if n := x.intents(); len(n) != 0 || !x.get(p.ID).BGP[0].Advertised {
		t.Errorf("the owner's own re-advertising left %+v", n)
	}
}

// TestOwnWithdrawalOfCover: the more-specifics under it go on.
func TestOwnWithdrawalOfCover(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	more := must(x.r.CreateBGPPrefix(ctx, x.owner(x.a.ID), p.ID, pfx("11.0.1.0/24")))(t)
	must(x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, more.ID, toggle(true)))(t)
	must(x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, p.BGP[0].ID, toggle(false)))(t)
	if got := effects(x.gate.last()); got != "[lost 11.0.0.0/22]" {
		t.Errorf("effects %s", got)
	}
}

func TestBlock(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	g := p.BGP[0]
	_, _, err := x.r.BlockPrefix(ctx, x.operator(), p.ID, nil)
	wantCode(t, err, addressing.CodeInvalid) // without a reason
	past, later := epoch, x.now.Add(time.Hour)
	req := x.operator()
	req.Reason = "abuse"
	_, _, err = x.r.BlockPrefix(ctx, req, p.ID, &past)
	wantCode(t, err, addressing.CodeInvalid)

	n := x.block(p.ID, &later)
	if got := effects(x.gate.last()); got != "[lost 11.0.0.0/22]" {
		t.Errorf("blocking has effects %s", got)
	}
	if !x.get(p.ID).BGP[0].Advertised {
		t.Error("a block changed what is desired")
	}
	_, _, err = x.r.BlockPrefix(ctx, req, p.ID, nil)
	wantCode(t, err, addressing.CodeConflict)
	for name, req := range map[string]addressing.Request{"owner": x.owner(x.a.ID), "operator": x.operator()} {
		req.Lift = []string{n.ID} // only unblock lifts a block
		_, _, err := x.r.EditBGPPrefix(ctx, req, p.ID, g.ID, toggle(true))
		if addressing.CodeOf(err) != addressing.CodeConflict || !strings.Contains(err.Error(), n.ID) {
			t.Errorf("%s advertised a blocked prefix: %v", name, err)
		}
	}
	_, _, err = x.r.UnblockPrefix(ctx, x.operator(), p.ID, g.ID)
	wantCode(t, err, addressing.CodeNotFound)
	must(x.r.UnblockPrefix(ctx, x.operator(), p.ID, n.ID))(t)
	if got := effects(x.gate.last()); got != "[gained 11.0.0.0/22]" {
		t.Errorf("unblocking has effects %s", got)
	}

	// An expired block stops nothing.
	soon := x.now.Add(time.Minute)
	x.block(p.ID, &soon)
	x.now = x.now.Add(time.Hour)
	d := x.get(p.ID)
	if !d.Effective(d.BGP[0], x.now) || len(d.BlockedBy(g.CIDR, x.now)) != 0 {
		t.Error("an expired block is in force")
	}
	must(x.r.WithdrawPrefix(ctx, x.operator(), p.ID))(t)
	if got := effects(x.gate.last()); got != "[lost 11.0.0.0/22]" {
		t.Errorf("withdrawing after the block expired has effects %s", got)
	}
}

// TestProtected: system tasks never take first-party prefixes down.
func TestProtected(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	first := must(x.r.CreateAccount(ctx, x.operator(), addressing.NewAccount{Name: "ours", Kind: addressing.FirstParty}))(t)
	p := x.advertised(first.ID, "11.0.0.0/22")
	_, _, err := x.r.WithdrawPrefix(ctx, x.system(), p.ID)
	wantCode(t, err, addressing.CodeForbidden)
	must(x.r.WithdrawPrefix(ctx, x.operator(), p.ID))(t)
	_, err = x.r.DeleteBinding(ctx, x.system(), p.ID, p.Bindings[0].ID)
	wantCode(t, err, addressing.CodeForbidden)
	must(x.r.AdvertisePrefix(ctx, x.system(), p.ID))(t) // automation may add
}
