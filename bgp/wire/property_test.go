package wire

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/policy"
)

// exported compares values that hold addresses and attributes.
var exported = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.IgnoreUnexported(Attribute{}),
	cmpopts.EquateEmpty(),
}

func drawAddr4(t *rapid.T, label string) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(rapid.IntRange(1, 126).Draw(t, label)), rapid.Byte().Draw(t, label), rapid.Byte().Draw(t, label), rapid.Byte().Draw(t, label)})
}

func drawPath(t *rapid.T) ASPath {
	asn := rapid.OneOf(rapid.Uint32Range(1, 65535), rapid.Uint32Range(65536, 1<<32-1))
	segment := rapid.Custom(func(t *rapid.T) Segment {
		return Segment{
			Type: rapid.SampledFrom([]SegmentType{ASSequence, ASSequence, ASSet}).Draw(t, "segment type"),
			ASNs: rapid.SliceOfN(asn, 1, 20).Draw(t, "segment"),
		}
	})
	return rapid.SliceOfN(segment, 0, 3).Draw(t, "path")
}

// drawAttributes draws any attributes that can be sent on an internal session.
func drawAttributes(t *rapid.T, v6 bool) Attributes {
	a := Attributes{
		Origin: Origin(rapid.IntRange(0, 2).Draw(t, "origin")), ASPath: drawPath(t), NextHop: drawAddr4(t, "next hop"),
		LocalPref: MetricOf(rapid.Uint32().Draw(t, "local pref")), AtomicAggregate: rapid.Bool().Draw(t, "atomic"),
	}
	if v6 {
		hop := netip.MustParseAddr("2001:db8::").As16()
		hop[15] = rapid.Byte().Draw(t, "next hop")
		a.NextHop = netip.AddrFrom16(hop)
		if rapid.Bool().Draw(t, "link-local") {
			a.LinkLocal = netip.MustParseAddr("fe80::1")
		}
	}
	if rapid.Bool().Draw(t, "has MED") {
		a.MED = MetricOf(rapid.Uint32().Draw(t, "MED"))
	}
	if rapid.Bool().Draw(t, "has aggregator") {
		a.Aggregator = Aggregator{AS: rapid.Uint32Min(1).Draw(t, "aggregator"), ID: drawAddr4(t, "aggregator id")}
	}
	for _, c := range rapid.SliceOfN(rapid.Uint32(), 0, 100).Draw(t, "communities") {
		a.Communities = append(a.Communities, policy.Community(c))
	}
	if rapid.Bool().Draw(t, "reflected") {
		a.OriginatorID = drawAddr4(t, "originator")
		a.ClusterList = []netip.Addr{drawAddr4(t, "cluster"), drawAddr4(t, "cluster")}
	}
	for range rapid.IntRange(0, 3).Draw(t, "extended communities") {
		a.ExtCommunities = append(a.ExtCommunities, ExtCommunity{0, 2, 0, 1, 2, 3, 4, rapid.Byte().Draw(t, "extended community")})
	}
	for range rapid.IntRange(0, 40).Draw(t, "large communities") {
		a.LargeCommunities = append(a.LargeCommunities, policy.LargeCommunity{
			Global: rapid.Uint32().Draw(t, "global"), Local1: rapid.Uint32().Draw(t, "local 1"), Local2: rapid.Uint32().Draw(t, "local 2"),
		})
	}
	if rapid.Bool().Draw(t, "has OTC") {
		a.OTC = policy.OTCWith(rapid.Uint32().Draw(t, "OTC"))
	}
	// Types that neither we nor GoBGP know.
	types := rapid.SliceOfNDistinct(rapid.SampledFrom([]AttributeType{11, 19, 27, 34, 36, 99, 200, 255}), 0, 3, rapid.ID).Draw(t, "unknown")
	slices.Sort(types)
	for _, typ := range types {
		a.Unknown = append(a.Unknown, Attribute{
			Flags: FlagOptional | FlagTransitive | FlagPartial, Type: typ,
			Value: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "unknown value"),
		})
	}
	return a
}

