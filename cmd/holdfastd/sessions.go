package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// sessionsOf makes the speaker's sessions those of c, but for the neighbors that
// wait for their wave: they keep the transport that they have. The rollout calls
// one of them at a time.
func (d *daemon) sessionsOf(c *config.Config) rollout.Sessions {
	return func(ctx context.Context, keep map[string]policy.Neighbor) error {
		if d.guard == nil {
			return fmt.Errorf("this speaker takes no neighbors while it runs")
		}
		with := *c
		with.BGP.Neighbors = mixed(c.BGP.Neighbors, d.spoken, keep)
		g, err := speakerConfig(&with, d.dir, d.allows)
		if err != nil {
			return err
		}
		signal := with.Controlled()
		d.control.Speak(both(d.signal, signal))
		if err := gobgp.Configure(ctx, d.guard, g); err != nil {
			d.control.Speak(d.signal)
			return err
		}
		d.control.Speak(signal)
		d.signal = signal
		for _, n := range with.BGP.Neighbors {
			d.spoken[n.Name] = n
		}
		return nil
	}
}

// mixed are the neighbors of a configuration, with those in keep as they were
// spoken with before. One that leaves makes room for who takes its address.
func mixed(next []config.Neighbor, spoken map[string]config.Neighbor, keep map[string]policy.Neighbor) []config.Neighbor {
	var out []config.Neighbor
	has := func(is func(config.Neighbor) bool) bool { return slices.ContainsFunc(out, is) }
	for _, n := range next {
		if was, waits := keep[n.Name]; waits {
			if old, known := spoken[n.Name]; known {
				n = old
			}
			n.Neighbor = was
		}
		out = append(out, n)
	}
	for _, name := range slices.Sorted(maps.Keys(keep)) {
		n, known := spoken[name]
		n.Neighbor = keep[name]
		if known && !has(func(o config.Neighbor) bool { return o.Name == name || o.Address == n.Address }) {
			out = append(out, n)
		}
	}
	return out
}

// both are the entries of either.
func both(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
