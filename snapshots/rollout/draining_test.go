package rollout_test

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// drain withdraws routes as the API would, to leave after wait.
func (b *bench) drain(wait time.Duration, numbers ...int) (left time.Time) {
	left = time.Now().Add(wait)
	set := addressing.ChangeSet{ID: fmt.Sprintf("drain-%v", numbers), Actor: person, Reason: "moving away"}
	b.intent.set(func(st *addressing.State) {
		for _, i := range numbers {
			st.BGPPrefixes[i].Advertised, st.BGPPrefixes[i].DownAt = false, &left
			set.Effects = append(set.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: st.BGPPrefixes[i].CIDR, AccountID: st.Prefixes[i].AccountID})
		}
	})
	b.Notify(set)
	return left
}

// marked are the routes that transit-a sees with GRACEFUL_SHUTDOWN.
func (s *speaker) marked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.applied[len(s.applied)-1].Neighbors["transit-a"].Routes {
		if slices.Contains(r.Attrs.Communities, policy.Community(0xffff0000)) {
			n++
		}
	}
	return n
}

// charged explains losses as the breaker's journal does.
func charged(string, netip.Prefix) (plan.Reason, bool) { return plan.Reason{Set: "journal"}, true }

// TestWithdrawalDrainsFirst: de-preferred within a moment, and gone when its
// time has come, by itself: with nobody asking, and over a restart in between.
func TestWithdrawalDrainsFirst(t *testing.T) {
	for name, restart := range map[string]bool{"in one process": false, "over a restart": true} {
		t.Run(name, func(t *testing.T) {
			run(t, func(c *rollout.Config) { c.Explain = charged }, func(t *testing.T, b *bench) {
				left := b.drain(5*time.Minute, 3, 4)
				b.settle()
				if b.wire.marked() != 2 || b.wire.routes() != 200 || b.wire.taken() != 0 {
					t.Fatalf("%d de-preferred of %d routes, %d withdrawn; want 2 of 200 and none", b.wire.marked(), b.wire.routes(), b.wire.taken())
				}
				if p, report, err := b.Pending(t.Context()); err != nil || report.Verdict != policy.Allow || len(p.Changes) != 0 {
					t.Errorf("%d changes wait: %+v", len(p.Changes), report)
				}
				if restart {
					b.stop()
					b.start(func(c *rollout.Config) { c.Explain = charged })
					if b.wire.marked() != 2 || b.wire.taken() != 0 {
						t.Errorf("%d de-preferred after the boot, %d withdrawn", b.wire.marked(), b.wire.taken())
					}
					b.AttachDesired(b.intent)
				}
				time.Sleep(time.Until(left) - time.Second)
				if b.wire.taken() != 0 {
					t.Error("withdrawn before its time")
				}
				time.Sleep(time.Second)
				b.settle()
				if b.wire.routes() != 198 || b.wire.taken() != 2 || b.wire.marked() != 0 || b.Status().Refusal != nil {
					t.Errorf("%d routes, %d withdrawn: %+v", b.wire.routes(), b.wire.taken(), b.Status().Refusal)
				}
				if l, err := b.store.Good(); err != nil || l.Head.Actor != "system/drain" {
					t.Errorf("by %s, %v", l.Head.Actor, err)
				}
			})
		})
	}
}

// TestDrainIsTakenBack: advertised again while it drains, nothing is withdrawn.
func TestDrainIsTakenBack(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.drain(5*time.Minute, 3)
		b.settle()
		b.intent.set(func(st *addressing.State) { st.BGPPrefixes[3].Advertised, st.BGPPrefixes[3].DownAt = true, nil })
		b.Kick()
		time.Sleep(10 * time.Minute)
		if b.wire.routes() != 200 || b.wire.taken() != 0 || b.wire.marked() != 0 {
			t.Errorf("%d routes, %d withdrawn, %d de-preferred", b.wire.routes(), b.wire.taken(), b.wire.marked())
		}
	})
}

// TestDrainThenWaves: de-preferring needs no waves, being withdrawn does.
func TestDrainThenWaves(t *testing.T) {
	run(t, func(c *rollout.Config) {
		c.Explain = charged
		c.Program = rollout.Program{Stages: map[rollout.Class][]plan.Stage{rollout.Removal: {{Name: "one", Percent: 10, Soak: time.Minute}, {Name: "all", Percent: 100}}}}
	}, func(t *testing.T, b *bench) {
		numbers := []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10}
		left := b.drain(5*time.Minute, numbers...)
		b.settle()
		if b.wire.marked() != len(numbers) || len(b.Rollouts()) != 0 {
			t.Fatalf("%d de-preferred, %d rollouts", b.wire.marked(), len(b.Rollouts()))
		}
		time.Sleep(time.Until(left) + 30*time.Second)
		if got := b.wire.taken(); got == 0 || got == len(numbers) || b.wire.marked() != len(numbers)-got {
			t.Errorf("%d withdrawn in the first wave, %d de-preferred", got, b.wire.marked())
		}
		time.Sleep(5 * time.Minute)
		if b.wire.taken() != len(numbers) {
			t.Errorf("%d of %d withdrawn: %+v", b.wire.taken(), len(numbers), b.Status().Refusal)
		}
	})
}

// TestDrainWithTheBreakerOpen: what opens while a route drains keeps it.
func TestDrainWithTheBreakerOpen(t *testing.T) {
	var shut atomic.Bool
	run(t, func(c *rollout.Config) {
		c.Explain = charged
		c.Gate = gateFunc(func(p plan.Plan) (policy.Verdict, error) {
			if shut.Load() && len(p.Losses()) > 0 {
				return policy.Hold, nil
			}
			return policy.Allow, nil
		})
	}, func(t *testing.T, b *bench) {
		b.drain(time.Minute, 3)
		b.settle()
		shut.Store(true)
		time.Sleep(5 * time.Minute)
		b.settle()
		if b.wire.taken() != 0 || b.wire.marked() != 1 {
			t.Errorf("%d withdrawn, %d de-preferred", b.wire.taken(), b.wire.marked())
		}
		shut.Store(false)
		b.Kick()
		b.settle()
		if b.wire.taken() != 1 {
			t.Error("held for ever")
		}
	})
}

// TestEmergencyDoesNotWait: the emergency lane takes a draining route down at
// once, and one that does not drain as well.
func TestEmergencyDoesNotWait(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.drain(5*time.Minute, 3)
		b.settle()
		var intents []addressing.NegativeIntent
		set := addressing.ChangeSet{ID: "emergency", Actor: person, Verb: addressing.VerbEmergency, Reason: "hijacked"}
		b.intent.set(func(st *addressing.State) {
			for _, i := range []int{3, 4} {
				intents = append(intents, addressing.NegativeIntent{ID: fmt.Sprintf("e%d", i), AccountID: st.Prefixes[i].AccountID, CIDR: st.BGPPrefixes[i].CIDR,
					Kind: addressing.IntentEmergency, Author: "a", Reason: "r", CreatedAt: time.Now()})
				set.Effects = append(set.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: st.BGPPrefixes[i].CIDR, AccountID: st.Prefixes[i].AccountID})
			}
			st.Negative = append(st.Negative, intents...)
		})
		if _, err := b.TakeDown(t.Context(), set, intents); err != nil {
			t.Fatal(err)
		}
		if b.wire.taken() != 2 || b.wire.routes() != 198 {
			t.Errorf("%d withdrawn", b.wire.taken())
		}
	})
}
