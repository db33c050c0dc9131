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
			&cli.StringFlag{Name: "account", Usage: "only `ACCOUNT`, by id or name; by id alone while the database is gone"},
			&cli.StringFlag{Name: "prefix", Usage: "only `PREFIX`, a prefix or BGP prefix exactly"},
			&cli.Int64Flag{Name: "to", Usage: "`GENERATION`; the one before the active one if left out"},
			&cli.IntFlag{Name: "rate", Usage: "at most `N` routes a second are advertised again; all at once if left out"},
			&cli.StringSliceFlag{Name: "priority", Usage: "`KIND` of account that comes back first: first-party or customer; given twice, in that order"},
		),
		Action: action(rollback),
	}
}

func rollback(c *cli.Context, conn *connection) error {
	body, what, err := rollbackOf(c, conn)
	if err != nil {
		return err
	}
	if body.Rate, body.Priority, err = paceOf[client.RollbackPriority](c); err != nil {
		return err
	}
	dry := true
	asked := body
	asked.DryRun, asked.Reason = &dry, "dry run"
	var would client.RollbackResult
	if err := conn.get(conn.Rollback(c.Context, nil, asked)).into(&would); err != nil {
		return err
	}
	plan := fmt.Sprintf("roll %s back to generation %d: advertises %s again, changes %d, leaves %d newer route(s) advertised; %d down on purpose stay down",
		what, would.To, percent(would.Advertised, would.Of+would.Advertised), would.Modified, would.LeftAdvertised, would.NegativeIntents)
	if body.Reason, err = prepare(c, mutation{verb: "rollback", plan: plan, destructive: true}); err != nil {
		return err
	}
	var r client.RollbackResult
	return show(c, conn.get(conn.Rollback(c.Context, nil, body)), &r, func(w *tabwriter.Writer) error {
		row(w, "generation", fmt.Sprintf("%d, composed from %d", r.Generation, r.To))
		row(w, "advertised again", r.Advertised)
		row(w, "of these, later", r.Later)
		row(w, "modified back", r.Modified)
		row(w, "left advertised", r.LeftAdvertised)
		row(w, "kept down on purpose", r.NegativeIntents)
		row(w, "pinned", yesNo(r.Pinned))
		row(w, "detail", r.Detail)
		return nil
	})
}

// rollbackOf reads what to roll back: one thing, and never everything unless
// that is said.
func rollbackOf(c *cli.Context, conn *connection) (body client.Rollback, what string, err error) {
	named := 0
	if c.Bool("all") {
		all := true
		body.All, what = &all, "all accounts"
		named++
	}
	if c.IsSet("account") {
		a, err := conn.account(c, c.String("account"))
		if err != nil {
			return body, "", err
		}
		body.AccountID, what = &a, "account "+a
		named++
	}
	if c.IsSet("prefix") {
		p, err := exactPrefix(c.String("prefix"))
		if err != nil {
			return body, "", err
		}
		text := p.String()
		body.Prefix, what = &text, text
		named++
	}
	if named != 1 {
		return body, "", strictcli.Usage("rollback: say what to roll back: one of --all, --account and --prefix")
	}
	if c.IsSet("to") {
		to := c.Int64("to")
		if to < 1 {
			return body, "", strictcli.Usage("rollback: --to %d: want a generation from 1; see holdfast snapshot list", to)
		}
		body.To = &to
	}
	return body, what, nil
}
