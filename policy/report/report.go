package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

// Report is what a run has to say.
type Report struct {
	Version  string // of the program
	Result   *lint.Result
	Files    []File
	Notes    []string // what was assumed or left out
	Complete bool     // every requested file was read
}

// File is one input and how well it was understood.
type File struct {
	Path       string
	Dialect    device.Dialect
	Understood int // lines that bear on policy
	Relevant   int
	Problem    string   // why it was not judged, empty when it was
	Lines      []string // the source, for excerpts
}

// Format is an output format.
type Format string

// Formats.
const (
	Text   Format = "text"
	JSON   Format = "json"
	SARIF  Format = "sarif"
	GitHub Format = "github"
)

// Formats lists them.
var Formats = []Format{Text, JSON, SARIF, GitHub}

// ParseFormat reads the name of a format.
func ParseFormat(s string) (Format, error) {
	if slices.Contains(Formats, Format(s)) {
		return Format(s), nil
	}
	return "", fmt.Errorf("output %q: want text, json, sarif or github", s)
}

// Write writes the report in a format.
func (r *Report) Write(w io.Writer, f Format) error {
	switch f {
	case JSON:
		return r.json(w)
	case SARIF:
		return r.sarif(w)
	case GitHub:
		return r.github(w)
	}
	return r.text(w)
}

func (r *Report) line(p device.Pos) string {
	for i := range r.Files {
		if f := &r.Files[i]; f.Path == p.File && p.Line > 0 && p.Line <= len(f.Lines) {
			return strings.TrimRight(f.Lines[p.Line-1], "\r")
		}
	}
	return ""
}

// routeText is a route in one line.
func routeText(rt *device.Route) string {
	path := "empty"
	if len(rt.ASPath) > 0 {
		path = strings.Trim(fmt.Sprint(rt.ASPath), "[]")
	}
	communities := "none"
	if len(rt.Communities) > 0 {
		var cs []string
		for _, c := range rt.Communities {
			cs = append(cs, c.Text)
		}
		communities = strings.Join(cs, " ")
	}
	return fmt.Sprintf("%s  AS_PATH %s  communities %s", rt.Prefix, path, communities)
}

func learned(w *lint.Witness) string {
	switch {
	case w.FromRole == device.Internal:
		return "iBGP (" + w.From + "); the session it came in by is not known here"
	case w.FromRole == device.UnknownRole:
		return w.From
	}
	return fmt.Sprintf("%s %s", w.FromRole, w.From)
}

// leakTypes says what the types of RFC 7908 mean.
var leakTypes = map[int]string{
	1: "provider to provider", 2: "peer to peer", 3: "provider to peer", 4: "peer to provider",
}
