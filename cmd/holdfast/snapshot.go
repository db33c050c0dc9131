package main

import (
	"fmt"
	"strconv"
	"strings"
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
						row(w, s.Generation, utc(s.CreatedAt), yesNo(s.Active), s.Actor, s.Reason, s.ID)
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
					row(w, "environment", s.Environment)
					row(w, "made", fmt.Sprintf("%s by %s: %s", utc(s.CreatedAt), s.Actor, s.Reason))
					row(w, "active", yesNo(s.Active))
					row(w, "last known good", yesNo(s.LastKnownGood))
					row(w, "routes", families(s.Routes))
					row(w, "accounts", len(s.Accounts))
					row(w, "neighbors", strings.Join(s.Neighbors, ", "))
					for _, l := range s.Limits {
						row(w, "limit "+l.Name, l.Value)
					}
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
		{Name: "verify", Usage: "read every kept generation in both copies and heal what one lacks", Action: action(verifySnapshots)},
		{Name: "pin", Usage: "hold the wire at the active generation until unpin, across restarts", Flags: mutating(), Action: action(pinSnapshot)},
		{
			Name: "unpin", Usage: "let the wire follow desired state again",
			Flags:  mutating(&cli.StringFlag{Name: "accept", Usage: "`SNAPSHOT` that plan show says desired state leads to; needed when anything differs"}),
			Action: action(unpinSnapshot),
		},
	}
}

func verifySnapshots(c *cli.Context, conn *connection) error {
	a := conn.get(conn.VerifySnapshots(c.Context, nil, client.ReasonOnly{}))
	var v client.SnapshotVerification
	if err := show(c, a, &v, func(w *tabwriter.Writer) error {
		row(w, "whole", yesNo(v.Ok))
		row(w, "generations", v.Generations)
		row(w, "healed", fmt.Sprintf("%s in one of the copies", plural(len(v.Healed), "file")))
		for i, h := range v.Healed {
			if i == maxShown {
				row(w, "", fmt.Sprintf("... and %d more; -o json lists all", len(v.Healed)-maxShown))
				break
			}
			row(w, "", h)
		}
		for _, p := range v.Problems {
			row(w, "problem", p)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := a.into(&v); err != nil {
		return err
	}
	if !v.Ok {
		return fmt.Errorf("%d part(s) of the kept generations are in neither copy; the wire is unchanged", len(v.Problems))
	}
	return nil
}

func pinSnapshot(c *cli.Context, conn *connection) error {
	var s client.Status
	if err := conn.get(conn.GetStatus(c.Context)).into(&s); err != nil {
		return err
	}
	if s.Snapshot == nil {
		return fmt.Errorf("snapshot pin: there is no generation to pin yet")
	}
	plan := fmt.Sprintf("hold the wire at generation %d with its %s: nothing new is built until unpin", s.Snapshot.Generation, families(s.Advertised))
	reason, err := prepare(c, mutation{verb: "snapshot pin", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	return showPin(c, conn.get(conn.PinSnapshot(c.Context, nil, client.ReasonRequired{Reason: reason})))
}

// unpinSnapshot shows what unpinning leads to before it does so.
func unpinSnapshot(c *cli.Context, conn *connection) error {
	var p client.Plan
	if err := conn.get(conn.GetPlan(c.Context)).into(&p); err != nil {
		return err
	}
	before, withdraw, advertise := 0, 0, 0
	for _, n := range p.Impact.Total {
		before, withdraw, advertise = before+n.Before, withdraw+n.Withdraw, advertise+n.Advertise
	}
	plan := fmt.Sprintf("let the wire follow desired state again: %d change(s), advertises %d, withdraws %s", len(p.Changes), advertise, percent(withdraw, before))
	reason, err := prepare(c, mutation{verb: "snapshot unpin", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	body := client.Unpin{Reason: reason}
	if a := c.String("accept"); a != "" {
		body.Accept = &a
	}
	return showPin(c, conn.get(conn.UnpinSnapshot(c.Context, nil, body)))
}

func showPin(c *cli.Context, a answer) error {
	var p client.Pin
	return show(c, a, &p, func(w *tabwriter.Writer) error {
		row(w, "pinned", yesNo(p.Pinned))
		if p.Pinned {
			row(w, "generation", p.Generation)
			row(w, "by", p.Actor)
			row(w, "reason", p.Reason)
			row(w, "since", optional(p.At))
		}
		return nil
	})
}

func generation(s string) (int64, error) {
	g, err := strconv.ParseInt(s, 10, 64)
	if err != nil || g < 1 {
		return 0, strictcli.Usage("generation %q: want a number from 1; see holdfast snapshot list", s)
	}
	return g, nil
}
