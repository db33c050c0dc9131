// Package corpustest measures front ends on configurations of real networks. It
// takes patterns of files in the repository and gives what is in them; it is
// for tests.
package corpustest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
)

// Files reads every file that a pattern matches. A pattern that matches none
// fails the test.
func Files(t testing.TB, patterns ...string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = data
		}
	}
	return files
}

// Understood demands that each file is recognised as the dialect, that every
// statement has a place and a text, and that of at least so many lines that
// bear on policy 95 of 100 are understood.
func Understood(t *testing.T, dialect device.Dialect, files map[string][]byte, lines int) {
	t.Helper()
	understood, relevant := 0, 0
	for name, data := range files {
		if d, ok := frontend.Recognise(name, data); !ok || d != dialect {
			t.Errorf("%s: recognised as %q", name, d)
		}
		cfg, _ := frontend.Parse(dialect, device.Input{Path: name, Data: data})
		u, r := cfg.Understood()
		understood, relevant = understood+u, relevant+r
		for _, s := range cfg.Statements {
			if s.Pos.Line < 1 || s.Text == "" {
				t.Errorf("%s: statement without place or text: %+v", name, s)
			}
			if s.State == device.Unread {
				t.Logf("%s: %s %s", s.Pos, s.Text, s.Why)
			}
		}
		for _, d := range cfg.Diagnostics {
			if cfg.Broken {
				t.Logf("%s: %s %s", d.Pos, d.Rule, d.Message)
			}
		}
	}
	t.Logf("understood %d of %d lines (%.1f %%)", understood, relevant, 100*float64(understood)/float64(relevant))
	if relevant < lines || understood*100 < relevant*95 {
		t.Errorf("understood %d of %d lines that bear on policy, want 95 %%", understood, relevant)
	}
}
