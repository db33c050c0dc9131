package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestFortySites: 40 sites of two routers with a session per family fit in 200
// lines, and every session gets what its router, site and group say.
func TestFortySites(t *testing.T) {
	src, err := os.ReadFile("testdata/sites.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(src, []byte("\n")); n >= 200 {
		t.Errorf("%d lines, want fewer than 200", n)
	}
	c, notices, err := Parse("sites.yaml", "/", src)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.BGP.Neighbors) != 160 || len(c.BGP.Sites) != 40 || len(notices) != 0 {
		t.Fatalf("%d neighbors at %d sites, notices %v", len(c.BGP.Neighbors), len(c.BGP.Sites), notices)
	}
	if err := snapshots.ValidateNetwork(c.Network(nil, nil)); err != nil {
		t.Errorf("snapshots refuse it: %v", err)
	}
	var out strings.Builder
	for _, n := range c.BGP.Neighbors {
		f := n.Families[0]
		m := n.Metrics(f)
		hop := n.NextHop4
		if f == addressing.IPv6 {
			hop = n.NextHop6
		}
		fmt.Fprintf(&out, "%s %s AS%d %s %s %s via %s lp=%s med=%s %v %v\n", n.Name, n.Kind, n.ASN, n.Site, n.Address, f, hop, shown(m.LocalPref), shown(m.MED), m.Standard, m.Large)
	}
	const golden = "testdata/sites.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

