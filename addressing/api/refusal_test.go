package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The order of checks: strict gate, account syntax, authentication,
// permission, existence, body. Each row breaks everything from one stage on.
func TestOrderOfChecks(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	const nobody = "ffffffffffffffffffffffffffffffff"
	before := w.version()
	tests := []struct {
		name, token, method, path, body string
		status, code                    int
	}{
		{"query before everything", "", "GET", accountPath + "A/addressing/prefixes?pending_delete", "", 400, 1001},
		{"empty query value", "", "GET", accountPath + "A/addressing/prefixes?pending_delete=", "", 400, 1001},
		{"semicolon", "", "GET", accountPath + "A/addressing/prefixes?x=1;pending_delete=true", "", 400, 1001},
		{"undecodable", "", "GET", accountPath + "A/addressing/prefixes?pending_delete=%zz", "", 400, 1001},
		{"path before account", "", "DELETE", accountPath + "A/addressing//prefixes", "", 400, 1001},
		{"account before token", "", "PATCH", accountPath + "A/addressing/prefixes/" + d.ID, "{", 404, 7003},
		{"account in capitals", "admin", "GET", accountPath + strings.ToUpper(w.account) + "/addressing/prefixes", "", 404, 7003},
		{"token before permission", "", "PATCH", w.at("/prefixes/" + d.ID), "{", 401, 10000},
		{"permission before existence", "read-only", "PATCH", w.at("/prefixes/" + nobody), "{", 403, 10000},
		{"foreign before existence", "foreign", "PATCH", w.at("/prefixes/" + nobody), "{", 403, 10000},
		{"foreign, existing", "foreign", "PATCH", w.at("/prefixes/" + d.ID), "{", 403, 10000},
		{"unknown account, owner", "admin", "GET", accountPath + nobody + "/addressing/prefixes", "", 403, 10000},
		{"unknown account, operator", "operator", "GET", accountPath + nobody + "/addressing/prefixes", "", 404, 7003},
		{"existence before body", "admin", "PATCH", w.at("/prefixes/" + nobody), "{", 404, 1000},
		{"bgp prefix before body", "admin", "PATCH", w.at("/prefixes/" + d.ID + "/bgp/prefixes/" + nobody), "{", 404, 1002},
		{"body last", "admin", "PATCH", w.at("/prefixes/" + d.ID), "{", 400, 1001},
		{"host bits", "admin", "POST", w.at("/prefixes"), `{"cidr":"203.0.113.1/24","asn":64500}`, 400, 1001},
		{"too long", "admin", "POST", w.at("/prefixes"), `{"cidr":"203.0.113.0/25","asn":64500}`, 400, 1001},
		{"too short", "admin", "POST", w.at("/prefixes"), `{"cidr":"8.0.0.0/7","asn":64500}`, 400, 1001},
		{"IPv6 too long", "admin", "POST", w.at("/prefixes"), `{"cidr":"2001:db8::/49","asn":64500}`, 400, 1001},
		{"IPv4-mapped", "admin", "POST", w.at("/prefixes"), `{"cidr":"::ffff:192.0.2.0/120","asn":64500}`, 400, 1001},
		{"duplicate field", "admin", "POST", w.at("/prefixes"), `{"cidr":"203.0.113.0/24","asn":1,"asn":2}`, 400, 1001},
		{"address maps", "admin", "GET", w.at("/address_maps"), "", 404, 7003},
		{"leases", "admin", "GET", w.at("/leases"), "", 404, 7003},
		{"no bulk delete", "admin", "DELETE", w.at("/prefixes"), "", 405, 1001},
		{"body where none is taken", "admin", "DELETE", w.at("/prefixes/" + d.ID), `{"all":true}`, 400, 1001},
		{"delete advertised", "admin", "DELETE", w.at("/prefixes/" + d.ID), `{}`, 409, 1003},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.do(tt.token, tt.method, tt.path, tt.body)
			var e client.FailureEnvelope
			r.json(t, &e)
			if r.status != tt.status || len(e.Errors) == 0 || e.Errors[0].Code != tt.code {
				t.Fatalf("status %d, want %d; %s, want code %d", r.status, tt.status, r.body, tt.code)
			}
			if e.Success || e.Messages == nil || !bytes.Contains(r.body, []byte(`"result":null`)) {
				t.Errorf("not the failure envelope: %s", r.body)
			}
			if r.header.Get("Content-Type") != "application/json" || r.header.Get("Request-Id") == "" {
				t.Errorf("headers %v", r.header)
			}
			if r.header.Get("Location") != "" {
				t.Errorf("redirected to %s", r.header.Get("Location"))
			}
		})
	}
	if got := w.version(); got != before {
		t.Errorf("refused requests moved desired state from version %d to %d", before, got)
	}
}

