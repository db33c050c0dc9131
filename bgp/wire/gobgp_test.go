package wire

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/policy"
)

// GoBGP's packet library is the second opinion on valid messages. It is used in
// tests alone: it panics on some invalid ones.

// TestGoBGPReadsOurUpdates: what we write, GoBGP reads as the same routes and
// attributes, and what it writes from that we read as the same again.
func TestGoBGPReadsOurUpdates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		want := drawAttributes(t, v6)
		var prefixes []netip.Prefix
		for range rapid.IntRange(1, 20).Draw(t, "prefixes") {
			prefixes = append(prefixes, drawPrefix(t, v6))
		}
		set, err := want.Intern()
		if err != nil {
			t.Fatal(err)
		}
		raw, n, err := Encoding{}.AppendAdvertise(nil, set, prefixes)
		if err != nil || n != 1 {
			t.Skip("more than one message") // rapid tries another draw
		}
		m, err := gobgp.ParseBGPMessage(raw)
		if err != nil {
			t.Fatalf("GoBGP refuses %x: %v", raw, err)
		}
		update := m.Body.(*gobgp.BGPUpdate)
		if got := gobgpRoutes(t, update); !slices.Equal(got, prefixes) {
			t.Fatalf("GoBGP reads %v, want %v", got, prefixes)
		}
		compareGoBGP(t, update, want)

		again, err := m.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		u := inside.Classify(again[HeaderLen:])
		if u.Action != Accept {
			t.Fatalf("GoBGP's message is ruled %s for %s: %s", u.Action, u.Attribute, u.Why)
		}
		family := IPv4Unicast
		if v6 {
			family = IPv6Unicast
		}
		attrs, err := u.Attributes(family)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, attrs, exported); diff != "" {
			t.Fatalf("through GoBGP and back (-want +got):\n%s", diff)
		}
		if got := slices.Collect(u.Advertisements()); !slices.Equal(got, prefixes) {
			t.Fatalf("through GoBGP and back: %v, want %v", got, prefixes)
		}
	})
}

func gobgpRoutes(t *rapid.T, u *gobgp.BGPUpdate) []netip.Prefix {
	var ps []netip.Prefix
	parse := func(s string) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	for _, p := range u.NLRI {
		parse(p.String())
	}
	for _, a := range u.PathAttributes {
		if reach, ok := a.(*gobgp.PathAttributeMpReachNLRI); ok {
			for _, p := range reach.Value {
				parse(p.String())
			}
		}
	}
	return ps
}

// compareGoBGP compares GoBGP's reading of the attributes that have a value
// worth comparing; the round trip covers the others.
func compareGoBGP(t *rapid.T, u *gobgp.BGPUpdate, want Attributes) {
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *gobgp.PathAttributeOrigin:
			if a.Value != uint8(want.Origin) {
				t.Fatalf("origin %d, want %d", a.Value, want.Origin)
			}
		case *gobgp.PathAttributeAsPath:
			var path ASPath
			for _, s := range a.Value {
				path = append(path, Segment{SegmentType(s.GetType()), s.GetAS()})
			}
			if diff := cmp.Diff(want.ASPath, path, exported); diff != "" {
				t.Fatalf("AS path: %s", diff)
			}
		case *gobgp.PathAttributeMultiExitDisc:
			if MetricOf(a.Value) != want.MED {
				t.Fatalf("MED %d, want %v", a.Value, want.MED)
			}
		case *gobgp.PathAttributeLocalPref:
			if MetricOf(a.Value) != want.LocalPref {
				t.Fatalf("LOCAL_PREF %d, want %v", a.Value, want.LocalPref)
			}
		case *gobgp.PathAttributeNextHop:
			if a.Value.String() != want.NextHop.String() {
				t.Fatalf("next hop %s, want %s", a.Value, want.NextHop)
			}
		case *gobgp.PathAttributeMpReachNLRI:
			if a.Nexthop.String() != want.NextHop.String() {
				t.Fatalf("next hop %s, want %s", a.Nexthop, want.NextHop)
			}
		case *gobgp.PathAttributeCommunities:
			for i, c := range a.Value {
				if policy.Community(c) != want.Communities[i] {
					t.Fatalf("communities %v, want %v", a.Value, want.Communities)
				}
			}
		case *gobgp.PathAttributeLargeCommunities:
			for i, c := range a.Values {
				if (policy.LargeCommunity{Global: c.ASN, Local1: c.LocalData1, Local2: c.LocalData2}) != want.LargeCommunities[i] {
					t.Fatalf("large communities %v, want %v", a.Values, want.LargeCommunities)
				}
			}
		case *gobgp.PathAttributeAggregator:
			if a.Value.AS != want.Aggregator.AS || a.Value.Address.String() != want.Aggregator.ID.String() {
				t.Fatalf("aggregator %v, want %v", a.Value, want.Aggregator)
			}
		}
	}
}

