package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ASTrans stands in two octets for an AS number that needs four (RFC 6793).
const ASTrans = 23456

const (
	version4          = 4
	parameterCaps     = 2
	parameterExtended = 255
)

// Open is an OPEN message (RFC 4271 section 4.2).
type Open struct {
	AS           uint16 // My Autonomous System as sent: AS_TRANS for a number that does not fit
	HoldTime     uint16 // seconds, 0 for none
	RouterID     netip.Addr
	Capabilities Capabilities
}

// NewOpen is an OPEN of asn, with the four-octet AS capability and the field AS
// set to fit it.
func NewOpen(asn uint32, holdTime uint16, routerID netip.Addr, cs Capabilities) Open {
	o := Open{AS: ASTrans, HoldTime: holdTime, RouterID: routerID, Capabilities: cs.Replace(FourOctetASCapability(asn))}
	if asn <= 0xffff {
		o.AS = uint16(asn)
	}
	return o
}

// ASN is the sender's AS number: the capability's, else the field's.
func (o Open) ASN() uint32 {
	if asn, ok := o.Capabilities.FourOctetAS(); ok {
		return asn
	}
	return uint32(o.AS)
}

// Families are the families that can be carried and were offered. Without any
// multiprotocol capability that is IPv4 unicast (RFC 4271).
func (o Open) Families() FamilySet {
	if !o.Capabilities.Has(CapMultiprotocol) {
		return NewFamilySet(IPv4Unicast)
	}
	return NewFamilySet(o.Capabilities.Families()...)
}

// ParseOpen reads the body of an OPEN message, with optional parameters in the
// short or the extended form (RFC 9072). The error is the *Notification to
// answer with. Capability values point into body. Hold time 0 is legal and left
// to the caller, and so is whether the AS is the right one.
func ParseOpen(body []byte) (Open, error) {
	if len(body) < 10 {
		return Open{}, badLength(len(body) + HeaderLen)
	}
	o := Open{
		AS:       binary.BigEndian.Uint16(body[1:]),
		HoldTime: binary.BigEndian.Uint16(body[3:]),
		RouterID: netip.AddrFrom4([4]byte(body[5:9])),
	}
	// RFC 4271 section 6.2: the data of the NOTIFICATION is the highest version
	// that we speak.
	if body[0] != version4 {
		return Open{}, &Notification{Code: CodeOpen, Subcode: SubUnsupportedVersion, Data: []byte{0, version4}}
	}
	parameters, lengthOctets, ok := optionalParameters(body)
	if !ok {
		return Open{}, &Notification{Code: CodeOpen, Subcode: SubOpenUnspecific}
	}
	var err error
	if o.Capabilities, err = parseParameters(parameters, lengthOctets); err != nil {
		return Open{}, err
	}
	return o, o.check()
}

// check refuses what no OPEN may say.
func (o Open) check() error {
	// RFC 7607 section 2: AS 0 in an OPEN is answered with Bad Peer AS.
	if o.AS == 0 || o.ASN() == 0 {
		return &Notification{Code: CodeOpen, Subcode: SubBadPeerAS}
	}
	// RFC 4271 section 6.2: a hold time is 0 or at least three seconds.
	if o.HoldTime == 1 || o.HoldTime == 2 {
		return &Notification{Code: CodeOpen, Subcode: SubUnacceptableHoldTime}
	}
	// RFC 6286 section 2.1: the identifier is any non-zero 4-octet number.
	if o.RouterID.IsUnspecified() {
		return &Notification{Code: CodeOpen, Subcode: SubBadIdentifier}
	}
	return nil
}

// optionalParameters finds the parameters of an OPEN body and how many octets
// the length of each has.
func optionalParameters(body []byte) (parameters []byte, lengthOctets int, ok bool) {
	length, rest := int(body[9]), body[10:]
	// RFC 9072 section 2: a first parameter of type 255 marks the extended form;
	// the length in the short form is not 0 then and says nothing else.
	if length != 0 && len(rest) >= 3 && rest[0] == parameterExtended {
		return rest[3:], 2, int(binary.BigEndian.Uint16(rest[1:])) == len(rest)-3
	}
	return rest, 1, length == len(rest)
}

// parseParameters collects the capabilities of all parameters.
func parseParameters(parameters []byte, lengthOctets int) (Capabilities, error) {
	unspecific := &Notification{Code: CodeOpen, Subcode: SubOpenUnspecific}
	var all Capabilities
	for len(parameters) > 0 {
		if len(parameters) < 1+lengthOctets {
			return nil, unspecific
		}
		length := int(parameters[1])
		if lengthOctets == 2 {
			length = int(binary.BigEndian.Uint16(parameters[1:]))
		}
		end := 1 + lengthOctets + length
		if len(parameters) < end {
			return nil, unspecific
		}
		// RFC 4271 section 6.2: an optional parameter that is not capabilities is
		// refused by its own subcode.
		if parameters[0] != parameterCaps {
			return nil, &Notification{Code: CodeOpen, Subcode: SubUnsupportedParameter}
		}
		// RFC 4271 section 6.2: a recognized but malformed parameter is
		// Unspecific.
		cs, ok := parseCapabilities(parameters[1+lengthOctets : end])
		if !ok {
			return nil, unspecific
		}
		all, parameters = append(all, cs...), parameters[end:]
	}
	return all, nil
}

// Append appends the message, always with the short form of optional
// parameters, which every implementation reads. Capabilities that do not fit
// into 253 octets are an error: strip some.
func (o Open) Append(dst []byte) ([]byte, error) {
	if !o.RouterID.Is4() {
		return dst, fmt.Errorf("open: router id %v: not an IPv4 address", o.RouterID)
	}
	var caps []byte
	for _, c := range o.Capabilities {
		if len(c.Value) > 255 {
			return dst, fmt.Errorf("open: %s has %d octets, at most 255 fit", c.Code, len(c.Value))
		}
		caps = c.append(caps)
	}
	if len(caps) > 253 {
		return dst, fmt.Errorf("open: capabilities have %d octets, at most 253 fit: strip those that were not asked for", len(caps))
	}
	start := len(dst)
	dst = append(beginMessage(dst, TypeOpen), version4)
	dst = binary.BigEndian.AppendUint16(dst, o.AS)
	dst = binary.BigEndian.AppendUint16(dst, o.HoldTime)
	id := o.RouterID.As4()
	dst = append(dst, id[:]...)
	if len(caps) == 0 {
		return endMessage(append(dst, 0), start), nil
	}
	dst = append(dst, byte(len(caps)+2), parameterCaps, byte(len(caps)))
	return endMessage(append(dst, caps...), start), nil
}
