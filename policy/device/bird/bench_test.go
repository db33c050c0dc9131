package bird_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/bird"
)

// production writes a route server of 200 neighbors with filters of their own
// and a prefix set of 10,000 entries.
func production() []byte {
	var b bytes.Buffer
	b.WriteString("router id 192.0.2.1;\ndefine US = 64496;\ndefine CONE = [\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  10.%d.%d.0/24{24,25}%s\n", i/256, i%256, map[bool]string{true: ","}[i < 9_999])
	}
	b.WriteString("];\nfunction common(int who) {\n  if net ~ CONE then return true;\n  if (US, who) ~ bgp_community then reject;\n  return false;\n}\n")
	const n = 200
	for i := range n {
		fmt.Fprintf(&b, `filter out_%d {
  if common(%d) then { bgp_community.add((US, %d)); accept; }
  if bgp_path ~ [= * %d * =] || bgp_path.len > 20 then reject;
  case source { RTS_STATIC: accept; else: reject; }
}
protocol bgp n%d { local as US; neighbor 198.51.100.%d as %d; ipv4 { import all; export filter out_%d; }; }
`, i, i, i, 64600+i, i, i+1, 64600+i, i)
	}
	return b.Bytes()
}

// One router of production size has to be read in under 300 ms.
func BenchmarkParse(b *testing.B) {
	data := production()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cfg := bird.Parse(device.Input{Path: "bird.conf", Data: data})
		if len(cfg.Sessions) != 200 || cfg.Broken {
			b.Fatalf("%d sessions, %v", len(cfg.Sessions), cfg.Diagnostics)
		}
	}
	b.ReportMetric(float64(bytes.Count(data, []byte{'\n'})), "lines/op")
}
