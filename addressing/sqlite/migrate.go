package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/holdfast-bgp/holdfast/addressing"
)

//go:embed migrations/*.sql
var migrations embed.FS

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files)
}

// check looks at a database before anything is written to it: is it sound, and
// is it ours?
func check(ctx context.Context, db *sql.DB, opt Options) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return refuse(opt.Path, "it is corrupt: "+verdict, "put a backup back, or move it away and rebuild it from the last snapshot with `holdfast restore --all`")
	}
	var tables, stamps int
	err := db.QueryRowContext(ctx, "SELECT count(*), count(*) FILTER (WHERE name = 'stamp') FROM sqlite_schema WHERE type = 'table'").Scan(&tables, &stamps)
	if err != nil {
		return err
	}
	switch {
	case tables == 0 && !opt.Create:
		return noTables(opt)
	case tables == 0:
		return nil
	case stamps == 0:
		return halfway(ctx, db, opt)
	}
	return sameEnvironment(ctx, db, opt)
}

func noTables(opt Options) error {
	return refuse(opt.Path, "it holds no tables", "put it back, or rebuild it from the last snapshot with `holdfast restore --all`")
}

// halfway passes a file whose creation was cut short before the first
// migration: goose's own table, and nothing else.
func halfway(ctx context.Context, db *sql.DB, opt Options) error {
	var foreign int
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('goose_db_version', 'sqlite_sequence')").Scan(&foreign)
	if err != nil {
		return err
	}
	if foreign == 0 && !opt.Create {
		return noTables(opt)
	}
	if foreign > 0 {
		return refuse(opt.Path, "it is not one of Holdfast's", "name another file")
	}
	return nil
}

func sameEnvironment(ctx context.Context, db *sql.DB, opt Options) error {
	var environment string
	err := db.QueryRowContext(ctx, "SELECT environment FROM stamp WHERE one = 1").Scan(&environment)
	if errors.Is(err, sql.ErrNoRows) {
		if opt.Create && unused(ctx, db) {
			return nil // its creation was cut short before the stamp
		}
		return refuse(opt.Path, "its environment stamp is gone", "put a backup back, or rebuild it from the last snapshot with `holdfast restore --all`")
	}
	if err != nil {
		return err
	}
	if environment != opt.Environment {
		return refuse(opt.Path, fmt.Sprintf("it belongs to the environment %q, not to %q", environment, opt.Environment), "name the right file or the right environment")
	}
	return nil
}

// unused reports whether nothing was ever stored.
func unused(ctx context.Context, db *sql.DB) bool {
	var used bool
	err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM audit) OR EXISTS (SELECT 1 FROM accounts)").Scan(&used)
	return err == nil && !used
}

// migrate brings the schema up to date, each step in a transaction of its own,
// and stamps a new database.
func migrate(ctx context.Context, db *sql.DB, opt Options) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	is, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	newest := sources[len(sources)-1].Version
	if is > newest {
		return refuse(opt.Path, fmt.Sprintf("its schema is version %d, this program knows up to %d", is, newest), "use the newer program, or put the backup from before its upgrade back")
	}
	if is < newest {
		if err := unwatch(ctx, db); err != nil {
			return err
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return &addressing.Error{Code: addressing.CodeUnavailable, Op: "migrate database", Detail: opt.Path, Err: err,
			Next: "nothing of the failed step was kept; mend the cause and start again"}
	}
	_, err = db.ExecContext(ctx, "INSERT INTO stamp (one, environment) VALUES (1, ?) ON CONFLICT DO NOTHING", opt.Environment)
	return err
}
