package lint

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// ignoreComment is an inline suppression, in whatever comment the dialect has:
//
//	/* leaklint:ignore RL401 reason="route collector" until=2027-01-31 */
var ignoreComment = regexp.MustCompile(`leaklint:ignore\s+([^\n]*)`)

var (
	ignoredRule = regexp.MustCompile(`^(RL\d{3})\b`)
	ignoreField = regexp.MustCompile(`(reason|until)=("[^"]*"|[^\s"]+)`)
)

// inline is one suppression in a source file.
type inline struct {
	rule, reason string
	until        string
	pos          device.Pos
	expired      bool
	used         bool
}

// Suppress applies the comments of a source file to the findings: a comment
// speaks for its own line and the next one, or for the whole term or session
// that begins there. today is the day as 2006-01-02. A comment without a reason
// and one that suppresses nothing are findings of their own; an expired one
// suppresses nothing.
func (r *Result) Suppress(path string, source []byte, today string) {
	for _, c := range comments(path, string(source), today, &r.Findings) {
		for i := range r.Findings {
			f := &r.Findings[i]
			if f.Pos.File != path || f.Suppressed != nil || !(f.Rule == c.rule || slices.Contains(f.Also, c.rule)) {
				continue
			}
			if f.Pos.Line >= c.pos.Line && f.Pos.Line <= c.pos.Line+1 || f.End.Line >= c.pos.Line && f.Pos.Line <= c.pos.Line {
				c.used = true
				if !c.expired {
					f.Suppressed = &Suppression{Reason: c.reason, Where: c.pos, Until: c.until}
				}
			}
		}
		switch {
		case c.expired:
			r.complain(c.pos, fmt.Sprintf("the suppression of %s ended on %s", c.rule, c.until), "fix the finding, or renew the date with a reason")
		case !c.used:
			r.complain(c.pos, fmt.Sprintf("the suppression of %s suppresses nothing", c.rule), "delete it")
		}
	}
	sortFindings(r.Findings)
}

func (r *Result) complain(pos device.Pos, message, fix string) {
	f := Finding{Rule: "RL902", Severity: device.Warning, Pos: pos, Message: message, Fix: fix}
	f.Fingerprint = f.fingerprint()
	r.Findings = append(r.Findings, f)
}

func comments(path, source, today string, bad *[]Finding) []*inline {
	var out []*inline
	for n, line := range strings.Split(source, "\n") {
		m := ignoreComment.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		text := line[m[2]:m[3]]
		c := &inline{pos: device.Pos{File: path, Line: n + 1, Col: m[0] + 1}}
		if id := ignoredRule.FindStringSubmatch(text); id != nil {
			c.rule = id[1]
		}
		for _, f := range ignoreField.FindAllStringSubmatch(text, -1) {
			value := strings.TrimSpace(strings.Trim(f[2], `"`))
			if f[1] == "reason" {
				c.reason = value
			} else {
				c.until = value
			}
		}
		_, dateErr := time.Parse(time.DateOnly, c.until)
		if _, known := Lookup(c.rule); !known || c.reason == "" || c.until != "" && dateErr != nil {
			f := Finding{
				Rule: "RL902", Severity: device.Warning, Pos: c.pos, Message: "a suppression that is not in force: " + strings.TrimSpace(text),
				Fix: `write leaklint:ignore RL401 reason="why" until=2027-01-31`,
			}
			f.Fingerprint = f.fingerprint()
			*bad = append(*bad, f)
			continue
		}
		c.expired = c.until != "" && c.until < today
		out = append(out, c)
	}
	return out
}

// Baseline is a list of findings that are known and wait to be fixed.
type Baseline struct {
	Format  int             `json:"format"`
	Entries []BaselineEntry `json:"entries"`
}

// BaselineEntry is one known finding.
type BaselineEntry struct {
	Fingerprint string `json:"fingerprint"`
	Rule        string `json:"rule"`
	Where       string `json:"where"`
	Reason      string `json:"reason"`
	Expires     string `json:"expires,omitempty"`
}

// ReadBaseline reads a baseline file.
func ReadBaseline(data []byte) (*Baseline, error) {
	b := &Baseline{}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	if b.Format != 1 {
		return nil, fmt.Errorf("baseline: format %d is not known; write one with leaklint baseline", b.Format)
	}
	for i, e := range b.Entries {
		if e.Fingerprint == "" || e.Reason == "" {
			return nil, fmt.Errorf("baseline: entries[%d]: fingerprint and reason must be there", i)
		}
	}
	return b, nil
}

// NewBaseline makes a baseline of all findings that count.
func NewBaseline(r *Result, reason, expires string) *Baseline {
	b := &Baseline{Format: 1, Entries: []BaselineEntry{}}
	for i := range r.Findings {
		f := &r.Findings[i]
		if !f.Counts() || slices.ContainsFunc(b.Entries, func(e BaselineEntry) bool { return e.Fingerprint == f.Fingerprint }) {
			continue
		}
		where := strings.TrimSpace(strings.Join([]string{f.Session, f.Policy, f.Term, f.Set}, " "))
		b.Entries = append(b.Entries, BaselineEntry{Fingerprint: f.Fingerprint, Rule: f.Rule, Where: where, Reason: reason, Expires: expires})
	}
	return b
}

// Apply marks the findings the baseline knows, and returns the entries nothing
// was found for.
func (b *Baseline) Apply(r *Result, today string) (unused []BaselineEntry) {
	for _, e := range b.Entries {
		used := false
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Fingerprint == e.Fingerprint {
				used = true
				f.Baseline = e.Expires == "" || e.Expires >= today
			}
		}
		if !used {
			unused = append(unused, e)
		}
	}
	return unused
}
