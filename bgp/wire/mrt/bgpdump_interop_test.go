//go:build interop

package mrt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCountsAsBgpdump: Debian's bgpdump reads as many elements of each kind.
func TestCountsAsBgpdump(t *testing.T) {
	files, err := filepath.Glob("testdata/*.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw := dump(t, filepath.Base(file))
			plain := filepath.Join(t.TempDir(), "dump")
			if err := os.WriteFile(plain, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			text, err := exec.Command("bgpdump", "-m", plain).Output()
			if err != nil {
				t.Fatalf("bgpdump: %v", err)
			}
			want := map[string]int{}
			for l := range strings.Lines(string(text)) {
				want[strings.Split(l, "|")[2]]++
			}
			got := map[string]int{}
			for _, l := range lines(t, raw) {
				for kind, letter := range map[Kind]string{TableEntry: "B", Advertised: "A", Withdrawn: "W", SessionState: "STATE"} {
					if strings.Contains(l, " "+kind.String()+" ") {
						got[letter]++
					}
				}
			}
			if len(want) == 0 {
				t.Fatal("bgpdump reads nothing")
			}
			for letter := range want {
				if got[letter] != want[letter] {
					t.Errorf("%s: %d, bgpdump has %d", letter, got[letter], want[letter])
				}
			}
		})
	}
}
