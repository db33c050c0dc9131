package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/storetest"
)

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "intent.db"))
	defer s.Close()
	err := s.Update(t.Context(), func(tx addressing.Tx) error {
		return errors.Join(tx.SaveAccount(storetest.Account(1)), tx.SavePrefix(storetest.Prefix(10, storetest.ID(1), "11.0.0.0/22")))
	})
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "copy with ' odd ? name.db")
	if err := s.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v, %v", info, err)
	}
	want, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, copied)
	defer c.Close()
	got, err := c.State(t.Context())
	if err != nil || len(got.Prefixes) != 1 || !cmp.Equal(want.Accounts, got.Accounts) {
		t.Errorf("the copy holds %+v, %v", got, err)
	}
	before, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), copied); addressing.CodeOf(err) != addressing.CodeConflict {
		t.Errorf("backup over a file: %v", err)
	}
	if after, err := os.ReadFile(copied); err != nil || !cmp.Equal(before, after) {
		t.Error("the file that was there was touched")
	}
	clear(t, s.Backup(t.Context(), filepath.Join(dir, "missing", "x.db")), "no such file")
	left, err := filepath.Glob(filepath.Join(dir, "*.part"))
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestCheck(t *testing.T) {
	path := seed(t)
	s := open(t, path)
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx addressing.Tx) error {
		return tx.SavePrefix(storetest.Prefix(10, storetest.ID(1), "11.0.0.0/22"))
	})
	if err != nil {
		t.Fatal(err)
	}
	raw(t, path, "PRAGMA foreign_keys = off", "DELETE FROM accounts")
	clear(t, s.Check(t.Context()), "1 rows of prefixes refer to rows of accounts that are gone")
}
