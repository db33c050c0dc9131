package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// BenchmarkSessions is an operator's network: 40 sites of four edge sessions
// each, and 3,000 prefixes of both families that all of them hold. The daemon is
// a process of its own, from its configuration to TCP. Measured are a start with
// nothing but the database and one after kill -9, each until the last table is
// full; a change of one prefix until the last session has it; and the most
// memory that the daemon ever had.
func BenchmarkSessions(b *testing.B) {
	const sessions, routes = 160, 3000
	program := filepath.Join(b.TempDir(), "holdfastd")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "github.com/holdfast-bgp/holdfast/cmd/holdfastd").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for b.Loop() {
		n := newNetwork(b, program, sessions, routes)
		first := n.start(b)
		var changes []time.Duration
		for i := range n.owners {
			changes = append(changes, n.change(b, &n.owners[i]))
		}
		memory := n.memory(b)
		n.kill(b)
		again := n.start(b)
		n.kill(b)
		n.close()
		slices.Sort(changes)
		b.ReportMetric(first.Seconds(), "first-start-s")
		b.ReportMetric(again.Seconds(), "cold-start-s")
		b.ReportMetric(milliseconds(changes[len(changes)/2]), "change-p50-ms")
		b.ReportMetric(milliseconds(changes[len(changes)-1]), "change-max-ms")
		b.ReportMetric(memory, "MiB")
		b.ReportMetric(0, "ns/op")
	}
}

// network is many edges and a daemon among them.
type network struct {
	line
	program, dir string
	ends         []*neighbor.Neighbor
	daemon       *exec.Cmd
	out          bytes.Buffer
}

func newNetwork(b *testing.B, program string, sessions, routes int) *network {
	dir, err := os.MkdirTemp("", "holdfast") // short enough for a socket's path
	if err != nil {
		b.Fatal(err)
	}
	n := &network{program: program, dir: dir}
	n.client = &http.Client{}
	n.fill(b, dir, routes+changing)
	address := freeAddress(b)
	n.api = "http://" + address
	config := fmt.Appendf(nil, "environment: test\ndata_dir: ./data\nlog: {level: error}\napi: {listen: %q}\nadmin: {socket: ./s}\nmetrics: {listen: %q}\nbgp:\n  asn: %d\n  router_id: 192.0.2.1\n"+
		"  groups: [{name: edge, kind: edge, families: [ipv4-unicast, ipv6-unicast], next_hop: {ipv4: 192.0.2.1, ipv6: '2001:db8::1'}, local_address: 127.0.0.1}]\n",
		address, freeAddress(b), synthetic.ASN)
	config = append(config, "  sites:\n"...)
	for site := range (sessions + 3) / 4 {
		config = fmt.Appendf(config, "    - {name: site-%d}\n", site)
	}
	config = append(config, "  drain: {prefixes: 0s}\n  neighbors:\n"...)
	for i := range sessions {
		at := netip.AddrFrom4([4]byte{127, 0, byte(80 + i/200), byte(1 + i%200)})
		end, err := neighbor.New(neighbor.Config{ASN: synthetic.ASN, PeerASN: synthetic.ASN, RouterID: at, Listen: netip.AddrPortFrom(at, 0),
			Peer: netip.MustParseAddr("127.0.0.1"), Families: []addressing.Family{addressing.IPv4, addressing.IPv6}, LogLimit: 1})
		if err != nil {
			b.Fatal(err)
		}
		n.ends = append(n.ends, end)
		config = fmt.Appendf(config, "    - {name: edge-%d, group: edge, site: site-%d, address: %s, port: %d}\n", i, i/4, at, end.Addr().Port())
	}
	if err := os.WriteFile(n.config(), config, 0o600); err != nil {
		b.Fatal(err)
	}
	return n
}

func (n *network) config() string { return filepath.Join(n.dir, "h.yaml") }

// start runs the daemon and gives the time until the last table is full.
func (n *network) start(b *testing.B) time.Duration {
	n.daemon = exec.Command(n.program, "serve", "--config", n.config())
	n.daemon.Stdout, n.daemon.Stderr = &n.out, &n.out
	begun := time.Now()
	if err := n.daemon.Start(); err != nil {
		b.Fatal(err)
	}
	held := -1
	n.until(b, "full tables", func() bool {
		for _, e := range n.ends {
			if held = e.Held(); held != 3000 {
				return false
			}
		}
		return true
	})
	took := time.Since(begun)
	n.until(b, "the API", func() bool {
		r, err := n.client.Get(n.api + "/readyz")
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	return took
}

func (n *network) until(b *testing.B, what string, done func() bool) {
	for end := time.Now().Add(2 * time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%s: not within 2 min: %.2000s", what, n.out.String())
		}
	}
}

// change advertises a prefix, and gives the time until every session has it.
func (n *network) change(b *testing.B, o *owner) time.Duration {
	everywhere := func(want bool) func() bool {
		return func() bool {
			for _, e := range slices.Backward(n.ends) {
				if _, held := e.Route(o.cidr); held != want {
					return false
				}
			}
			return true
		}
	}
	begun := time.Now()
	if err := n.toggle(o, true); err != nil {
		b.Fatal(err)
	}
	n.until(b, o.cidr.String(), everywhere(true))
	took := time.Since(begun)
	if err := n.toggle(o, false); err != nil {
		b.Fatal(err)
	}
	n.until(b, o.cidr.String()+" gone", everywhere(false))
	return took
}

// memory is the most that was ever resident, in MiB.
func (n *network) memory(b *testing.B) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.daemon.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				b.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	b.Fatal("no VmHWM")
	return 0
}

func (n *network) kill(b *testing.B) {
	if err := n.daemon.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	_ = n.daemon.Wait()
	n.until(b, "empty tables", func() bool {
		return !slices.ContainsFunc(n.ends, func(e *neighbor.Neighbor) bool { return e.Held() > 0 || e.Established() })
	})
}

func (n *network) close() {
	for _, e := range n.ends {
		_ = e.Close()
	}
	_ = os.RemoveAll(n.dir)
}
