package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func siteCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "sites, and which are drained",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.SiteList
				return show(c, conn.get(conn.ListSites(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "NAME", "STATE", "NEIGHBORS", "ROUTES", "LOAD", "DOWN AT", "BY", "REASON")
					for _, s := range l.Items {
						at := ""
						if s.DownAt != nil {
							at = utc(*s.DownAt)
						}
						row(w, s.Name, s.State, strings.Join(s.Neighbors, " "), s.Routes, carried(s.Load, s.Capacity), at, optional(s.By), optional(s.Reason))
					}
					return nil
				})
			}),
		},
		{
			Name: "drain", Usage: "de-prefer what the neighbors of a site get, wait, then withdraw it", ArgsUsage: "SITE",
			Flags: draining(), Action: action(func(c *cli.Context, conn *connection) error {
				return drain(c, "site", func(r client.DrainRequest) answer {
					return conn.get(conn.DrainSite(c.Context, c.Args().First(), nil, r))
				})
			}),
		},
		{
			Name: "undrain", Usage: "give the neighbors of a site their routes back", ArgsUsage: "SITE",
			Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
				return undrain(c, "site", func(r client.ReasonRequired) answer {
					return conn.get(conn.UndrainSite(c.Context, c.Args().First(), nil, r))
				})
			}),
		},
	}
}

// carried says what a site carries of what it can.
func carried(load, capacity *int64) string {
	switch {
	case load == nil:
		return "unknown"
	case capacity == nil || *capacity == 0:
		return fmt.Sprintf("%.3g Mbit/s", float64(*load)/1e6)
	}
	return fmt.Sprintf("%.0f %% of %.3g Gbit/s", 100*float64(*load)/float64(*capacity), float64(*capacity)/1e9)
}

// neighborDrainCommands are those of one neighbor.
func neighborDrainCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "shutdown", Usage: "drain a neighbor, then end its session and keep it down; it is told the reason", ArgsUsage: "NEIGHBOR",
			Flags: draining(), Action: action(func(c *cli.Context, conn *connection) error {
				return drain(c, "neighbor", func(r client.DrainRequest) answer {
					return conn.get(conn.ShutdownNeighbor(c.Context, c.Args().First(), nil, r))
				})
			}),
		},
		{
			Name: "enable", Usage: "let a neighbor in again that was shut down", ArgsUsage: "NEIGHBOR",
			Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
				return undrain(c, "neighbor", func(r client.ReasonRequired) answer {
					return conn.get(conn.EnableNeighbor(c.Context, c.Args().First(), nil, r))
				})
			}),
		},
		{
			Name: "drain", Usage: "de-prefer what a neighbor gets, wait, then withdraw it", ArgsUsage: "NEIGHBOR",
			Flags: draining(), Action: action(func(c *cli.Context, conn *connection) error {
				return drain(c, "neighbor", func(r client.DrainRequest) answer {
					return conn.get(conn.DrainNeighbor(c.Context, c.Args().First(), nil, r))
				})
			}),
		},
		{
			Name: "undrain", Usage: "give a neighbor its routes back", ArgsUsage: "NEIGHBOR",
			Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
				return undrain(c, "neighbor", func(r client.ReasonRequired) answer {
					return conn.get(conn.UndrainNeighbor(c.Context, c.Args().First(), nil, r))
				})
			}),
		},
	}
}

func draining() []cli.Flag {
	return mutating(
		&cli.DurationFlag{Name: "wait", Usage: "how long routes are de-preferred before they are withdrawn (default: bgp.drain.wait)"},
		&cli.StringFlag{Name: "accept-risk", Usage: "`RISK` to take: below-min-sites, or over-capacity"},
	)
}

// drain asks the daemon what would happen before it happens.
func drain(c *cli.Context, what string, send func(client.DrainRequest) answer) error {
	if c.Args().Len() != 1 {
		return strictcli.Usage("%s %s: name one %s", what, c.Command.Name, what)
	}
	dry := true
	r := client.DrainRequest{Reason: "dry run", DryRun: &dry}
	if c.IsSet("wait") {
		if d := c.Duration("wait"); d < 0 || d > 24*time.Hour || d%time.Second != 0 {
			return strictcli.Usage("--wait %s: want whole seconds, at most 24h", d)
		}
		r.WaitSeconds = new(int)
		*r.WaitSeconds = int(c.Duration("wait") / time.Second)
	}
	if risk := c.String("accept-risk"); risk != "" {
		var risks []client.DrainRequestAcceptRisk
		for _, name := range strings.Split(risk, ",") {
			one := client.DrainRequestAcceptRisk(name)
			if one != client.DrainRequestAcceptRiskBelowMinSites && one != client.DrainRequestAcceptRiskOverCapacity {
				return strictcli.Usage("--accept-risk %q: there are below-min-sites and over-capacity", name)
			}
			risks = append(risks, one)
		}
		r.AcceptRisk = &risks
	}
	var would client.Drain
	if err := send(r).into(&would); err != nil {
		return err
	}
	plan := fmt.Sprintf("%s %s %s: %s", c.Command.Name, what, c.Args().First(), would.Detail)
	if n := len(would.BelowMinSites); n > 0 {
		const shown = 10
		plan += fmt.Sprintf("; %d prefixes would have fewer sites than a service needs: %s", n, strings.Join(would.BelowMinSites[:min(shown, n)], " "))
		if n > shown {
			plan += fmt.Sprintf(" and %d more", n-shown)
		}
	}
	reason, err := prepare(c, mutation{verb: what + " " + c.Command.Name, plan: plan, destructive: true})
	if err != nil {
		return err
	}
	r.Reason, r.DryRun = reason, nil
	return showDrain(c, send(r))
}

func undrain(c *cli.Context, what string, send func(client.ReasonRequired) answer) error {
	if c.Args().Len() != 1 {
		return strictcli.Usage("%s %s: name one %s", what, c.Command.Name, what)
	}
	reason, err := prepare(c, mutation{verb: what + " " + c.Command.Name, plan: fmt.Sprintf("put %s %s back into service", what, c.Args().First())})
	if err != nil {
		return err
	}
	return showDrain(c, send(client.ReasonRequired{Reason: reason}))
}

func showDrain(c *cli.Context, a answer) error {
	var d client.Drain
	return show(c, a, &d, func(w *tabwriter.Writer) error {
		row(w, string(d.What), d.Name)
		row(w, "state", d.State)
		row(w, "routes", d.Routes)
		for _, p := range d.BelowMinSites {
			row(w, "below min_sites", p)
		}
		row(w, "detail", d.Detail)
		if d.ChangeID != nil {
			row(w, "change", *d.ChangeID)
		}
		return nil
	})
}
