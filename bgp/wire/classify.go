package wire

import (
	"encoding/binary"
	"net/netip"
)

const (
	optional           = FlagOptional
	transitive         = FlagTransitive
	optionalTransitive = FlagOptional | FlagTransitive
)

// wantFlags gives the Optional and Transitive bits of every attribute we know.
var wantFlags = map[AttributeType]AttributeFlags{
	AttrOrigin: transitive, AttrASPath: transitive, AttrNextHop: transitive, AttrMED: optional,
	AttrLocalPref: transitive, AttrAtomicAggregate: transitive, AttrAggregator: optionalTransitive,
	AttrCommunities: optionalTransitive, AttrOriginatorID: optional, AttrClusterList: optional,
	AttrMPReach: optional, AttrMPUnreach: optional, AttrExtCommunities: optionalTransitive,
	AttrAS4Path: optionalTransitive, AttrAS4Aggregator: optionalTransitive, AttrIPv6ExtCommunities: optionalTransitive,
	AttrLargeCommunities: optionalTransitive, AttrOTC: optionalTransitive,
}

// knownFlags is wantFlags as a table: the walk must not hash.
var knownFlags = func() (t [256]AttributeFlags) {
	for a, f := range wantFlags {
		t[a] = f
	}
	return t
}()

// Rule rules on a single attribute by itself: flags, length and content. What
// depends on the rest of the message (repetition, what is missing, whether
// there are routes at all) is Classify's.
func (s Session) Rule(a Attribute) Ruling {
	if ruling, done := s.ruleUnwanted(a); done {
		return ruling
	}
	ruling := s.ruleValue(a)
	ruling.Attribute = a.Type
	if ruling.Action <= TreatAsWithdraw && ruling.data == nil && ruling.subcode != SubMalformedASPath {
		ruling.data = a.raw
	}
	// RFC 7606 section 3 (c): Optional and Transitive bits that are wrong for the
	// type make the attribute malformed, and the routes are treated as withdrawn.
	unused := ruling.Action == AttributeDiscard && (a.Type == AttrMPReach || a.Type == AttrMPUnreach)
	if a.Flags&optionalTransitive != knownFlags[a.Type] && ruling.Action > TreatAsWithdraw && !unused {
		return Ruling{Action: TreatAsWithdraw, Attribute: a.Type, subcode: SubAttributeFlags, data: a.raw, Why: "flags do not fit the attribute"}
	}
	return ruling
}

// ruleUnwanted rules on attributes that are discarded whatever they hold, and
// on those nobody knows.
func (s Session) ruleUnwanted(a Attribute) (Ruling, bool) {
	discard := func(why string) (Ruling, bool) {
		return Ruling{Action: AttributeDiscard, Attribute: a.Type, Why: why}, true
	}
	switch a.Type {
	case AttrLocalPref, AttrOriginatorID, AttrClusterList:
		// RFC 7606 sections 7.5, 7.9, 7.10: if the attribute is received from an
		// external neighbor, it SHALL be discarded using the attribute discard
		// approach.
		if !s.Internal {
			return discard("from an external neighbor")
		}
	case AttrAS4Path, AttrAS4Aggregator:
		// RFC 6793 section 4.1: between speakers of four-octet AS numbers these two
		// say nothing; they are discarded, the routes stay.
		if !s.TwoOctetAS {
			return discard("from a neighbor with four-octet AS numbers")
		}
	case AttrPMSITunnel, AttrTunnelEncapsulation, AttrTrafficEngineering, AttrAIGP, AttrLinkState, AttrPrefixSID, AttrAttrSet:
		// Services that Holdfast does not speak. RFC 8669 section 5 for the
		// prefix SID, RFC 7311 section 3.4 for AIGP: discarded from neighbors
		// that were not configured for it.
		return discard("belongs to a service that is not spoken here")
	}
	if knownFlags[a.Type] != 0 {
		return Ruling{}, false
	}
	switch {
	case a.Flags&FlagOptional == 0:
		// RFC 4271 section 6.3: a well-known attribute that we do not know ends the
		// session, with the whole attribute as data.
		return Ruling{Action: SessionReset, Attribute: a.Type, subcode: SubUnrecognizedWellKnown, data: a.raw, Why: "unrecognized well-known attribute"}, true
	case a.Flags&FlagTransitive == 0:
		// RFC 4271 section 5: an unknown optional attribute goes no further unless
		// it is transitive.
		return discard("unrecognized non-transitive attribute")
	}
	// RFC 4271 section 5: an unknown transitive attribute is passed on with the
	// Partial bit, which says that somebody on the way did not understand it.
	return Ruling{Action: Accept, Attribute: a.Type}, true
}

