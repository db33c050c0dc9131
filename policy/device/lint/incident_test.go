package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/change"
)

const testdata = "../../../testdata/"

func input(t *testing.T, name string) device.Input {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return device.Input{Path: name, Data: data}
}

// leakTerms lists "policy term" of the proved leaks.
func leakTerms(res *Result) []string {
	var out []string
	for _, f := range res.Findings {
		if f.Witness != nil && !f.Undecided {
			out = append(out, f.Policy+" "+f.Term)
		}
	}
	slices.Sort(out)
	return out
}

// The diff of 22 January deletes one line in nine policies: all nine are named
// with their term and the line, and before the change there is nothing.
func TestIncidentNinePolicies(t *testing.T) {
	base, script := input(t, "incidents/2026-01-22/before.conf"), input(t, "incidents/2026-01-22/change.compare")
	if got := leakTerms(None().Check(junos.Parse(base))); len(got) > 0 {
		t.Errorf("leaks before the change: %q", got)
	}
	after, err := change.Apply(base, script)
	if err != nil {
		t.Fatal(err)
	}
	res := None().Compare([]*device.Config{junos.Parse(base)}, []*device.Config{after.Config})
	want := []string{}
	for _, line := range strings.Split(string(script.Data), "\n") {
		if f := strings.Fields(line); len(f) > 5 && f[0] == "[edit" {
			want = append(want, f[3]+" "+f[5])
		}
	}
	slices.Sort(want)
	if got := leakTerms(res); len(want) != 9 || !slices.Equal(got, want) {
		t.Errorf("leaks at %q, want %q", got, want)
	}
	for _, f := range res.Findings {
		if f.Witness == nil {
			continue
		}
		if !slices.ContainsFunc(f.Related, func(r Related) bool { return strings.Contains(r.Message, "6-BOG04-SITE-LOCAL") && r.Pos.Line > 0 }) {
			t.Errorf("%s %s: the deleted line is not named: %+v", f.Policy, f.Term, f.Related)
		}
		if f.Rule != "RL102" || !slices.Contains(f.Also, "RL101") || !f.Witness.Received.Prefix.Addr().Is6() {
			t.Errorf("%s: %s with %s", f.Policy, f.Rules(), f.Witness.Received.Prefix)
		}
	}
	if !slices.ContainsFunc(res.Findings, func(f Finding) bool { return f.Rule == "RL807" }) {
		t.Error("a change of nine policies at once is not remarked on")
	}
}

// The six fixtures: every form of the change leaks, an emptied list does not.
func TestIncidentFixtures(t *testing.T) {
	const dir = "oracle/incident/"
	before := input(t, dir+"before.conf")
	for _, c := range []struct {
		change string
		leaks  bool
		rule   string
	}{
		{"change.set", true, "RL801"}, {"change.compare", true, "RL801"}, {"change-deactivate.set", true, "RL801"}, {"change-empty-list.set", false, "RL203"},
	} {
		after, err := change.Apply(before, input(t, dir+c.change))
		if err != nil {
			t.Fatal(err)
		}
		res := None().Compare([]*device.Config{junos.Parse(before)}, []*device.Config{after.Config})
		if got := leakTerms(res); (len(got) > 0) != c.leaks {
			t.Errorf("%s: leaks %q, want any %v", c.change, got, c.leaks)
		}
		if !slices.ContainsFunc(res.Findings, func(f Finding) bool { return f.Rule == c.rule }) {
			t.Errorf("%s: no %s", c.change, c.rule)
		}
	}
	if got := leakTerms(None().Check(junos.Parse(input(t, dir+"after.conf")))); len(got) != 1 {
		t.Errorf("after.conf: %q", got)
	}
}
