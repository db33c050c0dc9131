package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// mutant is a request derived from a valid one by damaging one place of it.
type mutant struct {
	how                  string
	method, target, body string
	header               http.Header
}

// mutations of a text that clients, proxies and scripts really make.
var textMutations = []struct {
	name string
	do   func(r *rand.Rand, s string) string
}{
	{"drop a byte", func(r *rand.Rand, s string) string { i := r.IntN(len(s)); return s[:i] + s[i+1:] }},
	{"double a byte", func(r *rand.Rand, s string) string { i := r.IntN(len(s)); return s[:i+1] + s[i:] }},
	{"swap bytes", func(r *rand.Rand, s string) string {
		b := []byte(s)
		i, j := r.IntN(len(b)), r.IntN(len(b))
		b[i], b[j] = b[j], b[i]
		return string(b)
	}},
	{"insert", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s) + 1)
		junk := []string{"&", ";", "=", "%", "%zz", "%00", "/", "//", "?", "#", "+", " ", ",", "..", "\"", "{", "}", "null", "true", "*", "\x00", "\xff", "é"}
		return s[:i] + junk[r.IntN(len(junk))] + s[i:]
	}},
	{"cut", func(r *rand.Rand, s string) string { return s[:r.IntN(len(s))] }},
	{"change case", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		return s[:i] + strings.ToUpper(s[i:i+1]) + s[i+1:]
	}},
	{"escape a byte", func(r *rand.Rand, s string) string {
		i := r.IntN(len(s))
		return s[:i] + fmt.Sprintf("%%%02X", s[i]) + s[i+1:]
	}},
}

var queryJunk = []string{"pending_delete", "pending_delete=", "pending_delete=true", "pendingdelete=true", "x=1;pending_delete=true",
	"pending_delete=%zz", "all=true", "force=1", "page=1", "per_page=5", "cidr", "cidr=", "account_id=", "account_id=*", "filter[]=x", "&&"}

var bodyJunk = []string{`"all":true`, `"force":true`, `"advertised":false`, `"approved":"V"`, `"account_id":"ffffffffffffffffffffffffffffffff"`,
	`"on_demand":{"advertised":false}`, `"cidr":"0.0.0.0/0"`, `"cidr":null`, `"asn":null`, `"description":"x"`, `"":""`}

// mutate damages one place of the request.
func mutate(r *rand.Rand, m mutant) mutant {
	m.header = m.header.Clone()
	path, query, _ := strings.Cut(m.target, "?")
	switch k := r.IntN(6); {
	case k == 0 && m.body != "":
		t := textMutations[r.IntN(len(textMutations))]
		m.how, m.body = "body: "+t.name, t.do(r, m.body)
	case k == 1 && strings.HasPrefix(m.body, "{"):
		junk := bodyJunk[r.IntN(len(bodyJunk))]
		sep := ","
		if strings.TrimSpace(m.body) == "{}" {
			sep = ""
		}
		m.how, m.body = "body: add "+junk, "{"+junk+sep+m.body[1:]
	case k == 2:
		t := textMutations[r.IntN(len(textMutations))]
		m.how, path = "path: "+t.name, t.do(r, path)
	case k == 3:
		segments := strings.Split(path, "/")
		i := 1 + r.IntN(len(segments)-1)
		junk := []string{"", ".", "..", "*", "all", "%2F", "x,y", "prefixes"}[r.IntN(8)]
		segments[i] = junk
		m.how, path = "path: segment becomes "+junk, strings.Join(segments, "/")
	case k == 4 && query != "":
		t := textMutations[r.IntN(len(textMutations))]
		m.how, query = "query: "+t.name, t.do(r, query)
	default:
		junk := queryJunk[r.IntN(len(queryJunk))]
		m.how = "query: add " + junk
		if query == "" || r.IntN(2) == 0 {
			query = strings.TrimPrefix(query+"&"+junk, "&")
		} else {
			query = junk + "&" + query
		}
	}
	m.target = path
	if query != "" || strings.HasPrefix(m.how, "query") {
		m.target += "?" + query
	}
	return m
}

// send serves the request in process, with the target exactly as it is; ok is
// false when net/http itself could not read such a request line.
func (w *world) send(m mutant) (reply, bool) {
	u, err := url.ParseRequestURI(m.target)
	if err != nil || strings.ContainsAny(m.target, " \n\r\t\x00") {
		return reply{}, false
	}
	r := &http.Request{Method: m.method, URL: u, RequestURI: m.target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "holdfast",
		Header: m.header, Body: io.NopCloser(strings.NewReader(m.body)), ContentLength: int64(len(m.body)), RemoteAddr: "192.0.2.200:1"}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return reply{rec.Code, rec.Result().Header, rec.Body.Bytes()}, true
}

