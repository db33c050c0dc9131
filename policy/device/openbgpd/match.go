package openbgpd

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// view is the rules as one session meets them in one direction.
type view struct {
	p   *parser
	s   *device.Session
	n   *neighbor
	out bool
}

func (v *view) numbers() numbers { return numbers{local: v.s.LocalAS, peer: v.s.PeerAS} }

// names reports whether a rule's neighbor is the session's, and whether that is
// known: the ASN of a template's neighbors may not be.
func (v *view) names(q peer) device.Truth {
	switch q.kind {
	case peerAddress:
		return device.Is(!v.n.template && v.n.net.Addr() == q.addr || v.n.template && v.n.net.Addr() == q.addr)
	case peerGroup:
		return device.Is(v.n.block != 0 && v.n.block == q.block)
	case peerAS:
		if v.s.PeerAS == 0 {
			return device.Maybe
		}
		return device.Is(v.s.PeerAS == q.asn)
	case peerEBGP:
		return device.Is(v.s.Kind == device.External)
	case peerIBGP:
		return device.Is(v.s.Kind == device.InternalSession)
	}
	return device.True
}

// conditions are everything a rule asks but its prefixes and AS tests, which
// are lists that may be taken apart.
func (v *view) conditions(r *rule) []device.Expr {
	var xs []device.Expr
	for i := range r.tests {
		xs = append(xs, v.test(&r.tests[i]))
	}
	return xs
}

func unknown(pos device.Pos, text, why string) device.Expr {
	return &device.Unknown{At: device.At{Pos: pos}, Text: text, Why: why}
}

func (v *view) test(t *test) device.Expr {
	at := device.At{Pos: t.pos}
	switch t.kind {
	case "prefix-set":
		return v.prefixSet(t)
	case "origin-set":
		ref := &device.Ref{At: at, Kind: device.ROASetKind, Name: t.text}
		if t.origin == nil {
			ref.X = unknown(t.pos, t.text, "the origin-set is not defined")
			return ref
		}
		t.origin.set.Used++
		ref.Set, ref.X = t.origin.set, v.valid(t.origin, t.pos)
		return ref
	case "community", "large-community", "ext-community":
		return v.communityTest(t)
	case "max-as-len":
		return &device.Compare{At: at, Field: device.ASPathLen, Op: device.GT, Value: uint32(t.number)}
	case "max-communities":
		return &device.Compare{At: at, Field: device.CommunityCount, Op: device.GT, Value: uint32(t.number)}
	case "max-ext-communities", "max-large-communities":
		return someCommunity(t)
	case "nexthop":
		return v.nextHopTest(t)
	case "ovs":
		return v.ovs(t)
	case "avs":
		return unknown(t.pos, "avs "+t.text, "ASPA verification is not modelled in policies")
	}
	return unknown(t.pos, t.kind, "not modelled")
}

// someCommunity: more than none can be asked about; larger numbers are not
// modelled.
func someCommunity(t *test) device.Expr {
	kind := device.Large
	if t.kind == "max-ext-communities" {
		kind = device.Extended
	}
	some, err := device.RegexPattern(kind, ".", "any", false, t.pos)
	if t.number != 0 || err != nil {
		return unknown(t.pos, t.kind, "the number of these communities is not modelled")
	}
	return &device.CommunityMatch{At: device.At{Pos: t.pos}, Kind: kind, Patterns: []device.CommunityPattern{some}}
}

func (v *view) prefixSet(t *test) device.Expr {
	ref := &device.Ref{At: device.At{Pos: t.pos}, Kind: device.PrefixSetKind, Name: t.text}
	if t.set == nil {
		ref.X = unknown(t.pos, t.text, "the prefix-set is not defined")
		return ref
	}
	t.set.set.Used++
	ref.Set = t.set.set
	set := t.set.set.Prefixes
	if t.longer {
		set = t.set.orLonger()
	}
	if len(set.Entries) == 0 {
		ref.X = &device.Const{At: ref.At, Why: "an empty prefix-set matches nothing"}
		return ref
	}
	ref.X = &device.PrefixMatch{At: ref.At, Set: set}
	return ref
}

