// Package spec reads rollout plans as people write them, in YAML, and says what
// is missing from one: metrics, thresholds, waves with their waits, what to do
// on failure, and the checks before it (HMD-01). It gives a rollout.Program. It
// opens no file.
package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// Section is everything about rollouts: the rollout key of the configuration,
// or a file of its own. The zero Section is the default.
type Section struct {
	MaxChanges     *int     `yaml:"max_changes"`
	TestPrefixes   []string `yaml:"test_prefixes"`
	CanaryAccounts []string `yaml:"canary_accounts"`
	Plans          []Plan   `yaml:"plans"`
}

// Plan is how one class of change is rolled out.
type Plan struct {
	Class      string      `yaml:"class"`
	Metrics    []string    `yaml:"metrics"`
	Thresholds *Thresholds `yaml:"thresholds"`
	Waves      []Wave      `yaml:"waves"`
	OnFail     string      `yaml:"on_fail"`
	PreChecks  []string    `yaml:"pre_checks"`
}

// Thresholds are shares of requests, 0 to 1.
type Thresholds struct {
	AccountErrors float64 `yaml:"account_errors"`
	CohortErrors  float64 `yaml:"cohort_errors"`
	Drop          float64 `yaml:"drop"`
	MinRequests   float64 `yaml:"min_requests"`
}

// Wave is one stage.
type Wave struct {
	Name    string `yaml:"name"`
	Percent *int   `yaml:"percent"`
	Soak    string `yaml:"soak"`
}

// Words that a plan may use.
var (
	classes = []string{string(rollout.Removal), string(rollout.Neighbor), string(rollout.Announce)}
	// "unmonitored" says in so many words that soak alone decides.
	metrics   = []string{"errors", "requests", "unmonitored"}
	preChecks = []string{"breaker", "coverage", "quorum"}
)

// Problem is one thing that is wrong.
type Problem struct {
	Field string // e.g. plans[0].waves[2].soak
	Why   string
	Next  string
}

// Error writes field: why; next.
func (p Problem) Error() string {
	out := p.Field + ": " + p.Why
	if p.Next != "" {
		out += "; " + p.Next
	}
	return out
}

const maxSize = 1 << 20

