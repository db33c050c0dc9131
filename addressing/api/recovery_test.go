package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/client"
)

// Invariant 11: with the database gone, recovery routes work, reads of
// /client/v4 are answered from the active snapshot, and mutations are 503 with
// what still works.
func TestDatabaseGone(t *testing.T) {
	for _, how := range []struct {
		name string
		lose func(w *world)
	}{
		{"closed", func(w *world) { w.store.Close() }},
		{"never opened", func(w *world) { w.api.Attach(nil) }},
		{"intent lost", func(w *world) {
			w.pipe.mu.Lock()
			defer w.pipe.mu.Unlock()
			w.pipe.status.IntentLost = true
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			w := newWorld(t)
			d := w.prefix(w.account, "192.0.2.0/24", true)
			w.build()
			how.lose(w)

			for _, path := range []string{"/v1/status", "/v1/plan", "/v1/snapshots", "/v1/snapshots/1", "/v1/snapshots/diff?from=0&to=1", "/v1/breaker", "/v1/neighbors", "/v1/neighbors/transit-a", "/v1/neighbors/transit-a/routes"} {
				if r := w.do("operator", "GET", path, ""); r.status != 200 {
					t.Errorf("%s: %d %s", path, r.status, r.body)
				}
			}
			if r := w.do("operator", "POST", "/v1/rollback", `{"all":true,"to":1,"reason":"database gone"}`); r.status != 200 || w.pipe.rollback.To != 1 {
				t.Errorf("rollback: %d %s", r.status, r.body)
			}
			if r := w.do("operator", "POST", "/v1/breaker/reset", `{"scope":"account","key":"x","trip_id":"T1","reason":"r"}`); r.status != 200 {
				t.Errorf("reset: %d %s", r.status, r.body)
			}
			for _, path := range []string{"/services", "/prefixes", "/prefixes/" + d.ID, "/prefixes/" + d.ID + "/bindings", "/prefixes/" + d.ID + "/bindings/" + d.Bindings[0].ID,
				"/prefixes/" + d.ID + "/bgp/prefixes", "/prefixes/" + d.ID + "/bgp/prefixes/" + d.BGP[0].ID, "/prefixes/" + d.ID + "/bgp/status"} {
				r := w.do("admin", "GET", w.at(path), "")
				if r.status != 200 || r.header.Get("Holdfast-Source") != "snapshot; generation=1" || !strings.Contains(string(r.body), "served from snapshot") {
					t.Errorf("%s: %d %q %s", path, r.status, r.header.Get("Holdfast-Source"), r.body)
				}
			}
			if r := w.do("admin", "GET", w.at("/prefixes/"+d.ID+"/bgp/status"), ""); !strings.Contains(string(r.body), `"advertised":true`) {
				t.Errorf("the snapshot's truth: %s", r.body)
			}
			if r := w.do("foreign", "GET", accountPath+w.other+"/addressing/prefixes/"+d.ID, ""); r.status != 404 {
				t.Errorf("another account's prefix from the snapshot: %d %s", r.status, r.body)
			}
			r := w.do("admin", "PATCH", w.at("/prefixes/"+d.ID+"/bgp/status"), `{"advertised":false}`)
			var e client.FailureEnvelope
			r.json(t, &e)
			if r.status != 503 || r.header.Get("Retry-After") == "" || !strings.Contains(e.Errors[0].Message, "/v1/rollback") {
				t.Errorf("mutation: %d %s", r.status, r.body)
			}
			r = w.do("operator", "POST", "/v1/accounts", `{"name":"x"}`)
			var p client.Problem
			r.json(t, &p)
			if r.status != 503 || p.Code != "unavailable" || p.Next == nil || !strings.Contains(*p.Next, "wire is unchanged") {
				t.Errorf("mutation on /v1: %d %s", r.status, r.body)
			}
			if r := w.do("admin", "GET", "/v1/status", ""); r.status != 403 {
				t.Errorf("an owner on a recovery route: %d", r.status)
			}
			var st client.Status
			w.do("operator", "GET", "/v1/status", "").json(t, &st)
			if st.Intent == client.StatusIntentOk || len(st.Works) == 0 || st.Snapshot == nil || st.Advertised["ipv4-unicast"] != 1 {
				t.Errorf("status: %+v", st)
			}
		})
	}
}

