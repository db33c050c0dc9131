package wire

import (
	"flag"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/policy"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a golden file, or writes it with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

// TestGoldenBytes pins what leaves on the wire (BGP-14): the octets are written
// out by hand from the RFCs.
func TestGoldenBytes(t *testing.T) {
	prefixes := func(s ...string) []netip.Prefix {
		var ps []netip.Prefix
		for _, p := range s {
			ps = append(ps, netip.MustParsePrefix(p))
		}
		return ps
	}
	intern := func(a Attributes) AttrSet {
		set, err := a.Intern()
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	must := func(b []byte, _ int, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	open := func(o Open) []byte {
		b, err := o.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	role, _ := RoleCapability(policy.RoleProvider)
	const marker = "ffffffffffffffffffffffffffffffff"
	full4 := Attributes{
		Origin: OriginIGP, ASPath: Sequence(65001, 4200000000), NextHop: netip.MustParseAddr("192.0.2.1"),
		MED: MetricOf(50), Communities: []policy.Community{65001<<16 | 7},
		LargeCommunities: []policy.LargeCommunity{{Global: 65001, Local1: 9234, Local2: 1}}, OTC: policy.OTCWith(65001),
	}
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"keepalive", AppendKeepalive(nil), marker + "0013 04"},
		{"route refresh", RouteRefresh{Family: IPv6Unicast}.Append(nil), marker + "0017 05 0002 00 01"},
		{"role mismatch", (&Notification{Code: CodeOpen, Subcode: SubRoleMismatch}).Append(nil), marker + "0015 03 02 0b"},
		{"open, four-octet AS, role, graceful restart", open(NewOpen(4200000000, 90, netip.MustParseAddr("192.0.2.1"), Capabilities{
			MultiprotocolCapability(IPv4Unicast), MultiprotocolCapability(IPv6Unicast), {Code: CapRouteRefresh}, role,
			GracefulRestart{Restarting: true, Notification: true, Time: 120, Families: []RestartFamily{{IPv4Unicast, true}, {IPv6Unicast, true}}}.Capability(),
			LongLivedCapability(LongLivedFamily{Family: IPv4Unicast, Forwarding: true, StaleTime: 86400}),
		})), marker + "004b 01 04 5ba0 005a c0000201 2e 02 2c" +
			"01 04 00010001  01 04 00020001  02 00  09 01 00" +
			"40 0a c078 00010180 00020180  47 07 00010180015180  41 04 fa56ea00"},
		{"open without capabilities", open(Open{AS: 65001, HoldTime: 180, RouterID: netip.MustParseAddr("10.0.0.1")}), marker + "001d 01 04 fde9 00b4 0a000001 00"},
		{"IPv4 advertisement", must(Encoding{}.AppendAdvertise(nil, intern(full4), prefixes("203.0.113.0/24", "10.0.0.0/8", "198.51.100.128/25"))),
			marker + "005e 02 0000 003c" +
				"40 01 01 00  40 02 0a 02 02 0000fde9 fa56ea00  40 03 04 c0000201  80 04 04 00000032" +
				"c0 08 04 fde90007  c0 20 0c 0000fde9 00002412 00000001  c0 23 04 0000fde9" +
				"18 cb0071  08 0a  19 c6336480"},
		{"IPv4 advertisement, two-octet AS", must(Encoding{TwoOctetAS: true}.AppendAdvertise(nil, intern(Attributes{
			ASPath: Sequence(65001, 4200000000), NextHop: netip.MustParseAddr("192.0.2.1"),
			Aggregator: Aggregator{AS: 4200000000, ID: netip.MustParseAddr("10.0.0.1")},
		}), prefixes("203.0.113.0/24"))),
			marker + "0050 02 0000 0035" +
				"40 01 01 00  40 02 06 02 02 fde9 5ba0  40 03 04 c0000201  c0 07 06 5ba0 0a000001" +
				"c0 11 0a 02 02 0000fde9 fa56ea00  c0 12 08 fa56ea00 0a000001" +
				"18 cb0071"},
		{"IPv6 advertisement, 32-octet next hop", must(Encoding{}.AppendAdvertise(nil, intern(Attributes{
			ASPath: Sequence(65001), NextHop: netip.MustParseAddr("2001:db8::1"), LinkLocal: netip.MustParseAddr("fe80::1"), LocalPref: MetricOf(100),
		}), prefixes("2001:db8:1::/48", "2001:db8::/33"))),
			marker + "0060 02 0000 0049" +
				"80 0e 32 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00 30 20010db80001 21 20010db800" +
				"40 01 01 00  40 02 06 02 01 0000fde9  40 05 04 00000064"},
		{"IPv4 withdrawal", must(Encoding{}.AppendWithdraw(nil, prefixes("203.0.113.0/24", "0.0.0.0/0"))), marker + "001c 02 0005 18 cb0071 00 0000"},
		{"IPv6 withdrawal", must(Encoding{}.AppendWithdraw(nil, prefixes("2001:db8:1::/48"))), marker + "0024 02 0000 000d 80 0f 0a 0002 01 30 20010db80001"},
		{"IPv4 End-of-RIB", AppendEndOfRIB(nil, IPv4Unicast), marker + "0017 02 0000 0000"},
		{"IPv6 End-of-RIB", AppendEndOfRIB(nil, IPv6Unicast), marker + "001d 02 0000 0006 80 0f 03 0002 01"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(unhex(t, tt.want), tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s\ngot %x", tt.name, diff, tt.got)
		}
	}
}
