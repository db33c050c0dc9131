package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"unique"

	"github.com/holdfast-bgp/holdfast/policy"
)

// Origin is the ORIGIN of a route (RFC 4271 section 5.1.1).
type Origin uint8

// Origins.
const (
	OriginIGP Origin = iota
	OriginEGP
	OriginIncomplete
)

// String names the origin.
func (o Origin) String() string {
	switch o {
	case OriginIGP:
		return "igp"
	case OriginEGP:
		return "egp"
	case OriginIncomplete:
		return "incomplete"
	}
	return fmt.Sprintf("origin(%d)", uint8(o))
}

// Metric is a 32-bit attribute that may be absent: MULTI_EXIT_DISC, LOCAL_PREF.
// The zero value is absent.
type Metric struct {
	Value   uint32
	Present bool
}

// MetricOf is a metric that is there.
func MetricOf(v uint32) Metric { return Metric{Value: v, Present: true} }

// Aggregator is the AGGREGATOR of a route; the zero value is none.
type Aggregator struct {
	AS uint32
	ID netip.Addr
}

// ExtCommunity is an extended community as it is on the wire (RFC 4360).
type ExtCommunity [8]byte

// Specific reports whether the community is of one of the types that name an AS
// or an IPv4 address and a number (RFC 4360 section 3, RFC 5668): route target,
// route origin and their like. The other types belong to services that are not
// spoken here (flow specification, EVPN, mobile user plane), whose structure
// nothing here vets and GoBGP v3.37.0 trips over.
func (c ExtCommunity) Specific() bool {
	const nonTransitive = 0x40
	return c[0]&^nonTransitive <= 2
}

// Attributes are the path attributes of a route as values, with four-octet AS
// numbers whatever the session has. Slices that are empty are absent
// attributes. The family of a route follows from NextHop: one set of
// Attributes is for IPv4 or for IPv6, never for both.
type Attributes struct {
	Origin           Origin
	ASPath           ASPath
	NextHop          netip.Addr
	LinkLocal        netip.Addr // second next hop of an IPv6 route (RFC 2545), or none
	MED              Metric
	LocalPref        Metric
	AtomicAggregate  bool
	Aggregator       Aggregator
	Communities      []policy.Community
	OriginatorID     netip.Addr
	ClusterList      []netip.Addr
	ExtCommunities   []ExtCommunity
	LargeCommunities []policy.LargeCommunity
	OTC              policy.OTC
	Unknown          []Attribute // optional transitive attributes nobody here knows, by type
}

// decodeAttributes reads a list of attributes that has been ruled on, leaving
// out repetitions, what is discarded and the MP attributes.
func decodeAttributes(list []byte, discarded *typeSet, octets int) (Attributes, error) {
	var attrs Attributes
	var as4 as4Attributes
	seen := *discarded
	for len(list) > 0 {
		a, rest, ok := nextAttribute(list)
		if !ok {
			return Attributes{}, errors.New("attributes: an attribute leaves the list")
		}
		list = rest
		if seen.has(a.Type) {
			continue
		}
		seen.add(a.Type)
		if err := attrs.decode(a, octets, &as4); err != nil {
			return Attributes{}, err
		}
	}
	as4.merge(&attrs)
	slices.SortStableFunc(attrs.Unknown, func(x, y Attribute) int { return int(x.Type) - int(y.Type) })
	return attrs, nil
}

