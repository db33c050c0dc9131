package bird_test

import (
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Programs that double what they know with every line end in unknown, not in
// endless work.
func TestGrowth(t *testing.T) {
	for name, body := range map[string]string{
		"conditions": "bool b = net ~ OWN; " + strings.Repeat("b = b && net.len > 8 || b; ", 60) + "if b then accept;",
		"choices":    "int n = 1; " + strings.Repeat("if net.len > n then n = n + 1; else n = n + 2; ", 60) + "if n > 50 then accept;",
		"returns":    strings.Repeat("if f() then bgp_community.add((US,1)); ", 40) + "accept;",
		"blocks":     strings.Repeat("if net ~ OWN then { ", 150) + "accept;" + strings.Repeat(" }", 150),
	} {
		cfg := parse(with("function f() { bgp_community.add((US,7)); if net.len > 8 then return true; return false; }\n", "filter { "+body+" }"))
		if cfg.Broken {
			t.Fatalf("%s: %v", name, cfg.Diagnostics)
		}
		if got := export(t, cfg, static("192.0.2.0/24")); got.Verdict == device.Reject {
			t.Errorf("%s: %s %v", name, got.Verdict, got.Blockers)
		}
	}
}
