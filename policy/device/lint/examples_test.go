package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/change"
)

// roles of the neighbors the examples stand between.
const exampleRoles = `asns: [64496]
roles:
  - {role: provider, asns: [64500]}
  - {role: peer, asns: [64511]}
  - {role: customer, asns: [64520]}
`

const exampleTags = `tags: {peer: ["64496:2"], provider: ["64496:3"], customer: ["64496:4"], own: ["64496:1"]}
`

// withoutExamples are rules about more than one configuration (RL604), about
// our objects in the RPKI and observed paths, about other languages, and about leaklint itself.
var withoutExamples = regexp.MustCompile(`^(RL604|RL607|RL608|RL609|RL610|RL611|RL7\d\d|RL807|RL903|RL904)$`)

// Every bad example gives its rule and no good one does; each stands in a
// router with a provider, a peer, a customer and an internal neighbor.
func TestExamples(t *testing.T) {
	languages := []device.Dialect{device.Junos, device.FRR, device.IOS, device.EOS, device.NXOS, device.GoBGP, device.OpenBGPD, device.BIRD}
	for _, r := range Rules() {
		good, bad := 0, 0
		for i, e := range r.Examples {
			if !slices.Contains(languages, e.Dialect) {
				continue
			}
			name := fmt.Sprintf("%s/%d %s good=%v", r.ID, i, e.Dialect, e.Good)
			t.Run(name, func(t *testing.T) {
				res := judgeExample(t, r.ID, e)
				got := slices.ContainsFunc(res.Findings, func(f Finding) bool {
					named := r.ID != "RL305" || strings.Contains(e.Text, f.Set) // the router around it has lists of its own
					return named && (f.Rule == r.ID || slices.Contains(f.Also, r.ID))
				})
				if got == e.Good {
					for _, f := range res.Findings {
						t.Logf("%s %s: %s", f.Rules(), f.Pos, f.Message)
					}
					t.Errorf("%s: found %v", r.ID, got)
				}
			})
			if e.Good {
				good++
			} else {
				bad++
			}
		}
		if (good == 0 || bad == 0) != withoutExamples.MatchString(r.ID) {
			t.Errorf("%s has %d bad and %d good examples", r.ID, bad, good)
		}
	}
}

func judgeExample(t *testing.T, rule string, e Example) *Result {
	t.Helper()
	declaration := exampleRoles
	if strings.HasPrefix(rule, "RL50") && rule != "RL506" {
		declaration += exampleTags
	}
	if rule == "RL508" {
		declaration += "ibgp: tagged\n"
	}
	d, err := Declare([]byte(declaration))
	if err != nil {
		t.Fatal(err)
	}
	if e.Dialect == device.Junos && strings.HasPrefix(rule, "RL8") {
		base := device.Input{Path: "router", Data: []byte(junosAround("policy-statement OUT { term own { from { prefix-list OWN; } then accept; } term last { then reject; } }"))}
		after, err := change.Apply(base, device.Input{Path: "change", Data: []byte(e.Text)})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := frontend.Parse(device.Junos, base)
		return d.Compare([]*device.Config{before}, []*device.Config{after.Config})
	}
	text := around(e)
	cfg, ok := frontend.Parse(e.Dialect, device.Input{Path: "router", Data: []byte(text)})
	if !ok {
		t.Fatalf("no front end for %s", e.Dialect)
	}
	for _, diag := range cfg.Diagnostics {
		if diag.Rule == "RL902" && rule != "RL902" && rule != "RL207" {
			t.Errorf("the example cannot be read: %s %s\n%s", diag.Pos, diag.Message, text)
		}
	}
	return d.Check(cfg)
}

// around is the router an example stands in.
func around(e Example) string {
	switch e.Dialect {
	case device.Junos:
		return junosAround(e.Text)
	case device.GoBGP:
		return gobgpAround(e.Text)
	case device.OpenBGPD:
		return bgpdAround(e.Text)
	case device.BIRD:
		return birdAround(e.Text)
	}
	return iosAround(e.Dialect, e.Text)
}

var junosSets = []string{
	"prefix-list OWN { 203.0.113.0/24; }", "community LEARNED-PEER members 64496:2;", "community LEARNED-TRANSIT members 64496:3;",
	"community OWN-ROUTE members 64496:1;", "community FROM-CUSTOMER members 64496:4;",
	"policy-statement OUT { term own { from { prefix-list OWN; } then accept; } term last { then reject; } }",
	"policy-statement IN { term all { from protocol bgp; then { community set LEARNED-PEER; accept; } } }",
	"policy-statement CUSTOMER-IN { term cone { from { route-filter 198.51.100.0/24 exact; } then accept; } term last { then reject; } }",
	"policy-statement STRIP { term all { from protocol bgp; then { community delete LEARNED-PEER; accept; } } }",
}

const junosGroups = `group TRANSIT { type external; peer-as 64500; import IN; export OUT; neighbor 192.0.2.1; }
group PEERS { type external; peer-as 64511; import IN; export OUT; neighbor 192.0.2.5; }
group CUSTOMERS { type external; peer-as 64520; import CUSTOMER-IN; export OUT; neighbor 192.0.2.9; }
group INSIDE { type internal; family inet { unicast { prefix-limit { maximum 2000000; } } } neighbor 192.0.2.101; }
`

