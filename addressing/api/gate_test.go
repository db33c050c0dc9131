package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func testGate(t testing.TB) *gate {
	t.Helper()
	ops, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	return newGate(ops)
}

var readDocument = sync.OnceValues(func() (operations, error) { return readOperations(document) })

func statusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return failureOf(err).status
}

// The queries of 20 February 2026 and their relatives (ADR-01): each must be
// refused, and the field named, before anything is known of the caller.
func TestGateRefusesQueries(t *testing.T) {
	g := testGate(t)
	const account = "/client/v4/accounts/0123456789abcdef0123456789abcdef/addressing/prefixes"
	tests := []struct {
		name, target, field string
	}{
		{"bare", account + "?pending_delete", "query.pending_delete"},
		{"empty", account + "?pending_delete=", "query.pending_delete"},
		{"one", account + "?pending_delete=1", "query.pending_delete"},
		{"upper case", account + "?pending_delete=TRUE", "query.pending_delete"},
		{"true", account + "?pending_delete=true", "query.pending_delete"},
		{"misspelt", account + "?pendingdelete=true", "query.pendingdelete"},
		{"semicolon", account + "?x=1;pending_delete=true", "query.x"},
		{"escaped semicolon", account + "?account_id=a%3Bb", "query.account_id"},
		{"undecodable value", account + "?pending_delete=%zz", "query.pending_delete"},
		{"undecodable name", account + "?%zz=true", "query"},
		{"question mark alone", account + "?", "query"},
		{"ampersand alone", account + "?&", "query"},
		{"paging is unknown", account + "?page=1", "query.page"},
		{"bare on v1", "/v1/prefixes?pending_delete", "query.pending_delete"},
		{"known but bare", "/v1/prefixes?cidr", "query.cidr"},
		{"known but empty", "/v1/prefixes?cidr=", "query.cidr"},
		{"known but twice", "/v1/prefixes?cidr=192.0.2.0/24&cidr=198.51.100.0/24", "query.cidr"},
		{"known, twice the same", "/v1/prefixes?cidr=192.0.2.0/24&cidr=192.0.2.0/24", "query.cidr"},
		{"known with trailing ampersand", "/v1/prefixes?cidr=192.0.2.0/24&", "query"},
		{"known with leading ampersand", "/v1/prefixes?&cidr=192.0.2.0/24", "query"},
		{"known in another case", "/v1/prefixes?CIDR=192.0.2.0/24", "query.CIDR"},
		{"known with brackets", "/v1/prefixes?cidr[]=192.0.2.0/24", "query.cidr[]"},
		{"known with semicolon", "/v1/prefixes?cidr=192.0.2.0/24;account_id=x", "query.cidr"},
		{"account is no id", "/v1/prefixes?account_id=*", "query.account_id"},
		{"account in capitals", "/v1/prefixes?account_id=0123456789ABCDEF0123456789ABCDEF", "query.account_id"},
		{"control character", "/v1/prefixes?cidr=192.0.2.0/24%00", "query.cidr"},
		{"not UTF-8", "/v1/prefixes?cidr=%ff", "query.cidr"},
		{"number with plus", "/v1/audit?limit=%2B5", "query.limit"},
		{"number with zero", "/v1/audit?limit=05", "query.limit"},
		{"number with point", "/v1/audit?limit=5.0", "query.limit"},
		{"number in hex", "/v1/audit?limit=0x5", "query.limit"},
		{"number with space", "/v1/audit?limit=+5", "query.limit"},
		{"number too small", "/v1/audit?limit=0", "query.limit"},
		{"number too large", "/v1/audit?limit=10001", "query.limit"},
		{"number past 64 bits", "/v1/audit?limit=18446744073709551617", "query.limit"},
		{"no time", "/v1/audit?since=yesterday", "query.since"},
		{"required, missing", "/v1/snapshots/diff?from=1", "query.to"},
		{"required, none", "/v1/snapshots/diff", "query.from"},
		{"mutation with query", "/v1/rollback?all=true", "query.all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method := http.MethodGet
			if strings.HasPrefix(tt.target, "/v1/rollback") {
				method = http.MethodPost
			}
			_, err := g.admit(httptest.NewRequest(method, tt.target, nil))
			if statusOf(err) != http.StatusBadRequest {
				t.Fatalf("%s: status %d, want 400 (%v)", tt.target, statusOf(err), err)
			}
			if got := failureOf(err).field; got != tt.field {
				t.Errorf("%s: field %q, want %q", tt.target, got, tt.field)
			}
		})
	}
}

