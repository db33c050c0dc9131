package snapshots_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func lose(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// Whichever key file is lost, what it signed is read as long as either is left,
// and nothing new is signed without the private one.
func TestStoreWithoutItsKeys(t *testing.T) {
	for _, c := range []struct {
		name     string
		gone     []string
		loads    bool
		unsigned bool
	}{
		{"the private key", []string{"signing.key"}, true, true},
		{"the verifier key", []string{"signing.pub"}, true, false},
		{"both", []string{"signing.key", "signing.pub"}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, root, first, second := stored(t)
			d.Close()
			lose(t, root, c.gone...)
			d = openStore(t, root)
			l, err := d.Good()
			if c.loads && (err != nil || l.Head != second) || !c.loads && (err == nil || errors.Is(err, snapshots.ErrNone)) {
				t.Fatalf("last-known-good: %+v, %v", l.Head, err)
			}
			if _, generation := d.Highest(); generation != 2 {
				t.Errorf("highest generation %d", generation)
			}
			s := build(t, synthetic.State(4, 40))
			if err := d.Put(headOf(s, 3), s); errors.Is(err, snapshots.ErrUnsigned) != c.unsigned || (d.Unsigned() != "") != c.unsigned {
				t.Fatalf("stored: %v, unsigned %q", err, d.Unsigned())
			}
			if d.Close(); !c.unsigned {
				return
			}
			public, err := snapshots.Rekey(root, synthetic.Environment)
			if err != nil || !strings.HasPrefix(public, "holdfast/"+synthetic.Environment+"+") {
				t.Fatalf("rekey: %q, %v", public, err)
			}
			if _, err := snapshots.Rekey(root, synthetic.Environment); err == nil {
				t.Error("a store that has its key got another one")
			}
			d = openStore(t, root)
			h := headOf(s, 3)
			if err := d.Put(h, s); err != nil {
				t.Fatal(err)
			}
			if err := d.MarkGood(h); err != nil {
				t.Fatal(err)
			}
			if l, err := d.Good(); err != nil || l.Head != h {
				t.Errorf("last-known-good %+v, %v", l.Head, err)
			}
			if old, err := d.Get(1, nil); c.loads && (err != nil || old.Head != first) {
				t.Errorf("what the old key signed: %+v, %v", old.Head, err)
			}
		})
	}
}

// Both copies lost, stamp and keys with them: the marker outside remembers the
// generation, and the store does not say that it has never held any.
func TestGenerationsOutliveTheStore(t *testing.T) {
	root, marker := filepath.Join(t.TempDir(), "snapshots"), filepath.Join(t.TempDir(), "generation")
	o := snapshots.Options{Environment: synthetic.Environment, Marker: marker}
	reopen := func() *snapshots.Dir {
		t.Helper()
		if err := snapshots.Init(root, o); err != nil && !strings.Contains(err.Error(), "initialised already") {
			t.Fatal(err)
		}
		d, err := snapshots.Open(root, o)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := reopen()
	s := build(t, synthetic.State(4, 40))
	put(t, d, s, 7)
	d.Close()
	for _, gone := range [][]string{{"a/heads", "b/heads", "a/generation", "b/generation"}, {"a", "b"}, {"."}} {
		if gone[0] == "." {
			lose(t, filepath.Dir(root), filepath.Base(root))
		}
		lose(t, root, gone...)
		d = reopen()
		if _, err := d.Good(); err == nil || errors.Is(err, snapshots.ErrNone) {
			t.Fatalf("%v gone: %v, want an error that is not ErrNone", gone, err)
		}
		if _, g := d.Highest(); g != 7 {
			t.Errorf("%v gone: highest %d", gone, g)
		}
		if err := d.Put(headOf(s, 1), s); !errors.Is(err, snapshots.ErrOlder) {
			t.Errorf("%v gone: generation 1 again: %v", gone, err)
		}
		d.Close()
	}
}

// Copies that go while the daemon runs are written whole with what is stored next.
func TestCopiesLostWhileOpen(t *testing.T) {
	d, root, _, _ := stored(t)
	lose(t, root, "a", "b")
	st := synthetic.State(4, 40)
	st.BGPPrefixes[1].Advertised = false
	h := put(t, d, build(t, st), 3)
	if err := d.MarkGood(h); err != nil {
		t.Fatal(err)
	}
	d.Close()
	for _, only := range []string{"b", "a"} {
		d = openStore(t, root)
		lose(t, root, only)
		if l, err := d.Good(); err != nil || l.Head != h {
			t.Fatalf("without %s: %+v, %v", only, l.Head, err)
		}
		_ = d.Verify() // heals; what is lost for good is the older history
		d.Close()
	}
}

// A store whose stamp was lost is taken up again, and not as another environment's.
func TestStampLost(t *testing.T) {
	d, root, _, second := stored(t)
	d.Close()
	lose(t, root, "environment")
	if err := snapshots.Init(root, snapshots.Options{Environment: "staging"}); err == nil {
		t.Fatal("taken up as another environment's")
	}
	d = openStore(t, root)
	if l, err := d.Good(); err != nil || l.Head != second {
		t.Errorf("last-known-good %+v, %v", l.Head, err)
	}
}