// effect is what a request did, apart from ids and times: the desired state
// that may change on the wire, and how much the answer shows.
func (w *world) footprint() string {
	s, err := w.reg.State(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range s.Prefixes {
		d := "-"
		if p.Description != nil {
			d = *p.Description
		}
		fmt.Fprintf(&b, "p %s %s %d %s %q\n", p.AccountID, p.CIDR, p.ASN, p.State, d)
	}
	for _, g := range s.BGPPrefixes {
		fmt.Fprintf(&b, "g %s %v %d %v\n", g.CIDR, g.Advertised, g.Prepend, g.AutoAdvertiseWithdraw)
	}
	for _, x := range s.Bindings {
		fmt.Fprintf(&b, "b %s %s %s\n", x.PrefixID, x.CIDR, x.ServiceID)
	}
	fmt.Fprintf(&b, "accounts %d services %d negative %d\n", len(s.Accounts), len(s.Services), len(s.Negative))
	return b.String()
}

// 10,000 damaged requests: each is a 4xx that changes nothing, or it means the
// same as the typed request that it was made from, or as the typed request
// that its own text spells out. None falls through to anything wider (ADR-01).
func TestMutatedRequestsNeverWiden(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	quiet := w.prefix(w.account, "198.51.100.0/24", false)
	w.prefix(w.other, "203.0.113.0/24", true)
	w.build()
	header := http.Header{"Authorization": {"Bearer " + w.tokens["admin"]}, "Content-Type": {"application/json"}}
	operator := http.Header{"Authorization": {"Bearer " + w.tokens["operator"]}, "Content-Type": {"application/json"}}
	valid := []mutant{
		{method: "GET", target: w.at("/prefixes"), header: header},
		{method: "GET", target: w.at("/prefixes/" + d.ID), header: header},
		{method: "GET", target: w.at("/prefixes/" + d.ID + "/bindings"), header: header},
		{method: "GET", target: "/v1/prefixes?cidr=192.0.2.0/24&account_id=" + w.account, header: operator},
		{method: "GET", target: "/v1/prefixes/pending-deletions", header: operator},
		{method: "GET", target: "/v1/audit?limit=3&since=2026-02-20T17:56:00Z", header: operator},
		{method: "PATCH", target: w.at("/prefixes/" + quiet.ID), body: `{"description":"same"}`, header: header},
		{method: "PATCH", target: w.at("/prefixes/" + d.ID + "/bgp/prefixes/" + d.BGP[0].ID), body: `{"on_demand":{"advertised":true}}`, header: header},
		{method: "PATCH", target: w.at("/prefixes/" + d.ID + "/bgp/status"), body: `{"advertised":true}`, header: header},
		{method: "DELETE", target: w.at("/prefixes/" + d.ID), header: header},
		{method: "DELETE", target: w.at("/prefixes/" + d.ID + "/bindings/" + d.Bindings[0].ID), body: `{}`, header: header},
		{method: "POST", target: w.at("/prefixes"), body: `{"cidr":"192.0.2.0/24","asn":64500}`, header: header},
	}
	for _, v := range valid { // a description is set once, so that repeating it is a no-op
		w.send(v)
	}
	start := w.footprint()
	r := rand.New(rand.NewPCG(20, 2))
	refused, same, unreadable := 0, 0, 0
	for refused+same < 10_000 {
		v := valid[r.IntN(len(valid))]
		m := mutate(r, v)
		got, ok := w.send(m)
		if !ok {
			unreadable++
			continue
		}
		if got.status >= 500 {
			t.Fatalf("%s: %s %s %s: %d %s", m.how, m.method, m.target, m.body, got.status, got.body)
		}
		if got.status >= 300 && got.status < 400 {
			t.Fatalf("%s: %s %s redirects", m.how, m.method, m.target)
		}
		if got.status >= 400 {
			refused++
			continue
		}
		same++
		w.meansWhatItSays(m, v, got)
		if v.method == "POST" {
			w.createdAsSaid(m, got)
			continue
		}
		if v.method == "PATCH" && strings.HasPrefix(m.how, "body") {
			w.send(v) // put a changed description or prepend back
			w.restore(d, quiet)
		}
	}
	if now := w.footprint(); now != start {
		t.Errorf("desired state was\n%sand is\n%s", start, now)
	}
	t.Logf("%d refused, %d understood as what they say, %d not HTTP", refused, same, unreadable)
}

// restore puts back what a mutated but well-formed patch may have said.
func (w *world) restore(d, quiet addressing.PrefixDetail) {
	w.t.Helper()
	for _, fix := range []mutant{
		{method: "PATCH", target: w.at("/prefixes/" + quiet.ID), body: `{"description":"same"}`},
		{method: "PATCH", target: w.at("/prefixes/" + d.ID + "/bgp/prefixes/" + d.BGP[0].ID), body: `{"on_demand":{"advertised":true},"asn_prepend_count":0,"auto_advertise_withdraw":false}`},
	} {
		fix.header = http.Header{"Authorization": {"Bearer " + w.tokens["admin"]}, "Content-Type": {"application/json"}}
		if r, _ := w.send(fix); r.status != 200 {
			w.t.Fatalf("putting things back: %d %s", r.status, r.body)
		}
	}
}

// createdAsSaid checks that a create made exactly what its body spells out,
// unapproved, and removes it again.
func (w *world) createdAsSaid(m mutant, got reply) {
	w.t.Helper()
	var asked struct {
		Cidr string `json:"cidr"`
		Asn  int64  `json:"asn"`
	}
	var made struct {
		Result struct {
			ID, Cidr, Approved string
			AccountID          string `json:"account_id"`
			Asn                int64
		} `json:"result"`
	}
	got.json(w.t, &made)
	err := json.Unmarshal([]byte(m.body), &asked)
	p := made.Result
	if err != nil || p.Cidr != asked.Cidr || p.Asn != asked.Asn || p.Approved != "P" || p.AccountID != w.account {
		w.t.Errorf("%s: %s %s made %s", m.how, m.target, m.body, got.body)
	}
	if r, _ := w.send(mutant{method: "DELETE", target: w.at("/prefixes/" + p.ID), header: m.header}); r.status != 200 {
		w.t.Fatalf("removing it again: %d %s", r.status, r.body)
	}
}

// meansWhatItSays checks a mutant that was taken: its query must have kept
// every restriction, its path must name an operation of the same account, and
// a list must show no more than its own text asks for.
func (w *world) meansWhatItSays(m, v mutant, got reply) {
	w.t.Helper()
	say := func(format string, args ...any) {
		w.t.Errorf("%s: %s %s %s answers %d %s: %s", m.how, m.method, m.target, m.body, got.status, got.body, fmt.Sprintf(format, args...))
	}
	path, query, _ := strings.Cut(m.target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		say("its query cannot be decoded")
		return
	}
	for name, all := range values {
		if len(all) != 1 || all[0] == "" {
			say("parameter %q is repeated or empty", name)
		}
	}
	if strings.HasPrefix(path, "/client/") && !strings.HasPrefix(path, accountPath+w.account+"/") {
		say("another account")
	}
	if m.method != http.MethodGet && path != strings.SplitN(v.target, "?", 2)[0] && !strings.HasPrefix(path, w.at("")) {
		say("a mutation went elsewhere")
	}
	if strings.HasPrefix(path, "/v1/prefixes") && !strings.HasPrefix(path, "/v1/prefixes/pending") && m.method == http.MethodGet {
		w.listSays(values, got, say)
	}
	if m.body != "" {
		d := json.NewDecoder(bytes.NewReader([]byte(m.body)))
		var one, more any
		if d.Decode(&one) != nil || d.Decode(&more) != io.EOF {
			say("its body is not one JSON value")
		}
	}
}

// listSays checks that a list shows nothing that its own query excludes.
func (w *world) listSays(values url.Values, got reply, say func(string, ...any)) {
	w.t.Helper()
	var list struct {
		Items []struct {
			Cidr      string `json:"cidr"`
			AccountID string `json:"account_id"`
		} `json:"items"`
	}
	if json.Unmarshal(got.body, &list) != nil {
		return
	}
	for _, item := range list.Items {
		if want := values.Get("cidr"); want != "" && netip.MustParsePrefix(item.Cidr).String() != want {
			say("shows %s", item.Cidr)
		}
		if want := values.Get("account_id"); want != "" && item.AccountID != want {
			say("shows account %s", item.AccountID)
		}
	}
}
