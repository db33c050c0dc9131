package symbolic

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// lengths is a set of prefix lengths, 0 to 128.
type lengths [129]bool

// prefixes builds a prefix list as a diagram in one walk down its tree: the
// entries are parted bit by bit, and once all bits of the entries that are left
// have been read, what remains is a function of the length alone. That takes
// time and space linear in the list, whatever the order and sign of its lines.
func (u *Universe) prefixes(s *device.PrefixSet) bdd.Node {
	if n, ok := u.lists[s]; ok {
		return n
	}
	var four, six []int
	for i := range s.Entries {
		switch r := &s.Entries[i].Range; {
		case !r.Net.IsValid():
		case r.Net.Addr().Is4():
			four = append(four, i)
		default:
			six = append(six, i)
		}
	}
	b := listBuilder{u: u, set: s, leaves: map[lengths]bdd.Node{}, built: map[string]bdd.Node{}}
	n := u.arena.Mk(familyLevel, b.build(four, 0, 32), b.build(six, 0, 128))
	u.lists[s] = n
	return n
}

type listBuilder struct {
	u      *Universe
	set    *device.PrefixSet
	leaves map[lengths]bdd.Node
	built  map[string]bdd.Node // by depth and entries, where wildcard masks leave several ways to the same
}

// build is the list for the addresses that share their first depth bits with
// the networks of the entries.
func (b *listBuilder) build(entries []int, depth, width int) bdd.Node {
	open := false
	for _, i := range entries {
		open = open || b.span(i, width) > depth
	}
	if !open {
		return b.leaf(entries, width)
	}
	if b.u.arena.Full() {
		return bdd.False // the universe is refused as too large
	}
	key := ""
	if b.masked(entries) {
		key = fmt.Sprint(width, depth, entries)
		if n, ok := b.built[key]; ok {
			return n
		}
	}
	var zero, one []int
	for _, i := range entries {
		switch bit, fixed := b.bit(i, depth, width); {
		case !fixed:
			zero, one = append(zero, i), append(one, i)
		case bit:
			one = append(one, i)
		default:
			zero = append(zero, i)
		}
	}
	n := b.u.arena.Mk(addrLevel(b.u)+depth, b.build(zero, depth+1, width), b.build(one, depth+1, width))
	if key != "" {
		b.built[key] = n
	}
	return n
}

// masked reports whether an entry has a wildcard mask: it goes down both ways
// where it does not mind.
func (b *listBuilder) masked(entries []int) bool {
	return slices.ContainsFunc(entries, func(i int) bool { return b.set.Entries[i].Range.Mask.IsValid() })
}

// span is how many bits of the address an entry looks at.
func (b *listBuilder) span(i, width int) int {
	if r := &b.set.Entries[i].Range; r.Mask.IsValid() {
		mask := r.Mask.AsSlice()
		for n := width; n > 0; n-- {
			if mask[(n-1)/8]>>(7-(n-1)%8)&1 == 1 {
				return n
			}
		}
		return 0
	}
	return b.set.Entries[i].Range.Net.Bits()
}

// bit is the value an entry wants at a depth; fixed is false when it does not
// mind.
func (b *listBuilder) bit(i, depth, width int) (value, fixed bool) {
	r := &b.set.Entries[i].Range
	at := func(a netip.Addr) bool { return a.AsSlice()[depth/8]>>(7-depth%8)&1 == 1 }
	if r.Mask.IsValid() {
		return at(r.Net.Addr()), at(r.Mask)
	}
	return at(r.Net.Addr()), depth < r.Net.Bits()
}

// leaf decides by length; every entry's address matches here.
func (b *listBuilder) leaf(entries []int, width int) bdd.Node {
	if len(entries) == 0 {
		return bdd.False
	}
	var set lengths
	for l := range width + 1 {
		set[l] = b.decides(entries, l)
	}
	if n, ok := b.leaves[set]; ok {
		return n
	}
	n := b.u.is(b.u.length, func(i int) bool { return set[i] })
	b.leaves[set] = n
	return n
}

func (b *listBuilder) decides(entries []int, length int) bool {
	longest := -1
	for _, i := range entries {
		r := &b.set.Entries[i].Range
		if r.Net.Bits() > longest && (length >= r.Net.Bits() || r.Mask.IsValid()) {
			longest = r.Net.Bits()
		}
	}
	for _, i := range entries {
		e := &b.set.Entries[i]
		if b.set.Mode == device.LongestMatch && e.Range.Net.Bits() != longest {
			continue
		}
		covered := length >= e.Range.Net.Bits() || e.Range.Mask.IsValid()
		if covered && length >= e.Range.Min && length <= e.Range.Max {
			return !e.Deny
		}
	}
	return false
}

// Within is the set of routes whose prefix lies in one of the ranges.
func (u *Universe) Within(ranges ...device.PrefixRange) bdd.Node {
	s := &device.PrefixSet{}
	for _, r := range ranges {
		s.Entries = append(s.Entries, device.PrefixEntry{Range: r})
	}
	return u.prefixes(s)
}

// Matched is the set of routes whose prefix the list matches.
func (u *Universe) Matched(s *device.PrefixSet) bdd.Node { return u.prefixes(s) }

// Prefix is the set of routes with exactly the prefix.
func (u *Universe) Prefix(p netip.Prefix) bdd.Node { return u.Within(device.Exact(p)) }

// Family is the set of routes of a family.
func (u *Universe) Family(f device.Family) bdd.Node {
	switch f {
	case device.IPv4:
		return u.arena.Not(u.arena.Var(familyLevel))
	case device.IPv6:
		return u.arena.Var(familyLevel)
	case device.AnyFamily:
		return bdd.True
	}
	return bdd.False
}

// canonical is the set of well-formed prefixes: a length the family has, and no
// bit set behind it. Only lists with wildcard masks look behind the length, so
// that the second half is left out in a family that has none.
func (u *Universe) canonical() bdd.Node {
	short := u.is(u.length, func(i int) bool { return i <= 32 })
	four, six := short, u.is(u.length, func(i int) bool { return i <= 128 })
	if u.masks[0] {
		four = u.zeroTail(four, 32)
	}
	if u.masks[1] {
		six = u.zeroTail(six, 128)
	}
	return u.arena.Mk(familyLevel, four, six)
}

func (u *Universe) zeroTail(n bdd.Node, width int) bdd.Node {
	for d := width - 1; d >= 0; d-- {
		longer := u.is(u.length, func(i int) bool { return i > d })
		n = u.arena.Mk(addrLevel(u)+d, n, u.arena.And(n, longer))
	}
	return n
}

func (u *Universe) decodePrefix(set map[int]bool) netip.Prefix {
	width := 32
	if set[familyLevel] {
		width = 128
	}
	raw := make([]byte, width/8)
	for d := range width {
		if set[addrLevel(u)+d] {
			raw[d/8] |= 1 << (7 - d%8)
		}
	}
	a, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(a, min(u.length.decode(set), width)).Masked()
}
