package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// How many requests of owners are worked on at a time, in all and of one
// account, and how many of one account may wait. Writers that run together
// share an fsync, so that one account may have some.
const (
	turnsAtOnce    = 64
	turnsOfOne     = 8
	turnsInWaiting = 400
)

// turns is fair queueing between accounts (requirement ADR-12): whoever sends
// much waits for his own requests, not the others for his. Each account has a
// line of its own, and the lines are served in turn.
type turns struct {
	mu      sync.Mutex
	running int
	lines   map[string]*line // those with somebody at work or waiting
	ring    []*line          // those with somebody waiting, the next one first
}

// line is the requests of one account.
type line struct {
	running int
	waiting []*waiter
	listed  bool // in the ring
}

// waiter is one request that waits for its turn.
type waiter struct{ called chan struct{} }

func newTurns() *turns { return &turns{lines: make(map[string]*line)} }

// take waits for the turn of a request, until ctx ends. Whoever got one gives
// it back with the function returned.
func (t *turns) take(ctx context.Context, key string) (giveBack func(), err error) {
	t.mu.Lock()
	l := t.lines[key]
	if l == nil {
		l = &line{}
		t.lines[key] = l
	}
	if t.free(l) && len(l.waiting) == 0 {
		t.running++
		l.running++
		t.mu.Unlock()
		return func() { t.leave(key, l) }, nil
	}
	if len(l.waiting) >= turnsInWaiting {
		t.mu.Unlock()
		return nil, tooMany(fmt.Sprintf("%d requests of this account are waiting already", turnsInWaiting), 1)
	}
	w := &waiter{called: make(chan struct{})}
	if !l.listed {
		t.ring, l.listed = append(t.ring, l), true
	}
	l.waiting = append(l.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.called:
		return func() { t.leave(key, l) }, nil
	case <-ctx.Done():
		t.abandon(key, l, w)
		return nil, fail(failure{status: http.StatusServiceUnavailable, code: addressing.CodeUnavailable, number: 1003, retry: "1",
			why: "the request waited too long for its turn behind others of its account", next: "send fewer at a time, and repeat"})
	}
}

func (t *turns) free(l *line) bool { return t.running < turnsAtOnce && l.running < turnsOfOne }

func (t *turns) leave(key string, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running--
	l.running--
	t.next()
	t.forget(key, l)
}

// abandon takes back a place in the line. A turn that was given at the same
// moment goes to the next one.
func (t *turns) abandon(key string, l *line, w *waiter) {
	t.mu.Lock()
	for i, other := range l.waiting {
		if other == w {
			l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
			t.forget(key, l)
			t.mu.Unlock()
			return
		}
	}
	t.mu.Unlock()
	t.leave(key, l)
}

// next calls those who may run now: one of each line, and round again.
func (t *turns) next() {
	for passed := 0; passed < len(t.ring) && t.running < turnsAtOnce; {
		l := t.ring[0]
		t.ring = t.ring[1:]
		if len(l.waiting) == 0 {
			l.listed = false
			continue // all of them went away
		}
		if l.running >= turnsOfOne {
			t.ring = append(t.ring, l)
			passed++
			continue
		}
		w := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.running++
		t.running++
		close(w.called)
		if l.listed = len(l.waiting) > 0; l.listed {
			t.ring = append(t.ring, l)
		}
		passed = 0
	}
}

// forget drops a line that nobody stands in.
func (t *turns) forget(key string, l *line) {
	if l.running == 0 && len(l.waiting) == 0 && t.lines[key] == l {
		delete(t.lines, key)
	}
}
