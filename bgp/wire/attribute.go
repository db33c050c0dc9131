package wire

import (
	"encoding/binary"
	"fmt"
)

// AttributeType is a path attribute type code.
type AttributeType uint8

// Path attributes that are read by name.
const (
	AttrOrigin              AttributeType = 1
	AttrASPath              AttributeType = 2
	AttrNextHop             AttributeType = 3
	AttrMED                 AttributeType = 4
	AttrLocalPref           AttributeType = 5
	AttrAtomicAggregate     AttributeType = 6
	AttrAggregator          AttributeType = 7
	AttrCommunities         AttributeType = 8
	AttrOriginatorID        AttributeType = 9
	AttrClusterList         AttributeType = 10
	AttrMPReach             AttributeType = 14
	AttrMPUnreach           AttributeType = 15
	AttrExtCommunities      AttributeType = 16
	AttrAS4Path             AttributeType = 17
	AttrAS4Aggregator       AttributeType = 18
	AttrPMSITunnel          AttributeType = 22
	AttrTunnelEncapsulation AttributeType = 23
	AttrTrafficEngineering  AttributeType = 24
	AttrIPv6ExtCommunities  AttributeType = 25
	AttrAIGP                AttributeType = 26
	AttrLinkState           AttributeType = 29
	AttrLargeCommunities    AttributeType = 32
	AttrOTC                 AttributeType = 35
	AttrPrefixSID           AttributeType = 40
	AttrAttrSet             AttributeType = 128
)

var attributeNames = map[AttributeType]string{
	AttrOrigin: "ORIGIN", AttrASPath: "AS_PATH", AttrNextHop: "NEXT_HOP", AttrMED: "MULTI_EXIT_DISC",
	AttrLocalPref: "LOCAL_PREF", AttrAtomicAggregate: "ATOMIC_AGGREGATE", AttrAggregator: "AGGREGATOR",
	AttrCommunities: "COMMUNITIES", AttrOriginatorID: "ORIGINATOR_ID", AttrClusterList: "CLUSTER_LIST",
	AttrMPReach: "MP_REACH_NLRI", AttrMPUnreach: "MP_UNREACH_NLRI", AttrExtCommunities: "EXTENDED COMMUNITIES",
	AttrAS4Path: "AS4_PATH", AttrAS4Aggregator: "AS4_AGGREGATOR", AttrPMSITunnel: "PMSI_TUNNEL",
	AttrTunnelEncapsulation: "Tunnel Encapsulation", AttrTrafficEngineering: "Traffic Engineering",
	AttrIPv6ExtCommunities: "IPv6 Address Specific Extended Community", AttrAIGP: "AIGP", AttrLinkState: "BGP-LS",
	AttrLargeCommunities: "LARGE_COMMUNITY", AttrOTC: "OTC", AttrPrefixSID: "BGP Prefix-SID", AttrAttrSet: "ATTR_SET",
}

// String names the attribute as its RFC does, or writes its number.
func (t AttributeType) String() string {
	if t == 0 {
		return "the message itself"
	}
	if name := attributeNames[t]; name != "" {
		return name
	}
	return fmt.Sprintf("attribute %d", uint8(t))
}

// AttributeFlags are the flags of a path attribute; the low four bits mean
// nothing.
type AttributeFlags uint8

// Attribute flags (RFC 4271 section 4.3).
const (
	FlagOptional   AttributeFlags = 0x80
	FlagTransitive AttributeFlags = 0x40
	FlagPartial    AttributeFlags = 0x20
	FlagExtended   AttributeFlags = 0x10
)

// Attribute is one path attribute as it stands in a message: Value is what its
// length says, not more, and has not been looked into.
type Attribute struct {
	Flags AttributeFlags
	Type  AttributeType
	Value []byte
	raw   []byte // the whole attribute, for the data of a NOTIFICATION
}

// nextAttribute takes the first attribute off a list. ok is false where the
// lengths leave the list (RFC 7606 section 4).
func nextAttribute(list []byte) (a Attribute, rest []byte, ok bool) {
	if len(list) < 3 {
		return Attribute{}, nil, false
	}
	a.Flags, a.Type = AttributeFlags(list[0]), AttributeType(list[1])
	head, length := 3, int(list[2])
	if a.Flags&FlagExtended != 0 {
		if len(list) < 4 {
			return a, nil, false
		}
		head, length = 4, int(binary.BigEndian.Uint16(list[2:]))
	}
	if len(list) < head+length {
		return a, nil, false
	}
	a.raw, a.Value = list[:head+length], list[head:head+length:head+length]
	return a, list[head+length:], true
}

// appendAttribute appends an attribute, with an extended length if it needs one.
func appendAttribute(dst []byte, flags AttributeFlags, t AttributeType, value []byte) []byte {
	return append(appendAttributeHeader(dst, flags, t, len(value)), value...)
}

// appendAttributeHeader appends all but the value.
func appendAttributeHeader(dst []byte, flags AttributeFlags, t AttributeType, length int) []byte {
	flags &= FlagOptional | FlagTransitive | FlagPartial
	if length > 255 {
		return append(dst, byte(flags|FlagExtended), byte(t), byte(length>>8), byte(length))
	}
	return append(dst, byte(flags), byte(t), byte(length))
}

// typeSet is a set of attribute types. The zero value is empty.
type typeSet [4]uint64

func (s *typeSet) add(t AttributeType)      { s[t>>6] |= 1 << (t & 63) }
func (s *typeSet) has(t AttributeType) bool { return s[t>>6]&(1<<(t&63)) != 0 }
