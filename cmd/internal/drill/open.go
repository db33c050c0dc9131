package drill

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// openLanes is what must work while the global scope is open: announcements on
// demand, one emergency withdrawal, a few withdrawals by an owner, and the way
// back, which brings back nothing that was taken down on purpose.
func openLanes(ctx context.Context, o Options) (*Report, error) {
	rows, err := Rows(o.Small)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, "open")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m := &calendar{want: len(rows)}
	if m.Rig, err = NewRig(ctx, RigOptions{Dir: dir, Rows: rows, Fill: m.onDemand, Second: true}); err != nil {
		return nil, err
	}
	defer m.Close()
	r := &Report{}
	t := Table{Title: "While the global scope is open", Columns: []string{"what", "at the neighbor after"}}
	timed := func(what string, do func() error) error {
		begun := time.Now()
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := m.Await(ctx, m.want); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		took := time.Since(begun)
		t.Add(what, took.Round(time.Millisecond))
		r.Within("open: "+what, took, 5*time.Second)
		return nil
	}
	good := m.Runner.Active().Head.Generation
	all := m.Customers()
	noc := Operator("noc")
	// Eight go by a legitimate change, then everything opens.
	lost := all[len(all)-8:]
	if err := m.all(ctx, noc, "", false, lost); err != nil {
		return nil, err
	}
	if _, err := m.Breaker.Trip(breaker.Global, breaker.Open, "a drill", breaker.Actor{Kind: breaker.Operator, Key: noc.Key()}, m.Now()); err != nil {
		return nil, err
	}
	err = timed("40 announcements on demand", func() error {
		for _, p := range m.demand {
			if err := m.set(ctx, Owner(p.AccountID), "", true, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	down := map[netip.Prefix]bool{}
	err = timed("an emergency withdrawal of 3 prefixes", func() error {
		req := m.Request(noc, "a wrong origin")
		req.Incident = "INC-1"
		var cidrs []netip.Prefix
		for _, p := range all[:3] {
			cidrs = append(cidrs, p.Row.Prefix)
			down[p.Row.Prefix] = true
		}
		intents, change, err := m.Registry.EmergencyWithdraw(ctx, req, cidrs)
		if err != nil {
			return err
		}
		m.want -= len(cidrs)
		_, err = m.Runner.TakeDown(ctx, change, intents)
		return err
	})
	if err != nil {
		return nil, err
	}
	own := all[10]
	err = timed("an owner's own withdrawal", func() error {
		down[own.Row.Prefix] = true
		return m.set(ctx, Owner(own.AccountID), "", false, own)
	})
	if err != nil {
		return nil, err
	}
	spec := addressing.DrainSpec{Site: secondSite, Sites: []string{site, secondSite}}
	begun := time.Now()
	if _, err := m.takeOut(ctx, m.Request(noc, "a broken fan"), spec); err != nil {
		return nil, fmt.Errorf("site drain: %w", err)
	}
	if err := m.AwaitOther(ctx, 0); err != nil {
		return nil, fmt.Errorf("site drain: %w", err)
	}
	took := time.Since(begun)
	t.Add("the drain of a site", took.Round(time.Millisecond))
	r.Within("open: the drain of a site", took, 5*time.Second)
	refusedBefore := len(m.refused)
	if err := m.set(ctx, noc, "", false, all[20]); err != nil {
		return nil, err
	}
	r.Exactly("open: an operator's withdrawal is refused", len(m.refused)-refusedBefore, 1)
	m.want += len(lost)
	err = timed("the restore of 8 prefixes", func() error {
		_, err := m.Runner.Rollback(ctx, rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{All: true}}, To: good, Actor: noc, Reason: "a drill"})
		return err
	})
	if err != nil {
		return nil, err
	}
	back := 0
	for p := range down {
		if _, held := m.Wire.Route(p); held {
			back++
		}
	}
	r.Exactly("open: routes that the restore brought back to the drained site", m.Other.Held(), 0)
	r.Exactly("open: deliberate withdrawals that the restore brought back", back, 0)
	r.Exactly("open: changes refused that were not to be", refusedBefore, 0)
	r.Tables = []Table{t}
	if back > 0 || refusedBefore > 0 {
		r.Notes = append(r.Notes, m.refused...)
	}
	return r, nil
}
