package wire

import (
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func TestFamilySet(t *testing.T) {
	evpn := Family{AFI: 25, SAFI: 70}
	ours, theirs := NewFamilySet(IPv6Unicast, IPv4Unicast), NewFamilySet(IPv6Unicast, evpn)
	if got := ours.List(); !slices.Equal(got, []Family{IPv4Unicast, IPv6Unicast}) {
		t.Errorf("list %v", got)
	}
	if got := ours.Intersect(theirs).List(); !slices.Equal(got, []Family{IPv6Unicast}) {
		t.Errorf("negotiated %v", got)
	}
	if theirs.Has(evpn) || theirs.Has(Family{}) || FamilySet(0).Has(IPv4Unicast) {
		t.Error("a family that cannot be carried is in a set")
	}
}

func TestFamilyNames(t *testing.T) {
	for _, f := range addressing.Families() {
		if got := FamilyOf(f); got.Unicast() != f || got.String() != f.String() {
			t.Errorf("%s on the wire is %s", f, got)
		}
	}
	if FamilyOf(0) != (Family{}) || (Family{AFI: 25, SAFI: 70}).Unicast() != 0 || (Family{AFI: 25, SAFI: 70}).String() != "25/70" {
		t.Error("a family that is not carried has a name")
	}
}
