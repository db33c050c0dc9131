package addressing_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func (x *rig) restore(want addressing.State) addressing.Restored {
	x.t.Helper()
	return must(x.r.Restore(x.t.Context(), addressing.RestoreRequest{Request: x.operator(), Want: want}))(x.t)
}

// meaning strips a state of what a restore may move: versions and times.
func meaning(s addressing.State) addressing.State {
	s.Version = 0
	return s
}

var sameMeaning = cmp.Options{equate,
	cmpopts.IgnoreFields(addressing.Prefix{}, "Version", "ModifiedAt"),
	cmpopts.IgnoreFields(addressing.BGPPrefix{}, "Version", "ModifiedAt", "AdvertisedModifiedAt"),
}

// world is three prefixes of two accounts with an upgrade and a more-specific.
func (x *rig) world() []addressing.PrefixDetail {
	x.t.Helper()
	ctx := x.t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	more := must(x.r.CreateBGPPrefix(ctx, x.owner(x.a.ID), p.ID, pfx("11.0.1.0/24")))(x.t)
	must(x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, more.ID, toggle(true)))(x.t)
	must(x.r.CreateBinding(ctx, x.owner(x.a.ID), addressing.NewBinding{PrefixID: p.ID, CIDR: pfx("11.0.1.0/24"), ServiceID: x.service.ID}))(x.t)
	return []addressing.PrefixDetail{x.get(p.ID), x.advertised(x.a.ID, "12.0.0.0/22"), x.advertised(x.b.ID, "2a00::/32")}
}

// wreck does what 20 February did: it withdraws, unbinds and deletes.
func (x *rig) wreck(all []addressing.PrefixDetail) {
	x.t.Helper()
	ctx := x.t.Context()
	for _, p := range all {
		must(x.r.WithdrawPrefix(ctx, x.operator(), p.ID))(x.t)
		for _, b := range slices.Backward(p.Bindings) {
			done(x.r.DeleteBinding(ctx, x.operator(), p.ID, b.ID))(x.t)
		}
		done(x.r.DeletePrefix(ctx, x.operator(), p.ID))(x.t)
	}
}

// TestRestoreAfterWreck: bindings, routes and prefixes come back with their
// ids, in one change that the gate sees as gains only.
func TestRestoreAfterWreck(t *testing.T) {
	x := newRig(t)
	all := x.world()
	before := x.state()
	x.wreck(all)
	got := x.restore(before)
	if d := cmp.Diff(meaning(before), meaning(x.state()), sameMeaning); d != "" {
		t.Errorf("restored (-before +after):\n%s", d)
	}
	if want := (addressing.Restored{Created: 4, Changed: 3 + 4, Advertised: 4}); !cmp.Equal(want, got, equate) {
		t.Errorf("restored %+v, want %+v", got, want)
	}
	if c := x.gate.last(); !c.Gains() || len(c.Effects) != 4 {
		t.Errorf("effects %s", effects(c))
	}
	if n, err := x.r.VerifyAudit(t.Context()); err != nil {
		t.Errorf("audit: %d, %v", n, err)
	}
	again := x.restore(before)
	if !cmp.Equal(addressing.Restored{}, again, equate) {
		t.Errorf("restoring twice: %+v", again)
	}
}

// TestRestoreLostDatabase: everything comes back into an empty store, what was
// down on purpose stays down, and tokens work again.
func TestRestoreLostDatabase(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	all := x.world()
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), all[1].ID))(t)
	x.block(all[2].ID, nil)
	k, secret := x.token(addressing.NewToken{AccountID: x.a.ID, Role: addressing.RoleAdmin})
	before := x.state()

	y := emptyRig(t) // an account of the same name, with another id
	must(y.r.CreateService(ctx, y.operator(), addressing.NewService{Name: "other"}))(t)
	must(y.r.CreateAccount(ctx, y.operator(), addressing.NewAccount{Name: "a"}))(t)
	_, _, err := y.r.Restore(ctx, addressing.RestoreRequest{Request: y.operator(), Want: before})
	wantCode(t, err, addressing.CodeConflict) // names are taken: refused whole, not half done
	if st := y.state(); len(st.Prefixes) != 0 || len(st.Accounts) != 1 {
		t.Errorf("half a restore was kept: %+v", st)
	}

	z := emptyRig(t)
	got := must(z.r.Restore(ctx, addressing.RestoreRequest{Request: z.operator(), Want: before, Tokens: []addressing.TokenRecord{k}}))(t)
	if d := cmp.Diff(meaning(before), meaning(z.state()), sameMeaning); d != "" {
		t.Errorf("restored (-before +after):\n%s", d)
	}
	if got.Advertised != 3 || len(got.Kept) != 1 {
		t.Errorf("restored %+v", got)
	}
	if e := effects(z.gate.last()); e != "[gained 11.0.0.0/22 gained 11.0.1.0/24]" {
		t.Errorf("effects %s", e)
	}
	if _, err := z.r.Authenticate(ctx, addressing.HashToken(secret), anyAddr, z.now); err != nil {
		t.Errorf("token after the restore: %v", err)
	}
}