func shown(v *uint32) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// with is the contract configuration with one edge in the place of its neighbor.
func with(t *testing.T, more, neighbor string) *Config {
	t.Helper()
	head, _, _ := strings.Cut(contract, "  neighbors:")
	c, _, err := Parse("f.yaml", "/", []byte(head+more+"  neighbors:\n"+neighbor))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEdges(t *testing.T) {
	const families = "families: [ipv4-unicast, ipv6-unicast], next_hop: {ipv4: 192.0.2.1, ipv6: '2001:db8::1'}"
	for _, c := range []struct {
		name, more, neighbor string
		asn, local           uint32
		reflector            bool
		large                []policy.LargeCommunity
		standard             []policy.Community
	}{
		{"plain", "", "kind: edge", 64500, 64500, false, []policy.LargeCommunity{{Global: 64500, Local1: 9235, Local2: 1}}, nil},
		{"reflector", "", "kind: edge, reflector: true", 64500, 64500, true, []policy.LargeCommunity{{Global: 64500, Local1: 9235, Local2: 1}}, nil},
		{"private ebgp", "", "kind: edge, asn: 65001", 65001, 64500, false, []policy.LargeCommunity{{Global: 64500, Local1: 9235, Local2: 1}}, nil},
		{"local as", "", "kind: edge, asn: 65001, local_as: 65000", 65001, 65000, false, []policy.LargeCommunity{{Global: 64500, Local1: 9235, Local2: 1}}, nil},
		{"internal to another as of ours", "", "kind: edge, local_as: 65010", 65010, 65010, false, []policy.LargeCommunity{{Global: 64500, Local1: 9235, Local2: 1}}, nil},
		{"marker", "  edge_marker: 64500:666\n", "kind: edge", 64500, 64500, false, nil, []policy.Community{64500<<16 | 666}},
		{"no marker towards ebgp", "  edge_marker: 64500:666\n", "asn: 64510, role: customer, local_as: 64501", 64510, 64501, false, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := with(t, c.more, "    - {name: r, address: 10.0.0.1, "+c.neighbor+", "+families+"}\n").BGP.Neighbors[0]
			if n.ASN != c.asn || n.LocalASN != c.local || n.Reflector != c.reflector {
				t.Errorf("AS%d, local AS%d, reflector %v", n.ASN, n.LocalASN, n.Reflector)
			}
			if diff := cmp.Diff(c.large, n.Large); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.standard, n.Standard); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNearestWins: the neighbor's word goes before its site's, and that before
// its group's; a family's own word goes before the general one of the same place.
func TestNearestWins(t *testing.T) {
	const more = `  groups:
    - {name: g, kind: edge, med: 1, local_pref: 10, families: [ipv4-unicast, ipv6-unicast], ipv6: {med: 2}, next_hop: {ipv4: 192.0.2.1, ipv6: '2001:db8::1'}}
    - {name: t, asn: 64510, role: customer, med: 1, families: [ipv4-unicast], next_hop: {ipv4: 192.0.2.1}}
  sites:
    - {name: plain}
    - {name: own, med: 5, local_pref: 50, next_hop: {ipv4: 192.0.2.5}}
    - {name: six, ipv6: {med: 6, communities: ["64500:6"]}}
`
	c := with(t, more, `    - {name: a, group: g, site: plain, address: 10.0.0.1}
    - {name: b, group: g, site: own, address: 10.0.0.2}
    - {name: c, group: g, site: six, address: 10.0.0.3}
    - {name: d, group: g, site: six, address: 10.0.0.4, med: 9}
    - {name: e, group: t, site: own, address: 10.0.0.5}
`)
	type seen struct{ med4, med6, pref4, pref6, hop4 string }
	for i, want := range []seen{
		{"1", "2", "10", "10", "192.0.2.1"},
		{"5", "5", "50", "50", "192.0.2.5"},
		{"1", "6", "10", "10", "192.0.2.1"},
		{"9", "9", "10", "10", "192.0.2.1"},
		{"5", "5", "-", "-", "192.0.2.5"}, // no LOCAL_PREF from its site: it is an eBGP neighbor
	} {
		n := c.BGP.Neighbors[i]
		four, six := n.Metrics(addressing.IPv4), n.Metrics(addressing.IPv6)
		got := seen{shown(four.MED), shown(six.MED), shown(four.LocalPref), shown(six.LocalPref), n.NextHop4.String()}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", n.Name, got, want)
		}
	}
}

func TestMaxPrefix(t *testing.T) {
	const more = `  groups:
    - {name: g, kind: edge, families: [ipv4-unicast], next_hop: {ipv4: 192.0.2.1}, max_prefix: {ipv4: 1000}}
  sites:
    - {name: ams, transits: [{name: up-b, max_prefix: {ipv4: 200, ipv6: 20}}, {name: up-a, max_prefix: {ipv6: 10}}]}
`
	c := with(t, more, "    - {name: a, group: g, address: 10.0.0.1}\n    - {name: b, group: g, address: 10.0.0.2, max_prefix: {ipv6: 7}}\n")
	n := c.Network(nil, nil)
	if a, b := n.Neighbors[0].Limit, n.Neighbors[1].Limit; a != (policy.MaxPrefix{IPv4: 1000}) || b != (policy.MaxPrefix{IPv6: 7}) {
		t.Errorf("limits %+v and %+v", a, b)
	}
	want := []snapshots.Transit{{Name: "up-a", Site: "ams", Limit: policy.MaxPrefix{IPv6: 10}}, {Name: "up-b", Site: "ams", Limit: policy.MaxPrefix{IPv4: 200, IPv6: 20}}}
	if diff := cmp.Diff(want, n.Transits); diff != "" {
		t.Error(diff)
	}
	if err := snapshots.ValidateNetwork(n); err != nil {
		t.Errorf("snapshots refuse it: %v", err)
	}
}

func TestSiteRefusals(t *testing.T) {
	for _, c := range []struct {
		name, site string
		want       []string
	}{
		{"no address", "routers: [{name: r1, group: g}]", []string{":11:", "routers[0]: has no address"}},
		{"families crossed", "routers: [{name: r1, group: g, address_ipv4: '2001:db8::1'}]", []string{":11:", "address_ipv4: 2001:db8::1 is of the other family"}},
		{"no next hop", "routers: [{name: r1, group: g, address_ipv4: 10.0.0.1}]", []string{":11:", "routers[0].next_hop.ipv4: is missing"}},
		{"address twice", "next_hop: {ipv4: 192.0.2.1}, routers: [{name: r1, group: g, address_ipv4: 10.0.0.1}, {name: r2, group: g, address_ipv4: 10.0.0.1}]", []string{":11:", "routers[1].address_ipv4", "also the address of r1-v4"}},
		{"name twice", "next_hop: {ipv4: 192.0.2.1}, routers: [{name: r1, group: g, address_ipv4: 10.0.0.1}, {name: r1, group: g, address_ipv4: 10.0.0.2}]", []string{":11:", "\"r1-v4\" is used twice"}},
		{"site of a router", "routers: [{name: r1, site: s, group: g, address_ipv4: 10.0.0.1}]", []string{"routers[0].site", "the site that lists it"}},
		{"unknown group", "group: x, next_hop: {ipv4: 192.0.2.1}, routers: [{name: r1, address_ipv4: 10.0.0.1}]", []string{"routers[0].group", "there is no group \"x\""}},
		{"zero preference", "local_pref: 0, next_hop: {ipv4: 192.0.2.1}, routers: [{name: r1, group: g, address_ipv4: 10.0.0.1}]", []string{"local_pref: 0 is what a drain sets"}},
		{"transit without a limit", "transits: [{name: up}]", []string{":11:", "transits[0].max_prefix: is missing"}},
		{"transit twice", "transits: [{name: up, max_prefix: {ipv4: 5}}, {name: up, max_prefix: {ipv4: 5}}]", []string{"transits[1].name: \"up\" is used twice"}},
		{"prepend inside", "prepend: 2, next_hop: {ipv4: 192.0.2.1}, routers: [{name: r1, group: g, address_ipv4: 10.0.0.1}]", []string{"prepend: has no effect on iBGP"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			head, _, _ := strings.Cut(contract, "  neighbors:")
			_, _, err := Parse("f.yaml", "/", []byte(head+"  groups: [{name: g, kind: edge}]\n  sites: [{name: s, "+c.site+"}]\n"))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
		})
	}
}
