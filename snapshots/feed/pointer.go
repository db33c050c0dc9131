package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Pointer is what a feed points at: signed notes as they are stored. No Permit
// means that nothing may be activated.
type Pointer struct {
	Head   []byte
	Permit []byte
}

// Equal reports whether two pointers are the same bytes.
func (p Pointer) Equal(q Pointer) bool {
	return bytes.Equal(p.Head, q.Head) && bytes.Equal(p.Permit, q.Permit)
}

// Tag is the pointer's entity tag (RFC 9110 section 8.8.3), without quotes.
func (p Pointer) Tag() string {
	sum := sha256.Sum256(bytes.Join([][]byte{p.Head, p.Permit}, []byte{0}))
	return hex.EncodeToString(sum[:])
}

// ErrEmpty means that the feed has no snapshot yet.
var ErrEmpty = errors.New("the feed has no snapshot yet")

// maxPointer bounds each of the two notes.
const maxPointer = 64 << 10
