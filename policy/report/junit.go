package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	File    string     `xml:"file,attr,omitempty"`
	Line    int        `xml:"line,attr,omitempty"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
	Skipped *junitText `xml:"skipped"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// properties are what is judged of a session, each a test case that passes when
// none of its rules has a finding.
var properties = []struct {
	name string
	is   func(*lint.Finding) bool
}{
	{"no leak", func(f *lint.Finding) bool { return f.Witness != nil || f.Undecided }},
	{"nothing unfit goes out", func(f *lint.Finding) bool { return f.Witness == nil && strings.HasPrefix(f.Rule, "RL10") }},
	{"policies are in force", func(f *lint.Finding) bool { return f.Witness == nil && strings.HasPrefix(f.Rule, "RL4") }},
	{"tags hold", func(f *lint.Finding) bool { return strings.HasPrefix(f.Rule, "RL5") }},
	{"roles hold", func(f *lint.Finding) bool { return strings.HasPrefix(f.Rule, "RL6") }},
}

// junit writes one test case for each session and property, so that what holds
// is seen too, and one for what concerns no session. A leak or another error is
// a failure, what is not decided an error; warnings pass and are in the text
// report.
func (r *Report) junit(w io.Writer) error {
	out := junitSuites{Name: "leaklint"}
	for i := range r.Files {
		s := r.suite(&r.Files[i])
		out.Tests, out.Failures, out.Errors = out.Tests+s.Tests, out.Failures+s.Failures, out.Errors+s.Errors
		out.Suites = append(out.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r *Report) suite(file *File) junitSuite {
	s := junitSuite{Name: file.Path}
	if file.Problem != "" {
		s.add(junitCase{Name: "the file is read", Class: file.Path, File: file.Path, Error: &junitText{Message: file.Problem}})
	}
	for _, j := range r.Result.Judgements {
		if j.Pos.File != file.Path {
			continue
		}
		for _, p := range properties {
			c := junitCase{Name: p.name, Class: strings.TrimSpace(file.Path + " " + j.Group + " " + j.Session), File: j.Pos.File, Line: j.Pos.Line}
			r.outcome(&c, func(f *lint.Finding) bool { return f.Session == j.Session && f.Pos.File == file.Path && p.is(f) })
			s.add(c)
		}
	}
	c := junitCase{Name: "terms, lists and references", Class: file.Path, File: file.Path}
	r.outcome(&c, func(f *lint.Finding) bool {
		return f.Pos.File == file.Path && (f.Session == "" || !r.judged(f.Session, file.Path) || !covered(f))
	})
	s.add(c)
	return s
}

func covered(f *lint.Finding) bool {
	for _, p := range properties {
		if p.is(f) {
			return true
		}
	}
	return false
}

func (r *Report) judged(session, file string) bool {
	for _, j := range r.Result.Judgements {
		if j.Session == session && j.Pos.File == file {
			return true
		}
	}
	return false
}

// outcome collects the findings of a test case.
func (r *Report) outcome(c *junitCase, of func(*lint.Finding) bool) {
	var failures, doubts, hidden []string
	kind := ""
	for i := range r.Result.Findings {
		f := &r.Result.Findings[i]
		if !of(f) {
			continue
		}
		text := fmt.Sprintf("%s %s: %s", f.Rules(), f.Pos, f.Message)
		switch {
		case f.Suppressed != nil:
			hidden = append(hidden, text+" ("+f.Suppressed.Reason+")")
		case f.Baseline:
			hidden = append(hidden, text+" (in the baseline)")
		case f.Undecided:
			doubts = append(doubts, text)
		case f.Severity == device.Error:
			failures = append(failures, text+witnessText(f))
			if kind == "" {
				kind = f.Rule
			}
		}
	}
	switch {
	case len(failures) > 0:
		c.Failure = &junitText{Message: first(failures), Type: kind, Text: strings.Join(append(failures, doubts...), "\n")}
	case len(doubts) > 0:
		c.Error = &junitText{Message: first(doubts), Type: "unknown", Text: strings.Join(doubts, "\n")}
	case len(hidden) > 0:
		c.Skipped = &junitText{Message: "known: " + first(hidden), Text: strings.Join(hidden, "\n")}
	}
}

func first(texts []string) string {
	line, _, _ := strings.Cut(texts[0], "\n")
	if n := len(texts) - 1; n > 0 {
		line += fmt.Sprintf(" (and %d more)", n)
	}
	return line
}

func witnessText(f *lint.Finding) string {
	w := f.Witness
	if w == nil {
		return ""
	}
	out := "\n  leaked " + routeText(&w.Received) + "\n  learned from " + learned(w)
	for _, e := range w.Trace {
		out += fmt.Sprintf("\n  %s %s %s: %s", e.Pos, e.Policy, e.Term, e.What)
	}
	return out
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}
