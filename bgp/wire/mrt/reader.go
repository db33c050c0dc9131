package mrt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// Record types (RFC 6396 section 4).
const (
	typeTableDump   = 12
	typeTableDumpV2 = 13
	typeBGP4MP      = 16
	typeBGP4MPET    = 17
)

// headerLen is the length of a record's header; maxRecord bounds what follows
// it. The longest real records, a prefix of a table seen by 60 peers with long
// attributes, stay below one MiB.
const (
	headerLen = 12
	maxRecord = 16 << 20
)

// Counts tells what a Reader has met.
type Counts struct {
	Records uint64
	Skipped uint64 // of a type, family or message that holds no route of ours
	Broken  uint64
}

// Reader reads the records of one stream.
type Reader struct {
	Counts Counts

	src    *bufio.Reader
	offset int64
	record []byte
	peers  []peer // of the last PEER_INDEX_TABLE
	seen   wire.Observed
	el     Element
}

// peer is an entry of a PEER_INDEX_TABLE.
type peer struct {
	addr netip.Addr
	asn  uint32
}

// NewReader reads from src, which has to be decompressed.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(src, 1<<20)}
}

// header is the head of a record.
type header struct {
	at       time.Time
	typ, sub uint16
	offset   int64
}

// Elements yields every element of the stream. An error is a *RecordError, or
// what src returned; after one that is not fatal the elements go on with the
// next record. The element is valid until the next step.
func (r *Reader) Elements() iter.Seq2[*Element, error] {
	return func(yield func(*Element, error) bool) {
		for {
			h, err := r.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			r.Counts.Records++
			more := true
			emit := func() bool {
				more = yield(&r.el, nil)
				return more
			}
			if err := r.read(h, emit); err != nil && more {
				r.Counts.Broken++
				more = yield(nil, &RecordError{Offset: h.offset, Type: h.typ, Subtype: h.sub, Err: err})
			}
			if !more {
				return
			}
		}
	}
}

// next reads one record into r.record. io.EOF is an end between records.
func (r *Reader) next() (header, error) {
	h := header{offset: r.offset}
	var raw [headerLen]byte
	fatal := func(err error) error {
		r.Counts.Broken++
		return &RecordError{Offset: h.offset, Type: h.typ, Subtype: h.sub, Err: err, Fatal: true}
	}
	switch n, err := io.ReadFull(r.src, raw[:]); {
	case err == io.EOF:
		return h, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return h, fatal(fmt.Errorf("%d octets are left, a header has %d: the file is cut off", n, headerLen))
	case err != nil:
		return h, fatal(err)
	}
	h.at = time.Unix(int64(binary.BigEndian.Uint32(raw[:])), 0).UTC()
	h.typ, h.sub = binary.BigEndian.Uint16(raw[4:]), binary.BigEndian.Uint16(raw[6:])
	length := binary.BigEndian.Uint32(raw[8:])
	if length > maxRecord {
		return h, fatal(fmt.Errorf("length %d: more than the %d that any record has", length, maxRecord))
	}
	if cap(r.record) < int(length) {
		r.record = make([]byte, length)
	}
	r.record = r.record[:length]
	switch n, err := io.ReadFull(r.src, r.record); {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return h, fatal(fmt.Errorf("%d of %d octets are there: the file is cut off", n, length))
	case err != nil:
		return h, fatal(err)
	}
	r.offset += headerLen + int64(length)
	return h, nil
}

// read gives the elements of the record to emit until that returns false.
func (r *Reader) read(h header, emit func() bool) error {
	r.el = Element{At: h.at, Offset: h.offset}
	body := cursor{b: r.record}
	switch h.typ {
	case typeTableDump:
		return r.tableDump(h, &body, emit)
	case typeTableDumpV2:
		return r.tableDumpV2(h, &body, emit)
	case typeBGP4MPET:
		// RFC 6396 section 3: the microseconds are counted in the length.
		r.el.At = r.el.At.Add(time.Duration(body.u32()) * time.Microsecond)
		return r.bgp4mp(h, &body, emit)
	case typeBGP4MP:
		return r.bgp4mp(h, &body, emit)
	}
	r.Counts.Skipped++
	return nil
}