// ruleValue rules on the length and content of an attribute we know.
func (s Session) ruleValue(a Attribute) Ruling {
	v := a.Value
	switch a.Type {
	case AttrOrigin:
		// RFC 7606 section 7.1: malformed if its length is not 1 or if it has an
		// undefined value.
		if len(v) != 1 {
			return withdraw(SubAttributeLength, "length is not 1")
		}
		if v[0] > uint8(OriginIncomplete) {
			return withdraw(SubInvalidOrigin, "undefined value")
		}
	case AttrASPath:
		return s.ruleASPath(v)
	case AttrNextHop:
		// RFC 7606 section 7.3: malformed "if its length is not 4".
		if len(v) != 4 {
			return withdraw(SubAttributeLength, "length is not 4")
		}
		// RFC 4271 section 6.3: a next hop that is not a valid IP host address is
		// semantically incorrect and the route is ignored.
		if why := s.checkNextHop(netip.AddrFrom4([4]byte(v))); why != "" {
			return withdraw(SubInvalidNextHop, why)
		}
	case AttrMED, AttrLocalPref, AttrOriginatorID, AttrOTC:
		// RFC 7606 sections 7.4, 7.5, 7.9 and RFC 9234 section 5: four octets, or
		// the routes are treated as withdrawn.
		return multipleOf(v, 4, 4)
	case AttrAtomicAggregate:
		// RFC 7606 section 7.6: malformed "if its length is not 0", discarded.
		if len(v) != 0 {
			return Ruling{Action: AttributeDiscard, Why: "length is not 0"}
		}
	case AttrAggregator:
		return s.ruleAggregator(v)
	case AttrAS4Aggregator:
		// RFC 6793 section 6: malformed if the attribute length is not 8,
		// discarded; AS number 0 by RFC 7607.
		if len(v) != 8 || binary.BigEndian.Uint32(v) == 0 {
			return Ruling{Action: AttributeDiscard, Why: "malformed"}
		}
	case AttrAS4Path:
		// RFC 6793 section 6: a malformed AS4_PATH is discarded, AS_PATH still holds.
		// Confederation segments in it are dropped when it is merged.
		if why := checkASPath(v, 4, true); why != "" || len(v) == 0 {
			return Ruling{Action: AttributeDiscard, Why: "malformed"}
		}
	case AttrCommunities, AttrClusterList:
		return multipleOf(v, 4, 0) // RFC 7606 sections 7.8, 7.10
	case AttrExtCommunities:
		return multipleOf(v, 8, 0) // RFC 7606 section 7.14
	case AttrLargeCommunities:
		return multipleOf(v, 12, 0) // RFC 8092 section 6
	case AttrIPv6ExtCommunities:
		// RFC 7606 section 7.15; of a service not spoken here if well-formed.
		if r := multipleOf(v, 20, 0); r.Action != Accept {
			return r
		}
		return Ruling{Action: AttributeDiscard, Why: "belongs to a service that is not spoken here"}
	case AttrMPReach:
		return s.ruleMPReach(v)
	case AttrMPUnreach:
		return s.ruleMPUnreach(v)
	}
	return Ruling{Action: Accept}
}

func withdraw(subcode uint8, why string) Ruling {
	return Ruling{Action: TreatAsWithdraw, subcode: subcode, Why: why}
}

// multipleOf accepts a non-zero multiple of unit; only one length if exactly is
// not 0.
func multipleOf(v []byte, unit, exactly int) Ruling {
	switch {
	case exactly != 0 && len(v) != exactly:
		return withdraw(SubAttributeLength, "length does not fit the attribute")
	case len(v) == 0 || len(v)%unit != 0:
		return withdraw(SubOptionalAttribute, "length is not a non-zero multiple of the entry")
	}
	return Ruling{Action: Accept}
}

