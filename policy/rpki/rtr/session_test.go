package rtr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

func message(version, kind uint8, session uint16, body ...byte) []byte {
	out := []byte{version, kind, byte(session >> 8), byte(session), 0, 0, 0, 0}
	binary.BigEndian.PutUint32(out[4:], uint32(headerLen+len(body)))
	return append(out, body...)
}

func prefixPDU(version uint8, announce bool, cidr string, maxLen uint8, asn uint32) []byte {
	p := netip.MustParsePrefix(cidr)
	kind, flags := uint8(typeIPv4Prefix), byte(0)
	if p.Addr().Is6() {
		kind = typeIPv6Prefix
	}
	if announce {
		flags = 1
	}
	body := append([]byte{flags, byte(p.Bits()), maxLen, 0}, p.Addr().AsSlice()...)
	return message(version, kind, 0, binary.BigEndian.AppendUint32(body, asn)...)
}

func endOfData(version uint8, session uint16, serial uint32) []byte {
	body := binary.BigEndian.AppendUint32(nil, serial)
	if version > 0 {
		body = append(body, 0, 0, 14, 16, 0, 0, 2, 88, 0, 0, 28, 32)
	}
	return message(version, typeEndOfData, session, body...)
}

// loopback is both ends of a TCP connection.
func loopback(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// cache plays a script: it reads a query and writes the answer, line by line.
func cache(t *testing.T, version uint8, script ...[]byte) (*Session, *bytes.Buffer) {
	t.Helper()
	ours, theirs := loopback(t)
	asked := new(bytes.Buffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, answer := range script {
			p, err := readPDU(theirs)
			if err != nil {
				return
			}
			asked.WriteByte(p.kind)
			if _, err := theirs.Write(answer); err != nil {
				return
			}
		}
		theirs.Close()
	}()
	t.Cleanup(func() { ours.Close(); <-done })
	return NewSession(ours, version, 5*time.Second), asked
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var one = join(message(1, typeCacheResponse, 7), prefixPDU(1, true, "192.0.2.0/24", 24, 64500), prefixPDU(1, true, "2001:db8::/32", 48, 64501),
	message(1, typeRouterKey, 0, make([]byte, 30)...), endOfData(1, 7, 1))

func TestSync(t *testing.T) {
	s, asked := cache(t, 1, one,
		join(message(1, typeSerialNotify, 7, 0, 0, 0, 2), message(1, typeCacheResponse, 7), prefixPDU(1, false, "192.0.2.0/24", 24, 64500), prefixPDU(1, true, "192.0.2.0/24", 25, 64500), endOfData(1, 7, 2)),
		message(1, typeCacheReset, 0), one)
	sync := func(want ...rpki.VRP) {
		t.Helper()
		got, err := s.Sync()
		slices.SortFunc(got, func(a, b rpki.VRP) int { return strings.Compare(a.Prefix.String(), b.Prefix.String()) })
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v %v, want %v", got, err, want)
		}
	}
	v4, v6 := rpki.VRP{Prefix: netip.MustParsePrefix("192.0.2.0/24"), MaxLen: 24, ASN: 64500}, rpki.VRP{Prefix: netip.MustParsePrefix("2001:db8::/32"), MaxLen: 48, ASN: 64501}
	longer := v4
	longer.MaxLen = 25
	sync(v4, v6)
	sync(longer, v6)
	sync(v4, v6) // the cache had lost its differences
	if want := []byte{typeResetQuery, typeSerialQuery, typeSerialQuery, typeResetQuery}; !bytes.Equal(asked.Bytes(), want) {
		t.Errorf("asked %v, want %v", asked.Bytes(), want)
	}
}

func TestVersionZero(t *testing.T) {
	zero := join(message(0, typeCacheResponse, 7), prefixPDU(0, true, "192.0.2.0/24", 24, 64500), endOfData(0, 7, 1))
	s, _ := cache(t, 0, zero)
	if got, err := s.Sync(); err != nil || len(got) != 1 {
		t.Errorf("version 0: %v %v", got, err)
	}
	s, _ = cache(t, 1, message(0, typeErrorReport, codeUnsupportedVersion, 0, 0, 0, 0, 0, 0, 0, 3, 'o', 'l', 'd'))
	var report *ReportError
	if _, err := s.Sync(); !errors.Is(err, ErrOlder) || !errors.As(err, &report) || report.Text != "old" {
		t.Errorf("a cache that reports its version: %v", err)
	}
	s, _ = cache(t, 1, zero)
	if _, err := s.Sync(); !errors.Is(err, ErrOlder) {
		t.Errorf("a cache that answers in its version: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer []byte
		want   string
	}{
		{"closed", nil, "EOF"},
		{"no response first", endOfData(1, 7, 1), "out of place"},
		{"cut off before the end", one[:len(one)-24], "EOF"},
		{"announced twice", join(one[:28], one[8:28]), "twice"},
		{"withdrawn unknown", join(one[:8], prefixPDU(1, false, "192.0.2.0/24", 24, 1)), "never announced"},
		{"host bits", join(one[:8], prefixPDU(1, true, "192.0.2.1/24", 24, 1)), "host bits"},
		{"maximum length", join(one[:8], prefixPDU(1, true, "192.0.2.0/24", 33, 1)), "does not fit"},
		{"another session at the end", join(one[:8], endOfData(1, 8, 1)), "session 8"},
		{"a short end", join(one[:8], message(1, typeEndOfData, 7, 0, 0, 0, 1)), "4 bytes"},
		{"a short prefix", join(one[:8], message(1, typeIPv4Prefix, 0, 1)), "want 20"},
		{"a huge length", []byte{1, typeCacheResponse, 0, 0, 255, 255, 255, 255}, "says 4294967295"},
		{"no data", message(1, typeErrorReport, 2, 0, 0, 0, 0, 0, 0, 0, 0), "error 2"},
		{"reset of a reset", message(1, typeCacheReset, 0), "out of place"},
		{"version 2", message(2, typeCacheResponse, 7), "version 2"},
	} {
		s := NewSession(deaf{Reader: bytes.NewReader(tc.answer)}, 1, time.Second)
		got, err := s.Sync()
		if err == nil || !strings.Contains(err.Error(), tc.want) || got != nil {
			t.Errorf("%s: %v %v, want %q", tc.name, got, err, tc.want)
		}
	}
}

func TestWait(t *testing.T) {
	ours, theirs := loopback(t)
	serial := uint32(4)
	s := NewSession(ours, 1, 5*time.Second)
	s.id, s.serial = 7, &serial
	if err := s.Wait(time.Now().Add(time.Millisecond)); err != nil {
		t.Errorf("the time is over: %v", err)
	}
	go func() {
		defer theirs.Close()
		_, _ = theirs.Write(join(message(1, typeSerialNotify, 7, 0, 0, 0, 4), message(1, typeSerialNotify, 7, 0, 0, 0, 5), message(1, typeSerialNotify, 8, 0, 0, 0, 5)))
	}()
	if err := s.Wait(time.Now().Add(time.Minute)); err != nil {
		t.Errorf("a serial that is new: %v", err)
	}
	if err := s.Wait(time.Now().Add(time.Minute)); err == nil || !strings.Contains(err.Error(), "restarted") {
		t.Errorf("another session: %v", err)
	}
	if err := s.Wait(time.Now().Add(time.Minute)); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a cache that went away: %v", err)
	}
}

// FuzzSession: no bytes of a cache may stop us, and a table is whole or none.
func FuzzSession(f *testing.F) {
	f.Add(one)
	f.Add(join(one[:8], prefixPDU(1, false, "192.0.2.0/24", 24, 1)))
	f.Add(message(1, typeErrorReport, 4, 255, 255, 255, 255))
	f.Fuzz(func(t *testing.T, answer []byte) {
		s := NewSession(deaf{Reader: bytes.NewReader(answer)}, 1, time.Second)
		got, err := s.Sync()
		if (got == nil) == (err == nil) {
			t.Errorf("%v and %v", got, err)
		}
		for _, v := range got {
			if err := v.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

// deaf is a connection that only reads.
type deaf struct {
	io.Reader
	net.Conn
}

func (d deaf) Read(b []byte) (int, error)     { return d.Reader.Read(b) }
func (deaf) Write(b []byte) (int, error)      { return len(b), nil }
func (deaf) SetReadDeadline(time.Time) error  { return nil }
func (deaf) SetWriteDeadline(time.Time) error { return nil }
