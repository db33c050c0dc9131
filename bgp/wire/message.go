package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Lengths in octets (RFC 4271 section 4.1).
const (
	HeaderLen     = 19
	MaxMessageLen = 4096
)

// Type is a message type (RFC 4271 section 4.1, RFC 2918).
type Type uint8

// The message types that exist; anything else is refused with 1/3.
const (
	TypeOpen         Type = 1
	TypeUpdate       Type = 2
	TypeNotification Type = 3
	TypeKeepalive    Type = 4
	TypeRouteRefresh Type = 5
)

// String names the type.
func (t Type) String() string {
	switch t {
	case TypeOpen:
		return "OPEN"
	case TypeUpdate:
		return "UPDATE"
	case TypeNotification:
		return "NOTIFICATION"
	case TypeKeepalive:
		return "KEEPALIVE"
	case TypeRouteRefresh:
		return "ROUTE-REFRESH"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// lengths returns the smallest and greatest length a message of type t may
// have, both zero for a type that does not exist.
func (t Type) lengths() (low, high int) {
	switch t {
	case TypeOpen:
		return 29, MaxMessageLen
	case TypeUpdate:
		return 23, MaxMessageLen
	case TypeNotification:
		return 21, MaxMessageLen
	case TypeKeepalive:
		return HeaderLen, HeaderLen
	case TypeRouteRefresh:
		return 23, 23 // longer only with outbound route filters, which we never offer
	}
	return 0, 0
}

// Message is one message with a valid header. Raw is the whole message, Body
// what follows the header; both point into the buffer they were read to.
type Message struct {
	Type Type
	Raw  []byte
	Body []byte
}

// CheckHeader checks the first HeaderLen octets of a message and returns its
// whole length and type. A non-nil Notification is what has to be sent before
// the connection is closed.
func CheckHeader(header []byte) (length int, t Type, refuse *Notification) {
	if len(header) < HeaderLen {
		return 0, 0, badLength(len(header))
	}
	// RFC 4271 section 6.1: sixteen octets of ones. Anything else means that we
	// have lost the borders of messages, and nothing after it can be trusted.
	for _, b := range header[:16] {
		if b != 0xff {
			return 0, 0, &Notification{Code: CodeHeader, Subcode: SubNotSynchronized}
		}
	}
	length, t = int(binary.BigEndian.Uint16(header[16:])), Type(header[18])
	// RFC 4271 section 6.1: from 19 to 4096 octets; the data of the NOTIFICATION
	// is the length that was sent.
	if length < HeaderLen || length > MaxMessageLen {
		return 0, 0, badLength(length)
	}
	// RFC 4271 section 6.1: the data of the NOTIFICATION is the unknown type.
	low, high := t.lengths()
	if low == 0 {
		return 0, 0, &Notification{Code: CodeHeader, Subcode: SubBadType, Data: []byte{header[18]}}
	}
	if length < low || length > high {
		return 0, 0, badLength(length)
	}
	return length, t, nil
}

// badLength refuses a message of the given length.
func badLength(length int) *Notification {
	return &Notification{Code: CodeHeader, Subcode: SubBadLength, Data: binary.BigEndian.AppendUint16(nil, uint16(length))}
}

// ParseMessage reads one whole message and nothing after it.
func ParseMessage(raw []byte) (Message, error) {
	length, t, refuse := CheckHeader(raw)
	if refuse != nil {
		return Message{}, refuse
	}
	if len(raw) != length {
		return Message{}, fmt.Errorf("parse message: %s says %d octets, have %d: %w", t, length, len(raw), io.ErrUnexpectedEOF)
	}
	return Message{Type: t, Raw: raw, Body: raw[HeaderLen:]}, nil
}

// Reader reads messages from one direction of a session into a buffer of its
// own. It reads exactly one message at a time: give it a bufio.Reader.
type Reader struct {
	src io.Reader
	buf [MaxMessageLen]byte
}

// NewReader reads messages from src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// ReadMessage returns the next message, valid until the next call. The error is
// a *Notification for a bad header, io.EOF for an end between messages,
// io.ErrUnexpectedEOF for an end within one, or what the source returned.
func (r *Reader) ReadMessage() (Message, error) {
	if _, err := io.ReadFull(r.src, r.buf[:HeaderLen]); err != nil {
		return Message{}, err
	}
	length, t, refuse := CheckHeader(r.buf[:HeaderLen])
	if refuse != nil {
		return Message{}, refuse
	}
	if _, err := io.ReadFull(r.src, r.buf[HeaderLen:length]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	return Message{Type: t, Raw: r.buf[:length], Body: r.buf[HeaderLen:length]}, nil
}

// beginMessage appends a header whose length endMessage fills in.
func beginMessage(dst []byte, t Type) []byte {
	const ones = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	dst = append(dst, ones...)
	return append(dst, 0, 0, byte(t))
}

// endMessage writes the length of the message that starts at start.
func endMessage(dst []byte, start int) []byte {
	binary.BigEndian.PutUint16(dst[start+16:], uint16(len(dst)-start))
	return dst
}

// AppendKeepalive appends a KEEPALIVE message.
func AppendKeepalive(dst []byte) []byte {
	start := len(dst)
	return endMessage(beginMessage(dst, TypeKeepalive), start)
}

// RouteRefresh is a ROUTE-REFRESH message (RFC 2918). Subtype is 0 for a plain
// request, 1 and 2 for the borders of an enhanced one (RFC 7313).
type RouteRefresh struct {
	Family  Family
	Subtype uint8
}

// ParseRouteRefresh reads the body of a ROUTE-REFRESH message.
func ParseRouteRefresh(body []byte) (RouteRefresh, error) {
	if len(body) != 4 {
		return RouteRefresh{}, badLength(len(body) + HeaderLen)
	}
	return RouteRefresh{
		Family:  Family{AFI: binary.BigEndian.Uint16(body), SAFI: body[3]},
		Subtype: body[2],
	}, nil
}

// Append appends the message.
func (r RouteRefresh) Append(dst []byte) []byte {
	start := len(dst)
	dst = beginMessage(dst, TypeRouteRefresh)
	dst = binary.BigEndian.AppendUint16(dst, r.Family.AFI)
	dst = append(dst, r.Subtype, r.Family.SAFI)
	return endMessage(dst, start)
}
