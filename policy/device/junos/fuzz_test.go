package junos_test

import (
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
)

// Whatever the text, reading ends with a configuration in which every
// statement has a place and every session can be evaluated.
func FuzzParse(f *testing.F) {
	for _, data := range corpus(f) {
		if len(data) < 6_000 {
			f.Add(data)
		}
	}
	for _, s := range []string{
		"groups { g { protocols { bgp { group <*> { export P; } } } } } apply-groups g; protocols { bgp { group a { neighbor 192.0.2.1; } } }",
		"set policy-options policy-statement P term t from policy (P && !Q)\nset policy-options policy-statement Q from policy P",
		"policy-options { policy-statement P { term t { from { route-filter 10.0.0.0/8 upto /24 accept; } then { next policy; } } } }",
		"deactivate a\nrename a to b\ninsert a before b\ncopy a to b\nedit a b\nup\ntop set c",
		"protocols { bgp { group g { export ( A && !B ); neighbor 192.0.2.1; } } } {{ template }}",
		"a [ b { c ; \"d", "/* x", "{ { {", "} ; ]", "[;",
	} {
		f.Add([]byte(s))
	}
	r := device.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), ASPath: []uint32{64500}, Source: device.Source{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("192.0.2.9")}}
	f.Fuzz(func(t *testing.T, data []byte) {
		junos.Recognise("x", data)
		cfg := junos.Parse(device.Input{Path: "x", Data: data})
		for _, s := range cfg.Statements {
			if s.Pos.Line < 1 || s.Text == "" {
				t.Errorf("statement without place: %+v", s)
			}
		}
		for _, s := range cfg.Sessions {
			concrete.Session(s, concrete.Export, r)
			concrete.Session(s, concrete.Import, r)
		}
	})
}
