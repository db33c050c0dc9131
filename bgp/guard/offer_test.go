package guard

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Offers are a set of prefixes, whatever the family and length, and an engine
// that tells its table again loses only what it does not tell.
func TestOffersAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, model := &offers{}, map[netip.Prefix]bool{}
		o.newPass()
		draw := func(t *rapid.T) netip.Prefix {
			if rapid.Bool().Draw(t, "six") {
				a := [16]byte{0x20, 1, 15: byte(rapid.IntRange(0, 3).Draw(t, "low"))}
				return netip.PrefixFrom(netip.AddrFrom16(a), rapid.IntRange(126, 128).Draw(t, "bits")).Masked()
			}
			a := [4]byte{byte(rapid.IntRange(0, 255).Draw(t, "high")), 0, 0, byte(rapid.IntRange(0, 3).Draw(t, "low"))}
			return netip.PrefixFrom(netip.AddrFrom4(a), rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				p := draw(t)
				if news := o.put(p, 0, wire.AttrSet{}); news == model[p] {
					t.Fatalf("%s: news %v", p, news)
				}
				model[p] = true
			},
			"drop": func(t *rapid.T) {
				p := draw(t)
				if news := o.drop(p); news != model[p] {
					t.Fatalf("%s: news %v", p, news)
				}
				delete(model, p)
			},
			"again": func(t *rapid.T) {
				f := rapid.SampledFrom([]addressing.Family{addressing.IPv4, addressing.IPv6}).Draw(t, "family")
				o.newPass()
				want := 0
				for p := range model {
					if addressing.FamilyOf(p) != f || rapid.Bool().Draw(t, "told") {
						o.put(p, 0, wire.AttrSet{})
					} else {
						delete(model, p)
						want++
					}
				}
				if gone := o.endPass(f); len(gone) != want {
					t.Fatalf("%d gone, want %d", len(gone), want)
				}
			},
			"": func(t *rapid.T) {
				n := 0
				for p := range o.all {
					if n++; !model[p] || !o.has(p, nil) {
						t.Fatalf("%s is offered", p)
					}
				}
				if n != len(model) || o.count[0]+o.count[1] != n {
					t.Fatalf("%d offered, counted %v, want %d", n, o.count, len(model))
				}
			},
		})
	})
}

// A path that ends in another AS is for the neighbors whose Target names that
// AS, and for no other neighbor of the same leg.
func TestForeignOriginIsForThoseWhoseTargetNamesIt(t *testing.T) {
	n := &Neighbor{Neighbor: policy.Neighbor{Kind: policy.EBGP, ASN: 64510, LocalASN: 64500, Role: policy.RoleCustomer}}
	p, q := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")
	hop := netip.MustParseAddr("192.0.2.1")
	compiled := func(path ...uint32) *target {
		c, err := compile(n, bgp.Order{}, []snapshots.TargetRoute{{Prefix: p, Attrs: &snapshots.Attributes{ASPath: path, NextHop: hop}}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	o := &offers{}
	o.newPass()
	if !o.put(p, 64999, wire.AttrSet{}) || o.put(p, 64999, wire.AttrSet{}) {
		t.Error("told again is news, or the first time is not")
	}
	if o.has(p, compiled(64500)) || o.has(p, nil) {
		t.Error("offered to a neighbor to which that AS has delegated nothing")
	}
	if !o.has(p, compiled(64500, 64999)) {
		t.Error("not offered to the neighbor whose Target names the AS")
	}
	if !o.put(p, 0, wire.AttrSet{}) || !o.has(p, nil) {
		t.Error("the path is ours now, and that is no news")
	}
	if o.has(q, compiled(64500, 64999)) {
		t.Error("offered and never told")
	}
}
