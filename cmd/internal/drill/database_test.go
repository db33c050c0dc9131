package drill

import (
	"strings"
	"testing"
)

// D3, small: eleven bad databases of six kinds, and the neighbor hears of none.
func TestDrillD3(t *testing.T) {
	t.Parallel()
	d, err := Find("D3")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Carry(t.Context(), d, Options{Dir: t.TempDir(), Small: true, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range r.Bars {
		if !b.Met && !strings.HasPrefix(b.Want, "within") { // durations are for the drill alone
			t.Errorf("%s: want %s, got %s", b.Name, b.Want, b.Got)
		}
	}
	kinds := map[byte]bool{}
	for _, row := range r.Tables[0].Rows {
		kinds[row[0][0]] = true
	}
	if len(kinds) != 6 {
		t.Errorf("%d kinds of bad database, want 6", len(kinds))
	}
}
