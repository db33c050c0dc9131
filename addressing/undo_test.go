package addressing_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TestUndo: do, undo, and desired state means the same as before.
func TestUndo(t *testing.T) {
	for name, change := range map[string]func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error){
		"create prefix": func(x *rig, _ addressing.PrefixDetail) (addressing.ChangeSet, error) {
			_, c, err := x.r.CreatePrefix(x.t.Context(), x.owner(x.a.ID), addressing.NewPrefix{AccountID: x.a.ID, CIDR: pfx("13.0.0.0/24"), ASN: 64500})
			return c, err
		},
		"edit prefix": func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error) {
			text := "new"
			_, c, err := x.r.EditPrefix(x.t.Context(), x.owner(x.a.ID), p.ID, addressing.PrefixPatch{SetDescription: true, Description: &text})
			return c, err
		},
		"operator's withdrawal": func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error) {
			_, c, err := x.r.WithdrawPrefix(x.t.Context(), x.operator(), p.ID)
			return c, err
		},
		"prepend": func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error) {
			two := 2
			_, c, err := x.r.EditBGPPrefix(x.t.Context(), x.owner(x.a.ID), p.ID, p.BGP[0].ID, addressing.BGPPrefixPatch{Prepend: &two})
			return c, err
		},
		"create route": func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error) {
			_, c, err := x.r.CreateBGPPrefix(x.t.Context(), x.owner(x.a.ID), p.ID, pfx("11.0.2.0/24"))
			return c, err
		},
		"bind": func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error) {
			_, c, err := x.r.CreateBinding(x.t.Context(), x.owner(x.a.ID), addressing.NewBinding{PrefixID: p.ID, CIDR: pfx("11.0.2.0/24"), ServiceID: x.service.ID})
			return c, err
		},
		"unbind": func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error) {
			return x.r.DeleteBinding(x.t.Context(), x.operator(), p.ID, p.Bindings[1].ID)
		},
		"delegate": func(x *rig, p addressing.PrefixDetail) (addressing.ChangeSet, error) {
			_, c, err := x.r.CreateDelegation(x.t.Context(), x.owner(x.a.ID), p.ID, p.CIDR, x.b.ID)
			return c, err
		},
		"delete a pending prefix": func(x *rig, _ addressing.PrefixDetail) (addressing.ChangeSet, error) {
			return x.r.DeletePrefix(x.t.Context(), x.owner(x.a.ID), x.state().Prefixes[1].ID)
		},
		"delete an approved prefix": func(x *rig, _ addressing.PrefixDetail) (addressing.ChangeSet, error) {
			return x.r.DeletePrefix(x.t.Context(), x.owner(x.b.ID), x.state().Prefixes[2].ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newRig(t)
			p := x.world2()
			before := x.state()
			c, err := change(x, p)
			if err != nil || c.ID == "" {
				t.Fatal(c, err)
			}
			if cmp.Equal(meaning(before), meaning(x.state()), sameMeaning) && name != "delegate" {
				t.Fatal("the change changed nothing")
			}
			foreign := x.owner(x.b.ID)
			if name != "delete an approved prefix" {
				_, err = x.r.Undo(t.Context(), foreign, c.ID)
				wantCode(t, err, addressing.CodeNotFound)
			}
			_, err = x.r.Undo(t.Context(), x.system(), c.ID)
			wantCode(t, err, addressing.CodeForbidden)
			done(x.r.Undo(t.Context(), x.operator(), c.ID))(t)
			if d := cmp.Diff(meaning(before), meaning(x.state()), sameMeaning); d != "" {
				t.Errorf("undone (-before +after):\n%s", d)
			}
			_, err = x.r.Undo(t.Context(), x.operator(), c.ID)
			if addressing.CodeOf(err) != addressing.CodeConflict {
				t.Errorf("undone twice: %v", err)
			}
		})
	}
}

// world2 is world's first prefix, a pending one and one that is ready to be
// deleted.
func (x *rig) world2() addressing.PrefixDetail {
	x.t.Helper()
	ctx := x.t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	must(x.r.CreateBinding(ctx, x.owner(x.a.ID), addressing.NewBinding{PrefixID: p.ID, CIDR: pfx("11.0.1.0/24"), ServiceID: x.service.ID}))(x.t)
	x.pending(x.a.ID, "12.0.0.0/22")
	x.approved(x.b.ID, "12.0.4.0/22")
	return x.get(p.ID)
}

