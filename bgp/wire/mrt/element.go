package mrt

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Kind is what an element tells. The zero value is nothing.
type Kind uint8

// Kinds of elements.
const (
	TableEntry Kind = iota + 1 // a route in a table
	Advertised
	Withdrawn
	SessionState // a session of the collector changed its state; there is no route
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case TableEntry:
		return "table entry"
	case Advertised:
		return "advertised"
	case Withdrawn:
		return "withdrawn"
	case SessionState:
		return "session state"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Element is one route of a record, or a change of a session. It is valid
// until the next one is asked for.
type Element struct {
	Kind        Kind
	At          time.Time // when the record was made, UTC
	Peer        netip.Addr
	PeerAS      uint32
	Prefix      netip.Prefix
	Path        wire.ASPath // of a table entry or advertisement
	OTC         policy.OTC
	Communities []byte // value of COMMUNITIES
	Offset      int64  // of the record in the stream
}

// RecordError is a record that cannot be read.
type RecordError struct {
	Offset        int64 // of the record in the stream, decompressed
	Type, Subtype uint16
	Err           error
	Fatal         bool // nothing after it can be read
}

// Error names the record by its offset.
func (e *RecordError) Error() string {
	if e.Type == 0 {
		return fmt.Sprintf("mrt: record at byte %d: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("mrt: record at byte %d (type %d/%d): %v", e.Offset, e.Type, e.Subtype, e.Err)
}

// Unwrap gives the cause.
func (e *RecordError) Unwrap() error { return e.Err }
