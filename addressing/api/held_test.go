package api_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
)

func (d *desk) Enrolled(context.Context) ([]api.EnrolledApprover, error) {
	return []api.EnrolledApprover{{Key: "operator/uid:0", Name: "the admin socket"}}, nil
}

func (d *desk) Waiting(context.Context) ([]api.Waiting, error) {
	return []api.Waiting{{ID: "01H", TripID: "trip-1", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}, nil
}

func (d *desk) Drop(_ context.Context, r api.HeldRequest) error { return d.note("drop", r) }

func (d *desk) Release(_ context.Context, r api.HeldRequest) error { return d.note("release", r) }

// Told answers with everybody's notices, whatever it is asked for: the handler
// must not pass on another account's.
func (d *desk) Told(context.Context, string) ([]api.AccountNotice, error) {
	var out []api.AccountNotice
	for _, account := range d.accounts {
		out = append(out, api.AccountNotice{ID: "n-" + account, Account: account, TripID: "trip-1", Prefixes: []string{"192.0.2.0/24"}})
	}
	return out, nil
}

func (d *desk) InForce(context.Context) (api.LimitsInForce, error) {
	return api.LimitsInForce{Limits: []api.WindowLimit{{Rule: "breaker.breadth.5m", Window: 5 * time.Minute, Share: 10}}, Waiting: []string{"plan_share: 500, was 10"}}, nil
}

func (d *desk) Loosen(_ context.Context, by addressing.Actor, _ api.Person, _ string, _ time.Time) error {
	return d.note("loosen", by)
}

// An account reads its own notices and nobody else's (UX-02); an operator all.
func TestNoticesAreForTheirAccount(t *testing.T) {
	w := newWorld(t)
	w.desk.accounts = []string{w.account, w.other}
	for token, want := range map[string][]string{"admin": {w.account}, "foreign": {w.other}, "operator": {w.account, w.other}} {
		r := w.do(token, "GET", "/v1/notices", "")
		var l struct{ Items []struct{ Account string } }
		if err := json.Unmarshal(r.body, &l); err != nil || r.status != 200 || len(l.Items) != len(want) {
			t.Errorf("%s: %d %s", token, r.status, r.body)
			continue
		}
		for i := range want {
			if l.Items[i].Account != want[i] {
				t.Errorf("%s sees %s", token, r.body)
			}
		}
	}
	if r := w.do("", "GET", "/v1/notices", ""); r.status != 401 {
		t.Errorf("nobody: %d", r.status)
	}
}

func TestHeldChangesOverHTTP(t *testing.T) {
	w := newWorld(t)
	if r := w.do("operator", "GET", "/v1/held", ""); r.status != 200 || !strings.Contains(string(r.body), `"trip_id":"trip-1"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, verb := range []string{"drop", "release"} {
		if r := w.do("operator", "POST", "/v1/held/01H/"+verb, `{}`); r.status != 400 {
			t.Errorf("%s without a reason: %d", verb, r.status)
		}
		if r := w.do("operator", "POST", "/v1/held/01H/"+verb, `{"reason":"r"}`); r.status != 200 {
			t.Errorf("%s: %d %s", verb, r.status, r.body)
		}
		if got := w.desk.last.(api.HeldRequest); got.ID != "01H" || got.Reason != "r" || got.Actor.Kind != addressing.Operator {
			t.Errorf("%s: %+v", verb, got)
		}
	}
}
