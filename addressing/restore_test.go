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

// ofOwner is what an owner may want of a state: its own part of it.
func ofOwner(s addressing.State, account string) addressing.State {
	mine := map[string]bool{}
	s.Services = nil
	s.Accounts = slices.DeleteFunc(slices.Clone(s.Accounts), func(a addressing.Account) bool { return a.ID != account })
	s.Prefixes = slices.DeleteFunc(slices.Clone(s.Prefixes), func(p addressing.Prefix) bool { return p.AccountID != account })
	for _, p := range s.Prefixes {
		mine[p.ID] = true
	}
	s.BGPPrefixes = slices.DeleteFunc(slices.Clone(s.BGPPrefixes), func(b addressing.BGPPrefix) bool { return !mine[b.PrefixID] })
	s.Bindings = slices.DeleteFunc(slices.Clone(s.Bindings), func(b addressing.Binding) bool { return !mine[b.PrefixID] })
	s.Negative = slices.DeleteFunc(slices.Clone(s.Negative), func(n addressing.NegativeIntent) bool { return n.AccountID != account })
	return s
}

// TestRestoreByOwner: an owner brings its own account back alone, bindings
// included; the other account stays as it was, and the change is the owner's.
func TestRestoreByOwner(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	all := x.world()
	before := x.state()
	x.wreck(all)
	wrecked := x.state()
	got := must(x.r.Restore(ctx, addressing.RestoreRequest{Request: x.owner(x.a.ID), Want: ofOwner(before, x.a.ID)}))(t)
	if d := cmp.Diff(meaning(ofOwner(before, x.a.ID)), meaning(ofOwner(x.state(), x.a.ID)), sameMeaning); d != "" {
		t.Errorf("restored (-before +after):\n%s", d)
	}
	if d := cmp.Diff(ofOwner(wrecked, x.b.ID), ofOwner(x.state(), x.b.ID), equate, cmpopts.IgnoreFields(addressing.State{}, "Version")); d != "" {
		t.Errorf("the other account moved:\n%s", d)
	}
	c := x.gate.last()
	if got.Advertised != 3 || !c.Gains() || c.Verb != addressing.VerbRestore || c.Actor.AccountID != x.a.ID {
		t.Errorf("restored %+v by %+v: %s", got, c.Actor, effects(c))
	}
	if rec, err := x.r.Change(ctx, addressing.OneAccount(x.a.ID), c.ID); err != nil || rec.AccountID != x.a.ID {
		t.Errorf("its owner does not find the change: %+v, %v", rec, err)
	}
}

// TestRestoreByOwnerIsItsOwn: nothing but its own account, and only more of it.
func TestRestoreByOwnerIsItsOwn(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	x.world()
	before := x.state()
	version := before.Version
	mine := func() addressing.RestoreRequest {
		return addressing.RestoreRequest{Request: x.owner(x.a.ID), Want: ofOwner(before, x.a.ID)}
	}
	for name, change := range map[string]func(*addressing.RestoreRequest){
		"withdraw":         func(q *addressing.RestoreRequest) { q.Withdraw = true },
		"everything":       func(q *addressing.RestoreRequest) { q.Want = before },
		"every account":    func(q *addressing.RestoreRequest) { q.Scope = addressing.EveryAccount() },
		"another account":  func(q *addressing.RestoreRequest) { q.Scope = addressing.OneAccount(x.b.ID) },
		"no account":       func(q *addressing.RestoreRequest) { q.Scope = addressing.Scope{} },
		"foreign prefixes": func(q *addressing.RestoreRequest) { q.Want.Prefixes = before.Prefixes },
		"foreign routes":   func(q *addressing.RestoreRequest) { q.Want.BGPPrefixes = before.BGPPrefixes },
		"foreign bindings": func(q *addressing.RestoreRequest) { q.Want.Bindings = before.Bindings },
		"foreign accounts": func(q *addressing.RestoreRequest) { q.Want.Accounts = before.Accounts },
		"services":         func(q *addressing.RestoreRequest) { q.Want.Services = before.Services },
		"tokens":           func(q *addressing.RestoreRequest) { q.Tokens = []addressing.TokenRecord{{ID: "x", AccountID: x.a.ID}} },
		"foreign intents": func(q *addressing.RestoreRequest) {
			q.Want.Negative = []addressing.NegativeIntent{{ID: "x", AccountID: x.b.ID, Kind: addressing.IntentBlock}}
		},
	} {
		q := mine()
		change(&q)
		if _, _, err := x.r.Restore(ctx, q); addressing.CodeOf(err) != addressing.CodeForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v := x.state().Version; v != version {
		t.Errorf("desired state moved from version %d to %d", version, v)
	}
}

// TestRestoreByOwnerOpensNoLock: what an operator locked, blocked or set, and
// what the owner took down itself, stays; a purged prefix is not approved anew.
func TestRestoreByOwnerOpensNoLock(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	locked, down, set := x.advertised(x.a.ID, "11.0.0.0/22"), x.advertised(x.a.ID, "12.0.0.0/22"), x.advertised(x.a.ID, "13.0.0.0/22")
	before := ofOwner(x.state(), x.a.ID)
	must(x.r.WithdrawPrefix(ctx, x.operator(), locked.ID))(t)
	yes := true
	must(x.r.EditPrefix(ctx, x.operator(), locked.ID, addressing.PrefixPatch{Locked: &yes}))(t)
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), down.ID))(t)
	resting := addressing.RestingWithdrawn
	must(x.r.EditBGPPrefix(ctx, x.operator(), set.ID, set.BGP[0].ID, addressing.BGPPrefixPatch{Resting: &resting}))(t)
	must(x.r.WithdrawPrefix(ctx, x.operator(), set.ID))(t)
	gone := before.Prefixes[0]
	gone.ID, gone.CIDR = "00000000000000000000000000000009", pfx("14.0.0.0/22")
	before.Prefixes = append(slices.Clone(before.Prefixes), gone)

	got := must(x.r.Restore(ctx, addressing.RestoreRequest{Request: x.owner(x.a.ID), Want: before}))(t)
	if got.Advertised != 1 || got.Created != 0 || len(got.Kept) != 1 || !slices.Contains(got.Skipped, locked.ID) || !slices.Contains(got.Skipped, gone.ID) {
		t.Errorf("restored %+v", got)
	}
	if x.get(locked.ID).BGP[0].Advertised || x.get(down.ID).BGP[0].Advertised {
		t.Error("a lock or the owner's own withdrawal was overridden")
	}
	if b := x.get(set.ID).BGP[0]; !b.Advertised || b.Resting != addressing.RestingWithdrawn {
		t.Errorf("the route that may come back: %+v", b)
	}
	if e := effects(x.gate.last()); e != "[gained 13.0.0.0/22]" {
		t.Errorf("the gate saw %s", e)
	}
}
