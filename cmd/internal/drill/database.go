package drill

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

// harm is one way in which a database goes bad while the daemon has it open.
type harm struct {
	name string
	do   func(ctx context.Context, path string, rows []table.Row) error
	mend func(path string) error // undoes it; nil moves the file away and rebuilds it from the snapshot
}

// harms are the six kinds of requirement D3, some of them in several ways.
func harms() []harm {
	return []harm{
		{name: "a: DELETE FROM prefixes", do: statements("DELETE FROM prefixes")},
		{name: "a: DELETE FROM everything", do: statements("DELETE FROM bindings", "DELETE FROM bgp_prefixes", "DELETE FROM prefixes", "DELETE FROM accounts")},
		{name: "a: everything withdrawn by UPDATE", do: statements("UPDATE bgp_prefixes SET advertised = 0")},
		{name: "b: the file removed", do: func(_ context.Context, path string, _ []table.Row) error { return removeDatabase(path) }},
		{name: "c: replaced by staging's", do: replaced()},
		{name: "c: replaced by staging's, stamped as ours", do: replaced("UPDATE stamp SET environment = '" + Environment + "'")},
		{name: "d: a migration half applied", do: statements("DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)",
			"CREATE TABLE negative_intents_next (id TEXT)", "DROP TABLE negative_intents")},
		{name: "e: read-only", do: writeVersion(3), mend: func(path string) error { return setWriteVersion(path, 2) }},
		{name: "f: rows doubled", do: statements("DROP INDEX prefixes_live_cidr", double("prefixes", "id"), double("bgp_prefixes", "id", "prefix_id"), double("bindings", "id", "prefix_id"))},
		{name: "f: rows of rubbish", do: statements("PRAGMA ignore_check_constraints = on", "UPDATE prefixes SET cidr = 'x' || id, asn = 0 WHERE rowid % 3 = 0", "UPDATE bgp_prefixes SET sites = '[]', prepend = 9 WHERE rowid % 5 = 0")},
		{name: "f: pages overwritten", do: overwritePages},
	}
}

