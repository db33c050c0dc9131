package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

func incident(t *testing.T, text string) *Report {
	t.Helper()
	cfg := junos.Parse(device.Input{Path: "after.conf", Data: []byte(text)})
	return &Report{Version: "test", Result: lint.None().Check(cfg), Complete: true, Files: []File{{Path: "after.conf", Dialect: device.Junos, Lines: strings.Split(text, "\n")}}}
}

func after(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../testdata/oracle/incident/after.conf")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func fingerprints(r *Report) string {
	var out []string
	for _, f := range r.Result.Findings {
		out = append(out, f.Rule+" "+f.Fingerprint)
	}
	return strings.Join(out, "\n")
}

// Fingerprints outlive other line numbers and another layout.
func TestFingerprintsAreStable(t *testing.T) {
	text := after(t)
	want := fingerprints(incident(t, text))
	moved := "/* one */\n\n\n" + text
	flat := strings.ReplaceAll(strings.ReplaceAll(text, "\n", " "), "    ", "")
	for name, other := range map[string]string{"moved": moved, "on one line": flat} {
		if got := fingerprints(incident(t, other)); got != want || want == "" {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// SARIF has what GitHub reads: a rule index that fits, a level, a region, our
// fingerprint, and the way through the terms.
func TestSARIF(t *testing.T) {
	var b bytes.Buffer
	if err := incident(t, after(t)).Write(&b, SARIF); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID              string
				RuleIndex           int
				Level               string
				PartialFingerprints map[string]string
				Locations           []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
				CodeFlows []struct {
					ThreadFlows []struct{ Locations []any }
				}
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != "2.1.0" || len(doc.Runs) != 1 || len(doc.Runs[0].Results) == 0 {
		t.Fatalf("%s", b.String()[:200])
	}
	run := doc.Runs[0]
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Level == "" || r.PartialFingerprints[fingerprintKey] == "" {
			t.Errorf("%+v", r)
		}
		if at := r.Locations[0].PhysicalLocation; at.ArtifactLocation.URI != "after.conf" || at.Region.StartLine == 0 {
			t.Errorf("%s is at %+v", r.RuleID, at)
		}
		if r.RuleID == "RL102" && (len(r.CodeFlows) == 0 || len(r.CodeFlows[0].ThreadFlows[0].Locations) == 0) {
			t.Error("the leak has no code flow")
		}
	}
}

// GitHub shows ten of a level; more are counted, and no text breaks out of its
// command.
func TestGitHubLimits(t *testing.T) {
	r := &Report{Result: &lint.Result{}}
	for i := range 25 {
		r.Result.Findings = append(r.Result.Findings, lint.Finding{Rule: "RL902", Message: fmt.Sprintf("a\n::error::b%d", i), Pos: device.Pos{File: "a,b:c", Line: i + 1}})
	}
	var b bytes.Buffer
	if err := r.Write(&b, GitHub); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 11 || !strings.Contains(lines[10], "15 more") {
		t.Errorf("%d lines: %s", len(lines), b.String())
	}
	if !strings.HasPrefix(lines[0], "::error file=a%2Cb%3Ac,line=1,endLine=1,title=leaklint RL902::a%0A::error") {
		t.Error(lines[0])
	}
}