// TestRestoreKeepsNegativeIntents is invariant 15.
func TestRestoreKeepsNegativeIntents(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	q := x.advertised(x.a.ID, "12.0.0.0/22")
	before := x.state()
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	must(x.r.WithdrawPrefix(ctx, x.operator(), q.ID))(t)
	got := x.restore(before)
	if x.get(p.ID).BGP[0].Advertised || !x.get(q.ID).BGP[0].Advertised || got.Advertised != 1 || len(got.Kept) != 1 || got.Kept[0] != x.intents()[0].ID {
		t.Errorf("restored %+v", got)
	}
}

// TestRestoreAddsOnly: without Withdraw nothing goes down (invariant 16), and
// what the older state does not know is left alone.
func TestRestoreAddsOnly(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.bound(x.a.ID, "11.0.0.0/22")
	before := x.state()
	must(x.r.AdvertisePrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	newer := x.advertised(x.a.ID, "12.0.0.0/22")
	x.restore(before)
	if !x.get(p.ID).BGP[0].Advertised || !x.get(newer.ID).BGP[0].Advertised {
		t.Error("a restore withdrew")
	}
	req := addressing.RestoreRequest{Request: x.system(), Want: before, Withdraw: true}
	_, _, err := x.r.Restore(ctx, req)
	wantCode(t, err, addressing.CodeForbidden)
	req.Request = x.owner(x.a.ID)
	_, _, err = x.r.Restore(ctx, req)
	wantCode(t, err, addressing.CodeForbidden)
	req.Request = x.operator()
	got := must(x.r.Restore(ctx, req))(t)
	if x.get(p.ID).BGP[0].Advertised || !x.get(newer.ID).BGP[0].Advertised || got.Withdrawn != 1 {
		t.Errorf("restored %+v", got)
	}
	if e := effects(x.gate.last()); e != "[lost 11.0.0.0/22]" {
		t.Errorf("the gate saw %s", e)
	}
}

// TestRestoreScopeAndPlacesTaken: one account's restore touches no other, and
// never takes the place of something newer.
func TestRestoreScopeAndPlacesTaken(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	q := x.advertised(x.b.ID, "12.0.0.0/22")
	before := x.state()
	x.wreck([]addressing.PrefixDetail{p, q})
	req := addressing.RestoreRequest{Request: x.operator(), Want: before}
	req.Scope = addressing.OneAccount(x.a.ID)
	must(x.r.Restore(ctx, req))(t)
	if !x.get(p.ID).BGP[0].Advertised {
		t.Error("the account in scope was not restored")
	}
	if _, err := x.r.Prefix(ctx, addressing.EveryAccount(), q.ID); addressing.CodeOf(err) != addressing.CodeNotFound {
		t.Errorf("an account out of scope was restored: %v", err)
	}
	req.Scope = addressing.Scope{}
	got := must(x.r.Restore(ctx, req))(t)
	if !cmp.Equal(addressing.Restored{}, got, equate) {
		t.Errorf("the zero scope restored %+v", got)
	}
	newer := x.advertised(x.b.ID, "12.0.0.0/22") // takes q's place: q is a tombstone
	got = x.restore(before)
	if !slices.Contains(got.Skipped, q.ID) || x.get(newer.ID).State != addressing.Approved {
		t.Errorf("restored %+v", got)
	}
}