// The mirror of token hashes survives a restart and refuses to start over a
// file that it cannot read.
func TestMirror(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.dir, "auth.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mirror: %v %v", info, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(raw), w.tokens["admin"]) {
		t.Fatalf("the mirror holds a secret (%v)", err)
	}
	again, err := api.OpenMirror(path)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	hash := addressing.HashToken(w.tokens["admin"])
	found, err := again.Authenticate(hash, remoteAddr(t), now)
	if err != nil || found.AccountID != w.account {
		t.Errorf("after a restart: %+v %v", found, err)
	}
	if _, err := again.Authenticate(addressing.HashToken("hf_other"), remoteAddr(t), now); addressing.CodeOf(err) != addressing.CodeUnauthenticated {
		t.Errorf("unknown token: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.OpenMirror(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a torn mirror: %v", err)
	}
}

// A revoked or expired token ends at once, on every route.
func TestRevokedToken(t *testing.T) {
	w := newWorld(t)
	r := w.do("operator", "GET", "/v1/tokens", "")
	var list client.TokenList
	r.json(t, &list)
	for _, token := range list.Items {
		if token.Name != "observer" {
			continue
		}
		if r := w.do("operator", "DELETE", "/v1/tokens/"+token.ID, "", "Holdfast-Reason", "leaked"); r.status != 200 || !strings.Contains(string(r.body), "revoked_at") {
			t.Fatalf("revoke: %d %s", r.status, r.body)
		}
	}
	for _, path := range []string{"/v1/status", "/v1/prefixes"} {
		if r := w.do("observer", "GET", path, ""); r.status != 401 {
			t.Errorf("%s with a revoked token: %d", path, r.status)
		}
	}
}

// socket is a client of the admin socket.
func (w *world) socket() *http.Client {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		w.t.Fatal(err)
	}
	server := api.NewHTTPServer(w.api, nil)
	server.ConnContext = api.ConnContext
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(l) })
	w.t.Cleanup(func() { server.Close(); done.Wait() })
	dial := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	w.t.Cleanup(dial.CloseIdleConnections)
	return &http.Client{Transport: dial}
}

// onSocket sends one request over the admin socket.
func (w *world) onSocket(method, path, body string) reply {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://holdfast"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := w.socket().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, raw}
}

// On the admin socket the kernel says who calls: no token, actor "uid:N".
func TestAdminSocket(t *testing.T) {
	w := newWorld(t)
	c, err := client.NewClientWithResponses("http://holdfast", client.WithHTTPClient(w.socket()))
	if err != nil {
		t.Fatal(err)
	}
	created, err := c.CreateAccountWithResponse(t.Context(), nil, client.AccountCreate{Name: "over the socket"})
	if err != nil || created.JSON201 == nil {
		t.Fatalf("create: %v %s", err, created.Body)
	}
	audit, err := c.ListAuditWithResponse(t.Context(), &client.ListAuditParams{Limit: ref(1)})
	if err != nil || audit.JSON200 == nil || audit.JSON200.Count != 1 {
		t.Fatalf("audit: %v %s", err, audit.Body)
	}
	a := audit.JSON200.Items[0]
	if want := "uid:" + uid(); a.Actor.ID != want || a.Actor.Kind != client.ActorKindOperator || a.RequestID == nil || *a.RequestID != created.HTTPResponse.Header.Get("Request-Id") {
		t.Errorf("audit entry %+v, want actor %s and the request id", a, want)
	}
	if r := w.do("", "GET", "/v1/status", ""); r.status != 401 {
		t.Errorf("over TCP without a token: %d", r.status)
	}
}

// 100 writers with one version of a prefix: one wins, 99 get 412, and the next
// round works with the winner's tag (ADR-11).
func TestConcurrentWritersOneWinner(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", false)
	path := w.at("/prefixes/" + d.ID)
	for round := range 2 {
		tag := w.do("admin", "GET", path, "").header.Get("ETag")
		status := make([]int, 100)
		var all sync.WaitGroup
		for i := range status {
			all.Go(func() {
				body, _ := json.Marshal(map[string]string{"description": strings.Repeat("x", round*100+i+1)})
				status[i] = w.do("admin", "PATCH", path, string(body), "If-Match", tag).status
			})
		}
		all.Wait()
		won, lost := 0, 0
		for _, s := range status {
			switch s {
			case 200:
				won++
			case 412:
				lost++
			}
		}
		if won != 1 || lost != 99 {
			t.Errorf("round %d: %d winners, %d refused: %v", round, won, lost, status)
		}
	}
	for _, tag := range []string{`"1`, `1`, `"a","b"`} {
		if r := w.do("admin", "PATCH", path, `{"description":"x"}`, "If-Match", tag); r.status != 400 {
			t.Errorf("If-Match %s: %d", tag, r.status)
		}
	}
	for _, tag := range []string{`W/"1"`, `"999"`, `"abc"`} {
		if r := w.do("admin", "PATCH", path, `{"description":"x"}`, "If-Match", tag); r.status != 412 || r.header.Get("X-Should-Retry") != "false" {
			t.Errorf("If-Match %s: %d %s", tag, r.status, r.body)
		}
	}
}

