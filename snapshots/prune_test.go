package snapshots_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// manyGenerations stores n generations, one a minute, each changing one account.
func manyGenerations(t *testing.T, d *snapshots.Dir, n int) []snapshots.Head {
	t.Helper()
	st := synthetic.State(3, 12)
	var b snapshots.Builder
	var heads []snapshots.Head
	for g := range n {
		st.Prefixes[g%12].ASN = 65000 + uint32(g)
		s, err := b.Build(st, synthetic.Network(1), synthetic.Environment, synthetic.At)
		if err != nil {
			t.Fatal(err)
		}
		h := headOf(s, uint64(g+1))
		h.CreatedAt = synthetic.At.Add(time.Duration(g) * time.Minute).UnixNano()
		if err := d.Put(h, s); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	if err := d.MarkGood(heads[n-1]); err != nil {
		t.Fatal(err)
	}
	return heads
}

func TestPrune(t *testing.T) {
	root := t.TempDir()
	d := openStore(t, root)
	heads := manyGenerations(t, d, 60)
	before := len(partFiles(t, root))
	now := synthetic.At.Add(time.Hour)
	done, err := d.Prune(snapshots.Retention{Generations: 10, Age: 40 * time.Minute, Every: 10 * time.Minute, Plain: 3}, now)
	if err != nil {
		t.Fatal(err)
	}
	// The last 10 (18:38 on), and one each of 18:08, 18:10, 18:20 and 18:30 on.
	left := d.History()
	if len(left) != 14 || done.Heads != 46 || done.Packed == 0 || done.Skipped != 0 {
		t.Errorf("%d heads left, %+v", len(left), done)
	}
	if len(partFiles(t, root)) >= before {
		t.Error("no part was removed")
	}
	d.Close()
	d = openStore(t, root)
	for _, h := range left {
		l, err := d.Get(h.Generation, nil)
		if err != nil || l.Head != h {
			t.Errorf("generation %d does not load after pruning: %v", h.Generation, err)
		}
	}
	if _, err := d.Get(heads[0].Generation, nil); !errors.Is(err, snapshots.ErrUnknown) {
		t.Errorf("generation 1: %v", err)
	}
	if err := d.Verify(); err != nil || len(d.Damage()) != 0 {
		t.Errorf("verify: %v", err)
	}
}

// A generation that is stored while Prune is at work, and that goes back to
// parts which Prune is about to remove, keeps them.
func TestPruneBesidePut(t *testing.T) {
	d := openStore(t, t.TempDir())
	manyGenerations(t, d, 40)
	old, err := d.Get(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 20 {
			if _, err := d.Prune(snapshots.Retention{Generations: 2, Age: time.Minute, Every: time.Minute, Plain: 1}, synthetic.At.Add(time.Hour)); err != nil {
				t.Error(err)
			}
		}
	})
	for g := range 20 {
		h := headOf(old.Snapshot, uint64(100+g))
		h.CreatedAt = synthetic.At.Add(time.Hour).UnixNano()
		if err := d.Put(h, old.Snapshot); err != nil {
			t.Fatal(err)
		}
		if err := d.MarkGood(h); err != nil {
			t.Fatal(err)
		}
		if l, err := d.Get(h.Generation, nil); err != nil || l.Snapshot.ID() != old.Snapshot.ID() {
			t.Fatalf("generation %d: %v", h.Generation, err)
		}
	}
	wg.Wait()
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
}

// What cannot be accounted for is left alone.
func TestPruneRemovesNothingInDoubt(t *testing.T) {
	keep := snapshots.Retention{Generations: 2, Age: time.Minute, Every: time.Minute, Plain: 1}
	for name, hurt := range map[string]func(t *testing.T, d *snapshots.Dir, heads []snapshots.Head){
		"a last-known-good is torn": func(t *testing.T, d *snapshots.Dir, heads []snapshots.Head) {
			good, _, _, _ := d.Files(1, heads[19])
			if err := os.Truncate(good, 10); err != nil {
				t.Fatal(err)
			}
		},
		"a manifest that stays is gone": func(t *testing.T, d *snapshots.Dir, heads []snapshots.Head) {
			for copy := range 2 {
				_, _, manifest, _ := d.Files(copy, heads[18])
				if err := os.Remove(manifest); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d := openStore(t, root)
			heads := manyGenerations(t, d, 20)
			before := len(partFiles(t, root))
			hurt(t, d, heads)
			if _, err := d.Prune(keep, synthetic.At.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "nothing was removed") {
				t.Errorf("got %v", err)
			}
			if len(partFiles(t, root)) != before || len(d.History()) != 20 {
				t.Error("something was removed")
			}
		})
	}
	d := openStore(t, t.TempDir())
	if _, err := d.Prune(snapshots.Retention{}, synthetic.At); err == nil {
		t.Error("the zero Retention was taken")
	}
}

func TestPackedPartIsHostileToo(t *testing.T) {
	root := t.TempDir()
	d := openStore(t, root)
	heads := manyGenerations(t, d, 20)
	if _, err := d.Prune(snapshots.Retention{Generations: 20, Age: time.Minute, Every: time.Minute, Plain: 1}, synthetic.At.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	packed, err := filepath.Glob(filepath.Join(root, "?", "parts", "??", "*.zst"))
	if err != nil || len(packed) == 0 {
		t.Fatalf("nothing was compressed: %v", err)
	}
	for _, p := range packed {
		if err := os.WriteFile(p, []byte("not zstd"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := d.Get(heads[0].Generation, nil); err == nil {
		t.Errorf("loaded %+v", l.Head)
	}
	if l, err := d.Good(); err != nil || l.Head != heads[19] {
		t.Errorf("the last-known-good suffers from old history: %v", err)
	}
}
