package drill

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// What 20 February left behind: 1,100 prefixes of 200 customers off the wire,
// 300 of them without their bindings. Of eleven in a row three lose theirs, so
// that most customers own both kinds.
const (
	damaged      = 1100
	damagedOwner = 200
	deliberate   = 50 // down on purpose before, and for good
	damageRuns   = 20
)

// damage is drill D2.
type damage struct {
	*Rig
	watched  atomic.Pointer[rollout.Runner]
	unbound  atomic.Int64 // routes that were advertised without a binding, in any generation
	lost     []Prefix
	down     map[netip.Prefix]bool
	owners   []string // accounts of lost, in order
	of       map[string]int
	withdraw int    // of lost, still bound
	good     uint64 // generation before anything went down, on purpose or not
	report   *Report
}

// restore rehearses the way back: every class of damage, one customer alone and
// all of them, with nobody else noticing and nothing coming back that was down on
// purpose.
func restore(ctx context.Context, o Options) (*Report, error) {
	rows, err := Rows(o.Small)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, "damage")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	d := &damage{report: &Report{}, down: map[netip.Prefix]bool{}, of: map[string]int{}}
	options := RigOptions{Dir: dir, Rows: rows, Config: d.outage}
	withoutBreaker(&options) // the outage happened; this is about after it
	if d.Rig, err = NewRig(ctx, options); err != nil {
		return nil, err
	}
	defer d.Close()
	d.watched.Store(d.Runner)
	d.good = d.Runner.Active().Head.Generation
	runs, scale := damageRuns, 1
	if o.Small {
		runs, scale = 2, 10
	}
	if err := d.pick(ctx, damaged/scale, damagedOwner/scale, deliberate/scale); err != nil {
		return nil, err
	}
	if err := d.methods(ctx, o); err != nil {
		return nil, err
	}
	if err := d.timings(ctx, runs, o); err != nil {
		return nil, err
	}
	if err := d.rebuild(ctx); err != nil {
		return nil, err
	}
	d.report.Exactly("routes that were advertised without a binding in any generation", int(d.unbound.Load()), 0)
	return d.report, nil
}

// outage lets what happens to desired state through as if its owners had asked
// for it, and looks at every generation that reaches the wire.
func (d *damage) outage(c *rollout.Config) {
	c.Explain = func(string, netip.Prefix) (plan.Reason, bool) {
		return plan.Reason{Set: "drill", By: addressing.Owner}, true
	}
	c.OnApplied = func(rollout.Applied) {
		r := d.watched.Load()
		if r == nil {
			return // the rig is being built
		}
		snap := r.Active().Snapshot
		for i := range snap.Accounts {
			for _, r := range snap.Accounts[i].Routes {
				if len(r.Services) == 0 {
					d.unbound.Add(1)
				}
			}
		}
	}
}

// pick chooses who is hit, and takes some others down on purpose.
func (d *damage) pick(ctx context.Context, n, owners, deliberate int) error {
	groups := map[string][]Prefix{}
	var order []string
	for _, p := range d.Customers() {
		if groups[p.AccountID] == nil {
			order = append(order, p.AccountID)
		}
		groups[p.AccountID] = append(groups[p.AccountID], p)
	}
	owners = min(owners, len(order)/2)
	for round := 0; len(d.lost) < n; round++ {
		before := len(d.lost)
		for _, account := range order[:owners] {
			if len(d.lost) == n || round >= len(groups[account]) {
				continue
			}
			if round == 0 {
				d.owners = append(d.owners, account)
			}
			d.of[account]++
			d.lost = append(d.lost, groups[account][round])
		}
		if len(d.lost) == before {
			break // they have no more
		}
	}
	for _, account := range order[owners:] {
		for _, p := range groups[account] {
			if len(d.down) == deliberate {
				break
			}
			if _, _, err := d.Registry.BlockPrefix(ctx, d.Request(Operator("noc"), "abuse"), p.ID, nil); err != nil {
				return err
			}
			d.down[p.Row.Prefix] = true
		}
	}
	for i := range d.lost {
		if !unbound(i) {
			d.withdraw++
		}
	}
	d.Runner.Kick()
	return d.Await(ctx, d.Full-len(d.down))
}

func unbound(i int) bool { return i%11 == 0 || i%11 == 3 || i%11 == 7 }

