//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
)

// printer writes what a person reads.
type printer struct {
	out   io.Writer
	begun time.Time
}

func newPrinter(out io.Writer) printer { return printer{out: out, begun: time.Now()} }

// Write errors are not handled: without a reader there is nobody to tell, and
// the exit code still speaks.
func (p printer) say(format string, args ...any) {
	fmt.Fprintf(p.out, "%6.1f s  %s\n", time.Since(p.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (p printer) heading(text string) {
	fmt.Fprintf(p.out, "\n%s\n%s\n", text, strings.Repeat("═", len([]rune(text))))
}

func (p printer) replay(mark byte, name, what string) {
	fmt.Fprintln(p.out)
	p.say("%c  %s: %s", mark, name, what)
}

// told says what the neighbor holds, and what was refused or held and why.
func (p printer) told(r replay) {
	for _, q := range r.queries {
		p.say("   %d  %s", q.status, q.path)
	}
	for _, a := range r.told {
		text := fmt.Sprintf("%s answers %d %s", thousands(a.count), a.status, http.StatusText(a.status))
		if a.code != "" {
			text += ", " + a.code
		}
		if a.why != "" {
			text += ": " + a.why
		}
		p.say("   %s", text)
	}
	for _, s := range r.scopes {
		p.say("   breaker: %s, trip %s: %s", strings.TrimSpace(fmt.Sprint(s.Scope, " ", s.Key, " ", s.State)), s.TripID, s.Reason)
	}
	if r.refusal != "" {
		p.say("   not built: %s", r.refusal)
	}
	p.say("   the neighbor holds %s of %s; at the worst moment %s", thousands(r.after), thousands(r.before), thousands(r.lowest))
}

func (p printer) emptied(list []emptied) {
	var parts []string
	for _, e := range list {
		parts = append(parts, fmt.Sprintf("%s %s", thousands(int(e.rows)), e.table))
	}
	p.say("   deleted: %s", strings.Join(parts, ", "))
}

func (p printer) rolledBack(r client.RollbackResult) {
	p.say("   holdfast rollback --all --to %d: generation %d, %d put back%s", r.To, r.Generation, r.Advertised, suffix(r))
}

func suffix(r client.RollbackResult) string {
	if r.Pinned {
		return ", pinned"
	}
	return ""
}

func (p printer) restored(r replay) {
	if r.took == 0 {
		p.say("   the neighbor holds %s: there was nothing to restore", thousands(r.restored))
		return
	}
	p.say("   the neighbor holds %s again %s after the command", thousands(r.restored), r.took.Round(time.Millisecond))
}

// graphs draws a run at full scale and, where it fits, the floor from near by.
func (p printer) graphs(o *outcome) {
	var marks []mark
	for _, r := range o.replays {
		marks = append(marks, mark{r.begun, r.mark}, mark{r.entered, '^'})
	}
	g := graph{line: o.line, from: o.from, to: o.to, low: 0, high: full, width: 78, height: 14, marks: marks}
	fmt.Fprintf(p.out, "\nPrefixes at the neighbor, %s (a to d: replays, ^: restored)\n\n%s", o.title, g.draw())
	if least, _ := o.line.extent(o.from, o.to); least >= floor-100 {
		g.low, g.bar, g.height = min(floor-7, least), floor, 8
		fmt.Fprintf(p.out, "\nThe same from near by; the dotted line is the floor, %s\n\n%s", thousands(floor), g.draw())
	}
}

// compare puts the two runs side by side.
func (p printer) compare(with, without *outcome) {
	p.heading("Side by side, at the neighbor")
	line := func(what, a, b string) { fmt.Fprintf(p.out, "%-44s %-18s %s\n", what, a, b) }
	line("", "with Holdfast", "without")
	for _, r := range without.replays {
		for _, w := range with.replays {
			if w.mark == r.mark {
				line(r.name+": prefixes gone", thousands(w.lost()), thousands(r.lost()))
			}
		}
	}
	for _, w := range with.replays {
		if w.took > 0 {
			line(w.name+": way back", w.took.Round(time.Millisecond).String(), "6 h 07 min on that day")
		}
	}
}

// verdict prints what was missed and is the program's result.
func (p printer) verdict(bars []bar) error {
	missed := 0
	fmt.Fprintln(p.out)
	for _, b := range bars {
		if !b.met {
			missed++
			fmt.Fprintf(p.out, "MISSED  %s: %s\n", b.name, b.got)
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d bars were missed", missed, len(bars))
	}
	p.say("all %d bars are met", len(bars))
	return nil
}
