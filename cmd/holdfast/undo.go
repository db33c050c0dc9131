package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func undoCommand() *cli.Command {
	return &cli.Command{Name: "undo", Usage: "take one change back", ArgsUsage: "CHANGE", Flags: mutating(
		&cli.StringSliceFlag{Name: "lift", Usage: "negative intent `ID` that the change made and that is lifted with it; may be given several times"},
	), Action: action(undo)}
}

// undo shows what the change did before it is taken back.
func undo(c *cli.Context, conn *connection) error {
	id := c.Args().First()
	var was client.Change
	if err := conn.get(conn.GetChange(c.Context, id)).into(&was); err != nil {
		return err
	}
	total, err := conn.advertised(c)
	if err != nil {
		return err
	}
	n := effects(was)
	plan := fmt.Sprintf("take back %s of %s by %s (%q): brings back %s, withdraws %s, changes %d", was.Verb, utc(was.At), was.Actor.ID, was.Reason,
		percent(n["lost"], total+n["lost"]), percent(n["gained"], total), n["modified"]+n["weakened"]+n["unbound"])
	reason, err := prepare(c, mutation{verb: "undo", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	body := client.Undo{Reason: reason}
	if c.IsSet("lift") {
		ids := c.StringSlice("lift")
		body.Lift = &ids
	}
	var done client.Change
	return show(c, conn.get(conn.UndoChange(c.Context, id, nil, body)), &done, func(w *tabwriter.Writer) error {
		row(w, "change", done.ChangeID)
		var parts []string
		for _, kind := range sorted(effects(done)) {
			parts = append(parts, fmt.Sprintf("%s %d", kind, effects(done)[kind]))
		}
		row(w, "effects", strings.Join(parts, ", "))
		for i, e := range done.Effects {
			if i == maxShown {
				row(w, fmt.Sprintf("... and %d more; -o json lists all", len(done.Effects)-maxShown))
				break
			}
			row(w, e.Kind, e.Cidr)
		}
		return nil
	})
}

func effects(ch client.Change) map[string]int {
	n := map[string]int{}
	for _, e := range ch.Effects {
		n[string(e.Kind)]++
	}
	return n
}
