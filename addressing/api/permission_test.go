package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
)

func counterValue(t testing.TB, all []prometheus.Collector, name string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(all...)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// documented is one operation of the document with a request that would
// succeed for a caller who may.
type documented struct {
	id, method, path, body, media string
	cloudflare                    bool
}

// bodies are valid bodies by schema name.
func (w *world) bodies() map[string]string {
	return map[string]string{
		"PrefixCreate":         `{"cidr":"203.0.113.0/24","asn":64500}`,
		"PrefixEdit":           `{"description":"taken over"}`,
		"BindingCreate":        `{"cidr":"192.0.2.128/32","service_id":"` + w.service + `"}`,
		"PrefixBind":           `{"cidr":"192.0.2.128/32","service_id":"` + w.service + `"}`,
		"BGPPrefixCreate":      `{"cidr":"192.0.2.0/24"}`,
		"BGPPrefixEdit":        `{"on_demand":{"advertised":false}}`,
		"StatusEdit":           `{"advertised":false}`,
		"DelegationCreate":     `{"cidr":"192.0.2.0/24","delegated_account_id":"` + w.other + `"}`,
		"LOADocumentUpload":    "--x\r\nContent-Disposition: form-data; name=\"loa_document\"\r\n\r\n%PDF-1.4\r\n--x--\r\n",
		"AccountCreate":        `{"name":"intruder"}`,
		"TokenCreate":          `{"role":"operator"}`,
		"ServiceCreate":        `{"name":"intruder"}`,
		"ReasonOnly":           `{"reason":"intruder"}`,
		"ReasonRequired":       `{"reason":"intruder"}`,
		"Undo":                 `{"reason":"intruder"}`,
		"PrefixWithdraw":       `{"reason":"intruder"}`,
		"OperatorPrefixCreate": `{"account_id":"` + w.account + `","cidr":"203.0.113.0/24","asn":64500}`,
		"PrefixApprove":        `{"accept_risk":["unverified"]}`,
		"PrefixBlock":          `{"reason":"intruder"}`,
		"PrefixControl":        `{"on_demand_locked":true,"reason":"intruder"}`,
		"RouteEdit":            `{"resting":"withdrawn","reason":"intruder"}`,
		"PrefixUnblock":        `{"reason":"intruder"}`,
		"Rollback":             `{"all":true,"reason":"intruder"}`,
		"BreakerReset":         `{"scope":"account","key":"x","trip_id":"T1","reason":"intruder"}`,
		"Unpin":                `{"reason":"intruder"}`,
		"BreakerTrip":          `{"scope":"global","reason":"intruder"}`,
		"EmergencyWithdraw":    `{"prefixes":["192.0.2.0/24"],"incident":"I1","reason":"intruder"}`,
		"Restore":              `{"all":true,"reason":"intruder"}`,
		"ApprovalRequest":      `{"prefixes":["192.0.2.0/24"],"until":"2026-12-01T00:00:00Z","reason":"intruder"}`,
		"SpeakerReport": `{"speaker":"intruder","environment":"test","version":"1","at":"2026-12-01T00:00:00Z","started_at":"2026-12-01T00:00:00Z",` +
			`"epoch":1,"generation":1,"staged":0,"pinned":false,"frozen":false,"neighbors":[],"events":[]}`,
		"CleanupApprove":      `{"plan":"p","count":1,"reason":"intruder"}`,
		"KillSwitchSet":       `{"name":"system/cleanup","off":true,"reason":"intruder"}`,
		"DrainRequest":        `{"wait_seconds":0,"reason":"intruder"}`,
		"ConfigApply":         `{"digest":"` + strings.Repeat("0", 64) + `","reason":"intruder"}`,
		"HealthReport":        `{"items":[{"account_id":"` + w.account + `","site":"fra","service":"cdn","requests":1,"errors":0}]}`,
		"LoadReport":          `{"items":[{"site":"fra","bits_per_second":1}]}`,
		"EdgeAcknowledgement": `{"machine":"m1","site":"fra","generation":1}`,
	}
}

// everyOperation reads the document and fills its paths with objects of the
// account. A new operation that this test cannot fill makes it fail.
func (w *world) everyOperation(prefixID, bgpID, bindingID string) []documented {
	w.t.Helper()
	spec, err := openapi3.NewLoader().LoadFromData(api.Document())
	if err != nil {
		w.t.Fatal(err)
	}
	fill := strings.NewReplacer("{account_id}", w.account, "{prefix_id}", prefixID, "{bgp_prefix_id}", bgpID, "{binding_id}", bindingID,
		"{delegation_id}", strings.Repeat("1", 32), "{loa_document_id}", strings.Repeat("2", 32), "{token_id}", strings.Repeat("3", 32),
		"{generation}", "1", "{neighbor}", "transit-a", "{site}", "ams",
		"{change_id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "{trip_id}", "trip-1", "{approval_id}", "01A", "{rollout_id}", "r1-x",
		"{snapshot_id}", strings.Repeat("a", 64), "{part}", strings.Repeat("b", 64), "{speaker}", "intruder")
	queries := map[string]string{"diffSnapshots": "?from=0&to=1", "getEdgeConfig": "?system=frr", "watchEdgeBindings": "?machine=m1&site=fra"}
	var out []documented
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			d := documented{id: op.OperationID, method: method, path: fill.Replace(path) + queries[op.OperationID], cloudflare: strings.HasPrefix(path, "/client/")}
			if strings.Contains(d.path, "{") {
				w.t.Fatalf("%s: the test does not know how to fill %s", d.id, path)
			}
			if op.RequestBody != nil {
				for media, content := range op.RequestBody.Value.Content {
					name := content.Schema.Ref[strings.LastIndex(content.Schema.Ref, "/")+1:]
					body, known := w.bodies()[name]
					if !known {
						w.t.Fatalf("%s: the test has no body for %s", d.id, name)
					}
					d.body, d.media = body, media
					if media == "multipart/form-data" {
						d.media += "; boundary=x"
					}
				}
			}
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b documented) int { return strings.Compare(a.id, b.id) })
	return out
}