// A repeated request with one Idempotency-Key is done once and answered twice.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	const body = `{"name":"once"}`
	first := w.do("operator", "POST", "/v1/accounts", body, "Idempotency-Key", "k1")
	again := w.do("operator", "POST", "/v1/accounts", body, "Idempotency-Key", "k1")
	if first.status != 201 || again.status != 201 || string(first.body) != string(again.body) || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %d %s, again %d %s", first.status, first.body, again.status, again.body)
	}
	if r := w.do("operator", "POST", "/v1/accounts", `{"name":"other"}`, "Idempotency-Key", "k1"); r.status != 422 {
		t.Errorf("another request with the key: %d", r.status)
	}
	if r := w.do("operator", "POST", "/v1/accounts", `{"name":""}`, "Idempotency-Key", "k2"); r.status != 400 {
		t.Errorf("bad request with a key: %d", r.status)
	}
	if r := w.do("operator", "POST", "/v1/accounts", `{"name":"good"}`, "Idempotency-Key", "k2"); r.status != 201 {
		t.Errorf("a key whose request was refused is used up: %d %s", r.status, r.body)
	}
	var all sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		all.Go(func() {
			ids[i] = string(w.do("operator", "POST", "/v1/accounts", `{"name":"race"}`, "Idempotency-Key", "k3").body)
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("one key made two: %s and %s", id, ids[0])
		}
	}
}

// The limit is per account: a second token of it buys nothing, and one that is
// used up leaves the other accounts and the operators alone.
func TestRateLimit(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(c *api.Config) {
		c.Quota = api.Quota{PerSecond: 10, Burst: 5}
		c.Now = func() time.Time { return now }
	})
	for i := range 5 {
		r := w.do("admin", "GET", w.at("/prefixes"), "")
		if r.status != 200 || r.header.Get("Ratelimit") == "" || r.header.Get("Ratelimit-Policy") == "" {
			t.Fatalf("request %d: %d %v", i, r.status, r.header)
		}
	}
	r := w.do("admin", "GET", w.at("/prefixes"), "")
	if r.status != 429 || r.header.Get("Retry-After") != "1" || r.header.Get("X-Should-Retry") == "false" {
		t.Errorf("past the limit: %d %v", r.status, r.header)
	}
	if r := w.do("read-only", "GET", w.at("/prefixes"), ""); r.status != 429 {
		t.Errorf("another token of the account: %d", r.status)
	}
	if r := w.do("foreign", "GET", accountPath+w.other+"/addressing/prefixes", ""); r.status != 200 {
		t.Errorf("another account: %d", r.status)
	}
	for _, token := range []string{"operator", "observer"} {
		if r := w.do(token, "GET", "/v1/status", ""); r.status != 200 || !strings.Contains(r.header.Get("Ratelimit"), "r=4;") {
			t.Errorf("the %s: %d %v", token, r.status, r.header)
		}
	}
	now = now.Add(time.Second)
	if r := w.do("admin", "GET", w.at("/prefixes"), ""); r.status != 200 {
		t.Errorf("a second later: %d", r.status)
	}
}

// Outside the document: the document itself and the probes.
func TestOutside(t *testing.T) {
	ready := false
	w := newWorld(t, func(c *api.Config) { c.Ready = func() (bool, string) { return ready, "no snapshot yet" } })
	if r := w.do("", "GET", "/openapi.yaml", ""); r.status != 200 || string(r.body) != string(api.Document()) {
		t.Errorf("openapi.yaml: %d", r.status)
	}
	if r := w.do("", "GET", "/healthz", ""); r.status != 200 {
		t.Errorf("healthz: %d", r.status)
	}
	if r := w.do("", "GET", "/readyz", ""); r.status != 503 || !strings.Contains(string(r.body), "no snapshot yet") {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
	ready = true
	if r := w.do("", "GET", "/readyz", ""); r.status != 200 {
		t.Errorf("readyz: %d", r.status)
	}
	if r := w.do("", "GET", "/openapi.yaml?x", ""); r.status != 404 {
		t.Errorf("openapi.yaml with a query: %d", r.status)
	}
}
