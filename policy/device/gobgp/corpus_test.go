package gobgp_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/device/gobgp"
)

// At least 95 of 100 lines that bear on policy are understood, in the examples
// GoBGP's own documentation has and the configurations of the oracle; each is
// recognised.
func TestCorpusCoverage(t *testing.T) {
	understood, relevant, files := 0, 0, 0
	for _, pattern := range []string{"../../../testdata/corpus/gobgp/*", "../../../testdata/oracle/configs/gobgp/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) < 10 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if d, _ := frontend.Recognise(name, data); d != device.GoBGP {
				t.Errorf("%s: recognised as %q", name, d)
			}
			cfg := gobgp.Parse(device.Input{Path: name, Data: data})
			u, r := cfg.Understood()
			understood, relevant, files = understood+u, relevant+r, files+1
			if len(cfg.Statements) == 0 {
				t.Errorf("%s: no statements", name)
			}
		}
	}
	t.Logf("understood %d of %d lines of %d files (%.1f %%)", understood, relevant, files, 100*float64(understood)/float64(relevant))
	if relevant < 500 || understood*100 < relevant*95 {
		t.Errorf("understood %d of %d lines that bear on policy, want 95 %%", understood, relevant)
	}
}
