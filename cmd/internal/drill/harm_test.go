package drill

import (
	"context"
	"testing"
)

// D8 and D9 at a tenth of the size.
func TestDrillsOfHarm(t *testing.T) {
	for name, run := range map[string]func(context.Context, Options) (*Report, error){"D8": badChange, "D9": oneCustomer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := run(t.Context(), Options{Dir: t.TempDir(), Small: true})
			if err != nil {
				t.Fatal(err)
			}
			if r.finish(); !r.Passed {
				t.Error(r.Markdown())
			}
		})
	}
}
