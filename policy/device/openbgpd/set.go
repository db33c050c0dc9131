package openbgpd

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// prefixSpec is a prefix with its lengths: those from min to max, or with
// except those outside.
type prefixSpec struct {
	pos      device.Pos
	net      netip.Prefix
	min, max int
	op       lengthOp
}

type lengthOp uint8

const (
	opNone lengthOp = iota
	opRange
	opNot    // != n
	opExcept // n >< m
	opLonger // or-longer
)

type prefixSet struct {
	set     *device.Set
	entries []prefixSpec
	ops     bool // some entry has a length operator
	widened *device.PrefixSet
}

type asSet struct {
	set  *device.Set
	asns aspath.Set
}

// roa is one validated payload: who may originate what.
type roa struct {
	net    netip.Prefix
	maxLen int
	asn    uint32
}

type roaSet struct {
	set  *device.Set
	roas []roa
}

// set reads prefix-set, as-set, origin-set, roa-set, aspa-set and rtr.
func (p *parser) set(first token) {
	name := ""
	if p.tok.kind == word {
		name = p.take().text
	}
	var ok bool
	switch first.text {
	case "prefix-set":
		ok = p.readPrefixSet(first, name)
	case "as-set":
		ok = p.readASSet(first, name)
	case "origin-set":
		s := &roaSet{set: &device.Set{At: device.At{Pos: first.pos}, Kind: device.ROASetKind, Name: name}}
		if ok = p.list(func() bool { return p.roaItem(s) }); ok {
			s.set.Len, s.set.End = len(s.roas), p.tok.pos
			p.originSets[name] = s
			p.cfg.Sets = append(p.cfg.Sets, s.set)
		}
	case "roa-set":
		ok = p.list(func() bool { return p.roaItem(&p.roas) })
	case "rtr":
		p.rtr = true
		p.skip()
		ok = true
	case "aspa-set":
		p.skip()
		p.file(first.pos, first.text, device.Unmodelled, false, "ASPA verification is not modelled in policies")
		return
	}
	if !ok || !p.done() {
		p.unread(first.pos, first.text+" "+name, true)
		return
	}
	p.file(first.pos, first.text, device.Modelled, true, "")
}

func (p *parser) readPrefixSet(first token, name string) bool {
	s := &prefixSet{set: &device.Set{At: device.At{Pos: first.pos}, Kind: device.PrefixSetKind, Name: name}}
	ok := p.list(func() bool {
		e, ok := p.prefixSpec()
		s.entries = append(s.entries, e)
		s.ops = s.ops || e.op != opNone
		return ok
	})
	if !ok {
		return false
	}
	s.set.End, s.set.Len = p.tok.pos, len(s.entries)
	s.set.Prefixes = &device.PrefixSet{At: s.set.At, Name: name, Entries: entries(s.entries)}
	if p.prefixSets[name] != nil {
		p.refused(first.pos, "RL902", fmt.Sprintf("prefix-set %q is defined twice", name), "rename one")
	}
	p.prefixSets[name] = s
	p.cfg.Sets = append(p.cfg.Sets, s.set)
	return true
}

func (p *parser) readASSet(first token, name string) bool {
	s := &asSet{set: &device.Set{At: device.At{Pos: first.pos}, Kind: device.ASSetKind, Name: name}}
	var asns []uint32
	ok := p.list(func() bool {
		n, ok := asn(p.take())
		asns = append(asns, n)
		return ok
	})
	if !ok {
		return false
	}
	s.set.End, s.set.Len, s.asns = p.tok.pos, len(asns), aspath.One(asns...)
	p.asSets[name] = s
	p.cfg.Sets = append(p.cfg.Sets, s.set)
	return true
}

func (p *parser) roaItem(s *roaSet) bool {
	e, ok := p.prefixSpec()
	if !ok || !p.accept("source-as") {
		return false
	}
	n, ok := asn(p.take())
	if p.accept("expires") {
		p.read()
	}
	s.roas = append(s.roas, roa{net: e.net, maxLen: e.max, asn: n})
	return ok
}

// prefixSpec reads a prefix with an optional operator on its length.
func (p *parser) prefixSpec() (prefixSpec, bool) {
	s := prefixSpec{pos: p.tok.pos}
	var ok bool
	if s.net, ok = p.prefix(); !ok {
		return s, false
	}
	return s, p.lengths(&s)
}

