package wire

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code is the error code of a NOTIFICATION (RFC 4271 section 4.5).
type Code uint8

// Error codes.
const (
	CodeHeader       Code = 1
	CodeOpen         Code = 2
	CodeUpdate       Code = 3
	CodeHoldTimer    Code = 4
	CodeFSM          Code = 5
	CodeCease        Code = 6
	CodeRouteRefresh Code = 7
)

// Subcodes of a message header error.
const (
	SubNotSynchronized uint8 = 1
	SubBadLength       uint8 = 2
	SubBadType         uint8 = 3
)

// Subcodes of an OPEN message error; Role Mismatch is RFC 9234 section 4.2.
const (
	SubOpenUnspecific        uint8 = 0
	SubUnsupportedVersion    uint8 = 1
	SubBadPeerAS             uint8 = 2
	SubBadIdentifier         uint8 = 3
	SubUnsupportedParameter  uint8 = 4
	SubUnacceptableHoldTime  uint8 = 6
	SubUnsupportedCapability uint8 = 7
	SubRoleMismatch          uint8 = 11
)

// Subcodes of an UPDATE message error.
const (
	SubMalformedAttributes   uint8 = 1
	SubUnrecognizedWellKnown uint8 = 2
	SubMissingWellKnown      uint8 = 3
	SubAttributeFlags        uint8 = 4
	SubAttributeLength       uint8 = 5
	SubInvalidOrigin         uint8 = 6
	SubInvalidNextHop        uint8 = 8
	SubOptionalAttribute     uint8 = 9
	SubInvalidNetwork        uint8 = 10
	SubMalformedASPath       uint8 = 11
)

// Subcodes of a Cease (RFC 4486, RFC 8538).
const (
	SubMaxPrefixes        uint8 = 1
	SubAdminShutdown      uint8 = 2
	SubPeerDeconfigured   uint8 = 3
	SubAdminReset         uint8 = 4
	SubConnectionRejected uint8 = 5
	SubConfigChange       uint8 = 6
	SubCollision          uint8 = 7
	SubOutOfResources     uint8 = 8
	SubHardReset          uint8 = 9
)

// Notification is a NOTIFICATION message, and as an error the reason why one
// has to be sent.
type Notification struct {
	Code    Code
	Subcode uint8
	Data    []byte
}

// UnsupportedCapability refuses an OPEN that lacks a capability we require:
// RFC 5492 section 3, the data lists what is missing.
func UnsupportedCapability(missing ...Capability) *Notification {
	var data []byte
	for _, c := range missing {
		data = c.append(data)
	}
	return &Notification{Code: CodeOpen, Subcode: SubUnsupportedCapability, Data: data}
}

// Error names code and subcode the way operators write them: "2/11 role
// mismatch".
func (n *Notification) Error() string {
	name := subcodeNames[[2]uint8{uint8(n.Code), n.Subcode}]
	if name == "" {
		name = codeNames[n.Code]
	}
	if name == "" {
		name = "unassigned"
	}
	return fmt.Sprintf("notification %d/%d: %s", uint8(n.Code), n.Subcode, name)
}

// ParseNotification reads the body of a NOTIFICATION message. Data points into
// body.
func ParseNotification(body []byte) (Notification, error) {
	if len(body) < 2 {
		return Notification{}, badLength(len(body) + HeaderLen)
	}
	return Notification{Code: Code(body[0]), Subcode: body[1], Data: body[2:]}, nil
}

// Append appends the message. Data that would not fit is cut.
func (n *Notification) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginMessage(dst, TypeNotification)
	dst = append(dst, byte(n.Code), n.Subcode)
	return endMessage(append(dst, n.Data[:min(len(n.Data), MaxMessageLen-HeaderLen-2)]...), start)
}

// HardReset reports whether the sender wants its routes gone despite graceful
// restart (RFC 8538 section 3), and the NOTIFICATION inside.
func (n *Notification) HardReset() (inner Notification, ok bool) {
	if n.Code != CodeCease || n.Subcode != SubHardReset {
		return Notification{}, false
	}
	if len(n.Data) >= 2 {
		inner = Notification{Code: Code(n.Data[0]), Subcode: n.Data[1], Data: n.Data[2:]}
	}
	return inner, true
}

