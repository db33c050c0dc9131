package main

import (
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func auditCommands() []*cli.Command {
	since := func() cli.Flag {
		return &cli.DurationFlag{Name: "since", Usage: "only the last `DURATION`, e.g. 10m"}
	}
	return []*cli.Command{
		{
			Name: "list", Usage: "changes, newest first", Flags: []cli.Flag{since(), &cli.StringFlag{Name: "account", Usage: "only of `ACCOUNT`, an id or a name"}},
			Action: action(func(c *cli.Context, conn *connection) error {
				params := client.ListAuditParams{Since: sinceTime(c)}
				if c.IsSet("account") {
					a, err := conn.account(c, c.String("account"))
					if err != nil {
						return err
					}
					params.AccountID = &a
				}
				return showAudit(c, conn.get(conn.ListAudit(c.Context, &params)))
			}),
		},
		{
			Name: "top", Usage: "the busiest actors", Flags: []cli.Flag{since()},
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.AuditTopList
				return show(c, conn.get(conn.TopAudit(c.Context, &client.TopAuditParams{Since: sinceTime(c)})), &l, func(w *tabwriter.Writer) error {
					row(w, "ACTOR", "CHANGES", "LAST")
					for _, a := range l.Items {
						row(w, string(a.Actor.Kind)+"/"+a.Actor.ID, a.Changes, utc(a.LastAt))
					}
					return nil
				})
			}),
		},
		{
			Name: "verify", Usage: "check the hash chain of the audit log",
			Action: action(func(c *cli.Context, conn *connection) error {
				var v client.AuditVerification
				return show(c, conn.get(conn.VerifyAudit(c.Context)), &v, func(w *tabwriter.Writer) error {
					row(w, "intact", yesNo(v.Ok))
					row(w, "entries", v.Entries)
					row(w, "detail", v.Detail)
					return nil
				})
			}),
		},
	}
}

func sinceTime(c *cli.Context) *time.Time {
	if !c.IsSet("since") {
		return nil
	}
	t := time.Now().Add(-c.Duration("since")).UTC()
	return &t
}

func showAudit(c *cli.Context, a answer) error {
	var l client.AuditList
	return show(c, a, &l, func(w *tabwriter.Writer) error {
		row(w, "AT", "ACTOR", "VERB", "REASON", "CHANGE")
		for _, e := range l.Items {
			row(w, utc(e.At), string(e.Actor.Kind)+"/"+e.Actor.ID, e.Verb, e.Reason, e.ChangeID)
		}
		return nil
	})
}
