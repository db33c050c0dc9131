package lint

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
)

// A network of three routers in three languages that trusts its tags.
const (
	edgeJunos = `system { host-name edge1; }
routing-options { autonomous-system 64496; }
policy-options {
    community PEER members 64496:2;
    community TRANSIT members 64496:3;
    community OURS members 64496:*;
    policy-statement TRANSIT-IN { term all { then { community delete OURS; community add TRANSIT; accept; } } }
    policy-statement OUT { term learned { from community [ PEER TRANSIT ]; then reject; } term rest { then accept; } }
}
protocols { bgp {
    group TRANSIT { type external; peer-as 64500; import TRANSIT-IN; export OUT; neighbor 192.0.2.1; }
    group INSIDE { type internal; neighbor 192.0.2.101; neighbor 192.0.2.102; }
} }
`
	edgeFRR = `frr version 8.4
hostname edge2
bgp community-list standard LEARNED seq 5 permit 64496:2
bgp community-list standard LEARNED seq 10 permit 64496:3
bgp community-list expanded OURS seq 5 permit ^64496:
router bgp 64496
 neighbor 192.0.2.5 remote-as 64511
 neighbor 192.0.2.5 description peer
 neighbor 192.0.2.100 remote-as 64496
 neighbor 192.0.2.102 remote-as 64496
 address-family ipv4 unicast
  neighbor 192.0.2.5 route-map PEER-IN in
  neighbor 192.0.2.5 route-map OUT out
 exit-address-family
route-map PEER-IN permit 10
 set comm-list OURS delete
 set community 64496:2 additive
route-map OUT deny 10
 match community LEARNED
route-map OUT permit 20
`
	insideGoBGP = `[global.config]
  as = 64496
  router-id = "192.0.2.102"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.100"
    peer-as = 64496
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.101"
    peer-as = 64496
`
	tagsDeclared = "asns: [64496]\nibgp: tagged\ntags: {peer: [\"64496:2\"], provider: [\"64496:3\"]}\n"
)

func network(edits map[string][2]string) []*device.Config {
	var out []*device.Config
	for _, f := range []struct {
		name, text string
		dialect    device.Dialect
	}{{"edge1.conf", edgeJunos, device.Junos}, {"edge2.conf", edgeFRR, device.FRR}, {"inside.toml", insideGoBGP, device.GoBGP}} {
		if e, ok := edits[f.name]; ok {
			f.text = strings.Replace(f.text, e[0], e[1], 1)
		}
		cfg, _ := frontend.Parse(f.dialect, device.Input{Path: f.name, Data: []byte(f.text)})
		out = append(out, cfg)
	}
	return out
}

// The three invariants hold across files of different languages, and whichever
// part is taken away, its file and session are named and the whole is broken.
func TestTagsAcrossTheNetwork(t *testing.T) {
	const strip = "[global.apply-policy.config]\n  export-policy-list = [\"STRIP\"]\n[[policy-definitions]]\n  name = \"STRIP\"\n  [[policy-definitions.statements]]\n    name = \"s\"\n    [policy-definitions.statements.actions.bgp-actions.set-community]\n      options = \"replace\"\n      [policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]\n        communities-list = [\"64496:9\"]\n    [policy-definitions.statements.actions]\n      route-disposition = \"accept-route\"\n[[neighbors]]"
	for _, c := range []struct {
		name, file, old, new string
		rule                 string
	}{
		{"as it is", "", "", "", ""},
		{"an ingress does not tag", "edge1.conf", "community add TRANSIT; ", "", "RL502"},
		{"an FRR ingress does not tag", "edge2.conf", " set community 64496:2 additive\n", "", "RL502"},
		{"a session loses communities", "edge2.conf", "  neighbor 192.0.2.5 route-map PEER-IN in\n", "  no neighbor 192.0.2.100 send-community all\n  neighbor 192.0.2.5 route-map PEER-IN in\n", "RL507"},
		{"a reflector strips", "inside.toml", "[[neighbors]]", strip, "RL503"},
		{"an import strips", "edge1.conf", "group INSIDE { type internal;", "group INSIDE { type internal; import TRANSIT-IN;", "RL503"},
		{"an egress does not reject", "edge2.conf", "route-map OUT deny 10\n match community LEARNED\n", "", "RL501"},
		{"a reject comes late", "edge1.conf", "term learned { from community [ PEER TRANSIT ]; then reject; } term rest { then accept; }", "term rest { then accept; } term learned { from community [ PEER TRANSIT ]; then reject; }", "RL505"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Declare([]byte(tagsDeclared))
			if err != nil {
				t.Fatal(err)
			}
			res := d.Check(network(map[string][2]string{c.file: {c.old, c.new}})...)
			var got []string
			for _, f := range res.Findings {
				if slices.Contains(tagRules, f.Rule) && f.Pos.File == c.file {
					got = append(got, f.Rule)
				}
				if slices.Contains(tagRules, f.Rule) && f.Pos.File != c.file {
					t.Errorf("%s %s: %s", f.Rule, f.Pos, f.Message)
				}
			}
			broken := slices.ContainsFunc(res.Findings, func(f Finding) bool { return f.Rule == "RL508" })
			if c.rule == "" {
				if !res.Tags.Holds() || broken || res.Clean != 2 {
					t.Errorf("%+v, %d clean of %d: %v", res.Tags, res.Clean, res.Judged, res.Findings)
				}
				return
			}
			if !slices.Contains(got, c.rule) || !broken || res.Tags.Holds() {
				t.Errorf("%v and %+v, want %s", got, res.Tags, c.rule)
			}
		})
	}
}

// A change of one file is judged without the others, and finds the same.
func TestOneChangedFile(t *testing.T) {
	d, err := Declare([]byte(tagsDeclared))
	if err != nil {
		t.Fatal(err)
	}
	was, now := network(nil), network(map[string][2]string{"edge2.conf": {" set community 64496:2 additive\n", ""}})
	all := d.Compare(was, now)
	one := d.CompareAmong(was[1:2], now[1:2], []*device.Config{now[0], now[2]})
	keys := func(r *Result) (out []string) {
		for _, f := range r.Findings {
			out = append(out, f.Rule+" "+f.Session)
		}
		return out
	}
	if one.Judged != 1 || all.Judged != 2 {
		t.Errorf("%d and %d sessions judged, want 1 and 2", one.Judged, all.Judged)
	}
	if a, b := keys(all), keys(one); !slices.Equal(a, b) || !slices.Contains(b, "RL502 192.0.2.5") {
		t.Errorf("alone %v, among all %v", b, a)
	}
}

// A router whose sessions have no role weakens the others, also when only one of
// them changed (RL604).
func TestAcrossUntouchedFiles(t *testing.T) {
	parse := func(name, role string) *device.Config {
		text := "frr version 8.4\nhostname " + name + "\nrouter bgp 64496\n neighbor 192.0.2.5 remote-as 64511\n neighbor 192.0.2.5 description peer\n" + role
		cfg, _ := frontend.Parse(device.FRR, device.Input{Path: name, Data: []byte(text)})
		return cfg
	}
	const role = " neighbor 192.0.2.5 local-role peer\n"
	res := None().CompareAmong([]*device.Config{parse("a", role)}, []*device.Config{parse("a", "")}, []*device.Config{parse("b", role)})
	if !slices.ContainsFunc(res.Findings, func(f Finding) bool { return f.Rule == "RL604" && f.Host == "a" }) {
		t.Errorf("no RL604: %+v", res.Findings)
	}
}
