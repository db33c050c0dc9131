package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/spec"
	"github.com/urfave/cli/v2"
)

func rolloutCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "what goes out in waves, waits for a person, or ended lately",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.RolloutList
				return show(c, conn.get(conn.ListRollouts(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "ID", "CLASS", "PHASE", "WAVE", "CHANGES", "MONITOR", "ACTOR", "WHY")
					for _, r := range l.Items {
						row(w, r.ID, r.Class, r.Phase, fmt.Sprintf("%d of %d", r.Released, len(r.Waves)), r.Changes, r.Monitor, r.Actor, optional(r.Why))
					}
					return nil
				})
			}),
		},
		{Name: "show", Usage: "one rollout, its waves and what happened to it", ArgsUsage: "ID", Action: action(showRollout)},
		{Name: "watch", Usage: "one rollout, line by line, until it ends", ArgsUsage: "ID", Action: action(watchRollout)},
		{Name: "pause", Usage: "stop a rollout where it is", ArgsUsage: "ID", Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
			return decideRollout(c, conn, "pause")
		})},
		{Name: "promote", Usage: "let a paused rollout go on, or skip the rest of a soak", ArgsUsage: "ID", Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
			return decideRollout(c, conn, "promote")
		})},
		{Name: "abort", Usage: "end a rollout and put back what it took down", ArgsUsage: "ID", Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
			return decideRollout(c, conn, "abort")
		})},
		{Name: "lint", Usage: "say what is missing from rollout plans in a file; asks no daemon", ArgsUsage: "FILE", Action: lintRollout},
	}
}

func rolloutID(c *cli.Context) (string, error) {
	if c.Args().Len() != 1 || c.Args().First() == "" {
		return "", strictcli.Usage("rollout %s: want one ID; see holdfast rollout list", c.Command.Name)
	}
	return c.Args().First(), nil
}

func showRollout(c *cli.Context, conn *connection) error {
	id, err := rolloutID(c)
	if err != nil {
		return err
	}
	return drawRollout(c, conn.get(conn.GetRollout(c.Context, id)))
}

func drawRollout(c *cli.Context, a answer) error {
	var r client.Rollout
	return show(c, a, &r, func(w *tabwriter.Writer) error {
		row(w, "id", r.ID)
		row(w, "class", r.Class)
		row(w, "phase", fmt.Sprintf("%s since %s", r.Phase, utc(r.Since)))
		row(w, "why", optional(r.Why))
		row(w, "monitor", r.Monitor)
		row(w, "by", r.Actor+": "+r.Reason)
		if len(r.Uncovered) > 0 {
			row(w, "not in the canaries", strings.Join(r.Uncovered, ", "))
		}
		row(w, "WAVE", "STAGE", "STATE", "CHANGES", "SOAK", "FIRST")
		for i, wave := range r.Waves {
			state := "waits"
			switch {
			case i < r.Applied:
				state = "on the wire"
			case i < r.Released:
				state = "released"
			}
			row(w, i+1, wave.Stage, state, wave.Changes, soakOf(wave), first(append(wave.Neighbors, wave.Prefixes...)))
		}
		row(w, "AT", "EVENT", "PHASE", "WAVE", "BY", "WHY")
		for _, l := range r.Log {
			row(w, utc(l.At), l.Event, l.Phase, l.Wave, optional(l.By), optional(l.Why))
		}
		return nil
	})
}

func first(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

// watchRollout prints each event once, until the rollout ends.
func watchRollout(c *cli.Context, conn *connection) error {
	id, err := rolloutID(c)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for seen := 0; ; {
		var r client.Rollout
		if err := conn.get(conn.GetRollout(c.Context, id)).into(&r); err != nil {
			return err
		}
		for _, l := range r.Log[min(seen, len(r.Log)):] {
			fmt.Fprintf(c.App.Writer, "%s %s: %s, wave %d of %d %s\n", utc(l.At), l.Event, l.Phase, l.Wave, len(r.Waves), optional(l.Why))
		}
		seen = len(r.Log)
		switch r.Phase {
		case client.RolloutPhaseDone, client.RolloutPhaseFailed, client.RolloutPhaseAborted:
			return nil
		}
		select {
		case <-c.Context.Done():
			return nil
		case <-tick.C:
		}
	}
}

func decideRollout(c *cli.Context, conn *connection, verb string) error {
	id, err := rolloutID(c)
	if err != nil {
		return err
	}
	var r client.Rollout
	if err := conn.get(conn.GetRollout(c.Context, id)).into(&r); err != nil {
		return err
	}
	plan := fmt.Sprintf("%s rollout %s, which is %s: %d of %d waves are on the wire, %d changes in all", verb, id, r.Phase, r.Applied, len(r.Waves), r.Changes)
	reason, err := prepare(c, mutation{verb: "rollout " + verb, plan: plan, destructive: verb != "pause"})
	if err != nil {
		return err
	}
	body := client.ReasonRequired{Reason: reason}
	switch verb {
	case "pause":
		return drawRollout(c, conn.get(conn.PauseRollout(c.Context, id, nil, body)))
	case "promote":
		return drawRollout(c, conn.get(conn.PromoteRollout(c.Context, id, nil, body)))
	}
	return drawRollout(c, conn.get(conn.AbortRollout(c.Context, id, nil, body)))
}

// lintRollout needs no daemon, so that it can run where plans are reviewed.
func lintRollout(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return strictcli.Usage("rollout lint: want one FILE")
	}
	file := c.Args().First()
	src, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("rollout lint: %w", err)
	}
	s, err := spec.Read(src)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	found := s.Lint()
	for _, p := range found {
		fmt.Fprintf(c.App.Writer, "%s: %s\n", file, p.Error())
	}
	if len(found) > 0 {
		return fmt.Errorf("%s: %d problem(s)", file, len(found))
	}
	fmt.Fprintf(c.App.Writer, "%s: %d plan(s), nothing is missing\n", file, len(s.Plans))
	return nil
}
