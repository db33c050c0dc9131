package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func neighborCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "sessions and what each neighbor holds",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.NeighborList
				return show(c, conn.get(conn.ListNeighbors(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "NAME", "ADDRESS", "ASN", "ROLE", "STATE", "UP", "ADVERTISED", "TARGET")
					for _, n := range l.Items {
						row(w, n.Name, n.Address, n.Asn, n.Role, n.State, time.Duration(n.UptimeSeconds)*time.Second, families(n.Advertised), families(n.Target))
					}
					return nil
				})
			}),
		},
		{
			Name: "routes", Usage: "the Adj-RIB-Out of a neighbor", ArgsUsage: "NEIGHBOR",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.NeighborRouteList
				return show(c, conn.get(conn.ListNeighborRoutes(c.Context, c.Args().First())), &l, func(w *tabwriter.Writer) error {
					row(w, "PREFIX", "NEXT HOP", "AS PATH", "COMMUNITIES")
					for _, r := range l.Items {
						row(w, r.Prefix, r.NextHop, strings.Trim(fmt.Sprint(r.AsPath), "[]"), communities(r))
					}
					return nil
				})
			}),
		},
	}
}

func communities(r client.NeighborRoute) string {
	var all []string
	if r.Communities != nil {
		all = append(all, *r.Communities...)
	}
	if r.LargeCommunities != nil {
		all = append(all, *r.LargeCommunities...)
	}
	return strings.Join(all, " ")
}
