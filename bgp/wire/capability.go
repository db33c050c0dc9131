package wire

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy"
)

// CapabilityCode is a capability code (RFC 5492).
type CapabilityCode uint8

// Capabilities that are read or shaped by name.
const (
	CapMultiprotocol        CapabilityCode = 1
	CapRouteRefresh         CapabilityCode = 2
	CapOutboundFilter       CapabilityCode = 3
	CapExtendedNextHop      CapabilityCode = 5
	CapExtendedMessage      CapabilityCode = 6
	CapRole                 CapabilityCode = 9
	CapGracefulRestart      CapabilityCode = 64
	CapFourOctetAS          CapabilityCode = 65
	CapAddPath              CapabilityCode = 69
	CapEnhancedRouteRefresh CapabilityCode = 70
	CapLongLivedGR          CapabilityCode = 71
	CapFQDN                 CapabilityCode = 73
	CapSoftwareVersion      CapabilityCode = 75
)

var capabilityNames = map[CapabilityCode]string{
	CapMultiprotocol: "multiprotocol", CapRouteRefresh: "route-refresh", CapOutboundFilter: "outbound-route-filter",
	CapExtendedNextHop: "extended-next-hop", CapExtendedMessage: "extended-message", CapRole: "role",
	CapGracefulRestart: "graceful-restart", CapFourOctetAS: "four-octet-as", CapAddPath: "add-path",
	CapEnhancedRouteRefresh: "enhanced-route-refresh", CapLongLivedGR: "long-lived-graceful-restart",
	CapFQDN: "fqdn", CapSoftwareVersion: "software-version",
}

// String names the capability, or writes its number.
func (c CapabilityCode) String() string {
	if name := capabilityNames[c]; name != "" {
		return name
	}
	return fmt.Sprintf("capability %d", uint8(c))
}

// Capability is one capability triple; Value is at most 255 octets.
type Capability struct {
	Code  CapabilityCode
	Value []byte
}

func (c Capability) append(dst []byte) []byte {
	dst = append(dst, byte(c.Code), byte(len(c.Value)))
	return append(dst, c.Value...)
}

// check reports whether the length of a capability we know is possible.
func (c Capability) check() bool {
	n := len(c.Value)
	switch c.Code {
	case CapMultiprotocol, CapFourOctetAS:
		return n == 4
	case CapRole:
		return n == 1
	case CapGracefulRestart:
		return n >= 2 && (n-2)%4 == 0
	case CapLongLivedGR:
		return n%7 == 0
	case CapExtendedNextHop:
		return n > 0 && n%6 == 0
	case CapAddPath:
		return n > 0 && n%4 == 0
	case CapOutboundFilter:
		return n >= 5
	}
	return true
}

// Capabilities are the capabilities of an OPEN in the order they were sent; a
// code may occur more than once.
type Capabilities []Capability

// parseCapabilities reads the value of one Capabilities parameter.
func parseCapabilities(value []byte) (Capabilities, bool) {
	var cs Capabilities
	for len(value) > 0 {
		if len(value) < 2 || len(value) < 2+int(value[1]) {
			return nil, false
		}
		end := 2 + int(value[1])
		c := Capability{Code: CapabilityCode(value[0]), Value: value[2:end:end]}
		if !c.check() {
			return nil, false
		}
		cs, value = append(cs, c), value[end:]
	}
	return cs, true
}

// Has reports whether a capability was sent.
func (cs Capabilities) Has(code CapabilityCode) bool {
	return slices.ContainsFunc(cs, func(c Capability) bool { return c.Code == code })
}

// Only keeps the capabilities with one of the codes: the way to hand on what
// was asked for and nothing else.
func (cs Capabilities) Only(codes ...CapabilityCode) Capabilities {
	return slices.DeleteFunc(slices.Clone(cs), func(c Capability) bool { return !slices.Contains(codes, c.Code) })
}

// Without drops the capabilities with one of the codes.
func (cs Capabilities) Without(codes ...CapabilityCode) Capabilities {
	return slices.DeleteFunc(slices.Clone(cs), func(c Capability) bool { return slices.Contains(codes, c.Code) })
}

// Replace drops every capability with c's code and appends c.
func (cs Capabilities) Replace(c Capability) Capabilities { return append(cs.Without(c.Code), c) }

// last returns the last capability with the code.
func (cs Capabilities) last(code CapabilityCode) ([]byte, bool) {
	for _, c := range slices.Backward(cs) {
		if c.Code == code && c.check() {
			return c.Value, true
		}
	}
	return nil, false
}

// MultiprotocolCapability offers a family (RFC 4760 section 8).
func MultiprotocolCapability(f Family) Capability {
	return Capability{CapMultiprotocol, []byte{byte(f.AFI >> 8), byte(f.AFI), 0, f.SAFI}}
}

