package rollout

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// RuleStatic is the rule of what holds desired state back after a static boot.
const RuleStatic = "boot.static"

const staticBoot = "system/static-boot" // the actor of its pin

// bootStatic is Boot where a store has lost every snapshot: the neighbors are
// told again what they were told last, from their own Adj-RIB-Outs, and the wire
// is pinned there. A neighbor whose table is not known for certain is left
// waiting: a session without a table would take everything from it. It is false
// if nothing says that there ever was a route.
func (r *Runner) bootStatic(ctx context.Context, why error) (Booted, bool) {
	told := r.toldConfigured()
	routes := 0
	for _, t := range told {
		routes += len(t.Routes)
	}
	_, highest := r.cfg.Store.Highest()
	if r.cfg.Told == nil || routes == 0 && highest == 0 {
		return Booted{}, false
	}
	b := Booted{Static: fmt.Sprintf("no snapshot can be used (%v): the wire is held at what the neighbors were told last, %d route(s)", why, routes)}
	err := r.tellAgain(ctx, told)
	if err != nil {
		r.log.Error("what the neighbors were told last cannot be told again: they stay out", "error", err)
	}
	for _, n := range r.net.Neighbors {
		if _, known := told[n.Name]; !known || err != nil {
			b.Waiting = append(b.Waiting, n.Name)
		}
	}
	b.Routes = routes
	r.log.Error("booted without a snapshot", "alert", "boot_static", "routes", routes, "waiting", b.Waiting, "why", why)
	r.mu.Lock()
	r.st.static, r.st.told = b.Static, told
	r.mu.Unlock()
	r.pinStatic(highest, b.Static)
	return b, true
}

// toldConfigured is what the neighbors of the configuration were told last.
func (r *Runner) toldConfigured() map[string]snapshots.NeighborTarget {
	if r.cfg.Told == nil {
		return nil
	}
	all, out := r.cfg.Told(), map[string]snapshots.NeighborTarget{}
	for _, n := range r.net.Neighbors {
		if t, known := all[n.Name]; known {
			out[n.Name] = t
		}
	}
	return out
}

// tellAgain gives the speaker what the neighbors hold already.
func (r *Runner) tellAgain(ctx context.Context, told map[string]snapshots.NeighborTarget) error {
	if len(told) == 0 {
		return nil
	}
	epoch, generation := r.cfg.Store.Highest()
	t := snapshots.Target{Epoch: max(epoch, 1), Generation: generation, Neighbors: told}
	if t.Total() == 0 {
		t.Empty = "the neighbors were told nothing before the snapshots were lost"
	}
	return r.cfg.Applier.Apply(ctx, t)
}

// pinStatic keeps the builder from putting desired state on the wire before a
// person has seen what it would take away.
func (r *Runner) pinStatic(generation uint64, why string) {
	if _, pinned := r.cfg.Store.Pinned(); pinned {
		return
	}
	pin := snapshots.Pin{Generation: generation, Actor: staticBoot, Reason: why + ". Look at holdfast plan show, then holdfast snapshot unpin --accept, or restore the snapshots from a backup and restart", At: time.Now().UnixNano()}
	if err := r.cfg.Store.SetPin(pin); err != nil {
		r.stop(pin.Reason)
		r.degraded(err)
	}
}

// static is what the neighbors hold after a static boot, nil without one.
func (r *Runner) static() map[string]snapshots.NeighborTarget {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.st.static == "" {
		return nil
	}
	return r.st.told
}

// accepted reports whether a person named this snapshot to go on with.
func (r *Runner) accepted(id snapshots.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.st.accepted != "" && r.st.accepted == id
}

func (r *Runner) accept(id snapshots.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.accepted = id
}

// takenFrom compares a first plan with what the neighbors hold since a static
// boot: there is no older generation to count its losses against.
func (r *Runner) takenFrom(next *snapshots.Snapshot) []policy.Finding {
	told := r.static()
	if len(told) == 0 {
		return nil
	}
	t, _ := snapshots.Targets(next, 1, 1, firstWave)
	var out []policy.Finding
	for _, n := range r.net.Neighbors {
		gone, first := missingFrom(t.Neighbors[n.Name].Routes, told[n.Name].Routes)
		if gone == 0 {
			continue
		}
		out = append(out, policy.Finding{Rule: RuleStatic, Verdict: policy.Hold,
			Why:  fmt.Sprintf("neighbor %s holds %d route(s) and would lose %d of them, %s first", n.Name, len(told[n.Name].Routes), gone, first),
			Next: "put them back in desired state, or accept the loss: holdfast snapshot unpin --accept"})
	}
	return out
}

// missingFrom counts what had names and now does not. Both are sorted.
func missingFrom(now, had []snapshots.TargetRoute) (n int, first netip.Prefix) {
	i := 0
	for _, r := range had {
		for i < len(now) && now[i].Prefix.Compare(r.Prefix) < 0 {
			i++
		}
		if i < len(now) && now[i].Prefix == r.Prefix {
			continue
		}
		if n++; n == 1 {
			first = r.Prefix
		}
	}
	return n, first
}

// afterStatic adds to a report what desired state would take from the
// neighbors, unless a person has accepted that.
func (r *Runner) afterStatic(next *snapshots.Snapshot, report plan.Report) plan.Report {
	found := r.takenFrom(next)
	if len(found) == 0 || r.accepted(next.ID()) {
		return report
	}
	report.Findings = append(found, slices.Clip(report.Findings)...)
	if report.Verdict == policy.Allow {
		report.Verdict = policy.Hold
	}
	return report
}
