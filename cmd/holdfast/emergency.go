package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

// maxEmergency is how many prefixes one emergency command may name.
const maxEmergency = 5

func emergencyCommands() []*cli.Command {
	return []*cli.Command{{
		Name: "withdraw", Usage: "take a few BGP prefixes down at once, also while everything is locked or the database is gone",
		ArgsUsage: "PREFIX...",
		Flags:     mutating(&cli.StringFlag{Name: "incident", Usage: "`ID` of the incident", Required: true}),
		Action:    action(emergencyWithdraw),
	}}
}

func emergencyWithdraw(c *cli.Context, conn *connection) error {
	n := c.Args().Len()
	if n == 0 || n > maxEmergency {
		return strictcli.Usage("emergency withdraw: %d prefixes named, want 1 to %d; a site or a neighbor is drained instead", n, maxEmergency)
	}
	body := client.EmergencyWithdraw{Incident: c.String("incident")}
	for _, text := range c.Args().Slice() {
		p, err := exactPrefix(text)
		if err != nil {
			return err
		}
		body.Prefixes = append(body.Prefixes, p.String())
	}
	dry := true
	asked := body
	asked.DryRun, asked.Reason = &dry, "dry run"
	var would client.EmergencyResult
	if err := conn.get(conn.EmergencyWithdraw(c.Context, nil, asked)).into(&would); err != nil {
		return err
	}
	plan := fmt.Sprintf("EMERGENCY %s: takes %s advertised routes off the wire at once: %s; no restore brings them back",
		body.Incident, percent(would.Advertised, would.Total), strings.Join(body.Prefixes, ", "))
	reason, err := prepare(c, mutation{verb: "emergency withdraw", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	body.Reason = reason
	var r client.EmergencyResult
	return show(c, conn.get(conn.EmergencyWithdraw(c.Context, nil, body)), &r, func(w *tabwriter.Writer) error {
		row(w, "change", optional(r.ChangeID))
		for i, p := range r.Prefixes {
			intent := ""
			if i < len(r.Intents) {
				intent = r.Intents[i]
			}
			row(w, p, "down, negative intent "+intent)
		}
		row(w, "without the database", yesNo(r.Offline))
		row(w, "detail", r.Detail)
		return nil
	})
}
