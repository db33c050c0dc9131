package openbgpd_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/openbgpd"
)

// production writes a router with 200 neighbors, a prefix set of 10,000 entries
// and rules for each neighbor.
func production() []byte {
	var b bytes.Buffer
	b.WriteString("AS 64496\nprefix-set cone {\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "\t10.%d.%d.0/24 or-longer\n", i/256, i%256)
	}
	b.WriteString("}\ngroup \"customers\" {\n")
	const n = 200
	for i := range n {
		fmt.Fprintf(&b, "\tneighbor 198.51.100.%d {\n\t\tremote-as %d\n\t}\n", i+1, 64600+i)
	}
	b.WriteString("}\nallow from any\nmatch from group \"customers\" set large-community local-as:1:neighbor-as\n")
	for i := range n {
		fmt.Fprintf(&b, "allow to 198.51.100.%d prefix-set cone\ndeny quick to 198.51.100.%d large-community local-as:2:*\n", i+1, i+1)
	}
	return b.Bytes()
}

// One router of production size has to be read in under 300 ms.
func BenchmarkParse(b *testing.B) {
	data := production()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cfg := openbgpd.Parse(device.Input{Path: "bgpd.conf", Data: data})
		if len(cfg.Sessions) != 200 || len(cfg.Diagnostics) != 0 {
			b.Fatalf("%d sessions, %v", len(cfg.Sessions), cfg.Diagnostics)
		}
	}
	b.ReportMetric(float64(bytes.Count(data, []byte{'\n'})), "lines/op")
}
