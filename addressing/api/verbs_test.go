package api_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// desk stands in for the parts of the daemon behind the operator's verbs, and
// notes what reached them.
type desk struct {
	done   []string
	last   any
	refuse error

	accounts []string // that have a notice
}

func (d *desk) note(verb string, r any) error {
	d.done, d.last = append(d.done, verb), r
	return d.refuse
}

func (d *desk) Pin(_ context.Context, by addressing.Actor, reason string) (api.PinStatus, error) {
	return api.PinStatus{Pinned: true, Generation: 7, Actor: by.Key(), Reason: reason, At: time.Now()}, d.note("pin", reason)
}

func (d *desk) Unpin(_ context.Context, _ addressing.Actor, _, accept string) (api.PinStatus, error) {
	return api.PinStatus{}, d.note("unpin", accept)
}

func (d *desk) Verify(context.Context) (api.Verification, error) {
	return api.Verification{Generations: 3, Problems: []string{"generation 2: part: gone"}}, d.note("verify", nil)
}

func (d *desk) Trip(_ context.Context, r api.TripRequest) (string, error) {
	return "trip-1", d.note("trip", r)
}

func (d *desk) Unfreeze(_ context.Context, _ addressing.Actor, reason string, _ time.Time) error {
	return d.note("unfreeze", reason)
}

func (d *desk) Journal(context.Context, time.Time, int) ([]api.Journaled, error) {
	return []api.Journaled{{Seq: 2, At: time.Now(), Kind: "charge", Items: []string{"192.0.2.0/24"}, Record: []byte(`{"seq":2}`)}}, nil
}

func (d *desk) Evidence(_ context.Context, id string) ([]api.TripEvidence, error) {
	if id != "" && id != "trip-1" {
		return nil, nil
	}
	return []api.TripEvidence{{TripID: "trip-1", Scope: "global", State: "open", At: time.Now(), Accounts: []api.TripAccount{{Account: "a", Notice: "n"}}}}, nil
}

func (d *desk) Withdraw(_ context.Context, r api.EmergencyRequest) (api.EmergencyOutcome, error) {
	return api.EmergencyOutcome{ChangeID: "01C", Advertised: len(r.Prefixes), Total: 10}, d.note("emergency", r)
}

func (d *desk) Damage(context.Context, uint64) (snapshots.Assessment, bool, error) {
	return snapshots.Assessment{Generation: 3, Counts: map[snapshots.DamageClass]int{snapshots.WithdrawnOnly: 2},
		Losses: []snapshots.Loss{{CIDR: netip.MustParsePrefix("192.0.2.0/24"), Class: snapshots.WithdrawnOnly, Repair: "x"}}}, true, nil
}

func (d *desk) Restore(_ context.Context, r api.RestoreRequest) (api.RestoreOutcome, error) {
	return api.RestoreOutcome{Generation: 4, To: 3}, d.note("restore", r)
}

func (d *desk) List(context.Context) ([]api.SwitchStatus, error) {
	return []api.SwitchStatus{{Name: "system/cleanup", Off: true}}, nil
}

func (d *desk) Set(_ context.Context, r api.SwitchRequest) error { return d.note("switch", r) }

