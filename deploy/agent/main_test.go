package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/client"
)

// The file is written before the acknowledgement, and stays as it was when the
// answer is of another environment or none at all.
func TestAgent(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "bindings.json")
	var environment, status atomic.Value
	environment.Store("test")
	status.Store(http.StatusOK)
	var acknowledged atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer secret" || status.Load().(int) != http.StatusOK {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.Method == http.MethodPost {
			var body client.EdgeAcknowledgement
			if _, err := os.Stat(file); err != nil || json.NewDecoder(r.Body).Decode(&body) != nil {
				t.Error("acknowledged before the file was there")
			}
			acknowledged.Store(body.Generation)
			_ = json.NewEncoder(w).Encode(client.EdgeMachine{Name: body.Machine, Generation: body.Generation})
			return
		}
		_ = json.NewEncoder(w).Encode(client.EdgeBindings{Generation: 7, Environment: environment.Load().(string),
			Items: []client.EdgeBinding{{AccountID: "a", Cidr: "192.0.2.0/24", Services: []string{"cdn"}}}})
	}))
	defer srv.Close()
	a := agent{server: srv.URL, environment: "test", machine: "m1", site: "fra", file: file}
	var err error
	if a.api, err = client.NewClientWithResponses(srv.URL, client.WithRequestEditorFn(bearer("secret"))); err != nil {
		t.Fatal(err)
	}
	if got, err := a.once(t.Context(), 0); err != nil || got != 7 || acknowledged.Load() != 7 {
		t.Fatalf("generation %d, acknowledged %d, %v", got, acknowledged.Load(), err)
	}
	written, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(written), `"192.0.2.0/24"`) {
		t.Fatalf("%s %v", written, err)
	}
	for _, spoil := range []func(){func() { environment.Store("other") }, func() { status.Store(http.StatusForbidden) }} {
		spoil()
		if _, err := a.once(t.Context(), 0); err == nil {
			t.Error("taken")
		}
		if now, _ := os.ReadFile(file); string(now) != string(written) {
			t.Error("the file changed")
		}
	}
	if err := (&agent{}).run(t.Context(), ""); err == nil {
		t.Error("ran without being told anything")
	}
}
