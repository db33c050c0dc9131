//go:build interop && linux

package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os/user"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

func TestMain(m *testing.M) { Main(m) }

const (
	asFRR, asBIRD, asOpenBGPD = 64511, 65551, 64510
)

// FRR is the provider of BIRD and of OpenBGPD. BIRD originates two routes of
// each family with every attribute that Route knows.
func threeDaemons(l *Lab) (*FRR, *BIRD, *OpenBGPD) {
	frr, bird, open := l.Host("frr"), l.Host("bird"), l.Host("openbgpd")
	for _, h := range []*Host{frr, open} {
		h.Reach(netip.MustParsePrefix("192.0.2.0/24"))
	}
	f := frr.FRR(fmt.Sprintf(`
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 bgp disable-ebgp-connected-route-check
 neighbor %s remote-as %d
 neighbor %[3]s local-role provider
 neighbor %[3]s timers 3 9
 neighbor %[3]s timers connect 1
 neighbor %[5]s remote-as %d
 neighbor %[5]s local-role provider
 neighbor %[5]s timers 3 9
 neighbor %[5]s timers connect 1
 address-family ipv6 unicast
  neighbor %[3]s activate
  neighbor %[5]s activate
 exit-address-family
`, asFRR, frr.Addr4, bird.Addr4, asBIRD, open.Addr6, asOpenBGPD))
	b := bird.BIRD(fmt.Sprintf(`
router id %s;
protocol static own4 { ipv4; route 8.8.8.0/24 blackhole; route 9.9.9.0/24 blackhole; }
protocol static own6 { ipv6; route 2620:fe::/48 blackhole; }
filter tagged {
  bgp_path.prepend(%d); bgp_med = 7;
  bgp_community.add((64500, 1)); bgp_community.add((64500, 2));
  bgp_large_community.add((64500, 1, 2));
  if net ~ [ 8.8.8.0/24 ] then bgp_next_hop = 192.0.2.1;
  accept;
}
protocol bgp upstream {
  local as %[2]d; neighbor %s as %d; local role customer;
  hold time 9; keepalive time 3; connect retry time 1; connect delay time 1;
  ipv4 { import all; export filter tagged; };
  ipv6 { import all; export filter tagged; };
}
`, bird.Addr4, asBIRD, frr.Addr4, asFRR))
	o := open.OpenBGPD(fmt.Sprintf(`
AS %d
router-id %s
listen on %s
holdtime 9
connect-retry 3
neighbor %s {
	remote-as %d
	announce policy customer
	announce IPv4 unicast
	announce IPv6 unicast
}
allow from any
allow to any
`, asOpenBGPD, open.Addr4, open.Addr6, frr.Addr6, asFRR))
	l.Eventually(patience, func() error {
		return errors.Join(f.Established(bird.Addr4), f.Established(open.Addr6), b.Established("upstream"), o.Established(frr.Addr6))
	})
	return f, b, o
}

