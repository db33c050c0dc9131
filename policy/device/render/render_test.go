package render_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
	"github.com/holdfast-bgp/holdfast/policy/device/render"
)

var update = flag.Bool("update", false, "write the golden files anew")

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// sides are the routers of the golden files.
func sides() map[string]render.Side {
	one := func(speaker, local string, f ...addressing.Family) render.Session {
		return render.Session{Speaker: netip.MustParseAddr(speaker), Local: netip.MustParseAddr(local), ASN: 64500, Families: f, HoldTime: 90 * time.Second}
	}
	large := policy.LargeCommunity{Global: 64500, Local1: 9235, Local2: 1}
	ranges := prefixes("198.51.96.0/22", "198.51.96.0/24", "203.0.113.0/24", "2001:db8:100::/44")
	private := one("192.0.2.10", "192.0.2.1", addressing.IPv4, addressing.IPv6)
	private.Multihop, private.MD5 = 4, true
	return map[string]render.Side{
		"plain": {Title: "ams-r1", ASN: 64500, Large: large, Prefixes: ranges,
			Sessions: []render.Session{one("192.0.2.10", "192.0.2.1", addressing.IPv4), one("2001:db8::10", "2001:db8::1", addressing.IPv6)}},
		"reflector": {Title: "rr1", ASN: 64500, Large: large, Prefixes: ranges, Reflector: true,
			Sessions: []render.Session{one("192.0.2.10", "192.0.2.2", addressing.IPv4, addressing.IPv6), one("192.0.2.11", "192.0.2.2", addressing.IPv4, addressing.IPv6)}},
		"private": {Title: "fra-r1", ASN: 65001, Standard: 64500<<16 | 666, Prefixes: ranges, Sessions: []render.Session{private}},
		"nothing": {Title: "new", ASN: 64500, Large: large, Sessions: []render.Session{one("192.0.2.10", "192.0.2.1", addressing.IPv4, addressing.IPv6)}},
	}
}

var systems = map[string]struct {
	render  func(render.Side) (string, error)
	dialect device.Dialect
	transit string // sessions with a transit and a customer, by the policies that were written
}{
	"frr": {render.FRR, device.FRR, `!
router bgp %[1]d
 neighbor 198.18.0.1 remote-as 64666
 neighbor 198.18.0.1 description transit
 neighbor 2001:db8:ffff::1 remote-as 64666
 address-family ipv4 unicast
  neighbor 198.18.0.1 activate
  neighbor 198.18.0.1 maximum-prefix-out 1000
  neighbor 198.18.0.1 route-map HOLDFAST-NONE in
  neighbor 198.18.0.1 route-map HOLDFAST-EXPORT out
  no neighbor 2001:db8:ffff::1 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor 2001:db8:ffff::1 activate
  neighbor 2001:db8:ffff::1 maximum-prefix-out 1000
  neighbor 2001:db8:ffff::1 route-map HOLDFAST-NONE in
  neighbor 2001:db8:ffff::1 route-map HOLDFAST-EXPORT out
 exit-address-family
exit
`},
	"junos": {render.Junos, device.Junos, `set protocols bgp group transit type external
set protocols bgp group transit peer-as 64666
set protocols bgp group transit import HOLDFAST-STRIP
set protocols bgp group transit export HOLDFAST-EXPORT
set protocols bgp group transit neighbor 198.18.0.1 family inet unicast prefix-limit maximum 1000
set protocols bgp group transit neighbor 2001:db8:ffff::1 family inet6 unicast prefix-limit maximum 1000
`},
}

