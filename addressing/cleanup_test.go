package addressing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TestCleanupFedTheFullList is requirement ADR-04: 4,306 active prefixes and
// five pending deletions that are due; the list holds them all. Nothing goes.
func TestCleanupFedTheFullList(t *testing.T) {
	x, ctx := emptyRig(t), t.Context()
	const active, pending = 4306, 5
	want := table(active + pending)
	must(x.r.Restore(ctx, addressing.RestoreRequest{Request: x.operator(), Want: want}))(t)
	var due, all []string
	for i, p := range want.Prefixes {
		all = append(all, p.ID)
		if i < active {
			continue
		}
		must(x.r.WithdrawPrefix(ctx, x.operator(), p.ID))(t)
		done(x.r.DeleteBinding(ctx, x.operator(), p.ID, want.Bindings[i].ID))(t)
		done(x.r.DeletePrefix(ctx, x.operator(), p.ID))(t)
		due = append(due, p.ID)
	}
	list, err := x.r.PendingDeletions(ctx, addressing.EveryAccount())
	if err != nil || len(list) != pending {
		t.Fatalf("%d pending deletions (%v), want exactly %d", len(list), err, pending)
	}
	x.now = x.now.Add(25 * time.Hour)
	on := addressing.CleanupOptions{Enabled: true, Apply: true}
	before := x.state()

	if _, err := x.r.Cleanup(ctx, x.system(), due, addressing.CleanupOptions{Apply: true}); addressing.CodeOf(err) != addressing.CodeRefused {
		t.Errorf("the worker is off, and ran: %v", err)
	}
	plan, err := x.r.Cleanup(ctx, x.system(), all, on)
	if err != nil || plan.Refused == "" || plan.Listed != active+pending || len(plan.Kept) != active || !strings.Contains(plan.Refused, "4306 of 4311") {
		t.Errorf("plan for the full list: listed %d, expire %d, kept %d, refused %q, error %v", plan.Listed, len(plan.Expire), len(plan.Kept), plan.Refused, err)
	}
	x.sameState(before)
	dry, err := x.r.Cleanup(ctx, x.system(), due, addressing.CleanupOptions{Enabled: true})
	if err != nil || !cmp.Equal(dry.Expire, due) {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	x.sameState(before)

	plan, err = x.r.Cleanup(ctx, x.system(), due, on)
	if err != nil || !cmp.Equal(plan.Expire, due) || plan.Refused != "" {
		t.Errorf("plan for what is due: %+v, %v", plan, err)
	}
	after := x.state()
	if len(after.Prefixes) != active || len(after.BGPPrefixes) != active {
		t.Errorf("%d prefixes left, want %d", len(after.Prefixes), active)
	}
	again, err := x.r.Cleanup(ctx, x.system(), due, on)
	if err != nil || len(again.Expire) != 0 || len(again.Kept) != pending {
		t.Errorf("run again: %+v, %v", again, err)
	}
}

// TestDeleteEveryActivePrefix is requirement ADR-03: the loop of per-prefix
// deletes of 20 February, with every token there is. 4,306 refusals.
func TestDeleteEveryActivePrefix(t *testing.T) {
	x, ctx := emptyRig(t), t.Context()
	want := table(4306)
	must(x.r.Restore(ctx, addressing.RestoreRequest{Request: x.operator(), Want: want}))(t)
	before := x.state()
	refused := 0
	for i, p := range want.Prefixes {
		req := []addressing.Request{x.operator(), x.system(), x.owner(p.AccountID)}[i%3]
		if _, err := x.r.DeletePrefix(ctx, req, p.ID); addressing.CodeOf(err) == addressing.CodeConflict {
			refused++
		}
		if _, err := x.r.DeleteBinding(ctx, req, p.ID, want.Bindings[i].ID); addressing.CodeOf(err) != addressing.CodeConflict {
			t.Fatalf("the last binding of %s: %v", p.CIDR, err)
		}
	}
	if refused != 4306 {
		t.Errorf("%d refusals", refused)
	}
	x.sameState(before)
}

func TestPlanCleanup(t *testing.T) {
	past, future := epoch.Add(-time.Second), epoch.Add(time.Second)
	doomed := func(id string) addressing.PrefixDetail {
		return addressing.PrefixDetail{Prefix: addressing.Prefix{ID: id, State: addressing.PendingDelete, DeleteAfter: &past}}
	}
	in := func(change func(*addressing.PrefixDetail)) addressing.PrefixDetail {
		d := doomed("x")
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		d       addressing.PrefixDetail
		expires bool
		refused bool
	}{
		"due":          {doomed("x"), true, false},
		"gone":         {addressing.PrefixDetail{}, false, false},
		"not yet":      {in(func(d *addressing.PrefixDetail) { d.DeleteAfter = &future }), false, false},
		"no time":      {in(func(d *addressing.PrefixDetail) { d.DeleteAfter = nil }), false, false},
		"expired":      {in(func(d *addressing.PrefixDetail) { d.State = addressing.Tombstone }), false, false},
		"undeleted":    {in(func(d *addressing.PrefixDetail) { d.State = addressing.Approved }), false, true},
		"pending":      {in(func(d *addressing.PrefixDetail) { d.State = addressing.Pending }), false, true},
		"no state":     {in(func(d *addressing.PrefixDetail) { d.State = "" }), false, true},
		"advertised":   {in(func(d *addressing.PrefixDetail) { d.BGP = []addressing.BGPPrefix{{Advertised: true}} }), false, true},
		"still bound":  {in(func(d *addressing.PrefixDetail) { d.Bindings = []addressing.Binding{{}} }), false, true},
		"withdrawn ok": {in(func(d *addressing.PrefixDetail) { d.BGP = []addressing.BGPPrefix{{}} }), true, false},
	} {
		plan := addressing.PlanCleanup([]string{"x"}, []addressing.PrefixDetail{c.d}, epoch, addressing.CleanupOptions{})
		if (len(plan.Expire) == 1) != c.expires || (plan.Refused != "") != c.refused || len(plan.Expire)+len(plan.Kept) != 1 {
			t.Errorf("%s: %+v", name, plan)
		}
	}
	many := make([]addressing.PrefixDetail, 11)
	ids := make([]string, 11)
	for i := range many {
		many[i], ids[i] = doomed(id(5, i)), id(5, i)
	}
	if plan := addressing.PlanCleanup(ids, many, epoch, addressing.CleanupOptions{}); !plan.OverCap || plan.Refused == "" {
		t.Errorf("11 deletions passed a cap of 10: %+v", plan)
	}
	if plan := addressing.PlanCleanup(ids, many, epoch, addressing.CleanupOptions{Approved: 11}); plan.OverCap || plan.Refused != "" {
		t.Errorf("11 approved deletions were refused: %+v", plan)
	}
	if plan := addressing.PlanCleanup(ids, nil, epoch, addressing.CleanupOptions{}); len(plan.Expire) != 0 {
		t.Errorf("objects that were never read expire: %+v", plan)
	}
}

func TestExpireAndPurge(t *testing.T) {
	x, ctx := newRig(t), context.Background()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	_, err := x.r.ExpirePrefix(ctx, x.system(), p.ID)
	wantCode(t, err, addressing.CodeConflict)
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	done(x.r.DeleteBinding(ctx, x.owner(x.a.ID), p.ID, p.Bindings[0].ID))(t)
	done(x.r.DeletePrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	_, err = x.r.ExpirePrefix(ctx, x.system(), p.ID)
	wantCode(t, err, addressing.CodeConflict) // within its grace time
	x.now = x.now.Add(24 * time.Hour)
	done(x.r.ExpirePrefix(ctx, x.system(), p.ID))(t)
	if all, err := x.r.Tombstones(ctx, addressing.OneAccount(x.a.ID)); err != nil || len(all) != 1 {
		t.Errorf("tombstones: %d, %v", len(all), err)
	}
	_, _, err = x.r.CreatePrefix(ctx, x.owner(x.b.ID), addressing.NewPrefix{AccountID: x.b.ID, CIDR: p.CIDR, ASN: 64500})
	wantCode(t, err, addressing.CodeConflict) // until it is purged
	_, err = x.r.PurgePrefix(ctx, x.system(), p.ID, x.now.Add(-time.Hour))
	wantCode(t, err, addressing.CodeConflict)
	_, err = x.r.PurgePrefix(ctx, x.owner(x.b.ID), p.ID, x.now.Add(time.Hour))
	wantCode(t, err, addressing.CodeNotFound)
	done(x.r.PurgePrefix(ctx, x.system(), p.ID, x.now.Add(time.Hour)))(t)
	if n := x.intents(); len(n) != 0 {
		t.Errorf("the former owner's intents are left: %+v", n)
	}
	x.pending(x.b.ID, "11.0.0.0/22")
}

func TestRotation(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	old, oldSecret := x.token(addressing.NewToken{Name: "ci", AccountID: x.a.ID, Role: addressing.RoleAdmin})
	retire := func() error {
		_, err := x.r.RetireToken(ctx, x.operator(), old.ID, time.Hour)
		return err
	}
	use := func(id string) {
		t.Helper()
		if err := x.r.TouchToken(ctx, id, x.now); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, retire(), addressing.CodeConflict) // nothing replaces it
	_, _, _, err := x.r.RotateToken(ctx, x.owner(x.a.ID), old.ID)
	wantCode(t, err, addressing.CodeForbidden)
	next, secret, _, err := x.r.RotateToken(ctx, x.operator(), old.ID)
	if err != nil || secret == oldSecret || next.Replaces != old.ID || next.Role != old.Role || next.AccountID != old.AccountID {
		t.Fatalf("rotated: %+v, %v", next, err)
	}
	wantCode(t, retire(), addressing.CodeConflict) // the new one is not in use
	use(old.ID)
	x.now = x.now.Add(30 * time.Minute)
	use(next.ID)
	wantCode(t, retire(), addressing.CodeConflict) // the old one still was
	x.now = x.now.Add(time.Hour)
	if err := retire(); err != nil {
		t.Error(err)
	}
	_, err = x.r.Authenticate(ctx, addressing.HashToken(oldSecret), anyAddr, x.now)
	wantCode(t, err, addressing.CodeUnauthenticated)
	if _, err := x.r.Authenticate(ctx, addressing.HashToken(secret), anyAddr, x.now); err != nil {
		t.Error(err)
	}
	_, _, _, err = x.r.RotateToken(ctx, x.operator(), old.ID)
	wantCode(t, err, addressing.CodeConflict)
}
