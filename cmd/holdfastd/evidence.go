package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/breaker"
)

const (
	collectEvery = 500 * time.Millisecond // how soon after a trip its evidence is on disk
	hourBefore   = time.Hour
	maxRequests  = 1000 // charges in one bundle
)

// evidence writes one bundle per trip: what was lost, by whom, which requests,
// what was on the wire (BRK-05). A plain file each, so that it can be read
// with everything else gone. It is written after the trip and cannot hold one
// up: whoever trips does not wait for a disk.
type evidence struct {
	d    *daemon
	dir  string
	log  *slog.Logger
	mu   sync.Mutex
	done map[string]bool // trips that have one

	sampling sync.Mutex
	samples  []api.TripSample // the oldest first
}

func newEvidence(d *daemon) *evidence {
	return &evidence{d: d, dir: d.dir.evidence(), log: d.log, done: map[string]bool{}}
}

// run looks for new trips until ctx ends: whatever tripped, a change, a plan,
// the second look or a person, leaves its evidence the same way.
func (e *evidence) run(ctx context.Context) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		e.collect(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// collect writes the bundle of every scope that has tripped and has none.
func (e *evidence) collect(ctx context.Context, at time.Time) {
	if e.d.off(sinkEvidence) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.d.breaker.Status(at) {
		key := fmt.Sprintf("%s %d", s.TripID, s.Since.UnixMilli())
		if s.TripID == "" || s.State != breaker.Open && s.State != breaker.Locked || e.done[key] {
			continue
		}
		if e.has(s) {
			e.done[key] = true
			continue
		}
		if err := e.write(e.gather(ctx, s, at)); err != nil {
			e.log.Error("evidence not written; the trip stands", "trip", s.TripID, "error", err)
			continue
		}
		e.done[key] = true
		e.log.Error("breaker tripped", "trip", s.TripID, "scope", s.Scope.String(), "state", s.State.String(), "reason", s.Reason, "evidence", e.path(s.TripID))
	}
}

// has reports whether the trip has its bundle. A journal that was damaged and
// begun anew counts its trips from one again: an older trip's bundle of the
// same id is moved aside, never overwritten.
func (e *evidence) has(s breaker.ScopeStatus) bool {
	found, err := e.read(s.TripID)
	if err != nil || len(found) != 1 {
		return false
	}
	if found[0].At.Equal(s.Since) {
		return true
	}
	aside := e.path(fmt.Sprintf("%s.%d", s.TripID, found[0].At.Unix()))
	if err := os.Rename(e.path(s.TripID), aside); err != nil {
		e.log.Error("older evidence not moved aside", "trip", s.TripID, "error", err)
		return true
	}
	return false
}

// path of a trip's bundle. Ids are our own, and still no way out of the directory.
func (e *evidence) path(id string) string {
	return filepath.Join(e.dir, filepath.Base(filepath.Clean("/"+id))+".json")
}

func (e *evidence) gather(ctx context.Context, s breaker.ScopeStatus, at time.Time) api.TripEvidence {
	known := e.d.breaker.Evidence(s.Scope, at)
	_, head := e.d.pipeline.Active()
	out := api.TripEvidence{TripID: s.TripID, Scope: string(s.Kind), Key: s.Key, State: s.State.String(), At: s.Since, Rule: known.Rule, Reason: s.Reason,
		Generation: head.Generation, Snapshot: string(head.ID)}
	for _, w := range known.Windows {
		out.Windows = append(out.Windows, api.TripWindow{Rule: w.Rule, Used: w.Used, Limit: w.Limit})
	}
	for _, a := range known.Actors {
		out.Actors = append(out.Actors, api.TripTally{Name: a.Name, Losses: a.Losses})
	}
	for _, a := range known.Accounts {
		x := api.TripAccount{Account: a.Account, Actors: a.Actors, Since: a.Since}
		for _, p := range a.Prefixes {
			x.Prefixes = append(x.Prefixes, p.String())
		}
		x.Notice = notice(e.d.cfg.Environment, x, s)
		out.Accounts = append(out.Accounts, x)
	}
	out.Requests, out.By = e.requests(s)
	out.Graph = e.graph(s.Since.Add(-hourBefore))
	if st := e.d.pipeline.Status(); st.LastRefusal != nil {
		out.Plan = &api.TripPlan{At: st.LastRefusal.At, Generation: st.LastRefusal.Generation, Verdict: st.LastRefusal.Verdict.String()}
		for _, f := range st.LastRefusal.Findings {
			out.Plan.Findings = append(out.Plan.Findings, f.Rule+": "+f.Why)
		}
	}
	if e.d.speaker != nil {
		if all, err := e.d.speaker.Neighbors(ctx); err == nil {
			for _, n := range all {
				t := api.TripTable{Neighbor: n.Name, State: string(n.State), Advertised: map[string]int{}}
				for _, f := range addressing.Families() {
					t.Advertised[f.String()] = n.Advertised[f]
				}
				out.Neighbors = append(out.Neighbors, t)
			}
		}
	}
	return out
}

// keepSamples is how many looks at the neighbors' tables are kept:
const keepSamples = 400 // an hour and some, one in ten seconds

// sample keeps what every neighbor holds now, for the graph of a trip.
func (e *evidence) sample(all []bgp.NeighborStatus, at time.Time) {
	one := api.TripSample{At: at.UTC(), Advertised: map[string]int{}}
	for _, n := range all {
		for _, f := range addressing.Families() {
			one.Advertised[n.Name] += n.Advertised[f]
		}
	}
	e.sampling.Lock()
	defer e.sampling.Unlock()
	e.samples = append(e.samples, one)
	e.samples = e.samples[max(0, len(e.samples)-keepSamples):]
}

// graph is what neighbors held since a time (UX-07).
func (e *evidence) graph(since time.Time) []api.TripSample {
	e.sampling.Lock()
	defer e.sampling.Unlock()
	var out []api.TripSample
	for _, s := range e.samples {
		if s.At.After(since) {
			out = append(out, s)
		}
	}
	return out
}

// requests are the charges of the hour before the trip, and who tripped it.
func (e *evidence) requests(s breaker.ScopeStatus) (charges []api.Journaled, by string) {
	all, err := readJournal(e.d.dir.journal(), s.Since.Add(-hourBefore), 100*maxRequests)
	if err != nil {
		e.log.Warn("evidence without its requests", "trip", s.TripID, "error", err)
		return nil, ""
	}
	for _, j := range all {
		switch {
		case j.Kind == breaker.RecordTrip.String() && j.ID == s.TripID:
			by = j.Actor
		case j.Kind == breaker.RecordCharge.String() && len(charges) < maxRequests:
			j.Record = nil // the journal has it
			charges = append(charges, j)
		}
	}
	return charges, by
}

// notice is what an account is told when the breaker opens (UX-02): its own
// prefixes, what is safe to do, and the way back.
func notice(environment string, a api.TripAccount, s breaker.ScopeStatus) string {
	return fmt.Sprintf("%s: since %s %d of your prefixes lost reachability: %s. Changes that take reachability away are held (trip %s). "+
		"Nothing more of yours is withdrawn. It is safe to advertise them again, with PATCH .../bgp/prefixes/ID {\"on_demand\":{\"advertised\":true}}; "+
		"an operator puts all of them back with: holdfast restore --account %s --to GENERATION --reason REASON",
		environment, a.Since.UTC().Format(time.RFC3339), len(a.Prefixes), strings.Join(a.Prefixes, ", "), s.TripID, a.Account)
}

func (e *evidence) write(t api.TripEvidence) error {
	raw, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return err
	}
	if err := renameio.WriteFile(e.path(t.TripID), append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return syncDir(e.dir)
}

// read returns the bundles, newest first; one if id is given, none if that is
// not there. A bundle that cannot be read is left out and logged.
func (e *evidence) read(id string) ([]api.TripEvidence, error) {
	paths := []string{e.path(id)}
	if id == "" {
		var err error
		if paths, err = filepath.Glob(filepath.Join(e.dir, "*.json")); err != nil {
			return nil, err
		}
	}
	var out []api.TripEvidence
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var t api.TripEvidence
		if err == nil {
			err = json.Unmarshal(raw, &t)
		}
		if err != nil {
			e.log.Warn("evidence cannot be read", "path", p, "error", err)
			continue
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b api.TripEvidence) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.TripID, b.TripID)) })
	return out, nil
}
