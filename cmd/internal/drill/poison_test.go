package drill

import (
	"strings"
	"testing"
)

// D11, small: none of the poisons moves a route, and every good generation in
// between does.
func TestDrillD11(t *testing.T) {
	t.Parallel()
	d, err := Find("D11")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Carry(t.Context(), d, Options{Dir: t.TempDir(), Small: true, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed {
		t.Error(r.Markdown())
	}
	for _, row := range r.Tables[0].Rows {
		if strings.TrimSpace(row[1]) == "" {
			t.Errorf("%s: refused without a reason", row[0])
		}
	}
}