// badDatabase is drill D3: whatever becomes of the database, the neighbor is
// told nothing, the daemon says so, and desired state comes back out of the
// snapshot.
func badDatabase(ctx context.Context, o Options) (*Report, error) {
	rows, err := Rows(o.Small)
	if err != nil {
		return nil, err
	}
	watch, parallel := 5*time.Second, 1
	if o.Small { // mostly waiting
		rows, watch, parallel = rows[:len(rows)/4], 350*time.Millisecond, 6
	}
	all := harms()
	reports := make([]Report, len(all))
	tables := make([]Table, len(all))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, h := range all {
		g.Go(func() error {
			b := &badDB{harm: h, rows: rows, watch: watch, dir: filepath.Join(o.Dir, fmt.Sprint("database-", i))}
			if err := b.run(ctx, &reports[i], &tables[i]); err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
			o.say("%s", strings.Join(tables[i].Rows[0], ", "))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	report := &Report{}
	t := Table{Title: "Each on a network of its own", Columns: []string{"database", "withdrawals", "UPDATEs", "at the neighbor", "noticed after", "as", "opening it again", "recovery", "took"}}
	for i := range all {
		report.Bars = append(report.Bars, reports[i].Bars...)
		t.Rows = append(t.Rows, tables[i].Rows...)
	}
	report.Tables = []Table{t}
	return report, nil
}

// badDB is one harm on one rig.
type badDB struct {
	*Rig
	harm
	rows     []table.Row
	watch    time.Duration
	dir      string
	db       *sqlite.Store
	begun    time.Time
	noticed  time.Duration
	as       string
	reopened string
}

func (b *badDB) path() string { return filepath.Join(b.dir, "intent.db") }

func (b *badDB) run(ctx context.Context, report *Report, t *Table) (err error) {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.Rig, err = NewRig(ctx, RigOptions{Dir: b.dir, Rows: b.rows}); err != nil {
		return err
	}
	defer b.Close()
	if b.db, err = b.database(); err != nil {
		return err
	}
	if now := time.Now(); now.After(b.Now()) { // rebuilding is judged by the real clock
		if err := b.Pass(now.Sub(b.Now())); err != nil {
			return err
		}
	}
	if err := b.Settle(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	before := b.Wire.Counters()
	b.begun = time.Now()
	if err := b.do(ctx, b.path(), b.rows); err != nil {
		return fmt.Errorf("harm: %w", err)
	}
	if err := b.look(ctx); err != nil {
		return err
	}
	if err := b.reopen(ctx); err != nil {
		return err
	}
	how, took, err := b.recover(ctx)
	if err != nil {
		return fmt.Errorf("recovery: %w", err)
	}
	after := b.Wire.Counters()
	report.Exactly(b.name+": withdrawals", after.Removed()-before.Removed(), 0)
	report.Exactly(b.name+": UPDATEs", after.Updates-before.Updates, 0)
	report.Exactly(b.name+": at the neighbor", b.Wire.Held(), b.Full)
	report.Exactly(b.name+": noticed", min(1, len(b.as)), 1)
	report.Within(b.name+": noticed", b.noticed, 30*time.Second)
	report.Within(b.name+": recovery", took, 60*time.Second)
	t.Add(b.name, after.Removed()-before.Removed(), after.Updates-before.Updates, fmt.Sprintf("%d of %d", b.Wire.Held(), b.Full),
		b.noticed.Round(time.Millisecond), b.as, b.reopened, how, took.Round(time.Millisecond))
	return b.works(ctx)
}

// database is the open database of the rig.
func (b *badDB) database() (*sqlite.Store, error) {
	db, is := b.store.(*sqlite.Store)
	if !is {
		return nil, errors.New("desired state is not in a file")
	}
	return db, nil
}

// look lets the builder look again and again, and notes when the pipeline first
// says that something is wrong.
func (b *badDB) look(ctx context.Context) error {
	for end := time.Now().Add(b.watch); time.Now().Before(end); {
		b.Runner.Kick()
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		switch s := b.Runner.Status(); {
		case s.IntentLost != "":
			b.notice("intent lost")
		case s.Refusal != nil:
			b.notice("plan refused")
		case s.LastError != "":
			b.notice("not readable")
		}
	}
	return nil
}

func (b *badDB) notice(as string) {
	if b.as == "" {
		b.as, b.noticed = as, time.Since(b.begun)
	}
}

// reopen is what the daemon does with the database when it starts again: it
// makes none, and attaches what it is given if that may be used at all.
func (b *badDB) reopen(ctx context.Context) error {
	_ = b.db.Close() // a bad database may well not close cleanly
	err := b.open(ctx, false)
	if err != nil {
		b.reopened = "refused"
		b.notice("not opened")
	} else {
		b.reopened = "opened"
	}
	if err := b.look(ctx); err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); b.as == "" && time.Now().Before(end); { // a slow machine
		if err := b.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open opens the database at its place and hands it to the pipeline.
func (b *badDB) open(ctx context.Context, create bool) error {
	db, err := sqlite.Open(ctx, sqlite.Options{Path: b.path(), Environment: Environment, Create: create})
	if err != nil {
		return err
	}
	b.db = db
	b.stops = append(b.stops, func() { _ = db.Close() })
	b.Registry = addressing.NewRegistry(db, b.Gate, addressing.Options{Entropy: rand.Reader, AllowSpecial: true, Grace: time.Hour, Notify: b.Runner.Notify})
	b.store = db
	b.Runner.AttachDesired(b.Registry)
	return nil
}

// recover mends the database where that can be done, and rebuilds it from the
// snapshot where it cannot.
func (b *badDB) recover(ctx context.Context) (how string, took time.Duration, err error) {
	begun := time.Now()
	how = "rebuilt from the snapshot"
	if err := b.db.Close(); err != nil && b.reopened == "opened" {
		return "", 0, err
	}
	if b.mend != nil {
		how = "mended"
		if err := errors.Join(b.mend(b.path()), b.open(ctx, false)); err != nil {
			return how, 0, err
		}
	} else {
		b.Runner.StopIntentLost("desired state is being rebuilt")
		if err := errors.Join(removeDatabase(b.path()), b.open(ctx, true)); err != nil {
			return how, 0, err
		}
		if _, err := b.Runner.Rebuild(ctx, Operator("noc"), "drill D3"); err != nil {
			return how, 0, err
		}
	}
	for end := begun.Add(time.Minute); ; { // several good builds are wanted after a bad one
		b.Runner.Kick()
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return how, 0, err
		}
		s := b.Runner.Status()
		if s.IntentLost == "" && s.Refusal == nil && s.LastError == "" {
			break
		}
		if time.Now().After(end) {
			return how, 0, fmt.Errorf("it is still refused: %q %q %+v", s.IntentLost, s.LastError, s.Refusal)
		}
	}
	took = time.Since(begun)
	return how, took, b.Settle(ctx, 200*time.Millisecond)
}

// works demands that an owner's change reaches the neighbor again.
func (b *badDB) works(ctx context.Context) error {
	p := b.Customers()[0]
	for i, routes := range []int{b.Full - 1, b.Full} {
		var err error
		if i == 0 {
			_, _, err = b.Registry.WithdrawPrefix(ctx, b.Request(Owner(p.AccountID), "drill D3"), p.ID)
		} else {
			_, _, err = b.Registry.AdvertisePrefix(ctx, b.Request(Owner(p.AccountID), "drill D3"), p.ID)
		}
		if err != nil {
			return fmt.Errorf("a change after the recovery: %w", err)
		}
		if err := b.Await(ctx, routes); err != nil {
			return fmt.Errorf("a change after the recovery: %w", err)
		}
	}
	return nil
}

// statements are a hand on the file, past the daemon and past every constraint
// that can be turned off.
func statements(list ...string) func(context.Context, string, []table.Row) error {
	return func(ctx context.Context, path string, _ []table.Row) error {
		return execute(ctx, path, append([]string{"PRAGMA foreign_keys = off"}, list...)...)
	}
}

func execute(ctx context.Context, path string, list ...string) (err error) {
	db, err := sql.Open("sqlite3", path) // the driver comes with the store
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	for _, s := range list {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// double inserts every row of a table once more under other ids.
func double(name string, ids ...string) string {
	var set []string
	for _, c := range ids {
		set = append(set, fmt.Sprintf("%s = 'd' || substr(%s, 2)", c, c))
	}
	return fmt.Sprintf("CREATE TEMP TABLE doubled_%[1]s AS SELECT * FROM %[1]s; UPDATE doubled_%[1]s SET %[2]s; INSERT INTO %[1]s SELECT * FROM doubled_%[1]s", name, strings.Join(set, ", "))
}

// replaced puts another environment's database, with other rows, in place.
func replaced(then ...string) func(context.Context, string, []table.Row) error {
	return func(ctx context.Context, path string, rows []table.Row) error {
		staging := path + ".staging"
		db, err := sqlite.Open(ctx, sqlite.Options{Path: staging, Environment: "staging", Create: true})
		if err != nil {
			return err
		}
		desk := &Desk{store: db}
		err = desk.fill(ctx, rows[len(rows)/2:])
		if err := errors.Join(err, db.Close()); err != nil {
			return err
		}
		if err := execute(ctx, staging, then...); err != nil {
			return err
		}
		return errors.Join(removeDatabase(path), os.Rename(staging, path))
	}
}

func removeDatabase(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// writeVersion makes SQLite treat the file as read-only, also for a superuser:
// offset 18 of its header is the version that a writer must know, and none
// knows 3.
func writeVersion(v byte) func(context.Context, string, []table.Row) error {
	return func(ctx context.Context, path string, _ []table.Row) error {
		if err := execute(ctx, path, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			return err
		}
		return setWriteVersion(path, v)
	}
}

func setWriteVersion(path string, v byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{v}, 18)
	return errors.Join(err, f.Close())
}

// overwritePages writes over every page but the first.
func overwritePages(ctx context.Context, path string, _ []table.Row) error {
	if err := execute(ctx, path, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, int(max(0, info.Size()-4096))), 4096)
	return errors.Join(err, f.Close())
}