// Problems of /v1 say what, why, where and how to go on (UX-13).
func TestProblems(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	tests := []struct {
		name, token, method, path, body string
		status                          int
		code, field                     string
	}{
		{"query", "", "GET", "/v1/prefixes?pending_delete", "", 400, "invalid", "query.pending_delete"},
		{"no token", "", "GET", "/v1/status", "", 401, "unauthenticated", ""},
		{"owner reads status", "admin", "GET", "/v1/status", "", 403, "forbidden", "header.Authorization"},
		{"observer writes", "observer", "POST", "/v1/accounts", `{"name":"x"}`, 403, "forbidden", "header.Authorization"},
		{"unknown field", "operator", "POST", "/v1/accounts", `{"name":"x","admin":true}`, 400, "invalid", "body./admin"},
		{"empty name", "operator", "POST", "/v1/accounts", `{"name":""}`, 400, "invalid", "body./name"},
		{"withdraw without reason", "operator", "POST", "/v1/prefixes/" + d.ID + "/withdraw", `{}`, 400, "invalid", "body./reason"},
		{"withdraw without body", "operator", "POST", "/v1/prefixes/" + d.ID + "/withdraw", ``, 400, "invalid", "body."},
		{"rollback of nothing", "operator", "POST", "/v1/rollback", `{"reason":"r"}`, 400, "invalid", "body."},
		{"rollback of not all", "operator", "POST", "/v1/rollback", `{"all":false,"reason":"r"}`, 400, "invalid", "body./all"},
		{"rollback of two", "operator", "POST", "/v1/rollback", `{"all":true,"prefix_id":"x","reason":"r"}`, 400, "invalid", "body."},
		{"reset without trip", "operator", "POST", "/v1/breaker/reset", `{"scope":"global","reason":"r"}`, 400, "invalid", "body./trip_id"},
		{"reset another trip", "operator", "POST", "/v1/breaker/reset", `{"scope":"global","trip_id":"T9","reason":"r"}`, 409, "conflict", ""},
		{"unknown generation", "operator", "GET", "/v1/snapshots/99", "", 404, "not_found", ""},
		{"generation is no number", "operator", "GET", "/v1/snapshots/latest", "", 400, "invalid", "path.generation"},
		{"counters of an unknown neighbor", "operator", "GET", "/v1/neighbors/nobody", "", 404, "not_found", ""},
		{"unknown neighbor", "operator", "GET", "/v1/neighbors/nobody/routes", "", 404, "not_found", ""},
		{"unknown path", "operator", "GET", "/v1/everything", "", 404, "no_route", ""},
		{"wrong content type", "operator", "POST", "/v1/accounts", `name=x`, 415, "media_type", "header.Content-Type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var headers []string
			if tt.status == 415 {
				headers = []string{"Content-Type", "application/x-www-form-urlencoded"}
			}
			r := w.do(tt.token, tt.method, tt.path, tt.body, headers...)
			var p client.Problem
			r.json(t, &p)
			field := ""
			if p.Field != nil {
				field = *p.Field
			}
			if r.status != tt.status || p.Status != tt.status || p.Code != tt.code || field != tt.field || p.Why == "" {
				t.Errorf("status %d, %s; want %d %s %q", r.status, r.body, tt.status, tt.code, tt.field)
			}
			if r.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %s", r.header.Get("Content-Type"))
			}
		})
	}
}

// What the gate of the breaker says reaches the caller in the right form.
func TestHeldRefusedConfirm(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	path := w.at("/prefixes/" + d.ID + "/bgp/prefixes/" + d.BGP[0].ID)
	tests := []struct {
		name   string
		err    error
		status int
		retry  string
		want   string
	}{
		{"held", &addressing.Error{Code: addressing.CodeHeld, Detail: "W2 is used up", Next: "wait or ask for approval", TripID: "T7"}, 409, "false", "W2 is used up; wait or ask for approval"},
		{"refused", &addressing.Error{Code: addressing.CodeRefused, Detail: "protected"}, 409, "false", "protected"},
		{"confirm", &addressing.Error{Code: addressing.CodeConfirm, Detail: "more than half", Confirm: "abc"}, 409, "false", "Holdfast-Confirm: abc"},
		{"frozen", &addressing.Error{Code: addressing.CodeFrozen, Detail: "frozen by uid:0"}, 423, "false", "frozen by uid:0"},
		{"gate broken", errBroken, 409, "false", "breaker"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.gate.refuse(tt.err)
			before := w.version()
			r := w.do("admin", "PATCH", path, `{"on_demand":{"advertised":false}}`)
			if r.status != tt.status || r.header.Get("X-Should-Retry") != tt.retry || !strings.Contains(string(r.body), tt.want) {
				t.Errorf("%d, X-Should-Retry %q: %s", r.status, r.header.Get("X-Should-Retry"), r.body)
			}
			if strings.Contains(string(r.body), errBroken.Error()) {
				t.Error("the cause inside reached the caller")
			}
			if w.version() != before {
				t.Error("a refused change was stored")
			}
			v1 := w.do("operator", "POST", "/v1/prefixes/"+d.ID+"/withdraw", `{"reason":"r"}`)
			var p client.Problem
			v1.json(t, &p)
			if v1.status != tt.status {
				t.Errorf("on /v1: %d %s", v1.status, v1.body)
			}
		})
	}
	w.gate.refuse(nil)
	if r := w.do("admin", "GET", path, ""); !strings.Contains(string(r.body), `"advertised":true`) {
		t.Errorf("after refusals: %s", r.body)
	}
}