// decode reads one attribute whose length has been checked.
func (attrs *Attributes) decode(a Attribute, octets int, as4 *as4Attributes) (err error) {
	v := a.Value
	switch a.Type {
	case AttrOrigin:
		attrs.Origin = Origin(v[0])
	case AttrASPath:
		attrs.ASPath, err = decodeASPath(v, octets)
	case AttrNextHop:
		attrs.NextHop = netip.AddrFrom4([4]byte(v))
	case AttrMED:
		attrs.MED = MetricOf(binary.BigEndian.Uint32(v))
	case AttrLocalPref:
		attrs.LocalPref = MetricOf(binary.BigEndian.Uint32(v))
	case AttrAtomicAggregate:
		attrs.AtomicAggregate = true
	case AttrAggregator:
		attrs.Aggregator = Aggregator{AS: asnAt(v, octets), ID: netip.AddrFrom4([4]byte(v[octets:]))}
	case AttrCommunities:
		for c := range slices.Chunk(v, 4) {
			attrs.Communities = append(attrs.Communities, policy.Community(binary.BigEndian.Uint32(c)))
		}
	case AttrOriginatorID:
		attrs.OriginatorID = netip.AddrFrom4([4]byte(v))
	case AttrClusterList:
		for c := range slices.Chunk(v, 4) {
			attrs.ClusterList = append(attrs.ClusterList, netip.AddrFrom4([4]byte(c)))
		}
	case AttrExtCommunities:
		for c := range slices.Chunk(v, 8) {
			attrs.ExtCommunities = append(attrs.ExtCommunities, ExtCommunity(c))
		}
	case AttrAS4Path:
		as4.path, err = decodeASPath(v, 4)
	case AttrAS4Aggregator:
		as4.aggregator = Aggregator{AS: binary.BigEndian.Uint32(v), ID: netip.AddrFrom4([4]byte(v[4:]))}
	case AttrLargeCommunities:
		for c := range slices.Chunk(v, 12) {
			attrs.LargeCommunities = append(attrs.LargeCommunities, policy.LargeCommunity{
				Global: binary.BigEndian.Uint32(c),
				Local1: binary.BigEndian.Uint32(c[4:]),
				Local2: binary.BigEndian.Uint32(c[8:]),
			})
		}
	case AttrOTC:
		attrs.OTC = policy.OTCWith(binary.BigEndian.Uint32(v))
	case AttrMPReach, AttrMPUnreach:
	default:
		attrs.Unknown = append(attrs.Unknown, Attribute{
			Flags: optionalTransitive | FlagPartial, Type: a.Type, Value: slices.Clone(v),
		})
	}
	return err
}

// as4Attributes are AS4_PATH and AS4_AGGREGATOR until they are merged.
type as4Attributes struct {
	path       ASPath
	aggregator Aggregator
}

// merge applies RFC 6793 section 4.2.3: an AGGREGATOR that is not AS_TRANS was
// set behind the speaker that wrote both AS4 attributes, which are out of date
// then and ignored.
func (as4 as4Attributes) merge(attrs *Attributes) {
	if as4.aggregator != (Aggregator{}) && attrs.Aggregator != (Aggregator{}) {
		if attrs.Aggregator.AS != ASTrans {
			return
		}
		attrs.Aggregator = as4.aggregator
	}
	if len(as4.path) > 0 {
		attrs.ASPath = mergeAS4Path(attrs.ASPath, as4.path)
	}
}

// check refuses attributes that have no encoding.
func (attrs *Attributes) check() error {
	switch {
	case !attrs.NextHop.IsValid():
		return errors.New("attributes: next hop: missing")
	case attrs.NextHop.Zone() != "" || attrs.LinkLocal.Zone() != "":
		return fmt.Errorf("attributes: next hop %s: zones are not sent", attrs.NextHop)
	case attrs.LinkLocal.IsValid() && (attrs.NextHop.Is4() || attrs.LinkLocal.Is4()):
		return fmt.Errorf("attributes: second next hop %s: only for IPv6", attrs.LinkLocal)
	case attrs.Origin > OriginIncomplete:
		return fmt.Errorf("attributes: %s: undefined", attrs.Origin)
	case attrs.Aggregator != (Aggregator{}) && !attrs.Aggregator.ID.Is4():
		return fmt.Errorf("attributes: aggregator id %s: not an IPv4 address", attrs.Aggregator.ID)
	case attrs.OriginatorID.IsValid() && !attrs.OriginatorID.Is4():
		return fmt.Errorf("attributes: originator id %s: not an IPv4 address", attrs.OriginatorID)
	}
	for _, s := range attrs.ASPath {
		if s.Type < ASSet || s.Type > ConfedSet || len(s.ASNs) == 0 || s.Type != ASSequence && len(s.ASNs) > 255 {
			return fmt.Errorf("attributes: as path %s: segment has no encoding", attrs.ASPath)
		}
	}
	if attrs.ASPath.Contains(0) {
		return fmt.Errorf("attributes: as path %s: AS number 0 is never sent (RFC 7607)", attrs.ASPath)
	}
	for _, c := range attrs.ClusterList {
		if !c.Is4() {
			return fmt.Errorf("attributes: cluster id %s: not an IPv4 address", c)
		}
	}
	return attrs.checkUnknown()
}

