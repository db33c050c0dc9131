package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

// trips is the breaker as an operator handles it. Nothing here touches the
// database (invariant 11).
type trips struct{ d *daemon }

var _ api.Trips = trips{}

// Trip implements api.Trips.
func (t trips) Trip(ctx context.Context, r api.TripRequest) (string, error) {
	to := breaker.Open
	if r.Lock {
		to = breaker.Locked
	}
	id, err := t.d.breaker.Trip(breaker.Scope{Kind: breaker.ScopeKind(r.Scope), Key: r.Key}, to, r.Reason, gate.Actor(r.Actor), r.At)
	if err != nil {
		return "", &addressing.Error{Code: addressing.CodeRefused, Op: "breaker trip", Detail: err.Error()}
	}
	t.d.feed.refresh(time.Now())
	t.d.log.Warn("tripped by hand", "trip", id, "scope", r.Scope, "key", r.Key, "to", to.String(), "actor", r.Actor.Key(), "reason", r.Reason)
	t.d.evidence.collect(ctx, r.At)
	return id, nil
}

// Unfreeze implements api.Trips.
func (t trips) Unfreeze(_ context.Context, by addressing.Actor, reason string, at time.Time) error {
	for _, s := range t.d.breaker.Status(at) {
		if s.Scope != breaker.Global {
			continue
		}
		if s.State != breaker.Locked {
			return &addressing.Error{Code: addressing.CodeConflict, Op: "unfreeze", Detail: "the global scope is " + s.State.String() + ", not locked",
				Next: "holdfast breaker status; what has tripped is reset with holdfast breaker reset"}
		}
		if err := t.d.breaker.Reset(breaker.Global, s.TripID, reason, gate.Actor(by), at); err != nil {
			return &addressing.Error{Code: addressing.CodeRefused, Op: "unfreeze", Detail: err.Error()}
		}
		t.d.log.Warn("unfrozen", "trip", s.TripID, "actor", by.Key(), "reason", reason)
	}
	t.d.feed.refresh(time.Now())
	t.d.pipeline.Kick()
	return nil
}

// Journal implements api.Trips: what is in the file, newest first.
func (t trips) Journal(_ context.Context, since time.Time, limit int) ([]api.Journaled, error) {
	return readJournal(t.d.dir.journal(), since, limit)
}

// readJournal keeps the last limit records that are not older than since.
func readJournal(dir string, since time.Time, limit int) ([]api.Journaled, error) {
	var last []breaker.Record
	err := breaker.ReadHistory(dir, func(r breaker.Record) error {
		if r.Kind == breaker.RecordMark || time.UnixMilli(r.At).Before(since) {
			return nil // a mark is a compacted window, not something that happened
		}
		if last = append(last, r); len(last) >= 2*limit {
			last = append(last[:0], last[len(last)-limit:]...)
		}
		return nil
	})
	if err != nil {
		return nil, &addressing.Error{Code: addressing.CodeUnavailable, Op: "breaker journal", Detail: err.Error()}
	}
	last = last[max(0, len(last)-limit):]
	out := make([]api.Journaled, 0, len(last))
	for i := len(last) - 1; i >= 0; i-- {
		j, err := journaled(last[i])
		if err != nil {
			return nil, fmt.Errorf("breaker journal: %w", err)
		}
		out = append(out, j)
	}
	return out, nil
}

func journaled(r breaker.Record) (api.Journaled, error) {
	out := api.Journaled{Seq: r.Seq, At: time.UnixMilli(r.At).UTC(), Kind: r.Kind.String(), ID: r.ID, Actor: r.Actor.Key,
		Rule: r.Rule, Reason: r.Reason, Incident: r.Incident}
	if r.Scope.Kind != "" {
		out.Scope = r.Scope.String()
	}
	if r.Kind == breaker.RecordCharge {
		out.Lane = r.Lane.String()
	}
	if r.Kind == breaker.RecordTrip {
		out.To = r.To.String()
	}
	for _, it := range r.Items {
		out.Items = append(out.Items, it.Prefix.String())
	}
	raw, err := json.Marshal(r)
	out.Record = raw
	return out, err
}

// Evidence implements api.Trips.
func (t trips) Evidence(_ context.Context, id string) ([]api.TripEvidence, error) {
	return t.d.evidence.read(id)
}
