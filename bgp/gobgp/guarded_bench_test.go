package gobgp

import (
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// BenchmarkGuardAgainstBare compares GoBGP behind the guard with GoBGP alone,
// from Apply, the sessions being up, to the last route at the last neighbor.
// Run it with -count 5; bare and guarded take turns. The neighbors are in the
// same process and count in both.
func BenchmarkGuardAgainstBare(b *testing.B) {
	for _, c := range []struct{ routes, neighbors int }{{100_000, 1}, {6_500, 8}, {3_000, 160}, {1_000_000, 1}} {
		for _, family := range []addressing.Family{addressing.IPv4, addressing.IPv6} {
			if family == addressing.IPv6 && c.routes != 100_000 {
				continue
			}
			for _, guarded := range []bool{false, true} {
				name := fmt.Sprintf("%dx%d/%s/bare", c.routes, c.neighbors, family)
				if guarded {
					name = fmt.Sprintf("%dx%d/%s/guarded", c.routes, c.neighbors, family)
				}
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						measure(b, guarded, c.routes, c.neighbors, family)
						b.StartTimer()
					}
				})
			}
		}
	}
}

// measure runs one load of tables and reports what it cost.
func measure(b *testing.B, guarded bool, routes, neighbors int, family addressing.Family) {
	local := freshLoopback()
	cfg := Config{
		ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Logger: testLogger(),
		Listen: []netip.AddrPort{netip.AddrPortFrom(local, 0)},
	}
	target := snapshots.Target{Epoch: 1, Generation: 1, Neighbors: map[string]snapshots.NeighborTarget{}}
	table := benchRoutes(routes, family)
	for i := range neighbors {
		n := speakertest.Neighbors()[0]
		n.Name, n.Address, n.Role = fmt.Sprintf("n%03d", i), freshLoopback(), policy.RoleCustomer
		cfg.Neighbors = append(cfg.Neighbors, Neighbor{Neighbor: n, Passive: true})
		target.Neighbors[n.Name] = snapshots.NeighborTarget{Routes: table}
	}
	var s bgp.Speaker
	var port uint16
	if guarded {
		g, err := NewGuarded(cfg)
		if err != nil {
			b.Fatal(err)
		}
		s, port = g, g.Port()
	} else {
		g, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		s, port = g, g.Port()
	}
	peers := make([]*neighbor.Neighbor, neighbors)
	for i, n := range cfg.Neighbors {
		peers[i] = newNeighbor(b, neighbor.Config{
			ASN: n.ASN, RouterID: netip.AddrFrom4([4]byte{192, 0, 3, byte(i + 1)}), Local: n.Address,
			Dial: netip.AddrPortFrom(local, port), Families: n.Families, LogLimit: 1,
		})
	}
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, p := range peers {
		waitFor(b, "session", p.Established)
	}
	debug.FreeOSMemory()
	resetPeak(b)
	cpu, begun, updates := cpuSeconds(b), time.Now(), peers[0].Counters().Updates
	if err := s.Apply(b.Context(), target); err != nil {
		b.Fatal(err)
	}
	for _, p := range peers {
		for p.Held() != routes {
			time.Sleep(time.Millisecond)
		}
	}
	b.ReportMetric(time.Since(begun).Seconds(), "s/table")
	b.ReportMetric(cpuSeconds(b)-cpu, "cpu-s/table")
	b.ReportMetric(peak(b), "peak-MiB")
	b.ReportMetric(float64(routes)/float64(max(1, peers[0].Counters().Updates-updates)), "prefixes/update")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for _, p := range peers {
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRoutes(n int, f addressing.Family) []snapshots.TargetRoute {
	a := &snapshots.Attributes{ASPath: []uint32{speakertest.ASN}, NextHop: netip.MustParseAddr("192.0.2.1")}
	if f == addressing.IPv6 {
		a.NextHop = netip.MustParseAddr("2001:db8::1")
	}
	out := make([]snapshots.TargetRoute, n)
	for i := range out {
		out[i].Attrs = a
		if f == addressing.IPv6 {
			out[i].Prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}), 48)
		} else {
			out[i].Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24)
		}
	}
	return out
}

func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// resetPeak makes the kernel forget the peak of the resident memory.
func resetPeak(b *testing.B) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
}

func peak(b *testing.B) float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}
