//go:build interop

package observed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLinesOfBgpdump: what bgpdump -m prints of a table is read as the same
// routes as the table itself.
func TestLinesOfBgpdump(t *testing.T) {
	raw := table(t)
	plain := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(plain, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	printed, err := exec.Command("bgpdump", "-m", plain).Output()
	if err != nil {
		t.Fatalf("bgpdump: %v", err)
	}
	var want, got []string
	for s, err := range MRT(raw.reader()) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, text(s))
	}
	for s, err := range Lines(bytes.NewReader(printed)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text(s))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-MRT +lines:\n%.2000s", diff)
	}
}
