package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Trips is the breaker as an operator handles it, and what trips leave behind.
// None of it may need the store (invariant 11).
type Trips interface {
	// Trip opens a scope, or locks it, and returns the id.
	Trip(ctx context.Context, r TripRequest) (string, error)
	// Unfreeze takes the lock off the global scope.
	Unfreeze(ctx context.Context, by addressing.Actor, reason string, at time.Time) error
	// Journal lists entries of the loss journal, newest first.
	Journal(ctx context.Context, since time.Time, limit int) ([]Journaled, error)
	// Evidence lists the bundles, newest first; the one of a trip if id is given.
	Evidence(ctx context.Context, id string) ([]TripEvidence, error)
}

// TripRequest opens or locks one scope by hand.
type TripRequest struct {
	Scope, Key string
	Lock       bool
	Reason     string
	Actor      addressing.Actor
	At         time.Time
}

// Journaled is one entry of the loss journal.
type Journaled struct {
	Seq                              uint64
	At                               time.Time
	Kind, ID, Actor, Lane, Scope, To string
	Rule, Reason, Incident           string
	Items                            []string
	Record                           json.RawMessage // the whole of it
}

// TripEvidence is the bundle that a trip left.
type TripEvidence struct {
	TripID, Scope, Key, State string
	At                        time.Time
	Rule, Reason, By          string
	Generation                uint64
	Snapshot                  string
	Windows                   []TripWindow
	Actors                    []TripTally
	Accounts                  []TripAccount
	Requests                  []Journaled // charged in the hour before
	Neighbors                 []TripTable
	Graph                     []TripSample // of the hour before
	Plan                      *TripPlan    // nil if none was refused
}

// TripTable is what one neighbor held.
type TripTable struct {
	Neighbor, State string
	Advertised      map[string]int // per family
}

// TripSample is what every neighbor held at one time.
type TripSample struct {
	At         time.Time
	Advertised map[string]int // by neighbor
}

// TripPlan is the plan that was refused last.
type TripPlan struct {
	At         time.Time
	Generation uint64
	Verdict    string
	Findings   []string
}

// TripWindow is how full one limit was.
type TripWindow struct {
	Rule        string
	Used, Limit int
}

// TripTally counts the losses of one actor.
type TripTally struct {
	Name   string
	Losses int
}

// TripAccount is what one account had lost, and what it is told (UX-02).
type TripAccount struct {
	Account          string
	Prefixes, Actors []string
	Since            time.Time
	Notice           string
}

func journalOut(j Journaled) JournalEntry {
	out := JournalEntry{Seq: int64(j.Seq), At: micro(j.At), Kind: j.Kind, ID: textOrNil(j.ID), Actor: j.Actor, Lane: textOrNil(j.Lane), Scope: j.Scope,
		To: textOrNil(j.To), Rule: textOrNil(j.Rule), Reason: textOrNil(j.Reason), Incident: textOrNil(j.Incident), Items: append([]string{}, j.Items...)}
	if len(j.Record) > 0 {
		out.Record = j.Record
	}
	return out
}

func evidenceOut(e TripEvidence) Evidence {
	out := Evidence{TripID: e.TripID, Scope: e.Scope, Key: e.Key, State: e.State, At: micro(e.At), Rule: e.Rule, Reason: e.Reason, By: textOrNil(e.By),
		Generation: int64(e.Generation), Snapshot: e.Snapshot, Windows: []EvidenceWindow{}, Actors: []EvidenceTally{},
		Accounts: []EvidenceAccount{}, Requests: []JournalEntry{}, Neighbors: []EvidenceTable{}, Graph: []EvidenceSample{}}
	for _, g := range e.Graph {
		out.Graph = append(out.Graph, EvidenceSample{At: micro(g.At), Advertised: g.Advertised})
	}
	if p := e.Plan; p != nil {
		out.Plan = &EvidencePlan{At: micro(p.At), Generation: int64(p.Generation), Verdict: p.Verdict, Findings: append([]string{}, p.Findings...)}
	}
	for _, w := range e.Windows {
		out.Windows = append(out.Windows, EvidenceWindow{Rule: w.Rule, Used: w.Used, Limit: w.Limit})
	}
	for _, a := range e.Actors {
		out.Actors = append(out.Actors, EvidenceTally{Name: a.Name, Losses: a.Losses})
	}
	for _, a := range e.Accounts {
		out.Accounts = append(out.Accounts, EvidenceAccount{Account: a.Account, Prefixes: append([]string{}, a.Prefixes...),
			Actors: append([]string{}, a.Actors...), Since: micro(a.Since), Notice: a.Notice})
	}
	for _, j := range e.Requests {
		out.Requests = append(out.Requests, journalOut(j))
	}
	for _, n := range e.Neighbors {
		out.Neighbors = append(out.Neighbors, EvidenceTable{Neighbor: n.Neighbor, State: n.State, Advertised: n.Advertised})
	}
	return out
}

