package snapshots_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func openStore(t testing.TB, root string) *snapshots.Dir {
	t.Helper()
	o := snapshots.Options{Environment: synthetic.Environment}
	if err := snapshots.Init(root, o); err != nil && !strings.Contains(err.Error(), "initialised already") {
		t.Fatal(err)
	}
	d, err := snapshots.Open(root, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func headOf(s *snapshots.Snapshot, generation uint64) snapshots.Head {
	return snapshots.Head{
		Environment: synthetic.Environment, Epoch: 1, Generation: generation, ID: s.ID(),
		CreatedAt: synthetic.At.UnixNano() + int64(generation), Actor: "operator/uid:0", Reason: "test",
	}
}

func put(t testing.TB, d *snapshots.Dir, s *snapshots.Snapshot, generation uint64) snapshots.Head {
	t.Helper()
	h := headOf(s, generation)
	if err := d.Put(h, s); err != nil {
		t.Fatal(err)
	}
	return h
}

// stored is a store with two generations, the second of which is good.
func stored(t testing.TB) (d *snapshots.Dir, root string, first, second snapshots.Head) {
	t.Helper()
	root = t.TempDir()
	d = openStore(t, root)
	st := synthetic.State(4, 40)
	first = put(t, d, build(t, st), 1)
	if err := d.MarkGood(first); err != nil {
		t.Fatal(err)
	}
	st.BGPPrefixes[0].Advertised = false
	second = put(t, d, build(t, st), 2)
	if err := d.MarkGood(second); err != nil {
		t.Fatal(err)
	}
	return d, root, first, second
}

func TestStoreRoundTrip(t *testing.T) {
	d, root, first, second := stored(t)
	d.Close()
	d = openStore(t, root)
	l, err := d.Good()
	if err != nil {
		t.Fatal(err)
	}
	if l.Head != second || l.Snapshot.ID() != second.ID || l.Fallback {
		t.Errorf("loaded %+v, fallback %v, want %+v", l.Head, l.Fallback, second)
	}
	if damage := d.Damage(); len(damage) != 0 {
		t.Errorf("damage %v in an intact store", damage)
	}
	old, err := d.Get(1, l.Snapshot)
	if err != nil || old.Head != first || old.Snapshot.ID() != first.ID {
		t.Errorf("generation 1: %+v, %v", old.Head, err)
	}
	if _, err := d.Get(3, nil); !errors.Is(err, snapshots.ErrUnknown) {
		t.Errorf("generation 3: %v, want ErrUnknown", err)
	}
	if h := d.History(); len(h) != 2 || h[0] != first || h[1] != second {
		t.Errorf("history %v", h)
	}
	if epoch, g := d.Highest(); epoch != 1 || g != 2 || !d.Initialised() {
		t.Errorf("highest (%d, %d)", epoch, g)
	}
}

func TestStoreOfNothing(t *testing.T) {
	d := openStore(t, t.TempDir())
	if _, err := d.Good(); !errors.Is(err, snapshots.ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
	if d.Initialised() || len(d.Damage()) != 0 {
		t.Error("an empty store claims to have held something, or damage")
	}
}

// SNP-05: an older generation never goes forward again.
func TestStoreRefusesOlderGenerations(t *testing.T) {
	d, root, first, _ := stored(t)
	s := build(t, synthetic.State(4, 40))
	for _, h := range []snapshots.Head{first, headOf(s, 2), headOf(s, 0)} {
		h.ID = s.ID()
		if err := d.Put(h, s); err == nil {
			t.Errorf("generation %d was stored after 2", h.Generation)
		}
	}
	// Neither losing the marker nor the history lets a number be used twice.
	good, head, _, mark := d.Files(0, headOf(s, 2))
	_ = good
	if err := errors.Join(os.Remove(head), os.Remove(mark)); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = openStore(t, root)
	if err := d.Put(headOf(s, 2), s); !errors.Is(err, snapshots.ErrOlder) {
		t.Errorf("generation 2 again: %v, want ErrOlder", err)
	}
}

func TestStoreWritesOnlyChangedParts(t *testing.T) {
	root := t.TempDir()
	d := openStore(t, root)
	st := synthetic.State(10, 100)
	put(t, d, build(t, st), 1)
	before := partFiles(t, root)
	st.BGPPrefixes[0].Advertised = false
	put(t, d, build(t, st), 2)
	if n := len(partFiles(t, root)) - len(before); n != 2 {
		t.Errorf("%d part files were written, want one in each copy", n)
	}
}

// After a restart what is in both copies is known by looking at it; what is
// damaged in one is written there again.
func TestStoreConfirms(t *testing.T) {
	for _, confirmed := range []bool{false, true} {
		root := t.TempDir()
		d := openStore(t, root)
		st := synthetic.State(10, 100)
		s := build(t, st)
		put(t, d, s, 1)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		damaged := d.PartFile(1, s.PartSum(synthetic.AccountID(3)))
		if err := os.WriteFile(damaged, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		again := openStore(t, root)
		if confirmed {
			again.Confirm(t.Context(), s)
		}
		written := map[string]time.Time{}
		for _, path := range partFiles(t, root) {
			old := time.Unix(1, 0)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
			written[path] = old
		}
		st.BGPPrefixes[0].Advertised = false
		put(t, again, build(t, st), 2)
		var fresh []string
		for _, path := range partFiles(t, root) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if was, there := written[path]; !there || !info.ModTime().Equal(was) {
				fresh = append(fresh, path)
			}
		}
		if len(fresh) != 3 || !slices.Contains(fresh, damaged) {
			t.Errorf("confirmed %v: written %v, want the damaged part and two copies of the changed one", confirmed, fresh)
		}
	}
}

func partFiles(t *testing.T, root string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(root, "?", "parts", "??", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOneDaemonAtATime(t *testing.T) {
	root := t.TempDir()
	openStore(t, root)
	if _, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment}); err == nil {
		t.Error("a second process opened the store")
	}
	if _, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment, ReadOnly: true}); err != nil {
		t.Errorf("reading beside the daemon: %v", err)
	}
}

// Environments never mix (invariant 12).
func TestStoreOfAnotherEnvironment(t *testing.T) {
	d, root, _, _ := stored(t)
	for _, env := range []string{"", "staging"} {
		if _, err := snapshots.Open(root, snapshots.Options{Environment: env, ReadOnly: true}); err == nil {
			t.Errorf("opened as %q", env)
		}
	}
	st := synthetic.State(1, 1)
	s, err := snapshots.Build(st, synthetic.Network(1), "staging", synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	h := headOf(s, 3)
	if err := d.Put(h, s); err == nil {
		t.Error("a snapshot of another environment was stored")
	}
	h.Environment = "staging"
	if err := d.Put(h, s); err == nil {
		t.Error("a head of another environment was stored")
	}
}

func TestKeyFileMustBePrivate(t *testing.T) {
	root := t.TempDir()
	openStore(t, root).Close()
	key := filepath.Join(root, "signing.key")
	info, err := os.Stat(key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key has mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if why := d.Unsigned(); !strings.Contains(why, key) || !strings.Contains(why, "chmod 600") {
		t.Errorf("a key that others can read: %q", why)
	}
	s := build(t, synthetic.State(1, 1))
	if err := d.Put(headOf(s, 1), s); !errors.Is(err, snapshots.ErrUnsigned) {
		t.Errorf("stored with a key that others can read: %v", err)
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	root := t.TempDir()
	openStore(t, root).Close()
	before, _ := os.ReadFile(filepath.Join(root, "signing.key"))
	if err := snapshots.Init(root, snapshots.Options{Environment: synthetic.Environment}); err == nil {
		t.Error("an initialised store was initialised again")
	}
	if after, _ := os.ReadFile(filepath.Join(root, "signing.key")); string(after) != string(before) {
		t.Error("the key changed")
	}
	if _, err := snapshots.Open(t.TempDir(), snapshots.Options{Environment: synthetic.Environment}); !errors.Is(err, snapshots.ErrNotInitialised) {
		t.Errorf("an empty directory: %v", err)
	}
}
