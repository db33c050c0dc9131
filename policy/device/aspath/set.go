package aspath

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Range is an inclusive range of ASNs.
type Range struct{ Lo, Hi uint32 }

// Set is a set of ASNs: sorted ranges that neither overlap nor touch. The zero
// value is empty.
type Set []Range

// Any is every ASN.
var Any = Set{{0, math.MaxUint32}}

// One is the set of the given ASNs.
func One(asns ...uint32) Set {
	s := make(Set, 0, len(asns))
	for _, a := range asns {
		s = append(s, Range{a, a})
	}
	return Union(s)
}

// Union joins sets (and puts a list of ranges in order). Ranges that are upside
// down hold nothing.
func Union(sets ...Set) Set {
	var all Set
	for _, s := range sets {
		for _, r := range s {
			if r.Lo <= r.Hi {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.Lo, b.Lo) })
	var out Set
	for _, r := range all {
		if n := len(out); n > 0 && (out[n-1].Hi == math.MaxUint32 || r.Lo <= out[n-1].Hi+1) {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Complement is every ASN that is not in s.
func (s Set) Complement() Set {
	var out Set
	next := uint64(0)
	for _, r := range s {
		if uint64(r.Lo) > next {
			out = append(out, Range{uint32(next), r.Lo - 1})
		}
		next = uint64(r.Hi) + 1
	}
	if next <= math.MaxUint32 {
		out = append(out, Range{uint32(next), math.MaxUint32})
	}
	return out
}

// Contains reports membership.
func (s Set) Contains(asn uint32) bool {
	i, found := slices.BinarySearchFunc(s, asn, func(r Range, a uint32) int { return cmp.Compare(r.Lo, a) })
	return found || i > 0 && s[i-1].Hi >= asn
}

// String writes "1,5-7".
func (s Set) String() string {
	parts := make([]string, len(s))
	for i, r := range s {
		parts[i] = strconv.FormatUint(uint64(r.Lo), 10)
		if r.Hi != r.Lo {
			parts[i] += "-" + strconv.FormatUint(uint64(r.Hi), 10)
		}
	}
	return strings.Join(parts, ",")
}
