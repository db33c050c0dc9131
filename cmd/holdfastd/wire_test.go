package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/policy"
)

// onWire is a whole daemon in this process, with real sessions over loopback.
type onWire struct {
	*daemon
	t       testing.TB
	dir     string
	stop    func()
	account addressing.Account
	service addressing.Service
}

const gracefulShutdown = policy.Community(0xffff0000)

// farEnd is a neighbor on an address of its own, which the daemon dials.
type farEnd struct {
	*neighbor.Neighbor
	name string
}

func listen(t testing.TB, name, address string, asn uint32) farEnd {
	t.Helper()
	at := netip.MustParseAddr(address)
	n, err := neighbor.New(neighbor.Config{ASN: asn, RouterID: at, Listen: netip.AddrPortFrom(at, 0), Families: []addressing.Family{addressing.IPv4},
		GracefulRestart: true, Peer: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return farEnd{n, name}
}

// entry is the neighbor in a configuration; more are further keys of it.
func (s farEnd) entry(more string) string {
	return fmt.Sprintf("    - {name: %s, address: %s, port: %d, local_address: 127.0.0.1, families: [ipv4-unicast], next_hop: {ipv4: 192.0.2.1}, %s}\n", s.name, s.Addr().Addr(), s.Addr().Port(), more)
}

// marked counts its routes with GRACEFUL_SHUTDOWN.
func (s farEnd) marked() int {
	n := 0
	for _, r := range s.Routes() {
		if slices.Contains(r.Attrs.Communities, gracefulShutdown) {
			n++
		}
	}
	return n
}

// startDaemon runs a daemon with this bgp section, less its first lines, and
// with an account and a service.
func startDaemon(t testing.TB, bgp string) *onWire {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf") // short enough for a Unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &onWire{t: t, dir: dir}
	w.configure(bgp)
	w.start()
	t.Cleanup(func() { w.stop() })
	r := w.registry.Load()
	if w.account, _, err = r.CreateAccount(t.Context(), w.by(), addressing.NewAccount{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if w.service, _, err = r.CreateService(t.Context(), w.by(), addressing.NewService{Name: "CDN"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *onWire) file() string { return filepath.Join(w.dir, "h.yaml") }

// configure writes the file. Nothing reads it before the daemon is told to.
func (w *onWire) configure(bgp string) {
	w.t.Helper()
	const head = "environment: test\ndata_dir: ./data\napi: {listen: '127.0.0.1:0', allow_special_purpose_prefixes: true}\nadmin: {socket: ./s}\nmetrics: {listen: '127.0.0.1:0'}\n"
	if err := os.WriteFile(w.file(), []byte(head+"bgp:\n  asn: 64500\n  router_id: 192.0.2.1\n"+bgp), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// start runs the daemon until stop, and waits for its database.
func (w *onWire) start() {
	w.t.Helper()
	cfg, _, err := config.Load(w.file())
	if err != nil {
		w.t.Fatal(err)
	}
	d := &daemon{cfg: cfg, dir: dataDir(cfg.DataDir), log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := d.open(time.Now()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	stopped := false
	w.daemon, w.stop = d, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		d.close()
	}
	w.until("desired state", func() bool { return d.registry.Load() != nil })
}

// until waits for something that the wire or the daemon does by itself.
func (w *onWire) until(what string, done func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within 20 s; refused: %+v", what, w.pipeline.Runner.Status().Refusal)
		}
	}
}

func (w *onWire) by() addressing.Request {
	return addressing.Request{Actor: addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}, Scope: addressing.EveryAccount(), At: time.Now(), Reason: "test"}
}

// advertise brings a prefix from nothing onto the wire.
func (w *onWire) advertise(cidr string) addressing.PrefixDetail {
	w.t.Helper()
	r, ctx := w.registry.Load(), w.t.Context()
	p, _, err := r.CreatePrefix(ctx, w.by(), addressing.NewPrefix{AccountID: w.account.ID, CIDR: netip.MustParsePrefix(cidr), ASN: 64500})
	if err == nil {
		p, _, err = r.ApprovePrefix(ctx, w.by(), p.ID, []string{addressing.RiskUnverified})
	}
	if err == nil {
		_, _, err = r.CreateBinding(ctx, w.by(), addressing.NewBinding{PrefixID: p.ID, CIDR: p.CIDR, ServiceID: w.service.ID})
	}
	if err == nil {
		p, _, err = r.AdvertisePrefix(ctx, w.by(), p.ID)
	}
	if err != nil {
		w.t.Fatalf("advertise %s: %v", cidr, err)
	}
	return p
}

// TestWithdrawalDrainsOnTheWire: a neighbor sees a withdrawn prefix come again
// with GRACEFUL_SHUTDOWN, and then go; also when the daemon was restarted in
// between, which itself withdraws nothing.
func TestWithdrawalDrainsOnTheWire(t *testing.T) {
	a := listen(t, "transit-a", "127.0.0.41", 64510)
	w := startDaemon(t, "  drain: {prefixes: 5s}\n  neighbors:\n"+a.entry("asn: 64510, role: customer"))
	keep, goes := w.advertise("203.0.113.0/24"), w.advertise("198.51.100.0/24")
	w.until("both prefixes", func() bool { return a.Held() == 2 })
	if _, _, err := w.registry.Load().WithdrawPrefix(t.Context(), w.by(), goes.ID); err != nil {
		t.Fatal(err)
	}
	w.until("GRACEFUL_SHUTDOWN", func() bool { return a.marked() == 1 })
	if n := a.Counters(); n.Withdrawn != 0 {
		t.Errorf("withdrawn %d times before its time", n.Withdrawn)
	}
	w.stop()
	w.start()
	w.until("the withdrawal", func() bool { return a.Held() == 1 })
	if _, found := a.Route(keep.CIDR); !found || a.marked() != 0 {
		t.Errorf("the other prefix is there: %v; %d marked", found, a.marked())
	}
	if n := a.Counters(); n.Removed() != 1 {
		t.Errorf("%d routes went away, want 1: %+v", n.Removed(), n)
	}
}

func (w *onWire) drain(o api.DrainOrder, wait time.Duration) api.DrainStatus {
	w.t.Helper()
	o.Wait, o.AcceptBelow = &wait, true
	s, err := drains{w.daemon}.Drain(w.t.Context(), w.by(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *onWire) risk(text string) bool {
	return slices.ContainsFunc(w.risks(), func(r string) bool { return strings.Contains(r, text) })
}

// TestNeighborDrainsOnTheWire: a drained neighbor is told GRACEFUL_SHUTDOWN, then
// loses its routes and keeps its session; undrained, it has them back.
func TestNeighborDrainsOnTheWire(t *testing.T) {
	a, b := listen(t, "transit-a", "127.0.0.42", 64510), listen(t, "transit-b", "127.0.0.43", 64511)
	w := startDaemon(t, "  neighbors:\n"+a.entry("asn: 64510, role: customer")+b.entry("asn: 64511, role: customer"))
	w.advertise("203.0.113.0/24")
	w.until("the prefix", func() bool { return a.Held() == 1 && b.Held() == 1 })
	w.drain(api.DrainOrder{Neighbor: "transit-a"}, 4*time.Second)
	w.until("GRACEFUL_SHUTDOWN", func() bool { return a.marked() == 1 })
	if !w.risk("out_of_service: neighbor transit-a is draining") {
		t.Errorf("risks: %q", w.risks())
	}
	w.until("the withdrawal", func() bool { return a.Held() == 0 })
	if _, err := (drains{w.daemon}).Undrain(t.Context(), w.by(), api.DrainOrder{Neighbor: "transit-a"}); err != nil {
		t.Fatal(err)
	}
	w.until("the prefix back", func() bool { return a.Held() == 1 && a.marked() == 0 })
	if n := a.Counters(); n.SessionsUp != 1 || n.SessionsDown != 0 {
		t.Errorf("the session: %+v", n)
	}
	if n := b.Counters(); n.Removed() != 0 || n.SessionsUp != 1 || b.marked() != 0 {
		t.Errorf("the other neighbor noticed: %+v", n)
	}
}

// TestNeighborShutdownOnTheWire: drained, then told why and hung up on; it stays
// out over a restart, whoever dials, is named as a risk, and is let in again by
// name. Nobody else notices.
func TestNeighborShutdownOnTheWire(t *testing.T) {
	a, b := listen(t, "transit-a", "127.0.0.44", 64510), listen(t, "transit-b", "127.0.0.45", 64511)
	w := startDaemon(t, "  listen: ['127.0.0.1:0']\n  neighbors:\n"+a.entry("asn: 64510, role: customer")+b.entry("asn: 64511, role: customer"))
	w.advertise("203.0.113.0/24")
	w.until("the prefix", func() bool { return a.Held() == 1 && b.Held() == 1 })
	w.drain(api.DrainOrder{Neighbor: "transit-a", Shutdown: true}, 4*time.Second)
	w.until("GRACEFUL_SHUTDOWN", func() bool { return a.marked() == 1 })
	w.until("the end of the session", func() bool { return !a.Established() })
	if n := a.Counters(); n.Withdrawn != 1 || n.Notifications != 1 {
		t.Errorf("its routes did not leave before it: %+v", n)
	}
	if said, err := wire.ParseNotification(a.Notification()); err != nil || said.Subcode != wire.SubAdminShutdown || said.ShutdownText() != "test" {
		t.Errorf("told %v %q, %v", said, said.ShutdownText(), err)
	}
	out := func() {
		t.Helper()
		if !w.risk("out_of_service: neighbor transit-a is shut down") || !w.risk("holdfast neighbor enable transit-a") {
			t.Errorf("risks: %q", w.risks())
		}
		// It may dial as often as it wants to.
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 44)}}
		c, err := from.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", w.guard.Port()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if n, err := c.Read(make([]byte, 64)); err == nil {
			t.Errorf("it was answered with %d octets", n)
		}
		if a.Established() || a.Counters().SessionsUp != 1 {
			t.Error("it is back")
		}
	}
	out()
	w.stop()
	w.start()
	w.until("the other session", b.Established)
	out()
	if _, err := (drains{w.daemon}).Undrain(t.Context(), w.by(), api.DrainOrder{Neighbor: "transit-a"}); addressing.CodeOf(err) != addressing.CodeConflict {
		t.Errorf("undrained: %v", err)
	}
	if _, err := (drains{w.daemon}).Undrain(t.Context(), w.by(), api.DrainOrder{Neighbor: "transit-a", Shutdown: true}); err != nil {
		t.Fatal(err)
	}
	w.until("the prefix back", func() bool { return a.Held() == 1 && a.marked() == 0 })
	if n := b.Counters(); n.Removed() != 0 || n.Notifications != 0 {
		t.Errorf("the other neighbor noticed: %+v", n)
	}
}
