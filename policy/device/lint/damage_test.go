package lint

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
)

// Whatever happens to a file, cut off, bits flipped, lines doubled or lost, it is
// judged without a panic, and what cannot be read is said.
func TestDamagedConfigurations(t *testing.T) {
	var texts [][]byte
	var dialects []device.Dialect
	for pattern, d := range map[string]device.Dialect{
		"corpus/junos/*": device.Junos, "corpus/frr/*": device.FRR, "corpus/ios/*": device.IOS, "corpus/eos/*": device.EOS, "corpus/nxos/*": device.NXOS, "corpus/gobgp/*": device.GoBGP,
	} {
		names, err := filepath.Glob(testdata + pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		slices.Sort(names)
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts, dialects = append(texts, data), append(dialects, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(texts)-1).Draw(t, "file")
		data := slices.Clone(texts[at])
		for range rapid.IntRange(1, 4).Draw(t, "times") {
			if len(data) == 0 {
				break
			}
			i := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				data = data[:i]
			case 1:
				data[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			case 2:
				j := min(i+rapid.IntRange(1, 200).Draw(t, "length"), len(data))
				data = slices.Delete(data, i, j)
			default:
				j := min(i+rapid.IntRange(1, 200).Draw(t, "length"), len(data))
				data = slices.Insert(data, i, slices.Clone(data[i:j])...)
			}
		}
		cfg, _ := frontend.Parse(dialects[at], device.Input{Path: "router", Data: data})
		if res := None().Check(cfg); slices.ContainsFunc(res.Findings, func(f Finding) bool { return f.Rule == "RL904" }) {
			t.Fatalf("the evaluators do not agree:\n%s", data)
		}
	})
}
