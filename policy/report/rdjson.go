package report

import (
	"io"
	"path/filepath"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// The Reviewdog Diagnostic Format.
type rdDocument struct {
	Source      rdSource       `json:"source"`
	Diagnostics []rdDiagnostic `json:"diagnostics"`
}

type rdSource struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type rdDiagnostic struct {
	Message  string     `json:"message"`
	Location rdLocation `json:"location"`
	Severity string     `json:"severity"`
	Code     rdCode     `json:"code"`
}

type rdLocation struct {
	Path  string   `json:"path"`
	Range *rdRange `json:"range,omitempty"`
}

type rdRange struct {
	Start rdPosition  `json:"start"`
	End   *rdPosition `json:"end,omitempty"`
}

type rdPosition struct {
	Line   int `json:"line"`
	Column int `json:"column,omitempty"`
}

type rdCode struct {
	Value string `json:"value"`
	URL   string `json:"url"`
}

var rdSeverities = map[device.Severity]string{device.Error: "ERROR", device.Warning: "WARNING", device.Info: "INFO"}

func (r *Report) rdjson(w io.Writer) error {
	out := rdDocument{Source: rdSource{"leaklint", home}, Diagnostics: []rdDiagnostic{}}
	for i := range r.Result.Findings {
		f := &r.Result.Findings[i]
		if !f.Counts() {
			continue
		}
		d := rdDiagnostic{Message: f.Message, Severity: rdSeverities[f.Severity], Code: rdCode{f.Rule, rulePage(f.Rule)}}
		if w := f.Witness; w != nil {
			d.Message += "\n" + routeText(&w.Received) + "\nlearned from " + learned(w)
		}
		if f.Fix != "" {
			d.Message += "\nfix: " + f.Fix
		}
		d.Location.Path = filepath.ToSlash(f.Pos.File)
		if !f.Pos.IsZero() {
			d.Location.Range = &rdRange{Start: rdPosition{f.Pos.Line, f.Pos.Col}}
			if f.End.File == f.Pos.File && f.End.Line > f.Pos.Line {
				d.Location.Range.End = &rdPosition{Line: f.End.Line}
			}
		}
		out.Diagnostics = append(out.Diagnostics, d)
	}
	return indented(w, out)
}
