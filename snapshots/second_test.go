package snapshots_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// STO-01, STO-02: the second copy in another place. Losing either loses
// nothing, is said, and is healed on the next look.
func TestSecondStore(t *testing.T) {
	root, second := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	o := snapshots.Options{Environment: synthetic.Environment, Second: second}
	if err := snapshots.Init(root, o); err != nil {
		t.Fatal(err)
	}
	open := func() *snapshots.Dir {
		d, err := snapshots.Open(root, o)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open()
	heads := manyGenerations(t, d, 5)
	for _, lost := range []string{second, filepath.Join(root, "a")} {
		d.Close()
		if err := os.RemoveAll(lost); err != nil {
			t.Fatal(err)
		}
		d = open()
		l, err := d.Good()
		if err != nil || l.Head != heads[4] || l.Fallback {
			t.Fatalf("without %s: %+v, %v", lost, l.Head, err)
		}
		if err := d.Verify(); err != nil {
			t.Fatalf("without %s: %v", lost, err)
		}
		if len(d.Damage()) == 0 {
			t.Errorf("losing %s was not reported", lost)
		}
	}
	// Both are whole again.
	if err := d.Verify(); err != nil || len(d.Damage()) != 0 {
		t.Errorf("not healed: %v", err)
	}
	d.Close()
}

// A copy that cannot be written does not stop the other; both failing does,
// and then nothing is half stored.
func TestOneCopyCannotBeWritten(t *testing.T) {
	root := t.TempDir()
	d := openStore(t, root)
	heads := manyGenerations(t, d, 3)
	s := build(t, synthetic.State(2, 9))
	block := func(copy string) {
		path := filepath.Join(root, copy)
		if err := errors.Join(os.Rename(path, path+".away"), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	block("b")
	h := put(t, d, s, 4)
	if err := d.MarkGood(h); err != nil || len(d.Damage()) == 0 {
		t.Errorf("one copy is enough, but must be said: %v", err)
	}
	if l, err := d.Good(); err != nil || l.Head != h {
		t.Errorf("%+v, %v", l.Head, err)
	}
	block("a")
	if err := d.Put(headOf(s, 5), s); err == nil {
		t.Error("stored nowhere, and no error")
	}
	if _, g := d.Highest(); g != 4 {
		t.Errorf("the highest generation is %d after a failed write", g)
	}
	for _, copy := range []string{"a", "b"} {
		path := filepath.Join(root, copy)
		if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
	if l, err := d.Good(); err != nil || l.Head != h || len(d.History()) != len(heads)+1 {
		t.Errorf("%+v, %d heads, %v", l.Head, len(d.History()), err)
	}
}

// STO-02: files that differ between the copies: missing, torn or changed in a
// bit. Reading a generation heals what it needs, one crawl heals the rest.
func TestDivergencesAreHealed(t *testing.T) {
	const divergences = 250
	root := t.TempDir()
	d := openStore(t, root)
	heads := manyGenerations(t, d, 85)
	files := map[string][]byte{} // relative to a copy
	copyA := filepath.Join(root, "a")
	if err := filepath.WalkDir(copyA, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(copyA, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range files {
		if strings.HasSuffix(name, ".json") || strings.HasPrefix(name, "heads") {
			names = append(names, name)
		}
	}
	if len(names) < divergences {
		t.Fatalf("%d files only", len(names))
	}
	slices.Sort(names)
	r := rand.New(rand.NewPCG(6, 2))
	differ := func() (n int) {
		for _, name := range names {
			for _, copy := range []string{"a", "b"} {
				if raw, err := os.ReadFile(filepath.Join(root, copy, name)); err != nil || !bytes.Equal(raw, files[name]) {
					n++
				}
			}
		}
		return n
	}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for i, name := range names[:divergences] {
		path := filepath.Join(root, []string{"a", "b"}[i%2], name)
		raw := slices.Clone(files[name])
		raw[r.IntN(len(raw))] ^= 1
		var err error
		switch r.IntN(3) {
		case 0:
			err = os.Remove(path)
		case 1:
			err = os.WriteFile(path, raw[:len(raw)/2], 0o600)
		default:
			err = os.WriteFile(path, raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := differ(); n != divergences {
		t.Fatalf("%d files differ before anybody looks", n)
	}
	for _, h := range heads {
		if l, err := d.Get(h.Generation, nil); err != nil || l.Head != h {
			t.Fatalf("generation %d: %+v, %v", h.Generation, l.Head, err)
		}
	}
	onAccess := divergences - differ()
	if err := d.Verify(); err != nil {
		t.Fatal(err)
	}
	if n := differ(); n != 0 || len(d.Damage()) == 0 {
		t.Errorf("%d files still differ after one crawl, %d were noted", n, len(d.Damage()))
	}
	if onAccess == 0 {
		t.Error("reading every generation healed nothing")
	}
}
