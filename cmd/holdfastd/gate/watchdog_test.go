package gate

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// stuck is a breaker that hangs, or breaks.
type stuck struct {
	free     chan struct{}
	broken   bool
	released atomic.Int32
}

func (s *stuck) wait() breaker.Decision {
	if s.broken {
		panic("index out of range")
	}
	<-s.free
	return breaker.Decision{Verdict: breaker.Allow}
}

func (s *stuck) Admit(context.Context, breaker.Proposal, breaker.Baseline) breaker.Decision {
	return s.wait()
}

func (s *stuck) Judge(context.Context, breaker.PlanFacts, breaker.Baseline) breaker.Decision {
	return s.wait()
}

func (s *stuck) Release(string, time.Time) error { s.released.Add(1); return nil }

func (s *stuck) Covering([]netip.Prefix, time.Time) string { return "" }

func (s *stuck) Admitted(netip.Prefix) (breaker.Class, bool) { return breaker.Counted, false }

// A hung or dead breaker stops deployment within two seconds (BRK-08): it holds,
// and what it allows when nobody waits any longer is taken back.
func TestHungBreakerHolds(t *testing.T) {
	for name, broken := range map[string]bool{"hung": false, "dead": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stuck{free: make(chan struct{}), broken: broken}
				full := fullTable(100)
				g := &Gate{breaker: s, baseline: &baseline{active: func() (*snapshots.Snapshot, snapshots.Head) { return full, snapshots.Head{Generation: 7} }}}
				begun := time.Now()
				if _, err := g.Admit(t.Context(), withdrawal(0, script)); addressing.CodeOf(err) != addressing.CodeHeld {
					t.Errorf("a change: %v, want held", err)
				}
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("held after %s", took)
				}
				begun = time.Now()
				verdict, findings, err := g.Judge(t.Context(), plan.Plan{Environment: "test", At: noon})
				if err != nil || verdict == policy.Allow || len(findings) == 0 {
					t.Errorf("a plan: %v %v %v", verdict, findings, err)
				}
				if took := time.Since(begun); took > 2*time.Second {
					t.Errorf("a plan is held after %s", took)
				}
				close(s.free)
				synctest.Wait()
				if got := s.released.Load(); !broken && got != 1 {
					t.Errorf("%d charges were taken back, want the one that came too late", got)
				}
			})
		})
	}
}
