package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func bodySchema(t testing.TB, pattern string) *bodyRule {
	t.Helper()
	op := testGate(t).ops[pattern]
	if op == nil || op.body == nil {
		t.Fatalf("%s has no body", pattern)
	}
	return op.body
}

const (
	createPrefixPattern = "POST /client/v4/accounts/{account_id}/addressing/prefixes"
	editPrefixPattern   = "PATCH /client/v4/accounts/{account_id}/addressing/prefixes/{prefix_id}"
	editBGPPattern      = "PATCH /client/v4/accounts/{account_id}/addressing/prefixes/{prefix_id}/bgp/prefixes/{bgp_prefix_id}"
	createTokenPattern  = "POST /v1/tokens"
)

func TestBodyRefuses(t *testing.T) {
	tests := []struct {
		name, pattern, body, pointer string
	}{
		{"unknown field", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":64500,"x":1}`, "/x"},
		{"field in another case", createPrefixPattern, `{"CIDR":"192.0.2.0/24","asn":64500}`, "/CIDR"},
		{"duplicate field", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1,"cidr":"198.51.100.0/24"}`, "/cidr"},
		{"duplicate through an escape", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1,"c\u0069dr":"198.51.100.0/24"}`, "/cidr"},
		{"trailing data", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1}{}`, ""},
		{"trailing bracket", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1}]`, ""},
		{"required missing", createPrefixPattern, `{"cidr":"192.0.2.0/24"}`, "/asn"},
		{"null", createPrefixPattern, `null`, ""},
		{"array", createPrefixPattern, `[]`, ""},
		{"string", createPrefixPattern, `"x"`, ""},
		{"half", createPrefixPattern, `{"cidr":`, "/cidr"},
		{"asn as text", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":"64500"}`, "/asn"},
		{"asn with point", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":64500.0}`, "/asn"},
		{"asn with exponent", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":645e2}`, "/asn"},
		{"asn zero", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":0}`, "/asn"},
		{"asn past 32 bits", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":4294967296}`, "/asn"},
		{"asn null", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":null}`, "/asn"},
		{"cidr empty", createPrefixPattern, `{"cidr":"","asn":1}`, "/cidr"},
		{"description too long", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1,"description":"` + strings.Repeat("x", 1001) + `"}`, "/description"},
		{"lone surrogate", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1,"description":"\ud800"}`, "/description"},
		{"control character", createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1,"description":"a\u0000b"}`, "/description"},
		{"not UTF-8", createPrefixPattern, "{\"cidr\":\"192.0.2.0/24\",\"asn\":1,\"description\":\"\xff\"}", ""},
		{"byte order mark", createPrefixPattern, "\ufeff{}", ""},
		{"single quotes", createPrefixPattern, `{'cidr':'192.0.2.0/24'}`, ""},
		{"comment", createPrefixPattern, `{/*x*/}`, ""},
		{"empty patch of the description", editPrefixPattern, `{}`, "/description"},
		{"advertised null", editBGPPattern, `{"on_demand":{"advertised":null}}`, "/on_demand/advertised"},
		{"on_demand null", editBGPPattern, `{"on_demand":null}`, "/on_demand"},
		{"advertised as text", editBGPPattern, `{"on_demand":{"advertised":"false"}}`, "/on_demand/advertised"},
		{"advertised as number", editBGPPattern, `{"on_demand":{"advertised":0}}`, "/on_demand/advertised"},
		{"advertised at the wrong place", editBGPPattern, `{"advertised":false}`, "/advertised"},
		{"duplicate inside", editBGPPattern, `{"on_demand":{"advertised":true,"advertised":false}}`, "/on_demand/advertised"},
		{"prepend too large", editBGPPattern, `{"asn_prepend_count":4}`, "/asn_prepend_count"},
		{"prepend negative", editBGPPattern, `{"asn_prepend_count":-1}`, "/asn_prepend_count"},
		{"prepend minus zero", editBGPPattern, `{"asn_prepend_count":-0}`, "/asn_prepend_count"},
		{"nested too deeply", editBGPPattern, strings.Repeat(`{"on_demand":`, 40) + "1" + strings.Repeat("}", 40), ""},
		{"role unknown", createTokenPattern, `{"role":"root"}`, "/role"},
		{"role empty", createTokenPattern, `{"role":""}`, "/role"},
		{"account empty", createTokenPattern, `{"role":"admin","account_id":""}`, "/account_id"},
		{"time without zone", createTokenPattern, `{"role":"operator","expires_at":"2026-02-20T17:56:00"}`, "/expires_at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkBody(bodySchema(t, tt.pattern).schema, []byte(tt.body))
			var input *inputError
			if !errors.As(err, &input) {
				t.Fatalf("%s was taken (%v)", tt.body, err)
			}
			if tt.name != "nested too deeply" && input.pointer != tt.pointer {
				t.Errorf("pointer %q, want %q (%v)", input.pointer, tt.pointer, err)
			}
		})
	}
}

func TestBodyTakes(t *testing.T) {
	tests := []struct{ pattern, body string }{
		{createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":64500}`},
		{createPrefixPattern, " \n{\"asn\":64500 ,\t\"cidr\":\"192.0.2.0/24\"}\n"},
		{createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":4294967295,"description":null,"loa_document_id":null,"delegate_loa_creation":false}`},
		{createPrefixPattern, `{"cidr":"192.0.2.0/24","asn":1,"description":"zwei\nZeilen, \u00e4\ud83d\ude00"}`},
		{editPrefixPattern, `{"description":null}`},
		{editPrefixPattern, `{"description":""}`},
		{editBGPPattern, `{}`},
		{editBGPPattern, `{"on_demand":{}}`},
		{editBGPPattern, `{"on_demand":{"advertised":true},"asn_prepend_count":3,"auto_advertise_withdraw":false}`},
		{createTokenPattern, `{"role":"operator","expires_at":"2026-02-20T17:56:00Z"}`},
	}
	for _, tt := range tests {
		if err := checkBody(bodySchema(t, tt.pattern).schema, []byte(tt.body)); err != nil {
			t.Errorf("%s: %v", tt.body, err)
		}
	}
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"on_demand":{"advertised":true}}`, `{"on_demand":{"advertised":false},"asn_prepend_count":3}`,
		`{"on_demand":null}`, `{"on_demand":{"advertised":true,"advertised":false}}`, `{"asn_prepend_count":1e0}`, `[]`, `{"x":1}`, "{}{}",
		`{"on_deman\u0064":{}}`} {
		f.Add([]byte(seed))
	}
	schema := bodySchema(f, editBGPPattern).schema
	f.Fuzz(func(t *testing.T, raw []byte) {
		if checkBody(schema, raw) != nil {
			return
		}
		// What passes decodes into the typed request, says nothing twice and
		// means the same when it is written and read again.
		var first, second BGPPrefixEdit
		if err := json.Unmarshal(raw, &first); err != nil {
			t.Fatalf("%q passed the gate but does not decode: %v", raw, err)
		}
		again, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkBody(schema, again); err != nil {
			t.Fatalf("%q means %s, which the gate refuses: %v", raw, again, err)
		}
		if err := json.Unmarshal(again, &second); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(second); string(got) != string(again) {
			t.Fatalf("%q means %s, then %s", raw, again, got)
		}
		if n := first.AsnPrependCount; n != nil && (*n < 0 || *n > 3) {
			t.Fatalf("%q: prepend %d", raw, *n)
		}
	})
}
