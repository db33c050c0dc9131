package addressing_test

import (
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func (x *rig) records() []addressing.AuditRecord {
	x.t.Helper()
	all, err := x.r.Audit(x.t.Context(), addressing.EveryAccount(), 0, 10_000)
	if err != nil {
		x.t.Fatal(err)
	}
	return all
}

// TestAuditTellsEverything: who, when, why, before, after, inverse (invariant 14).
func TestAuditTellsEverything(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	req := x.owner(x.a.ID)
	req.Reason, req.RequestID = "maintenance", "01REQ"
	_, change, err := x.r.EditBGPPrefix(ctx, req, p.ID, p.BGP[0].ID, toggle(false))
	if err != nil {
		t.Fatal(err)
	}
	all := x.records()
	last := all[len(all)-1]
	if last.ChangeID != change.ID || last.Seq != change.Version || last.Actor != req.Actor || last.Reason != "maintenance" || last.RequestID != "01REQ" ||
		!last.At.Equal(req.At) || last.AccountID != x.a.ID || last.Verb != "bgp_prefix.withdraw" || last.Inverse != "bgp_prefix.advertise" {
		t.Errorf("record: %+v", last)
	}
	var before, after addressing.Images
	if err := json.Unmarshal(last.Before, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(last.After, &after); err != nil {
		t.Fatal(err)
	}
	if len(before.BGPPrefixes) != 1 || !before.BGPPrefixes[0].Advertised || len(after.BGPPrefixes) != 1 || after.BGPPrefixes[0].Advertised || len(after.Negative) != 1 {
		t.Errorf("images: %+v, %+v", before, after)
	}
	if d := cmp.Diff(x.get(p.ID).BGP[0], after.BGPPrefixes[0], equate); d != "" {
		t.Errorf("the after image is not what is stored (-stored +image):\n%s", d)
	}
	// Every change so far was notified, with consecutive versions.
	changes, err := x.r.Changes(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(x.notified, changes, equate); d != "" {
		t.Errorf("changes read back (-notified +read):\n%s", d)
	}
	for i, c := range changes {
		if c.Version != int64(i+1) {
			t.Errorf("change %d has version %d", i, c.Version)
		}
		if c.Reason == "" || c.Actor.ID == "" || len(c.Objects) == 0 {
			t.Errorf("change %d says too little: %+v", i, c)
		}
	}
	if n, err := x.r.VerifyAudit(ctx); err != nil || n != int64(len(all)) {
		t.Errorf("verify: %d of %d, %v", n, len(all), err)
	}
}

// TestBusiest: drill D1 asks who is deleting.
func TestBusiest(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	var all []addressing.PrefixDetail
	for _, c := range []string{"11.0.0.0/24", "11.0.1.0/24", "11.0.2.0/24"} {
		all = append(all, x.advertised(x.a.ID, c))
	}
	other := x.advertised(x.b.ID, "12.0.0.0/24")
	x.now = x.now.Add(time.Minute)
	since := x.now
	for _, p := range all {
		must(x.r.WithdrawPrefix(ctx, x.system(), p.ID))(t)
	}
	for range 5 {
		must(x.r.WithdrawPrefix(ctx, x.owner(x.b.ID), other.ID))(t)
		must(x.r.AdvertisePrefix(ctx, x.owner(x.b.ID), other.ID))(t)
	}
	got, err := x.r.Busiest(ctx, addressing.EveryAccount(), since)
	if err != nil || len(got) != 2 || got[0].Actor.AccountID != x.b.ID || got[0].Lost != 5 || got[0].Changes != 10 ||
		got[1].Actor.Key() != "system/task/cleanup" || got[1].Lost != 3 || got[1].Verbs["prefix.withdraw"] != 3 || !got[1].First.After(since) {
		t.Errorf("busiest: %+v, %v", got, err)
	}
	mine, err := x.r.Busiest(ctx, addressing.OneAccount(x.a.ID), since)
	if err != nil || len(mine) != 1 || mine[0].Changes != 3 {
		t.Errorf("busiest over one account: %+v, %v", mine, err)
	}
	if none, err := x.r.Busiest(ctx, addressing.Scope{}, since); err != nil || len(none) != 0 {
		t.Errorf("busiest over nothing: %+v, %v", none, err)
	}
}

// TestAuditTamper: what is altered, taken out or put in is found and named.
func TestAuditTamper(t *testing.T) {
	for name, c := range map[string]struct{ statement, names string }{
		"actor":            {"UPDATE audit SET record = replace(record, 'uid:0', 'uid:1') WHERE seq = 2", "record 2"},
		"reason":           {"UPDATE audit SET record = replace(record, 'account.create', 'account.nothing') WHERE seq = 1", "record 1"},
		"account column":   {"UPDATE audit SET account_id = '' WHERE seq = 2", "record 2"},
		"change id column": {"UPDATE audit SET change_id = 'x' WHERE seq = 3", "record 3"},
		"hash":             {"UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = 3", "record 3"},
		"one deleted":      {"DELETE FROM audit WHERE seq = 2", "record 3"},
		"first deleted":    {"DELETE FROM audit WHERE seq = 1", "record 2"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newRig(t)
			db, err := sql.Open("sqlite3", x.path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(c.statement); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("the audit table let itself be changed: %v", err)
			}
			if _, err := db.Exec("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; " + c.statement); err != nil {
				t.Fatal(err)
			}
			if _, err := x.r.VerifyAudit(t.Context()); err == nil || !strings.Contains(err.Error(), c.names) {
				t.Errorf("verify says %v, want it to name %s", err, c.names)
			}
		})
	}
}
