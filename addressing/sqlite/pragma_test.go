package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func openHere(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "odd name?#%.db"), Environment: "test", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// TestPragmas: every connection has them, whatever the file is called.
func TestPragmas(t *testing.T) {
	s := openHere(t)
	check := func(where string, get func(string) (string, error), want map[string]string) {
		for pragma, value := range want {
			if got, err := get(pragma); err != nil || got != value {
				t.Errorf("%s: %s is %q (%v), want %q", where, pragma, got, err, value)
			}
		}
	}
	check("write", func(p string) (v string, err error) {
		err = s.write.QueryRow("PRAGMA " + p).Scan(&v)
		return v, err
	}, map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "0"})
	for i := range cap(s.readers) {
		c := <-s.readers
		check(fmt.Sprint("reader ", i), func(p string) (v string, err error) {
			err = c.c.QueryRowContext(t.Context(), "PRAGMA "+p).Scan(&v)
			return v, err
		}, map[string]string{"query_only": "1", "busy_timeout": "5000", "foreign_keys": "1"})
		if err := c.exec("DELETE FROM stamp"); err == nil {
			t.Error("a reader wrote")
		}
		s.readers <- c
	}
}

func account(i int, name string) addressing.Account {
	return addressing.Account{ID: fmt.Sprintf("%032x", i), Name: name, Kind: addressing.Customer, Version: 1}
}

// TestFullAndReadOnly: the change is refused with a reason, nothing of it is
// kept, and it works again when the cause is gone. Updates that shared the
// failed transaction are told too.
func TestFullAndReadOnly(t *testing.T) {
	for name, c := range map[string]struct{ breaks, mends, says string }{
		"full":      {"PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1073741823", "disk is full"},
		"read-only": {"PRAGMA query_only = on", "PRAGMA query_only = off", "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openHere(t)
			ctx := context.Background()
			// The writer's connection, from inside a job.
			pragma := func(p string) error {
				return s.Update(ctx, func(x addressing.Tx) error { return x.(*tx).c.exec(p) })
			}
			if err := pragma(c.breaks); err != nil {
				t.Fatal(err)
			}
			many := strings.Repeat("long name ", 20_000)
			err := s.Update(ctx, func(x addressing.Tx) error {
				first := x.SaveAccount(account(1, many))
				second := x.SaveAccount(account(2, "small")) // must not be committed on its own
				if second == nil {
					t.Error("the transaction went on after it had failed")
				}
				return first
			})
			var e *addressing.Error
			if !errors.As(err, &e) || e.Code != addressing.CodeUnavailable || !strings.Contains(e.Detail, c.says) || e.Next == "" {
				t.Errorf("error %v, want why (%q) and what next", err, c.says)
			}
			st, err := s.State(ctx)
			if err != nil || len(st.Accounts) != 0 {
				t.Errorf("kept %d accounts (%v)", len(st.Accounts), err)
			}
			if err := pragma(c.mends); err != nil {
				t.Fatal(err)
			}
			if err := s.Update(ctx, func(x addressing.Tx) error { return x.SaveAccount(account(3, "after")) }); err != nil {
				t.Errorf("after mending: %v", err)
			}
		})
	}
}
