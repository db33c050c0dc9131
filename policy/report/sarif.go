package report

import (
	"io"
	"net/url"
	"path/filepath"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// fingerprintKey names the scheme of our fingerprints; a new one gets a new key.
const fingerprintKey = "leaklint/v1"

const home = "https://github.com/holdfast-bgp/holdfast"

// maxLocations is how many related places GitHub shows of one result.
const maxLocations = 100

// maxResults is how many results GitHub takes of one run; the worst come first.
const maxResults = 25_000

var sarifLevels = map[device.Severity]string{device.Error: "error", device.Warning: "warning", device.Info: "note"}

// sarif writes SARIF 2.1.0 with the way of the witness as code flow.
func (r *Report) sarif(w io.Writer) error {
	out := sarif.NewReport()
	run := sarif.NewRunWithInformationURI("leaklint", home)
	run.Tool.Driver.Version = &r.Version
	index := map[string]int{}
	for i, rule := range lint.Rules() {
		index[rule.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, descriptor(rule))
	}
	inv := sarif.NewInvocation()
	inv.ExecutionSuccessful = &r.Complete
	for i := range r.Result.Findings[:min(len(r.Result.Findings), maxResults)] {
		f := &r.Result.Findings[i]
		run.Results = append(run.Results, result(f, index[f.Rule], r.Compared))
		if f.Undecided || f.Rule == "RL902" {
			note := sarif.NewNotification()
			note.Level, note.Message, note.Locations = sarifLevels[f.Severity], sarif.NewTextMessage(f.Message), []*sarif.Location{location(f.Pos, device.Pos{})}
			inv.ToolExecutionNotifications = append(inv.ToolExecutionNotifications, note)
		}
	}
	run.Invocations = []*sarif.Invocation{inv}
	out.Runs = []*sarif.Run{run}
	return indented(w, out)
}

func descriptor(rule lint.Rule) *sarif.ReportingDescriptor {
	d := sarif.NewRule(rule.ID)
	d.Name = &rule.Name
	title, help := rule.Title, rule.Explain()
	uri := rulePage(rule.ID)
	d.HelpURI = &uri
	d.ShortDescription = sarif.NewMultiformatMessageString()
	d.ShortDescription.Text = &title
	d.Help = sarif.NewMultiformatMessageString()
	d.Help.Text = &help
	d.DefaultConfiguration = sarif.NewReportingConfiguration()
	d.DefaultConfiguration.Enabled, d.DefaultConfiguration.Level = true, sarifLevels[rule.Severity]
	d.Properties = sarif.NewPropertyBag()
	d.Properties.Properties["security-severity"] = securitySeverities[rule.Severity]
	d.Properties.Properties["precision"] = precision(rule.ID)
	d.Properties.Tags = []string{"bgp", "route-leak", "security"}
	return d
}

// securitySeverities are on GitHub's scale: 9 critical, 7 high, 4 medium.
var securitySeverities = map[device.Severity]string{device.Error: "8.0", device.Warning: "5.0", device.Info: "2.0"}

// precision: what is proved and replayed is certain, what is read off the text
// of a policy less so.
func precision(id string) string {
	switch id[:3] {
	case "RL1", "RL5", "RL9":
		return "very-high"
	case "RL6", "RL7":
		return "medium"
	}
	return "high"
}

func result(f *lint.Finding, index int, compared bool) *sarif.Result {
	res := sarif.NewRuleResult(f.Rule)
	res.RuleIndex, res.Level, res.Kind = index, sarifLevels[f.Severity], "fail"
	text := f.Message
	if f.Fix != "" {
		text += ". Fix: " + f.Fix
	}
	res.Message = sarif.NewTextMessage(text)
	at := location(f.Pos, f.End)
	if named := logical(f); named != nil {
		at.LogicalLocations = named // an absent list must be an empty one
	}
	res.Locations = []*sarif.Location{at}
	for _, rel := range f.Related[:min(len(f.Related), maxLocations)] {
		l := location(rel.Pos, device.Pos{})
		l.Message = sarif.NewTextMessage(rel.Message)
		res.RelatedLocations = append(res.RelatedLocations, l)
	}
	res.PartialFingerprints = map[string]string{fingerprintKey: f.Fingerprint}
	if compared {
		state := "new"
		if f.Baseline {
			state = "unchanged"
		}
		res.BaselineState = &state
	}
	if f.Suppressed != nil {
		s := sarif.NewSuppression()
		kind := "inSource"
		s.Kind, s.Justification = &kind, &f.Suppressed.Reason
		res.Suppressions = []*sarif.Suppression{s}
	}
	if w := f.Witness; w != nil && len(w.Trace) > 0 {
		res.CodeFlows = []*sarif.CodeFlow{codeFlow(w)}
	}
	return res
}

func logical(f *lint.Finding) []*sarif.LogicalLocation {
	var out []*sarif.LogicalLocation
	for _, l := range []struct{ kind, name string }{{"session", f.Session}, {"policy", f.Policy}, {"term", f.Term}} {
		if l.name == "" {
			continue
		}
		n := sarif.NewLogicalLocation()
		kind, name := l.kind, l.name
		n.Kind, n.Name, n.Index, n.ParentIndex = &kind, &name, -1, -1
		out = append(out, n)
	}
	return out
}

func codeFlow(w *lint.Witness) *sarif.CodeFlow {
	flow, thread := sarif.NewCodeFlow(), sarif.NewThreadFlow()
	flow.Message = sarif.NewTextMessage(routeText(&w.Received) + "  learned from " + learned(w))
	for i, e := range w.Trace {
		step := sarif.NewThreadFlowLocation()
		step.Location = location(e.Pos, device.Pos{})
		step.Location.Message = sarif.NewTextMessage(e.Policy + " " + e.Term + ": " + e.What)
		step.ExecutionOrder, step.Index, step.Importance = i+1, -1, "important"
		thread.Locations = append(thread.Locations, step)
	}
	flow.ThreadFlows = []*sarif.ThreadFlow{thread}
	return flow
}

func location(p, end device.Pos) *sarif.Location {
	if p.IsZero() {
		return sarif.NewLocation()
	}
	phys := sarif.NewPhysicalLocation()
	phys.ArtifactLocation = sarif.NewSimpleArtifactLocation((&url.URL{Path: filepath.ToSlash(p.File)}).String())
	phys.Region = sarif.NewRegion()
	line := p.Line
	phys.Region.StartLine = &line
	phys.Region.CharOffset, phys.Region.ByteOffset = -1, -1
	if p.Col > 0 {
		col := p.Col
		phys.Region.StartColumn = &col
	}
	if end.File == p.File && end.Line > p.Line {
		last := end.Line
		phys.Region.EndLine = &last
	}
	return sarif.NewLocationWithPhysicalLocation(phys)
}
