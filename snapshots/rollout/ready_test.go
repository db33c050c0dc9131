package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// Bind, then advertise: with 44 of 50 machines ready nothing is announced, with
// 45 it is, and what is on the wire already waits for nobody (HMD-05).
func TestAnnouncementWaitsForMachines(t *testing.T) {
	var fleet *edge.Fleet
	run(t, func(c *rollout.Config) {
		fleet = edge.New(edge.Settings{}, nil, time.Now(), nil)
		c.Edge = fleet
	}, func(t *testing.T, b *bench) {
		generation := uint64(0)
		machine := func(i int, acknowledge bool) {
			name := fmt.Sprintf("m%02d", i)
			feed, _, _, err := fleet.Ask(name, "default", time.Now())
			if err == nil && acknowledge {
				_, _, err = fleet.Acknowledge(name, "default", feed.Generation, time.Now())
			}
			if err != nil {
				t.Fatal(err)
			}
			generation = feed.Generation
		}
		for i := range 50 {
			machine(i, true)
		}
		before := generation
		b.intent.set(func(st *addressing.State) { synthetic.Add(st, 300, synthetic.AccountID(1)) })
		b.Notify(addressing.ChangeSet{ID: "new", Actor: addressing.Actor{Kind: addressing.Owner, ID: "o"},
			Effects: []addressing.Effect{{Kind: addressing.Gained, CIDR: synthetic.CIDR(300), AccountID: synthetic.AccountID(1)}}})
		b.settle()
		if b.wire.routes() != 200 {
			t.Fatalf("%d routes: announced before any machine was ready", b.wire.routes())
		}
		for i := range 44 {
			machine(i, true)
		}
		b.Kick()
		b.settle()
		if generation == before || b.wire.routes() != 200 {
			t.Fatalf("%d routes with 44 of 50 machines ready (bindings %d, %d before)", b.wire.routes(), generation, before)
		}
		// Somebody else's withdrawal does not wait.
		b.admit(addressing.Actor{Kind: addressing.Owner, ID: "o"}, 5)
		b.settle()
		if b.wire.routes() != 199 {
			t.Fatalf("%d routes: a withdrawal waited for machines", b.wire.routes())
		}
		machine(44, true)
		b.Kick()
		time.Sleep(time.Second)
		if b.wire.routes() != 200 {
			t.Fatalf("%d routes a second after the 45th machine", b.wire.routes())
		}
	})
}
