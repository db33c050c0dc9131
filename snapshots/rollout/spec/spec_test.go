package spec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/spec"
)

const whole = `max_changes: 100
test_prefixes: [192.0.2.0/24]
plans:
  - class: removal
    metrics: [errors, requests]
    thresholds: {account_errors: 0.1, drop: 0.3}
    waves:
      - {name: test, soak: 10s}
      - {name: canary, percent: 1, soak: 2m}
      - {name: all, percent: 100, soak: 1m}
    on_fail: restore
    pre_checks: [breaker, coverage, quorum]
`

func TestWholePlan(t *testing.T) {
	s, err := spec.Read([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if found := s.Lint(); len(found) > 0 {
		t.Fatal(found)
	}
	p, thresholds, unmonitored := s.Program()
	st := p.Stages[rollout.Removal]
	if len(st) != 3 || st[1].Soak != 2*time.Minute || st[1].Percent != 1 || p.MaxChanges != 100 || len(p.Test) != 1 ||
		thresholds["removal"].AccountErrors != 0.1 || unmonitored["removal"] {
		t.Errorf("%+v %+v", p, thresholds)
	}
	if len(p.Stages[rollout.Neighbor]) == 0 {
		t.Error("a class without a plan has no stages")
	}
}

// Each of the five parts that may be missing is an error that names it (HMD-01).
func TestMissingPartsAreNamed(t *testing.T) {
	for _, c := range []struct{ cut, with, want string }{
		{"    metrics: [errors, requests]\n", "", "plans[0].metrics"},
		{"    thresholds: {account_errors: 0.1, drop: 0.3}\n", "", "plans[0].thresholds"},
		{whole[strings.Index(whole, "    waves:"):strings.Index(whole, "    on_fail")], "", "plans[0].waves"},
		{", soak: 2m", "", "plans[0].waves[1].soak"},
		{"    on_fail: restore\n", "", "plans[0].on_fail"},
		{"    pre_checks: [breaker, coverage, quorum]\n", "", "plans[0].pre_checks"},
		{"on_fail: restore", "on_fail: withdraw", "plans[0].on_fail"},
		{"percent: 100", "percent: 50", "plans[0].waves"},
		{"percent: 1,", "percent: 0,", "plans[0].waves[1].percent"},
		{"class: removal", "class: everything", "plans[0].class"},
		{"account_errors: 0.1", "account_errors: 10", "plans[0].thresholds.account_errors"},
		{"192.0.2.0/24", "192.0.2.1/24", "test_prefixes[0]"},
		{"max_changes: 100", "max_changes: 0", "max_changes"},
		{"max_changes: 100", "canary_accounts: []", "canary_accounts"},
	} {
		s, err := spec.Read([]byte(strings.Replace(whole, c.cut, c.with, 1)))
		if err != nil {
			t.Fatalf("%s: %v", c.want, err)
		}
		found := s.Lint()
		named := false
		for _, p := range found {
			named = named || p.Field == c.want
		}
		if !named {
			t.Errorf("without %q: %v, want %s", c.cut, found, c.want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	for _, src := range []string{"", "plan: []", "plans: [", whole + "---\nplans: []\n", "max_changes: 1\nmax_changes: 2\n", "plans: {a: b}"} {
		if _, err := spec.Read([]byte(src)); err == nil {
			t.Errorf("%q was read", src)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("plans: [{class: neighbor}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := spec.Read(src)
		if err != nil || len(s.Lint()) > 0 {
			return
		}
		p, _, _ := s.Program()
		for class, stages := range p.Stages {
			if len(stages) == 0 || stages[len(stages)-1].Percent != 100 {
				t.Errorf("%s does not end with the whole change: %+v", class, stages)
			}
		}
	})
}
