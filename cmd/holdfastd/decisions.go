package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// decisions writes what happens to rollouts to the audit log, where the history
// of a prefix shows it (invariant 14). Rollouts go on without the database: what
// cannot be written waits here, and the rollout's own log has it.
type decisions struct {
	registry func() *addressing.Registry // nil while it cannot be used
	active   func() *snapshots.Snapshot
	log      *slog.Logger

	mu   sync.Mutex
	wait []rollout.Rollout
	wake chan struct{}
}

const (
	mostDecisions = 1000 // that wait for the database
	mostObjects   = 1000 // of one record
	decisionRetry = 5 * time.Second
)

func newDecisions(registry func() *addressing.Registry, active func() *snapshots.Snapshot, log *slog.Logger) *decisions {
	return &decisions{registry: registry, active: active, log: log, wake: make(chan struct{}, 1)}
}

// add takes in a rollout that moved. It returns at once.
func (d *decisions) add(r rollout.Rollout) {
	d.mu.Lock()
	if len(d.wait) < mostDecisions {
		d.wait = append(d.wait, r)
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends.
func (d *decisions) run(ctx context.Context) {
	retry := time.NewTicker(decisionRetry)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-retry.C:
		}
		d.write(ctx)
	}
}

func (d *decisions) write(ctx context.Context) {
	r := d.registry()
	if r == nil {
		return
	}
	for {
		d.mu.Lock()
		if len(d.wait) == 0 {
			d.mu.Unlock()
			return
		}
		next := d.wait[0]
		d.mu.Unlock()
		if err := d.record(ctx, r, next); err != nil {
			d.log.Warn("a decision about a rollout is not in the audit log yet", "rollout", next.ID, "error", err)
			return
		}
		d.mu.Lock()
		d.wait = d.wait[1:]
		d.mu.Unlock()
	}
}

func (d *decisions) record(ctx context.Context, r *addressing.Registry, ro rollout.Rollout) error {
	if len(ro.Log) == 0 {
		return nil
	}
	last := ro.Log[len(ro.Log)-1]
	verb := decided(ro, last)
	if verb == "" {
		return nil
	}
	why := fmt.Sprintf("rollout %s, wave %d of %d", ro.ID, last.Wave, len(ro.Waves))
	if last.Why != "" {
		why += ": " + last.Why
	}
	return r.Note(ctx, addressing.Request{Actor: decider(last.By), Scope: addressing.EveryAccount(), Reason: why, RequestID: "rollout/" + ro.ID, At: last.At}, verb, concerned(ro, last, d.active()))
}

// decided is the audit log's word for what happened; empty for what is no
// decision.
func decided(ro rollout.Rollout, l rollout.Logged) string {
	switch {
	case l.Event == rollout.Released:
		return "rollout.begin"
	case l.Event == rollout.Watched && l.Phase == rollout.Running:
		return "rollout.advance"
	case l.Event == rollout.Watched && l.Phase == rollout.Soaking && ro.Waiting:
		return "rollout.hold"
	case l.Event == rollout.Watched && l.Phase == rollout.Failed:
		return "rollout.fail"
	case l.Phase == rollout.Done:
		return "rollout.finish"
	case l.Event == rollout.Pause || l.Event == rollout.Promote || l.Event == rollout.Abort:
		return "rollout." + string(l.Event)
	case l.Event == rollout.Died || l.Phase == rollout.Paused:
		return "rollout.stop"
	case l.Event == rollout.Undone:
		return "rollout.put-back"
	}
	return ""
}

// decider is the person, or the rollout itself.
func decider(by string) addressing.Actor {
	if kind, id, found := strings.Cut(by, "/"); found && kind == string(addressing.Operator) {
		return addressing.Actor{Kind: addressing.Operator, ID: id}
	}
	return addressing.Actor{Kind: addressing.System, ID: "rollout"}
}

// concerned are the rollout and the prefixes of the wave that was let out, or of
// all that were when it is the whole that was decided about.
func concerned(ro rollout.Rollout, l rollout.Logged, active *snapshots.Snapshot) []string {
	waves := ro.Waves[:min(l.Wave, len(ro.Waves))]
	if (l.Phase == rollout.Running || l.Phase == rollout.Soaking) && len(waves) > 0 {
		waves = waves[len(waves)-1:]
	}
	out := []string{ro.ID}
	for _, w := range waves {
		for _, it := range w.Items {
			part, found := active.Account(it.Account)
			if !found || len(out) > mostObjects {
				continue
			}
			i, found := slices.BinarySearchFunc(part.Prefixes, it.Block, func(r snapshots.PrefixRecord, p netip.Prefix) int { return addressing.ComparePrefix(r.CIDR, p) })
			if found {
				out = append(out, part.Prefixes[i].ID)
			}
		}
	}
	return out
}
