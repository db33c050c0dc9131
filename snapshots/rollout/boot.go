package rollout

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Booted is what Boot found and did.
type Booted struct {
	None     bool // the store has never held a snapshot: nothing is exported
	Head     snapshots.Head
	Routes   int
	Fallback bool // the last-known-good itself could not be used
	// Quarantined is the generation that crashed the process twice and that this
	// boot went back from; 0 is none.
	Quarantined uint64
	// Static says why no snapshot could be used and the wire is held at what the
	// neighbors were told last; empty is the ordinary boot. Waiting are those of
	// whom that is not known: they must not connect before their first Target.
	Static   string
	Waiting  []string
	Findings []policy.Finding
	Damage   []snapshots.Damage
}

// ErrLive means that a store whose routes were on the wire is to be merely
// observed with: the neighbors would be sent an End-of-RIB without a route and
// drop them all.
var ErrLive = errors.New("this data directory has advertised, and observing would take it all back: go on enforcing, or observe with another data directory")

// Boot loads the last-known-good and applies it, with nothing but the local
// disk: no database, no API, no network (invariants 11 and 13). Call it once,
// before the speaker lets neighbors connect. Without any snapshot it does
// nothing. If there was one and none can be used, what the neighbors were told
// last takes its place (Booted.Static). An error means that not even that is
// known: the speaker must not be started with an empty table.
//
// If two processes have ended within a minute of being told the same snapshot,
// the one before is brought forward in its place and the wire is pinned there.
func (r *Runner) Boot(ctx context.Context) (Booted, error) {
	r.line.Lock()
	defer r.line.Unlock()
	r.loadRollouts()
	load := r.bootable
	if r.cfg.Observe {
		load = r.lastKnownGood
	}
	l, quarantined, err := load()
	damage := r.cfg.Store.Damage()
	if err != nil && !r.cfg.Observe {
		if b, static := r.bootStatic(ctx, err); static {
			b.Damage = damage
			return b, nil
		}
	}
	if errors.Is(err, snapshots.ErrNone) {
		return Booted{None: true, Damage: damage}, nil
	}
	if err != nil {
		return Booted{Damage: damage}, fmt.Errorf("boot: %w", err)
	}
	if r.cfg.Observe {
		return Booted{Head: l.Head, Damage: damage}, fmt.Errorf("boot: %w: generation %d has %d route(s)", ErrLive, l.Head.Generation, l.Snapshot.RouteCount())
	}
	r.trial.try(l.Head)
	findings, err := r.apply(ctx, l.Head, l.Snapshot)
	if err != nil {
		return Booted{Head: l.Head, Damage: damage}, fmt.Errorf("boot: %w", err)
	}
	r.setActive(l, findings)
	if err := r.sessions(ctx, r.behind(l.Snapshot)); err != nil {
		r.degraded(err)
	}
	r.b = snapshots.NewBuilder(l.Snapshot, r.cfg.Limits)
	r.mu.Lock()
	r.st.damage = damage
	r.mu.Unlock()
	return Booted{Head: l.Head, Routes: l.Snapshot.RouteCount(), Fallback: l.Fallback, Quarantined: quarantined, Findings: findings, Damage: damage}, nil
}
