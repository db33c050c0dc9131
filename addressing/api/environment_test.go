package api_test

import (
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// SNP-06, the second of four places: a token is of one environment, and every
// other one refuses it.
func TestEnvironmentMatrix(t *testing.T) {
	names := []string{"prod", "staging", "lab", "prod2"}
	worlds := make([]*world, len(names))
	for i, name := range names {
		worlds[i] = newWorld(t, func(c *api.Config) { c.Environment = name })
	}
	for i, at := range worlds {
		for j, of := range worlds {
			at.tokens["other"] = of.tokens["operator"]
			r := at.do("other", "GET", "/v1/status", "")
			if accepted := r.status == 200; accepted != (i == j) || !accepted && r.status != 401 ||
				accepted && !strings.Contains(string(r.body), `"environment":"`+names[i]+`"`) {
				t.Errorf("a token of %s in %s: %d %.100s", names[j], names[i], r.status, r.body)
			}
		}
	}
}
