package guard

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// What is kept is the Adj-RIB-Out as UPDATEs, and nothing that never left.
func TestKeep(t *testing.T) {
	o := &offers{}
	o.newPass()
	tb := newTable(o)
	a := set(t, 7)
	next := &target{}
	for i := range 2000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		next.routes, next.sets = append(next.routes, snapshots.TargetRoute{Prefix: p}), append(next.sets, a)
		if i%2 == 0 {
			o.put(p, 0, wire.AttrSet{})
		}
	}
	tb.swap(next)
	tb.begin(wire.NewFamilySet(wire.IPv4Unicast), false)
	if _, _, err := tb.fill(nil, wire.Encoding{}); err != nil {
		t.Fatal(err)
	}
	n := &neighbor{Neighbor: Neighbor{Neighbor: policy.Neighbor{Name: "transit-a"}}, table: tb}
	dir := filepath.Join(t.TempDir(), "adj-rib-out")
	for range 2 { // the second one replaces the first
		if err := n.keep(dir); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "transit-a.bgp")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	s := wire.Session{Families: wire.NewFamilySet(wire.IPv4Unicast)}
	held := 0
	for len(raw) > 0 {
		length, _, refuse := wire.CheckHeader(raw)
		if refuse != nil {
			t.Fatal(refuse)
		}
		u := s.Classify(raw[wire.HeaderLen:length])
		attrs, err := u.Attributes(wire.IPv4Unicast)
		if err != nil || attrs.MED.Value != 7 {
			t.Fatalf("%v, MED %+v", err, attrs.MED)
		}
		for p := range u.Advertisements() {
			if o.told(p) == 0 {
				t.Errorf("%s never left", p)
			}
			held++
		}
		raw = raw[length:]
	}
	if held != 1000 {
		t.Errorf("%d routes kept, want 1000", held)
	}
}
