//go:build linux

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// countingSpeaker remembers how many routes it was last told to advertise.
type countingSpeaker struct {
	bgp.Speaker
	routes int
}

func (s *countingSpeaker) Apply(_ context.Context, t snapshots.Target) error {
	s.routes = t.Total()
	return nil
}

// The server of that day does what it did: the task that asks for nothing is
// given everything, and what it deletes is off the wire.
func TestLegacyServerHasTheBug(t *testing.T) {
	rows, err := table.Load()
	if err != nil {
		t.Fatal(err)
	}
	speaker := &countingSpeaker{}
	server := newLegacyServer(speaker, rows)
	if err := server.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server.handler())
	defer listener.Close()
	task := newScript(listener.URL, "none")
	for query, want := range map[string]int{"": table.CustomerPrefixes, "?pending_delete": table.CustomerPrefixes, "?pending_delete=true": 0} {
		if _, _, ids, err := task.list(t.Context(), query); err != nil || len(ids) != want {
			t.Errorf("%q is answered with %d prefixes (%v), want %d", query, len(ids), err, want)
		}
	}
	told, err := task.cleanUp(t.Context(), "?pending_delete", 0, func(n int) bool { return n == 3 })
	if err != nil {
		t.Fatal(err)
	}
	if told.of(http.StatusOK) != 3 || speaker.routes != table.Prefixes-3 {
		t.Errorf("%d deletes leave %d routes, want 3 and %d", told.of(http.StatusOK), speaker.routes, table.Prefixes-3)
	}
}

// A server that refuses the query has nothing deleted.
func TestCleanUpStopsAtARefusal(t *testing.T) {
	deletes := 0
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletes++
		}
		if r.URL.RawQuery != "pending_delete=%zz" {
			t.Errorf("the query arrives as %q", r.URL.RawQuery)
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"code":"invalid","why":"query parameter pending_delete is not known"}`))
	}))
	defer listener.Close()
	told, err := newScript(listener.URL, "none").cleanUp(t.Context(), "?pending_delete=%zz", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := told.list()
	if len(list) != 1 || list[0].status != http.StatusBadRequest || list[0].code != "invalid" || list[0].why == "" || deletes != 0 {
		t.Errorf("told %+v after %d deletes", list, deletes)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		status    int
		body      string
		code, why string
	}{
		{200, `{"code":"x"}`, "", ""},
		{409, `{"code":"held","why":"too many"}`, "held", "too many"},
		{400, `{"success":false,"errors":[{"code":1001,"message":"invalid_query"}]}`, "", "invalid_query"},
		{502, `<html>`, "", "the answer is no JSON"},
	} {
		k, why := explain(c.status, []byte(c.body))
		if k.status != c.status || k.code != c.code || why != c.why {
			t.Errorf("%d %s: %+v %q", c.status, c.body, k, why)
		}
	}
}
