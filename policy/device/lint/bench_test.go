package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frr"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
)

// longList is a router whose export policy asks for a list of n prefixes.
func longList(n int) string {
	var b strings.Builder
	b.WriteString("frr version 8.4\nrouter bgp 64496\n neighbor 192.0.2.2 remote-as 64500\n neighbor 192.0.2.3 remote-as 64511\n address-family ipv4 unicast\n  neighbor 192.0.2.2 route-map OUT out\n  neighbor 192.0.2.3 route-map OUT out\n exit-address-family\n!\n")
	for i := range n {
		fmt.Fprintf(&b, "ip prefix-list OWN seq %d permit %d.%d.%d.0/24\n", i+1, 11+i>>16, i>>8&255, i*7&255)
	}
	b.WriteString("route-map OUT permit 10\n match ip address prefix-list OWN\n!\n")
	return b.String()
}

func BenchmarkPrefixList10000(b *testing.B) {
	text := []byte(longList(10_000))
	for b.Loop() {
		res := None().Check(frr.Parse(device.Input{Path: "r.conf", Data: text}))
		if res.Clean != 2 {
			b.Fatalf("%d clean of %d", res.Clean, res.Judged)
		}
	}
}

// manyPolicies is a Junos router with n external groups with a policy each.
func manyPolicies(n int) string {
	var b strings.Builder
	b.WriteString("policy-options {\n prefix-list OWN { 203.0.113.0/24; }\n")
	for i := range n {
		fmt.Fprintf(&b, " policy-statement OUT-%d { term own { from { protocol bgp; prefix-list OWN; } then { community add C; accept; } } term last { then reject; } }\n", i)
	}
	b.WriteString(" community C members 64496:1;\n}\nprotocols { bgp {\n")
	for i := range n {
		fmt.Fprintf(&b, " group PEER-%d { type external; peer-as %d; local-as 64496; export OUT-%d; neighbor 10.%d.%d.1; }\n", i, 65000+i, i, i>>8, i&255)
	}
	b.WriteString("} }\n")
	return b.String()
}

func BenchmarkSmallPolicies1000(b *testing.B) {
	text := []byte(manyPolicies(1000))
	for b.Loop() {
		res := None().Check(junos.Parse(device.Input{Path: "r.conf", Data: text}))
		if res.Judged != 1000 {
			b.Fatalf("%d clean of %d", res.Clean, res.Judged)
		}
	}
}

// Ten routers of production size, about 100,000 lines together, have to be
// judged in under 2 s and 250 MB, one in under 300 ms.
func BenchmarkRouters(b *testing.B) {
	for _, n := range []int{1, 10} {
		var texts [][]byte
		lines := 0
		for i := range n {
			texts = append(texts, []byte(routerText(i, 60, 100)))
			lines += strings.Count(string(texts[i]), "\n")
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				var cfgs []*device.Config
				for i, text := range texts {
					cfgs = append(cfgs, junos.Parse(device.Input{Path: fmt.Sprint("edge", i), Data: text}))
				}
				if res := None().Check(cfgs...); res.Clean != res.Judged || res.Judged != 30*n {
					b.Fatalf("%d clean of %d", res.Clean, res.Judged)
				}
			}
			b.ReportMetric(float64(lines), "lines/op")
		})
	}
}
