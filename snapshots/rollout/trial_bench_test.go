package rollout_test

import (
	"fmt"
	"testing"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// What a start takes that quarantines a generation (CPR-07): from opening the
// store to the speaker holding the generation before.
func BenchmarkBootQuarantine(b *testing.B) {
	for _, routes := range []int{6_500, 100_000} {
		b.Run(fmt.Sprint(routes), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				root, bad := crashed(b, routes)
				b.StartTimer()
				d, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment})
				if err != nil {
					b.Fatal(err)
				}
				r, err := rollout.New(rollout.Config{Environment: synthetic.Environment, Network: synthetic.Network(2), Store: d, Applier: &speaker{}})
				if err != nil {
					b.Fatal(err)
				}
				if booted, err := r.Boot(b.Context()); err != nil || booted.Quarantined != bad || booted.Routes != routes {
					b.Fatalf("%+v, %v", booted, err)
				}
				b.StopTimer()
				d.Close()
				b.StartTimer()
			}
		})
	}
}

// crashed is a store whose newest generation has ended one process, and is on
// trial in another that ended too.
func crashed(b *testing.B, routes int) (root string, bad uint64) {
	b.Helper()
	root = b.TempDir()
	o := snapshots.Options{Environment: synthetic.Environment}
	if err := snapshots.Init(root, o); err != nil {
		b.Fatal(err)
	}
	d, err := snapshots.Open(root, o)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	st := synthetic.State(200, routes)
	for g := range uint64(2) {
		st.BGPPrefixes[0].Prepend = int(g)
		s, err := snapshots.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At)
		if err != nil {
			b.Fatal(err)
		}
		h := snapshots.Head{Environment: synthetic.Environment, Epoch: 1, Generation: g + 1, ID: s.ID(), CreatedAt: synthetic.At.UnixNano(), Actor: "test", Reason: "test"}
		if err := d.Put(h, s); err != nil {
			b.Fatal(err)
		}
		if err := d.MarkGood(h); err != nil {
			b.Fatal(err)
		}
		if err := d.SetTrial(snapshots.Trial{ID: h.ID, Generation: h.Generation, At: h.CreatedAt, Crashes: []snapshots.Crash{{ID: h.ID, Count: 1}}}); err != nil {
			b.Fatal(err)
		}
	}
	return root, 2
}