// hit is the outage, behind everybody's back.
func (d *damage) hit(ctx context.Context) error {
	err := d.store.Update(ctx, func(tx addressing.Tx) error {
		for i, p := range d.lost {
			b, err := tx.BGPPrefix(p.BGP)
			if err != nil {
				return err
			}
			b.Advertised, b.Version = false, b.Version+1
			if err := tx.SaveBGPPrefix(b); err != nil {
				return err
			}
			if !unbound(i) {
				continue
			}
			bindings, err := tx.BindingsOf(p.ID)
			if err != nil {
				return err
			}
			for _, binding := range bindings {
				if err := tx.DeleteBinding(binding.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.Runner.Kick()
	return d.Await(ctx, d.Full-len(d.down)-len(d.lost))
}

// back is a rollback to the good generation, in which what is down on purpose
// by now was advertised.
func (d *damage) back(ctx context.Context, scope snapshots.Scope) error {
	_, err := d.Runner.Rollback(ctx, rollout.RollbackRequest{Back: snapshots.Back{Scope: scope}, To: d.good, Actor: Operator("noc"), Reason: "drill D2"})
	return err
}

// own is what an owner can do without anybody: bring its own account back.
func (d *damage) own(ctx context.Context, account string) error {
	res, err := d.Runner.Rollback(ctx, rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{Accounts: []string{account}}}, To: d.good, Actor: Owner(account), Reason: "drill D2"})
	if err == nil && res.Pinned != "" {
		err = fmt.Errorf("pinned: %s", res.Pinned)
	}
	return err
}

// methods compares toggling, which was all there was on that day, with going
// back to a snapshot, one customer after the other, each by itself.
func (d *damage) methods(ctx context.Context, o Options) error {
	if err := d.hit(ctx); err != nil {
		return err
	}
	a, err := d.Runner.Damage(ctx, d.good)
	if err != nil {
		return err
	}
	d.report.Exactly("classified as withdrawn only", a.Counts[snapshots.WithdrawnOnly], d.withdraw)
	d.report.Exactly("classified as all bindings lost", a.Counts[snapshots.AllUnbound], len(d.lost)-d.withdraw)
	d.report.Exactly("customers named as damaged", len(a.Accounts), len(d.owners))
	d.report.Exactly("listed as down on purpose, apart", len(a.Down), len(d.down))
	toggled := 0
	for _, p := range d.lost {
		if _, _, err := d.Registry.AdvertisePrefix(ctx, d.Request(Owner(p.AccountID), "toggle"), p.ID); err == nil {
			toggled++
		}
	}
	if err := d.Await(ctx, d.Full-len(d.down)-len(d.lost)+toggled); err != nil {
		return err
	}
	o.say("toggling brought back %d of %d", toggled, len(d.lost))
	if err := d.hit(ctx); err != nil {
		return err
	}
	served, noticed := 0, 0
	for _, account := range d.owners {
		before := d.Wire.Counters()
		if err := d.own(ctx, account); err != nil {
			d.report.Notes = append(d.report.Notes, fmt.Sprintf("account %s: %v", account, err))
			continue
		}
		served++
		if err := d.Await(ctx, d.Full-len(d.down)-len(d.lost)+d.restored(served)); err != nil {
			return err
		}
		after := d.Wire.Counters()
		noticed += after.Announced - before.Announced - d.of[account] + after.Withdrawn - before.Withdrawn + after.Duplicate - before.Duplicate
	}
	d.report.Exactly("customers that restored themselves", served, len(d.owners))
	d.report.Exactly("routes of others that were sent again meanwhile", noticed, 0)
	d.report.Exactly("prefixes back by snapshot", d.restored(served), len(d.lost))
	d.report.Tables = append(d.report.Tables, Table{Title: "What brings prefixes back", Columns: []string{"method", "prefixes", "of"}, Rows: [][]string{
		{"toggling, as on 20 February", fmt.Sprint(toggled), fmt.Sprint(len(d.lost))},
		{"each customer restores itself", fmt.Sprint(d.restored(served)), fmt.Sprint(len(d.lost))},
	}})
	d.stays("customers' restores")
	return nil
}

// restored is how many prefixes the first n owners have.
func (d *damage) restored(n int) (sum int) {
	for _, account := range d.owners[:n] {
		sum += d.of[account]
	}
	return sum
}

// timings measures from the command to the neighbor.
func (d *damage) timings(ctx context.Context, runs int, o Options) error {
	var one, all []time.Duration
	for run := range runs {
		if err := d.hit(ctx); err != nil {
			return err
		}
		left := d.Full - len(d.down) - len(d.lost)
		account := d.owners[run%len(d.owners)]
		begun := time.Now()
		if err := d.back(ctx, snapshots.Scope{Accounts: []string{account}}); err != nil {
			return err
		}
		if err := d.Await(ctx, left+d.of[account]); err != nil {
			return err
		}
		one = append(one, time.Since(begun))
		begun = time.Now()
		if err := d.back(ctx, snapshots.Scope{All: true}); err != nil {
			return err
		}
		if err := d.Await(ctx, d.Full-len(d.down)); err != nil {
			return err
		}
		all = append(all, time.Since(begun))
		d.stays(fmt.Sprintf("run %d", run+1))
		o.say("run %d of %d: one account %s, all %s", run+1, runs, one[run].Round(time.Millisecond), all[run].Round(time.Millisecond))
	}
	d.report.Within("one account at the neighbor, p95", Percentile(one, 95), 2*time.Second)
	d.report.Within("everything at the neighbor, p95", Percentile(all, 95), 10*time.Second)
	t := Table{Title: fmt.Sprintf("From the command to the neighbor, %d runs", runs), Columns: []string{"what", "median", "p95"}}
	t.Add("one account", Percentile(one, 50).Round(time.Millisecond), Percentile(one, 95).Round(time.Millisecond))
	t.Add(fmt.Sprintf("all %d", len(d.lost)), Percentile(all, 50).Round(time.Millisecond), Percentile(all, 95).Round(time.Millisecond))
	d.report.Tables = append(d.report.Tables, t)
	return nil
}

// rebuild writes desired state anew from the snapshot.
func (d *damage) rebuild(ctx context.Context) error {
	before := d.Wire.Counters()
	if _, err := d.Runner.Rebuild(ctx, Operator("noc"), "drill D2"); err != nil {
		return err
	}
	if err := d.Settle(ctx, 300*time.Millisecond); err != nil {
		return err
	}
	after := d.Wire.Counters()
	d.report.Exactly("UPDATEs while desired state was rebuilt", after.Updates-before.Updates, 0)
	d.stays("rebuild")
	return nil
}

// stays demands that what is down on purpose is down.
func (d *damage) stays(when string) {
	back := 0
	for p := range d.down {
		if _, held := d.Wire.Route(p); held {
			back++
		}
	}
	d.report.Exactly("down on purpose and back after "+when, back, 0)
}