// Absence never widens (invariant 2): a verb that names nothing, too much or
// the same twice reaches nobody.
func TestVerbsThatNameNothing(t *testing.T) {
	w := newWorld(t)
	for path, bodies := range map[string][]string{
		"/v1/restore": {`{"reason":"r"}`, `{"all":false,"reason":"r"}`, `{"all":true}`, `{"all":true,"account_id":"` + w.account + `","reason":"r"}`},
		"/v1/rollback": {`{"reason":"r"}`, `{"all":true,"prefix":"192.0.2.0/24","reason":"r"}`, `{"prefix":"192.0.2.1/24","reason":"r"}`,
			`{"prefix":"","reason":"r"}`},
		"/v1/emergency/withdraw": {`{"prefixes":[],"incident":"I","reason":"r"}`, `{"prefixes":["192.0.2.0/24"],"reason":"r"}`,
			`{"prefixes":["192.0.2.0/24"],"incident":"I"}`, `{"prefixes":["192.0.2.0/24","192.0.2.0/24"],"incident":"I","reason":"r"}`,
			`{"prefixes":["192.0.2.1/24"],"incident":"I","reason":"r"}`,
			`{"prefixes":["10.1.0.0/24","10.2.0.0/24","10.3.0.0/24","10.4.0.0/24","10.5.0.0/24","10.6.0.0/24"],"incident":"I","reason":"r"}`},
		"/v1/breaker/trip":     {`{"scope":"account","reason":"r"}`, `{"scope":"global","key":"x","reason":"r"}`, `{"scope":"all","reason":"r"}`, `{"reason":"r"}`},
		"/v1/breaker/freeze":   {`{}`, `{"reason":""}`},
		"/v1/snapshots/pin":    {`{}`},
		"/v1/kill-switches":    {`{"name":"x","off":true}`, `{"name":"x","reason":"r"}`, `{"off":true,"reason":"r"}`},
		"/v1/changes/01C/undo": {`{}`},
		"/v1/snapshots/unpin":  {`{"accept":"","reason":"r"}`},
		"/v1/breaker/unfreeze": {`{"trip_id":"T","reason":"r"}`},
		"/v1/snapshots/verify": {`{"all":true}`},
	} {
		for _, body := range bodies {
			if r := w.do("operator", "POST", path, body); r.status != 400 {
				t.Errorf("%s %s: %d %s", path, body, r.status, r.body)
			}
		}
	}
	if len(w.desk.done) > 0 || w.pipe.rollback.Reason != "" {
		t.Errorf("carried out: %v", w.desk.done)
	}
}

