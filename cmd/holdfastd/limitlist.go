package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// maxFreezes is how many freezes a snapshot names one by one.
const maxFreezes = 100

// limitList is limits as snapshots record them, by the names of the
// configuration. A limit that is off is not there. Who must approve, and what
// can be turned off, are no limits.
func limitList(l breaker.Limits) []snapshots.LimitInForce {
	var out []snapshots.LimitInForce
	add := func(name, format string, args ...any) {
		out = append(out, snapshots.LimitInForce{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	for _, list := range [][]breaker.Rung{l.Ladder, l.Actor, l.Ops, l.Accounts, l.Account, l.Service, l.Neighbor, l.Bindings, l.Modifies, l.OnDemand, l.Owner} {
		for _, r := range list {
			add(strings.TrimPrefix(r.Name, "breaker."), "%s", rungText(r))
		}
	}
	add("plan", "share %d floor %d", l.PlanShare, l.PlanFloor)
	add("state_floor", "share %d floor %d", l.StateShare, l.StateFloor)
	add("growth", "share %d floor %d", l.GrowthShare, l.GrowthFloor)
	add("emergency", "once %d hour %d", l.EmergencyOnce, l.EmergencyHour)
	for _, n := range []struct {
		name  string
		value int
	}{
		{"owner_while_open", l.OwnerWhileOpen}, {"sites_down", l.SitesDown}, {"last_paths", l.LastPaths}, {"capacity", l.Capacity},
		{"recovering", l.Recovering}, {"on-demand.global", l.OnDemandGlobal}, {"space.from", l.SpaceFrom},
	} {
		add(n.name, "%d", n.value)
	}
	add("wait", "%s", l.Wait)
	add("twice_within", "%s", l.PlanTwice)
	add("owner.from", "%s", l.LongWindow)
	if l.EnforceOps {
		add("operators_enforced", "yes")
	}
	for _, rule := range l.Shadow {
		add("shadow."+strings.TrimPrefix(rule, "breaker."), "decides nothing")
	}
	for i, f := range l.Freezes[:min(len(l.Freezes), maxFreezes)] {
		add("freezes."+strconv.Itoa(i), "%s to %s: %.200s", f.From.UTC().Format(time.RFC3339), f.Until.UTC().Format(time.RFC3339), strings.ToValidUTF8(f.Reason, ""))
	}
	if more := len(l.Freezes) - maxFreezes; more > 0 {
		add("freezes.more", "%d", more)
	}
	out = snapshots.NormalLimits(out)
	// A rule may be named twice in shadow: it is one.
	return slices.CompactFunc(out, func(a, b snapshots.LimitInForce) bool { return a == b })
}

func rungText(r breaker.Rung) string {
	text := fmt.Sprintf("window %s share %d floor %d total %d", r.Span, r.Share, r.Floor, r.Total)
	switch r.Unit {
	case breaker.Routes:
		text += " of routes"
	case breaker.Space:
		text += " of address space"
	}
	if r.Net {
		text += " net"
	}
	if r.Shadow {
		text += " shadow"
	}
	return text
}

// record has snapshots carry the limits in force. Its caller holds settling.
// What cannot be recorded is in force all the same: the doctor says so.
func (d *daemon) record() {
	if d.pipeline.Runner == nil {
		return
	}
	if err := d.pipeline.SetLimits(limitList(d.limits.force)); err != nil {
		d.log.Error("snapshots do not record the breaker's limits in force", "error", err)
	}
}

// unrecorded names the limits that the active snapshot has otherwise, sorted.
func (d *daemon) unrecorded() []string {
	snap, _ := d.pipeline.Active()
	if snap == nil {
		return nil
	}
	d.settling.Lock()
	force := limitList(d.limits.force)
	d.settling.Unlock()
	return otherLimits(snap.Network.Limits, force)
}

// otherLimits names what is in one list alone, or has another value.
func otherLimits(a, b []snapshots.LimitInForce) []string {
	var out []string
	for _, pair := range [][2][]snapshots.LimitInForce{{a, b}, {b, a}} {
		for _, l := range pair[0] {
			if !slices.Contains(pair[1], l) {
				out = append(out, l.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// under is a configuration's network with the limits that it would put in force.
func (d *daemon) under(n snapshots.NetworkPart, want breaker.Limits, at time.Time) snapshots.NetworkPart {
	d.settling.Lock()
	defer d.settling.Unlock()
	n.Limits = limitList(d.limits.file.meets(want, at).force)
	return n
}