// The lab proves itself: what one daemon originates, the others hold with all
// its attributes, and a withdrawal is seen on the wire and in the table.
func TestLab(t *testing.T) {
	l := New(t)
	f, b, o := threeDaemons(l)
	bird4, bird6 := addr(Net4, 3), addr(Net6, 3)
	eight, nine, six := netip.MustParsePrefix("8.8.8.0/24"), netip.MustParsePrefix("9.9.9.0/24"), netip.MustParsePrefix("2620:fe::/48")

	l.Eventually(patience, func() error {
		n4, err4 := f.Count(addressing.IPv4, bird4)
		n6, err6 := f.Count(addressing.IPv6, bird4)
		if n4 != 2 || n6 != 1 {
			return fmt.Errorf("FRR holds %d and %d routes, want 2 and 1 (%w)", n4, n6, errors.Join(err4, err6))
		}
		return errors.Join(err4, err6)
	})
	med := uint32(7)
	want := Route{
		Neighbor: bird4, Path: []uint32{asBIRD, asBIRD}, Origin: "igp", MED: &med,
		Communities: []string{"64500:1", "64500:2"}, LargeCommunities: []string{"64500:1:2"}, Best: true,
	}
	for family, hops := range map[addressing.Family]map[netip.Prefix]netip.Addr{
		addressing.IPv4: {eight: netip.MustParseAddr("192.0.2.1"), nine: bird4},
		addressing.IPv6: {six: bird6},
	} {
		wanted := map[netip.Prefix]Route{}
		for prefix, hop := range hops {
			r := want
			r.Prefix, r.NextHop = prefix, hop
			wanted[prefix] = r
		}
		// FRR selects a route only when zebra has found its next hop.
		l.Eventually(patience, func() error {
			routes, err := f.Routes(family)
			if err != nil {
				return err
			}
			return differ("FRR", wanted, routes.From(bird4))
		})
	}

	// FRR adds OTC towards a customer, and its own AS.
	l.Eventually(patience, func() error {
		routes, err := o.Routes(addressing.IPv4)
		if err != nil {
			return err
		}
		got := routes.From(addr(Net6, 2))[nine]
		wanted := Route{
			Prefix: nine, Neighbor: addr(Net6, 2), NextHop: got.NextHop, Path: []uint32{asFRR, asBIRD, asBIRD}, Origin: "igp",
			Communities: want.Communities, LargeCommunities: want.LargeCommunities, OTC: asFRR, Best: true,
		}
		return differ("OpenBGPD", wanted, got, cmpopts.IgnoreFields(Route{}, "MED", "LocalPref"))
	})

	before, err := f.Updates()
	if err != nil {
		t.Fatal(err)
	}
	if lost := Withdrawn(before); len(lost) != 0 {
		t.Errorf("FRR has seen withdrawals of %s before there was one", lost)
	}
	if _, err := b.Show("disable own4"); err != nil {
		t.Fatal(err)
	}
	l.Eventually(patience, func() error {
		n, err := f.Count(addressing.IPv4, bird4)
		if n != 0 {
			return fmt.Errorf("FRR still holds %d routes", n)
		}
		return err
	})
	l.Eventually(patience, func() error {
		updates, err := f.Updates()
		if err != nil {
			return err
		}
		lost := Withdrawn(updates[len(before):])
		slices.SortFunc(lost, netip.Prefix.Compare)
		return differ("withdrawn", []netip.Prefix{eight, nine}, lost)
	})
}

// BIRD's output is text; the lab reads it as well as FRR's.
func TestLabReadsBIRD(t *testing.T) {
	l := New(t)
	frr, bird := l.Host("frr"), l.Host("bird")
	f := frr.FRR(fmt.Sprintf(`
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor %s remote-as %d
 neighbor %[3]s local-role provider
 neighbor %[3]s timers 3 9
 neighbor %[3]s timers connect 1
 address-family ipv4 unicast
  network 8.8.8.0/24 route-map TAG
 exit-address-family
 address-family ipv6 unicast
  neighbor %[3]s activate
  network 2620:fe::/48 route-map TAG
 exit-address-family
exit
route-map TAG permit 10
 set community 64500:1 64500:2
 set large-community 64500:1:2
 set metric 7
 set origin incomplete
exit
`, asFRR, frr.Addr4, bird.Addr4, asBIRD))
	b := bird.BIRD(fmt.Sprintf(`
router id %s;
protocol bgp upstream {
  local as %d; neighbor %s as %d; local role customer;
  hold time 9; keepalive time 3; connect retry time 1; connect delay time 1;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
`, bird.Addr4, asBIRD, frr.Addr4, asFRR))
	l.Eventually(patience, func() error {
		return errors.Join(f.Established(bird.Addr4), b.Established("upstream"))
	})
	med, pref := uint32(7), uint32(100)
	for family, want := range map[addressing.Family]Route{
		addressing.IPv4: {Prefix: netip.MustParsePrefix("8.8.8.0/24"), NextHop: frr.Addr4},
		addressing.IPv6: {Prefix: netip.MustParsePrefix("2620:fe::/48"), NextHop: frr.Addr6},
	} {
		want.Neighbor, want.Path, want.Origin, want.MED, want.LocalPref = frr.Addr4, []uint32{asFRR}, "incomplete", &med, &pref
		want.Communities, want.LargeCommunities = []string{"64500:1", "64500:2"}, []string{"64500:1:2"}
		want.OTC, want.Best = asFRR, true
		l.Eventually(patience, func() error {
			if n, err := b.Count(family, "upstream"); n != 1 {
				return fmt.Errorf("BIRD holds %d routes of %s, want 1 (%w)", n, family, err)
			}
			routes, err := b.Routes(family)
			if err != nil {
				return err
			}
			return differ("BIRD", Routes{want.Prefix: {want}}, routes)
		})
	}
	updates, err := b.Updates()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(Advertised(updates)); got != 2 {
		t.Errorf("BIRD's MRT dump has %d prefixes, want 2", got)
	}

	// A silent link ends the session when the hold time is over, and it comes
	// back with the link.
	bird.Silence()
	l.Eventually(patience, func() error {
		if b.Established("upstream") == nil {
			return errors.New("the session outlives its hold time of 9 s")
		}
		return nil
	})
	bird.Plug()
	l.Eventually(patience, func() error { return b.Established("upstream") })
}

