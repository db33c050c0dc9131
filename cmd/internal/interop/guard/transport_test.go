//go:build interop && linux

package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/policy"
)

const key = "key-of-both-sides"

// frrTo is FRR's configuration towards one address of ours.
func frrTo(h *lab.Host, at netip.Addr, more ...string) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n neighbor %s remote-as %d\n neighbor %[3]s local-role customer\n neighbor %[3]s timers 3 9\n neighbor %[3]s timers connect 1\n",
		asFRR, h.Addr4, at, ourASN)
	for _, line := range more {
		fmt.Fprintf(b, " neighbor %s %s\n", at, line)
	}
	fmt.Fprintf(b, " address-family ipv6 unicast\n  neighbor %s activate\n exit-address-family\n address-family ipv4 unicast\n  neighbor %[1]s activate\n exit-address-family\n", at)
	return b.String()
}

// MD5 and TTL security with FRR, over IPv4 and IPv6, with either side dialing.
func TestTransportWithFRR(t *testing.T) {
	for _, six := range []bool{false, true} {
		for _, dials := range []bool{true, false} {
			for _, c := range []struct {
				name string
				frr  []string
				ours func(*gobgp.Neighbor)
			}{
				{"plain", nil, func(*gobgp.Neighbor) {}},
				{"md5", []string{"password " + key}, func(n *gobgp.Neighbor) { n.MD5 = key }},
				{"ttl security", []string{"ttl-security hops 1"}, func(n *gobgp.Neighbor) { n.TTLSecurity = true }},
				{"md5 and ttl security", []string{"password " + key, "ttl-security hops 1"}, func(n *gobgp.Neighbor) { n.MD5, n.TTLSecurity = key, true }},
			} {
				t.Run(fmt.Sprintf("%s, six %v, we dial %v", c.name, six, dials), func(t *testing.T) {
					l := lab.New(t)
					h := l.Host("frr")
					ours, theirs := l.Addr4, h.Addr4
					lines := c.frr
					if six {
						ours, theirs = l.Addr6, h.Addr6
						lines = append([]string{"update-source " + h.Addr6.String()}, lines...)
					}
					if dials {
						lines = append(lines, "passive")
					}
					f := h.FRR(frrTo(h, ours, lines...))
					n := neighborOf(l, "frr", theirs, asFRR, policy.RoleProvider)
					n.LocalAddress, n.Passive = ours, !dials
					c.ours(&n)
					g := start(t, gobgp.Config{Listen: []netip.AddrPort{netip.AddrPortFrom(ours, 179)}, Neighbors: []gobgp.Neighbor{n}})
					l.Eventually(coming, func() error { return errors.Join(established(t, g, "frr"), f.Established(ours)) })
					l.Eventually(coming, func() error {
						n4, err := f.Count(addressing.IPv4, ours)
						n6, err6 := f.Count(addressing.IPv6, ours)
						if n4 != len(routes4) || n6 != len(routes6) {
							return fmt.Errorf("FRR holds %d and %d routes (%w)", n4, n6, errors.Join(err, err6))
						}
						return nil
					})
				})
			}
		}
	}
}

// A wrong key gets no session.
func TestTransportRefuses(t *testing.T) {
	l := lab.New(t)
	h := l.Host("frr")
	f := h.FRR(frrTo(h, l.Addr4, "password another-key"))
	n := neighborOf(l, "frr", h.Addr4, asFRR, policy.RoleProvider)
	n.MD5 = key
	g := start(t, gobgp.Config{Listen: []netip.AddrPort{netip.AddrPortFrom(l.Addr4, 179)}, Neighbors: []gobgp.Neighbor{n}})
	time.Sleep(5 * time.Second)
	if established(t, g, "frr") == nil || f.Established(l.Addr4) == nil {
		t.Error("a session came up with different keys")
	}
}

