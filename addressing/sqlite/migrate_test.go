package sqlite

import (
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TestMigrateFromEverySchema: a database left at any earlier version, or with
// its creation cut short, is brought up to date and keeps its rows.
func TestMigrateFromEverySchema(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("migrations: %v, %v", files, err)
	}
	for version := range len(files) + 1 {
		path := filepath.Join(t.TempDir(), "intent.db")
		older(t, path, int64(version), rows...)
		for range 2 { // the second time there is nothing to do
			s, err := Open(t.Context(), Options{Path: path, Environment: "test", Create: version == 0})
			if err != nil {
				t.Fatalf("from version %d: %v", version, err)
			}
			st, err := s.State(t.Context())
			if err != nil || version > 0 && len(st.Accounts) != 1 {
				t.Errorf("from version %d: %+v, %v", version, st.Accounts, err)
			}
			kept(t, s, version)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if version == 0 {
				break // a new one: opening it again without Create is the next version's case
			}
		}
	}
}

// kept looks at what an older program stored, and at what a newer one may.
func kept(t *testing.T, s *Store, version int) {
	t.Helper()
	if version > 0 {
		err := s.View(t.Context(), func(tx addressing.ReadTx) error {
			k, err := tx.TokenByHash(strings.Repeat("a", 64))
			if err != nil || k.Role != addressing.RoleAdmin || k.AccountID == "" || k.Suffix != "abcd" || len(k.CIDRs) != 1 || k.Version != 3 || k.LastUsedAt == nil {
				t.Errorf("from version %d: token %+v, %v", version, k, err)
			}
			for object, want := range map[string]int{"p1": 2, "b1": 1, "p2": 0} {
				if on, err := tx.AuditOn(addressing.EveryAccount(), object); err != nil || len(on) != want {
					t.Errorf("from version %d: %d records on %s, %v; want %d", version, len(on), object, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	err := s.Update(t.Context(), func(tx addressing.Tx) error {
		approver := addressing.TokenRecord{ID: "0000000000000000000000000000000f", Role: addressing.RoleApprove, Hash: strings.Repeat("b", 64), CreatedBy: "operator/uid:0", Version: 1}
		if _, err := tx.Token(approver.ID); err == nil {
			return nil // the second time
		}
		return tx.SaveToken(approver)
	})
	if err != nil {
		t.Errorf("from version %d: %v", version, err)
	}
}

// TestHalfMigrated: a step that fails late keeps nothing of itself, says so,
// and is done once what was in its way is gone.
func TestHalfMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intent.db")
	older(t, path, 1, append(rows, "CREATE TABLE audit_objects (in_the_way TEXT)")...)
	_, err := Open(t.Context(), Options{Path: path, Environment: "test"})
	var refusal *addressing.Error
	if !errors.As(err, &refusal) || refusal.Code != addressing.CodeUnavailable || !strings.Contains(refusal.Next, "nothing of the failed step was kept") {
		t.Fatalf("opened, or no way forward: %v", err)
	}
	db, err := sql.Open("sqlite3", dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	var tokens, columns int
	if err := db.QueryRow("SELECT (SELECT count(*) FROM tokens), (SELECT count(*) FROM pragma_table_info('tokens'))").Scan(&tokens, &columns); err != nil || tokens != 1 || columns != 13 {
		t.Errorf("%d tokens of %d columns are left, %v; want 1 of 13", tokens, columns, err)
	}
	if _, err := db.Exec("DROP TABLE audit_objects"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Path: path, Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	kept(t, s, 1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestCreationCutShort: killed between the schema and the stamp.
func TestCreationCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intent.db")
	older(t, path, 1)
	cut := func(statement string) {
		db, err := sql.Open("sqlite3", dsn(path, ""))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	cut("DELETE FROM stamp")
	if _, err := Open(t.Context(), Options{Path: path, Environment: "test", Create: true}); err == nil {
		t.Error("a database with rows and no stamp was taken over")
	}
	cut("DELETE FROM accounts")
	if _, err := Open(t.Context(), Options{Path: path, Environment: "test"}); err == nil {
		t.Error("a database without a stamp was opened without Create")
	}
	s, err := Open(t.Context(), Options{Path: path, Environment: "test", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// rows are a token and two records of the audit log, as the first program
// wrote them.
var rows = []string{
	"INSERT INTO tokens (id, account_id, name, role, hash, suffix, cidrs, created_at, last_used_at, replaces, version) " +
		"VALUES ('00000000000000000000000000000002', '00000000000000000000000000000001', 'ci', 'admin', '" + strings.Repeat("a", 64) + "', 'abcd', '10.0.0.0/8', 1, 2, '', 3)",
	`INSERT INTO audit (seq, change_id, at, account_id, actor, record, hash) VALUES (1, 'c1', 1, '', 'a', '{"objects":["p1"],"before":{},"after":{"prefixes":[{"id":"p1"}]}}', '` + strings.Repeat("c", 64) + `')`,
	`INSERT INTO audit (seq, change_id, at, account_id, actor, record, hash) VALUES (2, 'c2', 2, '', 'a', '{"objects":["b1"],"before":{"bindings":[{"id":"b1","prefix_id":"p1"}]},"after":{}}', '` + strings.Repeat("d", 64) + `')`,
}

// older makes a database as a program of that schema version left it.
func older(t *testing.T, path string, version int64, rows ...string) {
	t.Helper()
	if err := touch(path); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", dsn(path, "_foreign_keys=on"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := provider(db)
	if err != nil {
		t.Fatal(err)
	}
	if version == 0 { // goose's own table, and nothing else
		if _, err := p.GetDBVersion(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, statement := range append([]string{
		"INSERT INTO stamp VALUES (1, 'test')",
		"INSERT INTO accounts (id, name, kind, created_at, version) VALUES ('00000000000000000000000000000001', 'a', 'customer', 1, 1)",
	}, rows...) {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}
