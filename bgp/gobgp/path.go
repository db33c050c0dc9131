package gobgp

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// defaultLocalPref is what GoBGP puts on an iBGP route without LOCAL_PREF.
const defaultLocalPref = 100

// member is one neighbor that a path goes out to.
type member struct {
	index   int // into Speaker.neighbors, not the tag's
	variant variant
	attrs   *snapshots.Attributes // as the neighbor sees them
}

// class is what paths with the same attributes and the same neighbors share.
type class struct {
	key     string
	family  addressing.Family
	members []member
	pattrs  []*anypb.Any
	paths   int // loaded with it
}

// member returns the entry of the neighbor, or nil.
func (c *class) member(index int) *member {
	if c == nil {
		return nil
	}
	for i := range c.members {
		if c.members[i].index == index {
			return &c.members[i]
		}
	}
	return nil
}

// classify finds one path that gives every member its attributes, and fills in
// the variants. It tries the attributes of the members in turn, as they are and
// without what the neighbor's configuration adds.
func classify(neighbors []Neighbor, members []member, f addressing.Family) (*class, error) {
	tried := 0
	var last *snapshots.Attributes
	for _, m := range members {
		if m.attrs == last {
			continue
		}
		if last = m.attrs; tried == maxTries {
			break
		}
		tried++
		for _, v := range []variant{plain, own} {
			p, ok := derive(neighbors[m.index], m.attrs, v)
			if ok && assignVariants(neighbors, members, p, f) {
				return newClass(neighbors, members, p, f), nil
			}
		}
	}
	return nil, fmt.Errorf("%w: neighbors %s want attributes that one path cannot carry; "+
		"give them the same ones or set the difference on the neighbor", bgp.ErrRoute, names(neighbors, members))
}

// maxTries bounds the search when every neighbor wants something else.
const maxTries = 8

func names(neighbors []Neighbor, members []member) string {
	var out []string
	for _, m := range members {
		out = append(out, neighbors[m.index].Name)
	}
	return fmt.Sprint(out)
}

func assignVariants(neighbors []Neighbor, members []member, p snapshots.Attributes, f addressing.Family) bool {
	for i, m := range members {
		n := neighbors[m.index]
		want := normal(n, *m.attrs)
		switch {
		case equal(want, predict(n, p, plain, f)):
			members[i].variant = plain
		case nextHop(n.Neighbor, f).IsValid() && equal(want, predict(n, p, own, f)):
			members[i].variant = own
		default:
			return false
		}
	}
	return true
}

// derive is the inverse of predict: the path that gives n the attributes a.
func derive(n Neighbor, a *snapshots.Attributes, v variant) (snapshots.Attributes, bool) {
	p := normal(n, *a)
	front := 0
	if !n.internal() {
		front = 1
	}
	if v == own {
		front += n.Prepend
	}
	for range front {
		if len(p.ASPath) == 0 || p.ASPath[0] != n.LocalASN {
			return p, false
		}
		p.ASPath = p.ASPath[1:]
	}
	if v == plain {
		return p, true
	}
	if n.MED != nil {
		p.MED = nil
	}
	if n.LocalPref != nil {
		p.LocalPref = nil
	}
	p.Communities = without(p.Communities, n.Standard)
	p.LargeCommunities = without(p.LargeCommunities, n.Large)
	return p, true
}

// predict is what n sees of path p: what GoBGP does at the edge of the AS
// (RFC 4271 sections 5.1.2 to 5.1.5) and what the export policy does.
func predict(n Neighbor, p snapshots.Attributes, v variant, f addressing.Family) snapshots.Attributes {
	front := 0
	if !n.internal() {
		front = 1
	}
	if v == own {
		front += n.Prepend
		p.NextHop = nextHop(n.Neighbor, f)
		p.MED = cmp.Or(n.MED, p.MED)
		p.LocalPref = cmp.Or(n.LocalPref, p.LocalPref)
		p.Communities = slices.Concat(p.Communities, n.Standard)
		p.LargeCommunities = slices.Concat(p.LargeCommunities, n.Large)
	}
	p.ASPath = append(slices.Repeat([]uint32{n.LocalASN}, front), p.ASPath...)
	return normal(n, p)
}

