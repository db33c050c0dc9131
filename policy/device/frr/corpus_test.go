package frr_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
)

var languages = []device.Dialect{device.FRR, device.IOS, device.EOS, device.NXOS}

// corpus are the configurations of a language that are kept in the repository.
func corpus(t testing.TB, d device.Dialect) map[string][]byte {
	t.Helper()
	patterns := map[device.Dialect]string{device.FRR: "frr/*", device.IOS: "device/iosxe_*", device.EOS: "device/eos_*", device.NXOS: "device/nxos_*"}
	files := map[string][]byte{}
	for _, pattern := range []string{"../../../testdata/corpus/" + string(d) + "/*", filepath.Join(oracle, "configs", patterns[d])} {
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

// At least 95 of 100 lines that bear on policy are understood in each
// language; every statement has a place, a text and, when it is not
// understood, a reason.
func TestCorpusCoverage(t *testing.T) {
	for _, d := range languages {
		understood, relevant := 0, 0
		for name, data := range corpus(t, d) {
			cfg, ok := frontend.Parse(d, device.Input{Path: name, Data: data})
			if !ok || len(cfg.Statements) == 0 {
				t.Fatalf("%s: no statements", name)
			}
			u, r := cfg.Understood()
			understood, relevant = understood+u, relevant+r
			for _, s := range cfg.Statements {
				if s.Pos.Line < 1 || s.Text == "" {
					t.Errorf("%s: statement without place or text: %+v", name, s)
				}
			}
		}
		t.Logf("%s: understood %d of %d lines (%.1f %%)", d, understood, relevant, 100*float64(understood)/float64(relevant))
		if relevant < 300 || understood*100 < relevant*95 {
			t.Errorf("%s: understood %d of %d lines that bear on policy, want 95 %%", d, understood, relevant)
		}
	}
}

// A file says by itself which of the four languages it is in. IOS files are the
// exception: some of the corpus hold words of its relatives alone.
func TestRecognise(t *testing.T) {
	for _, d := range languages {
		right, all := 0, 0
		for name, data := range corpus(t, d) {
			all++
			got, ok := frontend.Recognise(name, data)
			if !ok || d != device.IOS && got != d {
				t.Errorf("%s: recognised as %q", name, got)
			}
			if got == d {
				right++
			}
		}
		if right*100 < all*80 {
			t.Errorf("%s: %d of %d files recognised", d, right, all)
		}
	}
	for name, text := range map[string]string{
		"IOS-XR": "!! IOS XR Configuration 6.0\nrouter bgp 1\n neighbor 192.0.2.1\n  remote-as 2\n",
		"diary":  "dear diary\n", "empty": "",
	} {
		if d, ok := frontend.Recognise(name, []byte(text)); ok {
			t.Errorf("%s is recognised as %s", name, d)
		}
	}
}
