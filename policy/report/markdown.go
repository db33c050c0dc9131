package report

import (
	"fmt"
	"io"
	"strings"
)

// StepSummary is how much GitHub takes as the summary of one step.
const StepSummary = 1 << 20

// Markdown writes all findings that count as a table, for the summary of a CI
// job: annotations have room for the worst alone. What goes beyond limit bytes
// is counted.
func (r *Report) Markdown(w io.Writer, limit int) error {
	const tail = "\n%d more findings do not fit here; see the SARIF report.\n"
	var b strings.Builder
	fmt.Fprintf(&b, "### leaklint\n\n%d of %d external sessions are proved clean.\n\n", r.Result.Clean, r.Result.Judged)
	groups := fold(r.Result.Findings)
	open := 0
	for _, g := range groups {
		if g[0].Counts() {
			open++
		}
	}
	if open > 0 {
		b.WriteString("| severity | rule | where | what |\n| --- | --- | --- | --- |\n")
	}
	for _, g := range groups {
		f := g[0]
		if !f.Counts() {
			continue
		}
		text := f.Message
		if n := len(g) - 1; n > 0 {
			text += fmt.Sprintf(" (and %d more sessions)", n)
		}
		row := fmt.Sprintf("| %s | [%s](%s) | %s | %s |\n", f.Severity, f.Rules(), rulePage(f.Rule), cell(f.Pos.String()), cell(text))
		if b.Len()+len(row)+len(tail)+20 > limit {
			fmt.Fprintf(&b, tail, open)
			break
		}
		b.WriteString(row)
		open--
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell keeps a text inside of its cell.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;", "`", "'").Replace(s)
}