func drawPrefix(t *rapid.T, v6 bool) netip.Prefix {
	if v6 {
		var b [16]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
		return netip.PrefixFrom(netip.AddrFrom16(b), rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
	}
	var b [4]byte
	copy(b[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
	return netip.PrefixFrom(netip.AddrFrom4(b), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
}

// TestEncodeDecodeIsIdentity: what is packed reads back the same, for either
// family and for neighbors with and without four-octet AS numbers.
func TestEncodeDecodeIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		want := drawAttributes(t, v6)
		var prefixes []netip.Prefix
		for range rapid.IntRange(1, 50).Draw(t, "prefixes") {
			prefixes = append(prefixes, drawPrefix(t, v6))
		}
		set, err := want.Intern()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, set.Attributes(), exported); diff != "" {
			t.Fatalf("interned (-want +got):\n%s", diff)
		}
		s, e := inside, Encoding{}
		if rapid.Bool().Draw(t, "two octets") {
			s.TwoOctetAS, e.TwoOctetAS = true, true
		}
		raw, _, err := e.AppendAdvertise(nil, set, prefixes)
		if err != nil {
			t.Fatal(err)
		}
		var got []netip.Prefix
		for len(raw) > 0 {
			length, _, refuse := CheckHeader(raw)
			if refuse != nil {
				t.Fatal(refuse)
			}
			u := s.Classify(raw[HeaderLen:length])
			if u.Action != Accept {
				t.Fatalf("ruled %s for %s: %s", u.Action, u.Attribute, u.Why)
			}
			got, raw = slices.AppendSeq(got, u.Advertisements()), raw[length:]
			family := IPv4Unicast
			if v6 {
				family = IPv6Unicast
			}
			attrs, err := u.Attributes(family)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, attrs, exported); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
		if !slices.Equal(got, prefixes) {
			t.Fatalf("prefixes %v, want %v", got, prefixes)
		}
	})
}

// TestWithdrawIsIdentity: withdrawals read back the same.
func TestWithdrawIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		var prefixes, got []netip.Prefix
		for range rapid.IntRange(1, 2000).Draw(t, "prefixes") {
			prefixes = append(prefixes, drawPrefix(t, v6))
		}
		raw, messages, err := Encoding{}.AppendWithdraw(nil, prefixes)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(raw) > 0; messages-- {
			length, _, refuse := CheckHeader(raw)
			if refuse != nil {
				t.Fatal(refuse)
			}
			u := bothFamilies.Classify(raw[HeaderLen:length])
			if u.Action != Accept {
				t.Fatalf("ruled %s: %s", u.Action, u.Why)
			}
			got, raw = slices.AppendSeq(got, u.Withdrawals()), raw[length:]
		}
		if !slices.Equal(got, prefixes) || messages != 0 {
			t.Fatalf("%d of %d prefixes, %d messages unread", len(got), len(prefixes), messages)
		}
	})
}

// TestInternEqualIffSame: two sets are equal exactly when the attributes are.
func TestInternEqualIffSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawAttributes(t, false), drawAttributes(t, false)
		if rapid.Bool().Draw(t, "same") {
			b = a
		}
		x, err1 := a.Intern()
		y, err2 := b.Intern()
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if same := cmp.Equal(a, b, exported); same != (x == y) {
			t.Fatalf("attributes equal %v, sets equal %v", same, x == y)
		}
	})
}

// TestOpenIsIdentity: an OPEN that fits reads back the same.
func TestOpenIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cs Capabilities
		for range rapid.IntRange(0, 8).Draw(t, "capabilities") {
			// Codes without a length of their own.
			code := CapabilityCode(rapid.SampledFrom([]uint8{2, 6, 7, 70, 73, 75, 128, 200}).Draw(t, "code"))
			cs = append(cs, Capability{code, rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "value")})
		}
		hold := rapid.Uint16Min(3).Draw(t, "hold time")
		want := NewOpen(rapid.Uint32Min(1).Draw(t, "AS"), hold, drawAddr4(t, "router id"), cs)
		raw, err := want.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseMessage(raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseOpen(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, exported); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// TestPackerModel: whatever the calls, the neighbor ends up with the last word
// on every prefix, and no prefix is in two messages.
func TestPackerModel(t *testing.T) {
	sets := make([]AttrSet, 4)
	for i := range sets {
		sets[i] = mustIntern(t, Attributes{NextHop: hop4, MED: MetricOf(uint32(i))})
	}
	prefixes := many(40, false)
	rapid.Check(t, func(t *rapid.T) {
		var p Packer
		want := map[netip.Prefix]AttrSet{}
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			prefix := rapid.SampledFrom(prefixes).Draw(t, "prefix")
			set := AttrSet{}
			if rapid.Bool().Draw(t, "advertise") {
				set = rapid.SampledFrom(sets).Draw(t, "set")
				_ = p.Advertise(prefix, set)
			} else {
				_ = p.Withdraw(prefix)
			}
			want[prefix] = set
		}
		raw, packed, err := p.Flush(nil, Encoding{})
		if err != nil || packed.Advertised+packed.Withdrawn != len(want) {
			t.Fatalf("%+v, %v for %d prefixes", packed, err, len(want))
		}
		got := map[netip.Prefix]AttrSet{}
		for len(raw) > 0 {
			length, _, _ := CheckHeader(raw)
			u := bothFamilies.Classify(raw[HeaderLen:length])
			for prefix := range u.Withdrawals() {
				got[prefix] = AttrSet{}
			}
			for prefix := range u.Advertisements() {
				attrs, err := u.Attributes(IPv4Unicast)
				if err != nil {
					t.Fatal(err)
				}
				if got[prefix], err = attrs.Intern(); err != nil {
					t.Fatal(err)
				}
			}
			raw = raw[length:]
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, AttrSet{})); diff != "" {
			t.Fatal(diff)
		}
	})
}