func TestGolden(t *testing.T) {
	for name, side := range sides() {
		for system, s := range systems {
			t.Run(name+"/"+system, func(t *testing.T) {
				got, err := s.render(side)
				if err != nil {
					t.Fatal(err)
				}
				golden := "testdata/" + name + "." + system
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// check lints what a router would have with the session to a transit.
func check(t interface{ Fatalf(string, ...any) }, system, text string, asn uint32) *lint.Result {
	s := systems[system]
	more := s.transit
	if strings.Contains(more, "%") {
		more = fmt.Sprintf(more, asn)
	}
	cfg, found := frontend.Parse(s.dialect, device.Input{Path: "edge." + system, Data: []byte(text + more)})
	if !found || cfg.Broken {
		t.Fatalf("%s does not read it: %+v", system, cfg)
	}
	d, err := lint.Declare([]byte("version: 1\nroles:\n  - {role: provider, asns: [64666]}\n  - {role: ibgp, neighbors: [192.0.2.10]}\n"))
	if err != nil {
		t.Fatalf("declaration: %v", err)
	}
	return d.Check(cfg)
}

// TestLintProvesItClean: with a transit behind the export policy, nothing
// leaks; with the marker's match taken out of the export, the same check finds
// the leak.
func TestLintProvesItClean(t *testing.T) {
	for name, side := range sides() {
		for system, s := range systems {
			t.Run(name+"/"+system, func(t *testing.T) {
				text, err := s.render(side)
				if err != nil {
					t.Fatal(err)
				}
				res := check(t, system, text, side.ASN)
				for _, f := range res.Findings {
					t.Errorf("%s %s: %s", f.Rule, f.Severity, f.Message)
				}
				if res.Judged == 0 || res.Judged != res.Clean {
					t.Errorf("%d of %d external sessions are clean", res.Clean, res.Judged)
				}
			})
		}
	}
}

// loosen takes the conditions out of the export policy.
func loosen(text string) string {
	var out []string
	within := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "route-map ") {
			within = strings.HasPrefix(line, "route-map HOLDFAST-EXPORT permit")
		}
		if within && strings.HasPrefix(line, " match") || strings.Contains(line, "HOLDFAST-EXPORT") && strings.Contains(line, " from ") {
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}

func TestLintWouldFindALeak(t *testing.T) {
	side := sides()["plain"]
	for system, s := range systems {
		text, err := s.render(side)
		if err != nil {
			t.Fatal(err)
		}
		broken := loosen(text)
		if broken == text {
			t.Fatal("nothing was loosened")
		}
		if res := check(t, system, broken, side.ASN); res.Clean == res.Judged {
			t.Errorf("%s: an export policy without conditions is called clean", system)
		}
	}
}

func TestRefuses(t *testing.T) {
	good := sides()["plain"]
	for name, change := range map[string]func(*render.Side){
		"no asn":      func(s *render.Side) { s.ASN = 0 },
		"no session":  func(s *render.Side) { s.Sessions = nil },
		"no marker":   func(s *render.Side) { s.Large = policy.LargeCommunity{} },
		"two markers": func(s *render.Side) { s.Standard = 1 },
		"no families": func(s *render.Side) {
			s.Sessions = []render.Session{{Speaker: netip.MustParseAddr("192.0.2.1"), ASN: 1}}
		},
		"zero address": func(s *render.Side) {
			s.Sessions = []render.Session{{ASN: 1, Families: []addressing.Family{addressing.IPv4}}}
		},
	} {
		side := good
		change(&side)
		for system, s := range systems {
			if text, err := s.render(side); err == nil || text != "" {
				t.Errorf("%s, %s: rendered", name, system)
			}
		}
	}
}

// TestNoEmptyList: whatever the prefixes are, every list that is referred to
// has entries, and every entry lies inside a prefix that was given.
func TestNoEmptyList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		side := sides()["plain"]
		side.Prefixes = nil
		for range rapid.IntRange(0, 6).Draw(rt, "n") {
			var p netip.Prefix
			if rapid.Bool().Draw(rt, "v6") {
				p = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(rapid.IntRange(0, 3).Draw(rt, "a"))}), rapid.IntRange(34, 56).Draw(rt, "bits")).Masked()
			} else {
				p = netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(rapid.IntRange(0, 255).Draw(rt, "b")), 0}), rapid.IntRange(18, 28).Draw(rt, "bits")).Masked()
			}
			side.Prefixes = append(side.Prefixes, p)
		}
		text, err := render.FRR(side)
		if err != nil {
			rt.Fatal(err)
		}
		for _, list := range []string{"V4", "V6"} {
			if strings.Contains(text, "prefix-list HOLDFAST-"+list+"\n") && !strings.Contains(text, "prefix-list HOLDFAST-"+list+" seq 5 permit") {
				rt.Fatalf("HOLDFAST-%s is used and has no entry:\n%s", list, text)
			}
		}
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) < 7 || f[1] != "prefix-list" {
				continue
			}
			p := netip.MustParsePrefix(f[6])
			inside := false
			for _, given := range side.Prefixes {
				inside = inside || given.Bits() <= p.Bits() && given.Contains(p.Addr())
			}
			if !inside {
				rt.Fatalf("%s was not given: %v", p, side.Prefixes)
			}
		}
		if res := check(rt, "frr", text, side.ASN); res.Clean != res.Judged {
			rt.Fatalf("%+v", res.Findings)
		}
	})
}