func (s Session) ruleASPath(v []byte) Ruling {
	if why := checkASPath(v, s.asOctets(), false); why != "" {
		return withdraw(SubMalformedASPath, why)
	}
	if s.Internal || s.FirstAS == 0 {
		return Ruling{Action: Accept}
	}
	// RFC 4271 section 6.3 allows this check: an external neighbor puts its own AS
	// number in front of every path it sends.
	if len(v) == 0 || SegmentType(v[0]) != ASSequence || !s.isFirstAS(asnAt(v[2:], s.asOctets())) {
		return withdraw(SubMalformedASPath, "does not start with the neighbor's AS")
	}
	return Ruling{Action: Accept}
}

func (s Session) isFirstAS(asn uint32) bool {
	if s.TwoOctetAS && s.FirstAS > 0xffff {
		return asn == ASTrans
	}
	return asn == s.FirstAS
}

// ruleAggregator: RFC 7606 section 7.7, malformed if the length is not 6, or 8
// with four-octet AS numbers; discarded. AS number 0 by RFC 7607.
func (s Session) ruleAggregator(v []byte) Ruling {
	octets := s.asOctets()
	if len(v) != octets+4 || asnAt(v, octets) == 0 {
		return Ruling{Action: AttributeDiscard, Why: "malformed"}
	}
	return Ruling{Action: Accept}
}

// ruleMPReach checks an MP_REACH_NLRI down to its last prefix: a route that
// cannot be located cannot be withdrawn, so that almost any error resets the
// session (RFC 7606 sections 5.3 and 7.11).
func (s Session) ruleMPReach(v []byte) Ruling {
	reset := func(why string) Ruling {
		return Ruling{Action: SessionReset, subcode: SubOptionalAttribute, Why: why}
	}
	if len(v) < 5 {
		return reset("shorter than 5 octets")
	}
	f := Family{AFI: binary.BigEndian.Uint16(v), SAFI: v[2]}
	if !s.Families.Has(f) {
		// RFC 4760 section 7 lets routes of a family that is not in use be
		// ignored.
		return Ruling{Action: AttributeDiscard, Why: "family was not negotiated"}
	}
	end := 4 + int(v[3])
	// RFC 7606 section 7.11: where the next hop ends, the prefixes begin, so a length
	// that its family does not have leaves no way to find them. For IPv6 see RFC 2545
	// section 3; an IPv6 next hop of IPv4 (RFC 8950) was never negotiated.
	v6 := f == IPv6Unicast
	if good := v6 && (v[3] == 16 || v[3] == 32) || !v6 && v[3] == 4; !good || len(v) < end+1 {
		return reset("length of the next hop does not fit the family")
	}
	if !checkPrefixes(v[end+1:], v6) {
		return reset("malformed prefix")
	}
	if len(v) == end+1 {
		return Ruling{Action: AttributeDiscard, Why: "advertises no route"}
	}
	global, _ := netip.AddrFromSlice(v[4 : 4+min(16, int(v[3]))])
	if why := s.checkNextHop(global); why != "" {
		return withdraw(SubOptionalAttribute, why)
	}
	return Ruling{Action: Accept}
}

// ruleMPUnreach: RFC 7606 sections 5.3 and 7.12.
func (s Session) ruleMPUnreach(v []byte) Ruling {
	if len(v) < 3 {
		return Ruling{Action: SessionReset, subcode: SubOptionalAttribute, Why: "shorter than 3 octets"}
	}
	f := Family{AFI: binary.BigEndian.Uint16(v), SAFI: v[2]}
	if !s.Families.Has(f) {
		return Ruling{Action: AttributeDiscard, Why: "family was not negotiated"}
	}
	if !checkPrefixes(v[3:], f == IPv6Unicast) {
		return Ruling{Action: SessionReset, subcode: SubOptionalAttribute, Why: "malformed prefix"}
	}
	return Ruling{Action: Accept}
}

// checkNextHop says why an address cannot be a next hop, or "".
func (s Session) checkNextHop(a netip.Addr) string {
	switch {
	case a.IsUnspecified():
		return "next hop is the unspecified address"
	case a.IsMulticast():
		return "next hop is a multicast address"
	case a.IsLoopback() && !s.LoopbackNextHop:
		return "next hop is a loopback address"
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240):
		return "next hop is in 0.0.0.0/8 or 240.0.0.0/4" // RFC 1122 section 3.2.1.3
	}
	return ""
}
