package wire

import "net/netip"

// prefixRun is a run of prefixes in an UPDATE (RFC 4271 section 4.3, RFC 4760
// section 5) whose encoding has been checked. It points into the message. The
// zero value is empty.
type prefixRun struct {
	raw []byte
	v6  bool
}

// checkPrefixes reports whether raw is a run of well-formed prefixes: no length
// over the family's, none cut short.
func checkPrefixes(raw []byte, v6 bool) bool {
	greatest := 32
	if v6 {
		greatest = 128
	}
	for len(raw) > 0 {
		bits := int(raw[0])
		end := 1 + (bits+7)/8
		if bits > greatest || len(raw) < end {
			return false
		}
		raw = raw[end:]
	}
	return true
}

// empty reports whether there is no prefix.
func (p prefixRun) empty() bool { return len(p.raw) == 0 }

// next takes the first prefix off the run. Bits after the prefix length are
// ignored (RFC 4271 section 4.3: the value of trailing bits is irrelevant).
func (p *prefixRun) next() (netip.Prefix, bool) {
	if len(p.raw) == 0 {
		return netip.Prefix{}, false
	}
	bits := int(p.raw[0])
	n := (bits + 7) / 8
	if len(p.raw) < 1+n || n > 16 {
		p.raw = nil
		return netip.Prefix{}, false
	}
	var a [16]byte
	copy(a[:], p.raw[1:1+n])
	if bits%8 != 0 {
		a[n-1] &= 0xff << (8 - bits%8)
	}
	p.raw = p.raw[1+n:]
	if p.v6 {
		return netip.PrefixFrom(netip.AddrFrom16(a), bits), true
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(a[:4])), bits), true
}

// AppendPrefix appends the encoding of a valid prefix (RFC 4271 section 4.3), host bits cleared.
func AppendPrefix(dst []byte, p netip.Prefix) []byte {
	bits := p.Bits()
	n := (bits + 7) / 8
	dst = append(dst, byte(bits))
	if p.Addr().Is4() {
		a := p.Addr().As4()
		dst = append(dst, a[:n]...)
	} else {
		a := p.Addr().As16()
		dst = append(dst, a[:n]...)
	}
	if bits%8 != 0 {
		dst[len(dst)-1] &= 0xff << (8 - bits%8)
	}
	return dst
}

// prefixLen is the number of octets AppendPrefix appends.
func prefixLen(p netip.Prefix) int { return 1 + (p.Bits()+7)/8 }
