package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-bgp/holdfast/bgp/station"
	"github.com/holdfast-bgp/holdfast/policy"
)

const monitored = `environment: test
data_dir: /d
api: {listen: "127.0.0.1:1"}
admin: {socket: /s}
metrics: {listen: "127.0.0.1:2"}
bgp:
  asn: 64500
  router_id: 192.0.2.10
  groups: [{name: edge, kind: edge}]
  sites:
    - {name: ams, group: edge, next_hop: {ipv4: 198.51.100.1, ipv6: "2001:db8::1"}, routers: [{name: ams-r1, address_ipv4: 10.0.1.1, address_ipv6: "2001:db8:1::1"}]}
  neighbors:
    - {name: direct, site: ams, address: 10.0.9.9, asn: 64700, role: peer, families: [ipv4-unicast], next_hop: {ipv4: 198.51.100.1}, strict_role: true}
`

const section = `bmp:
  listen: ["10.0.0.5:11019"]
  routers:
    - name: ams-r1
      sessions: [{name: transit-a, address: 203.0.113.1, asn: 64601, role: customer}]
    - {name: glass, outside: true, asn: 64999, addresses: [192.0.2.200]}
`

func TestBMP(t *testing.T) {
	c, _, err := Parse("f", "/", []byte(monitored+section))
	if err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr
	want := []station.Router{
		{Name: "ams-r1", Site: "ams", Addresses: []netip.Addr{a("10.0.1.1"), a("2001:db8:1::1")}, Neighbors: []string{"ams-r1-v4", "ams-r1-v6"},
			Speakers: []netip.Addr{a("192.0.2.10")}, Sessions: []station.Session{{Name: "transit-a", Address: a("203.0.113.1"), ASN: 64601, Role: policy.RoleCustomer}}},
		{Name: "glass", Outside: true, ASN: 64999, Addresses: []netip.Addr{a("192.0.2.200")}},
	}
	if diff := cmp.Diff(want, c.BMP.Routers, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	s := c.Station()
	if len(s.Own) != 1 || s.Roles[64700] != policy.RolePeer || s.Roles[64601] != policy.RoleCustomer || len(s.Neighbors) != 3 {
		t.Errorf("%+v", s)
	}
	bare, _, err := Parse("f", "/", []byte(monitored))
	if err != nil {
		t.Fatal(err)
	}
	if d := bare.Difference(c); len(d.Entries) != 1 || d.Entries[0].Name != "bmp" || len(d.Restart) != 1 || d.Restart[0] != "bmp.listen" {
		t.Errorf("%+v", d)
	}
}

func TestBMPRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, wants string }{
		"nobody of that name":  {"name: ams-r1\n", "name: fra\n", "no neighbor is called"},
		"an unknown neighbor":  {"name: ams-r1\n", "name: ams-r1\n      neighbors: [nobody]\n", "there is no neighbor"},
		"an edge with an AS":   {"name: ams-r1\n", "name: ams-r1\n      asn: 1\n", "for outside routers"},
		"outside without AS":   {"asn: 64999, ", "", "asn: is missing"},
		"outside, no address":  {", addresses: [192.0.2.200]", "", "addresses: is missing"},
		"outside with session": {"outside: true,", "outside: true, speakers: [10.0.0.1],", "only an edge"},
		"two of an address":    {"192.0.2.200", "10.0.1.1", "also an address of ams-r1"},
		"two of a name":        {"name: glass", "name: ams-r1", "used twice"},
		"no role":              {", role: customer", "", "role"},
		"two roles":            {"asn: 64601", "asn: 64700", "two things to us"},
		"no listener":          {`  listen: ["10.0.0.5:11019"]` + "\n", "", "need one another"},
		"nothing is kept":      {"  routers:", "  max_routes: 0\n  routers:", "max_routes"},
		"a short silence":      {"  routers:", "  silent_after: 1s\n  routers:", "silent_after"},
		"a key of nobody":      {"  routers:", "  router: x\n  routers:", "router"},
	} {
		text := strings.Replace(section, c.old, c.new, 1)
		if text == section {
			t.Errorf("%s: nothing was replaced", name)
		}
		if _, _, err := Parse("f", "/", []byte(monitored+text)); err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
