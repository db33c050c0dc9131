package rollout_test

import (
	"errors"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func (b *bench) emergency(i int) (addressing.ChangeSet, []addressing.NegativeIntent) {
	p := b.intent.st.Prefixes[i]
	return addressing.ChangeSet{ID: "emergency", Actor: person, Reason: "hijacked"},
		[]addressing.NegativeIntent{{ID: "n", AccountID: p.AccountID, CIDR: p.CIDR, Kind: addressing.IntentEmergency, Author: "a", CreatedAt: synthetic.At}}
}

// The emergency lane waits for nothing that desired state is refused for, and
// carries nothing of it.
func TestTakeDownBesideARefusal(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.intent.set(func(st *addressing.State) { st.BGPPrefixes[3].Advertised = false }) // nobody admitted it
		b.Kick()
		b.settle()
		if b.Status().Refusal == nil || b.wire.routes() != 200 {
			t.Fatalf("%d routes, refusal %v", b.wire.routes(), b.Status().Refusal)
		}
		change, intents := b.emergency(9)
		if _, err := b.TakeDown(t.Context(), change, intents); err != nil {
			t.Fatal(err)
		}
		if b.wire.routes() != 199 || b.wire.held[intents[0].CIDR] {
			t.Errorf("%d routes, the one named is up: %v", b.wire.routes(), b.wire.held[intents[0].CIDR])
		}
		// Without the intent in desired state nothing brings it back (invariant 15).
		b.settle()
		if b.wire.held[intents[0].CIDR] {
			t.Error("the builder brought it back")
		}
	})
}

func TestTakeDownWithoutDesiredState(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.StopIntentLost("gone")
		b.intent.mu.Lock()
		b.intent.err = errors.New("gone")
		b.intent.mu.Unlock()
		change, intents := b.emergency(9)
		head, err := b.TakeDown(t.Context(), change, intents)
		if err != nil || b.wire.routes() != 199 {
			t.Fatalf("%d routes, %v", b.wire.routes(), err)
		}
		again, err := b.TakeDown(t.Context(), change, intents)
		if err != nil || again.Generation != head.Generation {
			t.Errorf("a second time it is generation %d after %d: %v", again.Generation, head.Generation, err)
		}
	})
}

// The breaker is asked, once, with the change that was admitted.
func TestTakeDownIsJudged(t *testing.T) {
	var asked []plan.Plan
	refuse := false
	gate := gateFunc(func(p plan.Plan) (policy.Verdict, error) {
		if asked = append(asked, p); refuse {
			return policy.Refuse, nil
		}
		return policy.Allow, nil
	})
	run(t, func(c *rollout.Config) { c.Gate = gate }, func(t *testing.T, b *bench) {
		asked, refuse = nil, true
		change, intents := b.emergency(9)
		if _, err := b.TakeDown(t.Context(), change, intents); !errors.Is(err, rollout.ErrRefused) || b.wire.routes() != 200 {
			t.Errorf("refused, and %d routes, %v", b.wire.routes(), err)
		}
		if len(asked) != 1 || len(asked[0].Losses()) != 1 || asked[0].Admitted[0] != "emergency" {
			t.Errorf("asked about %d plans", len(asked))
		}
	})
}
