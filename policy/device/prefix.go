package device

import (
	"fmt"
	"net/netip"
)

// PrefixRange is a region of prefixes: those inside Net whose length is from
// Min to Max. With a Mask (wildcard access lists, Junos address-mask) only the
// bits set in Mask are compared with the address of Net.
type PrefixRange struct {
	Net      netip.Prefix // masked
	Min, Max int
	Mask     netip.Addr // optional, same family as Net
}

// Exact is the region of one prefix.
func Exact(p netip.Prefix) PrefixRange {
	p = p.Masked()
	return PrefixRange{Net: p, Min: p.Bits(), Max: p.Bits()}
}

// Contains reports whether the region holds the prefix.
func (r PrefixRange) Contains(p netip.Prefix) bool {
	return r.Covers(p) && p.Bits() >= r.Min && p.Bits() <= r.Max
}

// Covers reports whether the address of the prefix lies inside Net, whatever
// its length; a prefix shorter than Net is not covered.
func (r PrefixRange) Covers(p netip.Prefix) bool {
	if !r.Net.IsValid() || r.Net.Addr().Is4() != p.Addr().Is4() {
		return false
	}
	if r.Mask.IsValid() {
		want, got, mask := r.Net.Addr().AsSlice(), p.Addr().AsSlice(), r.Mask.AsSlice()
		for i := range mask {
			if want[i]&mask[i] != got[i]&mask[i] {
				return false
			}
		}
		return true
	}
	return p.Bits() >= r.Net.Bits() && r.Net.Contains(p.Addr())
}

// String writes "192.0.2.0/24{24,32}".
func (r PrefixRange) String() string {
	if r.Min == r.Net.Bits() && r.Max == r.Net.Bits() && !r.Mask.IsValid() {
		return r.Net.String()
	}
	s := fmt.Sprintf("%s{%d,%d}", r.Net, r.Min, r.Max)
	if r.Mask.IsValid() {
		s += "&" + r.Mask.String()
	}
	return s
}

// PrefixEntry is one line of a prefix list.
type PrefixEntry struct {
	At
	Range PrefixRange
	Deny  bool
}

// PrefixMode says which entry of a list speaks.
type PrefixMode uint8

// Modes. The first matching entry decides; or the entries with the longest
// covering network alone are asked (GoBGP, Junos route-filter): when none of
// those has the length in its range, the list does not match.
const (
	FirstMatch PrefixMode = iota
	LongestMatch
)

// PrefixSet is a prefix list: what no entry decides is not matched.
type PrefixSet struct {
	At
	Name    string
	Mode    PrefixMode
	Entries []PrefixEntry
}

// Match reports whether the list matches the prefix.
func (s *PrefixSet) Match(p netip.Prefix) bool {
	if s.Mode == LongestMatch {
		return s.matchLongest(p)
	}
	for i := range s.Entries {
		if s.Entries[i].Range.Contains(p) {
			return !s.Entries[i].Deny
		}
	}
	return false
}

func (s *PrefixSet) matchLongest(p netip.Prefix) bool {
	longest := -1
	for i := range s.Entries {
		if r := &s.Entries[i].Range; r.Net.Bits() > longest && r.Covers(p) {
			longest = r.Net.Bits()
		}
	}
	for i := range s.Entries {
		if e := &s.Entries[i]; e.Range.Net.Bits() == longest && e.Range.Contains(p) {
			return !e.Deny
		}
	}
	return false
}
