//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/onboarding"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

// The four ways of 20 February, by their mark in the graph.
const (
	malformedQuery = 'a'
	trustingLoop   = 'b'
	runawayScript  = 'c'
	emptyTables    = 'd'
)

// spellings are ways to write a query for what is pending deletion that a
// careless server takes for no filter at all.
var spellings = []string{"?pending_delete", "?pending_delete=", "?x=1;pending_delete=true", "?pending_delete=%zz"}

// How long a replay is watched after it has done its worst. The daemon builds
// within 50 ms; the emptied database gets time to be read more than once.
const (
	quiet      = 700 * time.Millisecond
	watchLimit = 5 * time.Second
	aftermath  = 4 * time.Second
	restoring  = 10 * time.Second
)

// stage is a running daemon with its neighbor and the people around it.
type stage struct {
	p        printer
	feed     *feed
	daemon   *daemon
	operator operator
	rows     []table.Row
	loaded   *onboarding.Registration
	good     int64 // generation with the full table
}

// replayProtected is the run with Holdfast.
func replayProtected(ctx context.Context, p printer, programs, dir string, rows []table.Row) (*outcome, error) {
	o := &outcome{title: "with Holdfast"}
	p.heading("With Holdfast")
	feed, err := startNeighbor(ctx, netip.AddrPortFrom(theirAddress, 0), ourAddress, theirASN, ourASN)
	if err != nil {
		return nil, err
	}
	defer feed.stop()
	d, took, err := startDaemon(ctx, filepath.Join(programs, "holdfastd"), dir, feed.listening)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	o.ready = took
	p.say("holdfastd is ready after %s, in process %d; the neighbor is process %d", took.Round(time.Millisecond), d.cmd.Process.Pid, feed.cmd.Process.Pid)
	s := &stage{p: p, feed: feed, daemon: d, rows: rows,
		operator: operator{program: filepath.Join(programs, "holdfast"), socket: d.socket}}
	if err := s.perform(ctx, o); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, errors.New("interrupted")
		}
		return nil, fmt.Errorf("%w\nend of the daemon's log:\n%s", err, d.logTail())
	}
	o.line, o.sessionsLost = feed.timeline(), feed.sessionsLost()
	p.graphs(o)
	return o, nil
}

