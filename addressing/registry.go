package addressing

import (
	"context"
	"io"
	"time"
)

// Gate judges a change before it is committed. release takes the charge back
// when the commit fails. A refusal is an *Error with CodeHeld, CodeRefused,
// CodeConfirm or CodeFrozen; any other error means that the gate could not
// decide, and the change is held.
//
// Admit is called inside the write transaction: it must not call the Registry.
type Gate interface {
	Admit(ctx context.Context, c ChangeSet) (release func(), err error)
}

// Options of a Registry.
type Options struct {
	Entropy      io.Reader                 // for ids and tokens; crypto/rand.Reader in the daemon
	Notify       func(ChangeSet)           // called after each commit, in order; may be nil
	OnTokens     func([]TokenRecord) error // mirrors the tokens before a change of them is committed; may be nil
	AllowSpecial bool                      // a lab may hold special-purpose ranges
	Grace        time.Duration             // of pending deletions; 0 means 24 h
	Drain        func() time.Duration      // how long a withdrawn route stays, de-preferred; nil: not at all
}

// Registry is the use cases of desired state. Every mutation runs in one write
// transaction: load, check, compute the ChangeSet, ask the gate, write the
// audit record, commit. A change that alters nothing returns a ChangeSet
// without ID and leaves no trace.
type Registry struct {
	store Store
	gate  Gate
	opt   Options
}

// NewRegistry returns the use cases over a store and a gate. Neither may be nil.
func NewRegistry(store Store, gate Gate, opt Options) *Registry {
	return &Registry{store: store, gate: gate, opt: opt}
}

// State is everything, as of one moment, for snapshots.Build.
func (r *Registry) State(ctx context.Context) (State, error) { return r.store.State(ctx) }

// Since is what of State may have changed since a Revision, for
// snapshots.Builder.
func (r *Registry) Since(ctx context.Context, at Revision, also []string) (Delta, error) {
	return r.store.Since(ctx, at, also)
}
