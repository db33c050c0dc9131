package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

// What GitHub shows of one step: the rest is counted, never sent and lost.
const (
	maxPerLevel = 10
	maxPerJob   = 50
)

var levels = map[device.Severity]string{device.Error: "error", device.Warning: "warning", device.Info: "notice"}

// github writes workflow commands, the worst first.
func (r *Report) github(w io.Writer) error {
	var b strings.Builder
	shown, total, left := map[string]int{}, 0, 0
	groups := fold(r.Result.Findings)
	slices.SortStableFunc(groups, func(a, b []*lint.Finding) int { return cmp.Compare(rank(a[0]), rank(b[0])) })
	for _, group := range groups {
		f := group[0]
		if !f.Counts() {
			continue
		}
		level := levels[f.Severity]
		if shown[level] == maxPerLevel || total == maxPerJob {
			left++
			continue
		}
		shown[level]++
		total++
		end := max(f.End.Line, f.Pos.Line)
		if f.End.File != "" && f.End.File != f.Pos.File {
			end = f.Pos.Line
		}
		message := f.Message
		if f.Fix != "" {
			message += "\nfix: " + f.Fix
		}
		if n := len(group) - 1; n > 0 {
			message += fmt.Sprintf("\nand %d more sessions", n)
		}
		fmt.Fprintf(&b, "::%s file=%s,line=%d,endLine=%d,title=%s::%s\n", level, property(f.Pos.File), max(f.Pos.Line, 1), max(end, 1), property("leaklint "+f.Rules()), data(message))
	}
	if left > 0 {
		fmt.Fprintf(&b, "leaklint: %d more findings than GitHub shows; see the text or SARIF report\n", left)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// rank puts what is proved before what is doubted, and that before the rest of
// its severity.
func rank(f *lint.Finding) int {
	r := 3 * int(f.Severity)
	switch {
	case f.Witness != nil && !f.Undecided:
		return r
	case f.Undecided:
		return r + 1
	}
	return r + 2
}

func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(s))
}
