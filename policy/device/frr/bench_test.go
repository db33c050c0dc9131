package frr_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frr"
)

// production writes a router of about 10,000 lines: 250 neighbors with route
// maps and prefix lists of their own.
func production() []byte {
	var b bytes.Buffer
	b.WriteString("frr defaults traditional\nbgp community-list standard PEER permit 64496:200\nbgp as-path access-list PRIVATE permit _6451[2-9]_\n")
	const n = 250
	for i := range n {
		for j := range 30 {
			fmt.Fprintf(&b, "ip prefix-list CUSTOMER-%d permit 10.%d.%d.0/24\n", i, i, j)
		}
		fmt.Fprintf(&b, "route-map OUT-%d deny 10\n match community PEER\nroute-map OUT-%d deny 20\n match as-path PRIVATE\nroute-map OUT-%d permit 30\n match ip address prefix-list CUSTOMER-%d\n set community 64496:1 additive\n", i, i, i, i)
	}
	b.WriteString("router bgp 64496\n")
	for i := range n {
		fmt.Fprintf(&b, " neighbor 192.0.2.%d remote-as %d\n neighbor 192.0.2.%d route-map OUT-%d out\n", i+1, 64600+i, i+1, i)
	}
	return b.Bytes()
}

// One router of production size has to be read in under 300 ms, ten of them in
// under 2 s together with everything else.
func BenchmarkParse(b *testing.B) {
	data := production()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cfg := frr.Parse(device.Input{Path: "router.conf", Data: data})
		if len(cfg.Sessions) != 250 || len(cfg.Diagnostics) != 0 {
			b.Fatalf("%d sessions, %v", len(cfg.Sessions), cfg.Diagnostics)
		}
	}
	b.ReportMetric(float64(bytes.Count(data, []byte{'\n'})), "lines/op")
}

func BenchmarkPrefixList(b *testing.B) {
	var text bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&text, "ipv6 prefix-list P permit 2001:db8:%x::/48\n", i)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		frr.Parse(device.Input{Path: "p", Data: text.Bytes()})
	}
}
