package rollout_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// damage withdraws and unbinds the first n routes.
func (b *bench) damage(n int) {
	b.t.Helper()
	b.intent.set(func(st *addressing.State) {
		var left []addressing.Binding
		gone := map[string]bool{}
		for i := range n {
			st.BGPPrefixes[i].Advertised = false
			gone[st.BGPPrefixes[i].PrefixID] = true
		}
		for _, bind := range st.Bindings {
			if !gone[bind.PrefixID] {
				left = append(left, bind)
			}
		}
		st.Bindings = left
	})
	b.lose(n)
	if b.wire.routes() != 200-n {
		b.t.Fatalf("%d routes after the damage: %+v", b.wire.routes(), b.Status().Refusal)
	}
}

// lose withdraws the first n routes, as somebody approved.
func (b *bench) lose(n int) {
	set := addressing.ChangeSet{ID: "damage", Actor: person, Reason: "test", Approval: "a"}
	b.intent.set(func(st *addressing.State) {
		for i := range n {
			st.BGPPrefixes[i].Advertised = false
			set.Effects = append(set.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: st.BGPPrefixes[i].CIDR, AccountID: st.Prefixes[i].AccountID})
		}
	})
	b.Notify(set)
	b.settle()
}

// watched notes what is advertised without a quorum of machines that are bound.
type watched struct {
	*speaker
	fleet *edge.Fleet
	bound func(netip.Prefix) bool
	bad   []netip.Prefix
	asked int
}

func (w *watched) Apply(ctx context.Context, t snapshots.Target) error {
	w.speaker.mu.Lock()
	for _, r := range t.Neighbors["transit-a"].Routes {
		if !w.speaker.held[r.Prefix] {
			if w.asked++; !w.bound(r.Prefix) {
				w.bad = append(w.bad, r.Prefix)
			}
		}
	}
	w.speaker.mu.Unlock()
	return w.speaker.Apply(ctx, t)
}