// checkUnknown refuses an attribute in Unknown that would not pass as one.
func (attrs *Attributes) checkUnknown() error {
	for i, a := range attrs.Unknown {
		a.Flags = optionalTransitive
		if knownFlags[a.Type] != 0 || (Session{}).Rule(a).Action != Accept {
			return fmt.Errorf("attributes: %s: cannot be sent as an unknown attribute", a.Type)
		}
		if i > 0 && attrs.Unknown[i-1].Type >= a.Type {
			return fmt.Errorf("attributes: %s: unknown attributes must be sorted by type, each at most once", a.Type)
		}
		if len(a.Value) > MaxMessageLen {
			return fmt.Errorf("attributes: %s: %w", a.Type, ErrTooLong)
		}
	}
	return nil
}

// append appends all attributes but the MP attributes in ascending order of
// type (RFC 4271 section 5), NEXT_HOP for IPv4 only.
func (attrs *Attributes) append(dst []byte, octets int) []byte {
	unknown := attrs.Unknown
	before := func(t AttributeType) {
		for len(unknown) > 0 && unknown[0].Type < t {
			dst = appendAttribute(dst, optionalTransitive|FlagPartial, unknown[0].Type, unknown[0].Value)
			unknown = unknown[1:]
		}
	}
	dst = appendAttribute(dst, transitive, AttrOrigin, []byte{byte(attrs.Origin)})
	dst = appendAttribute(dst, transitive, AttrASPath, attrs.ASPath.append(nil, octets))
	if attrs.NextHop.Is4() {
		dst = appendAttribute(dst, transitive, AttrNextHop, attrs.NextHop.AsSlice())
	}
	if attrs.MED.Present {
		dst = appendUint32(dst, optional, AttrMED, attrs.MED.Value)
	}
	if attrs.LocalPref.Present {
		dst = appendUint32(dst, transitive, AttrLocalPref, attrs.LocalPref.Value)
	}
	if attrs.AtomicAggregate {
		dst = appendAttribute(dst, transitive, AttrAtomicAggregate, nil)
	}
	if attrs.Aggregator != (Aggregator{}) {
		dst = appendAttributeHeader(dst, optionalTransitive, AttrAggregator, octets+4)
		dst = append(appendASN(dst, attrs.Aggregator.AS, octets), attrs.Aggregator.ID.AsSlice()...)
	}
	if n := len(attrs.Communities); n > 0 {
		dst = appendAttributeHeader(dst, optionalTransitive, AttrCommunities, 4*n)
		for _, c := range attrs.Communities {
			dst = binary.BigEndian.AppendUint32(dst, uint32(c))
		}
	}
	if attrs.OriginatorID.IsValid() {
		dst = appendAttribute(dst, optional, AttrOriginatorID, attrs.OriginatorID.AsSlice())
	}
	if n := len(attrs.ClusterList); n > 0 {
		dst = appendAttributeHeader(dst, optional, AttrClusterList, 4*n)
		for _, c := range attrs.ClusterList {
			dst = append(dst, c.AsSlice()...)
		}
	}
	before(AttrExtCommunities)
	if n := len(attrs.ExtCommunities); n > 0 {
		dst = appendAttributeHeader(dst, optionalTransitive, AttrExtCommunities, 8*n)
		for _, c := range attrs.ExtCommunities {
			dst = append(dst, c[:]...)
		}
	}
	dst = attrs.appendAS4(dst, octets)
	before(AttrLargeCommunities)
	if n := len(attrs.LargeCommunities); n > 0 {
		dst = appendAttributeHeader(dst, optionalTransitive, AttrLargeCommunities, 12*n)
		for _, c := range attrs.LargeCommunities {
			dst = binary.BigEndian.AppendUint32(dst, c.Global)
			dst = binary.BigEndian.AppendUint32(dst, c.Local1)
			dst = binary.BigEndian.AppendUint32(dst, c.Local2)
		}
	}
	before(AttrOTC)
	if attrs.OTC.Present {
		dst = appendUint32(dst, optionalTransitive, AttrOTC, attrs.OTC.AS)
	}
	for _, a := range unknown {
		dst = appendAttribute(dst, optionalTransitive|FlagPartial, a.Type, a.Value)
	}
	return dst
}

