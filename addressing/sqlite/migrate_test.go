package sqlite

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
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
		older(t, path, int64(version))
		for range 2 { // the second time there is nothing to do
			s, err := Open(t.Context(), Options{Path: path, Environment: "test", Create: version == 0})
			if err != nil {
				t.Fatalf("from version %d: %v", version, err)
			}
			st, err := s.State(t.Context())
			if err != nil || version > 0 && len(st.Accounts) != 1 {
				t.Errorf("from version %d: %+v, %v", version, st.Accounts, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if version == 0 {
				break // a new one: opening it again without Create is the next version's case
			}
		}
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

// older makes a database as a program of that schema version left it.
func older(t *testing.T, path string, version int64) {
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
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"INSERT INTO stamp VALUES (1, 'test')",
		"INSERT INTO accounts (id, name, kind, created_at, version) VALUES ('00000000000000000000000000000001', 'a', 'customer', 1, 1)",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}