// Over every operation of the document: a read-only token changes nothing, and
// a token of another account neither changes nor sees anything of this one.
// What each may is compared with the permissions the document declares.
func TestNobodyElse(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	before := w.version()
	forbidden := []string{d.ID, d.BGP[0].ID, d.Bindings[0].ID, "192.0.2.0/24"}
	calls := 0
	for _, token := range []string{"", "read-only", "observer", "foreign", "on-demand", "approve", "glass"} {
		for _, op := range w.everyOperation(d.ID, d.BGP[0].ID, d.Bindings[0].ID) {
			if token == "on-demand" && (op.id == "editAccountBGPPrefix" || op.id == "editAccountStatus" || op.id == "withdrawPrefix" || op.id == "advertisePrefix") {
				continue // what it is for
			}
			if slices.Contains(lastResort[token], op.id) {
				continue // TestLastResortRoles
			}
			calls++
			r := w.do(token, op.method, op.path, op.body, "Content-Type", op.media)
			name := fmt.Sprintf("%s as %q: %d %s", op.id, token, r.status, r.body)
			success := r.status < 300
			if success && op.method != http.MethodGet {
				if op.id == "createAccountLOADocument" || token == "" {
					t.Errorf("mutation succeeded: %s", name)
				} else if w.version() != before {
					t.Fatalf("mutation succeeded: %s", name)
				} else {
					t.Errorf("mutation answered success: %s", name)
				}
			}
			if token == "" && success {
				t.Errorf("success without a token: %s", name)
			}
			if token == "foreign" {
				if op.cloudflare && r.status != http.StatusForbidden {
					t.Errorf("foreign account: %s", name)
				}
				for _, secret := range forbidden {
					if success && strings.Contains(string(r.body), secret) {
						t.Errorf("sees %s: %s", secret, name)
					}
				}
			}
			if r.status >= 500 {
				t.Errorf("server error: %s", name)
			}
		}
	}
	if got := w.version(); got != before {
		t.Errorf("desired state moved from version %d to %d", before, got)
	}
	if len(w.desk.done) > 0 {
		t.Errorf("an operator's verbs were carried out: %v", w.desk.done)
	}
	if w.breaker.reset != nil || w.pipe.rollback.Reason != "" {
		t.Error("the breaker was reset or a rollback was run")
	}
	t.Logf("%d calls", calls)
}

// lastResort is what the two roles are for that are neither an owner's nor an
// operator's.
var lastResort = map[string][]string{
	"approve": {"approveApproval", "denyApproval", "approveCleanup", "resetBreaker", "loosenBreakerLimits"}, // as the second person
	"glass":   {"emergencyWithdraw", "rollback", "restore", "undoChange", "tripBreaker", "freeze", "verifySnapshots", "pinSnapshot"},
}

// The roles approve and break-glass may do exactly what they are for, and a
// reader's reads.
func TestLastResortRoles(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	for token, may := range lastResort {
		asked := 0
		for _, op := range w.everyOperation(d.ID, d.BGP[0].ID, d.Bindings[0].ID) {
			observer := w.do("observer", op.method, op.path, op.body, "Content-Type", op.media).status
			got := w.do(token, op.method, op.path, op.body, "Content-Type", op.media).status
			if !slices.Contains(may, op.id) {
				if (got == http.StatusForbidden) != (observer == http.StatusForbidden) {
					t.Errorf("%s as %s: %d, a reader gets %d", op.id, token, got, observer)
				}
				continue
			}
			asked++
			if got != http.StatusOK && got != http.StatusNotFound {
				t.Errorf("%s as %s: %d", op.id, token, got)
			}
		}
		if asked != len(may) {
			t.Errorf("%s: %d of %d operations are in the document", token, asked, len(may))
		}
	}
	if !strings.Contains(w.log.String(), `msg="break-glass token used" page=true`) {
		t.Error("nobody was paged")
	}
}