// maxShutdownText is what receivers of RFC 8203 take; those of RFC 9003 take
// 255 octets.
const maxShutdownText = 128

// AdminShutdown is the NOTIFICATION of an administrative shutdown with a message
// for the person at the other end (RFC 9003 section 2). What is too long is cut
// at a character.
func AdminShutdown(text string) *Notification {
	text = strings.ToValidUTF8(text, "?")
	for len(text) > maxShutdownText {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return &Notification{Code: CodeCease, Subcode: SubAdminShutdown, Data: append([]byte{byte(len(text))}, text...)}
}

// Hard is the NOTIFICATION inside a Hard Reset: where both sides keep routes over
// a NOTIFICATION, it says not to (RFC 8538 section 3.1).
func (n *Notification) Hard() *Notification {
	return &Notification{Code: CodeCease, Subcode: SubHardReset, Data: append([]byte{byte(n.Code), n.Subcode}, n.Data...)}
}

// ShutdownText is the message for a person in an administrative shutdown or
// reset (RFC 9003), made safe for logs; it is empty if there is none.
func (n *Notification) ShutdownText() string {
	if n.Code != CodeCease || (n.Subcode != SubAdminShutdown && n.Subcode != SubAdminReset) {
		return ""
	}
	if len(n.Data) < 1 || int(n.Data[0]) > len(n.Data)-1 {
		return ""
	}
	text := n.Data[1 : 1+int(n.Data[0])]
	if !utf8.Valid(text) {
		return ""
	}
	safe := make([]rune, 0, len(text))
	for _, r := range string(text) {
		if !unicode.IsPrint(r) {
			r = '.'
		}
		safe = append(safe, r)
	}
	return string(safe)
}

var codeNames = map[Code]string{
	CodeHeader: "message header error", CodeOpen: "OPEN message error", CodeUpdate: "UPDATE message error",
	CodeHoldTimer: "hold timer expired", CodeFSM: "finite state machine error", CodeCease: "cease",
	CodeRouteRefresh: "ROUTE-REFRESH message error",
}

var subcodeNames = map[[2]uint8]string{
	{1, SubNotSynchronized}: "connection not synchronized", {1, SubBadLength}: "bad message length", {1, SubBadType}: "bad message type",
	{2, SubUnsupportedVersion}: "unsupported version number", {2, SubBadPeerAS}: "bad peer AS", {2, SubBadIdentifier}: "bad BGP identifier",
	{2, SubUnsupportedParameter}: "unsupported optional parameter", {2, SubUnacceptableHoldTime}: "unacceptable hold time",
	{2, SubUnsupportedCapability}: "unsupported capability", {2, SubRoleMismatch}: "role mismatch",
	{3, SubMalformedAttributes}: "malformed attribute list", {3, SubUnrecognizedWellKnown}: "unrecognized well-known attribute",
	{3, SubMissingWellKnown}: "missing well-known attribute", {3, SubAttributeFlags}: "attribute flags error",
	{3, SubAttributeLength}: "attribute length error", {3, SubInvalidOrigin}: "invalid ORIGIN attribute",
	{3, SubInvalidNextHop}: "invalid NEXT_HOP attribute", {3, SubOptionalAttribute}: "optional attribute error",
	{3, SubInvalidNetwork}: "invalid network field", {3, SubMalformedASPath}: "malformed AS_PATH",
	{5, 1}: "unexpected message in OpenSent", {5, 2}: "unexpected message in OpenConfirm", {5, 3}: "unexpected message in Established",
	{6, SubMaxPrefixes}: "maximum number of prefixes reached", {6, SubAdminShutdown}: "administrative shutdown",
	{6, SubPeerDeconfigured}: "peer de-configured", {6, SubAdminReset}: "administrative reset",
	{6, SubConnectionRejected}: "connection rejected", {6, SubConfigChange}: "other configuration change",
	{6, SubCollision}: "connection collision resolution", {6, SubOutOfResources}: "out of resources", {6, SubHardReset}: "hard reset",
}
