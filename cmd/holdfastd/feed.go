package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
)

// permitEvery is how often the permit is compared with the breaker's state, for
// locks that come and go without anybody calling.
const permitEvery = time.Second

// feedServer is the daemon's snapshots as speakers that run alone pull them,
// and the keeper of the permit: it is for the active generation, and gone while
// the global scope is locked (DESIGN section 12).
type feedServer struct {
	store  *snapshots.Dir
	locked func(now time.Time) bool
	log    *slog.Logger

	mu      sync.Mutex
	last    feed.Pointer
	failed  string
	another chan struct{}
}

var _ api.Feed = (*feedServer)(nil)

func newFeedServer(store *snapshots.Dir, b *breaker.Breaker, off func() bool, log *slog.Logger) *feedServer {
	return &feedServer{store: store, log: log, another: make(chan struct{}), locked: func(now time.Time) bool {
		if off() {
			return true
		}
		for _, s := range b.Status(now) {
			if s.Scope == breaker.Global && s.State == breaker.Locked {
				return true
			}
		}
		return false
	}}
}

// run keeps the permit until ctx ends.
func (f *feedServer) run(ctx context.Context) {
	tick := time.NewTicker(permitEvery)
	defer tick.Stop()
	for {
		f.refresh(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refresh makes the permit what it has to be, and wakes those who wait for
// another pointer. The permit is for what good.note says: a generation that is
// not the last-known-good yet is nobody else's business.
func (f *feedServer) refresh(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.settle(now); err != nil {
		if f.failed != err.Error() {
			f.log.Error("the permit of speakers that run alone is not up to date; they stay where they are", "error", err)
		}
		f.failed = err.Error()
	} else {
		f.failed = ""
	}
	head, permit := f.store.Signed()
	if p := (feed.Pointer{Head: head, Permit: permit}); !p.Equal(f.last) {
		f.last = p
		close(f.another)
		f.another = make(chan struct{})
	}
}

func (f *feedServer) settle(now time.Time) error {
	signed, permit := f.store.Signed()
	if signed == nil {
		return nil
	}
	if f.locked(now) {
		if permit == nil {
			return nil
		}
		f.log.Warn("permit revoked: speakers that run alone activate nothing until unfreeze")
		return f.store.Revoke()
	}
	head, err := f.store.OpenHead(signed)
	if err != nil {
		return err
	}
	if p, err := f.store.OpenPermit(permit); err == nil && p.Allows(head) {
		return nil
	}
	return f.store.Permit(snapshots.PermitFor(head, now.UnixNano()))
}

// Pointer implements api.Feed.
func (f *feedServer) Pointer() (head, permit []byte, tag string, another <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last.Head, f.last.Permit, f.last.Tag(), f.another
}

// Manifest implements api.Feed.
func (f *feedServer) Manifest(id snapshots.ID) ([]byte, error) {
	return f.store.Stored(snapshots.Sum(id), true)
}

// Part implements api.Feed.
func (f *feedServer) Part(sum snapshots.Sum) ([]byte, error) { return f.store.Stored(sum, false) }

// Bundle implements api.Feed. A base that is not kept any more is none.
func (f *feedServer) Bundle(w io.Writer, id, base snapshots.ID) error {
	m, err := f.store.Manifest(id)
	if err != nil {
		return err
	}
	have := map[snapshots.Sum]bool{}
	if base != "" {
		if b, err := f.store.Manifest(base); err == nil {
			have[b.Network.SHA256] = true
			for _, a := range b.Accounts {
				have[a.SHA256] = true
			}
		}
	}
	var refs []snapshots.PartRef
	if !have[m.Network.SHA256] {
		refs = append(refs, m.Network)
	}
	for _, a := range m.Accounts {
		if !have[a.SHA256] {
			refs = append(refs, a.Part())
		}
	}
	return feed.Bundle(w, refs, f.Part)
}
