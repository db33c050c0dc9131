package rpki

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPublish(t *testing.T) {
	n := Network{
		ASNs: []uint32{64500}, Providers: []uint32{174, 3356, 174},
		Routes: []VRP{vrp("2001:db8::/32", 32, 64500), vrp("192.0.2.0/24", 24, 64511), vrp("192.0.2.0/24", 24, 64511)},
	}
	want := Objects{
		ASPAs: []ASPA{{Customer: 64500, Providers: []uint32{174, 3356}}},
		ROAs:  []VRP{vrp("192.0.2.0/24", 24, 64511), vrp("2001:db8::/32", 32, 64500)},
	}
	ignore := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff(want, n.Publish(), ignore); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// That a network has no provider is for a person to say.
	n.Providers = nil
	if got := n.Publish(); got.ASPAs != nil {
		t.Errorf("%v", got.ASPAs)
	}
}

func TestCompareOwn(t *testing.T) {
	n := Network{ASNs: []uint32{64500}, Providers: []uint32{174, 3356}, Routes: []VRP{vrp("192.0.2.0/24", 24, 64500), vrp("198.51.100.0/24", 24, 64500)}}
	fine := Payload{VRPs: n.Routes, ASPAs: []ASPA{{64500, []uint32{174, 3356}}}}
	with := func(aspas []ASPA, vrps ...VRP) Payload { return Payload{VRPs: vrps, ASPAs: aspas} }
	for _, tt := range []struct {
		name string
		have Payload
		want []string
	}{
		{"all there", fine, nil},
		{"no ASPA", with(nil, n.Routes...), []string{RuleASPAMissing}},
		{"a provider is missing", with([]ASPA{{64500, []uint32{174}}}, n.Routes...), []string{RuleASPAMissing}},
		{"one too many", with([]ASPA{{64500, []uint32{174, 3356, 1299}}}, n.Routes...), []string{RuleASPAInconsistent}},
		{"AS 0", with([]ASPA{{64500, []uint32{0}}}, n.Routes...), []string{RuleASPAMissing, RuleASPAMissing, RuleASPAInconsistent}},
		{"a ROA is missing", with(fine.ASPAs, n.Routes[0]), []string{RuleROAMissing}},
		{"another's ROA", with(fine.ASPAs, n.Routes[0], vrp("198.51.100.0/24", 24, 64511)), []string{RuleROAContradicts}},
		{"a ROA that is too short", with(fine.ASPAs, n.Routes[0], vrp("198.51.100.0/23", 23, 64500)), []string{RuleROAContradicts, RuleROAUnused}},
		{"a ROA for nothing", with(fine.ASPAs, append([]VRP{vrp("203.0.113.0/24", 24, 64500)}, n.Routes...)...), []string{RuleROAUnused}},
		{"a ROA that allows more", with(fine.ASPAs, n.Routes[0], vrp("198.51.100.0/24", 26, 64500)), []string{RuleROAUnused}},
		{"what others do", with(append([]ASPA{{1, []uint32{2}}}, fine.ASPAs...), append([]VRP{vrp("203.0.113.0/24", 26, 64511)}, n.Routes...)...), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := n.Compare(tt.have)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range found {
				got = append(got, d.Rule)
				if d.Statement == "" || d.Fix == "" {
					t.Errorf("%+v", d)
				}
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if _, err := n.Compare(Payload{}); err == nil {
		t.Error("an empty payload was compared")
	}
}
