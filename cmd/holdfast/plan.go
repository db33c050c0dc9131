package main

import (
	"fmt"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

// maxShown bounds the changes a table lists; -o json lists them all.
const maxShown = 50

func planCommands() []*cli.Command {
	return []*cli.Command{{
		Name: "show", Usage: "what the next snapshot would change, and whether it may",
		Action: action(func(c *cli.Context, conn *connection) error {
			return showPlan(c, conn.get(conn.GetPlan(c.Context)))
		}),
	}}
}

// showPlan prints counts and percentages first, then how it would go out, then
// what each neighbor would see of it.
func showPlan(c *cli.Context, a answer) error {
	var p client.Plan
	return show(c, a, &p, func(w *tabwriter.Writer) error {
		row(w, "from", p.From)
		row(w, "to", p.To)
		drawVerdict(w, p)
		drawImpact(w, p)
		for _, id := range sorted(p.Impact.Account) {
			drawCounts(w, "account "+id, p.Impact.Account[id])
		}
		drawForecast(w, p.Rollout)
		drawChanges(w, p)
		drawTables(w, p)
		return nil
	})
}

func drawVerdict(w *tabwriter.Writer, p client.Plan) {
	row(w, "verdict", p.Verdict)
	for _, f := range p.Findings {
		row(w, "", f.Rule+": "+f.Why)
	}
}

// drawImpact draws what changes in all, and at each neighbor.
func drawImpact(w *tabwriter.Writer, p client.Plan) {
	section(w)
	row(w, "OVER", "FAMILY", "BEFORE", "AFTER", "ADVERTISE", "WITHDRAW", "MODIFY")
	drawCounts(w, "all", p.Impact.Total)
	drawCounts(w, "customers", p.Impact.Customer)
	for _, name := range sorted(p.Impact.Neighbor) {
		drawCounts(w, "neighbor "+name, p.Impact.Neighbor[name])
	}
}

func drawCounts(w *tabwriter.Writer, over string, counts map[string]client.PlanCount) {
	for _, f := range sorted(counts) {
		n := counts[f]
		row(w, over, f, n.Before, n.After, share(n.Advertise, n.GrowthPercent), share(n.Withdraw, n.WithdrawPercent), n.Modify)
	}
}

// share is a count with its percentage, which is "new" where there was nothing.
func share(n int, percent string) string {
	if percent != "new" {
		percent += " %"
	}
	return fmt.Sprintf("%d (%s)", n, percent)
}

// section is an empty line: the columns after it have widths of their own.
func section(w *tabwriter.Writer) { fmt.Fprintln(w) }

// drawForecast draws the waves that the plan would go out in.
func drawForecast(w *tabwriter.Writer, f *client.PlanRollout) {
	if f == nil {
		return
	}
	section(w)
	row(w, "at once", fmt.Sprintf("%d change(s)", f.AtOnce))
	for _, id := range sorted(f.Waits) {
		row(w, "waits", fmt.Sprintf("%d change(s) for rollout %s", f.Waits[id], id))
	}
	if f.Queued > 0 {
		until := "until the rollout that runs is over"
		if f.Holds != nil {
			until = "held: " + *f.Holds
		}
		row(w, "queued", fmt.Sprintf("%d change(s) %s", f.Queued, until))
	}
	if f.Class == nil {
		return
	}
	row(w, "in waves", *f.Class)
	row(w, "monitor", optional(f.Monitor))
	if len(f.Uncovered) > 0 {
		row(w, "not in the canaries", strings.Join(f.Uncovered, ", "))
	}
	section(w)
	row(w, "WAVE", "STAGE", "CHANGES", "ACCOUNTS", "PREFIXES", "NEIGHBORS", "SOAK")
	for i, wave := range f.Waves {
		row(w, i+1, wave.Stage, wave.Changes, first(wave.Accounts), first(wave.Prefixes), first(wave.Neighbors), soakOf(wave))
	}
}

func soakOf(wave client.RolloutWave) time.Duration {
	return time.Duration(float64(wave.SoakSeconds) * float64(time.Second))
}

func drawChanges(w *tabwriter.Writer, p client.Plan) {
	if len(p.Changes)+len(p.Network) > 0 {
		section(w)
		row(w, "CHANGE", "OF", "ACCOUNT", "LOSES")
	}
	for _, n := range p.Network {
		row(w, n.Kind, n.What+" "+n.Name, "", yesNo(n.Loses))
	}
	for i, ch := range p.Changes {
		if i == maxShown {
			row(w, fmt.Sprintf("... and %d more; -o json lists all", len(p.Changes)-maxShown))
			break
		}
		of := strings.TrimSpace(ch.Cidr + " " + optional(ch.Service))
		if a := ch.After; a != nil && a.DrainingUntil != nil {
			of += " draining until " + utc(*a.DrainingUntil)
		}
		row(w, ch.Kind, of, ch.Account, yesNo(ch.Loses))
	}
}

// drawTables draws what would change in each neighbor's Adj-RIB-Out.
func drawTables(w *tabwriter.Writer, p client.Plan) {
	for _, name := range sorted(p.Tables) {
		t := p.Tables[name]
		if len(t.Withdraw)+len(t.Advertise)+len(t.Modify)+t.More == 0 {
			continue
		}
		section(w)
		row(w, "NEIGHBOR "+name, "PREFIX", "AS PATH", "NEXT HOP", "MED", "LOCAL_PREF", "COMMUNITIES")
		shown := 0
		for _, part := range []struct {
			kind   string
			routes []client.NeighborRoute
		}{{"withdraw", t.Withdraw}, {"advertise", t.Advertise}, {"modify", t.Modify}} {
			for _, r := range part.routes[:min(len(part.routes), maxShown-shown)] {
				row(w, part.kind, r.Prefix, pathText(r.AsPath), r.NextHop, optional(r.Med), optional(r.LocalPref), communities(r))
				shown++
			}
		}
		if more := len(t.Withdraw) + len(t.Advertise) + len(t.Modify) + t.More - shown; more > 0 {
			row(w, fmt.Sprintf("... and %d more", more))
		}
	}
}

func pathText(path []int64) string { return strings.Trim(fmt.Sprint(path), "[]") }

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