// The lab carries the table that the programs are tested with.
func TestLabTable(t *testing.T) {
	rows, err := table.Load()
	if err != nil {
		t.Fatal(err)
	}
	routes := map[addressing.Family]*strings.Builder{addressing.IPv4: {}, addressing.IPv6: {}}
	count := map[addressing.Family]int{}
	for _, r := range rows {
		family := addressing.FamilyOf(r.Prefix)
		fmt.Fprintf(routes[family], "route %s blackhole;\n", r.Prefix)
		count[family]++
	}
	l := New(t)
	frr, bird := l.Host("frr"), l.Host("bird")
	f := frr.FRR(fmt.Sprintf(`
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 neighbor %s remote-as %d
 neighbor %[3]s timers connect 1
 address-family ipv6 unicast
  neighbor %[3]s activate
 exit-address-family
`, asFRR, frr.Addr4, bird.Addr4, asBIRD))
	b := bird.BIRD(fmt.Sprintf(`
router id %s;
protocol static own4 { ipv4; %s }
protocol static own6 { ipv6; %s }
protocol bgp upstream {
  local as %d; neighbor %s as %d;
  connect retry time 1; connect delay time 1;
  ipv4 { import all; export all; };
  ipv6 { import all; export all; };
}
`, bird.Addr4, routes[addressing.IPv4], routes[addressing.IPv6], asBIRD, frr.Addr4, asFRR))
	taken := l.Eventually(patience, func() error {
		for family, want := range count {
			if n, err := f.Count(family, bird.Addr4); n != want {
				return fmt.Errorf("FRR holds %d routes of %s, want %d (%w)", n, family, want, err)
			}
		}
		return nil
	})
	t.Logf("%d routes from start to FRR in %s", len(rows), taken)
	for family, want := range count {
		begun := time.Now()
		held, err := f.Routes(family)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(held.From(bird.Addr4)); got != want {
			t.Errorf("FRR lists %d routes of %s, want %d", got, family, want)
		}
		t.Logf("read %d routes of %s in %s", len(held), family, time.Since(begun))
	}
	updates, err := f.Updates()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(Advertised(updates)); got != len(rows) {
		t.Errorf("FRR's MRT dump has %d prefixes, want %d", got, len(rows))
	}
	if n, err := b.Count(addressing.IPv4, "own4"); n != count[addressing.IPv4] {
		t.Errorf("BIRD counts %d routes of its own, want %d (%v)", n, count[addressing.IPv4], err)
	}
}

// Debian's openbgpd comes without the user it runs as.
func TestLabAccounts(t *testing.T) {
	const name = "lab-nobody"
	if _, err := user.Lookup(name); err == nil {
		t.Fatalf("user %s exists", name)
	}
	if err := overlay("/etc/passwd", name+":x:64180:64180::/:/usr/sbin/nologin\n"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount("/etc/passwd", 0); err != nil {
			t.Error(err)
		}
	})
	if _, err := user.Lookup(name); err != nil {
		t.Error(err)
	}
}

// A killed daemon can be told from a running one.
func TestLabKill(t *testing.T) {
	l := New(t)
	d := l.Host("alone").Start("sleeper", "sleep", "60")
	if err := d.Ended(); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	if d.Ended() == nil {
		t.Error("a killed daemon counts as running")
	}
	if taken := l.Eventually(time.Second, func() error { return nil }); taken > time.Second {
		t.Errorf("waited %s for nothing", taken)
	}
}

func differ(who string, want, got any, opts ...cmp.Option) error {
	opts = append(opts, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }))
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		return fmt.Errorf("%s (-want +got):\n%s", who, diff)
	}
	return nil
}
