//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	_ "github.com/mattn/go-sqlite3" // a hand on the daemon's file
)

// database is the daemon's desired state, as it lies in its data directory.
const database = "intent.db"

// emptied is how many rows a table lost.
type emptied struct {
	table string
	rows  int64
}

// emptyDatabase deletes everything that says what is to be advertised, behind
// the daemon's back: foreign keys are off and nobody is told.
func emptyDatabase(ctx context.Context, dataDir string) ([]emptied, error) {
	file := url.URL{Scheme: "file", Opaque: filepath.Join(dataDir, database), RawQuery: "mode=rw&_busy_timeout=5000&_foreign_keys=0&_txlock=immediate"}
	db, err := sql.Open("sqlite3", file.String())
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	defer db.Close()
	tables, err := intentTables(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read the database: %w", err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("empty the database: %w", err)
	}
	var out []emptied
	for _, t := range tables {
		done, err := tx.ExecContext(ctx, "DELETE FROM "+t)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("empty %s: %w", t, err), tx.Rollback())
		}
		n, err := done.RowsAffected()
		if err != nil {
			return nil, errors.Join(err, tx.Rollback())
		}
		out = append(out, emptied{t, n})
	}
	return out, tx.Commit()
}

// intentTables lists the tables about prefixes: those, BGP prefixes, bindings
// and whatever else carries their name.
func intentTables(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if slices.ContainsFunc([]string{"prefix", "binding"}, func(s string) bool { return strings.Contains(name, s) }) {
			out = append(out, name)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(out) < 3 {
		return nil, fmt.Errorf("found only the tables %q about prefixes and bindings", out)
	}
	return out, nil
}