// A panic ends its request with 500 and nothing else, and is counted.
func TestPanicStopsAtTheBoundary(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Risks = func() []string { panic("boom") } })
	r := w.do("operator", "GET", "/v1/status", "")
	if r.status != 500 || strings.Contains(string(r.body), "boom") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !strings.Contains(w.log.String(), "boom") {
		t.Error("the panic is not in the log")
	}
	if r := w.do("operator", "GET", "/v1/breaker", ""); r.status != 200 {
		t.Errorf("after the panic: %d", r.status)
	}
	if n := counterValue(t, w.api.Collectors(), "holdfast_api_panics_total"); n != 1 {
		t.Errorf("%v panics counted", n)
	}
}

var (
	anID   = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	aTime  = regexp.MustCompile(`"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"`)
	aULID  = regexp.MustCompile(`"[0-9A-HJKMNP-TV-Z]{26}"`)
	aToken = regexp.MustCompile(`"hf_[^"]+"`)
	suffix = regexp.MustCompile(`"suffix": "[^"]{4}"`)
	aHash  = regexp.MustCompile(`"[0-9a-f]{64}"`)
)

// still gives ids, times and secrets the same text in every run. Times keep
// only that they are in the contract's form.
func still(raw []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	seen := map[string]string{}
	text := anID.ReplaceAllStringFunc(out.String(), func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("ID-%d", len(seen)+1)
		}
		return seen[id]
	})
	text = aTime.ReplaceAllString(text, `"TIME"`)
	text = aULID.ReplaceAllString(text, `"ULID"`)
	text = aHash.ReplaceAllString(text, `"HASH"`)
	text = suffix.ReplaceAllString(text, `"suffix": "TAIL"`)
	text = aToken.ReplaceAllString(text, `"SECRET"`)
	return strings.TrimSpace(text) + "\n"
}

