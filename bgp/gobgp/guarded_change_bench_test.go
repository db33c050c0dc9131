package gobgp

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// changing is a guarded speaker with one neighbor whose Target is changed.
type changing struct {
	*guardLab
	peer       *neighbor.Neighbor
	name       string
	generation uint64
}

func newChanging(b *testing.B) *changing {
	l := newGuardLab(b, func(c *Config) { c.Neighbors = c.Neighbors[:1] })
	c := &changing{guardLab: l, name: speakertest.Transit, peer: l.neighbors[speakertest.Transit]}
	if err := l.guard.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	waitFor(b, "session", c.peer.Established)
	return c
}

// apply makes these the routes and waits until the neighbor holds them.
func (c *changing) apply(b *testing.B, routes []snapshots.TargetRoute) time.Duration {
	c.generation++
	target := snapshots.Target{Epoch: 1, Generation: c.generation, Neighbors: map[string]snapshots.NeighborTarget{c.name: {Routes: routes}}}
	begun := time.Now()
	if err := c.guard.Apply(b.Context(), target); err != nil {
		b.Fatal(err)
	}
	for c.peer.Held() != len(routes) {
		runtime.Gosched()
	}
	return time.Since(begun)
}

// BenchmarkGuardedLoneChange is one prefix announced or withdrawn among many,
// from Apply to the neighbor's table: the promise is to wait at most 5 ms for
// more changes.
func BenchmarkGuardedLoneChange(b *testing.B) {
	for _, n := range []int{1, 6_500, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := newChanging(b)
			routes := benchRoutes(n+1, addressing.IPv4)
			c.apply(b, routes)
			var taken []time.Duration
			for b.Loop() {
				taken = append(taken, c.apply(b, routes[:n]), c.apply(b, routes))
			}
			slices.Sort(taken)
			b.ReportMetric(float64(taken[len(taken)/2].Microseconds())/1000, "median-ms")
			b.ReportMetric(float64(taken[len(taken)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkGuardedBulkChange is how full the UPDATEs of a bulk change are: the
// promise is 500 prefixes (IPv4) or 400 (IPv6) for 10,000 changes and more.
func BenchmarkGuardedBulkChange(b *testing.B) {
	for _, family := range addressing.Families() {
		for _, n := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("%d/%s", n, family), func(b *testing.B) {
				c := newChanging(b)
				routes := benchRoutes(n+1, family)
				one := routes[:1]
				c.apply(b, one)
				updates := func() int { return c.peer.Counters().Updates }
				var announced, withdrawn int
				for b.Loop() {
					before := updates()
					c.apply(b, routes)
					between := updates()
					c.apply(b, one)
					announced, withdrawn = announced+between-before, withdrawn+updates()-between
				}
				b.ReportMetric(float64(n*b.N)/float64(announced), "announced/update")
				b.ReportMetric(float64(n*b.N)/float64(withdrawn), "withdrawn/update")
			})
		}
	}
}
