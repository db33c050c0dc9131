//go:build linux

package main

import (
	"database/sql"
	"path/filepath"
	"testing"
)

func TestEmptyDatabase(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := emptyDatabase(t.Context(), dir); err == nil {
		t.Error("a database without the tables can be emptied")
	}
	for _, statement := range []string{
		"CREATE TABLE prefixes (id INTEGER PRIMARY KEY)",
		"CREATE TABLE bgp_prefixes (prefix INTEGER REFERENCES prefixes(id))",
		"CREATE TABLE bindings (prefix INTEGER REFERENCES prefixes(id))",
		"CREATE TABLE tokens (id INTEGER)",
		"INSERT INTO prefixes VALUES (1), (2)",
		"INSERT INTO bindings VALUES (1)",
		"INSERT INTO tokens VALUES (1)",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := emptyDatabase(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []emptied{{"bgp_prefixes", 0}, {"bindings", 1}, {"prefixes", 2}}
	if len(gone) != len(want) {
		t.Fatalf("emptied %v, want %v", gone, want)
	}
	for i, w := range want {
		if gone[i] != w {
			t.Errorf("emptied %v, want %v", gone[i], w)
		}
	}
	var tokens int
	if err := db.QueryRow("SELECT COUNT(*) FROM tokens").Scan(&tokens); err != nil || tokens != 1 {
		t.Errorf("%d tokens left (%v), want 1", tokens, err)
	}
}
