package wire

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/holdfast-bgp/holdfast/policy"
)

// benchAttributes is a route as Holdfast sends it.
func benchAttributes(med uint32) Attributes {
	return Attributes{
		ASPath: Sequence(65001, 4200000000), NextHop: hop4, MED: MetricOf(med),
		Communities:      []policy.Community{65001<<16 | 1, 65001<<16 | 2},
		LargeCommunities: []policy.LargeCommunity{{Global: 65001, Local1: policy.RoleFunction, Local2: 1}},
		OTC:              policy.OTCWith(65001),
	}
}

func benchUpdate(b *testing.B, prefixes int) []byte {
	b.Helper()
	raw, n, err := Encoding{}.AppendAdvertise(nil, mustIntern(b, benchAttributes(0)), many(prefixes, false))
	if err != nil || n != 1 {
		b.Fatal(n, err)
	}
	return raw
}

// BenchmarkClassify reads an UPDATE and walks its prefixes, as the guard does.
func BenchmarkClassify(b *testing.B) {
	for _, n := range []int{1, 700} {
		body := benchUpdate(b, n)[HeaderLen:]
		b.Run(fmt.Sprintf("nlri=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				u := bothFamilies.Classify(body)
				count := 0
				for range u.Advertisements() {
					count++
				}
				if count != n {
					b.Fatal(count)
				}
			}
		})
		b.Run(fmt.Sprintf("gobgp/nlri=%d", n), func(b *testing.B) {
			raw := benchUpdate(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := gobgp.ParseBGPMessage(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAttributes decodes and interns the attributes of an UPDATE.
func BenchmarkAttributes(b *testing.B) {
	body := benchUpdate(b, 1)[HeaderLen:]
	b.ReportAllocs()
	for b.Loop() {
		u := bothFamilies.Classify(body)
		attrs, err := u.Attributes(IPv4Unicast)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := attrs.Intern(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPack packs 100,000 routes of 1 and of 100 sets of attributes, all of
// them or one at a time.
func BenchmarkPack(b *testing.B) {
	const routes = 100_000
	for _, sets := range []int{1, 100} {
		interned := make([]AttrSet, sets)
		for i := range interned {
			interned[i] = mustIntern(b, benchAttributes(uint32(i)))
		}
		prefixes := many(routes, false)
		b.Run(fmt.Sprintf("routes=100k/sets=%d", sets), func(b *testing.B) {
			b.ReportAllocs()
			var packed Packed
			for b.Loop() {
				var p Packer
				for i, prefix := range prefixes {
					if err := p.Advertise(prefix, interned[i%sets]); err != nil {
						b.Fatal(err)
					}
				}
				var err error
				if _, packed, err = p.Flush(nil, Encoding{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(packed.Advertised)/float64(packed.Messages), "prefixes/UPDATE")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/routes, "ns/route")
		})
	}
	b.Run("routes=1", func(b *testing.B) {
		b.ReportAllocs()
		set, prefix := mustIntern(b, benchAttributes(0)), netip.MustParsePrefix("203.0.113.0/24")
		var p Packer
		var buf []byte
		for b.Loop() {
			if err := p.Advertise(prefix, set); err != nil {
				b.Fatal(err)
			}
			var err error
			if buf, _, err = p.Flush(buf[:0], Encoding{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadMessage reads messages from a stream that is in memory.
func BenchmarkReadMessage(b *testing.B) {
	stream := bytes.NewReader(benchUpdate(b, 1))
	r := NewReader(stream)
	b.ReportAllocs()
	for b.Loop() {
		stream.Seek(0, 0)
		if _, err := r.ReadMessage(); err != nil {
			b.Fatal(err)
		}
	}
}
