package lint

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Rule is what explain and the pages of docs say about one kind of finding. Its
// id is stable and never used again for something else.
type Rule struct {
	ID       string
	Name     string // "leak-proved"
	Severity device.Severity
	Title    string
	Why      string
	Incident string
	Fix      string
	Examples []Example
}

// Example is a piece of configuration, bad or good.
type Example struct {
	Dialect device.Dialect
	Good    bool
	Text    string
}

//go:embed rules.txt
var rulesText string

var catalogue, byID = mustRead(rulesText)

// Rules are all rules in order of their ids.
func Rules() []Rule { return slices.Clone(catalogue) }

// Lookup finds a rule by id or name.
func Lookup(id string) (Rule, bool) {
	i, ok := byID[strings.ToUpper(id)]
	if !ok {
		i, ok = byID[strings.ToLower(id)]
	}
	if !ok {
		return Rule{}, false
	}
	return catalogue[i], true
}

func mustRead(text string) ([]Rule, map[string]int) {
	rules, err := readRules(text)
	index := map[string]int{}
	if err != nil {
		// The text is part of the program and a test reads it; without it
		// findings have no explanation, which is no reason to stop.
		return nil, index
	}
	for i, r := range rules {
		index[r.ID], index[r.Name] = i, i
	}
	return rules, index
}

// readRules reads the catalogue: a head line "RL100 name severity", then "key:
// text" lines, then examples, "bad DIALECT:" or "good DIALECT:" with indented
// lines.
func readRules(text string) ([]Rule, error) {
	var out []Rule
	var example *Example
	for n, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "RL"):
			f := strings.Fields(line)
			if len(f) != 3 {
				return nil, fmt.Errorf("rules: line %d: want ID NAME SEVERITY", n+1)
			}
			sev, ok := severities[f[2]]
			if !ok {
				return nil, fmt.Errorf("rules: line %d: severity %q", n+1, f[2])
			}
			out = append(out, Rule{ID: f[0], Name: f[1], Severity: sev})
			example = nil
		case len(out) == 0 || line == "" && example == nil:
		case strings.HasPrefix(line, "    ") || line == "":
			if example == nil {
				return nil, fmt.Errorf("rules: line %d: text outside of an example", n+1)
			}
			example.Text += strings.TrimPrefix(line, "    ") + "\n"
		default:
			var err error
			if example, err = out[len(out)-1].set(line); err != nil {
				return nil, fmt.Errorf("rules: line %d: %w", n+1, err)
			}
		}
	}
	for i := range out {
		for j := range out[i].Examples {
			out[i].Examples[j].Text = strings.TrimRight(out[i].Examples[j].Text, "\n") + "\n"
		}
	}
	return out, nil
}

func (r *Rule) set(line string) (*Example, error) {
	key, text, ok := strings.Cut(line, ":")
	if !ok {
		return nil, fmt.Errorf("%q: want key: text", line)
	}
	text = strings.TrimSpace(text)
	switch key {
	case "what":
		r.Title = text
	case "why":
		r.Why = text
	case "incident":
		r.Incident = text
	case "fix":
		r.Fix = text
	default:
		kind, dialect, ok := strings.Cut(key, " ")
		if !ok || kind != "bad" && kind != "good" {
			return nil, fmt.Errorf("%q is not known", key)
		}
		r.Examples = append(r.Examples, Example{Dialect: device.Dialect(dialect), Good: kind == "good"})
		return &r.Examples[len(r.Examples)-1], nil
	}
	return nil, nil
}

// Explain writes what a rule is about, in plain text.
func (r *Rule) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s)\n\n%s\n", r.ID, r.Name, r.Severity, r.Title)
	for _, p := range []struct{ head, text string }{{"Why", r.Why}, {"Incident", r.Incident}, {"Fix", r.Fix}} {
		if p.text != "" {
			fmt.Fprintf(&b, "\n%s: %s\n", p.head, p.text)
		}
	}
	for _, e := range r.Examples {
		fmt.Fprintf(&b, "\n%s (%s):\n", goodOrBad(e.Good), e.Dialect)
		for _, line := range strings.Split(strings.TrimRight(e.Text, "\n"), "\n") {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return b.String()
}

// Page is the same as a page of the documentation.
func (r *Rule) Page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n<!-- generated from policy/device/lint/rules.txt; do not edit -->\n\nSeverity: %s\n\n%s\n", r.ID, r.Name, r.Severity, r.Title)
	for _, p := range []struct{ head, text string }{{"Why", r.Why}, {"Incident", r.Incident}, {"What to do", r.Fix}} {
		if p.text != "" {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", p.head, p.text)
		}
	}
	for _, e := range r.Examples {
		fmt.Fprintf(&b, "\n## %s (%s)\n\n```\n%s```\n", goodOrBad(e.Good), e.Dialect, e.Text)
	}
	return b.String()
}

func goodOrBad(good bool) string {
	if good {
		return "Good"
	}
	return "Bad"
}
