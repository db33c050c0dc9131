//go:build linux

package lab

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// The one network of a lab.
var (
	Net4 = netip.MustParsePrefix("10.99.0.0/24")
	Net6 = netip.MustParsePrefix("2001:db8:99::/64")
)

const (
	bridge     = "switch"
	patience   = 20 * time.Second // how long a daemon may take to come up
	pollPeriod = 50 * time.Millisecond
)

// one lab at a time: its network is one for the whole process.
var one sync.Mutex

// Lab is a switch with hosts around it. The test is at the switch, too.
type Lab struct {
	Addr4, Addr6 netip.Addr // the test's own addresses

	t     testing.TB
	dir   string
	hosts []string
}

// New builds a lab and takes it down at the end of the test. Labs of tests
// that run in parallel wait for one another.
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Getpid() != 1 {
		t.Fatal("lab: not in namespaces of its own: TestMain must call lab.Main")
	}
	one.Lock()
	t.Cleanup(one.Unlock)
	l := &Lab{t: t, dir: openDir(t), Addr4: addr(Net4, 1), Addr6: addr(Net6, 1)}
	l.must("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
	t.Cleanup(func() { l.should("ip", "link", "del", bridge) })
	l.Address(l.Addr4)
	l.Address(l.Addr6)
	l.must("ip", "link", "set", bridge, "up")
	return l
}

// openDir makes a directory that other users may enter: t.TempDir is for its
// maker alone, and FRR gives up root.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab")
	if err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	return dir
}

// Address gives the test one more address on the lab's network, for a second
// speaker inside the test.
func (l *Lab) Address(a netip.Addr) {
	l.t.Helper()
	l.must("ip", addressArgs(bridge, a)...)
}

// Dir is a directory that every daemon can read and that ends with the test.
func (l *Lab) Dir() string { return l.dir }

// Eventually waits until the condition returns nil, and fails the test with
// its last error if that takes longer than the limit. It gives the time taken.
func (l *Lab) Eventually(limit time.Duration, condition func() error) time.Duration {
	l.t.Helper()
	begun := time.Now()
	for {
		err := condition()
		taken := time.Since(begun)
		switch {
		case err == nil:
			return taken
		case taken > limit:
			l.t.Fatalf("not after %s: %v", limit, err)
		}
		time.Sleep(pollPeriod)
	}
}

func (l *Lab) must(name string, args ...string) []byte {
	l.t.Helper()
	out, err := run(name, args...)
	if err != nil {
		l.t.Fatalf("lab: %v", err)
	}
	return out
}

// should is must for the end of a test, where the rest still has to be done.
func (l *Lab) should(name string, args ...string) {
	l.t.Helper()
	if _, err := run(name, args...); err != nil {
		l.t.Errorf("lab: %v", err)
	}
}

// addr is the n-th address of a network, as text readers expect it: 10.99.0.2
// and 2001:db8:99::2 for n = 2.
func addr(network netip.Prefix, n int) netip.Addr {
	bytes := network.Addr().AsSlice()
	bytes[len(bytes)-1] = byte(n)
	a, _ := netip.AddrFromSlice(bytes)
	return a
}

// addressArgs are ip's arguments to give a device an address of the lab's
// network, usable at once (no duplicate address detection).
func addressArgs(device string, a netip.Addr) []string {
	if a.Is4() {
		return []string{"addr", "add", fmt.Sprintf("%s/%d", a, Net4.Bits()), "dev", device}
	}
	return []string{"addr", "add", fmt.Sprintf("%s/%d", a, Net6.Bits()), "dev", device, "nodad"}
}

// Host is a machine of the lab: a network namespace with one interface, eth0.
type Host struct {
	Name         string
	Addr4, Addr6 netip.Addr

	l *Lab
}

// Host adds a machine to the lab. Names are short (up to 13 letters) and not
// used twice.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	if slices.Contains(l.hosts, name) {
		l.t.Fatalf("lab: there is a host %s already", name)
	}
	l.hosts = append(l.hosts, name)
	n := len(l.hosts) + 1 // the test is number 1
	h := &Host{Name: name, Addr4: addr(Net4, n), Addr6: addr(Net6, n), l: l}
	l.must("ip", "netns", "add", name)
	l.t.Cleanup(func() { l.should("ip", "netns", "del", name) })
	h.must("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad")
	h.must("ip", "link", "set", "lo", "up")
	l.must("ip", "link", "add", h.port(), "type", "veth", "peer", "name", "eth0", "netns", name)
	// Taken away by itself only some time after its namespace.
	l.t.Cleanup(func() { l.should("ip", "link", "del", h.port()) })
	h.must("ip", addressArgs("eth0", h.Addr4)...)
	h.must("ip", addressArgs("eth0", h.Addr6)...)
	h.must("ip", "link", "set", "eth0", "up")
	l.must("ip", "link", "set", h.port(), "master", bridge, "up")
	return h
}

// port is the host's end at the switch.
func (h *Host) port() string { return "v-" + h.Name }

// Exec runs a command on the host to its end and gives what it printed.
func (h *Host) Exec(name string, args ...string) ([]byte, error) {
	return run("ip", append([]string{"netns", "exec", h.Name, name}, args...)...)
}

func (h *Host) must(name string, args ...string) {
	h.l.t.Helper()
	if _, err := h.Exec(name, args...); err != nil {
		h.l.t.Fatalf("lab: host %s: %v", h.Name, err)
	}
}

// Reach makes the prefix look directly connected, so that a next hop in it
// resolves: daemons do not use routes whose next hop they cannot reach.
func (h *Host) Reach(p netip.Prefix) {
	h.l.t.Helper()
	h.must("ip", "route", "add", p.String(), "dev", "eth0")
}

// Unplug takes the cable out: the host sees its link go down.
func (h *Host) Unplug() {
	h.l.t.Helper()
	h.l.must("ip", "link", "set", h.port(), "down")
}

// Silence loses every packet from and to the host while its link stays up, so
// that only a hold timer notices.
func (h *Host) Silence() {
	h.l.t.Helper()
	h.l.must("ip", "link", "set", h.port(), "nomaster")
}

// Plug undoes Unplug and Silence.
func (h *Host) Plug() {
	h.l.t.Helper()
	h.l.must("ip", "link", "set", h.port(), "master", bridge, "up")
}
