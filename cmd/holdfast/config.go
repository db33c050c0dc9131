package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func configCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "plan", Usage: "what the daemon's configuration file would change",
			Action: action(func(c *cli.Context, conn *connection) error {
				return showConfig(c, conn.get(conn.PlanConfig(c.Context)))
			}),
		},
		{Name: "apply", Usage: "take the daemon's configuration file over", Flags: mutating(), Action: action(applyConfig)},
	}
}

// applyConfig plans, asks, and applies the file that was planned.
func applyConfig(c *cli.Context, conn *connection) error {
	var p client.ConfigPlan
	a := conn.get(conn.PlanConfig(c.Context))
	if err := a.into(&p); err != nil {
		return err
	}
	counts := map[client.ConfigChangeKind]int{}
	var lose []string
	for _, ch := range p.Changes {
		counts[ch.Kind]++
		if ch.Loses {
			lose = append(lose, ch.Name)
		}
	}
	plan := fmt.Sprintf("take over the configuration file: %d added, %d changed, %d removed; verdict %s", counts[client.ConfigChangeKindAdd], counts[client.ConfigChangeKindChange], counts[client.ConfigChangeKindRemove], p.Plan.Verdict)
	if len(lose) > 0 {
		plan += "; routes are or can be lost at: " + strings.Join(lose, " ")
	}
	reason, err := prepare(c, mutation{verb: "config apply", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	return showConfig(c, conn.get(conn.ApplyConfig(c.Context, nil, client.ConfigApply{Reason: reason, Digest: p.Digest})))
}

func showConfig(c *cli.Context, a answer) error {
	var p client.ConfigPlan
	return show(c, a, &p, func(w *tabwriter.Writer) error {
		limits := slices.DeleteFunc(slices.Clone(p.Plan.Network), func(n client.PlanNetworkChange) bool { return n.What != "limit" })
		if len(p.Changes)+len(p.Restart)+len(limits) > 0 {
			row(w, "KIND", "WHAT", "NAME", "LOSES", "DETAIL")
		} else {
			row(w, "changes", "none: the daemon runs what the file says")
		}
		for _, ch := range p.Changes {
			row(w, ch.Kind, ch.What, ch.Name, yesNo(ch.Loses), optional(ch.Detail))
		}
		for _, n := range limits {
			row(w, n.Kind, n.What, n.Name, yesNo(n.Loses))
		}
		for _, key := range p.Restart {
			row(w, "restart", "setting", key, "", "read at start only")
		}
		row(w, "applied", yesNo(p.Applied))
		drawVerdict(w, p.Plan)
		drawImpact(w, p.Plan)
		drawForecast(w, p.Plan.Rollout)
		return nil
	})
}
