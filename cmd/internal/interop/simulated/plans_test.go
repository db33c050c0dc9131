//go:build interop && linux

package simulated

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

var seed = flag.Uint64("seed", 0, "of the plans; 0 is a new one each time")

const (
	plans    = 36
	accounts = 3
	routes   = 40
)

// What the plan predicts for each neighbor is what FRR and BIRD hold after it
// was applied, route by route with all attributes, after every wave of random
// plans (BGP-08).
func TestSimulationIsWhatRoutersHold(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with -seed %d", *seed)
	d := &draw{Rand: rand.New(rand.NewPCG(*seed, 1))}
	n := start(t, synthetic.State(accounts, routes))
	n.run.AttachDesired(n.state)
	n.carriedOut("first load")
	generations := 0
	for i := range plans {
		what := n.change(d)
		generations += n.carriedOut(fmt.Sprintf("plan %d: %v", i, what))
	}
	t.Logf("%d plans, %d generations compared at %d neighbors", plans, generations, len(n.ends))
	if generations < plans {
		t.Errorf("%d plans made %d generations only", plans, generations)
	}
	n.wouldBeSeen()
}

// wouldBeSeen shows that a prediction that is off by one attribute of one route
// is no match.
func (n *network) wouldBeSeen() {
	n.t.Helper()
	st, _ := n.state.State(context.Background())
	right, err := snapshots.Build(st, n.parts, synthetic.Environment, time.Now())
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.held(plan.Diff(nil, right)); err != nil {
		n.t.Fatal(err)
	}
	wrong := n.parts
	wrong.Neighbors = slices.Clone(wrong.Neighbors)
	hop := &wrong.Neighbors[len(wrong.Neighbors)-1].NextHop6
	*hop = hop.Next().Next()
	off, err := snapshots.Build(st, wrong, synthetic.Environment, time.Now())
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.held(plan.Diff(nil, off)); err == nil || !strings.Contains(err.Error(), "predicted") {
		n.t.Errorf("another next hop was predicted and not missed: %v", err)
	}
}

// carriedOut compares every generation on the way until the wire is what
// desired state says, and tells how many there were.
func (n *network) carriedOut(what string) int {
	n.t.Helper()
	limit := time.NewTimer(coming)
	defer limit.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for count := 0; ; {
		select {
		case p := <-n.applied:
			count++
			n.compare(fmt.Sprintf("%s, generation %d (%d changes)", what, p.Generation, len(p.Changes)+len(p.Network)), p)
			n.next <- struct{}{}
		case <-look.C:
			if n.done() {
				return count
			}
		case <-limit.C:
			st := n.run.Status()
			n.t.Fatalf("seed %d, %s: not carried out: refused %+v, error %q\n%+v", *seed, what, st.Refusal, st.LastError, n.run.Rollouts())
		}
	}
}

func (n *network) compare(what string, p plan.Plan) {
	n.t.Helper()
	var err error
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(20 * time.Millisecond) {
		if err = n.held(p); err == nil {
			return
		}
	}
	n.t.Fatalf("seed %d, %s:\n%v", *seed, what, err)
}

// done reports whether the wire is what a snapshot of desired state says.
func (n *network) done() bool {
	st, _ := n.state.State(context.Background())
	want, err := snapshots.Build(st, n.parts, synthetic.Environment, time.Now())
	if err != nil {
		n.t.Fatal(err)
	}
	return n.run.Status().Snapshot == want.ID() && !slices.ContainsFunc(n.run.Rollouts(), func(r rollout.Rollout) bool { return !r.Phase.Ended() })
}

// change draws one plan: a few changes of desired state, of neighbors, or both.
func (n *network) change(d *draw) []string {
	n.t.Helper()
	set := addressing.ChangeSet{ID: fmt.Sprintf("set-%d", d.sets), Actor: addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}, Reason: "drawn"}
	d.sets++
	var what []string
	n.state.set(func(st *addressing.State) {
		for range 1 + d.IntN(6) {
			what = append(what, d.ofPrefix(st))
		}
		if d.IntN(3) == 0 {
			what = append(what, d.drain(st, n.parts.Neighbors))
		}
		set.Effects = effects(st)
	})
	if d.IntN(2) == 0 {
		n.parts.Neighbors = slices.Clone(n.parts.Neighbors)
		for range 1 + d.IntN(3) {
			what = append(what, d.ofNeighbor(&n.parts.Neighbors[d.IntN(len(n.parts.Neighbors))]))
		}
	}
	parts := n.parts
	go func() { // it waits for a generation that waits to be compared
		n.run.Notify(set)
		if err := n.run.SetNetwork(parts); err != nil {
			n.t.Error(err)
		}
	}()
	return what
}

// effects admit whatever may have happened to any prefix.
func effects(st *addressing.State) (out []addressing.Effect) {
	account := map[string]string{}
	for _, p := range st.Prefixes {
		account[p.ID] = p.AccountID
	}
	for _, b := range st.BGPPrefixes {
		kind := addressing.Lost
		if b.Advertised || b.DownAt != nil {
			kind = addressing.Gained
		}
		for _, k := range []addressing.EffectKind{kind, addressing.Modified} {
			out = append(out, addressing.Effect{Kind: k, CIDR: b.CIDR, AccountID: account[b.PrefixID]})
		}
	}
	return out
}

// draw makes changes. The same seed makes the same.
type draw struct {
	*rand.Rand
	sets, made int
}

