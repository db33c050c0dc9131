package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
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
	Compared bool     // with a baseline or another state: what is new is known
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

// Language is how well the files of one language were understood.
type Language struct {
	Dialect    device.Dialect `json:"dialect"`
	Files      int            `json:"files"`
	Understood int            `json:"understood_lines"`
	Relevant   int            `json:"policy_lines"`
}

// Percent is the share of lines bearing on policy that was understood.
func (l *Language) Percent() float64 {
	if l.Relevant == 0 {
		return 100
	}
	return 100 * float64(l.Understood) / float64(l.Relevant)
}

// Languages sums the files up, in the order of their names.
func (r *Report) Languages() []Language {
	out := []Language{}
	for _, f := range r.Files {
		if f.Dialect == "" {
			continue
		}
		i := slices.IndexFunc(out, func(l Language) bool { return l.Dialect == f.Dialect })
		if i < 0 {
			i = len(out)
			out = append(out, Language{Dialect: f.Dialect})
		}
		out[i].Files++
		out[i].Understood += f.Understood
		out[i].Relevant += f.Relevant
	}
	slices.SortFunc(out, func(a, b Language) int { return strings.Compare(string(a.Dialect), string(b.Dialect)) })
	return out
}

// Format is an output format.
type Format string

// Formats.
const (
	Text   Format = "text"
	JSON   Format = "json"
	SARIF  Format = "sarif"
	GitHub Format = "github"
	GitLab Format = "gitlab" // Code Quality
	JUnit  Format = "junit"
	RDJSON Format = "rdjson" // reviewdog
	HTML   Format = "html"
)

// Formats lists them.
var Formats = []Format{Text, JSON, SARIF, GitHub, GitLab, JUnit, RDJSON, HTML}

// FormatNames lists them for a message.
func FormatNames() string {
	names := make([]string, len(Formats))
	for i, f := range Formats {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// ParseFormat reads the name of a format.
func ParseFormat(s string) (Format, error) {
	if slices.Contains(Formats, Format(s)) {
		return Format(s), nil
	}
	return "", fmt.Errorf("output %q: want one of %s", s, FormatNames())
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
	case GitLab:
		return r.gitlab(w)
	case JUnit:
		return r.junit(w)
	case RDJSON:
		return r.rdjson(w)
	case HTML:
		return r.html(w)
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

// rulePage is where a rule is explained.
func rulePage(id string) string { return home + "/blob/main/docs/runbooks/rules/" + id + ".md" }

// routeText is a route in one line.
func routeText(rt *device.Route) string {
	path := "empty"
	if len(rt.ASPath) > 0 {
		var asns []string
		for _, a := range rt.ASPath {
			if a == 0 {
				asns = append(asns, "?") // the configuration does not say our ASN
				continue
			}
			asns = append(asns, strconv.FormatUint(uint64(a), 10))
		}
		path = strings.Join(asns, " ")
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
