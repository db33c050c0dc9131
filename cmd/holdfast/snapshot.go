package main

import (
	"strconv"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func snapshotCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "list generations, newest first",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.SnapshotList
				return show(c, conn.get(conn.ListSnapshots(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "GENERATION", "CREATED", "ACTIVE", "ACTOR", "REASON", "ID")
					for _, s := range l.Items {
						row(w, s.Generation, s.CreatedAt.Format("2006-01-02 15:04:05Z"), yesNo(s.Active), s.Actor, s.Reason, s.ID)
					}
					return nil
				})
			}),
		},
		{
			Name: "show", Usage: "show one generation", ArgsUsage: "GENERATION",
			Action: action(func(c *cli.Context, conn *connection) error {
				g, err := generation(c.Args().First())
				if err != nil {
					return err
				}
				var s client.SnapshotDetail
				return show(c, conn.get(conn.GetSnapshot(c.Context, g)), &s, func(w *tabwriter.Writer) error {
					row(w, "generation", s.Generation)
					row(w, "id", s.ID)
					row(w, "reason", s.Reason)
					row(w, "routes", families(s.Routes))
					row(w, "accounts", len(s.Accounts))
					return nil
				})
			}),
		},
		{
			Name: "diff", Usage: "what changed from one generation to another", ArgsUsage: "FROM TO",
			Action: action(func(c *cli.Context, conn *connection) error {
				from, err := generation(c.Args().Get(0))
				if err != nil {
					return err
				}
				to, err := generation(c.Args().Get(1))
				if err != nil {
					return err
				}
				return showPlan(c, conn.get(conn.DiffSnapshots(c.Context, &client.DiffSnapshotsParams{From: from, To: to})))
			}),
		},
	}
}

func generation(s string) (int64, error) {
	g, err := strconv.ParseInt(s, 10, 64)
	if err != nil || g < 1 {
		return 0, strictcli.Usage("generation %q: want a number from 1; see holdfast snapshot list", s)
	}
	return g, nil
}
