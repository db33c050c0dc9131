package station

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/bmp"
)

// BenchmarkFullTable is a router that dumps a million routes of others, in
// UPDATEs of 200, and what is left of it in memory.
func BenchmarkFullTable(b *testing.B) {
	const perUpdate, total = 200, 1_000_000
	t := &testing.T{}
	var messages []bmp.Message
	for i := 0; i < total; i += perUpdate {
		var ps []netip.Prefix
		for j := i; j < i+perUpdate; j++ {
			ps = append(ps, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(1 + j>>16), byte(j >> 8), byte(j), 0}), 24))
		}
		messages = append(messages, monitor(t, upstream, bmp.InPostPolicy, []uint32{transit, 3356, 13335}, nil, ps)...)
	}
	c := compass{own: []uint32{ours}}
	for _, outside := range []bool{false, true} {
		b.Run(map[bool]string{false: "edge", true: "outside"}[outside], func(b *testing.B) {
			var f *feed
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				f = newFeed(Router{Name: "r", Outside: outside, ASN: transit}, c, DefaultMaxRoutes, start)
				f.connected(start)
				f.take(bmp.Message{Kind: bmp.PeerUp, Peer: upstream}, start)
				for _, m := range messages {
					f.take(m, start.Add(time.Second))
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if f.count.Ignored != total {
				b.Fatalf("%d of %d routes were counted", f.count.Ignored, total)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/total, "ns/route")
			b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1024, "KiB-left")
		})
	}
}
