package junos_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
)

// production writes a router of about 10,000 lines: 125 neighbors with
// policies, prefix lists and interfaces of their own, and settings from groups.
func production() []byte {
	var b bytes.Buffer
	b.WriteString("groups {\n    EDGE {\n        protocols {\n            bgp {\n                group <*> {\n                    log-updown;\n                    family inet {\n                        unicast {\n                            prefix-limit {\n                                maximum 1000;\n                            }\n                        }\n                    }\n                }\n            }\n        }\n    }\n}\napply-groups EDGE;\nrouting-options {\n    autonomous-system 64496;\n}\ninterfaces {\n")
	const n = 125
	for i := range n {
		fmt.Fprintf(&b, "    xe-0/0/%d {\n        description \"customer %d\";\n        unit 0 {\n            family inet {\n                address 10.%d.0.1/30;\n            }\n        }\n    }\n", i, i, i)
	}
	b.WriteString("}\npolicy-options {\n    community PEER members 64496:200;\n    community OWN members 64496:100;\n    as-path PRIVATE \".* [64512-65534] .*\";\n")
	for i := range n {
		fmt.Fprintf(&b, "    prefix-list CUSTOMER-%d {\n", i)
		for j := range 30 {
			fmt.Fprintf(&b, "        10.%d.%d.0/24;\n", i, j)
		}
		b.WriteString("    }\n")
	}
	for i := range n {
		fmt.Fprintf(&b, "    policy-statement OUT-%d {\n        term leak {\n            from community PEER;\n            then reject;\n        }\n        term private {\n            from as-path PRIVATE;\n            then reject;\n        }\n        term own {\n            from {\n                protocol [ static aggregate bgp ];\n                prefix-list-filter CUSTOMER-%d orlonger;\n                route-filter 192.0.2.0/24 orlonger;\n            }\n            then {\n                community add OWN;\n                accept;\n            }\n        }\n        term last {\n            then reject;\n        }\n    }\n", i, i)
	}
	b.WriteString("}\nprotocols {\n    bgp {\n")
	for i := range n {
		fmt.Fprintf(&b, "        group G%d {\n            type external;\n            peer-as %d;\n            export OUT-%d;\n            neighbor 192.0.2.%d {\n                description \"neighbor %d\";\n                hold-time 90;\n            }\n        }\n", i, 64600+i, i, i+1, i)
	}
	b.WriteString("    }\n}\n")
	return b.Bytes()
}

// One router of production size has to be read in under 300 ms, ten of them in
// under 2 s together with everything else.
func BenchmarkParse(b *testing.B) {
	data := production()
	lines := bytes.Count(data, []byte{'\n'})
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cfg := junos.Parse(device.Input{Path: "router.conf", Data: data})
		if len(cfg.Sessions) != 125 || len(cfg.Diagnostics) != 0 {
			b.Fatalf("%d sessions, %v", len(cfg.Sessions), cfg.Diagnostics)
		}
	}
	b.ReportMetric(float64(lines), "lines/op")
}

// What ten routers hold in memory at once.
func BenchmarkParseTen(b *testing.B) {
	data := production()
	for b.Loop() {
		var held []*device.Config
		for range 10 {
			held = append(held, junos.Parse(device.Input{Path: "router.conf", Data: data}))
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-heap")
		b.ReportMetric(float64(m.Sys)/1e6, "MB-sys")
		runtime.KeepAlive(held)
	}
}

func BenchmarkPrefixList(b *testing.B) {
	var text bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&text, "set policy-options prefix-list P 2001:db8:%x::/48\n", i)
	}
	text.WriteString("set policy-options policy-statement X from prefix-list-filter P orlonger\nset policy-options policy-statement X then accept\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "set policy-options policy-statement Y from route-filter 10.%d.%d.0/24 upto /26\n", i/256, i%256)
	}
	text.WriteString("set policy-options policy-statement Y then accept\n")
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		junos.Parse(device.Input{Path: "p", Data: text.Bytes()})
	}
}
