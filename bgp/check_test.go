package bgp

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		a, b Order
		want bool
	}{
		{Order{1, 1}, Order{1, 2}, true},
		{Order{1, 2}, Order{1, 1}, false},
		{Order{1, 1}, Order{1, 1}, false},
		{Order{1, 9}, Order{2, 1}, true},
		{Order{2, 1}, Order{1, 9}, false},
	} {
		if got := c.a.Before(c.b); got != c.want {
			t.Errorf("%v before %v: %v", c.a, c.b, got)
		}
	}
}

func TestCheck(t *testing.T) {
	neighbors := map[string]policy.Neighbor{
		"a": {Name: "a", ASN: 64510, LocalASN: 64500, Families: []addressing.Family{addressing.IPv4, addressing.IPv6}},
		"i": {Name: "i", ASN: 64500, LocalASN: 64500, Families: []addressing.Family{addressing.IPv4}},
	}
	route := func(prefix, nextHop string, path ...uint32) snapshots.TargetRoute {
		return snapshots.TargetRoute{Prefix: netip.MustParsePrefix(prefix), Attrs: &snapshots.Attributes{ASPath: path, NextHop: netip.MustParseAddr(nextHop)}}
	}
	for _, c := range []struct {
		name     string
		neighbor string
		routes   []snapshots.TargetRoute
		empty    string
		want     error
	}{
		{name: "both families", neighbor: "a", routes: []snapshots.TargetRoute{
			route("10.0.0.0/24", "192.0.2.1", 64500), route("2001:db8::/48", "2001:db8::1", 64500, 64501)}},
		{name: "iBGP has no AS of ours", neighbor: "i", routes: []snapshots.TargetRoute{route("10.0.0.0/24", "192.0.2.1")}},
		{name: "empty with a reason", neighbor: "a", empty: "drain"},
		{name: "empty", neighbor: "a", want: ErrEmpty},
		{name: "unknown", neighbor: "b", want: ErrUnknownNeighbor},
		{name: "not our AS", neighbor: "a", routes: []snapshots.TargetRoute{route("10.0.0.0/24", "192.0.2.1", 64501)}, want: ErrRoute},
		{name: "AS 0", neighbor: "i", routes: []snapshots.TargetRoute{route("10.0.0.0/24", "192.0.2.1", 0)}, want: ErrRoute},
		{name: "long path", neighbor: "a", routes: []snapshots.TargetRoute{route("10.0.0.0/24", "192.0.2.1", make([]uint32, 300)...)}, want: ErrRoute},
		{name: "family", neighbor: "i", routes: []snapshots.TargetRoute{route("2001:db8::/48", "2001:db8::1")}, want: ErrRoute},
		{name: "RFC 8950", neighbor: "a", routes: []snapshots.TargetRoute{route("10.0.0.0/24", "2001:db8::1", 64500)}, want: ErrRoute},
		{name: "unspecified next hop", neighbor: "a", routes: []snapshots.TargetRoute{route("10.0.0.0/24", "0.0.0.0", 64500)}, want: ErrRoute},
		{name: "host bits", neighbor: "a", routes: []snapshots.TargetRoute{route("10.0.0.1/24", "192.0.2.1", 64500)}, want: ErrRoute},
		{name: "mapped", neighbor: "a", routes: []snapshots.TargetRoute{route("::ffff:10.0.0.0/120", "192.0.2.1", 64500)}, want: ErrRoute},
		{name: "order", neighbor: "a", routes: []snapshots.TargetRoute{
			route("10.0.1.0/24", "192.0.2.1", 64500), route("10.0.0.0/24", "192.0.2.1", 64500)}, want: ErrRoute},
		{name: "repeated", neighbor: "a", routes: []snapshots.TargetRoute{
			route("10.0.0.0/24", "192.0.2.1", 64500), route("10.0.0.0/24", "192.0.2.1", 64500)}, want: ErrRoute},
	} {
		target := snapshots.Target{Epoch: 1, Generation: 2, Empty: c.empty, Neighbors: map[string]snapshots.NeighborTarget{c.neighbor: {Routes: c.routes}}}
		if err := Check(target, neighbors, Order{1, 2}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err := Check(target, neighbors, Order{1, 3}); !errors.Is(err, ErrOlder) {
			t.Errorf("%s after a newer generation: %v", c.name, err)
		}
	}
}
