package rtr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

// PDU types (RFC 8210 section 5).
const (
	typeSerialNotify  = 0
	typeSerialQuery   = 1
	typeResetQuery    = 2
	typeCacheResponse = 3
	typeIPv4Prefix    = 4
	typeIPv6Prefix    = 6
	typeEndOfData     = 7
	typeCacheReset    = 8
	typeRouterKey     = 9
	typeErrorReport   = 10
)

// codeUnsupportedVersion is an error code of RFC 8210 section 12.
const codeUnsupportedVersion = 4

const (
	headerLen = 8
	maxPDU    = 64 << 10 // error reports and router keys; all others are short
)

// pdu is one message. session is the session id, or the code of an error.
type pdu struct {
	version, kind uint8
	session       uint16
	body          []byte
}

// lengths of the bodies that have one length only.
var lengths = map[uint8]int{typeSerialNotify: 4, typeCacheResponse: 0, typeIPv4Prefix: 12, typeIPv6Prefix: 24, typeCacheReset: 0}

func readPDU(r io.Reader) (pdu, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return pdu{}, err
	}
	p := pdu{version: head[0], kind: head[1], session: binary.BigEndian.Uint16(head[2:])}
	length := binary.BigEndian.Uint32(head[4:])
	if length < headerLen || length > maxPDU {
		return p, fmt.Errorf("rtr: PDU of type %d says %d bytes", p.kind, length)
	}
	if want, fixed := lengths[p.kind]; fixed && int(length) != headerLen+want {
		return p, fmt.Errorf("rtr: PDU of type %d has %d bytes, want %d", p.kind, length, headerLen+want)
	}
	p.body = make([]byte, length-headerLen)
	if _, err := io.ReadFull(r, p.body); err != nil {
		return p, fmt.Errorf("rtr: PDU of type %d: %w", p.kind, noEOF(err))
	}
	return p, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// query asks for everything, or for what follows serial.
func query(version uint8, session uint16, serial *uint32) []byte {
	if serial == nil {
		return []byte{version, typeResetQuery, 0, 0, 0, 0, 0, headerLen}
	}
	out := []byte{version, typeSerialQuery, 0, 0, 0, 0, 0, headerLen + 4}
	binary.BigEndian.PutUint16(out[2:], session)
	return binary.BigEndian.AppendUint32(out, *serial)
}

// prefix is section 5.6 and 5.7: flags, length, maximum length, zero, address,
// ASN. Flag 1 announces, 0 withdraws.
func (p pdu) prefix() (v rpki.VRP, announce bool, err error) {
	addr, ok := netip.AddrFromSlice(p.body[4 : len(p.body)-4])
	if !ok || p.body[0] > 1 {
		return v, false, errors.New("rtr: prefix PDU: flags or address cannot be read")
	}
	v = rpki.VRP{Prefix: netip.PrefixFrom(addr, int(p.body[1])), MaxLen: p.body[2], ASN: binary.BigEndian.Uint32(p.body[len(p.body)-4:])}
	if err := v.Check(); err != nil {
		return v, false, fmt.Errorf("rtr: prefix PDU: %w", err)
	}
	return v, p.body[0] == 1, nil
}

// ReportError is an error report of the cache.
type ReportError struct {
	Code uint16 // RFC 8210 section 12
	Text string
}

// Error says the code and the cache's own words.
func (e *ReportError) Error() string {
	return fmt.Sprintf("rtr: the cache reports error %d: %q", e.Code, e.Text)
}

// report is section 5.11: length and copy of the PDU, length and text.
func (p pdu) report() *ReportError {
	e := &ReportError{Code: p.session}
	rest := p.body
	for _, keep := range []bool{false, true} {
		if len(rest) < 4 {
			return e
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if uint64(n) > uint64(len(rest)) {
			return e
		}
		if keep {
			e.Text = string(rest[:min(n, 256)])
		}
		rest = rest[n:]
	}
	return e
}
