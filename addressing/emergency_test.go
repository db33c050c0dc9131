package addressing_test

import (
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func (x *rig) urgent() addressing.Request {
	req := x.operator()
	req.Reason, req.Incident = "hijacked host", "INC-1"
	return req
}

// An emergency withdrawal takes exactly the routes named down, tells the gate
// whose it is, and is overridden by nothing but its name (invariant 15).
func TestEmergencyWithdraw(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p, other := x.advertised(x.a.ID, "11.0.0.0/24"), x.advertised(x.a.ID, "11.0.1.0/24")
	done, change, err := x.r.EmergencyWithdraw(ctx, x.urgent(), []netip.Prefix{p.BGP[0].CIDR})
	if err != nil {
		t.Fatal(err)
	}
	if change.Verb != addressing.VerbEmergency || change.Incident != "INC-1" || len(change.Losses()) != 1 || change.Losses()[0].CIDR != p.BGP[0].CIDR {
		t.Errorf("the gate was told %+v", change)
	}
	if len(done) != 1 || done[0].Kind != addressing.IntentEmergency || done[0].Reason != "INC-1: hijacked host" {
		t.Errorf("intents %+v", done)
	}
	if !x.get(p.ID).BGP[0].Advertised || len(x.get(other.ID).Negative) != 0 {
		t.Error("what is desired, or another prefix, was touched")
	}
	// Again: it is down already.
	again, change, err := x.r.EmergencyWithdraw(ctx, x.urgent(), []netip.Prefix{p.BGP[0].CIDR})
	if err != nil || change.ID != "" || again[0].ID != done[0].ID {
		t.Errorf("a second time: %+v %+v %v", again, change, err)
	}
	// A restore of everything, and advertising, leave it down.
	x.restore(x.state())
	if got := x.intents(); len(got) != 1 {
		t.Fatalf("intents after a restore: %+v", got)
	}
	_, _, err = x.r.AdvertisePrefix(ctx, x.owner(x.a.ID), p.ID)
	wantCode(t, err, addressing.CodeConflict)
	// By name it is lifted, and what was desired is effective again.
	_, change, err = x.r.UnblockPrefix(ctx, x.operator(), p.ID, done[0].ID)
	if err != nil || !change.Gains() {
		t.Errorf("lifted: %+v %v", change, err)
	}
}

// The intents of a withdrawal without the database keep their ids, so that the
// snapshot that has them and desired state mean the same.
func TestEmergencyWithdrawGiven(t *testing.T) {
	x := newRig(t)
	p := x.advertised(x.a.ID, "11.0.0.0/24")
	given := addressing.NegativeIntent{ID: "0123456789abcdef0123456789abcdef", CIDR: p.CIDR, Kind: addressing.IntentEmergency, Author: "operator/uid:0", Reason: "r", CreatedAt: epoch}
	if _, _, err := x.r.EmergencyWithdraw(t.Context(), x.urgent(), []netip.Prefix{p.CIDR}, given); err != nil {
		t.Fatal(err)
	}
	if got := x.intents(); len(got) != 1 || got[0].ID != given.ID || got[0].AccountID != x.a.ID {
		t.Errorf("intents %+v", got)
	}
}

func TestEmergencyWithdrawRefused(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/24")
	without := func(change func(*addressing.Request)) addressing.Request {
		req := x.urgent()
		change(&req)
		return req
	}
	system := x.system()
	system.Reason, system.Incident = "r", "I"
	owner := x.owner(x.a.ID)
	owner.Reason, owner.Incident = "r", "I"
	for name, c := range map[string]struct {
		req   addressing.Request
		cidrs []netip.Prefix
		want  addressing.Code
	}{
		"nothing named": {x.urgent(), nil, addressing.CodeInvalid},
		"no reason":     {without(func(r *addressing.Request) { r.Reason = "" }), []netip.Prefix{p.CIDR}, addressing.CodeInvalid},
		"no incident":   {without(func(r *addressing.Request) { r.Incident = "" }), []netip.Prefix{p.CIDR}, addressing.CodeInvalid},
		"a task":        {system, []netip.Prefix{p.CIDR}, addressing.CodeForbidden},
		"an owner":      {owner, []netip.Prefix{p.CIDR}, addressing.CodeForbidden},
		"a cover":       {x.urgent(), []netip.Prefix{pfx("11.0.0.0/16")}, addressing.CodeNotFound},
		"a part":        {x.urgent(), []netip.Prefix{pfx("11.0.0.0/25")}, addressing.CodeNotFound},
		"one unknown":   {x.urgent(), []netip.Prefix{p.CIDR, pfx("12.0.0.0/24")}, addressing.CodeNotFound},
		"no prefix":     {x.urgent(), []netip.Prefix{{}}, addressing.CodeInvalid},
	} {
		_, _, err := x.r.EmergencyWithdraw(ctx, c.req, c.cidrs)
		if addressing.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if got := x.intents(); len(got) != 0 {
		t.Errorf("refused, and still there: %+v", got)
	}
}

// Change finds what undo is asked about, in its account's scope alone.
func TestChange(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/24")
	_, change, err := x.r.WithdrawPrefix(ctx, x.operator(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.r.Change(ctx, addressing.OneAccount(x.a.ID), change.ID)
	if err != nil || got.Verb != "prefix.withdraw" || len(got.Effects) != 1 {
		t.Errorf("%+v %v", got, err)
	}
	for _, s := range []addressing.Scope{{}, addressing.OneAccount(x.b.ID)} {
		_, err := x.r.Change(ctx, s, change.ID)
		wantCode(t, err, addressing.CodeNotFound)
	}
}