func TestVerbsReachTheirPart(t *testing.T) {
	w := newWorld(t)
	w.api.Attach(nil) // without the database
	for _, c := range []struct{ path, body, verb, answer string }{
		{"/v1/snapshots/pin", `{"reason":"r"}`, "pin", `"generation":7`},
		{"/v1/snapshots/unpin", `{"reason":"r","accept":"sha256:x"}`, "unpin", `"pinned":false`},
		{"/v1/snapshots/verify", `{}`, "verify", `"ok":false`},
		{"/v1/breaker/trip", `{"scope":"account","key":"a","reason":"r"}`, "trip", `"scopes"`},
		{"/v1/breaker/freeze", `{"reason":"r"}`, "trip", `"scopes"`},
		{"/v1/breaker/unfreeze", `{"reason":"r"}`, "unfreeze", `"scopes"`},
		{"/v1/emergency/withdraw", `{"prefixes":["192.0.2.0/24"],"incident":"I","reason":"r"}`, "emergency", `"advertised":1`},
		{"/v1/restore", `{"all":true,"to":3,"reason":"r"}`, "restore", `"to":3`},
		{"/v1/kill-switches", `{"name":"system/cleanup","off":true,"reason":"r"}`, "switch", `"off":true`},
	} {
		w.desk.done = nil
		r := w.do("operator", "POST", c.path, c.body)
		if r.status != 200 || !strings.Contains(string(r.body), c.answer) || len(w.desk.done) != 1 || w.desk.done[0] != c.verb {
			t.Errorf("%s: %d %s, carried out %v", c.path, r.status, r.body, w.desk.done)
		}
	}
	freeze, err := w.client("operator").FreezeWithResponse(context.Background(), nil, client.ReasonRequired{Reason: "storm"})
	if err != nil || freeze.JSON200 == nil {
		t.Fatalf("freeze: %v", err)
	}
	if got := w.desk.last.(api.TripRequest); !got.Lock || got.Scope != "global" || !strings.Contains(got.Reason, "storm") {
		t.Errorf("freeze asked for %+v", got)
	}
	for path, want := range map[string]string{"/v1/damage": `"intent":"lost"`, "/v1/breaker/journal": `"seq":2`, "/v1/breaker/trips": "trip-1",
		"/v1/breaker/trips/trip-1": `"notice":"n"`, "/v1/kill-switches": "system/cleanup"} {
		if r := w.do("observer", "GET", path, ""); r.status != 200 || !strings.Contains(string(r.body), want) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if r := w.do("operator", "GET", "/v1/breaker/trips/other", ""); r.status != 404 {
		t.Errorf("an unknown trip: %d", r.status)
	}
}

// What is locked answers 423 with the time to come back.
func TestLockedSaysWhenToComeBack(t *testing.T) {
	w := newWorld(t)
	w.desk.refuse = &addressing.Error{Code: addressing.CodeFrozen, Detail: "locked"}
	r := w.do("operator", "POST", "/v1/restore", `{"all":true,"reason":"r"}`)
	if r.status != 423 || r.header.Get("Retry-After") == "" || r.header.Get("X-Should-Retry") != "false" {
		t.Errorf("%d %v", r.status, r.header)
	}
}

// board stands in for the approvals.
type board struct{ *desk }

func (b board) List(context.Context) ([]api.ApprovalStatus, error) {
	return []api.ApprovalStatus{{ID: "01A", State: "pending"}}, nil
}

func (b board) Request(_ context.Context, r api.ApprovalAsked) (api.ApprovalStatus, error) {
	return api.ApprovalStatus{ID: "01A", State: "pending", Prefixes: r.Prefixes, Until: r.Until}, b.note("request", r)
}

func (b board) Decide(_ context.Context, r api.ApprovalDecision) (api.ApprovalStatus, error) {
	return api.ApprovalStatus{ID: r.ID, State: "approved"}, b.note("decide", r)
}

// A token says that it is one: only the socket is a person at this machine.
func TestApprovalsKnowWhoAsks(t *testing.T) {
	w := newWorld(t)
	if r := w.do("approve", "POST", "/v1/approvals/01A/approve", `{"reason":"r"}`); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if got := w.desk.last.(api.ApprovalDecision); got.Local || !got.Approve || got.ID != "01A" || got.EnrolledAt.IsZero() || got.EnrolledBy != "operator/uid:0" {
		t.Errorf("over HTTP it looks like %+v", got)
	}
	if r := w.onSocket("POST", "/v1/approvals/01A/approve", `{"reason":"r"}`); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if got := w.desk.last.(api.ApprovalDecision); !got.Local || !got.EnrolledAt.IsZero() || got.EnrolledBy != "" {
		t.Errorf("over the socket it looks like %+v", got)
	}
	for _, body := range []string{`{"prefixes":[],"until":"2026-12-01T00:00:00Z","reason":"r"}`, `{"prefixes":["192.0.2.0/24"],"reason":"r"}`,
		`{"prefixes":["192.0.2.0/24","192.0.2.0/24"],"until":"2026-12-01T00:00:00Z","reason":"r"}`} {
		if r := w.do("operator", "POST", "/v1/approvals", body); r.status != 400 {
			t.Errorf("%s: %d", body, r.status)
		}
	}
}

// An owner restores its own account, and hears of no other.
func TestOwnerRestoresItself(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		token, body string
		status      int
	}{
		{"admin", `{"all":true,"reason":"r"}`, 403},
		{"admin", `{"reason":"r"}`, 400},
		{"admin", `{"account_id":"` + w.other + `","reason":"r"}`, 404},
		{"admin", `{"account_id":"00000000000000000000000000000009","reason":"r"}`, 404},
		{"foreign", `{"account_id":"` + w.account + `","reason":"r"}`, 404},
		{"on-demand", `{"account_id":"` + w.account + `","reason":"r"}`, 403},
		{"read-only", `{"account_id":"` + w.account + `","reason":"r"}`, 403},
		{"observer", `{"account_id":"` + w.account + `","reason":"r"}`, 403},
	} {
		if r := w.do(c.token, "POST", "/v1/restore", c.body); r.status != c.status {
			t.Errorf("%s %s: %d %s", c.token, c.body, r.status, r.body)
		}
	}
	if r := w.do("admin", "POST", "/v1/rollback", `{"account_id":"`+w.account+`","reason":"r"}`); r.status != 403 {
		t.Errorf("rollback by an owner: %d %s", r.status, r.body)
	}
	if len(w.desk.done) > 0 {
		t.Fatalf("carried out: %v", w.desk.done)
	}
	if r := w.do("admin", "POST", "/v1/restore", `{"account_id":"`+w.account+`","to":3,"reason":"r"}`); r.status != 200 || len(w.desk.done) != 1 {
		t.Fatalf("its own: %d %s", r.status, r.body)
	}
	if got := w.desk.last.(api.RestoreRequest); got.All || got.AccountID != w.account || got.Actor.Kind != addressing.Owner || got.Actor.AccountID != w.account || got.To != 3 {
		t.Errorf("asked for %+v", got)
	}
}
