package wire

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy"
)

// parts of well-formed messages for the tables below.
var (
	attrOrigin    = []byte{0x40, 1, 1, 0}
	attrPath      = []byte{0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea}
	attrNextHop   = []byte{0x40, 3, 4, 192, 0, 2, 2}
	attrLocalPref = []byte{0x40, 5, 4, 0, 0, 0, 100}
	attrReach6    = []byte{0x80, 14, 28, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 48, 0x20, 1, 0xd, 0xb8, 0, 9}
	attrUnreach6  = []byte{0x80, 15, 10, 0, 2, 1, 48, 0x20, 1, 0xd, 0xb8, 0, 8}
	nlri          = []byte{24, 203, 0, 113}
	mandatory     = slices.Concat(attrOrigin, attrPath, attrNextHop)
)

// TestRFC7606 asserts the outcome of every rule, on routes of IPv4 unicast.
func TestRFC7606(t *testing.T) {
	external := bothFamilies
	internal := bothFamilies
	internal.Internal = true
	twoOctet := bothFamilies
	twoOctet.TwoOctetAS = true
	firstAS := bothFamilies
	firstAS.FirstAS = 65002

	attr := func(b ...byte) []byte { return b }
	with := func(extra ...byte) []byte { return slices.Concat(mandatory, extra) }
	inside := func(extra ...byte) []byte { return slices.Concat(mandatory, attrLocalPref, extra) }
	tests := []struct {
		name    string
		session Session
		list    []byte
		want    Action
		subcode uint8         // of the NOTIFICATION, for session-reset
		at      AttributeType // the attribute that decided
	}{
		{"all that is mandatory", external, mandatory, Accept, 0, 0},
		{"inside", internal, inside(), Accept, 0, 0},
		{"3d no ORIGIN", external, slices.Concat(attrPath, attrNextHop), TreatAsWithdraw, 0, AttrOrigin},
		{"3d no AS_PATH", external, slices.Concat(attrOrigin, attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"3d no NEXT_HOP", external, slices.Concat(attrOrigin, attrPath), TreatAsWithdraw, 0, AttrNextHop},
		{"3d no LOCAL_PREF inside", internal, mandatory, TreatAsWithdraw, 0, AttrLocalPref},
		{"3c ORIGIN optional", external, slices.Concat(attr(0xc0, 1, 1, 0), attrPath, attrNextHop), TreatAsWithdraw, 0, AttrOrigin},
		{"3c MED transitive", external, with(0xc0, 4, 4, 0, 0, 0, 1), TreatAsWithdraw, 0, AttrMED},
		{"3c COMMUNITIES not transitive", external, with(0x80, 8, 4, 0, 0, 0, 1), TreatAsWithdraw, 0, AttrCommunities},
		{"3c OTC not transitive", external, with(0x80, 35, 4, 0, 0, 0, 1), TreatAsWithdraw, 0, AttrOTC},
		{"3c OTC well-known", external, with(0x40, 35, 4, 0, 0, 0, 1), TreatAsWithdraw, 0, AttrOTC},
		{"OTC partial is no conflict", external, with(0xe0, 35, 4, 0, 0, 0, 1), Accept, 0, 0},
		{"low flag bits mean nothing", external, with(0xcf, 8, 4, 0, 0, 0, 1), Accept, 0, 0},
		{"3g MED twice", external, with(0x80, 4, 4, 0, 0, 0, 1, 0x80, 4, 4, 0, 0, 0, 2), AttributeDiscard, 0, AttrMED},
		{"3g unknown twice", external, with(0xc0, 99, 1, 1, 0xc0, 99, 1, 2), AttributeDiscard, 0, 99},
		{"3g MP_REACH twice", external, slices.Concat(mandatory, attrReach6, attrReach6), SessionReset, SubMalformedAttributes, AttrMPReach},
		{"3g MP_UNREACH twice", external, slices.Concat(mandatory, attrUnreach6, attrUnreach6), SessionReset, SubMalformedAttributes, AttrMPUnreach},
		{"3h the strongest counts", external, with(0xc0, 7, 1, 2, 0x80, 4, 1, 0), TreatAsWithdraw, 0, AttrMED},
		{"4 overrun", external, with(0xc0, 8, 200, 0, 0, 0, 1), TreatAsWithdraw, 0, 0},
		{"4 underrun", external, with(0xc0, 8), TreatAsWithdraw, 0, 0},
		{"4 extended length cut", external, with(0xd0, 8, 0), TreatAsWithdraw, 0, 0},
		{"7.1 ORIGIN length", external, slices.Concat(attr(0x40, 1, 2, 0, 0), attrPath, attrNextHop), TreatAsWithdraw, 0, AttrOrigin},
		{"7.1 ORIGIN value", external, slices.Concat(attr(0x40, 1, 1, 3), attrPath, attrNextHop), TreatAsWithdraw, 0, AttrOrigin},
		{"7.2 segment type", external, slices.Concat(attrOrigin, attr(0x40, 2, 6, 9, 1, 0, 0, 0xfd, 0xea), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"7.2 segment overruns", external, slices.Concat(attrOrigin, attr(0x40, 2, 6, 2, 2, 0, 0, 0xfd, 0xea), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"7.2 segment underruns", external, slices.Concat(attrOrigin, attr(0x40, 2, 7, 2, 1, 0, 0, 0xfd, 0xea, 2), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"7.2 empty segment", external, slices.Concat(attrOrigin, attr(0x40, 2, 2, 2, 0), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"7.2 confederation from outside", external, slices.Concat(attrOrigin, attr(0x40, 2, 6, 3, 1, 0, 0, 0xfd, 0xea), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"RFC 7607 AS 0 in AS_PATH", external, slices.Concat(attrOrigin, attr(0x40, 2, 6, 2, 1, 0, 0, 0, 0), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"first AS fits", firstAS, mandatory, Accept, 0, 0},
		{"first AS is another", firstAS, slices.Concat(attrOrigin, attr(0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xeb), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"first AS of an empty path", firstAS, slices.Concat(attrOrigin, attr(0x40, 2, 0), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"first AS in a set", firstAS, slices.Concat(attrOrigin, attr(0x40, 2, 6, 1, 1, 0, 0, 0xfd, 0xea), attrNextHop), TreatAsWithdraw, 0, AttrASPath},
		{"7.3 NEXT_HOP length", external, slices.Concat(attrOrigin, attrPath, attr(0x40, 3, 3, 1, 2, 3)), TreatAsWithdraw, 0, AttrNextHop},
		{"7.3 NEXT_HOP empty", external, slices.Concat(attrOrigin, attrPath, attr(0x40, 3, 0)), TreatAsWithdraw, 0, AttrNextHop},
		{"NEXT_HOP 0.0.0.0", external, slices.Concat(attrOrigin, attrPath, attr(0x40, 3, 4, 0, 0, 0, 0)), TreatAsWithdraw, 0, AttrNextHop},
		{"NEXT_HOP multicast", external, slices.Concat(attrOrigin, attrPath, attr(0x40, 3, 4, 224, 0, 0, 1)), TreatAsWithdraw, 0, AttrNextHop},
		{"7.4 MED length", external, with(0x80, 4, 3, 0, 0, 1), TreatAsWithdraw, 0, AttrMED},
		{"7.5 LOCAL_PREF from outside", external, with(0x40, 5, 4, 0, 0, 0, 1), AttributeDiscard, 0, AttrLocalPref},
		{"7.5 LOCAL_PREF length", internal, with(0x40, 5, 3, 0, 0, 1), TreatAsWithdraw, 0, AttrLocalPref},
		{"7.6 ATOMIC_AGGREGATE length", external, with(0x40, 6, 1, 0), AttributeDiscard, 0, AttrAtomicAggregate},
		{"7.7 AGGREGATOR of two octets", external, with(0xc0, 7, 6, 0xfd, 0xea, 10, 0, 0, 1), AttributeDiscard, 0, AttrAggregator},
		{"7.7 AGGREGATOR of two octets, OLD", twoOctet, slices.Concat(attrOrigin, attr(0x40, 2, 4, 2, 1, 0xfd, 0xea), attrNextHop, attr(0xc0, 7, 6, 0xfd, 0xea, 10, 0, 0, 1)), Accept, 0, 0},
		{"7.7 AGGREGATOR AS 0", external, with(0xc0, 7, 8, 0, 0, 0, 0, 10, 0, 0, 1), AttributeDiscard, 0, AttrAggregator},
		{"7.8 COMMUNITIES length", external, with(0xc0, 8, 3, 0, 0, 1), TreatAsWithdraw, 0, AttrCommunities},
		{"7.8 COMMUNITIES empty", external, with(0xc0, 8, 0), TreatAsWithdraw, 0, AttrCommunities},
		{"7.9 ORIGINATOR_ID from outside", external, with(0x80, 9, 4, 1, 1, 1, 1), AttributeDiscard, 0, AttrOriginatorID},
		{"7.9 ORIGINATOR_ID length", internal, inside(0x80, 9, 1, 1), TreatAsWithdraw, 0, AttrOriginatorID},
		{"7.10 CLUSTER_LIST length", internal, inside(0x80, 10, 5, 1, 1, 1, 1, 1), TreatAsWithdraw, 0, AttrClusterList},
		{"7.11 MP_REACH short", external, slices.Concat(mandatory, attr(0x80, 14, 4, 0, 2, 1, 16)), SessionReset, SubOptionalAttribute, AttrMPReach},
		{"7.12 MP_UNREACH short", external, slices.Concat(mandatory, attr(0x80, 15, 2, 0, 2)), SessionReset, SubOptionalAttribute, AttrMPUnreach},
		{"5.3 MP_UNREACH prefix too long", external, slices.Concat(mandatory, attr(0x80, 15, 4, 0, 2, 1, 129)), SessionReset, SubOptionalAttribute, AttrMPUnreach},
		{"RFC 8950 next hop for IPv4", external, slices.Concat(attrOrigin, attrPath, attr(0x80, 14, 23, 0, 1, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8, 10)), SessionReset, SubOptionalAttribute, AttrMPReach},
		{"MP_REACH of EVPN", external, slices.Concat(mandatory, attr(0x80, 14, 7, 0, 25, 70, 0, 0, 1, 2)), AttributeDiscard, 0, AttrMPReach},
		{"7.14 EXTENDED COMMUNITIES length", external, with(0xc0, 16, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0), TreatAsWithdraw, 0, AttrExtCommunities},
		{"7.15 IPv6 EXTENDED COMMUNITIES length", external, with(0xc0, 25, 1, 0), TreatAsWithdraw, 0, AttrIPv6ExtCommunities},
		{"RFC 8092 LARGE_COMMUNITY length", external, with(0xc0, 32, 1, 0), TreatAsWithdraw, 0, AttrLargeCommunities},
		{"RFC 9234 OTC length", external, with(0xc0, 35, 2, 0, 0), TreatAsWithdraw, 0, AttrOTC},
		{"RFC 6793 AS4_PATH from NEW", external, with(0xc0, 17, 6, 2, 1, 0, 0, 0xfd, 0xea), AttributeDiscard, 0, AttrAS4Path},
		{"RFC 6793 AS4_AGGREGATOR from NEW", external, with(0xc0, 18, 8, 0, 0, 0xfd, 0xea, 1, 1, 1, 1), AttributeDiscard, 0, AttrAS4Aggregator},
		{"unknown well-known", external, with(0x40, 99, 1, 1), SessionReset, SubUnrecognizedWellKnown, 99},
		{"unknown optional", external, with(0x80, 99, 1, 1), AttributeDiscard, 0, 99},
		{"unknown optional transitive", external, with(0xc0, 99, 1, 1), Accept, 0, 0},
		{"prefix SID", external, with(0xc0, 40, 4, 5, 0, 1, 0), AttributeDiscard, 0, AttrPrefixSID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := tt.session.Classify(updateBody(nil, tt.list, nlri))
			if u.Action != tt.want || u.Attribute != tt.at {
				t.Fatalf("got %s for %s (%s), want %s for %s", u.Action, u.Attribute, u.Why, tt.want, tt.at)
			}
			if tt.want != Accept && u.Why == "" {
				t.Error("no reason given")
			}
			checkOutcome(t, &u, tt.subcode)
		})
	}
}

// checkOutcome checks that what the update gives fits its action.
func checkOutcome(t *testing.T, u *Update, subcode uint8) {
	t.Helper()
	advertised, withdrawn := collect(u.Advertisements()), collect(u.Withdrawals())
	_, err := u.Attributes(IPv4Unicast)
	switch u.Action {
	case SessionReset:
		if advertised != nil || withdrawn != nil || err == nil {
			t.Errorf("gives %v, %v, %v after a reset", advertised, withdrawn, err)
		}
		if n := u.Notification(); n.Code != CodeUpdate || n.Subcode != subcode {
			t.Errorf("would send %v, want subcode %d", n, subcode)
		}
	case TreatAsWithdraw:
		if advertised != nil || !slices.Contains(withdrawn, "203.0.113.0/24") || err == nil {
			t.Errorf("gives %v, %v, %v", advertised, withdrawn, err)
		}
	default:
		if !slices.Contains(advertised, "203.0.113.0/24") || slices.Contains(withdrawn, "203.0.113.0/24") || err != nil {
			t.Errorf("gives %v, %v, %v", advertised, withdrawn, err)
		}
	}
}

func TestUpdateLengths(t *testing.T) {
	for name, body := range map[string][]byte{
		"empty": nil, "three octets": {0, 0, 0}, "withdrawn too long": {0, 1, 0, 0}, "withdrawn overflows": {0xff, 0xff, 0, 0},
		"attributes too long": {0, 0, 0, 1}, "attributes one short of the end": {0, 1, 0, 0, 2, 0},
	} {
		u := bothFamilies.Classify(body)
		if n := u.Notification(); u.Action != SessionReset || n.Subcode != SubMalformedAttributes {
			t.Errorf("%s: got %s, %v", name, u.Action, n)
		}
	}
	for name, body := range map[string][]byte{
		"NLRI too long":      updateBody(nil, mandatory, []byte{33, 1, 1, 1, 1, 1}),
		"NLRI cut":           updateBody(nil, mandatory, []byte{24, 203, 0}),
		"withdrawn too long": updateBody([]byte{200}, nil, nil),
		"withdrawn cut":      updateBody([]byte{8}, nil, nil),
	} {
		u := bothFamilies.Classify(body)
		if n := u.Notification(); u.Action != SessionReset || n.Subcode != SubInvalidNetwork {
			t.Errorf("%s: got %s, %v", name, u.Action, n)
		}
	}
}

// TestErrorWithoutRoutesResets is RFC 7606 section 5.2.
func TestErrorWithoutRoutesResets(t *testing.T) {
	badMED := []byte{0x80, 4, 1, 0}
	badAggregator := []byte{0xc0, 7, 1, 0}
	tests := []struct {
		name string
		body []byte
		want Action
	}{
		{"malformed MED, no routes", updateBody(nil, badMED, nil), SessionReset},
		{"malformed MED, withdrawals only", updateBody(nlri, badMED, nil), SessionReset},
		{"malformed MED with MP_UNREACH", updateBody(nil, slices.Concat(attrUnreach6, badMED), nil), SessionReset},
		{"malformed MED with routes", updateBody(nil, slices.Concat(mandatory, badMED), nlri), TreatAsWithdraw},
		{"malformed MED with IPv6 routes", updateBody(nil, slices.Concat(attrReach6, mandatory, badMED), nil), TreatAsWithdraw},
		{"attribute discard, no routes", updateBody(nil, badAggregator, nil), AttributeDiscard},
		{"cut short, no routes", updateBody(nil, []byte{0x80, 14}, nil), SessionReset},
		{"MP_UNREACH alone with wrong flags", updateBody(nil, slices.Concat([]byte{0xc0}, attrUnreach6[1:]), nil), TreatAsWithdraw},
	}
	for _, tt := range tests {
		if u := bothFamilies.Classify(tt.body); u.Action != tt.want {
			t.Errorf("%s: got %s (%s), want %s", tt.name, u.Action, u.Why, tt.want)
		}
	}
}

// TestGoBGPCrashMessages: the four messages of which one is enough to end a
// GoBGP v3.37.0 process. None may be handed on as it is.
func TestGoBGPCrashMessages(t *testing.T) {
	t.Run("AS4_PATH before AS_PATH", func(t *testing.T) {
		as4 := []byte{0xc0, 17, 6, 2, 1, 0, 0, 0xfd, 0xea}
		u := bothFamilies.Classify(updateBody(nil, slices.Concat(as4, mandatory), nlri))
		if u.Action != AttributeDiscard || !u.Discards(AttrAS4Path) {
			t.Fatalf("got %s (%s)", u.Action, u.Why)
		}
		rebuilt := rebuild(t, &u, IPv4Unicast)
		if slices.ContainsFunc(attributeTypes(t, rebuilt), func(a AttributeType) bool { return a == AttrAS4Path }) {
			t.Errorf("AS4_PATH is in the rebuilt message %x", rebuilt)
		}
	})
	t.Run("second OPEN", func(t *testing.T) {
		n := PhaseEstablished.Admit(TypeOpen)
		if n == nil || n.Code != CodeFSM || n.Subcode != 3 || !slices.Equal(n.Data, []byte{1}) {
			t.Errorf("got %v", n)
		}
	})
	t.Run("message type 6", func(t *testing.T) {
		raw := AppendKeepalive(nil)
		raw[18] = 6
		_, err := ParseMessage(raw)
		wantNotification(t, err, CodeHeader, SubBadType, []byte{6})
	})
	t.Run("prefix SID with a short SRv6 TLV", func(t *testing.T) {
		sid := []byte{0xc0, 40, 4, 5, 0, 1, 0}
		u := bothFamilies.Classify(updateBody(nil, slices.Concat(mandatory, sid), nlri))
		if u.Action != AttributeDiscard || !u.Discards(AttrPrefixSID) {
			t.Fatalf("got %s (%s)", u.Action, u.Why)
		}
		if slices.Contains(attributeTypes(t, rebuild(t, &u, IPv4Unicast)), AttrPrefixSID) {
			t.Error("prefix SID is in the rebuilt message")
		}
	})
	t.Run("header marker", func(t *testing.T) {
		raw := AppendKeepalive(nil)
		raw[7] = 0xfe
		_, err := ParseMessage(raw)
		wantNotification(t, err, CodeHeader, SubNotSynchronized, nil)
	})
}

// rebuild does what the guard does: a new message from what was vetted.
func rebuild(t testing.TB, u *Update, f Family) []byte {
	t.Helper()
	attrs, err := u.Attributes(f)
	if err != nil {
		t.Fatal(err)
	}
	set, err := attrs.Intern()
	if err != nil {
		t.Fatal(err)
	}
	var prefixes []netip.Prefix
	for p := range u.Advertisements() {
		if p.Addr().Is4() == (f == IPv4Unicast) {
			prefixes = append(prefixes, p)
		}
	}
	raw, _, err := Encoding{}.AppendAdvertise(nil, set, prefixes)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func attributeTypes(t testing.TB, raw []byte) []AttributeType {
	t.Helper()
	m, err := ParseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	_, list, _, _ := splitUpdate(m.Body)
	var types []AttributeType
	for len(list) > 0 {
		a, rest, ok := nextAttribute(list)
		if !ok {
			t.Fatalf("attributes of %x are cut short", raw)
		}
		types, list = append(types, a.Type), rest
	}
	return types
}

func TestEndOfRIB(t *testing.T) {
	onlyIPv4 := Session{Families: NewFamilySet(IPv4Unicast)}
	tests := []struct {
		name    string
		session Session
		body    []byte
		want    Family
	}{
		{"IPv4", bothFamilies, updateBody(nil, nil, nil), IPv4Unicast},
		{"IPv6", bothFamilies, updateBody(nil, []byte{0x80, 15, 3, 0, 2, 1}, nil), IPv6Unicast},
		{"IPv4 in MP_UNREACH", bothFamilies, updateBody(nil, []byte{0x80, 15, 3, 0, 1, 1}, nil), IPv4Unicast},
		{"IPv6 not negotiated", onlyIPv4, updateBody(nil, []byte{0x80, 15, 3, 0, 2, 1}, nil), Family{}},
		{"IPv4 not negotiated", Session{}, updateBody(nil, nil, nil), Family{}},
		{"EVPN", bothFamilies, updateBody(nil, []byte{0x80, 15, 3, 0, 25, 70}, nil), Family{}},
		{"attributes without routes", bothFamilies, updateBody(nil, mandatory, nil), Family{}},
		{"IPv6 beside another attribute", bothFamilies, updateBody(nil, slices.Concat([]byte{0x80, 15, 3, 0, 2, 1}, attrOrigin), nil), Family{}},
		{"IPv6 withdrawal", bothFamilies, updateBody(nil, attrUnreach6, nil), Family{}},
		{"IPv4 withdrawal", bothFamilies, updateBody(nlri, nil, nil), Family{}},
		{"wrong flags", bothFamilies, updateBody(nil, []byte{0xc0, 15, 3, 0, 2, 1}, nil), Family{}},
	}
	for _, tt := range tests {
		u := tt.session.Classify(tt.body)
		if got, ok := u.EndOfRIB(); got != tt.want || ok != (tt.want != Family{}) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, ok, tt.want)
		}
	}
}

// TestMixedUpdate: all four kinds of routes in one message.
func TestMixedUpdate(t *testing.T) {
	body := updateBody([]byte{16, 198, 18}, slices.Concat(attrReach6, attrUnreach6, mandatory, []byte{0xc0, 35, 4, 0, 0, 0xfd, 0xea}), nlri)
	u := bothFamilies.Classify(body)
	if u.Action != Accept || u.OTC() != policy.OTCWith(65002) {
		t.Fatalf("got %s (%s), OTC %v", u.Action, u.Why, u.OTC())
	}
	if got := collect(u.Withdrawals()); !slices.Equal(got, []string{"198.18.0.0/16", "2001:db8:8::/48"}) {
		t.Errorf("withdrawals %v", got)
	}
	if got := collect(u.Advertisements()); !slices.Equal(got, []string{"203.0.113.0/24", "2001:db8:9::/48"}) {
		t.Errorf("advertisements %v", got)
	}
	four, err4 := u.Attributes(IPv4Unicast)
	six, err6 := u.Attributes(IPv6Unicast)
	if err4 != nil || err6 != nil || four.NextHop.String() != "192.0.2.2" || six.NextHop.String() != "2001:db8::1" {
		t.Errorf("next hops %s, %v and %s, %v", four.NextHop, err4, six.NextHop, err6)
	}

	s := bothFamilies
	s.Families = NewFamilySet(IPv6Unicast)
	u = s.Classify(body)
	if got := collect(u.Advertisements()); u.Action != AttributeDiscard || !slices.Equal(got, []string{"2001:db8:9::/48"}) {
		t.Errorf("IPv4 was not negotiated: %s, %v", u.Action, got)
	}
	if _, err := u.Attributes(IPv4Unicast); err == nil {
		t.Error("gives attributes of a family that was not negotiated")
	}
}

func TestMalformedIsNeverOTC(t *testing.T) {
	u := bothFamilies.Classify(updateBody(nil, slices.Concat(mandatory, []byte{0x80, 35, 4, 0, 0, 0xfd, 0xea}), nlri))
	if u.OTC().Present || u.Action != TreatAsWithdraw {
		t.Errorf("OTC %v from an attribute with wrong flags, %s", u.OTC(), u.Action)
	}
}

func TestUnknownTransitivePassesPartial(t *testing.T) {
	u := bothFamilies.Classify(updateBody(nil, slices.Concat(mandatory, []byte{0xc0, 99, 2, 7, 8}), nlri))
	attrs, err := u.Attributes(IPv4Unicast)
	if err != nil || len(attrs.Unknown) != 1 {
		t.Fatalf("got %+v, %v", attrs.Unknown, err)
	}
	if a := attrs.Unknown[0]; a.Flags != FlagOptional|FlagTransitive|FlagPartial || a.Type != 99 || !slices.Equal(a.Value, []byte{7, 8}) {
		t.Errorf("got %+v", a)
	}
}

// TestServiceCommunitiesAreDropped: a flow specification action that GoBGP
// v3.37.0 cannot read goes, a route target stays.
func TestServiceCommunitiesAreDropped(t *testing.T) {
	target := ExtCommunity{0, 2, 0xfd, 0xea, 0, 0, 0, 1}
	link := ExtCommunity{0x40, 4, 0xfd, 0xea, 0, 0, 0, 1}
	redirect := ExtCommunity{0x80, 0x0b, 1, 2, 3, 4, 5, 6}
	evpn := ExtCommunity{6, 0, 1, 0, 0, 0, 0, 1}
	value := slices.Concat(redirect[:], target[:], evpn[:], link[:])
	u := bothFamilies.Classify(updateBody(nil, appendAttribute(slices.Clone(mandatory), optionalTransitive, AttrExtCommunities, value), nlri))
	attrs, err := u.Attributes(IPv4Unicast)
	if err != nil || !slices.Equal(attrs.ExtCommunities, []ExtCommunity{target, link}) {
		t.Errorf("got %x, %v", attrs.ExtCommunities, err)
	}
}

func TestFirstOfRepeatedCounts(t *testing.T) {
	u := bothFamilies.Classify(updateBody(nil, slices.Concat(mandatory, []byte{0x80, 4, 4, 0, 0, 0, 1, 0x80, 4, 4, 0, 0, 0, 2}), nlri))
	attrs, err := u.Attributes(IPv4Unicast)
	if err != nil || attrs.MED != MetricOf(1) {
		t.Errorf("MED %v, %v, want 1", attrs.MED, err)
	}
}

// TestTwoOctetNeighbor: RFC 6793 section 4.2.3.
func TestTwoOctetNeighbor(t *testing.T) {
	s := bothFamilies
	s.TwoOctetAS = true
	path := func(b ...byte) []byte { return appendAttribute(nil, transitive, AttrASPath, b) }
	as4 := func(b ...byte) []byte { return appendAttribute(nil, optionalTransitive, AttrAS4Path, b) }
	aggregator := func(asn uint16) []byte {
		return []byte{0xc0, 7, 6, byte(asn >> 8), byte(asn), 10, 0, 0, 1}
	}
	as4Aggregator := []byte{0xc0, 18, 8, 0xfa, 0x56, 0xea, 0, 10, 0, 0, 2}
	tests := []struct {
		name string
		list []byte
		path string
		agg  uint32
	}{
		{"no AS4_PATH", path(2, 2, 0xfd, 0xea, 0x5b, 0xa0), "65002 23456", 0},
		{"AS4_PATH of the same length", slices.Concat(path(2, 2, 0xfd, 0xea, 0x5b, 0xa0), as4(2, 2, 0, 0, 0xfd, 0xea, 0xfa, 0x56, 0xea, 0)), "65002 4200000000", 0},
		{"AS4_PATH first", slices.Concat(as4(2, 1, 0xfa, 0x56, 0xea, 0), path(2, 2, 0xfd, 0xea, 0x5b, 0xa0)), "65002 4200000000", 0},
		{"AS4_PATH shorter", slices.Concat(path(2, 3, 0xfd, 0xea, 0xfd, 0xeb, 0x5b, 0xa0), as4(2, 1, 0xfa, 0x56, 0xea, 0)), "65002 65003 4200000000", 0},
		{"AS4_PATH longer", slices.Concat(path(2, 1, 0xfd, 0xea), as4(2, 2, 0, 0, 0xfd, 0xea, 0xfa, 0x56, 0xea, 0)), "65002", 0},
		{"AS4_PATH malformed", slices.Concat(path(2, 1, 0x5b, 0xa0), as4(2, 2, 0, 0, 0xfd, 0xea)), "23456", 0},
		{"a set on the way", slices.Concat(path(2, 1, 0xfd, 0xea, 1, 2, 0, 1, 0, 2, 2, 1, 0x5b, 0xa0), as4(2, 1, 0xfa, 0x56, 0xea, 0)), "65002 {1,2} 4200000000", 0},
		{"confederation in AS4_PATH", slices.Concat(path(2, 2, 0xfd, 0xea, 0x5b, 0xa0), as4(3, 1, 0, 0, 0, 9, 2, 1, 0xfa, 0x56, 0xea, 0)), "65002 4200000000", 0},
		{"AS4_AGGREGATOR", slices.Concat(path(2, 1, 0xfd, 0xea), aggregator(ASTrans), as4Aggregator), "65002", 4200000000},
		{"AS4_AGGREGATOR beside a real one", slices.Concat(path(2, 1, 0x5b, 0xa0), aggregator(65002), as4Aggregator, as4(2, 1, 0xfa, 0x56, 0xea, 0)), "23456", 65002},
	}
	for _, tt := range tests {
		u := s.Classify(updateBody(nil, slices.Concat(attrOrigin, attrNextHop, tt.list), nlri))
		attrs, err := u.Attributes(IPv4Unicast)
		if err != nil {
			t.Errorf("%s: %v (%s)", tt.name, err, u.Why)
			continue
		}
		if attrs.ASPath.String() != tt.path || attrs.Aggregator.AS != tt.agg {
			t.Errorf("%s: path %q, aggregator %d, want %q, %d", tt.name, attrs.ASPath, attrs.Aggregator.AS, tt.path, tt.agg)
		}
	}
}

func TestZeroValuesAreSafe(t *testing.T) {
	var u Update
	if u.Action != SessionReset || collect(u.Advertisements()) != nil || collect(u.Withdrawals()) != nil {
		t.Errorf("the zero Update is ruled %s", u.Action)
	}
	if n := u.Notification(); n.Code != CodeUpdate || n.Subcode != SubMalformedAttributes {
		t.Errorf("the zero Ruling sends %v", n)
	}
	var s Session
	if got := collect(func(yield func(netip.Prefix) bool) {
		u := s.Classify(updateBody(nil, mandatory, nlri))
		u.Advertisements()(yield)
	}); got != nil {
		t.Errorf("the zero Session lets routes through: %v", got)
	}
	if n := Phase(0).Admit(TypeKeepalive); n == nil {
		t.Error("the zero Phase admits a message")
	}
}

// TestClassifyAllocatesNothing holds what the guard's hot path rests on.
func TestClassifyAllocatesNothing(t *testing.T) {
	body := updateBody([]byte{16, 198, 18}, slices.Concat(attrReach6, attrUnreach6, mandatory, []byte{0xc0, 35, 4, 0, 0, 0xfd, 0xea, 0xc0, 99, 1, 1}), nlri)
	n := 0
	allocs := testing.AllocsPerRun(100, func() {
		u := bothFamilies.Classify(body)
		for range u.Withdrawals() {
			n++
		}
		for range u.Advertisements() {
			n++
		}
	})
	if allocs != 0 || n == 0 {
		t.Errorf("%v allocations for %d prefixes, want 0", allocs, n)
	}
}
