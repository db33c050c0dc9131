package api

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// Bounds of what is remembered for Idempotency-Key.
const (
	rememberFor  = 24 * time.Hour
	rememberMost = 4096
	rememberSize = 32 << 10 // of one answer
)

// repeats remembers the answers of mutations that carried an Idempotency-Key,
// so that a commit whose answer was lost is safe to repeat. It is memory of
// this process: after a restart a repeated create is refused as a duplicate,
// never doubled.
type repeats struct {
	mu    sync.Mutex
	known map[string]*list.Element
	order *list.List // of *remembered, oldest first
}

type remembered struct {
	key    string
	print  [sha256.Size]byte // of the request
	at     time.Time
	done   chan struct{} // closed when answer is final
	answer *recorder     // nil when there is nothing to replay
}

func newRepeats() *repeats {
	return &repeats{known: make(map[string]*list.Element), order: list.New()}
}

// begin returns what is known of a key, and whether the caller is the first
// and must finish it.
func (r *repeats) begin(key string, print [sha256.Size]byte, at time.Time) (*remembered, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetBefore(at.Add(-rememberFor))
	if e := r.known[key]; e != nil {
		return e.Value.(*remembered), false
	}
	m := &remembered{key: key, print: print, at: at, done: make(chan struct{})}
	r.known[key] = r.order.PushBack(m)
	return m, true
}

func (r *repeats) forgetBefore(t time.Time) {
	for e := r.order.Front(); e != nil; e = r.order.Front() {
		m := e.Value.(*remembered)
		if m.at.After(t) && r.order.Len() < rememberMost {
			return
		}
		r.order.Remove(e)
		delete(r.known, m.key)
	}
}

// finish keeps a successful answer and forgets any other, so that what failed
// is tried again.
func (r *repeats) finish(m *remembered, rec *recorder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec != nil && rec.status >= 200 && rec.status < 300 && rec.body.Len() <= rememberSize {
		m.answer = rec
	} else if e := r.known[m.key]; e != nil && e.Value == m {
		r.order.Remove(e)
		delete(r.known, m.key)
	}
	close(m.done)
}

// once runs next at most once for a key. A repeat gets the first answer.
func (r *repeats) once(ctx context.Context, key string, print [sha256.Size]byte, at time.Time, w http.ResponseWriter, next func(http.ResponseWriter)) error {
	m, first := r.begin(key, print, at)
	if first {
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		finished := false
		defer func() {
			if !finished { // a panic on its way out
				rec = nil
			}
			r.finish(m, rec)
		}()
		next(rec)
		rec.header = w.Header().Clone()
		finished = true
		return nil
	}
	if m.print != print {
		return fail(failure{status: http.StatusUnprocessableEntity, code: codeReused, number: 1001,
			why: "the Idempotency-Key was used for another request", next: "use a new key", field: "header.Idempotency-Key", noRetry: true})
	}
	select {
	case <-m.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if m.answer == nil {
		return fail(failure{status: http.StatusConflict, code: codeReused, number: 1003,
			why: "the first request with this Idempotency-Key failed", next: "repeat it", field: "header.Idempotency-Key"})
	}
	m.answer.replay(w)
	return nil
}

// recorder passes an answer on and keeps a copy of it.
type recorder struct {
	http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.body.Len() <= rememberSize {
		r.body.Write(b)
	}
	return r.ResponseWriter.Write(b)
}

func (r *recorder) replay(w http.ResponseWriter) {
	for name, values := range r.header {
		if name != "Request-Id" && name != "Date" {
			w.Header()[name] = values
		}
	}
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes())
}
