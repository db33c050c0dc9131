package observed

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

// realTable is a table of 2002 with 115,521 routes, decompressed.
type realTable []byte

func (r realTable) reader() io.Reader { return bytes.NewReader(r) }

func table(t testing.TB) realTable {
	t.Helper()
	f, err := os.Open("../../bgp/wire/mrt/testdata/bview.20020722.2337.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// relationsOf makes relationships that fit the table: each path climbs to the
// AS that has most neighbors and goes down from there. Pairs on which paths
// differ become unknown.
func relationsOf(raw realTable) (out Relations) {
	neighbors := map[uint32]map[uint32]bool{}
	each(raw, func(path []uint32) {
		for i := 1; i < len(path); i++ {
			for _, p := range [2][2]uint32{{path[i], path[i-1]}, {path[i-1], path[i]}} {
				if neighbors[p[0]] == nil {
					neighbors[p[0]] = map[uint32]bool{}
				}
				neighbors[p[0]][p[1]] = true
			}
		}
	})
	each(raw, func(path []uint32) {
		top := 0
		for i := range path {
			if len(neighbors[path[i]]) > len(neighbors[path[top]]) {
				top = i
			}
		}
		for i := 1; i < len(path); i++ {
			if i <= top {
				out.Declare(path[i-1], path[i], Provider)
			} else {
				out.Declare(path[i], path[i-1], Provider)
			}
		}
	})
	return out
}

func each(raw realTable, visit func(path []uint32)) {
	var path []uint32
	for s, err := range MRT(raw.reader()) {
		if err != nil {
			return
		}
		var set bool
		if path, set = hops(path[:0], s.Path); !set && !loop(path) {
			visit(path)
		}
	}
}

// knowing is knowledge of every kind about the table.
func knowing(b *testing.B, raw realTable) Knowledge {
	k := Knowledge{Relations: relationsOf(raw), Direction: rpki.Downstream, Own: []uint32{64500}}
	var vrps []rpki.VRP
	providers := map[uint32][]uint32{}
	for s, err := range MRT(raw.reader()) {
		if err != nil {
			b.Fatal(err)
		}
		if who, ok := s.Path.Origin(); ok {
			vrps = append(vrps, rpki.VRP{Prefix: s.Prefix, MaxLen: uint8(s.Prefix.Bits()), ASN: who})
		}
	}
	for pair, what := range k.Relations.pairs {
		a, c := uint32(pair>>32), uint32(pair)
		if what == Provider {
			providers[a] = append(providers[a], c)
		} else if what == Customer {
			providers[c] = append(providers[c], a)
		}
	}
	var aspas []rpki.ASPA
	for customer, list := range providers {
		aspas = append(aspas, rpki.ASPA{Customer: customer, Providers: list})
	}
	var err error
	if k.VRPs, err = rpki.NewSet(vrps); err != nil {
		b.Fatal(err)
	}
	if k.ASPAs, err = rpki.NewASPAs(aspas); err != nil {
		b.Fatal(err)
	}
	k.OwnSpace = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	return k
}

// BenchmarkPaths judges a million routes of a real table with relationships,
// origin validation and ASPA.
func BenchmarkPaths(b *testing.B) {
	raw := table(b)
	k := knowing(b, raw)
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	routes := 0
	for b.Loop() {
		var tally Tally
		j := NewJudge(k)
		for tally.Routes < 1_000_000 {
			for s, err := range MRT(raw.reader()) {
				if err != nil {
					b.Fatal(err)
				}
				tally.Add(j, s)
			}
		}
		routes += tally.Routes
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(routes)/b.Elapsed().Seconds(), "paths/s")
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB-grown")
}