// TestUndoLiftsNothingUnnamed is invariant 15.
func TestUndoLiftsNothingUnnamed(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	_, c, err := x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	before := x.state()
	_, err = x.r.Undo(ctx, x.operator(), c.ID)
	wantCode(t, err, addressing.CodeConflict)
	x.sameState(before)
	all := x.records()
	i := slices.IndexFunc(all, func(a addressing.AuditRecord) bool { return a.Verb == "prefix.approve" })
	_, err = x.r.Undo(ctx, x.owner(x.a.ID), all[i].ChangeID) // an operator's
	wantCode(t, err, addressing.CodeForbidden)
	named := x.operator()
	named.Lift = []string{x.intents()[0].ID}
	done(x.r.Undo(ctx, named, c.ID))(t)
	if !x.get(p.ID).BGP[0].Advertised || len(x.intents()) != 0 {
		t.Error("named, but not lifted")
	}
	// Over later work nothing is undone.
	_, c, err = x.r.WithdrawPrefix(ctx, x.operator(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	must(x.r.AdvertisePrefix(ctx, x.operator(), p.ID))(t)
	_, err = x.r.Undo(ctx, x.operator(), c.ID)
	wantCode(t, err, addressing.CodeConflict)
	// Accounts, services and tokens have no inverse here.
	_, c, err = x.r.CreateAccount(ctx, x.operator(), addressing.NewAccount{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.r.Undo(ctx, x.operator(), c.ID)
	wantCode(t, err, addressing.CodeConflict)
	// What was only noted changed nothing that could be taken back.
	if err := x.r.Note(ctx, because(x), "rollout.begin", []string{p.ID}); err != nil {
		t.Fatal(err)
	}
	all = x.records()
	i = slices.IndexFunc(all, func(a addressing.AuditRecord) bool { return a.Verb == "rollout.begin" })
	_, err = x.r.Undo(ctx, x.operator(), all[i].ChangeID)
	wantCode(t, err, addressing.CodeConflict)
	_, err = x.r.Undo(ctx, x.operator(), "no such change")
	wantCode(t, err, addressing.CodeNotFound)
}

// A negative intent that a change made is lifted with it once an operator names
// it: drains, blocks and emergencies are undone like everything else.
func TestUndoLiftsWhatIsNamed(t *testing.T) {
	for name, change := range map[string]func(x *rig, p addressing.PrefixDetail) (string, addressing.ChangeSet, error){
		"block": func(x *rig, p addressing.PrefixDetail) (string, addressing.ChangeSet, error) {
			n, c, err := x.r.BlockPrefix(x.t.Context(), because(x), p.ID, nil)
			return n.ID, c, err
		},
		"emergency": func(x *rig, p addressing.PrefixDetail) (string, addressing.ChangeSet, error) {
			req := because(x)
			req.Incident = "INC-1"
			n, c, err := x.r.EmergencyWithdraw(x.t.Context(), req, []netip.Prefix{p.CIDR})
			return n[0].ID, c, err
		},
		"site drain": func(x *rig, _ addressing.PrefixDetail) (string, addressing.ChangeSet, error) {
			n, _, c, err := x.r.Drain(x.t.Context(), because(x), addressing.DrainSpec{Site: "ams", Sites: []string{"ams", "fra"}})
			return n.ID, c, err
		},
		"neighbor shutdown": func(x *rig, _ addressing.PrefixDetail) (string, addressing.ChangeSet, error) {
			n, _, c, err := x.r.Drain(x.t.Context(), because(x), addressing.DrainSpec{Site: "ams", Neighbor: "r1", Sites: []string{"ams", "fra"}, Covered: true, Shutdown: true})
			return n.ID, c, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newRig(t)
			p := x.advertised(x.a.ID, "11.0.0.0/22")
			before := x.state()
			id, c, err := change(x, p)
			if err != nil || len(x.intents()) != 1 {
				t.Fatal(x.intents(), err)
			}
			for _, unnamed := range []addressing.Request{because(x), x.owner(x.a.ID)} {
				if _, err := x.r.Undo(t.Context(), unnamed, c.ID); err == nil || len(x.intents()) != 1 {
					t.Fatalf("undone without a name by %s", unnamed.Actor.Kind)
				}
			}
			req := because(x)
			req.Lift = []string{id}
			done(x.r.Undo(t.Context(), req, c.ID))(t)
			if d := cmp.Diff(meaning(before), meaning(x.state()), sameMeaning); d != "" {
				t.Errorf("undone (-before +after):\n%s", d)
			}
		})
	}
}

// Undoing what put a site back into service is a drain, and is asked for as one.
func TestUndoDrainsNothing(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	spec := addressing.DrainSpec{Site: "ams", Sites: []string{"ams", "fra"}}
	if _, _, _, err := x.r.Drain(ctx, because(x), spec); err != nil {
		t.Fatal(err)
	}
	c, err := x.r.Undrain(ctx, because(x), spec)
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.r.Undo(ctx, because(x), c.ID)
	wantCode(t, err, addressing.CodeConflict)
	if len(x.intents()) != 0 {
		t.Error("drained")
	}
}

func because(x *rig) addressing.Request {
	req := x.operator()
	req.Reason = "a test"
	return req
}
