package rollout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// TestFollowersGetEveryWave: a speaker alone withdraws what a wave withdraws, with
// that wave and not at the end of the rollout; without a permit it stays where it
// is, in the middle of a rollout too.
func TestFollowersGetEveryWave(t *testing.T) {
	var store *snapshots.Dir
	permits := true
	run(t, func(c *rollout.Config) {
		store = c.Store
		c.Program = rollout.Program{Stages: map[rollout.Class][]plan.Stage{rollout.Removal: {
			{Name: "a tenth", Percent: 10, Soak: time.Minute}, {Name: "half", Percent: 50, Soak: time.Minute}, {Name: "all", Percent: 100},
		}}}
		c.OnApplied = func(a rollout.Applied) {
			if permits {
				if err := store.Permit(snapshots.PermitFor(a.Head, time.Now().UnixNano())); err != nil {
					t.Error(err)
				}
			}
		}
	}, func(t *testing.T, b *bench) {
		raw, err := os.ReadFile(filepath.Join(b.root, "signing.pub"))
		if err != nil {
			t.Fatal(err)
		}
		f := &follower{t: t, root: t.TempDir(), keys: []string{strings.TrimSpace(string(raw))}, wire: &speaker{}, source: feed.Directory{Root: b.root}}
		f.start()
		stop := f.run()
		defer stop()
		<-f.First()
		b.settle()
		if f.wire.routes() != 200 {
			t.Fatalf("%d routes before the rollout", f.wire.routes())
		}
		var numbers []int
		for i := range 20 {
			numbers = append(numbers, i)
		}
		b.admit(person, numbers...)
		last := 0
		for _, wave := range []string{"first", "second"} {
			time.Sleep(30 * time.Second) // amid its soak
			here, there := b.wire.taken(), f.wire.taken()
			if here != there || here <= last || here >= len(numbers) {
				t.Fatalf("%s wave: %d withdrawn here, %d by the follower, %d before", wave, here, there, last)
			}
			last = here
			time.Sleep(40 * time.Second)
		}
		time.Sleep(2 * time.Minute)
		if f.wire.taken() != len(numbers) || b.wire.taken() != len(numbers) {
			t.Errorf("%d withdrawn here, %d by the follower, want all %d", b.wire.taken(), f.wire.taken(), len(numbers))
		}
		permits = false
		b.admit(person, 30)
		time.Sleep(5 * time.Minute)
		if b.wire.taken() != len(numbers)+1 || f.wire.taken() != len(numbers) {
			t.Errorf("without a permit: %d withdrawn here, %d by the follower", b.wire.taken(), f.wire.taken())
		}
	})
}
