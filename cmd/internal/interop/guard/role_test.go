//go:build interop && linux

package guard

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	session "github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/policy"
)

// trio is one of each daemon; session i of each is with our address at[i], in
// the role roles[i] of theirs.
type trio struct {
	frr, bird, open *lab.Host
	f               *lab.FRR
	b               *lab.BIRD
	o               *lab.OpenBGPD
}

type end struct {
	at     netip.Addr // ours
	theirs policy.Role
}

func startTrio(l *lab.Lab, ends []end) trio {
	x := trio{frr: l.Host("frr"), bird: l.Host("bird"), open: l.Host("openbgpd")}
	frr := &strings.Builder{}
	fmt.Fprintf(frr, "router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n", asFRR, x.frr.Addr4)
	bird := &strings.Builder{}
	fmt.Fprintf(bird, "router id %s;\n", x.bird.Addr4)
	open := &strings.Builder{}
	fmt.Fprintf(open, "AS %d\nrouter-id %s\nlisten on %s\nlisten on %s\nholdtime 9\nconnect-retry 3\nallow from any\nallow to any\n",
		asOpenBGPD, x.open.Addr4, x.open.Addr4, x.open.Addr6)
	six := &strings.Builder{}
	for i, e := range ends {
		names := roleNames[e.theirs]
		fmt.Fprintf(frr, " neighbor %s remote-as %d\n neighbor %[1]s local-role %[3]s\n neighbor %[1]s timers 3 9\n neighbor %[1]s timers connect 1\n", e.at, ourASN, names[0])
		local := x.bird.Addr4
		if e.at.Is6() {
			local = x.bird.Addr6
			fmt.Fprintf(frr, " neighbor %s update-source %s\n", e.at, x.frr.Addr6)
		}
		fmt.Fprintf(six, "  neighbor %s activate\n", e.at)
		fmt.Fprintf(bird, `protocol bgp s%d { strict bind yes; local %s as %d; neighbor %s as %d; local role %s;
  hold time 9; keepalive time 3; connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export none; }; ipv6 { import all; export none; }; }
`, i, local, asBIRD, e.at, ourASN, names[1])
		fmt.Fprintf(open, "neighbor %s {\n remote-as %d\n announce policy %s\n announce IPv4 unicast\n announce IPv6 unicast\n}\n", e.at, ourASN, names[2])
	}
	fmt.Fprintf(frr, " address-family ipv4 unicast\n%s exit-address-family\n address-family ipv6 unicast\n%[1]s exit-address-family\n", six)
	x.f, x.b, x.o = x.frr.FRR(frr.String()), x.bird.BIRD(bird.String()), x.open.OpenBGPD(open.String())
	return x
}

// neighbors are the trio's daemons towards one end.
func (x trio) neighbors(l *lab.Lab, e end, ours policy.Role) []gobgp.Neighbor {
	var out []gobgp.Neighbor
	for _, d := range []struct {
		name string
		host *lab.Host
		asn  uint32
	}{{"frr", x.frr, asFRR}, {"bird", x.bird, asBIRD}, {"openbgpd", x.open, asOpenBGPD}} {
		address := d.host.Addr4
		if e.at.Is6() {
			address = d.host.Addr6
		}
		n := neighborOf(l, d.name, address, d.asn, ours)
		n.LocalAddress = e.at
		out = append(out, n)
	}
	return out
}

// Every pair of roles with each of the three, over IPv4 and over IPv6: the five
// that fit come up, in strict mode, and show the neighbor's role; the twenty
// others end with 2/11.
func TestRoleMatrix(t *testing.T) {
	for name, at := range map[string]func(i int) netip.Addr{
		"IPv4": func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 99, 0, byte(100 + i)}) },
		"IPv6": func(i int) netip.Addr {
			a := lab.Net6.Addr().As16()
			a[14], a[15] = 1, byte(i+1)
			return netip.AddrFrom16(a)
		},
	} {
		t.Run(name, func(t *testing.T) { roleMatrix(t, at) })
	}
}

func roleMatrix(t *testing.T, at func(i int) netip.Addr) {
	l := lab.New(t)
	type pair struct {
		end
		ours policy.Role
	}
	var pairs []pair
	var ends []end
	for _, ours := range policy.Roles() {
		for _, theirs := range policy.Roles() {
			e := end{at: at(len(ends)), theirs: theirs}
			l.Address(e.at)
			ends, pairs = append(ends, e), append(pairs, pair{e, ours})
		}
	}
	x := startTrio(l, ends)
	guards := make([]*session.Guard, len(pairs))
	events := make([]*seen, len(pairs))
	for i, p := range pairs {
		events[i] = &seen{}
		cfg := gobgp.Config{Neighbors: x.neighbors(l, p.end, p.ours), Events: events[i].add}
		for j := range cfg.Neighbors {
			cfg.Neighbors[j].StrictRole = true
		}
		guards[i] = start(t, cfg)
	}
	names := []string{"frr", "bird", "openbgpd"}
	for i, p := range pairs {
		fits := policy.RolesMatch(p.ours, p.theirs)
		for _, name := range names {
			l.Eventually(coming, func() error {
				s := status(t, guards[i], name)
				switch {
				case fits && s.State == bgp.Established && s.RemoteRole == p.theirs:
					return nil
				case !fits && strings.Contains(s.LastError, "2/11"):
					return nil
				}
				return fmt.Errorf("%s: we are %s, they are %s: %s, %s, %q", name, p.ours, p.theirs, s.State, s.RemoteRole, s.LastError)
			})
		}
	}
	time.Sleep(3 * time.Second) // what must not come up had its chance
	for i, p := range pairs {
		for _, name := range names {
			events[i].mu.Lock()
			up := 0
			for _, e := range events[i].events {
				if e.Kind == bgp.SessionUp && e.Neighbor == name {
					up++
				}
			}
			events[i].mu.Unlock()
			if want := policy.RolesMatch(p.ours, p.theirs); (up > 0) != want {
				t.Errorf("%s: we are %s, they are %s: session came up %d times", name, p.ours, p.theirs, up)
			}
		}
	}
}

