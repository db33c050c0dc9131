package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// quality is one issue of GitLab's Code Quality report.
type quality struct {
	Description string          `json:"description"`
	CheckName   string          `json:"check_name"`
	Fingerprint string          `json:"fingerprint"`
	Severity    string          `json:"severity"`
	Location    qualityLocation `json:"location"`
}

type qualityLocation struct {
	Path  string       `json:"path"`
	Lines qualityLines `json:"lines"`
}

type qualityLines struct {
	Begin int `json:"begin"`
}

var qualitySeverities = map[device.Severity]string{device.Error: "critical", device.Warning: "major", device.Info: "info"}

// gitlab writes a Code Quality report. GitLab shows one issue per fingerprint,
// so that findings that share one are told apart by their order.
func (r *Report) gitlab(w io.Writer) error {
	out := []quality{}
	seen := map[string]int{}
	for i := range r.Result.Findings {
		f := &r.Result.Findings[i]
		if !f.Counts() {
			continue
		}
		print := f.Fingerprint
		if n := seen[print]; n > 0 {
			sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", print, n))
			print = hex.EncodeToString(sum[:16])
		}
		seen[f.Fingerprint]++
		severity := qualitySeverities[f.Severity]
		if f.Witness != nil && !f.Undecided {
			severity = "blocker"
		}
		text := f.Message
		if f.Fix != "" {
			text += ". Fix: " + f.Fix
		}
		out = append(out, quality{
			Description: f.Rules() + ": " + text, CheckName: f.Rule, Fingerprint: print, Severity: severity,
			Location: qualityLocation{filepath.ToSlash(f.Pos.File), qualityLines{max(f.Pos.Line, 1)}},
		})
	}
	return indented(w, out)
}

func indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
