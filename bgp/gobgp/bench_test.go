package gobgp

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"

	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
)

// oneNeighbor is a Speaker with one neighbor that takes everything.
func oneNeighbor(b *testing.B) (*lab, *neighbor.Neighbor) {
	b.Helper()
	local := freshLoopback()
	n := two()[0]
	n.Address = freshLoopback()
	l := &lab{neighbors: map[string]*neighbor.Neighbor{}, cfg: Config{
		ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Logger: testLogger(),
		Listen: []netip.AddrPort{netip.AddrPortFrom(local, 0)}, Neighbors: []Neighbor{{Neighbor: n, Passive: true}},
	}}
	l.speaker = l.newSpeaker(b)
	l.cfg.Listen[0] = netip.AddrPortFrom(local, l.speaker.Port())
	if err := l.speaker.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	l.connect(b, l.cfg.Neighbors[0], 1)
	peer := l.neighbors[n.Name]
	waitFor(b, "the session is up", func() bool { return peer.Established() })
	return l, peer
}

// BenchmarkApply measures from Apply to the last route in the neighbor's table,
// the session being up, and the way back.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{6_500, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, peer := oneNeighbor(b)
			full, one := speakertest.Wants(n), speakertest.Wants(1)
			generation := uint64(0)
			for b.Loop() {
				for _, wants := range [][]speakertest.Want{full, one} {
					generation++
					if err := l.speaker.Apply(b.Context(), targetFor(l.cfg, generation, wants)); err != nil {
						b.Fatal(err)
					}
					waitFor(b, "the neighbor has it", func() bool { return peer.Held() == len(wants) })
				}
			}
		})
	}
}

// BenchmarkOneChange measures one withdrawal or announcement among many, from
// Apply to the neighbor's table.
func BenchmarkOneChange(b *testing.B) {
	for _, n := range []int{6_500, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, peer := oneNeighbor(b)
			wants := speakertest.Wants(n)
			targets := []int{n, n - 1}
			generation := uint64(1)
			if err := l.speaker.Apply(b.Context(), targetFor(l.cfg, 1, wants)); err != nil {
				b.Fatal(err)
			}
			waitFor(b, "the neighbor has it", func() bool { return peer.Held() == n })
			whole, less := targetFor(l.cfg, 0, wants), targetFor(l.cfg, 0, wants[:n-1])
			for b.Loop() {
				generation++
				target := whole
				if generation%2 == 0 {
					target = less
				}
				target.Generation = generation
				if err := l.speaker.Apply(b.Context(), target); err != nil {
					b.Fatal(err)
				}
				want := targets[(generation+1)%2]
				for peer.Held() != want {
					runtime.Gosched()
				}
			}
		})
	}
}

// BenchmarkSessionUp measures a session coming up, from the TCP connection to
// the last route, the routes being loaded before.
func BenchmarkSessionUp(b *testing.B) {
	for _, n := range []int{6_500, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, peer := oneNeighbor(b)
			if err := l.speaker.Apply(b.Context(), targetFor(l.cfg, 1, speakertest.Wants(n))); err != nil {
				b.Fatal(err)
			}
			waitFor(b, "the neighbor has it", func() bool { return peer.Held() == n })
			for b.Loop() {
				b.StopTimer()
				peer.Drop()
				waitFor(b, "the table is gone", func() bool { return peer.Held() == 0 })
				waitFor(b, "the session is up again", peer.Established)
				b.StartTimer()
				waitFor(b, "the neighbor has it", func() bool { return peer.Held() == n })
			}
		})
	}
}
