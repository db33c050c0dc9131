package main

import (
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func edgeCommands() []*cli.Command {
	return []*cli.Command{{
		Name: "list", Usage: "edge machines, and which of them are behind or were not heard lately",
		Action: action(func(c *cli.Context, conn *connection) error {
			var l client.EdgeMachineList
			return show(c, conn.get(conn.ListEdgeMachines(c.Context)), &l, func(w *tabwriter.Writer) error {
				row(w, "MACHINE", "SITE", "STATE", "ACKNOWLEDGED", "BEHIND", "SEEN")
				for _, m := range l.Items {
					row(w, m.Name, m.Site, m.State, m.Generation, yesNo(m.Behind), utc(m.SeenAt))
				}
				return nil
			})
		}),
	}}
}
