package frr

import (
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// aclLine reads an access list: numbered, named, or a block.
func (r *reader) aclLine(l *line, i int, f device.Family) {
	switch l.at(i) {
	case "standard", "extended":
		i++
	case "logging", "resequence", "log-update":
		l.file(device.IgnoredKnown, false, "")
		return
	}
	n := listName{kind: device.AccessListKind, family: f, name: l.at(i)}
	if n.name == "" || l.no {
		r.unread(l, "the access list has no name")
		return
	}
	ls := r.list(n, l.pos)
	ls.set.End = l.end
	l.file(device.Modelled, false, "")
	if len(l.words) > i+1 {
		r.aclEntry(ls, l, i+1)
	}
	for _, k := range l.kids {
		k.file(device.Modelled, false, "")
		r.aclEntry(ls, k, 0)
	}
}

// aclEntry keeps a line for later: access lists filter packets too, so that
// most of them never bear on routes and are not complained about.
func (r *reader) aclEntry(ls *list, l *line, i int) {
	e := entry{at: device.At{Pos: l.pos}}
	if l.at(i) == "seq" {
		i++
	}
	if n, ok := number(l.at(i), 32); ok {
		e.seq, i = int(n), i+1
	}
	switch l.at(i) {
	case "permit":
	case "deny":
		e.deny = true
	default:
		l.file(device.IgnoredKnown, false, "")
		return
	}
	e.words = l.rest(i + 1)
	if e.seq == 0 {
		e.seq = 10
		if n := len(ls.entries); n > 0 {
			e.seq = ls.entries[n-1].seq + 10
		}
	}
	at := len(ls.entries)
	for at > 0 && ls.entries[at-1].seq > e.seq {
		at--
	}
	ls.entries = append(ls.entries, entry{})
	copy(ls.entries[at+1:], ls.entries[at:])
	ls.entries[at] = e
}

// accessList gives an access list its meaning for routes.
func accessList(ls *list) device.Expr {
	c := &device.Cases{At: ls.set.At}
	for _, e := range ls.entries {
		x := device.Expr(&device.Unknown{At: e.at, Text: strings.Join(e.words, " "), Why: "an access list of this form is not modelled for routes"})
		if rs, ok := aclRanges(e.words, ls.family); ok {
			s := &device.PrefixSet{At: e.at, Name: ls.name}
			for _, rng := range rs {
				s.Entries = append(s.Entries, device.PrefixEntry{At: e.at, Range: rng})
			}
			x = &device.PrefixMatch{At: e.at, Set: s}
		}
		c.Arms = append(c.Arms, device.Arm{At: e.at, X: x, Value: !e.deny})
	}
	return c
}

// aclRanges are the prefixes a line matches. A line with a prefix matches
// everything inside; a line with a wildcard compares the address alone; an
// extended line compares the mask with its destination.
func aclRanges(ws []string, f device.Family) ([]device.PrefixRange, bool) {
	exact := len(ws) > 1 && ws[len(ws)-1] == "exact-match"
	if exact {
		ws = ws[:len(ws)-1]
	}
	if len(ws) == 1 && strings.Contains(ws[0], "/") {
		p, err := netip.ParsePrefix(ws[0])
		if err != nil || device.FamilyOf(p) != f {
			return nil, false
		}
		r := device.Exact(p)
		if !exact {
			r.Max = p.Addr().BitLen()
		}
		return []device.PrefixRange{r}, true
	}
	if len(ws) > 0 && (ws[0] == "ip" || ws[0] == "ipv6") {
		return extendedRanges(ws[1:], f)
	}
	if f == device.IPv6 {
		if len(ws) != 1 || ws[0] != "any" {
			return nil, false
		}
		return []device.PrefixRange{{Net: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Max: 128}}, true
	}
	addr, wild, rest, ok := wildcard(ws)
	if !ok || len(rest) > 0 && rest[0] != "log" {
		return nil, false
	}
	return []device.PrefixRange{masked(addr, wild, 0, 32)}, true
}

func extendedRanges(ws []string, f device.Family) ([]device.PrefixRange, bool) {
	if f == device.IPv6 {
		if len(ws) < 2 || ws[0] != "any" || ws[1] != "any" {
			return nil, false
		}
		return []device.PrefixRange{{Net: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Max: 128}}, true
	}
	addr, wild, ws, ok := wildcard(ws)
	if !ok {
		return nil, false
	}
	mask, maskWild, ws, ok := wildcard(ws)
	if !ok || len(ws) > 0 && ws[0] != "log" {
		return nil, false
	}
	var out []device.PrefixRange
	for bits := 0; bits <= 32; bits++ {
		if (^uint32(0)<<(32-bits))&^maskWild != mask&^maskWild {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Max == bits-1 {
			out[n-1].Max = bits
			continue
		}
		out = append(out, masked(addr, wild, bits, bits))
	}
	return out, true
}

// wildcard reads "any", "host A", "A WILDCARD", "A/LEN" or "A".
func wildcard(ws []string) (addr, wild uint32, rest []string, ok bool) {
	if len(ws) == 0 {
		return 0, 0, nil, false
	}
	if ws[0] == "any" {
		return 0, ^uint32(0), ws[1:], true
	}
	if ws[0] == "host" && len(ws) > 1 {
		a, ok := ipv4(ws[1])
		return a, 0, ws[2:], ok
	}
	if p, err := netip.ParsePrefix(ws[0]); err == nil && p.Addr().Is4() {
		a, _ := ipv4(p.Addr().String())
		return a, ^uint32(0) >> p.Bits(), ws[1:], true
	}
	a, ok := ipv4(ws[0])
	if !ok {
		return 0, 0, nil, false
	}
	if len(ws) > 1 {
		if w, isWild := ipv4(ws[1]); isWild {
			return a, w, ws[2:], true
		}
	}
	return a, 0, ws[1:], true
}

func ipv4(s string) (uint32, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}

func addr4(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// masked is a region that compares the bits of the address outside of the
// wildcard. Net is kept as an address alone: its length says nothing here.
func masked(addr, wild uint32, lo, hi int) device.PrefixRange {
	if wild == ^uint32(0) {
		return device.PrefixRange{Net: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Min: lo, Max: hi}
	}
	return device.PrefixRange{Net: netip.PrefixFrom(addr4(addr), 32), Min: lo, Max: hi, Mask: addr4(^wild)}
}
