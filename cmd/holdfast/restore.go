package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func damageCommand() *cli.Command {
	return &cli.Command{
		Name: "damage", Usage: "what is not as it was, and the command that repairs it",
		Flags:  []cli.Flag{&cli.Int64Flag{Name: "since", Usage: "`GENERATION` that was good; the active one if left out"}},
		Action: action(damage),
	}
}

func damage(c *cli.Context, conn *connection) error {
	var params client.GetDamageParams
	if c.IsSet("since") {
		g := c.Int64("since")
		if g < 1 {
			return strictcli.Usage("damage: --since %d: want a generation from 1; see holdfast snapshot list", g)
		}
		params.SinceGeneration = &g
	}
	var d client.Damage
	return show(c, conn.get(conn.GetDamage(c.Context, &params)), &d, func(w *tabwriter.Writer) error {
		total := 0
		for _, n := range d.Counts {
			total += n
		}
		row(w, "compared with", fmt.Sprintf("generation %d", d.Generation))
		if d.Intent == client.DamageIntentLost {
			row(w, "desired state", "lost; this is the wire. holdfast restore --all rebuilds it from the snapshot")
		}
		for _, class := range sorted(d.Counts) {
			row(w, class, percent(d.Counts[class], total))
		}
		row(w, "down on purpose", len(d.DownOnPurpose))
		for i, a := range d.Accounts {
			if i == maxShown {
				row(w, fmt.Sprintf("... and %d more accounts; -o json lists all", len(d.Accounts)-maxShown))
				break
			}
			row(w, "account "+a.Account, a.Name, a.Class, a.Repair)
		}
		for i, l := range d.Losses {
			if i == maxShown {
				row(w, fmt.Sprintf("... and %d more routes; -o json lists all", len(d.Losses)-maxShown))
				break
			}
			row(w, l.Cidr, l.Account, l.Class, l.Repair)
		}
		for _, n := range d.DownOnPurpose {
			row(w, n.Cidr, n.Account, "down on purpose", fmt.Sprintf("%s by %s: %s", n.Intent, n.Author, n.Reason))
		}
		return nil
	})
}

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name:  "restore",
		Usage: "put desired state and the wire back to a good generation, bindings first; rebuilds a lost database",
		Flags: mutating(
			&cli.BoolFlag{Name: "all", Usage: "every account"},
			&cli.StringFlag{Name: "account", Usage: "only `ACCOUNT`, by id or name; by id alone while the database is gone"},
			&cli.Int64Flag{Name: "to", Usage: "`GENERATION` that was good; the active one if left out"},
			&cli.IntFlag{Name: "rate", Usage: "at most `N` routes a second are advertised again; all at once if left out"},
			&cli.StringSliceFlag{Name: "priority", Usage: "`KIND` of account that comes back first: first-party or customer; given twice, in that order"},
		),
		Action: action(restore),
	}
}

func restore(c *cli.Context, conn *connection) error {
	body := client.Restore{}
	if c.Bool("all") == c.IsSet("account") {
		return strictcli.Usage("restore: say what to restore: --all or --account ACCOUNT")
	}
	all, what := true, "all accounts"
	if body.All = &all; c.IsSet("account") {
		a, err := conn.account(c, c.String("account"))
		if err != nil {
			return err
		}
		body.All, body.AccountID, what = nil, &a, "account "+a
	}
	if c.IsSet("to") {
		to := c.Int64("to")
		if to < 1 {
			return strictcli.Usage("restore: --to %d: want a generation from 1; see holdfast snapshot list", to)
		}
		body.To = &to
	}
	var err error
	if body.Rate, body.Priority, err = paceOf[client.RestorePriority](c); err != nil {
		return err
	}
	dry := true
	asked := body
	asked.DryRun, asked.Reason = &dry, "dry run"
	var would client.RestoreResult
	if err := conn.get(conn.Restore(c.Context, nil, asked)).into(&would); err != nil {
		return err
	}
	plan := fmt.Sprintf("restore %s to generation %d: brings back %s; %d down on purpose stay down", what, would.To,
		percent(would.Advertised, would.Of+would.Advertised), would.NegativeIntents)
	if would.Rebuilt {
		plan += "; makes desired state anew from the active snapshot"
	}
	reason, err := prepare(c, mutation{verb: "restore", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	body.Reason = reason
	var r client.RestoreResult
	return show(c, conn.get(conn.Restore(c.Context, nil, body)), &r, func(w *tabwriter.Writer) error {
		row(w, "generation", r.Generation)
		row(w, "advertised again", r.Advertised)
		row(w, "of these, later", r.Later)
		row(w, "objects made again", r.Created)
		row(w, "objects set back", r.Changed)
		row(w, "kept down on purpose", r.NegativeIntents)
		row(w, "database rebuilt", yesNo(r.Rebuilt))
		row(w, "tokens put back", r.Tokens)
		row(w, "pinned", yesNo(r.Pinned))
		row(w, "detail", r.Detail)
		return nil
	})
}
