package breaker

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Held is a change that waits for a reset. It is never replayed: when it is
// released the desired state is planned afresh.
type Held struct {
	ID       string         `json:"id"` // of the change set
	Actor    Actor          `json:"actor"`
	Account  string         `json:"account"`
	Prefixes []netip.Prefix `json:"prefixes"`
	TripID   string         `json:"trip_id"`
	Reason   string         `json:"reason"`
	At       time.Time      `json:"at"`
	Expires  time.Time      `json:"expires"`
}

// DefaultHoldFor is how long a held change waits before it expires and its
// owner is told.
const DefaultHoldFor = 4 * time.Hour

// HoldQueue is the held changes, as data: one per prefix, the latest one. The
// zero queue is empty and ready.
type HoldQueue struct{ items []Held }

// NewHoldQueue is a queue of items kept elsewhere.
func NewHoldQueue(items []Held) HoldQueue {
	var q HoldQueue
	for _, h := range items {
		q = q.Hold(h)
	}
	return q
}

// Hold adds a change. For a prefix that an older one holds it takes its place.
// A change that names no prefix holds nothing.
func (q HoldQueue) Hold(h Held) HoldQueue {
	if len(h.Prefixes) == 0 {
		return q
	}
	if h.Expires.IsZero() {
		h.Expires = h.At.Add(DefaultHoldFor)
	}
	h.Prefixes = slices.Clone(h.Prefixes)
	q = q.DropPrefixes(h.Prefixes)
	q.items = append(slices.Clip(q.items), h)
	return q
}

// List is what is held, oldest first.
func (q HoldQueue) List() []Held {
	out := slices.Clone(q.items)
	slices.SortStableFunc(out, func(a, b Held) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Drop forgets one change and reports whether it was held.
func (q HoldQueue) Drop(id string) (HoldQueue, bool) {
	n := len(q.items)
	q.items = slices.DeleteFunc(slices.Clone(q.items), func(h Held) bool { return h.ID == id })
	return q, len(q.items) < n
}

// DropPrefixes forgets what is held for these prefixes: a rollback or a restore
// has decided otherwise.
func (q HoldQueue) DropPrefixes(ps []netip.Prefix) HoldQueue {
	gone := make(map[netip.Prefix]bool, len(ps))
	for _, p := range ps {
		gone[p] = true
	}
	var items []Held
	for _, h := range q.items {
		kept := slices.DeleteFunc(slices.Clone(h.Prefixes), func(p netip.Prefix) bool { return gone[p] })
		if len(kept) > 0 {
			h.Prefixes = kept
			items = append(items, h)
		}
	}
	q.items = items
	return q
}

// Expire takes out what has waited too long; its owners are to be told.
func (q HoldQueue) Expire(now time.Time) (HoldQueue, []Held) {
	var items, expired []Held
	for _, h := range q.items {
		if h.Expires.After(now) {
			items = append(items, h)
		} else {
			expired = append(expired, h)
		}
	}
	q.items = items
	return q, expired
}

// Release takes out what one trip held, to be planned afresh.
func (q HoldQueue) Release(tripID string) (HoldQueue, []Held) {
	var items, released []Held
	for _, h := range q.List() {
		if h.TripID == tripID && tripID != "" {
			released = append(released, h)
		} else {
			items = append(items, h)
		}
	}
	q.items = items
	return q, released
}
