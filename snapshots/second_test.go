package snapshots_test

import (
	"errors"
	"os"
	"path/filepath"
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