// FRR and BIRD show our OTC where we are provider or peer; a provider of ours
// gets none and takes the routes; over IPv4 and over IPv6.
func TestOTCIsShown(t *testing.T) {
	for _, c := range []struct {
		ours policy.Role
		otc  uint32
	}{{policy.RoleProvider, ourASN}, {policy.RolePeer, ourASN}, {policy.RoleCustomer, 0}} {
		t.Run(c.ours.String(), func(t *testing.T) {
			l := lab.New(t)
			ends := []end{{l.Addr4, c.ours.Counterpart()}, {l.Addr6, c.ours.Counterpart()}}
			x := startTrio(l, ends)
			for _, e := range ends {
				g := start(t, gobgp.Config{Neighbors: x.neighbors(l, e, c.ours)})
				l.Eventually(coming, func() error { return established(t, g, "frr", "bird", "openbgpd") })
				for name, table := range map[string]func(addressing.Family) (lab.Routes, error){"frr": x.f.Routes, "bird": x.b.Routes, "openbgpd": x.o.Routes} {
					for family, want := range map[addressing.Family][]netip.Prefix{addressing.IPv4: routes4, addressing.IPv6: routes6} {
						l.Eventually(coming, func() error {
							all, err := table(family)
							if err != nil {
								return err
							}
							held := all.From(e.at)
							if len(held) != len(want) {
								return fmt.Errorf("%s holds %d routes of %s from %s, want %d", name, len(held), family, e.at, len(want))
							}
							for _, p := range want {
								if r := held[p]; r.OTC != c.otc || len(r.Path) != 1 || r.Path[0] != ourASN {
									return fmt.Errorf("%s: %s from %s has OTC %d and path %v, want OTC %d", name, p, e.at, r.OTC, r.Path, c.otc)
								}
							}
							return nil
						})
					}
				}
				n, err := x.f.Neighbor(e.at)
				if err != nil {
					t.Fatal(err)
				}
				if n.LocalRole == "" || n.RemoteRole == "" {
					t.Errorf("FRR shows roles %q and %q", n.LocalRole, n.RemoteRole)
				}
			}
		})
	}
}

// Strict mode refuses a neighbor without a role; loose mode takes it.
func TestSilentNeighbor(t *testing.T) {
	for _, c := range []struct {
		name  string
		asn   uint32
		start func(l *lab.Lab, h *lab.Host)
	}{
		{"frr", asFRR, func(l *lab.Lab, h *lab.Host) {
			h.FRR(fmt.Sprintf("router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n neighbor %s remote-as %d\n neighbor %[3]s timers connect 1\n",
				asFRR, h.Addr4, l.Addr4, ourASN))
		}},
		{"bird", asBIRD, func(l *lab.Lab, h *lab.Host) {
			h.BIRD(fmt.Sprintf(`router id %s;
protocol bgp silent { strict bind yes; local %[1]s as %d; neighbor %s as %d; connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export none; }; }
`, h.Addr4, asBIRD, l.Addr4, ourASN))
		}},
		{"openbgpd", asOpenBGPD, func(l *lab.Lab, h *lab.Host) {
			h.OpenBGPD(fmt.Sprintf("AS %d\nrouter-id %s\nlisten on %[2]s\nconnect-retry 3\nallow from any\nneighbor %s {\n remote-as %d\n announce policy no\n}\n",
				asOpenBGPD, h.Addr4, l.Addr4, ourASN))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab.New(t)
			h := l.Host(c.name)
			c.start(l, h)
			loose := neighborOf(l, c.name, h.Addr4, c.asn, policy.RoleProvider)
			strict := loose
			strict.StrictRole = true
			// Loose first: a refused OpenBGPD stays idle for longer than a test waits.
			g := start(t, gobgp.Config{Neighbors: []gobgp.Neighbor{loose}})
			l.Eventually(coming, func() error { return established(t, g, c.name) })
			if s := status(t, g, c.name); s.RemoteRole != policy.NoRole {
				t.Errorf("a silent neighbor has role %s", s.RemoteRole)
			}
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			g = start(t, gobgp.Config{Neighbors: []gobgp.Neighbor{strict}})
			l.Eventually(coming, func() error {
				if s := status(t, g, c.name); !strings.Contains(s.LastError, "2/11") || s.Tally.Ups > 0 {
					return fmt.Errorf("%s, %d times up, %q", s.State, s.Tally.Ups, s.LastError)
				}
				return nil
			})
		})
	}
}
