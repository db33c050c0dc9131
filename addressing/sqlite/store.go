package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Options of Open.
type Options struct {
	Path        string // file; its directory must exist
	Environment string // stamped at creation and compared ever after
	Create      bool   // make the file if it is missing; never over a lost database
	Readers     int    // connections of the read-only pool; 0 means 4
}

// leastVersion is the first SQLite without the WAL-reset corruption race of
// 3.7.0 to 3.51.2.
const leastVersion = 3051003

// Store is desired state in one SQLite file.
type Store struct {
	path    string
	file    os.FileInfo // as opened: a file that was replaced is not ours
	write   *sql.DB
	read    *sql.DB
	jobs    chan *job
	readers chan *conn
	closed  chan struct{} // closed by Close
	writer  sync.WaitGroup
	once    sync.Once
	err     error
}

// Open opens the database and brings its schema up to date. A missing file
// without Create, another environment, a newer schema or an unsound file is an
// *addressing.Error with CodeUnavailable that says what to do.
func Open(ctx context.Context, opt Options) (*Store, error) {
	s, err := open(ctx, opt)
	if err != nil {
		var e *addressing.Error
		if errors.As(err, &e) {
			return nil, err
		}
		return nil, unavailable("open database", opt.Path, err)
	}
	return s, nil
}

func open(ctx context.Context, opt Options) (*Store, error) {
	if opt.Environment == "" {
		return nil, &addressing.Error{Code: addressing.CodeInvalid, Op: "open database", Field: "environment", Detail: "is empty, there is no default one"}
	}
	if _, number, _ := sqlite3.Version(); number < leastVersion {
		return nil, refuse(opt.Path, fmt.Sprintf("SQLite %d is older than %d and can corrupt a database", number, leastVersion), "build with the SQLite that comes with the driver, not with the tag libsqlite3")
	}
	if err := present(opt); err != nil {
		return nil, err
	}
	s := &Store{path: opt.Path, jobs: make(chan *job), closed: make(chan struct{})}
	if err := s.connect(ctx, opt); err != nil {
		return nil, errors.Join(err, s.closeDBs())
	}
	s.writer.Go(s.writeLoop)
	return s, nil
}

// present makes sure that an empty database is only ever made on purpose.
func present(opt Options) error {
	info, err := os.Stat(opt.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && opt.Create, err == nil && info.Size() == 0 && opt.Create:
		return touch(opt.Path)
	case errors.Is(err, fs.ErrNotExist):
		return refuse(opt.Path, "it is missing", "put it back, or rebuild it from the last snapshot with `holdfast restore --all`")
	case err != nil:
		return err
	case info.Size() == 0:
		return refuse(opt.Path, "it is empty", "put it back, or rebuild it from the last snapshot with `holdfast restore --all`")
	}
	return nil
}

// touch makes the file readable by its owner alone; SQLite gives its WAL the
// same mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) connect(ctx context.Context, opt Options) error {
	var err error
	if s.write, err = sql.Open("sqlite3", dsn(opt.Path, "_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_foreign_keys=on&_txlock=immediate")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := check(ctx, s.write, opt); err != nil {
		return err
	}
	if err := migrate(ctx, s.write, opt); err != nil {
		return err
	}
	if err := watch(ctx, s.write); err != nil {
		return err
	}
	if s.file, err = os.Stat(opt.Path); err != nil {
		return err
	}
	return s.connectReaders(ctx, opt)
}

func (s *Store) connectReaders(ctx context.Context, opt Options) error {
	n := opt.Readers
	if n <= 0 {
		n = 4
	}
	var err error
	if s.read, err = sql.Open("sqlite3", dsn(opt.Path, "mode=ro&_query_only=on&_busy_timeout=5000&_foreign_keys=on")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(n + 1) // one for Check
	s.readers = make(chan *conn, n)
	for range n {
		c, err := s.read.Conn(ctx)
		if err != nil {
			return err
		}
		s.readers <- newConn(c)
	}
	return nil
}

// dsn carries the pragmas, so that every connection of a pool has them.
func dsn(path, query string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	return (&url.URL{Scheme: "file", Path: abs, RawQuery: query}).String()
}

// sound makes sure that the file at the path is still the one that is open:
// writing to an unlinked file would be lost at the next start.
func (s *Store) sound() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse(s.path, "it was removed while in use", "what is advertised stays; restart, then rebuild it with `holdfast restore --all`")
	case err != nil:
		return unavailable("look at database", s.path, err)
	case !os.SameFile(info, s.file):
		return refuse(s.path, "it was replaced while in use", "restart to use the new file")
	case info.Size() == 0:
		return refuse(s.path, "it was emptied while in use", "what is advertised stays; restart, then rebuild it with `holdfast restore --all`")
	}
	return nil
}

// Close waits for the transaction at work and closes every connection.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.writer.Wait()
		for range cap(s.readers) {
			c := <-s.readers
			s.err = errors.Join(s.err, c.close())
		}
		s.err = errors.Join(s.err, s.closeDBs())
	})
	return s.err
}

func (s *Store) closeDBs() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

var errClosed = &addressing.Error{Code: addressing.CodeUnavailable, Op: "use database", Detail: "it is closed", Next: "the daemon is stopping"}

// View runs fn over one consistent read.
func (s *Store) View(ctx context.Context, fn func(addressing.ReadTx) error) error {
	if err := s.sound(); err != nil {
		return err
	}
	var c *conn
	select {
	case <-s.closed:
		return errClosed
	case <-ctx.Done():
		return unavailable("read database", s.path, ctx.Err())
	case c = <-s.readers:
	}
	defer func() { s.readers <- c }()
	if err := c.exec("BEGIN"); err != nil {
		return unavailable("read database", s.path, err)
	}
	err := fn(&tx{c: c, path: s.path})
	if end := c.exec("ROLLBACK"); end != nil && err == nil {
		err = unavailable("read database", s.path, end)
	}
	return err
}
