package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
)

func TestRolloutDefaults(t *testing.T) {
	c, _, err := Parse("f.yaml", "/base", []byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	if st := c.Rollout.Stages[rollout.Removal]; len(st) != 6 || st[0].Soak != time.Minute || len(c.Health.Classes) > 0 || c.Health.Push ||
		c.Edge.Quorum != 0.9 || c.Edge.Silent != 15*time.Minute {
		t.Errorf("%+v %+v %+v", st, c.Health, c.Edge)
	}
}

// The example of the reference is a configuration.
func TestRolloutExample(t *testing.T) {
	page, err := os.ReadFile("../../../docs/reference/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(page), "```yaml\nrollout:")
	if !found {
		t.Fatal("there is no example")
	}
	example, _, _ = strings.Cut(example, "```")
	c, _, err := Parse("f.yaml", "/base", []byte(contract+"rollout:"+example+
		"edge: {quorum: 0.8, readiness: {cdn: probe}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Rollout.Stages[rollout.Removal]) != 4 || len(c.Health.Sources) != 1 || len(c.Health.Classes) != 3 || c.Edge.Readiness["cdn"] != edge.Probe ||
		c.Health.ByClass["removal"].Drop != 0.5 {
		t.Errorf("%+v %+v", c.Rollout, c.Health)
	}
}

func TestRolloutRefused(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"rollout: {plans: [{class: removal}]}", "rollout.plans[0].waves"},
		{"rollout: {canary_accounts: []}", "rollout.canary_accounts"},
		{"rollout: {soak: 1m}", "soak"},
		{"health: {classes: [removal]}", "health.classes"},
		{"health: {push: true, classes: [everything]}", "health.classes[0]"},
		{"health: {push: true, drop: 2}", "health.drop"},
		{"health: {prometheus: [{url: localhost, requests: a, errors: b}]}", "health.prometheus[0].url"},
		{"health: {prometheus: [{url: \"http://127.0.0.1:9090\"}]}", "health.prometheus[0]"},
		{"health: {probes: [{account_id: a, site: s, service: x}]}", "health.probes[0]"},
		{"health: {probes: [{http: \"http://127.0.0.1\"}]}", "health.probes[0]"},
		{"health: {loads: {prometheus: [{url: localhost, sites: a}]}}", "health.loads.prometheus[0].url"},
		{"health: {loads: {prometheus: [{url: \"http://127.0.0.1:9090\"}]}}", "health.loads.prometheus[0]"},
		{"health: {loads: {silent_after: 1d}}", "health.loads.silent_after"},
		{"edge: {quorum: 0}", "edge.quorum"},
		{"edge: {quorum: 90}", "edge.quorum"},
		{"edge: {readiness: {cdn: hope}}", "edge.readiness.cdn"},
		{"edge: {drain: 0s}", "edge.drain"},
	} {
		if _, _, err := Parse("f.yaml", "/base", []byte(contract+tc.text+"\n")); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.text, err)
		}
	}
}
