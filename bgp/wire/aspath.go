package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SegmentType is the type of an AS_PATH segment (RFC 4271 section 4.3, RFC 5065
// section 3).
type SegmentType uint8

// Segment types.
const (
	ASSet          SegmentType = 1
	ASSequence     SegmentType = 2
	ConfedSequence SegmentType = 3
	ConfedSet      SegmentType = 4
)

// Segment is one segment of an AS path.
type Segment struct {
	Type SegmentType
	ASNs []uint32
}

// ASPath is an AS_PATH with four-octet AS numbers, leftmost first. The zero
// value is the empty path of a route that originates in the sender's AS.
type ASPath []Segment

// Sequence is the path of one AS_SEQUENCE, empty for no AS numbers.
func Sequence(asns ...uint32) ASPath {
	if len(asns) == 0 {
		return nil
	}
	return ASPath{{Type: ASSequence, ASNs: asns}}
}

// First is the leftmost AS number of a path that starts with an AS_SEQUENCE:
// the neighbor, on an eBGP session.
func (p ASPath) First() (uint32, bool) {
	if len(p) == 0 || p[0].Type != ASSequence || len(p[0].ASNs) == 0 {
		return 0, false
	}
	return p[0].ASNs[0], true
}

// Origin is the rightmost AS number of a path that ends with an AS_SEQUENCE;
// with an AS_SET there the origin is not known (RFC 6811 section 2).
func (p ASPath) Origin() (uint32, bool) {
	if len(p) == 0 {
		return 0, false
	}
	last := p[len(p)-1]
	if last.Type != ASSequence || len(last.ASNs) == 0 {
		return 0, false
	}
	return last.ASNs[len(last.ASNs)-1], true
}

// Hops is the path's length for route selection: an AS_SET counts one,
// confederation segments nothing (RFC 4271 section 9.1.2.2, RFC 5065 section
// 5.3).
func (p ASPath) Hops() int {
	n := 0
	for _, s := range p {
		switch s.Type {
		case ASSequence:
			n += len(s.ASNs)
		case ASSet:
			n++
		}
	}
	return n
}

// Contains reports whether the AS number is anywhere in the path.
func (p ASPath) Contains(asn uint32) bool {
	return slices.ContainsFunc(p, func(s Segment) bool { return slices.Contains(s.ASNs, asn) })
}

// Has reports whether a segment of type t is in the path.
func (p ASPath) Has(t SegmentType) bool {
	return slices.ContainsFunc(p, func(s Segment) bool { return s.Type == t })
}

// Prepend puts the AS number n times in front; the path itself is not written
// to.
func (p ASPath) Prepend(asn uint32, n int) ASPath {
	if n <= 0 {
		return p
	}
	front := slices.Repeat([]uint32{asn}, n)
	if len(p) > 0 && p[0].Type == ASSequence {
		front, p = append(front, p[0].ASNs...), p[1:]
	}
	return append(ASPath{{Type: ASSequence, ASNs: front}}, p...)
}

// String writes "1 2 {3,4} (5) [6]": sets in braces, confederation sequences in
// parentheses, confederation sets in brackets.
func (p ASPath) String() string {
	brackets := map[SegmentType][3]string{
		ASSequence: {"", " ", ""}, ASSet: {"{", ",", "}"}, ConfedSequence: {"(", " ", ")"}, ConfedSet: {"[", ",", "]"},
	}
	parts := make([]string, len(p))
	for i, s := range p {
		numbers := make([]string, len(s.ASNs))
		for j, asn := range s.ASNs {
			numbers[j] = strconv.FormatUint(uint64(asn), 10)
		}
		b := brackets[s.Type]
		parts[i] = b[0] + strings.Join(numbers, b[1]) + b[2]
	}
	return strings.Join(parts, " ")
}

// checkASPath walks an AS_PATH or AS4_PATH value without allocating and returns
// why it is malformed, or "".
func checkASPath(value []byte, octets int, confederation bool) string {
	for len(value) > 0 {
		// RFC 7606 section 7.2: malformed are an unrecognized segment type, a
		// segment that overruns or underruns the attribute, and one of length
		// zero.
		if len(value) < 2 {
			return "a single octet is left after the last segment"
		}
		t, count := SegmentType(value[0]), int(value[1])
		switch t {
		case ASSet, ASSequence:
		case ConfedSequence, ConfedSet:
			// RFC 5065 section 5: confederation segments from a neighbor outside
			// the confederation are an error; we are in none.
			if !confederation {
				return "confederation segment from outside a confederation"
			}
		default:
			return "unrecognized segment type"
		}
		end := 2 + count*octets
		if count == 0 {
			return "segment of length zero"
		}
		if len(value) < end {
			return "segment overruns the attribute"
		}
		for asns := value[2:end]; len(asns) > 0; asns = asns[octets:] {
			// RFC 7607 section 2: AS number 0 belongs to nobody, so a path with it
			// is malformed.
			if asnAt(asns, octets) == 0 {
				return "AS number 0"
			}
		}
		value = value[end:]
	}
	return ""
}

// asnAt reads an AS number of two or four octets.
func asnAt(b []byte, octets int) uint32 {
	if octets == 2 {
		return uint32(binary.BigEndian.Uint16(b))
	}
	return binary.BigEndian.Uint32(b)
}

// decodeASPath reads segments; the value has been checked.
func decodeASPath(value []byte, octets int) (ASPath, error) {
	var p ASPath
	for len(value) > 0 {
		if len(value) < 2 || len(value) < 2+int(value[1])*octets {
			return nil, fmt.Errorf("as path: segment of %d octets is cut short", len(value))
		}
		s := Segment{Type: SegmentType(value[0]), ASNs: make([]uint32, value[1])}
		for i := range s.ASNs {
			s.ASNs[i] = asnAt(value[2+i*octets:], octets)
		}
		p, value = append(p, s), value[2+len(s.ASNs)*octets:]
	}
	return p, nil
}

// append appends the path's value; sequences of more than 255 AS numbers are
// split (RFC 4271 section 4.3: the count has one octet), AS numbers that do not
// fit two octets become AS_TRANS.
func (p ASPath) append(dst []byte, octets int) []byte {
	for _, s := range p {
		for asns := s.ASNs; len(asns) > 0; {
			n := min(len(asns), 255)
			dst = append(dst, byte(s.Type), byte(n))
			for _, asn := range asns[:n] {
				dst = appendASN(dst, asn, octets)
			}
			asns = asns[n:]
		}
	}
	return dst
}

func appendASN(dst []byte, asn uint32, octets int) []byte {
	if octets == 4 {
		return binary.BigEndian.AppendUint32(dst, asn)
	}
	if asn > 0xffff {
		asn = ASTrans
	}
	return binary.BigEndian.AppendUint16(dst, uint16(asn))
}

// needsFour reports whether an AS number does not fit two octets.
func (p ASPath) needsFour() bool {
	return slices.ContainsFunc(p, func(s Segment) bool {
		return slices.ContainsFunc(s.ASNs, func(asn uint32) bool { return asn > 0xffff })
	})
}

// withoutConfederation drops confederation segments, which an AS4_PATH must not
// have (RFC 6793 sections 3 and 4.2.2).
func (p ASPath) withoutConfederation() ASPath {
	return slices.DeleteFunc(slices.Clone(p), func(s Segment) bool {
		return s.Type == ConfedSequence || s.Type == ConfedSet
	})
}

// mergeAS4Path rebuilds the path of a neighbor without four-octet AS numbers.
// RFC 6793 section 4.2.3: AS4_PATH knows the true numbers of the far end of the
// path, AS_PATH all of its hops. What AS4_PATH lacks is taken from the front of
// AS_PATH; an AS4_PATH longer than AS_PATH cannot be true and is ignored.
func mergeAS4Path(path, as4 ASPath) ASPath {
	as4 = as4.withoutConfederation()
	lead := path.Hops() - as4.Hops()
	if lead < 0 || len(as4) == 0 {
		return path
	}
	var merged ASPath
	for _, s := range path {
		if lead == 0 {
			break
		}
		if s.Type == ASSequence {
			s.ASNs = s.ASNs[:min(lead, len(s.ASNs))]
			lead -= len(s.ASNs)
		} else {
			lead-- // a set; an AS_PATH with confederation segments is malformed
		}
		merged = append(merged, s)
	}
	return joinSequences(merged, as4)
}

// joinSequences concatenates two paths, making one segment of two sequences
// that meet.
func joinSequences(a, b ASPath) ASPath {
	if len(a) == 0 || len(b) == 0 || a[len(a)-1].Type != ASSequence || b[0].Type != ASSequence {
		return append(a, b...)
	}
	joined := slices.Concat(a[len(a)-1].ASNs, b[0].ASNs)
	merged := append(slices.Clone(a[:len(a)-1]), Segment{Type: ASSequence, ASNs: joined})
	return append(merged, b[1:]...)
}
