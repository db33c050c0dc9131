package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// keptRoutes gives what the neighbors were told last, as the process before
// left it. Where that is not known for certain, everything may be with them.
func (d *daemon) keptRoutes() func(netip.Prefix) bool { return keptRoutes(d.dir, d.log) }

func keptRoutes(dir dataDir, log *slog.Logger) func(netip.Prefix) bool {
	all, err := guard.ReadKept(dir.adjRIBOut())
	told := map[netip.Prefix]bool{}
	for _, k := range all {
		if k.Damage != nil {
			err = k.Damage
		}
		for _, r := range k.Routes {
			told[r.Prefix] = true
		}
	}
	if err != nil {
		log.Warn("what the neighbors were told last is not known for certain: nothing is taken from them", "error", err)
		return func(netip.Prefix) bool { return true }
	}
	return func(p netip.Prefix) bool { return told[p] }
}

// toldTables gives what the neighbors were told last, those that are whole.
func (d *daemon) toldTables() map[string]snapshots.NeighborTarget {
	all, err := guard.ReadKept(d.dir.adjRIBOut())
	if err != nil {
		d.log.Error("what the neighbors were told last is not known", "error", err)
	}
	out := map[string]snapshots.NeighborTarget{}
	for _, k := range all {
		if k.Damage != nil {
			d.log.Error("what a neighbor was told last is not known for certain", "neighbor", k.Neighbor, "error", k.Damage)
			continue
		}
		out[k.Neighbor] = snapshots.NeighborTarget{Routes: k.Routes}
	}
	return out
}

// storeRisks are those of the snapshots: a daemon that holds the wire without
// one, or that can store none.
func (d *daemon) storeRisks() []string {
	var out []string
	if why := d.pipeline.Runner.Status().Static; why != "" {
		out = append(out, "boot_static: "+why)
	}
	if why := d.store.Unsigned(); why != "" {
		out = append(out, "unsigned: no new generation can be stored, the wire stays as it is: "+why)
	}
	for _, j := range d.pipeline.Runner.Bringing() {
		line := fmt.Sprintf("restore_running: %d of %d route(s) of generation %d are back", j.Total-j.Left, j.Total, j.To)
		for why, text := range map[string]string{"paused": j.Paused, "some wait": j.Waits} {
			if text != "" {
				line += "; " + why + ": " + text
			}
		}
		out = append(out, line)
	}
	for _, a := range d.pipeline.Runner.Apart() {
		why := "valid again, believed after " + strconv.Itoa(a.Left) + " more build(s)"
		if a.Left == rollout.Believed {
			why = a.Problems[0].String()
		}
		out = append(out, fmt.Sprintf("account_apart: account %q stays at its last-known-good since %s, everybody else goes on: %s", a.Account, a.Since.UTC().Format(time.RFC3339), why))
	}
	return out
}

// openStore opens the snapshots. A directory that was used and has lost them is
// made anew: the wire is held by what the guard kept, and generations go on
// where they were (invariant 3).
func (d *daemon) openStore() (err error) {
	o := snapshots.Options{Environment: d.cfg.Environment, Marker: d.dir.generation()}
	d.store, err = snapshots.Open(d.dir.snapshots(), o)
	if d.first || !errors.Is(err, snapshots.ErrNotInitialised) {
		return err
	}
	d.log.Error("the snapshot directory is lost; it is made anew", "alert", "boot_static", "error", err)
	if err := snapshots.Init(d.dir.snapshots(), o); err != nil {
		return err
	}
	d.store, err = snapshots.Open(d.dir.snapshots(), o)
	return err
}
