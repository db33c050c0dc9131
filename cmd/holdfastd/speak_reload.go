package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
)

// hangup takes the file over at SIGHUP, until ctx ends.
func (l *lone) hangup(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			if err := l.takeOver(ctx); err != nil {
				l.log.Error("configuration not taken over; the old one stays", "error", err)
			}
		}
	}
}

// takeOver makes the neighbors of the file the speaker's. A speaker alone has no
// breaker to ask: what would take many sessions away at once is refused.
func (l *lone) takeOver(ctx context.Context) error {
	next, _, err := config.LoadSpeak(l.live.File)
	if err != nil {
		return err
	}
	if why := l.refuses(next); why != "" {
		return fmt.Errorf("%s: %s", next.File, why)
	}
	g, err := speakerConfig(&next.Config, l.dir, func(string) func(netip.Prefix) bool { return nil })
	if err != nil {
		return err
	}
	d := l.live.Difference(&next.Config)
	if err := l.follower.Declare(ctx, next.Network(nil, nil), func(ctx context.Context) error { return gobgp.Configure(ctx, l.guard, g) }); err != nil {
		return err
	}
	now := *l.live
	now.BGP = next.BGP
	now.BGP.Listen = l.live.BGP.Listen
	l.live = &now
	l.log.Info("configuration applied", "file", next.File, "changes", len(d.Entries), "restart", d.Restart)
	l.reporter.wake()
	return nil
}

// refuses says why a file is for a restart, or for nobody.
func (l *lone) refuses(next *config.Speak) string {
	now := l.live
	gone := 0
	for _, n := range now.BGP.Neighbors {
		if !slices.ContainsFunc(next.BGP.Neighbors, func(o config.Neighbor) bool { return o.Name == n.Name }) {
			gone++
		}
	}
	most := addressing.MaxDrained(len(now.BGP.Neighbors))
	switch {
	case next.Environment != now.Environment || next.Name != now.Name || next.DataDir != now.DataDir:
		return "another environment, name or data directory is another speaker"
	case next.BGP.ASN != now.BGP.ASN || next.BGP.RouterID != now.BGP.RouterID:
		return "another AS number or router id is for a restart"
	case !reflect.DeepEqual(next.Feed, now.Feed):
		return "another feed, or other keys, are for a restart"
	case len(next.BGP.Neighbors) == 0 && len(now.BGP.Neighbors) > 0:
		return "it names no neighbor at all: every session would go"
	case gone > most:
		return fmt.Sprintf("%d of %d neighbors would go, at most %d may at a time: drain them at the daemon, or take them out one by one", gone, len(now.BGP.Neighbors), most)
	}
	return ""
}
