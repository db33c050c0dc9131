package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
)

// SNP-06, the first of four places: the command sends nothing to a daemon of
// another environment than the one that was named, and has none of its own.
func TestEnvironmentMatrix(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hf_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	names := []string{"prod", "staging", "lab", "prod2"}
	for _, runs := range names {
		sent := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path == "/v1/status" {
				fmt.Fprintf(w, `{"environment":%q}`, runs)
				return
			}
			sent++
			fmt.Fprintf(w, `{"items":[],"scope":"all","environment":%q,"count":0,"total":0}`, runs)
		}))
		verb := func(flags ...string) int {
			var said bytes.Buffer
			args := append(append([]string{"holdfast"}, flags...), "--server", s.URL, "--token-file", token, "-o", "json", "account", "list")
			a := app()
			a.Writer = &said
			return strictcli.Run(t.Context(), a, args, &said)
		}
		for _, said := range names {
			sent = 0
			code := verb("-e", said)
			if want := said == runs; (code == 0) != want || (sent > 0) != want || !want && code != strictcli.ExitRefused {
				t.Errorf("-e %s at a daemon of %s: exit code %d, %d requests", said, runs, code, sent)
			}
		}
		sent = 0
		if code := verb(); code != 2 || sent > 0 {
			t.Errorf("without -e: exit code %d, %d requests", code, sent)
		}
		s.Close()
	}
}