// lengths reads or-longer, maxlen and prefixlen behind a prefix.
func (p *parser) lengths(s *prefixSpec) bool {
	widest := s.net.Addr().BitLen()
	s.min, s.max = s.net.Bits(), s.net.Bits()
	switch {
	case p.accept("or-longer"):
		s.op, s.max = opLonger, widest
	case p.accept("maxlen"):
		n, ok := number(p.take())
		if !ok || n < 0 || n > int64(widest) {
			return false
		}
		s.op, s.max = opRange, int(n)
	case p.accept("prefixlen"):
		return p.prefixlen(s, widest)
	}
	return s.min <= s.max
}

func (p *parser) prefixlen(s *prefixSpec, widest int) bool {
	op := "="
	if p.tok.kind == symbol {
		op = p.take().text
	}
	n64, ok := number(p.take())
	n := int(n64)
	if !ok || n64 < 0 || n64 > int64(widest) {
		return false
	}
	s.op = opRange
	switch op {
	case "=":
		s.min, s.max = n, n
	case "!=":
		s.op, s.min, s.max = opNot, n, n
	case "<":
		s.max = n - 1
	case "<=":
		s.max = n
	case ">":
		s.min, s.max = n+1, widest
	case ">=":
		s.min, s.max = n, widest
	default:
		return false
	}
	if p.tok.is("-") || p.tok.is("><") {
		if p.take().text == "><" {
			s.op = opExcept
		}
		m, ok := number(p.take())
		if !ok || m < int64(n) || m > int64(widest) {
			return false
		}
		s.min, s.max = n, int(m)
	}
	return s.min <= s.max && s.min >= s.net.Bits()
}

// entries turns prefixes with their lengths into the model's ranges.
func entries(specs []prefixSpec) []device.PrefixEntry {
	var out []device.PrefixEntry
	add := func(s prefixSpec, from, to int) {
		if from <= to {
			out = append(out, device.PrefixEntry{At: device.At{Pos: s.pos}, Range: device.PrefixRange{Net: s.net, Min: from, Max: to}})
		}
	}
	for _, s := range specs {
		if s.op != opNot && s.op != opExcept {
			add(s, s.min, s.max)
			continue
		}
		add(s, s.net.Bits(), s.min-1)
		add(s, s.max+1, s.net.Addr().BitLen())
		// Only the bits of the network are compared, so that a shorter prefix
		// with the same address matches too.
		for bits := range s.net.Bits() {
			if short := netip.PrefixFrom(s.net.Addr(), bits); short.Masked().Addr() == s.net.Addr() {
				out = append(out, device.PrefixEntry{At: device.At{Pos: s.pos}, Range: device.Exact(short)})
			}
		}
	}
	return out
}

// longer widens the entries of a set that is used with or-longer. The default
// route is a case of its own: it stays what it is.
func longer(es []device.PrefixEntry) []device.PrefixEntry {
	out := slices.Clone(es)
	for i := range out {
		if r := &out[i].Range; r.Net.Bits() > 0 {
			r.Max = r.Net.Addr().BitLen()
		}
	}
	return out
}

// network is a network statement.
type network struct {
	pos      device.Pos
	nets     []netip.Prefix
	protocol device.Protocol
	family   device.Family
	any      bool // which networks it announces is not in the file
	sets     []setting
}

func (p *parser) network(first token) {
	n := network{pos: first.pos, protocol: device.Local}
	ok := true
	switch {
	case p.accept("prefix-set"):
		name := p.take()
		s := p.prefixSets[name.text]
		if s == nil {
			p.refused(name.pos, "RL301", fmt.Sprintf("prefix-set %q is not defined", name.text), "define it before it is used")
			break
		}
		s.set.Used++
		for _, e := range s.entries {
			n.nets = append(n.nets, e.net)
		}
	case p.tok.is("inet") || p.tok.is("inet6") || p.tok.is("IPv4") || p.tok.is("IPv6"):
		n.family = families[p.take().text]
		switch source := p.take(); source.text {
		case "static":
			n.protocol, n.any = device.Static, true
		case "connected":
			n.protocol, n.any = device.Direct, true
		case "rtlabel", "priority":
			n.any = true
			p.read()
		default:
			ok = false
		}
	default:
		var net netip.Prefix
		net, ok = p.prefix()
		n.nets = []netip.Prefix{net}
	}
	if ok && p.accept("set") {
		n.sets, ok = p.settings()
	}
	if !ok || !p.done() {
		p.unread(first.pos, "network", true)
		return
	}
	p.networks = append(p.networks, n)
	for _, net := range n.nets {
		p.cfg.Originated = append(p.cfg.Originated, device.OriginatedPrefix{At: device.At{Pos: first.pos}, Prefix: net, Source: n.protocol})
	}
	p.file(first.pos, "network", device.Modelled, true, "")
}

var families = map[string]device.Family{"inet": device.IPv4, "IPv4": device.IPv4, "inet6": device.IPv6, "IPv6": device.IPv6}