// normal brings attributes into the form in which equal means the same on the
// wire. The slices are copies.
func normal(n Neighbor, a snapshots.Attributes) snapshots.Attributes {
	a.ASPath = slices.Clone(a.ASPath)
	a.Communities = slices.Clone(a.Communities)
	slices.Sort(a.Communities)
	a.LargeCommunities = slices.Clone(a.LargeCommunities)
	slices.SortFunc(a.LargeCommunities, compareLarge)
	switch preference := uint32(defaultLocalPref); {
	case !n.internal():
		a.LocalPref = nil // RFC 4271 section 5.1.5
	case a.LocalPref == nil:
		a.LocalPref = &preference
	}
	return a
}

func compareLarge(x, y policy.LargeCommunity) int {
	return cmp.Or(cmp.Compare(x.Global, y.Global), cmp.Compare(x.Local1, y.Local1), cmp.Compare(x.Local2, y.Local2))
}

func equal(a, b snapshots.Attributes) bool {
	return a.NextHop == b.NextHop && sameNumber(a.MED, b.MED) && sameNumber(a.LocalPref, b.LocalPref) &&
		slices.Equal(a.ASPath, b.ASPath) && slices.Equal(a.Communities, b.Communities) &&
		slices.Equal(a.LargeCommunities, b.LargeCommunities)
}

func sameNumber(a, b *uint32) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func without[T comparable](from, drop []T) []T {
	return slices.DeleteFunc(from, func(c T) bool { return slices.Contains(drop, c) })
}

// newClass builds the attributes of the path, tags included.
func newClass(neighbors []Neighbor, members []member, p snapshots.Attributes, f addressing.Family) *class {
	c := &class{family: f, members: slices.Clone(members)}
	attrs := []proto.Message{
		&api.OriginAttribute{Origin: 0}, // IGP
		&api.AsPathAttribute{Segments: segments(p.ASPath)},
		&api.NextHopAttribute{NextHop: p.NextHop.String()},
	}
	if p.MED != nil {
		attrs = append(attrs, &api.MultiExitDiscAttribute{Med: *p.MED})
	}
	if p.LocalPref != nil {
		attrs = append(attrs, &api.LocalPrefAttribute{LocalPref: *p.LocalPref})
	}
	if len(p.Communities) > 0 {
		standard := make([]uint32, len(p.Communities))
		for i, s := range p.Communities {
			standard[i] = uint32(s)
		}
		attrs = append(attrs, &api.CommunitiesAttribute{Communities: standard})
	}
	large := &api.LargeCommunitiesAttribute{}
	for _, l := range slices.Concat(p.LargeCommunities, tags(neighbors, members, f)) {
		large.Communities = append(large.Communities, &api.LargeCommunity{GlobalAdmin: l.Global, LocalData1: l.Local1, LocalData2: l.Local2})
	}
	attrs = append(attrs, large)
	key := []byte{byte(f)}
	for _, a := range attrs {
		c.pattrs = append(c.pattrs, pack(a))
		value := c.pattrs[len(c.pattrs)-1].Value
		key = binary.AppendUvarint(key, uint64(len(value)))
		key = append(key, value...)
	}
	// Which attributes are there follows from the values but for MED and
	// LOCAL_PREF, which look alike.
	key = append(key, bit(p.MED != nil)|bit(p.LocalPref != nil)<<1)
	c.key = string(key)
	return c
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func segments(path []uint32) []*api.AsSegment {
	if len(path) == 0 {
		return nil
	}
	return []*api.AsSegment{{Type: api.AsSegment_AS_SEQUENCE, Numbers: path}}
}

// tags are one tag if every neighbor that carries the family gets the path in
// the same variant, else one for each: a million routes to everybody cost one
// comparison each, not one for each neighbor.
func tags(neighbors []Neighbor, members []member, f addressing.Family) []policy.LargeCommunity {
	carrying := 0
	for _, n := range neighbors {
		if n.Carries(f) {
			carrying++
		}
	}
	same := len(members) == carrying
	for _, m := range members {
		same = same && m.variant == members[0].variant
	}
	if same {
		return []policy.LargeCommunity{tag(everybody, members[0].variant)}
	}
	out := make([]policy.LargeCommunity, len(members))
	for i, m := range members {
		out[i] = tag(m.index+1, m.variant)
	}
	return out
}

// pack marshals a message that always can be.
func pack(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		return &anypb.Any{} // GoBGP refuses it; AddPath returns the error
	}
	return a
}

// path is the path of class c for prefix p.
func (c *class) path(p netip.Prefix) *api.Path {
	return &api.Path{
		Family: apiFamily(c.family),
		Nlri:   pack(&api.IPAddressPrefix{Prefix: p.Addr().String(), PrefixLen: uint32(p.Bits())}),
		Pattrs: c.pattrs,
	}
}
