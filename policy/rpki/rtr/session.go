package rtr

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

// Newest is the version that a first session speaks.
const Newest = 1

// ErrOlder says that the cache speaks version 0 only: connect again with it
// (RFC 8210 section 7).
var ErrOlder = errors.New("rtr: the cache speaks version 0 only")

// Session is one connection to a cache. One goroutine uses it.
type Session struct {
	conn    net.Conn
	in      *bufio.Reader
	version uint8
	timeout time.Duration

	id      uint16
	serial  *uint32 // nil: nothing yet
	records map[rpki.VRP]struct{}
}

// NewSession speaks the version over a connection, which stays the caller's to
// close. timeout bounds each wait for a PDU within an answer.
func NewSession(conn net.Conn, version uint8, timeout time.Duration) *Session {
	return &Session{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), version: version, timeout: timeout}
}

// Sync asks for what is new, for everything the first time, and returns the
// whole table. After an error the session is of no more use.
func (s *Session) Sync() ([]rpki.VRP, error) {
	err := s.exchange()
	if errors.Is(err, errReset) {
		// The cache has no differences back to our serial (section 5.9).
		s.serial = nil
		err = s.exchange()
	}
	if err != nil {
		return nil, err
	}
	out := make([]rpki.VRP, 0, len(s.records))
	for v := range s.records {
		out = append(out, v)
	}
	return out, nil
}

var errReset = errors.New("rtr: the cache asks for a reset query")

// exchange is one query with its answer (section 8). The records change only
// when its End of Data arrives.
func (s *Session) exchange() error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return fmt.Errorf("rtr: %w", err)
	}
	if _, err := s.conn.Write(query(s.version, s.id, s.serial)); err != nil {
		return fmt.Errorf("rtr: query: %w", err)
	}
	begin, err := s.next(typeCacheResponse)
	if err != nil {
		return err
	}
	if s.serial != nil && begin.session != s.id {
		return fmt.Errorf("rtr: session %d became %d: the cache was restarted", s.id, begin.session)
	}
	fresh := map[rpki.VRP]struct{}{}
	if s.serial != nil {
		fresh = s.records
		s.records = nil // an error below ends the session
	}
	for {
		p, err := s.next(typeIPv4Prefix, typeIPv6Prefix, typeRouterKey, typeEndOfData)
		if err != nil {
			return err
		}
		switch p.kind {
		case typeRouterKey: // BGPsec is not ours
		case typeEndOfData:
			return s.end(p, begin.session, fresh)
		default:
			if err := record(p, fresh); err != nil {
				return err
			}
		}
	}
}

// record announces or withdraws. What is announced twice, or withdrawn and not
// there, is an error of the cache (section 12, codes 6 and 7).
func record(p pdu, in map[rpki.VRP]struct{}) error {
	v, announce, err := p.prefix()
	if err != nil {
		return err
	}
	_, have := in[v]
	switch {
	case announce && have:
		return fmt.Errorf("rtr: %s from AS%d is announced twice", v.Prefix, v.ASN)
	case !announce && !have:
		return fmt.Errorf("rtr: %s from AS%d is withdrawn and was never announced", v.Prefix, v.ASN)
	case !announce:
		delete(in, v)
	case len(in) >= rpki.MaxVRPs:
		return fmt.Errorf("rtr: more than %d VRPs", rpki.MaxVRPs)
	default:
		in[v] = struct{}{}
	}
	return nil
}

// end is section 5.8. Its intervals are not followed: the caller has its own.
func (s *Session) end(p pdu, session uint16, fresh map[rpki.VRP]struct{}) error {
	want := 4
	if s.version > 0 {
		want = 16
	}
	if len(p.body) != want || p.session != session {
		return fmt.Errorf("rtr: End of Data with %d bytes in session %d, want %d bytes in session %d", len(p.body), p.session, want, session)
	}
	serial := binary.BigEndian.Uint32(p.body)
	s.id, s.serial, s.records = session, &serial, fresh
	return nil
}

// next reads a PDU of one of the kinds. Notifies in between mean nothing new:
// a query is being answered already.
func (s *Session) next(kinds ...uint8) (pdu, error) {
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(s.timeout)); err != nil {
			return pdu{}, fmt.Errorf("rtr: %w", err)
		}
		p, err := readPDU(s.in)
		if err != nil {
			return p, fmt.Errorf("rtr: %w", noEOF(err))
		}
		if p.kind == typeErrorReport {
			return p, s.reported(p)
		}
		if p.version != s.version {
			if p.version == 0 && s.serial == nil {
				return p, ErrOlder
			}
			return p, fmt.Errorf("rtr: the cache answers in version %d, not %d", p.version, s.version)
		}
		switch {
		case contains(kinds, p.kind):
			return p, nil
		case p.kind == typeSerialNotify:
		case p.kind == typeCacheReset && s.serial != nil && kinds[0] == typeCacheResponse:
			return p, errReset
		default:
			return p, fmt.Errorf("rtr: PDU of type %d is out of place", p.kind)
		}
	}
}

// reported is an error report: of a version that is too new, of anything else.
func (s *Session) reported(p pdu) error {
	e := p.report()
	if e.Code == codeUnsupportedVersion && s.version > 0 {
		return errors.Join(ErrOlder, e)
	}
	return e
}

func contains(kinds []uint8, k uint8) bool {
	for _, have := range kinds {
		if have == k {
			return true
		}
	}
	return false
}

// Wait returns when the cache says that it has something new, or when the time
// is over; both ask for a Sync.
func (s *Session) Wait(until time.Time) error {
	for {
		if err := s.conn.SetReadDeadline(until); err != nil {
			return fmt.Errorf("rtr: %w", err)
		}
		// A deadline in the middle of a PDU must not lose its beginning.
		if _, err := s.in.Peek(headerLen); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return fmt.Errorf("rtr: %w", eof(err))
		}
		p, err := s.next(typeSerialNotify)
		if err != nil {
			return err
		}
		if p.session != s.id {
			return fmt.Errorf("rtr: session %d became %d: the cache was restarted", s.id, p.session)
		}
		if s.serial == nil || binary.BigEndian.Uint32(p.body) != *s.serial {
			return nil
		}
	}
}

func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the cache closed the connection")
	}
	return err
}
