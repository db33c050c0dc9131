package lint

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frr"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
)

// What a change lets out that stayed in before is said with a route (RL802); a
// change that means the same says nothing.
func TestWidened(t *testing.T) {
	const head = "frr version 8.4\nrouter bgp 64496\n neighbor 192.0.2.2 remote-as 64500\n neighbor 192.0.2.3 remote-as 64511\n address-family ipv4 unicast\n  neighbor 192.0.2.2 route-map IN in\n  neighbor 192.0.2.2 route-map OUT out\n  neighbor 192.0.2.3 route-map OUT out\n exit-address-family\n!\nroute-map IN permit 10\n!\n"
	const out = "route-map OUT permit 10\n match ip address prefix-list OWN\n!\n"
	base := head + "ip prefix-list OWN seq 5 permit 203.0.113.0/24\n" + out
	for _, c := range []struct {
		name, after string
		route       string
	}{
		{"another prefix", head + "ip prefix-list OWN seq 5 permit 203.0.113.0/24\nip prefix-list OWN seq 10 permit 192.0.2.0/24\n" + out, "192.0.2.0/24"},
		{"longer prefixes", head + "ip prefix-list OWN seq 5 permit 203.0.113.0/24 le 25\n" + out, "203.0.113.0/25"},
		{"the same in other words", head + "ip prefix-list OURS seq 5 permit 203.0.113.0/24\n" + strings.ReplaceAll(out, "OWN", "OURS"), ""},
		{"moved lines", head + "!\n!\nip prefix-list OWN seq 5 permit 203.0.113.0/24\n!\n" + out, ""},
		{"narrower", head + "ip prefix-list OWN seq 5 permit 203.0.113.0/24 ge 25 le 25\n" + out, "203.0.113.0/25"},
		{"nothing", head + "ip prefix-list OWN seq 5 deny any\n" + out, ""},
	} {
		parse := func(text string) []*device.Config {
			return []*device.Config{frr.Parse(device.Input{Path: "r.conf", Data: []byte(text)})}
		}
		d, err := Declare([]byte("prefixes: [203.0.113.0/24, 192.0.2.0/24]\nasns: [64496]\n"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range d.Compare(parse(base), parse(c.after)).Findings {
			if f.Rule == "RL802" {
				got = append(got, f.Message)
			}
		}
		switch {
		case c.route == "" && len(got) > 0:
			t.Errorf("%s: %q", c.name, got)
		case c.route != "" && (len(got) != 1 || !strings.Contains(got[0], c.route)):
			t.Errorf("%s: %q, want one with %s", c.name, got, c.route)
		}
	}
}

// A leak that a change brings is one finding: it stands for RL802 too.
func TestLeakIsWidening(t *testing.T) {
	res := None().Compare([]*device.Config{junos.Parse(input(t, "oracle/incident/before.conf"))}, []*device.Config{junos.Parse(device.Input{Path: "oracle/incident/before.conf", Data: input(t, "oracle/incident/after.conf").Data})})
	for _, f := range res.Findings {
		if f.Rule == "RL802" || f.Witness != nil && !slices.Contains(f.Also, "RL802") {
			t.Errorf("%s: %s", f.Rules(), f.Message)
		}
	}
}

// An empty AS path over iBGP is ours only where iBGP is trusted, or where there
// is no internal session that could have cleared it.
func TestEmptyPathOverIBGP(t *testing.T) {
	const head = "frr version 8.4\nbgp as-path access-list LOCAL permit ^$\nroute-map OUT permit 10\n match as-path LOCAL\nrouter bgp 64496\n neighbor 192.0.2.2 remote-as 64500\n neighbor 192.0.2.2 description peer\n"
	const tail = " address-family ipv4 unicast\n  neighbor 192.0.2.2 route-map OUT out\n exit-address-family\n"
	for _, c := range []struct {
		name, inside, declared string
		leaks                  bool
	}{
		{"untrusted", " neighbor 192.0.2.9 remote-as 64496\n", "", true},
		{"own-only", " neighbor 192.0.2.9 remote-as 64496\n", "ibgp: own-only\n", false},
		{"no internal session", "", "", false},
	} {
		d, err := Declare([]byte(c.declared))
		if err != nil {
			t.Fatal(err)
		}
		res := d.Check(frr.Parse(device.Input{Path: "r.conf", Data: []byte(head + c.inside + tail)}))
		got := slices.ContainsFunc(res.Findings, func(f Finding) bool { return f.Rule == "RL102" && strings.Contains(f.Fix, "own-only") })
		if got != c.leaks {
			t.Errorf("%s: RL102 %v, want %v", c.name, got, c.leaks)
		}
	}
}