// An operator's token that was stolen cannot make itself an approver, nor
// renew one; whoever has the role may hand it on.
func TestRolesAreHandedOnByWhoHasThem(t *testing.T) {
	w := newWorld(t)
	tokens, err := w.reg.Tokens(context.Background(), addressing.EveryAccount())
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"approve", "break-glass"} {
		if r := w.do("operator", "POST", "/v1/tokens", `{"role":"`+role+`"}`); r.status != 403 || !strings.Contains(string(r.body), "admin socket") {
			t.Errorf("an operator makes a token with the role %s: %d %s", role, r.status, r.body)
		}
		for _, k := range tokens {
			if string(k.Role) != role {
				continue
			}
			if k.CreatedBy != "operator/uid:0" {
				t.Errorf("made by %q", k.CreatedBy)
			}
			if r := w.do("operator", "POST", "/v1/tokens/"+k.ID+"/rotate", ""); r.status != 403 {
				t.Errorf("an operator renews a token with the role %s: %d %s", role, r.status, r.body)
			}
		}
		if r := w.onSocket("POST", "/v1/tokens", `{"role":"`+role+`"}`); r.status != 201 {
			t.Errorf("a person on the socket makes a token with the role %s: %d %s", role, r.status, r.body)
		}
		if r := w.onSocket("POST", "/v1/tokens", `{"role":"`+role+`","account_id":"`+w.account+`"}`); r.status != 400 {
			t.Errorf("a token with the role %s for one account: %d %s", role, r.status, r.body)
		}
	}
}

// The operator may call every operation: each answers success or a refusal
// that comes from the objects, never 401, 403 or 5xx. It proves that the
// requests of TestNobodyElse are good ones.
func TestOperatorMayCallEverything(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	succeeded := 0
	for _, op := range w.everyOperation(d.ID, d.BGP[0].ID, d.Bindings[0].ID) {
		r := w.do("operator", op.method, op.path, op.body, "Content-Type", op.media)
		switch {
		case r.status < 300:
			succeeded++
		case r.status == 404 || r.status == 409:
		case (op.id == "approveApproval" || op.id == "approveCleanup") && r.status == 403: // DESIGN section 4: all of /v1, no approvals
		default:
			t.Errorf("%s: %d %s", op.id, r.status, r.body)
		}
	}
	if succeeded < 58 {
		t.Errorf("only %d operations succeeded", succeeded)
	}
}

// Every answer of every operation is one that the document describes.
func TestAnswersFollowTheDocument(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	spec, err := openapi3.NewLoader().LoadFromData(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range w.everyOperation(d.ID, d.BGP[0].ID, d.Bindings[0].ID) {
		for _, token := range []string{"operator", "foreign"} {
			r := w.do(token, op.method, op.path, op.body, "Content-Type", op.media)
			var declared *openapi3.Operation
			for _, item := range spec.Paths.Map() {
				for _, o := range item.Operations() {
					if o.OperationID == op.id {
						declared = o
					}
				}
			}
			response := declared.Responses.Value(fmt.Sprint(r.status))
			if response == nil {
				response = declared.Responses.Default()
				if r.status < 300 {
					t.Errorf("%s: status %d is not in the document", op.id, r.status)
					continue
				}
			}
			checkAnswer(t, op.id, response.Value, r)
		}
	}
}

func checkAnswer(t *testing.T, id string, declared *openapi3.Response, r reply) {
	t.Helper()
	media := r.header.Get("Content-Type")
	content := declared.Content.Get(media)
	if content == nil {
		t.Errorf("%s: %s is not in the document", id, media)
		return
	}
	if media == "application/pdf" || media == "application/octet-stream" {
		return
	}
	var v any
	r.json(t, &v)
	if err := content.Schema.Value.VisitJSON(v); err != nil {
		t.Errorf("%s: %d %s: %v", id, r.status, r.body, err)
	}
}

// A list cannot be widened: the account of another one is not found.
func TestListsStayInScope(t *testing.T) {
	w := newWorld(t)
	w.prefix(w.account, "192.0.2.0/24", true)
	w.prefix(w.other, "198.51.100.0/24", true)
	for _, path := range []string{"/v1/prefixes", "/v1/prefixes/pending-deletions", "/v1/negative-intents"} {
		if r := w.do("admin", "GET", path+"?account_id="+url.QueryEscape(w.other), ""); r.status != 404 {
			t.Errorf("%s of another account: %d %s", path, r.status, r.body)
		}
		r := w.do("admin", "GET", path, "")
		if r.status != 200 || !strings.Contains(string(r.body), "account:"+w.account) || strings.Contains(string(r.body), "198.51.100.0") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	r, err := w.client("operator").ListPrefixesWithResponse(context.Background(), nil)
	if err != nil || r.JSON200 == nil || r.JSON200.Count != 2 || r.JSON200.Scope != "all-accounts" || r.JSON200.Environment != "test" {
		t.Errorf("operator's list: %v %s", err, r.Body)
	}
}
