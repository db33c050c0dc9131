package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Backup writes a consistent copy of the database to a new file while
// everything goes on, fsynced before it gets its name. A file that is there
// is never overwritten.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return &addressing.Error{Code: addressing.CodeConflict, Op: "back up database", Detail: path + ": is there already", Next: "name a new file"}
	}
	if err := s.sound(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", dsn(s.path, "mode=ro&_busy_timeout=5000"))
	if err != nil {
		return unavailable("back up database", s.path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return unavailable("back up database", part, err)
	}
	if err := touch(part); err != nil { // mode 0600 from the first byte
		return unavailable("back up database", part, err)
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return errors.Join(unavailable("back up database", part, err), os.Remove(part))
	}
	if err := settle(part, path); err != nil {
		return unavailable("back up database", path, err)
	}
	return nil
}

// settle makes a finished file durable under its name.
func settle(part, path string) error {
	for _, step := range []func() error{
		func() error { return syncFile(part) },
		func() error { return os.Link(part, path) }, // unlike a rename, never over another file
		func() error { return os.Remove(part) },
		func() error { return syncFile(filepath.Dir(path)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Check looks through the whole database: pages, indexes, references. It is
// for a person's question, not for every start. The error lists what is wrong.
func (s *Store) Check(ctx context.Context) error {
	if err := s.sound(); err != nil {
		return err
	}
	wrong, err := s.wrong(ctx)
	if err != nil {
		return unavailable("check database", s.path, err)
	}
	if len(wrong) == 0 {
		return nil
	}
	return &addressing.Error{Code: addressing.CodeUnavailable, Op: "check database", Detail: s.path + ": " + strings.Join(wrong, "; "),
		Next: "put a backup back, or move it away and rebuild it from the last snapshot with `holdfast restore --all`"}
}

func (s *Store) wrong(ctx context.Context) (out []string, err error) {
	pages, err := s.read.QueryContext(ctx, "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok' LIMIT 10")
	if err != nil {
		return nil, err
	}
	defer pages.Close()
	for pages.Next() {
		var line string
		if err := pages.Scan(&line); err != nil {
			return nil, err
		}
		out = append(out, line)
	}
	if err := pages.Err(); err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table, parent string
		var n int
		if err := rows.Scan(&table, &parent, &n); err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%d rows of %s refer to rows of %s that are gone", n, table, parent))
	}
	return out, rows.Err()
}
