package sqlite

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// A job is one Update waiting for the writer. Updates that wait at the same
// time share one transaction, and so one fsync; each runs under a savepoint of
// its own, so that one that fails leaves the others alone. Nobody is told
// before the commit.
type job struct {
	fn    func(addressing.Tx) error
	state atomic.Int32
	done  chan error
}

const (
	waiting = iota
	running
	abandoned // the caller went away before it ran
)

// maxBatch bounds how long the first of a batch waits for the last.
const maxBatch = 64

// Update runs fn in a write transaction. If fn or the commit fails, nothing is
// stored and the error is returned.
func (s *Store) Update(ctx context.Context, fn func(addressing.Tx) error) error {
	j := &job{fn: fn, done: make(chan error, 1)}
	select {
	case <-s.closed:
		return errClosed
	case <-ctx.Done():
		return unavailable("write database", s.path, ctx.Err())
	case s.jobs <- j:
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
			return unavailable("write database", s.path, ctx.Err())
		}
		return <-j.done // it is at work: its outcome must be known
	}
}

func (s *Store) writeLoop() {
	var c *conn
	defer func() {
		if c != nil {
			s.err = c.close()
		}
	}()
	for {
		select {
		case <-s.closed:
			return
		case j := <-s.jobs:
			if c == nil {
				var err error
				if c, err = s.newWriter(); err != nil {
					j.done <- unavailable("write database", s.path, err)
					continue
				}
			}
			if !s.batch(c, j) {
				// The connection's transaction is in doubt: start with a new one.
				c.discard()
				c = nil
			}
		}
	}
}

// newWriter takes the connection that writes. Statements with triggers keep what
// they overwrite until they end: in memory, where that is given back each time,
// and not in a file that grows until the transaction ends.
func (s *Store) newWriter() (*conn, error) {
	raw, err := s.write.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	c := newConn(raw)
	if err := c.exec("PRAGMA temp_store = MEMORY"); err != nil {
		c.discard()
		return nil, err
	}
	return c, nil
}

// batch runs jobs until none waits. It returns false if the connection cannot
// be trusted any more.
func (s *Store) batch(c *conn, first *job) bool {
	if err := s.sound(); err != nil {
		first.done <- err
		return true
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		first.done <- unavailable("write database", s.path, err)
		return false
	}
	type outcome struct {
		j   *job
		err error
	}
	var ran []outcome
	var fatal error
	for j := first; j != nil && fatal == nil; j = s.next(len(ran)) {
		if !j.state.CompareAndSwap(waiting, running) {
			continue
		}
		err, broken := s.runJob(c, j)
		ran, fatal = append(ran, outcome{j, err}), broken
	}
	if fatal == nil {
		if err := s.sound(); err != nil {
			fatal = err
		} else if err := c.exec("COMMIT"); err != nil {
			fatal = unavailable("commit", s.path, err)
		}
	}
	var rollback error
	if fatal != nil {
		rollback = c.exec("ROLLBACK")
	}
	for _, o := range ran {
		if o.err == nil {
			o.err = fatal
		}
		o.j.done <- o.err
	}
	return fatal == nil || rollback == nil
}

// next is a job that waits already, or nil.
func (s *Store) next(ran int) *job {
	if ran >= maxBatch {
		return nil
	}
	select {
	case j := <-s.jobs:
		return j
	default:
		return nil
	}
}

// runJob runs one job under a savepoint. err is the job's own failure; broken
// dooms the whole transaction.
func (s *Store) runJob(c *conn, j *job) (err, broken error) {
	if err := c.exec("SAVEPOINT job"); err != nil {
		broken = unavailable("write database", s.path, err)
		return broken, broken
	}
	t := &tx{c: c, path: s.path}
	err = protect(j.fn, t)
	if t.broken != nil {
		return t.broken, t.broken
	}
	if err != nil {
		if back := c.exec("ROLLBACK TO job"); back != nil {
			broken = unavailable("roll back", s.path, back)
			return err, broken
		}
	}
	if end := c.exec("RELEASE job"); end != nil {
		broken = unavailable("write database", s.path, end)
		if err == nil {
			err = broken
		}
	}
	return err, broken
}

// protect keeps a fault in one use case from taking the writer down.
func protect(fn func(addressing.Tx) error, t *tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &addressing.Error{Code: addressing.CodeInternal, Op: "change desired state", Detail: fmt.Sprintf("a fault of ours: %v", v), Next: "nothing was changed; report it"}
		}
	}()
	return fn(t)
}