// Read decodes a file of its own, strictly: unknown and repeated keys are
// errors. Lint judges what it says.
func Read(src []byte) (s Section, err error) {
	if len(src) > maxSize {
		return s, fmt.Errorf("rollout plans: larger than %d bytes", maxSize)
	}
	defer func() { // the YAML library panics on some input, and no file may stop a program
		if r := recover(); r != nil {
			err = fmt.Errorf("rollout plans: not YAML that can be read (%v)", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(src), yaml.Strict())
	if err := dec.Decode(&s); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return s, fmt.Errorf("rollout plans: %w", err)
	}
	if err := dec.Decode(new(Section)); !errors.Is(err, io.EOF) {
		return s, errors.New("rollout plans: there is more than one YAML document")
	}
	return s, nil
}

// Lint says what is missing or wrong. A Section without problems is a Program.
func (s Section) Lint() []Problem {
	l := &linter{}
	if s.MaxChanges != nil && (*s.MaxChanges < 1 || *s.MaxChanges > 100_000) {
		l.wrong("max_changes", "must be 1 to 100000 changes of one generation", fmt.Sprintf("leave it out for %d", plan.DefaultMaxChanges))
	}
	for i, p := range s.TestPrefixes {
		if c, err := netip.ParsePrefix(p); err != nil || c != c.Masked() {
			l.wrong(fmt.Sprintf("test_prefixes[%d]", i), fmt.Sprintf("%q is no prefix", p), "write it as 192.0.2.0/24")
		}
	}
	for i, a := range s.CanaryAccounts {
		if a == "" {
			l.wrong(fmt.Sprintf("canary_accounts[%d]", i), "is empty: it names nobody", "write the id of an account")
		}
	}
	if s.CanaryAccounts != nil && len(s.CanaryAccounts) == 0 {
		l.wrong("canary_accounts", "is empty: nobody would be a canary", "leave it out for everybody")
	}
	seen := map[string]bool{}
	for i, p := range s.Plans {
		field := fmt.Sprintf("plans[%d]", i)
		if seen[p.Class] {
			l.wrong(field+".class", fmt.Sprintf("%q has a plan already", p.Class), "keep one plan for each class")
		}
		seen[p.Class] = true
		l.plan(field, p)
	}
	return l.found
}

type linter struct{ found []Problem }

func (l *linter) wrong(field, why, next string) {
	l.found = append(l.found, Problem{field, why, next})
}

func (l *linter) plan(field string, p Plan) {
	if !slices.Contains(classes, p.Class) {
		l.wrong(field+".class", fmt.Sprintf("%q is no class of change", p.Class), "use "+strings.Join(classes, ", "))
	}
	l.words(field+".metrics", "metrics", p.Metrics, metrics)
	if slices.Contains(p.Metrics, "unmonitored") && len(p.Metrics) > 1 {
		l.wrong(field+".metrics", "unmonitored stands with other metrics", "keep one or the other")
	}
	l.thresholds(field+".thresholds", p)
	l.waves(field+".waves", p.Waves)
	switch p.OnFail {
	case "restore":
	case "":
		l.wrong(field+".on_fail", "on_fail is missing: nothing says what happens to a wave that does harm", "write restore")
	default:
		l.wrong(field+".on_fail", fmt.Sprintf("%q is no action", p.OnFail), "write restore: what was taken down is put back, what was announced stays until a person decides")
	}
	l.words(field+".pre_checks", "pre_checks", p.PreChecks, preChecks)
}

func (l *linter) words(field, name string, have, may []string) {
	if len(have) == 0 {
		l.wrong(field, name+" are missing", "name some of "+strings.Join(may, ", "))
	}
	for i, w := range have {
		if !slices.Contains(may, w) {
			l.wrong(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q is not known", w), "use "+strings.Join(may, ", "))
		}
	}
}

func (l *linter) thresholds(field string, p Plan) {
	if p.Thresholds == nil {
		if !slices.Contains(p.Metrics, "unmonitored") {
			l.wrong(field, "thresholds are missing: no number would count as harm", "e.g. {account_errors: 0.05, drop: 0.5}")
		}
		return
	}
	t := *p.Thresholds
	for _, f := range []struct {
		name  string
		value float64
	}{{"account_errors", t.AccountErrors}, {"cohort_errors", t.CohortErrors}, {"drop", t.Drop}} {
		if !(f.value >= 0 && f.value <= 1) {
			l.wrong(field+"."+f.name, fmt.Sprintf("%v is no share", f.value), "write 0 to 1, or leave it out")
		}
	}
	if !(t.MinRequests >= 0) {
		l.wrong(field+".min_requests", "must not be negative", "")
	}
	if t == (Thresholds{}) {
		l.wrong(field, "thresholds are all zero: no number would count as harm", "e.g. {account_errors: 0.05, drop: 0.5}")
	}
}

func (l *linter) waves(field string, waves []Wave) {
	if len(waves) == 0 {
		l.wrong(field, "waves are missing: everything would go out at once", "e.g. [{name: canary, percent: 1, soak: 1m}, {name: all, percent: 100, soak: 1m}]")
		return
	}
	last := 0
	for i, w := range waves {
		at := fmt.Sprintf("%s[%d]", field, i)
		if w.Name == "" {
			l.wrong(at+".name", "the wave has no name", "")
		}
		byWho := w.Name == plan.StageTest || w.Name == plan.StageFirstParty
		switch {
		case byWho && w.Percent != nil:
			l.wrong(at+".percent", w.Name+" goes by who is concerned and not by percentage", "leave percent out")
		case !byWho && (w.Percent == nil || *w.Percent < 1 || *w.Percent > 100):
			l.wrong(at+".percent", "must be 1 to 100", "")
		case !byWho && *w.Percent <= last:
			l.wrong(at+".percent", fmt.Sprintf("%d comes after %d", *w.Percent, last), "waves grow")
		case !byWho:
			last = *w.Percent
		}
		if d, err := time.ParseDuration(w.Soak); w.Soak == "" {
			l.wrong(at+".soak", "the wait is missing: nobody would look before the next wave", "e.g. soak: 1m")
		} else if err != nil || d < 0 || d > 7*24*time.Hour {
			l.wrong(at+".soak", fmt.Sprintf("%q is no wait", w.Soak), "0s to 168h")
		}
	}
	if last != 100 {
		l.wrong(field, fmt.Sprintf("the last wave ends at %d %%", last), "end with percent: 100")
	}
}

// Program is what the section says, over the defaults; Lint must have found
// nothing. thresholds and monitored are by class of change.
func (s Section) Program() (p rollout.Program, thresholds map[string]health.Thresholds, unmonitored map[string]bool) {
	p = rollout.DefaultProgram()
	if s.MaxChanges != nil {
		p.MaxChanges = *s.MaxChanges
	}
	for _, text := range s.TestPrefixes {
		if c, err := netip.ParsePrefix(text); err == nil {
			p.Test = append(p.Test, c)
		}
	}
	p.Canaries = s.CanaryAccounts
	thresholds, unmonitored = map[string]health.Thresholds{}, map[string]bool{}
	for _, one := range s.Plans {
		var stages []plan.Stage
		for _, w := range one.Waves {
			d, _ := time.ParseDuration(w.Soak)
			st := plan.Stage{Name: w.Name, Soak: d}
			if w.Percent != nil {
				st.Percent = *w.Percent
			}
			stages = append(stages, st)
		}
		p.Stages[rollout.Class(one.Class)] = stages
		unmonitored[one.Class] = slices.Contains(one.Metrics, "unmonitored")
		if t := one.Thresholds; t != nil {
			thresholds[one.Class] = health.Thresholds{AccountErrors: t.AccountErrors, CohortErrors: t.CohortErrors, Drop: t.Drop, MinRequests: t.MinRequests}
		}
	}
	return p, thresholds, unmonitored
}