// Families lists the families offered, in order, those included that cannot be
// carried. An OPEN without any offers IPv4 unicast (RFC 4760 section 8 changes
// only what is announced): see Open.Families.
func (cs Capabilities) Families() []Family {
	var fs []Family
	for _, c := range cs {
		if c.Code == CapMultiprotocol && c.check() {
			fs = append(fs, familyAt(c.Value))
		}
	}
	return fs
}

// familyAt reads AFI, reserved octet, SAFI.
func familyAt(b []byte) Family { return Family{AFI: binary.BigEndian.Uint16(b), SAFI: b[3]} }

// FourOctetASCapability offers four-octet AS numbers (RFC 6793).
func FourOctetASCapability(asn uint32) Capability {
	return Capability{CapFourOctetAS, binary.BigEndian.AppendUint32(nil, asn)}
}

// FourOctetAS is the AS number in the capability, if it was sent.
func (cs Capabilities) FourOctetAS() (uint32, bool) {
	v, ok := cs.last(CapFourOctetAS)
	if !ok {
		return 0, false
	}
	return binary.BigEndian.Uint32(v), true
}

// RoleCapability offers our role (RFC 9234 section 4.1); ok is false for no
// role, which is offered by sending nothing.
func RoleCapability(r policy.Role) (c Capability, ok bool) {
	value, ok := r.Wire()
	if !ok {
		return Capability{}, false
	}
	return Capability{CapRole, []byte{value}}, true
}

// Roles lists the values of all role capabilities, for policy.AgreeRoles.
func (cs Capabilities) Roles() []uint8 {
	var values []uint8
	for _, c := range cs {
		if c.Code == CapRole && c.check() {
			values = append(values, c.Value[0])
		}
	}
	return values
}

// GracefulRestart is the capability of RFC 4724 section 3 with the N bit of
// RFC 8538 section 2.
type GracefulRestart struct {
	Restarting   bool   // R: the speaker has restarted
	Notification bool   // N: graceful restart also after NOTIFICATION and hold time
	Time         uint16 // seconds, 12 bits
	Families     []RestartFamily
}

// RestartFamily is one family of a GracefulRestart.
type RestartFamily struct {
	Family     Family
	Forwarding bool // F: forwarding state was preserved
}

// Capability encodes g.
func (g GracefulRestart) Capability() Capability {
	flags := g.Time & 0x0fff
	if g.Restarting {
		flags |= 0x8000
	}
	if g.Notification {
		flags |= 0x4000
	}
	value := binary.BigEndian.AppendUint16(nil, flags)
	for _, f := range g.Families {
		value = binary.BigEndian.AppendUint16(value, f.Family.AFI)
		value = append(value, f.Family.SAFI, highBit(f.Forwarding))
	}
	return Capability{CapGracefulRestart, value}
}

func highBit(set bool) byte {
	if set {
		return 0x80
	}
	return 0
}

// GracefulRestart is the graceful restart capability, if it was sent. RFC 4724
// section 3: If more than one instance of the Graceful Restart Capability is
// carried in the capability advertisement, the receiver of the advertisement
// MUST ignore all but the last instance.
func (cs Capabilities) GracefulRestart() (GracefulRestart, bool) {
	v, ok := cs.last(CapGracefulRestart)
	if !ok {
		return GracefulRestart{}, false
	}
	flags := binary.BigEndian.Uint16(v)
	g := GracefulRestart{Restarting: flags&0x8000 != 0, Notification: flags&0x4000 != 0, Time: flags & 0x0fff}
	for v = v[2:]; len(v) >= 4; v = v[4:] {
		f := Family{AFI: binary.BigEndian.Uint16(v), SAFI: v[2]}
		g.Families = append(g.Families, RestartFamily{Family: f, Forwarding: v[3]&0x80 != 0})
	}
	return g, true
}

// LongLivedFamily is one family of the long-lived graceful restart capability
// (RFC 9494 section 3.1).
type LongLivedFamily struct {
	Family     Family
	Forwarding bool
	StaleTime  uint32 // seconds, 24 bits
}

// LongLivedCapability encodes the families.
func LongLivedCapability(families ...LongLivedFamily) Capability {
	value := make([]byte, 0, 7*len(families))
	for _, f := range families {
		value = binary.BigEndian.AppendUint16(value, f.Family.AFI)
		value = append(value, f.Family.SAFI, highBit(f.Forwarding), byte(f.StaleTime>>16), byte(f.StaleTime>>8), byte(f.StaleTime))
	}
	return Capability{CapLongLivedGR, value}
}

// LongLived lists the families with long-lived graceful restart.
func (cs Capabilities) LongLived() ([]LongLivedFamily, bool) {
	v, ok := cs.last(CapLongLivedGR)
	if !ok {
		return nil, false
	}
	var fs []LongLivedFamily
	for ; len(v) >= 7; v = v[7:] {
		fs = append(fs, LongLivedFamily{
			Family:     Family{AFI: binary.BigEndian.Uint16(v), SAFI: v[2]},
			Forwarding: v[3]&0x80 != 0,
			StaleTime:  uint32(v[4])<<16 | uint32(v[5])<<8 | uint32(v[6]),
		})
	}
	return fs, true
}
