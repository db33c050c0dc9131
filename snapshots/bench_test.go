package snapshots_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

var million = flag.Bool("million", false, "run benchmarks with 1,000,000 routes too")

var sizes = []int{6_500, 100_000, 1_000_000}

func accountsFor(routes int) int { return max(1, min(routes/16, 20_000)) }

func eachSize(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			if n >= 1_000_000 && !*million {
				b.Skip("give -million to run this size")
			}
			run(b, n)
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		st := synthetic.State(accountsFor(n), n)
		for b.Loop() {
			build(b, st)
		}
	})
}

// BenchmarkUpdateOneChange is what every API call pays: the account that
// changed is put together, hashed and judged.
func BenchmarkUpdateOneChange(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		c := &changing{st: synthetic.State(accountsFor(n), n), network: synthetic.Network(2), at: synthetic.At, changed: map[string]int64{}, read: addressing.Revision{Changes: 1}}
		var builder snapshots.Builder
		if _, err := builder.Update(c.since(builder.Since(c.at)), c.network, synthetic.Environment, c.at); err != nil {
			b.Fatal(err)
		}
		c.note(c.st.Prefixes[n-1].AccountID)
		d := c.since(builder.Since(c.at))
		for b.Loop() {
			at := &d.State.BGPPrefixes[len(d.State.BGPPrefixes)-1]
			at.Advertised = !at.Advertised
			if _, err := builder.Update(d, c.network, synthetic.Environment, c.at); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkNextTargets is the Target after one change.
func BenchmarkNextTargets(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		st := synthetic.State(accountsFor(n), n)
		var builder snapshots.Builder
		var two [2]*snapshots.Snapshot
		for i := range two {
			st.BGPPrefixes[n-1].Advertised = i == 0
			var err error
			if two[i], err = builder.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At); err != nil {
				b.Fatal(err)
			}
		}
		var targeter snapshots.Targeter
		targeter.Targets(two[0], 1, 1, 0)
		for i := 1; b.Loop(); i++ {
			if t, _ := targeter.Targets(two[i%2], 1, 1, 0); len(t.Neighbors) != 2 {
				b.Fatal("neighbors are missing")
			}
		}
	})
}

// BenchmarkBuildOneChange is one change, but with all of desired state read:
// once an hour.
func BenchmarkBuildOneChange(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		st := synthetic.State(accountsFor(n), n)
		var builder snapshots.Builder
		if _, err := builder.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			st.BGPPrefixes[n-1].Advertised = !st.BGPPrefixes[n-1].Advertised
			if _, err := builder.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		s := build(b, synthetic.State(accountsFor(n), n))
		for b.Loop() {
			if err := snapshots.Validate(s, snapshots.Expect{Environment: synthetic.Environment}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTargets(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		s := build(b, synthetic.State(accountsFor(n), n))
		for b.Loop() {
			if t, _ := snapshots.Targets(s, 1, 1, 0); len(t.Neighbors) != 2 {
				b.Fatal("neighbors are missing")
			}
		}
	})
}

func BenchmarkStore(b *testing.B) {
	for _, n := range sizes[:2] {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			s := build(b, synthetic.State(accountsFor(n), n))
			for b.Loop() {
				b.StopTimer()
				d := openStore(b, b.TempDir())
				b.StartTimer()
				put(b, d, s, 1)
			}
		})
	}
}

// BenchmarkStoreOneChange writes one changed part, with all fsyncs, twice.
func BenchmarkStoreOneChange(b *testing.B) {
	for _, n := range sizes[:2] {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			st := synthetic.State(accountsFor(n), n)
			builder := &snapshots.Builder{}
			d := openStore(b, b.TempDir())
			g := uint64(0)
			next := func() *snapshots.Snapshot {
				st.Prefixes[n-1].ASN++
				s, err := builder.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At)
				if err != nil {
					b.Fatal(err)
				}
				g++
				return s
			}
			put(b, d, next(), g)
			for b.Loop() {
				b.StopTimer()
				s := next()
				b.StartTimer()
				put(b, d, s, g)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		d := openStore(b, b.TempDir())
		h := put(b, d, build(b, synthetic.State(accountsFor(n), n)), 1)
		if err := d.MarkGood(h); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if l, err := d.Good(); err != nil || l.Snapshot.RouteCount() != n {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCompose(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		st := synthetic.State(accountsFor(n), n)
		then := build(b, st)
		for i := range n / 4 {
			st.BGPPrefixes[i*4].Advertised = false
		}
		now := build(b, st)
		for b.Loop() {
			c, err := snapshots.Compose(now, then, snapshots.Back{Scope: snapshots.Scope{All: true}})
			if err != nil || c.Snapshot.RouteCount() != n {
				b.Fatal(err)
			}
		}
	})
}