// The answers of both surfaces, byte for byte (but for ids, times, secrets).
func TestGoldenAnswers(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.prefix(w.account, "2001:db8::/32", false)
	w.build()
	pid, gid, bid := d.ID, d.BGP[0].ID, d.Bindings[0].ID
	tests := []struct{ name, token, method, path, body string }{
		{"cloudflare-services", "admin", "GET", w.at("/services"), ""},
		{"cloudflare-prefixes", "admin", "GET", w.at("/prefixes"), ""},
		{"cloudflare-prefix", "admin", "GET", w.at("/prefixes/" + pid), ""},
		{"cloudflare-prefix-create", "admin", "POST", w.at("/prefixes"), `{"cidr":"203.0.113.0/24","asn":64500,"description":"new"}`},
		{"cloudflare-prefix-edit", "admin", "PATCH", w.at("/prefixes/" + pid), `{"description":"edited"}`},
		{"cloudflare-prefix-clear", "admin", "PATCH", w.at("/prefixes/" + pid), `{"description":null}`},
		{"cloudflare-prefix-delete-advertised", "admin", "DELETE", w.at("/prefixes/" + pid), ``},
		{"cloudflare-bindings", "admin", "GET", w.at("/prefixes/" + pid + "/bindings"), ""},
		{"cloudflare-binding", "admin", "GET", w.at("/prefixes/" + pid + "/bindings/" + bid), ""},
		{"cloudflare-bgp-prefixes", "admin", "GET", w.at("/prefixes/" + pid + "/bgp/prefixes"), ""},
		{"cloudflare-bgp-prefix", "admin", "GET", w.at("/prefixes/" + pid + "/bgp/prefixes/" + gid), ""},
		{"cloudflare-status", "admin", "GET", w.at("/prefixes/" + pid + "/bgp/status"), ""},
		{"cloudflare-delegations", "admin", "GET", w.at("/prefixes/" + pid + "/delegations"), ""},
		{"cloudflare-query-refused", "admin", "GET", w.at("/prefixes?pending_delete"), ""},
		{"cloudflare-not-found", "admin", "GET", w.at("/prefixes/" + strings.Repeat("0", 32)), ""},
		{"cloudflare-no-route", "admin", "GET", "/client/v4/accounts/A/addressing/prefixes", ""},
		{"cloudflare-unauthenticated", "", "GET", w.at("/prefixes"), ""},
		{"cloudflare-forbidden", "foreign", "GET", w.at("/prefixes"), ""},
		{"cloudflare-bad-body", "admin", "POST", w.at("/prefixes"), `{"cidr":"192.0.2.1/24","asn":64500}`},
		{"v1-account-create", "operator", "POST", "/v1/accounts", `{"name":"three"}`},
		{"v1-token-create", "operator", "POST", "/v1/tokens", `{"role":"operator","name":"robot"}`},
		{"v1-service-create", "operator", "POST", "/v1/services", `{"name":"Spectrum"}`},
		{"v1-prefix", "operator", "GET", "/v1/prefixes/" + pid, ""},
		{"v1-prefixes-empty", "operator", "GET", "/v1/prefixes?account_id=" + w.other, ""},
		{"v1-pending-deletions", "operator", "GET", "/v1/prefixes/pending-deletions", ""},
		{"v1-bindings", "operator", "GET", "/v1/prefixes/" + pid + "/bindings", ""},
		{"v1-snapshots", "operator", "GET", "/v1/snapshots", ""},
		{"v1-snapshot-diff", "operator", "GET", "/v1/snapshots/diff?from=0&to=1", ""},
		{"v1-breaker", "operator", "GET", "/v1/breaker", ""},
		{"v1-neighbors", "operator", "GET", "/v1/neighbors", ""},
		{"v1-neighbor", "operator", "GET", "/v1/neighbors/transit-a", ""},
		{"v1-neighbor-routes", "operator", "GET", "/v1/neighbors/transit-a/routes", ""},
		{"v1-negative-intents", "operator", "GET", "/v1/negative-intents", ""},
		{"v1-problem", "operator", "GET", "/v1/prefixes?pending_delete", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.do(tt.token, tt.method, tt.path, tt.body)
			got := fmt.Sprintf("%s\n%s", http.StatusText(r.status), still(r.body))
			path := filepath.Join("testdata", "golden", tt.name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s %s answers\n%s\nwant\n%s", tt.method, tt.path, got, want)
			}
		})
	}
}

// Nobody is sent away without the reason and the way forward: whatever is wrong
// with a request, over every operation and with every role (UX-13).
func TestEveryRefusalShowsTheWayForward(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	refused := 0
	for _, op := range w.everyOperation(d.ID, d.BGP[0].ID, d.Bindings[0].ID) {
		for _, broken := range []struct{ token, path, body, media string }{
			{"", op.path, op.body, op.media},
			{"unknown", op.path, op.body, op.media},
			{"read-only", op.path, op.body, op.media},
			{"foreign", op.path, op.body, op.media},
			{"admin", op.path, op.body, op.media},
			{"operator", op.path + "?pending_delete", op.body, op.media},
			{"operator", op.path, `{"surprise":true}`, "application/json"},
			{"operator", op.path, `{`, "application/json"},
			{"operator", op.path, ``, ""},
			{"operator", op.path, op.body, "text/plain"},
			{"operator", strings.ReplaceAll(op.path, d.ID, strings.Repeat("9", 32)), op.body, op.media},
			{"operator", op.path + "/", op.body, op.media},
		} {
			r := w.do(broken.token, op.method, broken.path, broken.body, "Content-Type", broken.media)
			if r.status < 400 || r.status == http.StatusServiceUnavailable {
				continue
			}
			refused++
			name := fmt.Sprintf("%s as %q with %.60q: %d %s", op.id, broken.token, broken.body, r.status, r.body)
			if !strings.HasPrefix(op.path, "/client/") {
				var p client.Problem
				r.json(t, &p)
				if p.Why == "" || p.Next == nil || *p.Next == "" || r.status == 400 && (p.Field == nil || *p.Field == "") {
					t.Error(name)
				}
				continue
			}
			var e struct {
				Errors []struct {
					Code    int
					Message string
					Source  *struct{ Pointer string }
				}
			}
			r.json(t, &e)
			if len(e.Errors) == 0 || e.Errors[0].Code < 1000 || !strings.Contains(e.Errors[0].Message, "; ") && e.Errors[0].Code != 7003 || r.status == 400 && e.Errors[0].Source == nil {
				t.Error(name)
			}
		}
	}
	if refused < 500 {
		t.Errorf("only %d refusals were looked at", refused)
	}
}
