package report

import (
	"io"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

// The JSON format, version 1. Fields may be added; none changes its meaning.
type document struct {
	Format   int           `json:"format"`
	Program  string        `json:"program"`
	Version  string        `json:"version"`
	Complete bool          `json:"complete"`
	Summary  counts        `json:"summary"`
	Files    []fileJSON    `json:"files"`
	Langs    []Language    `json:"languages"`
	Sessions []sessionJSON `json:"sessions"`
	Tags     *tagsJSON     `json:"tags,omitempty"` // when tags are declared
	Findings []findingJSON `json:"findings"`
	Notes    []string      `json:"notes"`
}

type counts struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Infos    int `json:"infos"`
	Hidden   int `json:"hidden"`
	Unknown  int `json:"unknown"`
	Sessions int `json:"sessions"`
	Judged   int `json:"judged"`
	Clean    int `json:"clean"`
}

type fileJSON struct {
	Path       string         `json:"path"`
	Dialect    device.Dialect `json:"dialect,omitempty"`
	Understood int            `json:"understood_lines"`
	Relevant   int            `json:"policy_lines"`
	Problem    string         `json:"problem,omitempty"`
}

type tagsJSON struct {
	Holds    bool `json:"holds"`
	Routers  int  `json:"routers"`
	Ingress  int  `json:"ingress"`
	Internal int  `json:"internal"`
	Egress   int  `json:"egress"`
	Broken   int  `json:"broken"`
}

type sessionJSON struct {
	Location device.Pos `json:"location"`
	Session  string     `json:"session"`
	Group    string     `json:"group,omitempty"`
	Role     string     `json:"role"`
	PeerAS   uint32     `json:"peer_as,omitempty"`
	Verdict  string     `json:"verdict"` // clean, leak or unknown
}

type findingJSON struct {
	Rule        string         `json:"rule"`
	Also        []string       `json:"also,omitempty"`
	Name        string         `json:"name"`
	Severity    string         `json:"severity"`
	Verdict     string         `json:"verdict"` // leak, unknown or finding
	Message     string         `json:"message"`
	Fix         string         `json:"fix,omitempty"`
	Location    device.Pos     `json:"location"`
	Dialect     device.Dialect `json:"dialect,omitempty"`
	Host        string         `json:"host,omitempty"`
	Session     string         `json:"session,omitempty"`
	Group       string         `json:"group,omitempty"`
	Role        string         `json:"role,omitempty"`
	RoleSource  string         `json:"role_source,omitempty"`
	PeerAS      uint32         `json:"peer_as,omitempty"`
	Policy      string         `json:"policy,omitempty"`
	Term        string         `json:"term,omitempty"`
	Set         string         `json:"set,omitempty"`
	Witness     *witnessJSON   `json:"witness,omitempty"`
	Blockers    []placeJSON    `json:"blockers,omitempty"`
	Related     []placeJSON    `json:"related,omitempty"`
	Fingerprint string         `json:"fingerprint"`
	Suppressed  string         `json:"suppressed,omitempty"`
	Baseline    bool           `json:"baseline,omitempty"`
}

type placeJSON struct {
	Location device.Pos `json:"location"`
	Text     string     `json:"text"`
}

type witnessJSON struct {
	Prefix      string     `json:"prefix"`
	ASPath      []uint32   `json:"as_path"`
	Communities []string   `json:"communities"`
	LearnedFrom string     `json:"learned_from"`
	LearnedRole string     `json:"learned_role"`
	RFC7908     int        `json:"rfc7908_type,omitempty"`
	Sent        sentJSON   `json:"sent"`
	Trace       []stepJSON `json:"trace"`
}

type sentJSON struct {
	ASPath      []uint32 `json:"as_path"`
	Communities []string `json:"communities"`
}

type stepJSON struct {
	Location device.Pos `json:"location"`
	Step     string     `json:"step,omitempty"`
	Policy   string     `json:"policy,omitempty"`
	Term     string     `json:"term,omitempty"`
	What     string     `json:"what"`
}

