package rollout_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

var kinds = []rollout.EventKind{rollout.Released, rollout.OnWire, rollout.Watched, rollout.Pause, rollout.Promote, rollout.Abort, rollout.Died, rollout.Undone, rollout.Gone}

// Whatever comes in whatever order, waves go out one at a time and in order,
// nothing follows a failure or the end of the process, and what is over stays
// over.
func TestAnyEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rollout.Rollout{ID: "r", Waves: make([]plan.Wave, rapid.IntRange(1, 5).Draw(t, "waves"))}
		for i := range r.Waves {
			r.Waves[i] = plan.Wave{Percent: 100, Soak: time.Minute}
		}
		if rapid.Bool().Draw(t, "uncovered") {
			r.Uncovered = []string{"family:ipv6"}
			r.Waves[0].Percent = 1
		}
		at := time.Unix(0, 0)
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			e := rollout.Event{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), At: at, By: "a", Why: "w", Health: health.Verdict(rapid.IntRange(0, 4).Draw(t, "verdict"))}
			next, effect, err := r.Next(e)
			if err != nil && (next.Phase != r.Phase || next.Released != r.Released || effect != rollout.None) {
				t.Fatalf("%s of %s failed (%v) and changed it to %s", e.Kind, r.Phase, err, next.Phase)
			}
			forward := next.Released > r.Released && e.Kind != rollout.Gone
			switch {
			case forward && next.Released != r.Released+1:
				t.Fatalf("%d waves released at once", next.Released-r.Released)
			case forward && r.Released != r.Applied:
				t.Fatal("a wave was released before the one before was on the wire")
			case forward && e.Kind != rollout.Released && e.Kind != rollout.Promote && (r.Phase != rollout.Soaking || at.Sub(r.Since) < time.Minute):
				t.Fatalf("%s released a wave after %s of %s", e.Kind, at.Sub(r.Since), r.Phase)
			case forward && e.Kind == rollout.Watched && e.Health != health.Pass && e.Health != health.Unmonitored:
				t.Fatalf("verdict %q released a wave", e.Health)
			case forward && len(r.Uncovered) > 0 && r.Released == 1 && next.Overridden == "":
				t.Fatal("went beyond the canaries without coverage, and nobody said so")
			case e.Kind == rollout.Died && next.Phase != "" && !next.Phase.Ended() && next.Phase != rollout.Paused:
				t.Fatalf("%s goes on after its process ended", next.Phase)
			case r.Phase.Ended() && next.Phase != r.Phase && !(r.Phase == rollout.Failed && next.Phase == rollout.Aborted):
				t.Fatalf("%s became %s", r.Phase, next.Phase)
			}
			if e.Health == health.Fail && e.Kind == rollout.Watched && r.Phase == rollout.Soaking && (next.Phase != rollout.Failed || effect != rollout.Trip) {
				t.Fatalf("harm was seen, and it is %s", next.Phase)
			}
			r = next
		}
	})
}
