package main

import (
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Neighbors that wait for their wave are spoken with as before, those that go
// too, unless somebody else has their address now.
func TestMixedNeighbors(t *testing.T) {
	neighbor := func(name string, port uint16, host byte, asn uint32) config.Neighbor {
		return config.Neighbor{Neighbor: policy.Neighbor{Name: name, Address: netip.AddrFrom4([4]byte{192, 0, 2, host}), ASN: asn}, Port: port}
	}
	spoken := map[string]config.Neighbor{}
	keep := map[string]policy.Neighbor{}
	for _, n := range []config.Neighbor{neighbor("changed", 1, 1, 64501), neighbor("goes", 1, 2, 64502), neighbor("replaced", 1, 3, 64503), neighbor("released", 1, 4, 64504)} {
		spoken[n.Name] = n
		if n.Name != "released" {
			keep[n.Name] = n.Neighbor
		}
	}
	keep["unknown"] = policy.Neighbor{Name: "unknown"}
	got := mixed([]config.Neighbor{neighbor("changed", 2, 1, 64999), neighbor("heir", 2, 3, 64503), neighbor("released", 2, 4, 64999), neighbor("new", 2, 5, 64505)}, spoken, keep)
	want := map[string]struct {
		port uint16
		asn  uint32
	}{"changed": {1, 64501}, "goes": {1, 64502}, "heir": {2, 64503}, "released": {2, 64999}, "new": {2, 64505}}
	for _, n := range got {
		if w, is := want[n.Name]; !is || n.Port != w.port || n.ASN != w.asn {
			t.Errorf("%s: port %d, AS %d, want %+v", n.Name, n.Port, n.ASN, w)
		}
		delete(want, n.Name)
	}
	if len(want) > 0 {
		t.Errorf("left out: %v", want)
	}
}