func (r *Report) json(w io.Writer) error {
	d := document{Format: 1, Program: "leaklint", Version: r.Version, Complete: r.Complete, Files: []fileJSON{}, Findings: []findingJSON{}, Notes: append([]string{}, r.Notes...)}
	for _, f := range r.Files {
		d.Files = append(d.Files, fileJSON{f.Path, f.Dialect, f.Understood, f.Relevant, f.Problem})
	}
	d.Langs, d.Sessions = r.Languages(), []sessionJSON{}
	for _, j := range r.Result.Judgements {
		d.Sessions = append(d.Sessions, sessionJSON{j.Pos, j.Session, j.Group, j.Role.String(), j.PeerAS, j.Verdict.String()})
	}
	if t := r.Result.Tags; t != nil {
		d.Tags = &tagsJSON{t.Holds(), t.Routers, t.Ingress, t.Internal, t.Egress, t.Broken}
	}
	d.Summary = counts{Sessions: r.Result.Sessions, Judged: r.Result.Judged, Clean: r.Result.Clean}
	for i := range r.Result.Findings {
		f := &r.Result.Findings[i]
		d.Summary.count(f)
		d.Findings = append(d.Findings, encode(f))
	}
	return indented(w, d)
}

func (c *counts) count(f *lint.Finding) {
	switch {
	case !f.Counts():
		c.Hidden++
		return
	case f.Severity == device.Error:
		c.Errors++
	case f.Severity == device.Warning:
		c.Warnings++
	default:
		c.Infos++
	}
	if f.Undecided {
		c.Unknown++
	}
}

func encode(f *lint.Finding) findingJSON {
	rule, _ := lint.Lookup(f.Rule)
	out := findingJSON{
		Rule: f.Rule, Also: f.Also, Name: rule.Name, Severity: f.Severity.String(), Verdict: "finding", Message: f.Message, Fix: f.Fix,
		Location: f.Pos, Dialect: f.Dialect, Host: f.Host, Session: f.Session, Group: f.Group, PeerAS: f.PeerAS,
		Policy: f.Policy, Term: f.Term, Set: f.Set, Fingerprint: f.Fingerprint, Baseline: f.Baseline,
	}
	switch {
	case f.Undecided:
		out.Verdict = "unknown"
	case f.Witness != nil:
		out.Verdict = "leak"
	}
	if f.Session != "" {
		out.Role, out.RoleSource = f.Role.String(), f.RoleFrom.String()
	}
	if f.Suppressed != nil {
		out.Suppressed = f.Suppressed.Reason
	}
	for _, b := range f.Blockers {
		out.Blockers = append(out.Blockers, placeJSON{b.Pos, b.Text + " " + b.Why})
	}
	for _, rel := range f.Related {
		out.Related = append(out.Related, placeJSON{rel.Pos, rel.Message})
	}
	if w := f.Witness; w != nil {
		out.Witness = &witnessJSON{
			Prefix: w.Received.Prefix.String(), ASPath: nums(w.Received.ASPath), Communities: texts(w.Received.Communities),
			LearnedFrom: w.From, LearnedRole: w.FromRole.String(), RFC7908: w.Type,
			Sent: sentJSON{nums(w.Advertised.ASPath), texts(w.Advertised.Communities)}, Trace: steps(w.Trace),
		}
	}
	return out
}

func nums(in []uint32) []uint32 { return append([]uint32{}, in...) }

func texts(cs []device.Community) []string {
	out := []string{}
	for _, c := range cs {
		out = append(out, c.Text)
	}
	return out
}

func steps(es []concrete.Event) []stepJSON {
	out := []stepJSON{}
	for _, e := range es {
		out = append(out, stepJSON{e.Pos, e.Step, e.Policy, e.Term, e.What})
	}
	return out
}