// REC-03: a rollback of what was unbound waits until a quorum of the machines has
// the bindings again; 0 samples of advertised and not bound at quorum. Without
// desired state too.
func TestRollbackWaitsForMachines(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("database lost %v", lost), func(t *testing.T) {
			var fleet *edge.Fleet
			var w *watched
			run(t, func(c *rollout.Config) {
				fleet = edge.New(edge.Settings{}, nil, time.Now(), nil)
				c.Edge = fleet
				w = &watched{speaker: c.Applier.(*speaker), fleet: fleet, bound: func(netip.Prefix) bool { return true }}
				c.Applier = w
			}, func(t *testing.T, b *bench) {
				ask := func(i int) {
					t.Helper()
					name := fmt.Sprintf("m%02d", i)
					feed, _, _, err := fleet.Ask(name, "default", time.Now())
					if err == nil {
						_, _, err = fleet.Acknowledge(name, "default", feed.Generation, time.Now())
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				for i := range 10 {
					ask(i)
				}
				good := b.Status().Generation
				b.damage(30)
				time.Sleep(time.Hour)
				for i := range 10 { // they have drained and dropped the bindings
					ask(i)
				}
				was, err := b.store.Get(good, nil)
				if err != nil {
					t.Fatal(err)
				}
				w.bound = func(p netip.Prefix) bool {
					for _, a := range was.Snapshot.Accounts {
						for _, r := range a.Routes {
							if r.CIDR == p {
								_, why := fleet.Ready(a.Account, p, r.Services, r.Sites, []string{"default"}, time.Now())
								return why == ""
							}
						}
					}
					return false
				}
				if lost {
					b.AttachDesired(nil)
				}
				had := w.asked
				res, err := b.Rollback(t.Context(), rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{All: true}}, To: good, Actor: person, Reason: "back"})
				if err != nil || res.Later != 30 || (res.Pinned != "") != lost {
					t.Fatalf("%d follow, pinned %q, %v", res.Later, res.Pinned, err)
				}
				b.settle()
				if b.wire.routes() != 170 || len(b.Bringing()) != 1 || b.Bringing()[0].Waits == "" {
					t.Fatalf("%d routes before any machine was ready: %+v", b.wire.routes(), b.Bringing())
				}
				for i := range 8 {
					ask(i)
				}
				b.settle()
				if b.wire.routes() != 170 {
					t.Fatalf("%d routes with 8 of 10 machines ready", b.wire.routes())
				}
				ask(8)
				time.Sleep(time.Second)
				if b.wire.routes() != 200 || len(b.Bringing()) != 0 || w.asked-had != 30 {
					t.Errorf("%d routes a second after the quorum: %+v", b.wire.routes(), b.Bringing())
				}
				if len(w.bad) != 0 {
					t.Errorf("%d samples of advertised and not bound at quorum, %s first", len(w.bad), w.bad[0])
				}
				b.settle()
				if s := b.Status(); s.Routes != 200 || s.Pinned != lost {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// narrowEdge takes so many new routes within a second, and refuses what is more.
type narrowEdge struct {
	*speaker
	limit    int
	times    []time.Time
	batch    int
	in       map[netip.Prefix]int // the batch that a route came in
	rejected int
}

func (e *narrowEdge) Apply(ctx context.Context, t snapshots.Target) error {
	now := time.Now()
	e.speaker.mu.Lock()
	for _, r := range t.Neighbors["transit-a"].Routes {
		if e.speaker.held[r.Prefix] {
			continue
		}
		for len(e.times) > 0 && now.Sub(e.times[0]) >= time.Second {
			e.times = e.times[1:]
		}
		if e.times = append(e.times, now); len(e.times) > e.limit {
			e.rejected++
		}
		e.in[r.Prefix] = e.batch
	}
	e.batch++
	e.speaker.mu.Unlock()
	return e.speaker.Apply(ctx, t)
}

// REC-04: 1,100 routes at 200 a second towards an edge that takes 250: nothing
// is rejected, and first-party accounts are back before the others begin.
func TestRestoreAtARate(t *testing.T) {
	var e *narrowEdge
	runSized(t, 20, 1300, func(c *rollout.Config) {
		e = &narrowEdge{speaker: c.Applier.(*speaker), limit: 1 << 20, in: map[netip.Prefix]int{}}
		c.Applier = e
	}, func(t *testing.T, b *bench) {
		first := map[netip.Prefix]bool{}
		b.intent.set(func(st *addressing.State) {
			for i := range st.Accounts[15:] {
				st.Accounts[15+i].Kind = addressing.FirstParty
			}
		})
		b.Kick()
		b.settle()
		good := b.Status().Generation
		kinds := map[string]addressing.AccountKind{}
		for _, a := range b.intent.st.Accounts {
			kinds[a.ID] = a.Kind
		}
		for i := range 1100 {
			if kinds[b.intent.st.Prefixes[i].AccountID] == addressing.FirstParty {
				first[b.intent.st.Prefixes[i].CIDR] = true
			}
		}
		b.lose(1100)
		if b.wire.routes() != 200 || len(first) == 0 {
			t.Fatalf("%d routes, %d first-party", b.wire.routes(), len(first))
		}
		time.Sleep(2 * time.Second)
		e.limit, e.times, e.in = 250, nil, map[netip.Prefix]int{}
		begun := time.Now()
		res, err := b.Rollback(t.Context(), rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{All: true}}, To: good, Actor: person, Reason: "back",
			Rate: 200, Priority: []string{string(addressing.FirstParty)}})
		if err != nil || res.Later != 1100 {
			t.Fatalf("%+v, %v", res.Later, err)
		}
		for b.wire.routes() != 1300 && time.Since(begun) < time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begun); took < 5*time.Second || took > 7*time.Second || e.rejected != 0 {
			t.Errorf("took %s, %d rejected", took, e.rejected)
		}
		last, others := 0, e.batch
		for p, in := range e.in {
			if first[p] {
				last = max(last, in)
			} else {
				others = min(others, in)
			}
		}
		if last > others || len(e.in) != 1100 {
			t.Errorf("the last first-party route came with batch %d, the first other one with %d", last, others)
		}
		b.settle()
		if s := b.Status(); s.Routes != 1300 || len(b.Bringing()) != 0 || b.wire.taken() != 1100 {
			t.Errorf("%d taken, %+v", b.wire.taken(), s)
		}
		if _, err := b.Rollback(t.Context(), rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{All: true}}, To: good, Actor: person, Rate: -1}); err == nil {
			t.Error("a rate of -1 was taken")
		}
	})
}

// A restore that does harm waits, and goes on by itself once it is gone.
func TestRestorePausesOnHealth(t *testing.T) {
	sick := &moody{}
	run(t, func(c *rollout.Config) { c.Health = sick }, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		b.damage(100)
		if _, err := b.Rollback(t.Context(), rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{All: true}}, To: good, Actor: person, Reason: "back", Rate: 20}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		sick.set(health.Fail)
		time.Sleep(time.Second)
		at := b.wire.routes()
		if at <= 100 || at >= 150 {
			t.Fatalf("%d routes after a second: %+v", at, b.Bringing())
		}
		time.Sleep(time.Minute)
		if j := b.Bringing(); b.wire.routes() != at || len(j) != 1 || j[0].Paused != "errors" {
			t.Fatalf("%d routes while it does harm, %+v", b.wire.routes(), j)
		}
		sick.set(health.NoData)
		time.Sleep(10 * time.Second)
		if b.wire.routes() != 200 || len(b.Bringing()) != 0 {
			t.Errorf("%d routes once the harm was gone, %+v", b.wire.routes(), b.Bringing())
		}
	})
}

type moody struct {
	mu sync.Mutex
	v  health.Verdict
}

func (m *moody) set(v health.Verdict) { m.mu.Lock(); m.v = v; m.mu.Unlock() }

func (m *moody) Monitors(class string) bool { return class == string(rollout.Announce) }

func (m *moody) Judge(q health.Question) health.Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.Monitors(q.Class) {
		return health.Answer{Verdict: health.Unmonitored}
	}
	return health.Answer{Verdict: m.v, Why: "errors"}
}
