package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func cleanupCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "show", Usage: "what the clean-up worker would do now",
			Action: action(func(c *cli.Context, conn *connection) error {
				return showCleanup(c, conn.get(conn.GetCleanup(c.Context)))
			}),
		},
		{Name: "approve", Usage: "let it carry out one plan that is over its cap", ArgsUsage: "PLAN", Flags: mutating(), Action: action(approveCleanup)},
	}
}

// approveCleanup sends the plan that was looked at with its size, so that
// neither can have grown meanwhile.
func approveCleanup(c *cli.Context, conn *connection) error {
	if c.Args().Len() != 1 {
		return strictcli.Usage("cleanup approve: want the PLAN that holdfast cleanup show names")
	}
	var now client.Cleanup
	if err := conn.get(conn.GetCleanup(c.Context)).into(&now); err != nil {
		return err
	}
	plan := fmt.Sprintf("let the worker delete %d prefixes for good, past its cap of %d", len(now.Expire), now.Cap)
	reason, err := prepare(c, mutation{verb: "cleanup approve", plan: plan, destructive: true})
	if err != nil {
		return err
	}
	return showCleanup(c, conn.get(conn.ApproveCleanup(c.Context, nil, client.CleanupApprove{Plan: c.Args().First(), Count: max(1, len(now.Expire)), Reason: reason})))
}

func showCleanup(c *cli.Context, a answer) error {
	var s client.Cleanup
	return show(c, a, &s, func(w *tabwriter.Writer) error {
		row(w, "enabled", yesNo(s.Enabled))
		row(w, "dry run", yesNo(s.DryRun))
		row(w, "cap", s.Cap)
		row(w, "plan", s.Plan)
		row(w, "deletions", len(s.Expire))
		row(w, "kept", s.Kept)
		row(w, "refused", s.Refused)
		row(w, "approved", yesNo(s.Approved))
		for _, id := range s.Expire {
			row(w, "", id)
		}
		return nil
	})
}
