package symbolic

import (
	"math"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// scalar is a number cut into the intervals the policies can tell apart; value
// 0 is "absent", value i+1 the interval that starts at cuts[i].
type scalar struct {
	*attribute
	cuts []uint32
}

func (u *Universe) scalar(f device.Field) *scalar {
	s, ok := u.scalars[f]
	if !ok {
		s = &scalar{cuts: []uint32{0}}
		u.scalars[f] = s
	}
	return s
}

// cut tells a value apart from those above and below.
func (s *scalar) cut(v uint32) {
	s.cuts = append(s.cuts, v)
	if v < math.MaxUint32 {
		s.cuts = append(s.cuts, v+1)
	}
}

func (s *scalar) size() int {
	s.cuts = sortedUnique(s.cuts)
	return len(s.cuts) + 1
}

// at is the value's number.
func (s *scalar) at(v uint32) int32 {
	i, found := slices.BinarySearch(s.cuts, v)
	if found {
		i++
	}
	return int32(i)
}

// single returns the only number of an interval.
func (s *scalar) single(i int32) (uint32, bool) {
	if i == 0 {
		return 0, false
	}
	lo := s.cuts[i-1]
	return lo, int(i) < len(s.cuts) && s.cuts[i] == lo+1 || lo == math.MaxUint32
}

func (u *Universe) compare(c *device.Compare, st *state) truth {
	switch c.Field {
	case device.ASPathLen:
		return u.compareLength(c, st)
	case device.CommunityCount:
		return u.compareCount(c, st)
	}
	s := u.scalars[c.Field]
	return u.ask(s.enum, st.choices[s.index], func(v int32) bool {
		if v == 0 {
			return c.Absent != nil && c.Op.Holds(*c.Absent, c.Value)
		}
		return c.Op.Holds(s.cuts[v-1], c.Value)
	})
}

func (u *Universe) compareLength(c *device.Compare, st *state) truth {
	atLeast := func(n uint32) truth {
		if n > 200 {
			n = 200
		}
		return u.pathMatch(u.lengthAt[int(n)], st)
	}
	switch c.Op {
	case device.EQ:
		return u.and(atLeast(c.Value), u.not(atLeast(c.Value+1)))
	case device.NE:
		return u.not(u.and(atLeast(c.Value), u.not(atLeast(c.Value+1))))
	case device.LT:
		return u.not(atLeast(c.Value))
	case device.LE:
		return u.not(atLeast(c.Value + 1))
	case device.GT:
		return atLeast(c.Value + 1)
	}
	return atLeast(c.Value)
}

// compareCount knows whether there are any; a class of communities may stand
// for several, so that more is not counted.
func (u *Universe) compareCount(c *device.Compare, st *state) truth {
	none := u.carriesNone(u.kinds[device.Standard], st)
	zero, some := c.Op.Holds(0, c.Value), unknown
	switch {
	case c.Op == device.GE && c.Value <= 1, c.Op == device.GT && c.Value == 0, c.Op == device.NE && c.Value == 0:
		some = always
	case c.Value == 0 && c.Op != device.GE, c.Op == device.LT && c.Value <= 1:
		some = never
	}
	return u.or(u.and(none, is(zero)), u.and(u.not(none), some))
}

func (u *Universe) pathMatch(pattern int, st *state) truth {
	if u.space == nil {
		return unknown
	}
	atoms := u.space.Atoms()
	return u.ask(u.path.enum, st.choices[u.path.index], func(v int32) bool { return atoms[v].Matches[pattern] })
}

// names is a part of the router a route can be known by: value 0 is another
// name than those the policies use.
type names struct {
	*attribute
	list []string
}

func (u *Universe) name(f device.NameField) *names {
	n, ok := u.names[f]
	if !ok {
		n = &names{}
		u.names[f] = n
	}
	return n
}

func (n *names) mention(list []string) {
	for _, x := range list {
		if !slices.Contains(n.list, x) {
			n.list = append(n.list, x)
		}
	}
}

func (n *names) at(name string) int32 { return int32(slices.Index(n.list, name) + 1) }

// nextHops are addresses, one of each region the policies tell apart.
type nextHops struct {
	*attribute
	nets []netip.Prefix
	list []netip.Addr
}

func newNextHops() *nextHops { return &nextHops{} }

func (h *nextHops) mention(nets []netip.Prefix) { h.nets = append(h.nets, nets...) }

func (h *nextHops) address(a netip.Addr) {
	if a.IsValid() && !slices.Contains(h.list, a) {
		h.list = append(h.list, a)
	}
}

// finish adds the ends of every network and the addresses just outside: each
// region that is left between nested networks touches one of those.
func (h *nextHops) finish(u *Universe) {
	if len(h.nets) == 0 {
		h.list = nil
		return
	}
	for _, s := range u.in.Exports {
		h.address(s.Neighbor)
	}
	h.address(netip.MustParseAddr("192.0.2.254"))
	h.address(netip.MustParseAddr("2001:db8::fe"))
	for _, n := range h.nets {
		last := lastAddr(n)
		for _, a := range []netip.Addr{n.Masked().Addr(), last, n.Masked().Addr().Prev(), last.Next()} {
			h.address(a)
		}
	}
	h.attribute = u.add(len(h.list))
}

func lastAddr(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(raw); i++ {
		raw[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}

// like is the address that stands for another one: no policy tells them apart. It
// is -1 when none does.
func (h *nextHops) like(a netip.Addr) int {
	if i := slices.Index(h.list, a); i >= 0 {
		return i
	}
	return slices.IndexFunc(h.list, func(x netip.Addr) bool {
		return !slices.ContainsFunc(h.nets, func(n netip.Prefix) bool { return n.Contains(x) != n.Contains(a) })
	})
}
