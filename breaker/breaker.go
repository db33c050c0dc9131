package breaker

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Options open a breaker.
type Options struct {
	Limits Limits    // the zero value means DefaultLimits
	At     time.Time // now, with its monotonic reading: later times are measured from it
}

// Init writes a closed, empty journal into dir, which must not have one. It is
// the only way to a closed breaker that needs no reset.
func Init(dir string, at time.Time) error { return errors.New("breaker: init: not implemented") }

// Breaker is the one gate of a daemon. Its methods may be called from any
// goroutine. The zero Breaker refuses everything.
type Breaker struct{}

// OpenDir replays the journal in dir. A missing, torn, truncated or unreadable
// journal gives a breaker whose global scope is open, with the reason; the
// damaged file is kept aside. An error means that not even that could be
// recorded; the breaker returned with it refuses.
func OpenDir(dir string, o Options) (*Breaker, error) {
	return &Breaker{}, errors.New("breaker: open: not implemented")
}

// Admit decides on one change before it is committed. What it allows is charged
// to the journal and fsynced when Admit returns.
func (b *Breaker) Admit(ctx context.Context, p Proposal, base Baseline) Decision { return Decision{} }

// Release takes back the charges of an admitted proposal whose commit failed.
// An unknown id is no error.
func (b *Breaker) Release(id string, at time.Time) error { return nil }

// Judge decides on a whole plan. Losses that no admitted proposal was charged
// for are unexplained and refused.
func (b *Breaker) Judge(ctx context.Context, f PlanFacts, base Baseline) Decision { return Decision{} }

// ObserveAdvertised records how many prefixes a neighbor holds, as the wire
// shows it: the trailing maximum of the state floor. A falling count is an
// observation, never a loss.
func (b *Breaker) ObserveAdvertised(neighbor string, f Family, count int, at time.Time) {}

// Status lists the scopes that are not closed, strictest first, and always the
// global one.
func (b *Breaker) Status(at time.Time) []ScopeStatus { return nil }

// State is the strictest state of all scopes.
func (b *Breaker) State(at time.Time) State { return Open }

// Explained reports whether p is down by an admitted loss.
func (b *Breaker) Explained(p netip.Prefix) bool { return false }

// Trip opens a scope by hand, or by a guard that found something: Open or
// Locked. It returns the trip id.
func (b *Breaker) Trip(s Scope, to State, reason string, by Actor, at time.Time) (string, error) {
	return "", errors.New("breaker: trip: not implemented")
}

// Reset ends a trip: the scope recovers on reduced budgets. It needs the trip's
// own id and a reason; never a system actor.
func (b *Breaker) Reset(s Scope, tripID, reason string, by Actor, at time.Time) error {
	return errors.New("breaker: reset: not implemented")
}

// Close flushes the journal. A closed breaker refuses.
func (b *Breaker) Close() error { return nil }