// orLonger is the set with or-longer, made once.
func (s *prefixSet) orLonger() *device.PrefixSet {
	if s.widened == nil {
		s.widened = &device.PrefixSet{At: s.set.At, Name: s.set.Name, Entries: longer(s.set.Prefixes.Entries)}
	}
	return s.widened
}

func (v *view) communityTest(t *test) device.Expr {
	kind, sub, text := kinds[t.kind], "", t.text
	if kind == device.Extended {
		sub, text = t.text, t.sub
	}
	pattern, fits, why := communityPattern(kind, sub, text, v.numbers(), t.pos)
	switch {
	case why != "":
		return unknown(t.pos, t.kind+" "+text, why)
	case !fits:
		return &device.Const{At: device.At{Pos: t.pos}, Why: "an ASN of more than 16 bits does not fit a community"}
	}
	return &device.CommunityMatch{At: device.At{Pos: t.pos}, Kind: kind, Patterns: []device.CommunityPattern{pattern}}
}

// nextHopTest: routes of the router itself have no next hop yet.
func (v *view) nextHopTest(t *test) device.Expr {
	at := device.At{Pos: t.pos}
	a, err := netip.ParseAddr(t.text)
	if t.text == "neighbor" {
		if v.out || !v.s.Neighbor.IsValid() {
			return unknown(t.pos, "nexthop neighbor", "it is compared with the neighbor the route came from")
		}
		a, err = v.s.Neighbor, nil
	}
	if err != nil {
		return unknown(t.pos, "nexthop "+t.text, "not an address")
	}
	return &device.And{At: at, Xs: []device.Expr{
		&device.ProtocolMatch{At: at, Protocols: device.BGP},
		&device.NextHopMatch{At: at, In: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}},
	}}
}

// maxROAs is how many entries of a roa-set in the file itself are followed.
const maxROAs = 512

// ovs is the origin validation state (RFC 6811). A roa-set that stands in the
// file is looked into; data from elsewhere leaves the state open.
func (v *view) ovs(t *test) device.Expr {
	at := device.At{Pos: t.pos}
	state, ok := map[string]device.RPKI{"valid": device.RPKIValid, "invalid": device.RPKIInvalid, "not-found": device.RPKINotFound}[t.text]
	switch {
	case !ok:
		return unknown(t.pos, "ovs "+t.text, "no such state")
	case !v.p.rtr && !v.p.cfg.Incomplete && len(v.p.roas.roas) == 0:
		return &device.Const{At: at, Value: state == device.RPKINotFound, Why: "there is no roa-set: nothing is found"}
	case v.p.rtr || v.p.cfg.Incomplete || len(v.p.roas.roas) > maxROAs:
		return &device.RPKIMatch{At: at, States: []device.RPKI{state}}
	}
	valid, covered := v.valid(&v.p.roas, t.pos), v.covered(&v.p.roas, t.pos)
	// What the router announces itself may be looked up before the set is there:
	// bgpd 7.7 does it one way or the other.
	looked := &device.Or{At: at, Xs: []device.Expr{
		&device.ProtocolMatch{At: at, Protocols: device.BGP},
		unknown(t.pos, "ovs "+t.text, "whether bgpd validates what it announces itself depends on the order of its start"),
	}}
	switch state {
	case device.RPKIValid:
		return &device.And{At: at, Xs: []device.Expr{valid, looked}}
	case device.RPKIInvalid:
		return &device.And{At: at, Xs: []device.Expr{covered, device.Negate(valid), looked}}
	}
	return device.Negate(&device.And{At: at, Xs: []device.Expr{covered, looked}})
}

// covered: some entry holds the prefix, whatever its length.
func (v *view) covered(s *roaSet, pos device.Pos) device.Expr {
	set := &device.PrefixSet{At: device.At{Pos: pos}}
	for _, r := range s.roas {
		if r.net.Bits() == 0 {
			continue // the default route is left out of the lookup
		}
		set.Entries = append(set.Entries, device.PrefixEntry{Range: device.PrefixRange{Net: r.net, Min: r.net.Bits(), Max: r.net.Addr().BitLen()}})
	}
	return &device.PrefixMatch{At: set.At, Set: set}
}

