package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frr"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

var update = flag.Bool("update", false, "write testdata/golden")

// edge is a router with something of everything: a leak, a default route sent
// past the filters, an undecided session, a suppressed finding.
const edge = `frr version 8.4
hostname edge2
router bgp 64496
 neighbor 192.0.2.1 remote-as 64500
 neighbor 192.0.2.1 description transit
 neighbor 192.0.2.5 remote-as 64511
 neighbor 192.0.2.5 description peer
 neighbor 192.0.2.7 remote-as 64512
 neighbor 192.0.2.7 description peer
 address-family ipv4 unicast
  neighbor 192.0.2.1 route-map OUT out
  neighbor 192.0.2.1 default-originate
  ! leaklint:ignore RL401 reason="a collector" until=2999-12-31
  neighbor 192.0.2.5 route-map MAYBE out
  neighbor 192.0.2.7 route-map NONE out
 exit-address-family
route-map OUT permit 10
 set community no-export additive
route-map MAYBE permit 10
 match probability 50
ip prefix-list OWN seq 5 permit 203.0.113.0/24
! leaklint:ignore RL305 reason="kept for the audit"
bgp community-list standard BOGON-TAG permit 64496:666
`

func specimen(t *testing.T) *Report {
	t.Helper()
	text := after(t)
	cfgs := []*device.Config{
		junos.Parse(device.Input{Path: "routers/after.conf", Data: []byte(text)}), frr.Parse(device.Input{Path: "routers/edge 2.conf", Data: []byte(edge)}),
	}
	r := &Report{Version: "0.0.0-test", Result: lint.None().Check(cfgs...), Complete: true, Compared: true, Notes: []string{"a note"}}
	for i, text := range []string{text, edge} {
		r.Result.Suppress(cfgs[i].Files[0].Path, []byte(text), "2026-01-31")
		f := File{Path: cfgs[i].Files[0].Path, Dialect: cfgs[i].Dialect, Lines: strings.Split(text, "\n")}
		f.Understood, f.Relevant = cfgs[i].Understood()
		r.Files = append(r.Files, f)
	}
	known := &lint.Baseline{Format: 1}
	for _, f := range r.Result.Findings {
		if f.Rule == "RL402" && len(known.Entries) == 0 {
			known.Entries = append(known.Entries, lint.BaselineEntry{Fingerprint: f.Fingerprint, Rule: f.Rule, Reason: "old"})
		}
	}
	known.Apply(r.Result, "2026-01-31")
	return r
}

