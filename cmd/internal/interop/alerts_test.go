//go:build interop

package interop

import (
	"os/exec"
	"testing"
)

// The alerts do what they say, in Prometheus's own words.
func TestAlertRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "holdfast.rules.yml"}, {"test", "rules", "holdfast.test.yml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = "../../../deploy/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