// ofPrefix changes one prefix, or adds one.
func (d *draw) ofPrefix(st *addressing.State) string {
	i := d.IntN(len(st.BGPPrefixes))
	b := &st.BGPPrefixes[i]
	p := slices.IndexFunc(st.Prefixes, func(p addressing.Prefix) bool { return p.ID == b.PrefixID })
	switch d.IntN(8) {
	case 0, 1:
		b.Advertised, b.DownAt = !b.Advertised, nil
		if !b.Advertised && d.IntN(2) == 0 { // it is drained first
			later := time.Now().Add(time.Hour)
			b.DownAt = &later
		}
		return fmt.Sprintf("%s advertised %v, draining %v", b.CIDR, b.Advertised, b.DownAt != nil)
	case 2:
		b.Prepend = d.IntN(4)
		return fmt.Sprintf("%s prepend %d", b.CIDR, b.Prepend)
	case 3:
		b.Sites = []addressing.Sites{addressing.AllSites(), {Names: []string{"ams"}}, {Names: []string{"fra"}}}[d.IntN(3)]
		return fmt.Sprintf("%s at %+v", b.CIDR, b.Sites)
	case 4:
		st.Prefixes[p].ASN = []uint32{synthetic.ASN, 64777, 4200000777}[d.IntN(3)]
		return fmt.Sprintf("%s of AS %d", b.CIDR, st.Prefixes[p].ASN)
	case 5:
		at := slices.IndexFunc(st.Bindings, func(x addressing.Binding) bool { return x.PrefixID == b.PrefixID })
		st.Bindings[at].Active = !st.Bindings[at].Active
		return fmt.Sprintf("%s bound %v", b.CIDR, st.Bindings[at].Active)
	case 6:
		id := "block-" + b.ID
		if at := slices.IndexFunc(st.Negative, func(x addressing.NegativeIntent) bool { return x.ID == id }); at >= 0 {
			st.Negative = slices.Delete(st.Negative, at, at+1)
			return "un" + id + " " + b.CIDR.String()
		}
		st.Negative = append(st.Negative, addressing.NegativeIntent{ID: id, AccountID: st.Prefixes[p].AccountID, CIDR: b.CIDR, Kind: addressing.IntentBlock, Author: "operator/uid:0", CreatedAt: synthetic.At})
		return id + " " + b.CIDR.String()
	}
	d.made++
	synthetic.Add(st, routes+d.made, synthetic.AccountID(d.IntN(accounts)))
	return fmt.Sprintf("%s is new", synthetic.CIDR(routes+d.made))
}

// drain drains a site or a neighbor, its routes still there or gone, or ends a
// drain.
func (d *draw) drain(st *addressing.State, neighbors []policy.Neighbor) string {
	for i, x := range st.Negative {
		if x.Kind == addressing.IntentDrain {
			st.Negative = slices.Delete(st.Negative, i, i+1)
			return "un" + x.ID
		}
	}
	in := addressing.NegativeIntent{Kind: addressing.IntentDrain, Author: "operator/uid:0", CreatedAt: synthetic.At}
	if d.IntN(3) == 0 {
		in.Site = sites[d.IntN(len(sites))]
	} else {
		in.Neighbor = neighbors[d.IntN(len(neighbors))].Name
	}
	in.ID = "drain-" + in.Site + in.Neighbor
	if d.IntN(2) == 0 {
		later := time.Now().Add(time.Hour)
		in.DownAt = &later
	}
	st.Negative = append(st.Negative, in)
	return in.ID
}

// ofNeighbor changes what one neighbor is sent besides the routes themselves.
func (d *draw) ofNeighbor(n *policy.Neighbor) string {
	m := policy.Metrics{Prepend: d.IntN(3)}
	for _, c := range []policy.Community{64500<<16 | 42, 64500<<16 | 43, policy.NoExport} {
		if d.IntN(3) == 0 {
			m.Standard = append(m.Standard, c)
		}
	}
	if d.IntN(2) == 0 {
		m.Large = []policy.LargeCommunity{{Global: 4200000000, Local1: d.Uint32N(3), Local2: 7}}
	}
	if d.IntN(2) == 0 {
		v := d.Uint32N(300)
		m.MED = &v
	}
	if n.Kind == policy.Edge && d.IntN(2) == 0 {
		v := d.Uint32N(300)
		m.LocalPref = &v
	}
	switch d.IntN(4) {
	case 0:
		n.IPv4 = &m
	case 1:
		n.IPv6 = &m
	case 2:
		n.NextHop4, n.NextHop6 = hops[0][d.IntN(2)], hops[1][d.IntN(2)]
		return fmt.Sprintf("%s next hops %s %s", n.Name, n.NextHop4, n.NextHop6)
	default:
		n.Standard, n.Large, n.MED, n.LocalPref, n.Prepend = m.Standard, m.Large, m.MED, m.LocalPref, m.Prepend
		n.IPv4, n.IPv6 = nil, nil
	}
	return fmt.Sprintf("%s %+v", n.Name, m)
}

// desired is desired state in memory.
type desired struct {
	mu sync.Mutex
	st addressing.State
}

// State implements rollout.Desired.
func (d *desired) State(context.Context) (addressing.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.st
	st.Prefixes, st.BGPPrefixes = slices.Clone(st.Prefixes), slices.Clone(st.BGPPrefixes)
	st.Bindings, st.Negative = slices.Clone(st.Bindings), slices.Clone(st.Negative)
	return st, nil
}

// Since implements rollout.Desired: all of it may have changed.
func (d *desired) Since(ctx context.Context, _ addressing.Revision, _ []string) (addressing.Delta, error) {
	st, err := d.State(ctx)
	return addressing.Delta{Whole: true, State: st}, err
}

// Restore implements rollout.Desired: nothing here rolls back.
func (d *desired) Restore(context.Context, addressing.RestoreRequest) (addressing.Restored, addressing.ChangeSet, error) {
	return addressing.Restored{}, addressing.ChangeSet{}, errors.New("a plan was rolled back")
}

func (d *desired) set(change func(*addressing.State)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.st)
}
