package main

import (
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// SNP-06, the third and the fourth of four places: the builder reads no database
// of another environment and stores no snapshot of one, and the speaker boots
// from none.
func TestEnvironmentMatrix(t *testing.T) {
	names := []string{"prod", "staging", "lab", "prod2"}
	databases, stores := map[string]string{}, map[string]string{}
	made := map[string]*snapshots.Snapshot{}
	for _, name := range names {
		databases[name], stores[name] = filepath.Join(t.TempDir(), "intent.db"), t.TempDir()
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: databases[name], Environment: name, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		if err := snapshots.Init(stores[name], snapshots.Options{Environment: name}); err != nil {
			t.Fatal(err)
		}
		if made[name], err = snapshots.Build(synthetic.State(2, 5), synthetic.Network(1), name, synthetic.At); err != nil {
			t.Fatal(err)
		}
	}
	for _, here := range names {
		for generation, of := range names {
			db, err := sqlite.Open(t.Context(), sqlite.Options{Path: databases[of], Environment: here})
			if (err == nil) != (here == of) {
				t.Errorf("the database of %s in %s: %v", of, here, err)
			}
			if err == nil {
				db.Close()
			}
			d, err := snapshots.Open(stores[of], snapshots.Options{Environment: here})
			if (err == nil) != (here == of) {
				t.Errorf("the snapshots of %s in %s: %v", of, here, err)
			}
			if err == nil {
				d.Close()
			}
			if d, err = snapshots.Open(stores[here], snapshots.Options{Environment: here}); err != nil {
				t.Fatal(err)
			}
			head := snapshots.Head{Environment: of, Epoch: 1, Generation: uint64(generation + 1), ID: made[of].ID(), Actor: "a", Reason: "r", CreatedAt: synthetic.At.UnixNano()}
			if err := d.Put(head, made[of]); (err == nil) != (here == of) {
				t.Errorf("a snapshot of %s stored in %s: %v", of, here, err)
			}
			d.Close()
		}
	}
}
