package feed

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A head that was cut to nothing is neither no news nor an empty feed, and the
// other copy is read in its place.
func TestDirectoryEmptyHead(t *testing.T) {
	root := t.TempDir()
	write := func(copied, text string) {
		t.Helper()
		dir := filepath.Join(root, copied)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "good.note"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "")
	p, err := Directory{Root: root}.Poll(t.Context(), Pointer{})
	if err == nil || errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), filepath.Join("a", "good.note")) {
		t.Errorf("%+v, %v: want an error that names the file", p, err)
	}
	write("b", "head")
	if p, err := (Directory{Root: root}).Poll(t.Context(), Pointer{}); err != nil || string(p.Head) != "head" {
		t.Errorf("%+v, %v: want the other copy's head", p, err)
	}
}