// Every output is what testdata/golden has. Of SARIF only what the run says is
// kept there: the rules are in the catalogue.
func TestGolden(t *testing.T) {
	r := specimen(t)
	for _, f := range Formats {
		var b bytes.Buffer
		if err := r.Write(&b, f); err != nil {
			t.Fatal(err)
		}
		got := b.Bytes()
		if f == SARIF {
			got = withoutRules(t, got)
		}
		compare(t, string(f), got)
	}
	var b bytes.Buffer
	if err := r.Markdown(&b, StepSummary); err != nil {
		t.Fatal(err)
	}
	compare(t, "markdown", b.Bytes())
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from %s (run with -update and look at the difference):\n%s", name, path, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d:\n got %s\nwant %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

func withoutRules(t *testing.T, text []byte) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	run := doc["runs"].([]any)[0].(map[string]any)
	driver := run["tool"].(map[string]any)["driver"].(map[string]any)
	driver["rules"] = nil
	for _, res := range run["results"].([]any) {
		res.(map[string]any)["ruleIndex"] = nil
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// The SARIF report is valid by the schema of SARIF 2.1.0.
func TestSARIFIsValid(t *testing.T) {
	for _, r := range []*Report{specimen(t), {Result: &lint.Result{}}} {
		var b bytes.Buffer
		if err := r.Write(&b, SARIF); err != nil {
			t.Fatal(err)
		}
		doc, err := sarif.FromBytes(b.Bytes(), sarif.WithStrictValidation())
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Validate(); err != nil {
			t.Error(err)
		}
	}
	if err := (&sarif.Report{Version: "2.1.0", Runs: []*sarif.Run{{}}}).Validate(); err == nil {
		t.Error("a run without a tool is called valid: the schema is not asked")
	}
}

// GitLab shows one issue per fingerprint: no two are equal.
func TestGitLabFingerprintsAreUnique(t *testing.T) {
	r := &Report{Result: &lint.Result{}}
	for i := range 4 {
		r.Result.Findings = append(r.Result.Findings, lint.Finding{Rule: "RL104", Message: "x", Fingerprint: "same", Pos: device.Pos{File: "f", Line: i + 1}})
	}
	var b bytes.Buffer
	if err := r.Write(&b, GitLab); err != nil {
		t.Fatal(err)
	}
	var got []quality
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, q := range got {
		seen[q.Fingerprint] = true
	}
	if len(got) != 4 || len(seen) != 4 || !seen["same"] {
		t.Errorf("%d issues with %d fingerprints", len(got), len(seen))
	}
}

// JUnit shows what passes: a test case for every judged session and property.
func TestJUnitShowsPasses(t *testing.T) {
	r := specimen(t)
	var b bytes.Buffer
	if err := r.Write(&b, JUnit); err != nil {
		t.Fatal(err)
	}
	var doc junitSuites
	if err := xml.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, s := range doc.Suites {
		for _, c := range s.Cases {
			if c.Failure == nil && c.Error == nil && c.Skipped == nil {
				passed++
			}
		}
	}
	if want := len(r.Result.Judgements)*len(properties) + len(r.Files); doc.Tests != want || passed == 0 || doc.Failures == 0 || doc.Errors == 0 {
		t.Errorf("%d tests (want %d), %d passed, %d failures, %d errors", doc.Tests, want, passed, doc.Failures, doc.Errors)
	}
}

// The HTML report is one file that fetches nothing and runs nothing, and no
// text of a configuration breaks out of its place.
func TestHTMLIsSelfContained(t *testing.T) {
	r := specimen(t)
	r.Result.Findings[0].Message = `<script>alert("x")</script>`
	r.Files[0].Lines[r.Result.Findings[0].Pos.Line-1] = `description "</pre><img src=x>"`
	var b bytes.Buffer
	if err := r.Write(&b, HTML); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "src=\"http", "<link", "url("} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{"learned from", "advertised to", `class="way"`, "&lt;script&gt;"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// Fingerprints outlive the change between the forms of Junos, and other file
// names; another router has other ones.
func TestFingerprintsOutliveForms(t *testing.T) {
	text := "system { host-name edge1; }\n" + after(t)
	first := tree.Parse("after.conf", []byte(text))
	var set bytes.Buffer
	if err := first.WriteSet(&set); err != nil {
		t.Fatal(err)
	}
	want := fingerprints(incident(t, text))
	if got := fingerprints(incident(t, set.String())); got != want || want == "" {
		t.Errorf("as set commands:\n%s\nwant\n%s", got, want)
	}
	renamed := &Report{Result: lint.None().Check(junos.Parse(device.Input{Path: "other.conf", Data: []byte(text)}))}
	if got := fingerprints(renamed); got != want {
		t.Errorf("in another file:\n%s\nwant\n%s", got, want)
	}
	if got := fingerprints(incident(t, strings.Replace(text, "edge1", "edge2", 1))); got == want {
		t.Error("another router has the same fingerprints")
	}
}

// The step summary keeps to its size and counts what it leaves out.
func TestMarkdownLimit(t *testing.T) {
	r := &Report{Result: &lint.Result{}}
	for i := range 100 {
		r.Result.Findings = append(r.Result.Findings, lint.Finding{Rule: "RL902", Message: strings.Repeat("a|b", 30), Pos: device.Pos{File: "f", Line: i + 1}})
	}
	var b bytes.Buffer
	if err := r.Markdown(&b, 4000); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 4000 || !strings.Contains(b.String(), "more findings do not fit") || strings.Contains(b.String(), "aa|b") {
		t.Errorf("%d bytes:\n%s", b.Len(), b.String())
	}
}
