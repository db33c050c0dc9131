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

// More than 20 % of the sites dark hold removals, those of operators and tasks,
// and nothing else: not announcements, not owners, not what leads back. Exactly
// 20 % hold nothing, and when a machine comes back the removal begins.
func TestDarkSitesHoldRemovals(t *testing.T) {
	var fleet *edge.Fleet
	runSized(t, 5, 200, func(c *rollout.Config) {
		waved(&told{}, nil, "")(c)
		fleet = edge.New(edge.Settings{}, nil, time.Now(), nil)
		c.Edge = fleet
		c.Network.Sites = []string{"ams", "default", "fra", "lhr", "nyc"}
	}, func(t *testing.T, b *bench) {
		alive := func(sites ...string) {
			t.Helper()
			for _, s := range sites {
				feed, _, _, err := fleet.Ask("m-"+s, s, time.Now())
				if err == nil {
					_, _, err = fleet.Acknowledge("m-"+s, s, feed.Generation, time.Now())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		alive("ams", "default", "fra", "lhr", "nyc")
		time.Sleep(20 * time.Minute)
		alive("default", "fra", "lhr", "nyc") // one of five is dark
		b.admit(person, 1)
		b.settle()
		if b.wire.taken() != 1 {
			t.Fatalf("%d withdrawn: 20 %% dark hold nothing", b.wire.taken())
		}
		time.Sleep(20 * time.Minute)
		alive("default", "fra", "lhr") // two of five
		b.admit(person, 2, 3)
		b.settle()
		p, _, err := b.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f := b.Forecast(p); b.wire.taken() != 1 || f.Holds != "2 of 5 sites are dark" || f.Queued != 2 {
			t.Fatalf("%d withdrawn with 40 %% dark: %+v", b.wire.taken(), f)
		}
		b.admit(addressing.Actor{Kind: addressing.Owner, ID: "o"}, 4)
		b.intent.set(func(st *addressing.State) { st.BGPPrefixes[1].Advertised = true })
		b.Notify(addressing.ChangeSet{ID: "back", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Gained, CIDR: b.intent.st.BGPPrefixes[1].CIDR, AccountID: b.intent.st.Prefixes[1].AccountID}}})
		b.settle()
		alive("default", "fra", "lhr")
		b.settle()
		if b.wire.taken() != 2 {
			t.Fatalf("%d withdrawn: an owner's withdrawal waited, or an operator's did not", b.wire.taken())
		}
		alive("nyc")
		time.Sleep(5 * time.Minute)
		alive("default", "fra", "lhr", "nyc")
		time.Sleep(5 * time.Minute)
		if b.wire.taken() != 4 {
			t.Fatalf("%d withdrawn after a site came back: %v", b.wire.taken(), summary(b.Rollouts()))
		}
	})
}
