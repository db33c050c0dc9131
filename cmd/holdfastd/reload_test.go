package main

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/hostile"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

var hangup = addressing.Actor{Kind: addressing.System, ID: "sighup"}

// customer dials the daemon from an address of its own and announces
// 203.0.113.0/24 as AS 64666.
func customer(t *testing.T, w *onWire, address string) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: time.Second}
	try := func() error {
		c, err := d.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", w.guard.Port()))
		if err != nil {
			return err
		}
		open, err := wire.NewOpen(64666, 90, netip.MustParseAddr("192.0.2.66"), wire.Capabilities{wire.MultiprotocolCapability(wire.IPv4Unicast)}).Append(nil)
		if err != nil {
			return err
		}
		if _, err = c.Write(wire.AppendKeepalive(open)); err == nil {
			r := wire.NewReader(bufio.NewReader(c))
			for range 2 {
				var m wire.Message
				if m, err = r.ReadMessage(); err != nil || m.Type == wire.TypeNotification {
					c.Close()
					return fmt.Errorf("%s, %w", m.Type, err)
				}
			}
			_, err = c.Write(hostile.Update(hostile.Origin, hostile.ASPath, hostile.NextHop))
		}
		if err != nil {
			c.Close()
			return err
		}
		t.Cleanup(func() { c.Close() })
		return nil
	}
	var last error
	w.until("the customer's session", func() bool { last = try(); return last == nil })
}

// TestSignalsFromANeighborThatCame: a customer's session with receive control is
// added while the daemon runs, and what it announces is advertised; it is removed
// again, and nothing is withdrawn. No other session notices.
func TestSignalsFromANeighborThatCame(t *testing.T) {
	a := listen(t, "transit-a", "127.0.0.46", 64510)
	const head = "  listen: ['127.0.0.1:0']\n  drain: {prefixes: 0s}\n  neighbors:\n"
	transit := a.entry("asn: 64510, role: customer")
	w := startDaemon(t, head+transit)
	r, ctx := w.registry.Load(), t.Context()
	w.advertise("198.51.100.0/24")
	p, _, err := r.CreatePrefix(ctx, w.by(), addressing.NewPrefix{AccountID: w.account.ID, CIDR: netip.MustParsePrefix("203.0.113.0/24"), ASN: 64666})
	if err == nil {
		_, _, err = r.ApprovePrefix(ctx, w.by(), p.ID, []string{addressing.RiskUnverified})
	}
	if err == nil {
		_, _, err = r.CreateBinding(ctx, w.by(), addressing.NewBinding{PrefixID: p.ID, CIDR: p.CIDR, ServiceID: w.service.ID})
	}
	if err == nil {
		_, _, err = r.EditPrefix(ctx, w.by(), p.ID, addressing.PrefixPatch{Control: new(addressing.ControlBGP)})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.until("the other prefix", func() bool { return a.Held() == 1 })

	signals := func(account string) string {
		return "    - {name: acme, address: 127.0.0.47, passive: true, asn: 64666, role: provider, families: [ipv4-unicast], next_hop: {ipv4: 192.0.2.1}, receive: control, account: '" + account + "'}\n"
	}
	apply := func(bgp string) error {
		w.configure(bgp)
		_, err := configuration{w.daemon}.takeOver(ctx, hangup, "SIGHUP", "")
		return err
	}
	if err := apply(head + transit + signals(w.account.ID)); err != nil {
		t.Fatal(err)
	}
	customer(t, w, "127.0.0.47")
	w.until("the signalled prefix", func() bool { return a.Held() == 2 })

	other := strings.Repeat("f", 32)
	if err := apply(head + transit + signals(other)); addressing.CodeOf(err) != addressing.CodeRefused || !strings.Contains(err.Error(), "another account") {
		t.Errorf("for another account: %v", err)
	}
	if err := apply(head + transit); err != nil {
		t.Fatal(err)
	}
	if n := len(w.control.Risks()); n != 0 {
		t.Errorf("a session that is gone on purpose is missed: %q", w.control.Risks())
	}
	if n := a.Counters(); a.Held() != 2 || n.Removed() != 0 || n.SessionsUp != 1 {
		t.Errorf("the other neighbor holds %d: %+v", a.Held(), n)
	}
}

// TestReloadRefusesBeforeItBegins: a file whose plan the breaker would not let
// through is called so by the plan, and changes nothing when it is applied.
func TestReloadRefusesBeforeItBegins(t *testing.T) {
	a := listen(t, "transit-a", "127.0.0.48", 64510)
	entry := a.entry("asn: 64510, role: customer")
	w := startDaemon(t, "  neighbors:\n"+entry)
	const routes = 25 // more than one step may take away
	for i := range routes {
		w.advertise(fmt.Sprintf("10.9.%d.0/24", i))
	}
	w.until("all prefixes", func() bool { return a.Held() == routes })
	w.configure("  neighbors:\n" + strings.Replace(entry, "role: customer", "role: customer, communities: ['65535:65281']", 1)) // NO_EXPORT
	for range 2 {
		d, err := configuration{w.daemon}.Plan(t.Context())
		if err != nil || !strings.Contains(heldBy(d), "prefixes down, the limit is") && !strings.Contains(heldBy(d), "takes 25 routes away") {
			t.Errorf("planned: %v, %q", err, heldBy(d))
		}
	}
	if _, err := (configuration{w.daemon}).takeOver(t.Context(), hangup, "SIGHUP", ""); addressing.CodeOf(err) != addressing.CodeHeld {
		t.Errorf("applied: %v", err)
	}
	if n := a.Counters(); n.Announced != routes || n.Removed() != 0 {
		t.Errorf("the neighbor was told: %+v", n)
	}
}
