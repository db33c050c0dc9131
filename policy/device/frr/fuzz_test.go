package frr_test

import (
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/device/frr"
)

// Whatever the text, reading ends in each language with a configuration in
// which every statement has a place and every session can be evaluated.
func FuzzParse(f *testing.F) {
	for _, d := range languages {
		for _, data := range corpus(f, d) {
			if len(data) < 4_000 {
				f.Add(data)
			}
		}
	}
	for _, s := range []string{
		"route-map A permit 10\n call B\nroute-map B permit 10\n call A\nrouter bgp 1\n neighbor 192.0.2.1 remote-as 2\n neighbor 192.0.2.1 route-map A out\n",
		"router bgp 1\nneighbor g peer-group\nneighbor g peer-group g\nneighbor 192.0.2.1 peer-group g\n",
		"router bgp 1\n  template peer a\n    inherit peer a\n  neighbor 192.0.2.0/24\n    inherit peer a\n    address-family ipv4 unicast\n",
		"ip prefix-list P seq 5 permit 10.0.0.0/8 ge 9 le 8\nip prefix-list P permit 0.0.0.0/0 ge\n",
		"access-list 1 permit 10.0.0.0 0.255.0.255\nip access-list extended X\n permit ip any host 255.0.0.0\n",
		"ip community-list expanded X permit (\nip as-path access-list X permit [\n",
		"banner motd ^C\nrouter bgp 1\n^C\nroute-map\nroute-map X\nset\nmatch\n", "no\nno no\nrouter bgp\n neighbor\n", "\"a b\n",
	} {
		f.Add([]byte(s))
	}
	r := device.Route{Prefix: netip.MustParsePrefix("192.0.2.0/24"), ASPath: []uint32{64500}, Source: device.Source{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("192.0.2.9")}}
	f.Fuzz(func(t *testing.T, data []byte) {
		frr.Recognise(data)
		for _, d := range languages {
			cfg, _ := frontend.Parse(d, device.Input{Path: "x", Data: data})
			for _, s := range cfg.Statements {
				if s.Pos.Line < 1 || s.Text == "" {
					t.Errorf("statement without place: %+v", s)
				}
			}
			for _, s := range cfg.Sessions {
				concrete.Session(s, concrete.Export, r)
				concrete.Session(s, concrete.Import, r)
			}
		}
	})
}