// appendAS4 appends what a neighbor with two-octet AS numbers cannot read from
// AS_PATH and AGGREGATOR (RFC 6793 section 4.2.2), where they say more than these.
func (attrs *Attributes) appendAS4(dst []byte, octets int) []byte {
	if octets == 4 {
		return dst
	}
	if attrs.ASPath.needsFour() {
		dst = appendAttribute(dst, optionalTransitive, AttrAS4Path, attrs.ASPath.withoutConfederation().append(nil, 4))
	}
	if attrs.Aggregator.AS > 0xffff {
		dst = appendAttributeHeader(dst, optionalTransitive, AttrAS4Aggregator, 8)
		dst = append(appendASN(dst, attrs.Aggregator.AS, 4), attrs.Aggregator.ID.AsSlice()...)
	}
	return dst
}

func appendUint32(dst []byte, flags AttributeFlags, t AttributeType, v uint32) []byte {
	return binary.BigEndian.AppendUint32(appendAttributeHeader(dst, flags, t, 4), v)
}

// AttrSet is an interned set of Attributes: two sets are == if and only if they
// are encoded the same, and a million routes with the same attributes cost one
// pointer each. The memory of a set goes when its last holder goes. The zero
// value is no set.
type AttrSet struct {
	h unique.Handle[string]
}

// The string of an AttrSet is the number of octets of the IPv6 next hop (0, 16
// or 32), the next hop, then the attributes with four-octet AS numbers.

// Intern checks and encodes the attributes and returns their set. It keeps
// nothing of them.
func (attrs *Attributes) Intern() (AttrSet, error) {
	if err := attrs.check(); err != nil {
		return AttrSet{}, err
	}
	code := make([]byte, 1, 128)
	if !attrs.NextHop.Is4() {
		code = append(code, attrs.NextHop.AsSlice()...)
		code = append(code, attrs.LinkLocal.AsSlice()...)
		code[0] = byte(len(code) - 1)
	}
	code = attrs.append(code, 4)
	if len(code) > MaxMessageLen {
		return AttrSet{}, fmt.Errorf("attributes: %d octets: %w", len(code), ErrTooLong)
	}
	return AttrSet{unique.Make(string(code))}, nil
}

// IsZero reports whether there is no set.
func (s AttrSet) IsZero() bool { return s == AttrSet{} }

// Attributes decodes the set. The zero set gives the zero Attributes.
func (s AttrSet) Attributes() Attributes {
	if s.IsZero() {
		return Attributes{}
	}
	nextHop, list := s.split()
	attrs, err := decodeAttributes([]byte(list), &typeSet{}, 4)
	if err != nil {
		return Attributes{} // Intern encoded it: cannot be
	}
	if nextHop != "" {
		attrs.NextHop, _ = netip.AddrFromSlice([]byte(nextHop[:16]))
		attrs.LinkLocal, _ = netip.AddrFromSlice([]byte(nextHop[16:]))
	}
	return attrs
}

// split gives the IPv6 next hop, empty for IPv4, and the encoded attributes.
func (s AttrSet) split() (nextHop, list string) {
	code := s.h.Value()
	end := 1 + int(code[0])
	return code[1:end], code[end:]
}