// valid: an entry for the prefix, at this length, with the origin of the path.
func (v *view) valid(s *roaSet, pos device.Pos) device.Expr {
	byASN := map[uint32]*device.PrefixSet{}
	var asns []uint32
	for _, r := range s.roas {
		if r.net.Bits() == 0 {
			continue
		}
		set := byASN[r.asn]
		if set == nil {
			set = &device.PrefixSet{At: device.At{Pos: pos}}
			byASN[r.asn] = set
			asns = append(asns, r.asn)
		}
		set.Entries = append(set.Entries, device.PrefixEntry{Range: device.PrefixRange{Net: r.net, Min: r.net.Bits(), Max: r.maxLen}})
	}
	var xs []device.Expr
	for _, a := range asns {
		xs = append(xs, &device.And{Xs: []device.Expr{
			&device.PrefixMatch{At: device.At{Pos: pos}, Set: byASN[a]}, v.origin(a, pos),
		}})
	}
	return device.AnyOfExprs(pos, xs...)
}

// origin: a route without a path originates from this AS.
func (v *view) origin(a uint32, pos device.Pos) device.Expr {
	var x device.Expr = &device.ASPathMatch{At: device.At{Pos: pos}, Pattern: aspath.OriginIn(aspath.One(a))}
	if a == v.p.cfg.ASN {
		x = &device.Or{Xs: []device.Expr{x, &device.ASPathMatch{At: device.At{Pos: pos}, Pattern: aspath.Empty()}}}
	}
	return x
}

// asTest asks a part of the path. The nearest ASN of an empty path is our own;
// an empty path has no other part.
func (v *view) asTest(t *asTest) device.Expr {
	at := device.At{Pos: t.pos}
	set := t.set
	switch {
	case t.named != nil:
		t.named.set.Used++
		set = t.named.asns
	case t.neighbor && v.s.PeerAS == 0:
		return unknown(t.pos, "neighbor-as", "the neighbor's ASN is not known")
	case t.neighbor:
		set = aspath.One(v.s.PeerAS)
	case t.local:
		set = aspath.One(v.s.LocalAS)
	case t.set == nil:
		return unknown(t.pos, t.text, "the as-set is not defined")
	}
	if t.negate {
		set = set.Complement()
	}
	x := v.part(t.part, set, at)
	if t.named == nil {
		return x
	}
	if len(set) == 0 {
		x = &device.Const{At: at, Why: "an empty as-set matches nothing"}
	}
	return &device.Ref{At: at, Kind: device.ASSetKind, Name: t.named.set.Name, Set: t.named.set, X: x}
}

func (v *view) part(part asPart, set aspath.Set, at device.At) device.Expr {
	match := func(p *aspath.Pattern) device.Expr { return &device.ASPathMatch{At: at, Pattern: p} }
	switch part {
	case "peer-as":
		if set.Contains(v.p.cfg.ASN) {
			return &device.Or{At: at, Xs: []device.Expr{match(aspath.First(set)), match(aspath.Empty())}}
		}
		return match(aspath.First(set))
	case "source-as":
		return match(aspath.OriginIn(set))
	case "transit-as":
		return match(aspath.Transit(set))
	}
	return match(aspath.Contains(set))
}

// prefixTest joins prefixes: one of them has to match.
func prefixTest(specs []prefixSpec) device.Expr {
	if len(specs) == 0 {
		return nil
	}
	at := device.At{Pos: specs[0].pos}
	whole := func(s prefixSpec) bool {
		return s.net.Bits() == 0 && s.op == opRange && s.min == 0 && s.max == s.net.Addr().BitLen()
	}
	if len(specs) == 1 && whole(specs[0]) {
		return &device.FamilyMatch{At: at, Family: device.FamilyOf(specs[0].net)}
	}
	return &device.PrefixMatch{At: at, Set: &device.PrefixSet{At: at, Entries: slices.Clone(entries(specs))}}
}
