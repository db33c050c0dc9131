package lint

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// evidence is what makes a route ours or a customer's, whatever session it was
// learned on. Where nothing is declared, the lists and communities the export
// policies themselves accept by are taken to be that, unless they match what
// nobody owns: everything.
type evidence struct {
	prefixes []device.PrefixRange
	lists    []*device.PrefixSet
	markers  []device.Community
	paths    []*aspath.Pattern
}

// peerTag is how networks call communities that mark routes of others.
var peerTag = regexp.MustCompile(`(?i)peer|transit|provider|upstream|learned|leak|no-?export|deny|block|reject|bogon|ix`)

func (d *Declaration) evidenceOf(cfg *device.Config) *evidence {
	e := &evidence{markers: d.tags.marker()}
	for _, p := range d.own {
		e.prefixes = append(e.prefixes, orLonger(p))
	}
	for _, o := range cfg.Originated {
		if !matchAll(orLonger(o.Prefix)) {
			e.prefixes = append(e.prefixes, orLonger(o.Prefix))
		}
	}
	v := visitor{e: e, declared: len(d.own) > 0, tagged: len(d.tags.marker()) > 0, own: d.ownASNs(cfg), seen: map[*device.Policy]bool{}}
	for _, s := range cfg.Sessions {
		if !d.external(s) {
			continue
		}
		for i := range s.Export.Steps {
			v.chain(&s.Export.Steps[i].Chain)
		}
	}
	return e
}

// ownASNs are the declared ones and those the sessions use.
func (d *Declaration) ownASNs(cfg *device.Config) []uint32 {
	out := slices.Clone(d.ASNs)
	if cfg.ASN != 0 {
		out = append(out, cfg.ASN)
	}
	for _, s := range cfg.Sessions {
		if s.LocalAS != 0 {
			out = append(out, s.LocalAS)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func orLonger(p netip.Prefix) device.PrefixRange {
	return device.PrefixRange{Net: p, Min: p.Bits(), Max: p.Addr().BitLen()}
}

// matchAll reports whether a range is too wide to name anybody's own space.
func matchAll(r device.PrefixRange) bool {
	if r.Mask.IsValid() {
		return true
	}
	if r.Net.Addr().Is4() {
		return r.Net.Bits() < 8 && r.Max > r.Net.Bits()
	}
	return r.Net.Bits() < 16 && r.Max > r.Net.Bits()
}

// visitor collects what accepting terms ask for.
type visitor struct {
	e        *evidence
	declared bool // prefixes are: lists prove nothing more
	tagged   bool
	own      []uint32
	seen     map[*device.Policy]bool
}

func (v *visitor) chain(c *device.Chain) {
	for _, p := range c.Policies {
		if p.BuiltIn || v.seen[p] {
			continue
		}
		v.seen[p] = true
		v.terms(p.Terms)
	}
}

func (v *visitor) terms(ts []*device.Term) {
	for _, t := range ts {
		if t.Inactive {
			continue
		}
		// What a rejecting term asks for is what it keeps back.
		v.expr(t.Match, t.Then.Flow != device.RejectRoute && t.Then.Default != device.Reject || len(t.Body) > 0)
		for _, a := range t.Actions {
			if c, ok := a.(*device.Call); ok {
				v.chain(&c.Chain)
			}
		}
		v.terms(t.Body)
		v.terms(t.Else)
	}
}

func (v *visitor) expr(x device.Expr, positive bool) {
	switch t := x.(type) {
	case *device.And:
		v.each(t.Xs, positive)
	case *device.Or:
		v.each(t.Xs, positive)
	case *device.Not:
		v.expr(t.X, !positive)
	case *device.Cases:
		for i := range t.Arms {
			v.expr(t.Arms[i].X, positive == t.Arms[i].Value)
		}
	case *device.Ref:
		if t.Kind == device.CommunitySetKind && peerTag.MatchString(t.Name) {
			return
		}
		v.expr(t.X, positive)
	case *device.SubPolicy:
		if positive {
			v.chain(&t.Chain)
		}
	case *device.PrefixMatch:
		if positive && !v.declared {
			v.list(t.Set)
		}
	case *device.CommunityMatch:
		if positive && !v.tagged {
			v.communities(t)
		}
	case *device.ASPathMatch:
		if positive && coneLike(t.Pattern) {
			v.e.paths = append(v.e.paths, t.Pattern)
		}
	}
}

func (v *visitor) each(xs []device.Expr, positive bool) {
	for _, x := range xs {
		v.expr(x, positive)
	}
}

func (v *visitor) list(s *device.PrefixSet) {
	if slices.Contains(v.e.lists, s) {
		return
	}
	kept := &device.PrefixSet{At: s.At, Name: s.Name, Mode: s.Mode}
	for _, entry := range s.Entries {
		if matchAll(entry.Range) && !entry.Deny {
			continue
		}
		kept.Entries = append(kept.Entries, entry)
	}
	if len(kept.Entries) == len(s.Entries) {
		kept = s
	}
	v.e.lists = append(v.e.lists, kept)
}

// communities takes the literal values of our own ASN for our own marks.
func (v *visitor) communities(m *device.CommunityMatch) {
	for i := range m.Patterns {
		p := &m.Patterns[i]
		c := device.Community{Kind: p.Kind, Text: p.Literal}
		if p.Literal != "" && (len(v.own) == 0 || adminIn(c, v.own)) && !slices.Contains(v.e.markers, c) {
			v.e.markers = append(v.e.markers, c)
		}
	}
}

// adminIn reports whether a community is in the name of one of the ASNs.
func adminIn(c device.Community, asns []uint32) bool {
	for _, a := range asns {
		if strings.HasPrefix(c.Text, formatASN(a)+":") {
			return true
		}
	}
	return false
}

// coneLike reports whether a pattern holds paths to those of certain ASNs: no
// path of ASNs it does not mention matches.
func coneLike(p *aspath.Pattern) bool {
	mentioned := p.Mentioned()
	var others []uint32
	for _, asn := range []uint32{7, 83, 907, 1873, 20473, 29871, 58299, 64500, 209871, 4200000009} {
		if !slices.Contains(mentioned, asn) {
			others = append(others, asn)
		}
	}
	for i, a := range others {
		b, c := others[(i+1)%len(others)], others[(i+3)%len(others)]
		if p.Match([]uint32{a}) || p.Match([]uint32{a, b}) || p.Match([]uint32{a, b, c}) || p.Match([]uint32{a, b, c, a, b}) {
			return false
		}
	}
	return len(mentioned) > 0 || p.Match(nil)
}
