package rpki

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// Validity is the outcome of route origin validation (RFC 6811 section 2).
// The zero value is no outcome.
type Validity uint8

// Outcomes. An invalid route is covered by a VRP and matched by none; which of
// the two did not match tells a wrong origin from a too specific route.
const (
	NotFound Validity = iota + 1
	Valid
	InvalidASN    // no covering VRP names the origin
	InvalidLength // one does, and its maximum length is shorter
)

// Invalid reports whether RFC 6811 calls the outcome invalid.
func (v Validity) Invalid() bool { return v == InvalidASN || v == InvalidLength }

// String is RFC 6811's word for it.
func (v Validity) String() string {
	switch v {
	case NotFound:
		return "not-found"
	case Valid:
		return "valid"
	case InvalidASN, InvalidLength:
		return "invalid"
	}
	return "unknown"
}

// grant is a VRP without its prefix.
type grant struct {
	asn    uint32
	maxLen uint8
}

// Set is VRPs to validate against. It does not change once made. The nil Set
// finds nothing.
type Set struct {
	trie *bart.Table[[]grant]
	len  int
}

// ErrEmpty is an input without a VRP.
var ErrEmpty = errors.New("rpki: not one VRP: refused, because it would turn every route not found; keep the last good data")

// NewSet makes a set. Repeated VRPs count once. The error is ErrEmpty, or names
// the first VRP that cannot be one.
func NewSet(vrps []VRP) (*Set, error) {
	if len(vrps) == 0 {
		return nil, ErrEmpty
	}
	if len(vrps) > MaxVRPs {
		return nil, fmt.Errorf("rpki: %d VRPs are more than the %d that are taken", len(vrps), MaxVRPs)
	}
	s := &Set{trie: new(bart.Table[[]grant])}
	for i, v := range vrps {
		if err := v.Check(); err != nil {
			return nil, fmt.Errorf("rpki: VRP %d: %w", i, err)
		}
		g := grant{asn: v.ASN, maxLen: v.MaxLen}
		s.trie.Modify(v.Prefix, func(have []grant, _ bool) ([]grant, bool) {
			if slices.Contains(have, g) {
				return have, false
			}
			s.len++
			return append(have, g), false
		})
	}
	return s, nil
}

// Len is how many distinct VRPs there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.len
}

// Validate judges a route by its prefix and its origin. Origin 0 stands for a
// path without one (an AS_SET at its end) and is never valid.
func (s *Set) Validate(route netip.Prefix, origin uint32) Validity {
	out := NotFound
	if s == nil || !route.IsValid() {
		return out
	}
	for _, grants := range s.trie.Supernets(route) {
		for _, g := range grants {
			switch {
			case g.asn != origin || origin == 0:
				if out == NotFound {
					out = InvalidASN
				}
			case route.Bits() > int(g.maxLen):
				out = InvalidLength
			default:
				return Valid
			}
		}
	}
	return out
}

// VRPs lists the set, sorted by prefix, then ASN, then maximum length.
func (s *Set) VRPs() []VRP {
	if s == nil {
		return nil
	}
	out := make([]VRP, 0, s.len)
	for p, grants := range s.trie.AllSorted() {
		from := len(out)
		for _, g := range grants {
			out = append(out, VRP{Prefix: p, MaxLen: g.maxLen, ASN: g.asn})
		}
		slices.SortFunc(out[from:], func(a, b VRP) int {
			if a.ASN != b.ASN {
				if a.ASN < b.ASN {
					return -1
				}
				return 1
			}
			return int(a.MaxLen) - int(b.MaxLen)
		})
	}
	return out
}
