package drill

import "testing"

// D2 at a tenth of the size; `holdfast drill run D2` measures all of it.
func TestDrillD2(t *testing.T) {
	t.Parallel()
	r, err := restore(t.Context(), Options{Dir: t.TempDir(), Small: true, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if r.finish(); !r.Passed {
		t.Error(r.Markdown())
	}
}
