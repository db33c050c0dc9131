package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func killSwitchCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "every switch, what turning it off does and what it is when nobody knows",
			Action: action(func(c *cli.Context, conn *connection) error {
				return showSwitches(c, conn.get(conn.ListKillSwitches(c.Context)))
			}),
		},
		{Name: "set", Usage: "turn a switch off or on", ArgsUsage: "NAME on|off", Flags: mutating(), Action: action(setKillSwitch)},
	}
}

// setKillSwitch prints what the switch does, side effects too, before it is
// turned (UX-15).
func setKillSwitch(c *cli.Context, conn *connection) error {
	name, to := c.Args().Get(0), c.Args().Get(1)
	if c.Args().Len() != 2 || to != "on" && to != "off" {
		return strictcli.Usage("kill-switch set: want NAME and on or off; see holdfast kill-switch list")
	}
	var l client.KillSwitchList
	if err := conn.get(conn.ListKillSwitches(c.Context)).into(&l); err != nil {
		return err
	}
	for _, k := range l.Items {
		if k.Name != name {
			continue
		}
		plan := fmt.Sprintf("turn %s %s; off means: %s; and: %s", name, to, k.Effect, k.Side)
		reason, err := prepare(c, mutation{verb: "kill-switch set", plan: plan, destructive: true})
		if err != nil {
			return err
		}
		return showSwitches(c, conn.get(conn.SetKillSwitch(c.Context, nil, client.KillSwitchSet{Name: name, Off: to == "off", Reason: reason})))
	}
	return strictcli.Usage("kill-switch set: there is no switch %q; see holdfast kill-switch list", name)
}

func showSwitches(c *cli.Context, a answer) error {
	var l client.KillSwitchList
	return show(c, a, &l, func(w *tabwriter.Writer) error {
		row(w, "NAME", "STATE", "IF UNKNOWN", "OFF MEANS", "SIDE EFFECT", "BY", "REASON")
		for _, k := range l.Items {
			state := "on"
			if k.Off {
				state = "off"
			}
			row(w, k.Name, state, k.Fails, k.Effect, k.Side, optional(k.By), optional(k.Reason))
		}
		return nil
	})
}
