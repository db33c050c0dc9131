package snapshots_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// TestCanonicalIsRFC8785: another implementation of the canonical form agrees,
// over whole parts and over everything that a name or a number may be. What was
// hashed yesterday must hash to the same tomorrow.
func TestCanonicalIsRFC8785(t *testing.T) {
	agree := func(t interface {
		Fatalf(string, ...any)
	}, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%v", err)
		}
		want, err := jcs.Transform(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got, err := snapshots.Canonical(v); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s, %v; want %s", got, err, want)
		}
	}
	s := build(t, synthetic.State(3, 60))
	agree(t, s.Network)
	agree(t, s.Manifest())
	for i := range s.Accounts {
		agree(t, s.Accounts[i])
	}
	rapid.Check(t, func(t *rapid.T) {
		agree(t, map[string]any{
			rapid.String().Draw(t, "name"): rapid.String().Draw(t, "text"),
			"bytes":                        string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")),
			"integers":                     rapid.SliceOf(rapid.Int64Range(-1<<53, 1<<53)).Draw(t, "integers"),
			"numbers":                      rapid.SliceOf(rapid.Float64Range(-1e300, 1e300)).Draw(t, "numbers"),
			"nested":                       rapid.MapOf(rapid.String(), rapid.Bool()).Draw(t, "nested"),
		})
	})
}
