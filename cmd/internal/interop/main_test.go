//go:build interop && linux

package interop

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

const module = "github.com/holdfast-bgp/holdfast/"

// build makes programs from the sources under test and gives their directory.
func build(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range programs {
		out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(dir, filepath.Base(p)), module+p).CombinedOutput()
		if err != nil {
			t.Fatalf("build %s: %v\n%s", p, err, out)
		}
	}
	return dir
}