func (s *stage) perform(ctx context.Context, o *outcome) error {
	if err := s.load(ctx, o); err != nil {
		return err
	}
	o.from = time.Now()
	for _, way := range []func(context.Context) (replay, error){s.malformed, s.trusting, s.runaway, s.lostDatabase} {
		r, err := way(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		o.replays = append(o.replays, r)
	}
	o.to = time.Now()
	var err error
	o.wrongAtEnd, err = s.difference(ctx)
	return err
}

// load registers and advertises the table.
func (s *stage) load(ctx context.Context, o *outcome) error {
	token, err := s.operator.token(ctx)
	if err != nil {
		return err
	}
	c, err := client.NewClient(s.daemon.api, client.WithHTTPClient(newScript("", "").http),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	if err != nil {
		return err
	}
	begun := time.Now()
	if s.loaded, err = onboarding.Register(ctx, c, s.rows); err != nil {
		return err
	}
	o.unasked = s.feed.held()
	s.p.say("%s prefixes of %d accounts registered, approved and bound through the API in %s; the neighbor holds %d",
		thousands(len(s.rows)), len(s.loaded.Accounts), time.Since(begun).Round(100*time.Millisecond), o.unasked)
	begun = time.Now()
	if err := s.loaded.Advertise(ctx, c); err != nil {
		return err
	}
	at, err := s.feed.await(ctx, full, begun)
	if err != nil {
		return err
	}
	s.p.say("advertised: the neighbor holds %s after %s", thousands(full), at.Sub(begun).Round(100*time.Millisecond))
	if s.good, err = s.operator.generation(ctx); err != nil {
		return err
	}
	o.wrong, err = s.difference(ctx)
	return err
}

// begin opens a replay.
func (s *stage) begin(mark byte, name, what string) replay {
	s.p.replay(mark, name, what)
	return replay{mark: mark, name: name, begun: time.Now(), before: s.feed.held()}
}

// end watches, tells and restores.
func (s *stage) end(ctx context.Context, r replay) (replay, error) {
	if err := s.feed.settle(ctx, quiet, watchLimit); err != nil {
		return r, err
	}
	now := time.Now()
	r.after, r.heard = s.feed.held(), s.feed.timeline().changes(r.begun, now)
	r.lowest, _ = s.feed.timeline().extent(r.begun, now)
	b, err := s.operator.breaker(ctx)
	if err != nil {
		return r, err
	}
	for _, scope := range b.Scopes {
		if scope.State == client.BreakerScopeStateOpen || scope.State == client.BreakerScopeStateLocked {
			r.scopes = append(r.scopes, scope)
		}
	}
	s.p.told(r)
	if r, err = s.restore(ctx, r); err != nil {
		return r, err
	}
	s.p.restored(r)
	return r, nil
}

// restore rolls back to the full table, then resets what has tripped.
func (s *stage) restore(ctx context.Context, r replay) (replay, error) {
	reason := "restore after replay " + string(r.mark)
	done, entered, err := s.operator.rollback(ctx, s.good, reason)
	if err != nil {
		return r, err
	}
	r.entered = entered
	within, cancel := context.WithTimeout(ctx, restoring)
	defer cancel()
	at, err := s.feed.await(within, full, entered)
	if err == nil && r.after < full {
		r.took = at.Sub(entered)
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if r.after < full && err != nil {
		r.took = restoring // the bar that it misses is named at the end
	}
	r.restored = s.feed.held()
	r.lowest, _ = s.feed.timeline().extent(r.begun, time.Now())
	s.p.rolledBack(done)
	for _, scope := range r.scopes {
		if err := s.operator.reset(ctx, scope, reason); err != nil {
			return r, err
		}
	}
	return r, nil
}

// malformed is the query itself, by the task that sent it, and every other way
// to write it on both surfaces.
func (s *stage) malformed(ctx context.Context) (replay, error) {
	r := s.begin(malformedQuery, "malformed query", "the clean-up task asks for ?pending_delete and deletes what it is given")
	task, err := s.script(ctx)
	if err != nil {
		return r, err
	}
	told, err := task.cleanUp(ctx, spellings[0], 0, nil)
	if err != nil {
		return r, err
	}
	r.told = told.list()
	account := s.loaded.Prefixes[0].AccountID
	for _, path := range []string{"/v1/prefixes", "/client/v4/accounts/" + account + "/addressing/prefixes"} {
		for _, spelling := range spellings {
			status, _, err := task.call(ctx, http.MethodGet, path+spelling, "")
			if err != nil {
				return r, err
			}
			r.queries = append(r.queries, query{path: path + spelling, status: status})
		}
	}
	return s.end(ctx, r)
}

// trusting is the loop that was given the full list.
func (s *stage) trusting(ctx context.Context) (replay, error) {
	r := s.begin(trustingLoop, "loop of deletes", "the clean-up task is given the full list and deletes every prefix in it")
	task, err := s.script(ctx)
	if err != nil {
		return r, err
	}
	told, err := task.cleanUp(ctx, "", 0, nil)
	if err != nil {
		return r, err
	}
	r.told = told.list()
	return s.end(ctx, r)
}

// runaway is the script of one operator that withdraws everything.
func (s *stage) runaway(ctx context.Context) (replay, error) {
	r := s.begin(runawayScript, "runaway script", fmt.Sprintf("one operator's token withdraws every prefix, %d requests at a time, without a pause", hurry))
	task, err := s.script(ctx)
	if err != nil {
		return r, err
	}
	told, err := task.withdrawAll(ctx)
	if err != nil {
		return r, err
	}
	r.told = told.list()
	return s.end(ctx, r)
}

// lostDatabase empties the database and makes the daemon look at it.
func (s *stage) lostDatabase(ctx context.Context) (replay, error) {
	r := s.begin(emptyTables, "emptied database", "DELETE FROM behind the daemon's back, then a harmless change so that it builds a snapshot")
	gone, err := emptyDatabase(ctx, s.daemon.data)
	if err != nil {
		return r, err
	}
	s.p.emptied(gone)
	if _, err := s.operator.do(ctx, "service", "create", "--name", "nudge"); err != nil {
		s.p.say("   the harmless change was refused: %v", err)
	}
	if err := sleepUntil(ctx, time.Now().Add(aftermath)); err != nil {
		return r, err
	}
	status, err := s.operator.status(ctx)
	if err != nil {
		return r, err
	}
	if f := status.LastRefusal; f != nil && f.At.After(r.begun) && len(f.Findings) > 0 {
		r.refusal = fmt.Sprintf("generation %d: %s: %s (%s)", f.Generation, f.Verdict, f.Findings[0].Why, f.Findings[0].Rule)
	}
	return s.end(ctx, r)
}

// script is somebody's automation with an operator's token of its own.
func (s *stage) script(ctx context.Context) (script, error) {
	token, err := s.operator.token(ctx)
	return newScript(s.daemon.api, token), err
}

// difference compares the neighbor's table with the one that was loaded, and
// gives the first difference, if any.
func (s *stage) difference(ctx context.Context) (string, error) {
	held, err := s.feed.table(ctx)
	if err != nil {
		return "", err
	}
	return firstDifference(s.rows, held), nil
}

// firstDifference wants for each row one route with our path and next hop and
// origin IGP (RFC 4271 section 5.1.1), and nothing else.
func firstDifference(rows []table.Row, held []heldRoute) string {
	routes := make(map[netip.Prefix]heldRoute, len(held))
	for _, h := range held {
		routes[h.Prefix] = h
	}
	for _, row := range rows {
		h, found := routes[row.Prefix]
		path, hop := onboarding.Path(row, ourASN), onboarding.NextHop(row, nextHop4, nextHop6)
		switch {
		case !found:
			return fmt.Sprintf("%s is missing", row.Prefix)
		case !slices.Equal(h.ASPath, path):
			return fmt.Sprintf("%s has AS path %v, want %v", row.Prefix, h.ASPath, path)
		case h.NextHop != hop:
			return fmt.Sprintf("%s has next hop %s, want %s", row.Prefix, h.NextHop, hop)
		case h.Origin != 0:
			return fmt.Sprintf("%s has origin %d, want IGP", row.Prefix, h.Origin)
		}
		delete(routes, row.Prefix)
	}
	for p := range routes {
		return fmt.Sprintf("%s should not be there", p)
	}
	return ""
}