func junosAround(text string) string {
	first := strings.Fields(text)[0]
	groups, options, top := junosGroups, "", ""
	switch first {
	case "term", "inactive:":
		options = "policy-statement OUT {\n" + text + "}\n"
	case "group":
		groups = text
	case "policy-options", "protocols", "groups":
		top = text
	default:
		options = text
	}
	for _, s := range junosSets {
		f := strings.Fields(s)
		if !strings.Contains(options, f[0]+" "+f[1]+" ") {
			options += s + "\n"
		}
	}
	return "routing-options { autonomous-system 64496; }\nprotocols { bgp {\n" + groups + "} }\npolicy-options {\n" + options + "}\n" + top
}

func iosAround(d device.Dialect, text string) string {
	out := text
	if d == device.FRR {
		out = "frr version 8.4\n" + out
	}
	community, path := "ip community-list standard", "ip as-path access-list 9"
	if d == device.FRR {
		community, path = "bgp community-list standard", "bgp as-path access-list LOCAL9"
	}
	for name, line := range map[string]string{
		"prefix-list OWN ": "ip prefix-list OWN seq 5 permit 203.0.113.0/24", " LEARNED ": community + " LEARNED permit 64496:2\n" + community + " LEARNED permit 64496:3",
		" FOREIGN ": community + " FOREIGN permit 64496:5", "access-list 9 ": path + " permit ^$",
		"route-map IN ": "route-map IN permit 10\n match ip address prefix-list ANY\n set community 64496:2\n!\nip prefix-list ANY seq 5 permit 0.0.0.0/0 ge 8 le 24", "route-map OUT ": "route-map OUT permit 10\n match ip address prefix-list OWN",
		"route-map CUSTOMER-IN ": "route-map CUSTOMER-IN deny 10",
	} {
		if !strings.Contains(text, name+"permit") && !strings.Contains(text, name+"deny") && !strings.Contains(text, name+"seq") {
			out += "\n!\n" + line
		}
	}
	if !strings.Contains(text, "router bgp") {
		out += "\n!\nrouter bgp 64496\n"
		switch d {
		case device.NXOS:
			out += "  neighbor 192.0.2.1 remote-as 64500\n    address-family ipv4 unicast\n      route-map IN in\n      route-map OUT out\n"
		default:
			out += ` neighbor 192.0.2.1 remote-as 64500
 neighbor 192.0.2.5 remote-as 64511
 neighbor 192.0.2.9 remote-as 64520
 neighbor 192.0.2.101 remote-as 64496
 address-family ipv4 unicast
  neighbor 192.0.2.1 route-map IN in
  neighbor 192.0.2.1 route-map OUT out
  neighbor 192.0.2.5 route-map IN in
  neighbor 192.0.2.5 route-map OUT out
  neighbor 192.0.2.9 route-map CUSTOMER-IN in
  neighbor 192.0.2.9 route-map OUT out
 exit-address-family
`
		}
	}
	return out
}

func gobgpAround(text string) string {
	head, tail := "", ""
	if !strings.Contains(text, "[global") && !strings.Contains(text, "[[policy-definitions]\n") {
		head = `[global.config]
  as = 64496
  router-id = "192.0.2.100"
[global.apply-policy.config]
  export-policy-list = ["OUT"]
  default-export-policy = "reject-route"
`
		for addr, asn := range map[string]int{"192.0.2.1": 64500, "192.0.2.5": 64511, "192.0.2.9": 64520, "192.0.2.101": 64496} {
			head += fmt.Sprintf("[[neighbors]]\n  [neighbors.config]\n    neighbor-address = %q\n    peer-as = %d\n", addr, asn)
		}
	}
	tail = `[[defined-sets.prefix-sets]]
  prefix-set-name = "OWN"
  [[defined-sets.prefix-sets.prefix-list]]
    ip-prefix = "203.0.113.0/24"
[[defined-sets.bgp-defined-sets.community-sets]]
  community-set-name = "LEARNED"
  community-list = ["64496:2", "64496:3"]
`
	if strings.HasPrefix(strings.TrimSpace(text), "[[policy-definitions.statements]]") {
		text = "[[policy-definitions]]\n  name = \"OUT\"\n" + text
	}
	if !strings.Contains(text, "policy-definitions") && head != "" {
		tail += "[[policy-definitions]]\n  name = \"OUT\"\n"
	}
	return head + tail + text
}

func bgpdAround(text string) string {
	out := "AS 64496\nprefix-set OWN { 203.0.113.0/24 }\n"
	for addr, asn := range map[string]int{"192.0.2.1": 64500, "192.0.2.5": 64511, "192.0.2.9": 64520, "192.0.2.101": 64496} {
		out += fmt.Sprintf("neighbor %s {\n\tremote-as %d\n}\n", addr, asn)
	}
	return out + "allow from any\n" + text
}

func birdAround(text string) string {
	out := "define US = 64496;\ndefine OWN = [ 203.0.113.0/24 ];\ndefine NONE = [];\nprotocol device {}\n"
	body := text
	if strings.HasPrefix(text, "protocol") {
		body = "if net ~ OWN then accept;\n"
	}
	out += "filter OUT {\n" + body + "}\n"
	if strings.HasPrefix(text, "protocol") {
		return out + text
	}
	for name, n := range map[string][2]any{"transit": {"192.0.2.1", 64500}, "peer": {"192.0.2.5", 64511}, "customer": {"192.0.2.9", 64520}, "inside": {"192.0.2.101", 64496}} {
		out += fmt.Sprintf("protocol bgp %s { local as US; neighbor %v as %v; ipv4 { import all; export filter OUT; }; }\n", name, n[0], n[1])
	}
	return out
}
