//go:build interop && linux

package interop

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The demo judges itself by its bars, those of time among them, and ends with
// an error that names each one it missed.
func TestDemo(t *testing.T) {
	dir := build(t, "cmd/holdfastd", "cmd/holdfast", "cmd/internal/demo")
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "demo")).CombinedOutput()
	t.Logf("\n%s", out)
	if err != nil {
		t.Error(err)
	}
}
