package bird_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
)

// corpus are the configurations that are kept in the repository.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"../../../testdata/corpus/bird/*", "../../../testdata/oracle/configs/bird*/*"} {
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

// At least 95 of 100 lines that bear on policy are understood; every statement
// has a place and a text; each file is recognised.
func TestCorpus(t *testing.T) {
	understood, relevant := 0, 0
	for name, data := range corpus(t) {
		if d, ok := frontend.Recognise(name, data); !ok || d != device.BIRD {
			t.Errorf("%s: recognised as %q", name, d)
		}
		cfg, _ := frontend.Parse(device.BIRD, device.Input{Path: name, Data: data})
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
	if relevant < 800 || understood*100 < relevant*95 {
		t.Errorf("understood %d of %d lines that bear on policy, want 95 %%", understood, relevant)
	}
}
