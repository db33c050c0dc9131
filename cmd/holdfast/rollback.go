package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func rollbackCommand() *cli.Command {
	return &cli.Command{
		Name:  "rollback",
		Usage: "put back what an earlier generation advertised; works while the breaker is open",
		Flags: mutating(
			&cli.BoolFlag{Name: "all", Usage: "every account"},
			&cli.Int64Flag{Name: "to", Usage: "`GENERATION`; the one before the active one if left out"},
		),
		Action: action(rollback),
	}
}

func rollback(c *cli.Context, conn *connection) error {
	if !c.Bool("all") {
		return strictcli.Usage("rollback: say what to roll back: --all")
	}
	body := client.Rollback{}
	all, where := true, "the generation before the active one"
	body.All = &all
	if c.IsSet("to") {
		to := c.Int64("to")
		if to < 1 {
			return strictcli.Usage("rollback: --to %d: want a generation from 1; see holdfast snapshot list", to)
		}
		body.To, where = &to, fmt.Sprintf("generation %d", to)
	}
	reason, err := prepare(c, mutation{verb: "rollback", plan: "roll all accounts back to " + where + "; what is down on purpose stays down", destructive: true})
	if err != nil {
		return err
	}
	body.Reason = reason
	var r client.RollbackResult
	return show(c, conn.get(conn.Rollback(c.Context, nil, body)), &r, func(w *tabwriter.Writer) error {
		row(w, "generation", fmt.Sprintf("%d, composed from %d", r.Generation, r.To))
		row(w, "advertised again", r.Advertised)
		row(w, "modified back", r.Modified)
		row(w, "left advertised", r.LeftAdvertised)
		row(w, "kept down on purpose", r.NegativeIntents)
		row(w, "pinned", yesNo(r.Pinned))
		row(w, "detail", r.Detail)
		return nil
	})
}