func TestGateTakesQueries(t *testing.T) {
	g := testGate(t)
	for _, target := range []string{
		"/v1/prefixes",
		"/v1/prefixes?cidr=192.0.2.0/24",
		"/v1/prefixes?cidr=192.0.2.0%2F24",
		"/v1/prefixes?%63idr=192.0.2.0%2F24",
		"/v1/prefixes?cidr=192.0.2.0/24&account_id=0123456789abcdef0123456789abcdef",
		"/v1/audit?limit=1&since=2026-02-20T17:56:00Z",
		"/v1/audit?since=2026-02-20T17:56:00%2B01:00",
		"/v1/snapshots/diff?from=0&to=1",
	} {
		if _, err := g.admit(httptest.NewRequest(http.MethodGet, target, nil)); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestGatePaths(t *testing.T) {
	g := testGate(t)
	const a = "/client/v4/accounts/0123456789abcdef0123456789abcdef/addressing"
	tests := []struct {
		name, method, path string
		want               int
	}{
		{"list", "GET", a + "/prefixes", 200},
		{"one", "DELETE", a + "/prefixes/x", 200},
		{"trailing slash", "GET", a + "/prefixes/", 400},
		{"trailing slash deletes", "DELETE", a + "/prefixes/", 400},
		{"double slash", "GET", a + "//prefixes", 400},
		{"empty account", "GET", "/client/v4/accounts//addressing/prefixes", 400},
		{"empty id in between", "DELETE", a + "/prefixes//bindings", 400},
		{"dot", "GET", a + "/./prefixes", 400},
		{"dots", "GET", a + "/prefixes/x/../y", 400},
		{"dots at the end", "DELETE", a + "/prefixes/x/..", 400},
		{"escaped slash", "DELETE", a + "/prefixes/192.0.2.0%2F24", 400},
		{"escaped dots", "DELETE", a + "/prefixes/%2e%2e", 400},
		{"escaped letter", "GET", a + "/%70refixes", 400},
		{"escaped percent", "GET", a + "/prefixes/%2570", 400},
		{"backslash", "GET", a + "/prefixes\\x", 400},
		{"asterisk", "DELETE", a + "/prefixes/*", 400},
		{"path parameter", "GET", a + "/prefixes;x=1", 400},
		{"comma list", "DELETE", a + "/prefixes/x,y", 400},
		{"unknown", "GET", a + "/address_maps", 404},
		{"unknown root", "GET", "/", 404},
		{"leases", "GET", a + "/leases", 404},
		{"case", "GET", "/V1/status", 404},
		{"no bulk delete", "DELETE", a + "/prefixes", 405},
		{"put", "PUT", a + "/prefixes/x", 405},
		{"head is a read", "HEAD", a + "/prefixes", 200},
		{"options", "OPTIONS", a + "/prefixes", 405},
		{"trace", "TRACE", "/v1/status", 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.ParseRequestURI(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = g.admit(&http.Request{Method: tt.method, URL: u, Header: http.Header{}})
			if got := statusOf(err); got != tt.want {
				t.Errorf("%s %s: status %d, want %d (%v)", tt.method, tt.path, got, tt.want, err)
			}
		})
	}
}

// Every operation can be found by the gate under its own pattern, declares a
// permission, and mutations declare the headers of a mutation.
func TestDocument(t *testing.T) {
	g := testGate(t)
	if len(g.ops) < 60 {
		t.Fatalf("%d operations, want all of both surfaces", len(g.ops))
	}
	ids := make(map[string]bool)
	for pattern, op := range g.ops {
		if ids[op.id] {
			t.Errorf("%s: operationId %s is used twice", pattern, op.id)
		}
		ids[op.id] = true
		path := strings.NewReplacer("{account_id}", strings.Repeat("a", 32), "{generation}", "1").Replace(op.path)
		for strings.Contains(path, "{") {
			path = path[:strings.Index(path, "{")] + "x1" + path[strings.Index(path, "}")+1:]
		}
		if got := g.find(httptest.NewRequest(op.method, path, nil), op.method); got != op {
			t.Errorf("%s: the gate finds another operation", pattern)
		}
		if op.recovery && !strings.HasPrefix(op.path, "/v1/") {
			t.Errorf("%s: recovery routes are on /v1", pattern)
		}
	}
}

// A schema keyword that the gate would not enforce makes the document
// unusable, not the check silent.
func TestDocumentPromisesOnlyWhatIsChecked(t *testing.T) {
	const before = "BGPPrefixEdit:\n      type: object\n      additionalProperties: false"
	for _, change := range []string{
		"BGPPrefixEdit:\n      type: object\n      additionalProperties: true",
		"BGPPrefixEdit:\n      type: object\n      minProperties: 1",
	} {
		doc := strings.Replace(string(document), before, change, 1)
		if doc == string(document) {
			t.Fatal("the schema to change was not found")
		}
		if _, err := readOperations([]byte(doc)); err == nil {
			t.Errorf("%q was taken", change)
		}
	}
	doc := strings.Replace(string(document), "x-permission: [operate]", "x-permission: [everything]", 1)
	if _, err := readOperations([]byte(doc)); err == nil {
		t.Error("an unknown permission was taken")
	}
}

func TestInputErrorIsFound(t *testing.T) {
	var input *inputError
	if err := checkQuery(nil, "a=b", false); !errors.As(err, &input) || input.pointer != "a" {
		t.Errorf("unknown parameter: %v", err)
	}
}

func FuzzQuery(f *testing.F) {
	g := testGate(f)
	for _, seed := range []string{"", "cidr=192.0.2.0/24", "pending_delete", "pending_delete=", "x=1;pending_delete=true",
		"pending_delete=%zz", "cidr=192.0.2.0/24&cidr=192.0.2.0/24", "account_id=0123456789abcdef0123456789abcdef", "&", "cidr=%00", "%63idr=a"} {
		f.Add(seed)
	}
	declared := g.ops["GET /v1/prefixes"].query
	f.Fuzz(func(t *testing.T, raw string) {
		if checkQuery(declared, raw, false) != nil {
			return
		}
		// What passes is understood the same way by net/url, with nothing dropped.
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q passed the gate but net/url drops parts of it: %v", raw, err)
		}
		want := 0
		if raw != "" {
			want = strings.Count(raw, "&") + 1
		}
		if len(values) != want {
			t.Fatalf("%q: %d pairs, %d parameters", raw, want, len(values))
		}
		for name, v := range values {
			if _, known := declared[name]; !known || len(v) != 1 || v[0] == "" {
				t.Fatalf("%q: parameter %q=%q passed", raw, name, v)
			}
		}
	})
}
