package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func serviceCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "create",
			Usage: "create a service",
			Flags: mutating(
				&cli.StringFlag{Name: "name", Usage: "`NAME`, e.g. CDN", Required: true},
				&cli.IntFlag{Name: "min-sites", Usage: "a prefix on fewer sites than `N` counts as lost", Value: 1},
			),
			Action: action(createService),
		},
		{
			Name: "list", Usage: "list services",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.ServiceList
				return show(c, conn.get(conn.ListServices(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "ID", "NAME", "MIN SITES")
					for _, s := range l.Items {
						row(w, s.ID, s.Name, s.MinSites)
					}
					return nil
				})
			}),
		},
	}
}

func createService(c *cli.Context, conn *connection) error {
	reason, err := prepare(c, mutation{verb: "service create", plan: fmt.Sprintf("create service %q", c.String("name"))})
	if err != nil {
		return err
	}
	sites := c.Int("min-sites")
	var s client.Service
	return show(c, conn.get(conn.CreateService(c.Context, nil, client.ServiceCreate{Name: c.String("name"), MinSites: &sites, Reason: &reason})), &s, func(w *tabwriter.Writer) error {
		row(w, "id", s.ID)
		row(w, "name", s.Name)
		return nil
	})
}
