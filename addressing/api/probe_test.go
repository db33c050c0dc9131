package api_test

import (
	"context"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// What status says of the database is what is so: not what another part that is
// unavailable suggests, and not what the last request met.
func TestStatusTellsOfTheStoreAlone(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Cleanup = nil })
	w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	intent := func(want string, when string) {
		t.Helper()
		if r := w.do("operator", "GET", "/v1/status", ""); !strings.Contains(string(r.body), `"intent":"`+want+`"`) {
			t.Errorf("%s: %s, want intent %s", when, r.body, want)
		}
	}
	if r := w.do("operator", "GET", "/v1/cleanup", ""); r.status != 503 {
		t.Fatalf("there is no clean-up worker here, and its answer is %d %s", r.status, r.body)
	}
	intent("ok", "after another part was unavailable")

	w.store.Close()
	w.api.Probe(context.Background())
	intent("unavailable", "with the store closed, before anybody asked it for anything")
	if w.api.Usable() {
		t.Error("a store that is closed is usable")
	}
}
