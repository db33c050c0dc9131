package gobgp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
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
// Bare and guarded take turns, each in a process of its own that has nothing
// but the speaker; the neighbors are outside. Run it with -benchtime 5x: the
// figures are medians.
func BenchmarkGuardAgainstBare(b *testing.B) {
	for _, c := range []struct{ routes, neighbors int }{{100_000, 1}, {6_500, 8}, {3_000, 160}, {1_000_000, 1}} {
		for _, family := range []addressing.Family{addressing.IPv4, addressing.IPv6} {
			if family == addressing.IPv6 && c.routes != 100_000 {
				continue
			}
			b.Run(fmt.Sprintf("%dx%d/%s", c.routes, c.neighbors, family), func(b *testing.B) {
				var bare, guarded []cost
				for b.Loop() {
					bare = append(bare, measure(b, load{Routes: c.routes, Neighbors: c.neighbors, Family: family}))
					guarded = append(guarded, measure(b, load{Guarded: true, Routes: c.routes, Neighbors: c.neighbors, Family: family}))
				}
				report(b, bare, guarded)
			})
		}
	}
}

// load is what a speaker in a process of its own is to do.
type load struct {
	Guarded   bool
	Routes    int
	Family    addressing.Family
	Neighbors int
	Local     netip.Addr
	Addresses []netip.Addr // of the neighbors
}

// cost is what it cost.
type cost struct {
	CPU, MiB        float64
	seconds, packed float64 // as the neighbors saw it
}

func report(b *testing.B, bare, guarded []cost) {
	for _, m := range []struct {
		name string
		of   func(cost) float64
	}{
		{"s", func(c cost) float64 { return c.seconds }},
		{"cpu-s", func(c cost) float64 { return c.CPU }},
		{"MiB", func(c cost) float64 { return c.MiB }},
	} {
		was, is := median(bare, m.of), median(guarded, m.of)
		b.ReportMetric(was, "bare-"+m.name)
		b.ReportMetric(is, "guarded-"+m.name)
		b.ReportMetric(is/was, m.name+"-ratio")
	}
	b.ReportMetric(median(guarded, func(c cost) float64 { return c.packed }), "prefixes/update")
	b.ReportMetric(0, "ns/op") // the work is done elsewhere
}

func median(costs []cost, of func(cost) float64) float64 {
	var all []float64
	for _, c := range costs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// measure runs one load in a process of its own.
func measure(b *testing.B, l load) cost {
	l.Local = freshLoopback()
	for range l.Neighbors {
		l.Addresses = append(l.Addresses, freshLoopback())
	}
	raw, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), benchLoad+"="+string(raw)), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	}()
	lines := bufio.NewScanner(out)
	said := func() string {
		if !lines.Scan() {
			b.Fatal("the speaker has ended")
		}
		return lines.Text()
	}
	port, err := strconv.ParseUint(said(), 10, 16)
	if err != nil {
		b.Fatal(err)
	}
	var peers []*neighbor.Neighbor
	for i, n := range l.neighbors() {
		p := newNeighbor(b, neighbor.Config{
			ASN: n.ASN, RouterID: netip.AddrFrom4([4]byte{192, 0, 3, byte(i + 1)}), Local: n.Address,
			Dial: netip.AddrPortFrom(l.Local, uint16(port)), Families: n.Families, LogLimit: 1,
		})
		peers = append(peers, p)
		defer p.Close()
	}
	if said() != "ready" {
		b.Fatal("not ready")
	}
	begun, updates := time.Now(), peers[0].Counters().Updates
	fmt.Fprintln(in, "apply")
	for _, p := range peers {
		for p.Held() != l.Routes {
			time.Sleep(time.Millisecond)
		}
	}
	c := cost{seconds: time.Since(begun).Seconds(), packed: float64(l.Routes) / float64(max(1, peers[0].Counters().Updates-updates))}
	fmt.Fprintln(in, "done")
	if err := json.Unmarshal([]byte(said()), &c); err != nil {
		b.Fatal(err)
	}
	return c
}

// benchLoad is the environment variable that makes the test binary a speaker.
const benchLoad = "HOLDFAST_BENCH_LOAD"

func (l load) neighbors() (out []policy.Neighbor) {
	for i, a := range l.Addresses {
		n := speakertest.Neighbors()[0]
		n.Name, n.Address, n.Role = fmt.Sprintf("n%03d", i), a, policy.RoleCustomer
		out = append(out, n)
	}
	return out
}

// speak is the process with the speaker.
func (l load) speak(in io.Reader, out io.Writer) error {
	cfg := Config{
		ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Logger: testLogger(),
		Listen: []netip.AddrPort{netip.AddrPortFrom(l.Local, 0)},
	}
	target := snapshots.Target{Epoch: 1, Generation: 1, Neighbors: map[string]snapshots.NeighborTarget{}}
	table := benchRoutes(l.Routes, l.Family)
	for _, n := range l.neighbors() {
		cfg.Neighbors = append(cfg.Neighbors, Neighbor{Neighbor: n, Passive: true})
		target.Neighbors[n.Name] = snapshots.NeighborTarget{Routes: table}
	}
	var s bgp.Speaker
	var port uint16
	if l.Guarded {
		g, err := NewGuarded(cfg)
		if err != nil {
			return err
		}
		s, port = g, g.Port()
	} else {
		g, err := New(cfg)
		if err != nil {
			return err
		}
		s, port = g, g.Port()
	}
	fmt.Fprintln(out, port)
	ctx := context.Background()
	if err := s.Start(ctx); err != nil {
		return err
	}
	for up := 0; up < l.Neighbors; time.Sleep(5 * time.Millisecond) {
		status, err := s.Neighbors(ctx)
		if err != nil {
			return err
		}
		up = 0
		for _, n := range status {
			if n.State == bgp.Established {
				up++
			}
		}
	}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak of the resident memory
		return err
	}
	before, err := cpuSeconds()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	lines := bufio.NewScanner(in)
	lines.Scan()
	if err := s.Apply(ctx, target); err != nil {
		return err
	}
	lines.Scan()
	var c cost
	if c.CPU, err = cpuSeconds(); err != nil {
		return err
	}
	c.CPU -= before
	if c.MiB, err = peak(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(c) // the sessions end with the process
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

func cpuSeconds() (float64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6, nil
}

// peak is the most memory that was resident, in MiB.
func peak() (float64, error) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmHWM in %d octets", len(raw))
}
