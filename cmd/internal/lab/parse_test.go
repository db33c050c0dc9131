//go:build linux

package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"github.com/osrg/gobgp/v3/pkg/packet/mrt"
)

var compare = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func ptr(n uint32) *uint32 { return &n }

func TestParseFRR(t *testing.T) {
	const text = `{"routes": {
	"198.51.100.0/24": [{"prefix":"198.51.100.0/24","version":1},
	  {"aspath":{"string":"Local"},"origin":"IGP","sourced":true,"nexthops":[{"ip":"0.0.0.0"}],"peer":{"peerId":"0.0.0.0"}}],
	"2001:db8:1::/48": [{"prefix":"2001:db8:1::/48"},
	  {"aspath":{"string":"65002 4200000002"},"origin":"incomplete","metric":0,"locPrf":200,"otc":65002,"stale":true,"bestpath":{"overall":true},
	   "community":{"list":["65002:77"]},"largeCommunity":{"list":["65002:1:2"]},
	   "nexthops":[{"ip":"2001:db8::1","scope":"global"},{"ip":"fe80::1","scope":"link-local","used":true}],"peer":{"peerId":"10.99.0.3"}},
	  {"aspath":{"string":"65003"},"origin":"EGP","nexthops":[{"ip":"2001:db8::2","scope":"global"}],"peer":{"peerId":"10.99.0.4"}}]}}`
	got, err := parseFRR([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix("2001:db8:1::/48")
	want := Routes{prefix: {
		{
			Prefix: prefix, Neighbor: netip.MustParseAddr("10.99.0.3"), NextHop: netip.MustParseAddr("2001:db8::1"),
			Path: []uint32{65002, 4200000002}, Origin: "incomplete", MED: ptr(0), LocalPref: ptr(200),
			Communities: []string{"65002:77"}, LargeCommunities: []string{"65002:1:2"}, OTC: 65002, Best: true, Stale: true,
		},
		{
			Prefix: prefix, Neighbor: netip.MustParseAddr("10.99.0.4"), NextHop: netip.MustParseAddr("2001:db8::2"),
			Path: []uint32{65003}, Origin: "egp",
		},
	}}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
	if got := got.From(netip.MustParseAddr("10.99.0.4")); len(got) != 1 || got[prefix].Path[0] != 65003 {
		t.Errorf("from 10.99.0.4: %v", got)
	}
}

func TestParseBIRD(t *testing.T) {
	const text = `Table master4:
8.8.8.0/24           unicast [up 04:00:35.974] * (100s) [AS65001i]
	via 10.99.0.2 on eth0
	Type: BGP univ
	BGP.origin: EGP
	BGP.as_path: 65001 4200000002
	BGP.next_hop: 192.0.2.1
	BGP.local_pref: 100
	BGP.community: (65001,1) (65001,2)
	BGP.large_community: (65001, 1, 2) (65001, 3, 4)
	BGP.otc: 65001
                     unicast [other 04:00:36.974 from 10.99.0.9] (100) [AS65009?]
	via 10.99.0.9 on eth0
	BGP.origin: Incomplete
	BGP.as_path: 
	BGP.next_hop: 2001:db8::9 fe80::9
	BGP.med: 5
9.9.9.0/24           blackhole [own4 04:00:33.966] * (200)
	Type: static univ
`
	neighbors := map[string]netip.Addr{"up": netip.MustParseAddr("10.99.0.2"), "other": netip.MustParseAddr("10.99.0.9")}
	got, err := parseBIRD([]byte(text), neighbors)
	if err != nil {
		t.Fatal(err)
	}
	prefix := netip.MustParsePrefix("8.8.8.0/24")
	want := Routes{prefix: {
		{
			Prefix: prefix, Neighbor: neighbors["up"], NextHop: netip.MustParseAddr("192.0.2.1"),
			Path: []uint32{65001, 4200000002}, Origin: "egp", LocalPref: ptr(100),
			Communities: []string{"65001:1", "65001:2"}, LargeCommunities: []string{"65001:1:2", "65001:3:4"},
			OTC: 65001, Best: true, Stale: true,
		},
		{Prefix: prefix, Neighbor: neighbors["other"], NextHop: netip.MustParseAddr("2001:db8::9"), Origin: "incomplete", MED: ptr(5)},
	}}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
	if _, err := parseBIRD([]byte(strings.Replace(text, "65001 4200000002", "65001 {1 2}", 1)), neighbors); err == nil {
		t.Error("a path with an AS_SET was read as if it had none")
	}
}

func TestParseBIRDNeighbors(t *testing.T) {
	got, err := parseBIRDNeighbors([]byte("Name       Proto\nown4       Static     master4\n\nup         BGP        ---\n  BGP state:          Established\n    Neighbor address: 10.99.0.2\n    Neighbor AS:      65001\n"))
	if err != nil || len(got) != 1 || got["up"] != netip.MustParseAddr("10.99.0.2") {
		t.Errorf("%v, %v", got, err)
	}
}

// mrtRecord is an UPDATE as daemons dump it.
func mrtRecord(t *testing.T, update *bgp.BGPMessage) []byte {
	t.Helper()
	body := mrt.NewBGP4MPMessage(65002, 65001, 0, "10.99.0.3", "10.99.0.2", true, update)
	record, err := mrt.NewMRTMessage(1795233613, mrt.BGP4MP, mrt.MESSAGE_AS4, body)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := record.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestParseUpdates(t *testing.T) {
	four := bgp.NewBGPUpdateMessage([]*bgp.IPAddrPrefix{bgp.NewIPAddrPrefix(24, "9.9.9.0")},
		[]bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), bgp.NewPathAttributeNextHop("10.99.0.3")},
		[]*bgp.IPAddrPrefix{bgp.NewIPAddrPrefix(24, "8.8.8.0")})
	six := bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{
		bgp.NewPathAttributeMpUnreachNLRI([]bgp.AddrPrefixInterface{bgp.NewIPv6AddrPrefix(48, "2620:fe::")}),
	}, nil)
	data := append(mrtRecord(t, four), mrtRecord(t, six)...)
	data = append(data, mrtRecord(t, bgp.NewEndOfRib(bgp.RF_IPv4_UC))...)
	half := mrtRecord(t, four)
	data = append(data, half[:len(half)-3]...) // still being written

	got, err := parseUpdates(data)
	if err != nil {
		t.Fatal(err)
	}
	at, from := time.Unix(1795233613, 0).UTC(), netip.MustParseAddr("10.99.0.3")
	want := []Update{
		{At: at, Neighbor: from, Advertised: []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}, Withdrawn: []netip.Prefix{netip.MustParsePrefix("9.9.9.0/24")}},
		{At: at, Neighbor: from, Withdrawn: []netip.Prefix{netip.MustParsePrefix("2620:fe::/48")}},
		{At: at, Neighbor: from, EndOfRIB: true},
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
	if lost := Withdrawn(got); len(lost) != 2 {
		t.Errorf("withdrawn: %s, want 2", lost)
	}
}

func TestAddr(t *testing.T) {
	if got := addr(Net6, 12).String(); got != "2001:db8:99::c" {
		t.Errorf("host 12 is %s", got)
	}
	if got := addr(Net4, 2).String(); got != "10.99.0.2" {
		t.Errorf("host 2 is %s", got)
	}
}
