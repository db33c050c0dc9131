package rollout_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// Observing plans and hands the speaker nothing, and a store that was on the
// wire cannot be observed with.
func TestObserve(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		observe := func(store *snapshots.Dir, wire *speaker) (*rollout.Runner, error) {
			r, err := rollout.New(rollout.Config{Environment: synthetic.Environment, Network: synthetic.Network(2), Store: store, Applier: wire, Gate: open, Observe: true})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Boot(t.Context())
			return r, err
		}
		if _, err := observe(b.store, &speaker{}); !errors.Is(err, rollout.ErrLive) {
			t.Errorf("a store that was on the wire: %v, want ErrLive", err)
		}
		root := t.TempDir()
		if err := snapshots.Init(root, snapshots.Options{Environment: synthetic.Environment}); err != nil {
			t.Fatal(err)
		}
		fresh, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment})
		if err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		wire := &speaker{}
		r, err := observe(fresh, wire)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = r.Run(t.Context()) }()
		r.AttachDesired(b.intent)
		b.settle()
		synctest.Wait()
		seen, known := r.Observed()
		if !known || len(seen.Target.Neighbors["transit-a"].Routes) != 200 {
			t.Errorf("observed %v with %d routes, want 200", known, len(seen.Target.Neighbors["transit-a"].Routes))
		}
		if wire.targets() != 0 || fresh.Initialised() {
			t.Error("something was handed out or stored")
		}
	})
}
