package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

// text folds findings that differ only in the session: the first is written
// out, the others are named.
func (r *Report) text(w io.Writer) error {
	var b strings.Builder
	for _, group := range fold(r.Result.Findings) {
		r.finding(&b, group[0])
		for i, f := range group[1:] {
			if i == 5 {
				fmt.Fprintf(&b, "  also     %d more sessions\n", len(group)-1-i)
				break
			}
			fmt.Fprintf(&b, "  also     %s %s\n", f.Group, f.Session)
		}
		b.WriteByte('\n')
	}
	r.summary(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func fold(fs []lint.Finding) [][]*lint.Finding {
	type key struct {
		rule, policy, term, message string
		pos                         device.Pos
	}
	at := map[key]int{}
	var out [][]*lint.Finding
	for i := range fs {
		f := &fs[i]
		k := key{rule: f.Rules(), policy: f.Policy, term: f.Term, pos: f.Pos}
		if f.Policy == "" || f.Session == "" {
			k.message = f.Message + f.Session
		}
		if j, ok := at[k]; ok {
			out[j] = append(out[j], f)
			continue
		}
		at[k] = len(out)
		out = append(out, []*lint.Finding{f})
	}
	return out
}

func (r *Report) finding(b *strings.Builder, f *lint.Finding) {
	state := ""
	switch {
	case f.Suppressed != nil:
		state = " (suppressed: " + f.Suppressed.Reason + ")"
	case f.Baseline:
		state = " (in the baseline)"
	}
	fmt.Fprintf(b, "%s %s %s: %s%s\n", f.Severity, f.Rules(), f.Pos, f.Message, state)
	if line := r.line(f.Pos); line != "" {
		fmt.Fprintf(b, "  %5d |  %s\n", f.Pos.Line, line)
	}
	if w := f.Witness; w != nil && !f.Undecided {
		fmt.Fprintf(b, "  leaked   %s\n  learned  %s\n", routeText(&w.Received), learned(w))
		if w.Type > 0 {
			fmt.Fprintf(b, "  RFC 7908 type %d: %s\n", w.Type, leakTypes[w.Type])
		} else if w.FromRole == device.Internal {
			fmt.Fprintf(b, "  RFC 7908 type 4 if the ingress was a peer, type 1 if a provider\n")
		}
	}
	if w := f.Witness; w != nil {
		for _, e := range w.Trace {
			fmt.Fprintf(b, "  trace    %s %s %s: %s\n", e.Pos, e.Policy, e.Term, e.What)
		}
	}
	for _, rel := range f.Related {
		fmt.Fprintf(b, "  see      %s %s\n", rel.Pos, rel.Message)
	}
	if f.Fix != "" {
		fmt.Fprintf(b, "  fix      %s\n", f.Fix)
	}
}

func (r *Report) summary(b *strings.Builder) {
	counts := map[device.Severity]int{}
	hidden := 0
	for i := range r.Result.Findings {
		if f := &r.Result.Findings[i]; f.Counts() {
			counts[f.Severity]++
		} else {
			hidden++
		}
	}
	for _, f := range r.Files {
		if f.Problem != "" {
			fmt.Fprintf(b, "%s: not judged: %s\n", f.Path, f.Problem)
		}
	}
	for _, l := range r.Languages() {
		fmt.Fprintf(b, "%s: %d of %d lines that bear on policy understood (%.1f %%), %d files\n", l.Dialect, l.Understood, l.Relevant, l.Percent(), l.Files)
	}
	if t := r.Result.Tags; t != nil {
		state := "hold"
		if !t.Holds() {
			state = fmt.Sprintf("are broken at %d places", t.Broken)
		}
		fmt.Fprintf(b, "tags %s: %d ingress, %d internal and %d egress sessions of %d routers\n", state, t.Ingress, t.Internal, t.Egress, t.Routers)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "note: %s\n", n)
	}
	fmt.Fprintf(b, "%d errors, %d warnings, %d notices", counts[device.Error], counts[device.Warning], counts[device.Info])
	if hidden > 0 {
		fmt.Fprintf(b, ", %d suppressed or known", hidden)
	}
	fmt.Fprintf(b, "; %d files, %d sessions, %d external ones judged, %d proved clean\n", len(r.Files), r.Result.Sessions, r.Result.Judged, r.Result.Clean)
}
