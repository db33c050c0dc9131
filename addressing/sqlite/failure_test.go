package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/addressing/storetest"
)

// seed makes a database with two accounts, and closes it.
func seed(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "intent.db")
	s := open(t, path)
	err := s.Update(t.Context(), func(tx addressing.Tx) error {
		return errors.Join(tx.SaveAccount(storetest.Account(1)), tx.SaveAccount(storetest.Account(2)))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, st := range statements {
		if _, err := db.Exec(st); err != nil {
			t.Fatalf("%s: %v", st, err)
		}
	}
}

// clear checks that an error says what is wrong, and the way forward.
func clear(t *testing.T, err error, says string) {
	t.Helper()
	var e *addressing.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want an *addressing.Error", err)
	}
	if e.Code != addressing.CodeUnavailable || e.Next == "" || !strings.Contains(e.Error()+" "+e.Next, says) {
		t.Errorf("code %q, next %q, error %q; want unavailable, a way forward and %q", e.Code, e.Next, e, says)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, path string)
		create bool
		says   string
	}{
		"missing":            {func(t *testing.T, p string) { remove(t, p) }, false, "missing"},
		"emptied":            {func(t *testing.T, p string) { truncate(t, p, 0) }, false, "empty"},
		"other environment":  {func(t *testing.T, p string) { raw(t, p, "UPDATE stamp SET environment = 'prod'") }, true, `"prod", not to "test"`},
		"no stamp":           {func(t *testing.T, p string) { raw(t, p, "DELETE FROM stamp") }, true, "stamp is gone"},
		"no stamp table":     {func(t *testing.T, p string) { raw(t, p, "DROP TABLE stamp") }, true, "not one of Holdfast's"},
		"no database at all": {func(t *testing.T, p string) { overwrite(t, p, strings.Repeat("not a database, ", 400)) }, true, "no database"},
		"truncated":          {func(t *testing.T, p string) { truncate(t, p, 8192) }, true, "damaged"},
		"damaged in a page":  {damagePages, true, "damaged"},
		"newer schema": {func(t *testing.T, p string) {
			raw(t, p, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		}, true, "9999"},
		"all tables dropped":  {dropAll, false, "no tables"},
		"directory is a file": {func(t *testing.T, p string) { remove(t, p); mkdir(t, p) }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := seed(t)
			c.damage(t, path)
			before, _ := os.ReadFile(path)
			s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Environment: "test", Create: c.create})
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			clear(t, err, c.says)
			if after, _ := os.ReadFile(path); !cmp.Equal(before, after) {
				t.Error("the file was written to")
			}
		})
	}
	_, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "x.db"), Create: true})
	if addressing.CodeOf(err) != addressing.CodeInvalid {
		t.Errorf("opened without an environment: %v", err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func dropAll(t *testing.T, path string) {
	t.Helper()
	raw(t, path, "DROP TABLE changed", "DROP TABLE audit_objects", "DROP TABLE audit", "DROP TABLE delegations", "DROP TABLE tokens", "DROP TABLE negative_intents", "DROP TABLE bindings", "DROP TABLE bgp_prefixes",
		"DROP TABLE prefixes", "DROP TABLE services", "DROP TABLE accounts", "DROP TABLE stamp", "DROP TABLE goose_db_version")
}

// damagePages overwrites the middle of every page but the first.
func damagePages(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(4096); at < info.Size(); at += 4096 {
		if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 64)), at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLostWhileInUse: a file that is taken away, replaced or emptied under a
// running daemon stops reads and writes with a reason, and comes back.
func TestLostWhileInUse(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, path string)
		says   string
	}{
		"removed":  {remove, "removed while in use"},
		"replaced": {func(t *testing.T, p string) { remove(t, p); overwrite(t, p, "something else") }, "replaced while in use"},
		"emptied":  {func(t *testing.T, p string) { truncate(t, p, 0) }, "emptied while in use"},
	} {
		t.Run(name, func(t *testing.T) {
			path := seed(t)
			s := open(t, path)
			defer s.Close()
			c.damage(t, path)
			_, err := s.State(t.Context())
			clear(t, err, c.says)
			clear(t, s.Update(t.Context(), func(tx addressing.Tx) error { return tx.SaveAccount(storetest.Account(3)) }), c.says)
		})
	}
}

// TestRowsLostBehindOurBack is the fourth replay of 20 February: a DELETE past
// the daemon. Nothing crashes and the state shows what is there, so that the
// builder can see the hole.
func TestRowsLostBehindOurBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intent.db")
	s := open(t, path)
	defer s.Close()
	p, g := storetest.Prefix(10, storetest.ID(1), "11.0.0.0/22"), storetest.BGPPrefix(11, storetest.ID(10), "11.0.0.0/22")
	err := s.Update(t.Context(), func(tx addressing.Tx) error {
		return errors.Join(tx.SaveAccount(storetest.Account(1)), tx.SaveService(storetest.Service(3)), tx.SavePrefix(p), tx.SaveBGPPrefix(g))
	})
	if err != nil {
		t.Fatal(err)
	}
	raw(t, path, "PRAGMA foreign_keys = off", "DELETE FROM prefixes", "DELETE FROM accounts")
	st, err := s.State(t.Context())
	if err != nil || len(st.Prefixes) != 0 || len(st.Accounts) != 0 || len(st.BGPPrefixes) != 1 {
		t.Errorf("state: %+v, %v", st, err)
	}
	err = s.View(t.Context(), func(tx addressing.ReadTx) error { _, err := tx.Prefix(p.ID); return err })
	if addressing.CodeOf(err) != addressing.CodeNotFound {
		t.Errorf("a deleted prefix: %v", err)
	}
	raw(t, path, "DELETE FROM bgp_prefixes", "DROP TABLE bindings")
	_, err = s.State(t.Context())
	clear(t, err, "bindings")
}

// TestReopen: what was committed is there, nothing twice.
func TestReopen(t *testing.T) {
	path := seed(t)
	s := open(t, path)
	defer s.Close()
	st, err := s.State(t.Context())
	want := []addressing.Account{storetest.Account(1), storetest.Account(2)}
	if err != nil || !cmp.Equal(want, st.Accounts, cmpopts.EquateEmpty()) {
		t.Errorf("accounts after reopening: %+v, %v", st.Accounts, err)
	}
	for _, file := range []string{path, path + "-wal"} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", file, info.Mode(), err)
		}
	}
}
