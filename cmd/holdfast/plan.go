package main

import (
	"fmt"
	"sort"
	"text/tabwriter"

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

// showPlan prints counts and percentages first, then the changes.
func showPlan(c *cli.Context, a answer) error {
	var p client.Plan
	return show(c, a, &p, func(w *tabwriter.Writer) error {
		row(w, "from", p.From, "to", p.To)
		row(w, "verdict", p.Verdict)
		for _, f := range p.Findings {
			row(w, "", f.Rule+": "+f.Why)
		}
		row(w, "OVER", "FAMILY", "BEFORE", "AFTER", "ADVERTISE", "WITHDRAW", "MODIFY")
		drawCounts(w, "all", p.Impact.Total)
		drawCounts(w, "customers", p.Impact.Customer)
		for _, name := range sorted(p.Impact.Neighbor) {
			drawCounts(w, "neighbor "+name, p.Impact.Neighbor[name])
		}
		for _, id := range sorted(p.Impact.Account) {
			drawCounts(w, "account "+id, p.Impact.Account[id])
		}
		for i, ch := range p.Changes {
			if i == maxShown {
				row(w, fmt.Sprintf("... and %d more; -o json lists all", len(p.Changes)-maxShown))
				break
			}
			until := ""
			if a := ch.After; a != nil && a.DrainingUntil != nil {
				until = "draining until " + utc(*a.DrainingUntil)
			}
			row(w, ch.Kind, ch.Cidr, ch.Account, until)
		}
		return nil
	})
}

func drawCounts(w *tabwriter.Writer, over string, counts map[string]client.PlanCount) {
	for _, f := range sorted(counts) {
		n := counts[f]
		row(w, over, f, n.Before, n.After, n.Advertise, fmt.Sprintf("%d (%s %%)", n.Withdraw, n.WithdrawPercent), n.Modify)
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
