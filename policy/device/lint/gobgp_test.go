package lint

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/gobgp"
)

// gobgpWith is a router between AS64500 and AS64511 that rejects by default and
// accepts what one statement matches.
func gobgpWith(sets, conditions string) string {
	return `[global.config]
  as = 64496
  router-id = "192.0.2.1"
[global.apply-policy.config]
  export-policy-list = ["OUT"]
  default-export-policy = "reject-route"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.2"
    peer-as = 64500
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.3"
    peer-as = 64511
` + sets + `
[[policy-definitions]]
  name = "OUT"
  [[policy-definitions.statements]]
    name = "only"
` + conditions + `
    [policy-definitions.statements.actions]
      route-disposition = "accept-route"
`
}

// What emptied sets do in GoBGP, as measured on the daemon.
func TestGoBGPEmptiedSets(t *testing.T) {
	for _, c := range []struct {
		name, sets, conditions string
		leaks                  bool
	}{
		{"no condition", "", "", true},
		{"neighbor set any", "[[defined-sets.neighbor-sets]]\n  neighbor-set-name = \"S\"\n  neighbor-info-list = []\n", "[policy-definitions.statements.conditions.match-neighbor-set]\n  neighbor-set = \"S\"\n", true},
		{"next-hop list", "", "[policy-definitions.statements.conditions.bgp-conditions]\n  next-hop-in-list = []\n", true},
		{"as-path all", "[[defined-sets.bgp-defined-sets.as-path-sets]]\n  as-path-set-name = \"S\"\n  as-path-list = []\n", "[policy-definitions.statements.conditions.bgp-conditions.match-as-path-set]\n  as-path-set = \"S\"\n  match-set-options = \"all\"\n", true},
		{"community invert", "[[defined-sets.bgp-defined-sets.community-sets]]\n  community-set-name = \"S\"\n  community-list = []\n", "[policy-definitions.statements.conditions.bgp-conditions.match-community-set]\n  community-set = \"S\"\n  match-set-options = \"invert\"\n", true},
		{"prefix any", "[[defined-sets.prefix-sets]]\n  prefix-set-name = \"S\"\n", "[policy-definitions.statements.conditions.match-prefix-set]\n  prefix-set = \"S\"\n", false},
		{"prefix invert", "[[defined-sets.prefix-sets]]\n  prefix-set-name = \"S\"\n", "[policy-definitions.statements.conditions.match-prefix-set]\n  prefix-set = \"S\"\n  match-set-options = \"invert\"\n", false},
		{"community any", "[[defined-sets.bgp-defined-sets.community-sets]]\n  community-set-name = \"S\"\n  community-list = []\n", "[policy-definitions.statements.conditions.bgp-conditions.match-community-set]\n  community-set = \"S\"\n", false},
		{"own prefixes", "[[defined-sets.prefix-sets]]\n  prefix-set-name = \"OWN\"\n  [[defined-sets.prefix-sets.prefix-list]]\n    ip-prefix = \"198.51.100.0/24\"\n", "[policy-definitions.statements.conditions.match-prefix-set]\n  prefix-set = \"OWN\"\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := gobgp.Parse(device.Input{Path: "router.toml", Data: []byte(gobgpWith(c.sets, c.conditions))})
			res := None().Check(cfg)
			var leaks, errors []string
			for _, f := range res.Findings {
				text := fmt.Sprintf("%s %s: %s", f.Rules(), f.Pos, f.Message)
				if f.Witness != nil && !f.Undecided {
					leaks = append(leaks, f.Session)
					if f.Policy != "OUT" || f.Term != "only" {
						t.Errorf("the leak is laid to %s %s", f.Policy, f.Term)
					}
				}
				if f.Severity == device.Error {
					errors = append(errors, text)
				}
				t.Log(f.Severity, text)
			}
			want := []string{"192.0.2.2", "192.0.2.3"}
			if !c.leaks {
				want = nil
			}
			slices.Sort(leaks)
			if !slices.Equal(leaks, want) {
				t.Errorf("leaks on %v, want %v", leaks, want)
			}
			if !c.leaks && len(errors) > 0 {
				t.Errorf("errors on a safe configuration: %v", errors)
			}
		})
	}
}
