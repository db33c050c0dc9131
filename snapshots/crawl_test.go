package snapshots_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// copyFiles is what one copy holds, by path inside it; compressed or not is the same.
func copyFiles(t *testing.T, root string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	if err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err == nil {
			out[name], err = os.ReadFile(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func round(c *snapshots.Crawl, now time.Time, between func()) {
	for !c.Step(8, now) {
		between()
	}
}

// STO-02: 1,000 divergences of five kinds, in every kind of file. One round
// heals all of a batch, in slices between which generations are stored,
// marked and pinned.
func TestCrawlHealsDivergences(t *testing.T) {
	const batches, each = 4, 250
	root := t.TempDir()
	d := openStore(t, root)
	heads := manyGenerations(t, d, 85)
	s, err := d.Get(85, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := d.NewCrawl()
	r := rand.New(rand.NewPCG(6, 2))
	next, now := uint64(86), time.Now()
	for batch := range batches {
		round(c, now, func() {})
		files := copyFiles(t, filepath.Join(root, "a"))
		names := slices.Sorted(maps.Keys(files))
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for i, name := range names[:each] {
			diverge(t, r, filepath.Join(root, []string{"a", "b"}[i%2], name), files)
		}
		before := d.Healed()[snapshots.LayerCrawl]
		c.Step(8, now)
		if n := d.Healed()[snapshots.LayerCrawl] - before; n > 8+3 {
			t.Errorf("a step of 8 files healed %d", n)
		}
		steps := 0
		round(c, now, func() {
			if steps++; steps%40 != 0 {
				return
			}
			h := headOf(s.Snapshot, next)
			next++
			if err := errors.Join(d.SetPin(snapshots.Pin{Generation: h.Generation}), d.Put(h, s.Snapshot), d.MarkGood(h), d.ClearPin()); err != nil {
				t.Error(err)
			}
			heads = append(heads, h)
		})
		a, b := copyFiles(t, filepath.Join(root, "a")), copyFiles(t, filepath.Join(root, "b"))
		for name, raw := range files {
			if name == "good.note" || name == "generation" { // those moved on
				raw = a[name]
			}
			if !bytes.Equal(a[name], raw) || !bytes.Equal(b[name], raw) {
				t.Errorf("batch %d: %s differs after one round", batch, name)
			}
		}
		if len(a) != len(b) {
			t.Errorf("%d files and %d", len(a), len(b))
		}
	}
	if n := d.Healed()[snapshots.LayerCrawl]; n < batches*each*95/100 {
		t.Errorf("%d of %d were healed by the crawl", n, batches*each)
	}
	if err := d.Verify(); err != nil || !slices.Equal(d.History(), heads) {
		t.Errorf("verify: %v", err)
	}
	if l, err := d.Good(); err != nil || l.Head != heads[len(heads)-1] {
		t.Errorf("%+v, %v", l.Head, err)
	}
}

// diverge deletes, flips, truncates, empties a file, or puts another or an
// older one in its place.
func diverge(t *testing.T, r *rand.Rand, path string, files map[string][]byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := fmt.Sprintf("heads/%020d.note", 1)
	switch r.IntN(5) {
	case 0:
		err = os.Remove(path)
	case 1:
		raw[r.IntN(len(raw))] ^= 1
		err = os.WriteFile(path, raw, 0o600)
	case 2:
		err = os.WriteFile(path, raw[:len(raw)/2], 0o600)
	case 3:
		err = os.WriteFile(path, nil, 0o600)
	default:
		switch {
		case strings.HasSuffix(path, first):
			err = os.Remove(path)
		case strings.HasSuffix(path, "generation"):
			err = os.WriteFile(path, []byte("1 1\n"), 0o600)
		default:
			err = os.WriteFile(path, files[first], 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A file that nobody touched is not read again at every round, and is within
// the hour: what rots without a trace is found then.
func TestCrawlReadsUntouchedFilesAgain(t *testing.T) {
	root := t.TempDir()
	d := openStore(t, root)
	manyGenerations(t, d, 3)
	c := d.NewCrawl()
	later := time.Now().Add(time.Minute) // than the files were written
	round(c, later, func() {})
	for name := range copyFiles(t, filepath.Join(root, "a")) {
		if !strings.HasPrefix(name, "parts") {
			continue
		}
		path := filepath.Join(root, "b", name)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[0] ^= 1
		if err := os.WriteFile(path, raw, 0o600); err != nil { // the same inode and size, but touched
			t.Fatal(err)
		}
	}
	round(c, later.Add(time.Second), func() {})
	if d.Healed()[snapshots.LayerCrawl] == 0 {
		t.Error("a touched file was not read")
	}
	round(c, later.Add(time.Second), func() {}) // and what was put back once more
	read := snapshots.Reads(c)
	round(c, later.Add(2*time.Second), func() {})
	if n := snapshots.Reads(c) - read; n != 0 {
		t.Errorf("%d untouched files were read again at once", n)
	}
	round(c, later.Add(time.Hour+time.Minute), func() {})
	if snapshots.Reads(c) == read {
		t.Error("after an hour nothing was read again")
	}
}

// What one copy could not be given is owed to it once, and given when it is back.
func TestFailedWritesAreOwed(t *testing.T) {
	root := t.TempDir()
	d := openStore(t, root)
	manyGenerations(t, d, 3)
	b := filepath.Join(root, "b")
	back := away(t, b)
	s := build(t, synthetic.State(2, 9))
	h := put(t, d, s, 4)
	owed := d.Behind()
	if err := errors.Join(d.MarkGood(h), d.MarkGood(h)); err != nil {
		t.Fatal(err)
	}
	if owed == 0 || d.Behind() != owed {
		t.Errorf("%d files are owed, then %d", owed, d.Behind())
	}
	c := d.NewCrawl()
	c.Retry(1000)
	if d.Behind() != owed || d.Healed()[snapshots.LayerWrite] != 0 {
		t.Errorf("%d files are owed while the copy is away", d.Behind())
	}
	back()
	c.Retry(1000)
	if n := d.Healed()[snapshots.LayerWrite]; d.Behind() != 0 || int(n) < owed {
		t.Errorf("%d of %d were written, %d are still owed", n, owed, d.Behind())
	}
	if !maps.EqualFunc(copyFiles(t, filepath.Join(root, "a")), copyFiles(t, b), bytes.Equal) {
		t.Error("the copies differ")
	}
}

// away makes a copy one that can be neither read nor written.
func away(t *testing.T, path string) (back func()) {
	t.Helper()
	if err := errors.Join(os.Rename(path, path+".away"), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
			t.Fatal(err)
		}
	}
}

// STO-03 on a disk: some hundreds of steps of processes that follow one another,
// each with a clock of its own. TestInterleavingsConverge does 100,000 runs of
// the decision.
func TestCopiesConverge(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 9))
		root := t.TempDir()
		o := snapshots.Options{Environment: synthetic.Environment, Marker: filepath.Join(root, "marker")}
		if err := snapshots.Init(root, o); err != nil {
			t.Fatal(err)
		}
		d, c, skew := (*snapshots.Dir)(nil), (*snapshots.Crawl)(nil), time.Duration(0)
		open := func() {
			if d != nil {
				d.Close()
			}
			var err error
			if d, err = snapshots.Open(root, o); err != nil {
				t.Fatal(err)
			}
			c, skew = d.NewCrawl(), time.Duration(r.Int64N(100e6)-50e6)
		}
		open()
		st := synthetic.State(2, 4)
		stored, pruned := map[uint64]snapshots.Head{}, map[uint64]bool{}
		var good snapshots.Head
		back := func() {}
		store := func(at int) {
			st.Prefixes[at%4].ASN = 65000 + uint32(at)
			s := build(t, st)
			_, g := d.Highest()
			h := headOf(s, g+1)
			h.CreatedAt = synthetic.At.Add(time.Duration(at)*10*time.Millisecond + skew).UnixNano()
			if err := errors.Join(d.Put(h, s), d.MarkGood(h)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if old, twice := stored[h.Generation]; twice || h.Compare(good) <= 0 {
				t.Fatalf("seed %d: generation %d was used twice: %+v", seed, h.Generation, old)
			}
			stored[h.Generation], good = h, h
		}
		for at := range 40 {
			switch r.IntN(8) {
			case 0, 1, 2:
				store(at)
			case 3: // a copy goes, or comes back
				back()
				back = func() {}
				if r.IntN(3) > 0 && good.Generation > 0 {
					returns := away(t, filepath.Join(root, []string{"a", "b"}[r.IntN(2)]))
					back = func() { returns() }
				}
			case 4:
				open()
			case 5:
				kept := d.History()
				if _, err := d.Prune(snapshots.Retention{Generations: 2, Age: time.Millisecond, Every: time.Millisecond, Plain: 50}, synthetic.At.Add(time.Hour)); err != nil {
					break // in doubt nothing is removed
				}
				for _, h := range kept {
					if !slices.Contains(d.History(), h) {
						pruned[h.Generation] = true
						delete(stored, h.Generation)
					}
				}
			case 6: // an old try to mark is made late
				for _, h := range d.History() {
					if err := d.MarkGood(h); err != nil {
						t.Fatal(err)
					}
					break
				}
			case 7:
				round(c, time.Now(), func() {})
			}
		}
		back()
		store(40)
		open()
		round(c, time.Now(), func() {})
		round(c, time.Now(), func() {}) // what was pruned is named by nobody now
		a, b := copyFiles(t, filepath.Join(root, "a")), copyFiles(t, filepath.Join(root, "b"))
		for name := range a {
			if strings.HasPrefix(name, "heads") || !strings.Contains(name, "/") {
				if !bytes.Equal(a[name], b[name]) {
					t.Errorf("seed %d: %s differs", seed, name)
				}
			}
		}
		for _, h := range d.History() {
			if pruned[h.Generation] {
				t.Errorf("seed %d: generation %d was pruned and is back", seed, h.Generation)
			}
			if l, err := d.Get(h.Generation, nil); err != nil || l.Head != stored[h.Generation] {
				t.Errorf("seed %d: generation %d: %v", seed, h.Generation, err)
			}
		}
		if l, err := d.Good(); err != nil || l.Head != good || len(d.History()) != len(stored) {
			t.Errorf("seed %d: last-known-good %d, was %d; %d generations, stored %d; %v", seed, l.Head.Generation, good.Generation, len(d.History()), len(stored), err)
		}
		d.Close()
	}
}