// Both sides dial and listen, and FRR resets the session again and again: there
// is one session in the end each time, and the whole table on it.
func TestSimultaneousOpens(t *testing.T) {
	l := lab.New(t)
	h := l.Host("frr")
	f := h.FRR(frrTo(h, l.Addr4))
	n := neighborOf(l, "frr", h.Addr4, asFRR, policy.RoleProvider)
	n.ConnectRetry = 100 * time.Millisecond
	g := start(t, gobgp.Config{Listen: []netip.AddrPort{netip.AddrPortFrom(l.Addr4, 179)}, Neighbors: []gobgp.Neighbor{n}})
	for i := range 20 {
		l.Eventually(coming, func() error {
			got, err := f.Count(addressing.IPv4, l.Addr4)
			if got != len(routes4) {
				return fmt.Errorf("round %d: FRR holds %d routes (%w)", i, got, errors.Join(err, established(t, g, "frr")))
			}
			return errors.Join(err, established(t, g, "frr"), f.Established(l.Addr4))
		})
		if _, err := f.Show("clear bgp *"); err != nil {
			t.Fatal(err)
		}
	}
	l.Eventually(coming, func() error { return errors.Join(established(t, g, "frr"), f.Established(l.Addr4)) })
}

// A link that goes silent ends the session when the hold time is over, and it
// comes back with the whole table.
func TestHoldTimer(t *testing.T) {
	l := lab.New(t)
	h := l.Host("frr")
	f := h.FRR(frrTo(h, l.Addr4))
	events := &seen{}
	g := start(t, gobgp.Config{Neighbors: []gobgp.Neighbor{neighborOf(l, "frr", h.Addr4, asFRR, policy.RoleProvider)}, Events: events.add})
	l.Eventually(coming, func() error { return established(t, g, "frr") })
	h.Silence()
	taken := l.Eventually(coming, func() error {
		if established(t, g, "frr") == nil {
			return errors.New("the session outlives its hold time of 9 s")
		}
		return nil
	})
	t.Logf("down after %s", taken)
	if whys := events.whys(bgp.SessionDown, "frr"); len(whys) != 1 || !strings.Contains(whys[0], "hold timer") {
		t.Errorf("down because of %q", whys)
	}
	h.Plug()
	l.Eventually(coming, func() error {
		got, err := f.Count(addressing.IPv4, l.Addr4)
		if got != len(routes4) {
			return fmt.Errorf("FRR holds %d routes", got)
		}
		return errors.Join(err, established(t, g, "frr"))
	})
}

// TTL security (RFC 5082) takes nothing from behind a router: what arrives with
// a TTL of 254 is not a neighbor on the link, whatever its address. Without it
// the same neighbor is let in, so that the refusal is seen to be the TTL's.
func TestTTLSecurityRefusesAFarNeighbor(t *testing.T) {
	l := lab.New(t)
	router, far := l.Host("router"), l.Host("far")
	near, beyond := netip.MustParseAddr("10.98.0.1"), netip.MustParseAddr("10.98.0.2")
	far.Unplug() // its only way is through the router
	for _, c := range []struct {
		on   *lab.Host
		args []string
	}{
		{router, []string{"link", "add", "inner", "type", "veth", "peer", "name", "outer", "netns", "far"}},
		{router, []string{"addr", "add", near.String() + "/24", "dev", "inner"}},
		{router, []string{"link", "set", "inner", "up"}},
		{far, []string{"addr", "add", beyond.String() + "/24", "dev", "outer"}},
		{far, []string{"link", "set", "outer", "up"}},
		{far, []string{"route", "add", "default", "via", near.String()}},
		{far, []string{"addr", "flush", "dev", "eth0"}},
	} {
		if _, err := c.on.Exec("ip", c.args...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := router.Exec("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "route", "add", "10.98.0.0/24", "via", router.Addr4.String()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f := far.FRR(frrTo(far, l.Addr4, "ebgp-multihop 255", "disable-connected-check"))
	n := neighborOf(l, "far", beyond, asFRR, policy.RoleProvider)
	secure := n
	secure.TTLSecurity = true
	g := start(t, gobgp.Config{Listen: []netip.AddrPort{netip.AddrPortFrom(l.Addr4, 179)}, Neighbors: []gobgp.Neighbor{secure}})
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if established(t, g, "far") == nil || f.Established(l.Addr4) == nil {
			t.Fatal("a neighbor behind a router got a session in spite of TTL security")
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	n.Multihop = 2
	g = start(t, gobgp.Config{Listen: []netip.AddrPort{netip.AddrPortFrom(l.Addr4, 179)}, Neighbors: []gobgp.Neighbor{n}})
	l.Eventually(coming, func() error { return errors.Join(established(t, g, "far"), f.Established(l.Addr4)) })
}
