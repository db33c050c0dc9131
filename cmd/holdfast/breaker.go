package main

import (
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func breakerCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "status", Usage: "state of every scope, strictest first",
			Action: action(func(c *cli.Context, conn *connection) error {
				return showBreaker(c, conn.get(conn.GetBreaker(c.Context)))
			}),
		},
		{
			Name: "reset", Usage: "close a scope that has tripped",
			Flags: mutating(
				&cli.StringFlag{Name: "scope", Usage: "global, account, actor, neighbor or service", Value: "global"},
				&cli.StringFlag{Name: "key", Usage: "`KEY` of the scope, as status prints it"},
				&cli.StringFlag{Name: "trip", Usage: "`TRIP_ID`, as status prints it", Required: true},
			),
			Action: action(resetBreaker),
		},
	}
}

func resetBreaker(c *cli.Context, conn *connection) error {
	body := client.BreakerReset{Scope: client.BreakerResetScope(c.String("scope")), TripID: c.String("trip")}
	name := c.String("scope")
	if k := c.String("key"); k != "" {
		body.Key, name = &k, name+" "+k
	}
	reason, err := prepare(c, mutation{verb: "breaker reset", plan: "close " + name + ", trip " + body.TripID + ": what was held may then be withdrawn", destructive: true})
	if err != nil {
		return err
	}
	body.Reason = reason
	return showBreaker(c, conn.get(conn.ResetBreaker(c.Context, nil, body)))
}

func showBreaker(c *cli.Context, a answer) error {
	var b client.Breaker
	return show(c, a, &b, func(w *tabwriter.Writer) error {
		row(w, "state", b.State)
		row(w, "SCOPE", "KEY", "STATE", "TRIP", "SINCE", "REASON")
		for _, s := range b.Scopes {
			row(w, s.Scope, s.Key, s.State, s.TripID, optional(s.Since), s.Reason)
		}
		return nil
	})
}