// trip opens or locks a scope and answers with the breaker as it is then.
func (h *handlers) trip(ctx context.Context, r TripRequest) (Breaker, error) {
	if h.cfg.Trips == nil {
		return Breaker{}, missing("breaker")
	}
	c := callIn(ctx)
	r.Actor, r.At = c.caller.actor, c.at
	if (r.Scope == "global") != (r.Key == "") {
		return Breaker{}, &inputError{"/key", "names the account, actor, neighbor or service; the global scope has none"}
	}
	if _, err := h.cfg.Trips.Trip(ctx, r); err != nil {
		return Breaker{}, err
	}
	return h.breaker(ctx)
}

// TripBreaker opens one scope by hand.
func (h *handlers) TripBreaker(ctx context.Context, r TripBreakerRequestObject) (TripBreakerResponseObject, error) {
	req := TripRequest{Scope: string(r.Body.Scope), Reason: r.Body.Reason}
	if r.Body.Key != nil {
		req.Key = *r.Body.Key
	}
	out, err := h.trip(ctx, req)
	if err != nil {
		return nil, err
	}
	return TripBreaker200JSONResponse{Body: out}, nil
}

// Freeze locks every change; restores and the emergency lane pass.
func (h *handlers) Freeze(ctx context.Context, r FreezeRequestObject) (FreezeResponseObject, error) {
	out, err := h.trip(ctx, TripRequest{Scope: "global", Lock: true, Reason: "frozen: " + r.Body.Reason})
	if err != nil {
		return nil, err
	}
	return Freeze200JSONResponse{Body: out}, nil
}

// Unfreeze takes the lock off. It resets no trip.
func (h *handlers) Unfreeze(ctx context.Context, r UnfreezeRequestObject) (UnfreezeResponseObject, error) {
	if h.cfg.Trips == nil {
		return nil, missing("breaker")
	}
	c := callIn(ctx)
	if err := h.cfg.Trips.Unfreeze(ctx, c.caller.actor, r.Body.Reason, c.at); err != nil {
		return nil, err
	}
	out, err := h.breaker(ctx)
	if err != nil {
		return nil, err
	}
	return Unfreeze200JSONResponse{Body: out}, nil
}

// ListJournal lists entries of the loss journal, newest first.
func (h *handlers) ListJournal(ctx context.Context, r ListJournalRequestObject) (ListJournalResponseObject, error) {
	if h.cfg.Trips == nil {
		return nil, missing("breaker")
	}
	since, limit, filter := time.Time{}, auditDefault, map[string]string{}
	if r.Params.Since != nil {
		since = *r.Params.Since
		filter["since"] = micro(since).Format(time.RFC3339Nano)
	}
	if r.Params.Limit != nil {
		limit = *r.Params.Limit
	}
	all, err := h.cfg.Trips.Journal(ctx, since, limit)
	if err != nil {
		return nil, err
	}
	out := make([]JournalEntry, 0, len(all))
	for _, j := range all {
		out = append(out, journalOut(j))
	}
	return ListJournal200JSONResponse{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out), Filter: &filter}, nil
}

// ListTrips lists the evidence bundles, newest first.
func (h *handlers) ListTrips(ctx context.Context, _ ListTripsRequestObject) (ListTripsResponseObject, error) {
	if h.cfg.Trips == nil {
		return nil, missing("breaker")
	}
	all, err := h.cfg.Trips.Evidence(ctx, "")
	if err != nil {
		return nil, err
	}
	out := make([]Evidence, 0, len(all))
	for _, e := range all {
		out = append(out, evidenceOut(e))
	}
	return ListTrips200JSONResponse{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// GetTrip is the evidence of one trip.
func (h *handlers) GetTrip(ctx context.Context, r GetTripRequestObject) (GetTripResponseObject, error) {
	if h.cfg.Trips == nil {
		return nil, missing("breaker")
	}
	found, err := h.cfg.Trips.Evidence(ctx, r.TripID)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, &addressing.Error{Code: addressing.CodeNotFound, Op: "find trip", Detail: "there is no evidence of trip " + r.TripID,
			Next: "holdfast breaker status shows the trips there are"}
	}
	return GetTrip200JSONResponse(evidenceOut(found[0])), nil
}
