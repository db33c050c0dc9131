//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
	"github.com/holdfast-bgp/holdfast/policy"
)

// scale shortens the 50 minutes of the outage to 10 seconds.
const scale = 300

// Pause between two deletions of the clean-up task and how long it ran before
// somebody stopped it, both scaled.
const (
	outagePause = time.Minute / outageRate / scale
	outageTime  = outageMinutes * time.Minute / scale
)

// replayLegacy is the run with the protections off: the same neighbor, table
// and scripts in front of a server like the one of that day.
func replayLegacy(ctx context.Context, p printer, rows []table.Row) (*outcome, error) {
	o := &outcome{title: "without"}
	p.heading("Without: the server of 20 February, no gate, no snapshot, no breaker")
	feed, err := startNeighbor(ctx, netip.AddrPortFrom(theirAddress, 0), ourAddress, theirASN, ourASN)
	if err != nil {
		return nil, err
	}
	defer feed.stop()
	speaker, err := legacySpeaker(feed.listening)
	if err != nil {
		return nil, err
	}
	defer speaker.Close()
	server := newLegacyServer(speaker, rows)
	if err := server.fill(ctx); err != nil {
		return nil, err
	}
	if err := speaker.Start(ctx); err != nil {
		return nil, err
	}
	if _, err := feed.await(ctx, full, time.Time{}); err != nil {
		return nil, err
	}
	listener := httptest.NewServer(server.handler())
	defer listener.Close()
	o.from = time.Now()
	s := legacyStage{p: p, feed: feed, server: server, script: newScript(listener.URL, "none")}
	for _, way := range []func(context.Context) (replay, error){s.malformed, s.runaway} {
		r, err := way(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		o.replays = append(o.replays, r)
	}
	o.to = time.Now()
	o.line, o.sessionsLost = feed.timeline(), feed.sessionsLost()
	p.graphs(o)
	return o, nil
}

func legacySpeaker(neighbor netip.AddrPort) (*gobgp.Speaker, error) {
	return gobgp.New(gobgp.Config{
		ASN: ourASN, RouterID: nextHop4, Logger: slog.New(slog.DiscardHandler),
		Neighbors: []gobgp.Neighbor{{
			Neighbor: policy.Neighbor{
				Name: legacyNeighbor, Kind: policy.EBGP, Address: neighbor.Addr(), ASN: theirASN, LocalASN: ourASN,
				Role: policy.RoleCustomer, Families: families, NextHop4: nextHop4, NextHop6: nextHop6,
			},
			Port: neighbor.Port(),
		}},
	})
}

// legacyStage is the server with its neighbor and the same scripts.
type legacyStage struct {
	p      printer
	feed   *feed
	server *legacyServer
	script script
}

func (s *legacyStage) malformed(ctx context.Context) (replay, error) {
	s.p.replay(malformedQuery, "malformed query", fmt.Sprintf(
		"the clean-up task asks for ?pending_delete and deletes what it is given, %d a minute; 1 s here is %d min of that day", outageRate, scale/60))
	r := replay{mark: malformedQuery, name: "malformed query", begun: time.Now(), before: s.feed.held()}
	status, _, ids, err := s.script.list(ctx, spellings[0])
	if err != nil {
		return r, err
	}
	s.p.say("   the query is answered %d with %s prefixes to delete", status, thousands(len(ids)))
	told, err := s.script.cleanUp(ctx, spellings[0], outagePause, func(deleted int) bool { return deleted == outageLost })
	if err != nil {
		return r, err
	}
	r.told = told.list()
	s.p.say("   after %.0f minutes (%s here) somebody stops the task", float64(outageMinutes)*float64(time.Since(r.begun))/float64(outageTime),
		time.Since(r.begun).Round(100*time.Millisecond))
	return s.end(ctx, r)
}

func (s *legacyStage) runaway(ctx context.Context) (replay, error) {
	s.p.replay(runawayScript, "runaway script", fmt.Sprintf("every prefix is withdrawn, %d requests at a time, without a pause", hurry))
	r := replay{mark: runawayScript, name: "runaway script", begun: time.Now(), before: s.feed.held()}
	told, err := s.script.withdrawAll(ctx)
	if err != nil {
		return r, err
	}
	r.told = told.list()
	s.p.say("   done after %s", time.Since(r.begun).Round(100*time.Millisecond))
	return s.end(ctx, r)
}

// end watches, tells, and fills the table again, from a list that nobody had
// at hand on that day.
func (s *legacyStage) end(ctx context.Context, r replay) (replay, error) {
	if err := s.feed.settle(ctx, quiet, watchLimit); err != nil {
		return r, err
	}
	r.after = s.feed.held()
	r.lowest, _ = s.feed.timeline().extent(r.begun, time.Now())
	s.p.told(r)
	r.entered = time.Now()
	if err := s.server.fill(ctx); err != nil {
		return r, err
	}
	if _, err := s.feed.await(ctx, full, r.entered); err != nil {
		return r, err
	}
	r.restored = s.feed.held()
	return r, nil
}
