package api_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Secrets that people send, in the right place or in a wrong one, reach no
// line of the log, no answer, no mirror and no audit record (SEC-01, SEC-03).
func TestSecretsReachNoLog(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	secrets := []string{w.tokens["admin"], w.tokens["operator"], "hf_" + strings.Repeat("Zq7", 14) + "x", "cf-global-api-key-5be8f0", "sess-9f1d77c2", "hunter2-passphrase"}
	basic := base64.StdEncoding.EncodeToString([]byte("root:" + secrets[5]))
	var answers strings.Builder
	for _, secret := range secrets {
		q := url.QueryEscape(secret)
		for _, path := range []string{
			w.at("/prefixes"), w.at("/prefixes?access_token=" + q), w.at("/prefixes?" + q), "/v1/status?token=" + q, "/v1/tokens/" + q, "/v1/" + q,
			w.at("/prefixes/" + q), w.at("/prefixes/" + q + "/bindings"), "/healthz?key=" + q,
		} {
			for _, header := range [][]string{
				{"Authorization", "Bearer " + secret}, {"Authorization", "bearer  " + secret}, {"Authorization", secret}, {"Authorization", "Basic " + basic},
				{"X-Auth-Key", secret, "X-Auth-Email", "a@b.example"}, {"X-Auth-User-Service-Key", secret}, {"Cookie", "session=" + secret},
			} {
				r := w.do("", "GET", path, "", header...)
				if r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
					answers.Write(r.body)
				}
			}
		}
		for _, token := range []string{"admin", "operator"} {
			w.do(token, "POST", "/v1/tokens", `{"role":"operator","token":"`+secret+`"}`)
			w.do(token, "PATCH", w.at("/prefixes/"+d.ID), `{"token":"`+secret+`"}`)
		}
	}
	created := w.do("operator", "POST", "/v1/tokens", `{"role":"operator","name":"robot"}`)
	var made struct{ ID, Token string }
	created.json(t, &made)
	rotated := w.do("operator", "POST", "/v1/tokens/"+made.ID+"/rotate", "")
	var next struct{ Token string }
	rotated.json(t, &next)
	if made.Token == "" || next.Token == "" || made.Token == next.Token {
		t.Fatalf("created %d, rotated %d", created.status, rotated.status)
	}
	audit := w.do("operator", "GET", "/v1/audit?limit=1000", "")
	mirror, err := os.ReadFile(filepath.Join(w.dir, "auth.json"))
	if err != nil || audit.status != 200 || len(mirror) == 0 {
		t.Fatalf("mirror %v, audit %d", err, audit.status)
	}
	database, err := os.ReadFile(filepath.Join(w.dir, "intent.db-wal"))
	if err != nil || len(database) == 0 {
		t.Fatalf("database: %v", err)
	}
	for _, secret := range append(secrets, basic, made.Token, next.Token) {
		for where, text := range map[string]string{"the log": w.log.String(), "an answer": answers.String(), "the audit log": string(audit.body), "the mirror": string(mirror), "the database": string(database)} {
			if strings.Contains(text, secret) {
				i := strings.Index(text, secret)
				t.Errorf("%s has %s: ...%.200s", where, secret, text[max(0, i-100):])
			}
		}
	}
	if !strings.Contains(w.log.String(), "token="+w.tokens["admin"][len(w.tokens["admin"])-4:]) {
		t.Error("the log does not tell which token was used")
	}
}