func TestGoBGPReadsOurWithdrawals(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		want := many(300, v6)
		raw, n, err := Encoding{}.AppendWithdraw(nil, want)
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		m, err := gobgp.ParseBGPMessage(raw)
		if err != nil {
			t.Fatal(err)
		}
		var got []netip.Prefix
		update := m.Body.(*gobgp.BGPUpdate)
		for _, p := range update.WithdrawnRoutes {
			got = append(got, netip.MustParsePrefix(p.String()))
		}
		for _, a := range update.PathAttributes {
			for _, p := range a.(*gobgp.PathAttributeMpUnreachNLRI).Value {
				got = append(got, netip.MustParsePrefix(p.String()))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("GoBGP reads %d of %d withdrawals", len(got), len(want))
		}
	}
}

func TestGoBGPReadsOurEndOfRIB(t *testing.T) {
	for family, want := range map[Family]gobgp.RouteFamily{IPv4Unicast: gobgp.RF_IPv4_UC, IPv6Unicast: gobgp.RF_IPv6_UC} {
		m, err := gobgp.ParseBGPMessage(AppendEndOfRIB(nil, family))
		if err != nil {
			t.Fatal(err)
		}
		if ok, got := m.Body.(*gobgp.BGPUpdate).IsEndOfRib(); !ok || got != want {
			t.Errorf("%s: GoBGP reads %v, %v", family, ok, got)
		}
	}
}

// TestGoBGPOpens: OPENs of either side, read by the other.
func TestGoBGPOpens(t *testing.T) {
	theirs := gobgp.NewBGPOpenMessage(gobgp.AS_TRANS, 90, "192.0.2.1", []gobgp.OptionParameterInterface{
		gobgp.NewOptionParameterCapability([]gobgp.ParameterCapabilityInterface{
			gobgp.NewCapRouteRefresh(), gobgp.NewCapMultiProtocol(gobgp.RF_IPv4_UC), gobgp.NewCapMultiProtocol(gobgp.RF_IPv6_UC),
			gobgp.NewCapFourOctetASNumber(4200000000), gobgp.NewCapFQDN("speaker", "example.net"),
			gobgp.NewCapGracefulRestart(true, true, 120, []*gobgp.CapGracefulRestartTuple{
				gobgp.NewCapGracefulRestartTuple(gobgp.RF_IPv4_UC, true), gobgp.NewCapGracefulRestartTuple(gobgp.RF_IPv6_UC, false),
			}),
			gobgp.NewCapLongLivedGracefulRestart([]*gobgp.CapLongLivedGracefulRestartTuple{
				gobgp.NewCapLongLivedGracefulRestartTuple(gobgp.RF_IPv4_UC, true, 3600),
			}),
		}),
	})
	raw, err := theirs.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ParseOpen(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if o.ASN() != 4200000000 || o.HoldTime != 90 || o.RouterID.String() != "192.0.2.1" || !o.Capabilities.Has(CapFQDN) {
		t.Errorf("read %+v", o)
	}
	gr, _ := o.Capabilities.GracefulRestart()
	want := GracefulRestart{Restarting: true, Notification: true, Time: 120, Families: []RestartFamily{{IPv4Unicast, true}, {IPv6Unicast, false}}}
	if diff := cmp.Diff(want, gr); diff != "" {
		t.Error(diff)
	}
	ll, _ := o.Capabilities.LongLived()
	if diff := cmp.Diff([]LongLivedFamily{{IPv4Unicast, true, 3600}}, ll); diff != "" {
		t.Error(diff)
	}

	// What the guard makes of it: no FQDN, our role, R and F bits set.
	role, _ := RoleCapability(policy.RolePeer)
	gr.Families[1].Forwarding = true
	o.Capabilities = o.Capabilities.Without(CapFQDN).Replace(role).Replace(gr.Capability())
	if raw, err = o.Append(nil); err != nil {
		t.Fatal(err)
	}
	back, err := gobgp.ParseBGPMessage(raw)
	if err != nil {
		t.Fatalf("GoBGP refuses %x: %v", raw, err)
	}
	codes := map[gobgp.BGPCapabilityCode]int{}
	for _, p := range back.Body.(*gobgp.BGPOpen).OptParams {
		for _, c := range p.(*gobgp.OptionParameterCapability).Capability {
			codes[c.Code()]++
		}
	}
	wantCodes := map[gobgp.BGPCapabilityCode]int{1: 2, 2: 1, 9: 1, 64: 1, 65: 1, 71: 1}
	if diff := cmp.Diff(wantCodes, codes); diff != "" {
		t.Errorf("capabilities (-want +got):\n%s", diff)
	}
}
