package lint

import (
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

func TestAgainstASPA(t *testing.T) {
	const router = `frr version 8.4
router bgp 64500
 neighbor 192.0.2.1 remote-as 174
 neighbor 192.0.2.2 remote-as 3356
 neighbor 192.0.2.3 remote-as 64511
`
	for _, tt := range []struct {
		name  string
		aspas []rpki.ASPA
		want  []string
	}{
		{"not asked", nil, nil},
		{"all there", []rpki.ASPA{{Customer: 64500, Providers: []uint32{174, 3356}}}, nil},
		{"one is missing", []rpki.ASPA{{Customer: 64500, Providers: []uint32{174}}}, []string{"RL607"}},
		{"one too many", []rpki.ASPA{{Customer: 64500, Providers: []uint32{174, 1299, 3356}}}, []string{"RL608"}},
		{"none", []rpki.ASPA{{Customer: 1, Providers: []uint32{2}}}, []string{"RL607"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Declare([]byte("version: 1\nroles:\n  - {role: provider, asns: [174, 3356]}\n  - {role: customer, asns: [64511]}\n"))
			if err != nil {
				t.Fatal(err)
			}
			if tt.aspas != nil {
				set, err := rpki.NewASPAs(tt.aspas)
				if err != nil {
					t.Fatal(err)
				}
				d.Against(set)
			}
			cfg, ok := frontend.Parse(device.FRR, device.Input{Path: "frr.conf", Data: []byte(router)})
			if !ok {
				t.Fatal("not read")
			}
			var got []string
			for _, f := range d.Check(cfg).Findings {
				if f.Rule == "RL607" || f.Rule == "RL608" {
					got = append(got, f.Rule)
					if f.Fingerprint == "" || f.Fix == "" || f.Pos.Line == 0 {
						t.Errorf("%+v", f)
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
