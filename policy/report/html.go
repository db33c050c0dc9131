package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

//go:embed report.html.tmpl
var pageText string

var page = template.Must(template.New("report").Parse(pageText))

type htmlPage struct {
	Version                      string
	Errors, Warnings, Infos      int
	Hidden, Unknown              int
	Files                        []fileJSON
	Sessions                     []htmlSession
	Findings                     []htmlFinding
	Notes                        []string
	JudgedCount, CleanCount, All int
}

type htmlSession struct {
	File, Name, Group, Role, Verdict string
	PeerAS                           uint32
}

type htmlFinding struct {
	ID       string
	Rules    string
	Severity string
	State    string
	Where    string
	Line     int
	Source   string
	Message  string
	Fix      string
	Page     string
	Also     []string
	Related  []placeJSON
	Way      []htmlStep
	Route    string
	Learned  string
	Type     string
	Sent     string
	To       string
}

// htmlStep is one stop on the way of a witness.
type htmlStep struct {
	Kind   string // pass, accept, reject or plain
	Where  string
	Title  string
	What   string
	Source string
}

// html writes one file with everything in it: no script, no image, nothing
// fetched. The way of a leaked route through the terms is drawn.
func (r *Report) html(w io.Writer) error {
	p := htmlPage{Version: r.Version, Notes: r.Notes, All: r.Result.Sessions, JudgedCount: r.Result.Judged, CleanCount: r.Result.Clean}
	var c counts
	for i := range r.Result.Findings {
		c.count(&r.Result.Findings[i])
	}
	p.Errors, p.Warnings, p.Infos, p.Hidden, p.Unknown = c.Errors, c.Warnings, c.Infos, c.Hidden, c.Unknown
	for _, f := range r.Files {
		p.Files = append(p.Files, fileJSON{f.Path, f.Dialect, f.Understood, f.Relevant, f.Problem})
	}
	for _, j := range r.Result.Judgements {
		p.Sessions = append(p.Sessions, htmlSession{j.Pos.File, j.Session, j.Group, j.Role.String(), j.Verdict.String(), j.PeerAS})
	}
	for i, group := range fold(r.Result.Findings) {
		p.Findings = append(p.Findings, r.htmlFinding(i, group))
	}
	return page.Execute(w, p)
}

func (r *Report) htmlFinding(i int, group []*lint.Finding) htmlFinding {
	f := group[0]
	out := htmlFinding{
		ID: fmt.Sprintf("f%d", i+1), Rules: f.Rules(), Severity: f.Severity.String(), Where: f.Pos.String(), Line: f.Pos.Line,
		Source: strings.TrimSpace(r.line(f.Pos)), Message: f.Message, Fix: f.Fix, Page: rulePage(f.Rule),
	}
	switch {
	case f.Suppressed != nil:
		out.State = "suppressed: " + f.Suppressed.Reason
	case f.Baseline:
		out.State = "in the baseline"
	case f.Undecided:
		out.State = "undecided"
	}
	for _, o := range group[1:] {
		out.Also = append(out.Also, strings.TrimSpace(o.Group+" "+o.Session))
	}
	for _, rel := range f.Related {
		out.Related = append(out.Related, placeJSON{rel.Pos, rel.Message})
	}
	if w := f.Witness; w != nil {
		out.Route, out.Learned, out.Sent = routeText(&w.Received), learned(w), routeText(&w.Advertised)
		out.To = strings.TrimSpace(f.Role.String() + " " + f.Session)
		if w.Type > 0 {
			out.Type = fmt.Sprintf("RFC 7908 type %d: %s", w.Type, leakTypes[w.Type])
		}
		for _, e := range w.Trace {
			out.Way = append(out.Way, r.htmlStep(e.Pos, strings.TrimSpace(e.Policy+" "+e.Term), e.Step, e.What))
		}
	}
	return out
}

func (r *Report) htmlStep(pos device.Pos, title, step, what string) htmlStep {
	s := htmlStep{Kind: "pass", Title: title, What: what, Source: strings.TrimSpace(r.line(pos))}
	if s.Title == "" {
		s.Title = step
	}
	if !pos.IsZero() {
		s.Where = pos.String()
	}
	switch {
	case strings.HasSuffix(what, "accept"), strings.Contains(what, "-> accept"):
		s.Kind = "accept"
	case strings.HasSuffix(what, "reject"), strings.Contains(what, "-> reject"):
		s.Kind = "reject"
	}
	return s
}
