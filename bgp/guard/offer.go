package guard

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// offers is what the engine offers on one leg, to all neighbors of it. A
// million prefixes are held in a compact form, because every neighbor of the
// leg asks here instead of keeping a copy. The zero value offers nothing.
//
// A table's lock may be held while this one is taken, never the other way
// round.
type offers struct {
	mu    sync.RWMutex
	pass  uint8
	four  map[uint64]uint8 // the pass in which the engine told the prefix last
	six   map[key6]uint8
	count counts
	// origin has the prefixes whose path ends in an AS that is not the leg's:
	// they are offered to a neighbor whose Target names that AS, and to no other.
	origin map[netip.Prefix]uint32
	// learned is what the engine offers it with, while the Target layer is off
	// in a test; else nil.
	learned map[netip.Prefix]wire.AttrSet
}

// key4 is an IPv4 prefix as a number.
func key4(p netip.Prefix) uint64 {
	a := p.Addr().As4()
	return uint64(binary.BigEndian.Uint32(a[:]))<<8 | uint64(uint8(p.Bits()))
}

func prefix4(k uint64) netip.Prefix {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], uint32(k>>8))
	return netip.PrefixFrom(netip.AddrFrom4(a), int(uint8(k)))
}

// key6 is an IPv6 prefix without the pointer that netip.Addr has for its zone.
type key6 struct {
	high, low uint64
	bits      uint8
}

func keyOf6(p netip.Prefix) key6 {
	a := p.Addr().As16()
	return key6{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:]), uint8(p.Bits())}
}

func (k key6) prefix() netip.Prefix {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], k.high)
	binary.BigEndian.PutUint64(a[8:], k.low)
	return netip.PrefixFrom(netip.AddrFrom16(a), int(k.bits))
}

// told is the pass in which the engine told p last, 0 if it does not offer it.
func (o *offers) told(p netip.Prefix) uint8 {
	if p.Addr().Is4() {
		return o.four[key4(p)]
	}
	return o.six[keyOf6(p)]
}

// has reports whether p is offered to a neighbor with this Target. The caller
// holds mu.
func (o *offers) has(p netip.Prefix, t *target) bool {
	if o.told(p) == 0 {
		return false
	}
	if len(o.origin) == 0 {
		return true
	}
	asn, foreign := o.origin[p]
	return !foreign || t.delegated(asn)
}

// put notes that the engine offers p, with the origin AS if that is not the
// leg's, else 0. It reports whether that is news. The caller holds mu.
func (o *offers) put(p netip.Prefix, origin uint32, learned wire.AttrSet) bool {
	if o.four == nil {
		o.four, o.six = map[uint64]uint8{}, map[key6]uint8{}
	}
	was := o.told(p)
	if p.Addr().Is4() {
		o.four[key4(p)] = o.pass
	} else {
		o.six[keyOf6(p)] = o.pass
	}
	if was == 0 {
		*o.count.of(p)++
	}
	before := o.origin[p]
	switch {
	case origin == before:
	case origin == 0:
		delete(o.origin, p)
	case o.origin == nil:
		o.origin = map[netip.Prefix]uint32{p: origin}
	default:
		o.origin[p] = origin
	}
	if o.learned != nil {
		o.learned[p] = learned
		return true
	}
	return was == 0 || before != origin
}

// drop notes that the engine does not offer p, and reports whether that is
// news. The caller holds mu.
func (o *offers) drop(p netip.Prefix) bool {
	if o.told(p) == 0 {
		return false
	}
	if p.Addr().Is4() {
		delete(o.four, key4(p))
	} else {
		delete(o.six, keyOf6(p))
	}
	delete(o.origin, p)
	delete(o.learned, p)
	*o.count.of(p)--
	return true
}

// newPass begins a session of the engine. What it offered before stays offered
// until it has told everything again: losing the engine changes nothing.
func (o *offers) newPass() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pass++; o.pass == 0 {
		o.pass = 1
	}
}

// endPass is the engine's End-of-RIB: what it has not told again it no longer
// offers. It returns those prefixes.
func (o *offers) endPass(f addressing.Family) (gone []netip.Prefix) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f == addressing.IPv4 {
		for k, pass := range o.four {
			if pass != o.pass {
				gone = append(gone, prefix4(k))
			}
		}
	} else {
		for k, pass := range o.six {
			if pass != o.pass {
				gone = append(gone, k.prefix())
			}
		}
	}
	for _, p := range gone {
		o.drop(p)
	}
	return gone
}

// all yields every prefix that is offered, in no order. The caller holds mu.
func (o *offers) all(yield func(netip.Prefix) bool) {
	for k := range o.four {
		if !yield(prefix4(k)) {
			return
		}
	}
	for k := range o.six {
		if !yield(k.prefix()) {
			return
		}
	}
}
