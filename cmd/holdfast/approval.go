package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func approvalCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "what was asked for, newest first",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.ApprovalList
				return show(c, conn.get(conn.ListApprovals(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "ID", "STATE", "PREFIXES", "UNTIL", "REQUESTER", "DECIDED BY", "REASON")
					for _, a := range l.Items {
						row(w, a.ID, a.State, fmt.Sprintf("%d of %d", a.Count, len(a.Prefixes)), utc(a.Until), a.Requester, a.DecidedBy, a.Reason)
					}
					return nil
				})
			}),
		},
		{
			Name: "request", Usage: "ask another person to approve the loss of named prefixes", ArgsUsage: "PREFIX...",
			Flags: mutating(
				&cli.DurationFlag{Name: "for", Usage: "how long it is to hold, from now; a week at most", Value: time.Hour},
				&cli.IntFlag{Name: "count", Usage: "at most `N` of them; all if left out"},
			),
			Action: action(requestApproval),
		},
		{Name: "approve", Usage: "approve, on the admin socket and never what one asked for oneself", ArgsUsage: "ID", Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
			return decideApproval(c, conn, true)
		})},
		{Name: "deny", Usage: "deny, or take back what was approved", ArgsUsage: "ID", Flags: mutating(), Action: action(func(c *cli.Context, conn *connection) error {
			return decideApproval(c, conn, false)
		})},
	}
}

func requestApproval(c *cli.Context, conn *connection) error {
	body := client.ApprovalRequest{Until: time.Now().Add(c.Duration("for")).UTC()}
	for _, text := range c.Args().Slice() {
		p, err := exactPrefix(text)
		if err != nil {
			return err
		}
		body.Prefixes = append(body.Prefixes, p.String())
	}
	most := len(body.Prefixes)
	if c.IsSet("count") {
		most = c.Int("count")
		if most < 1 || most > len(body.Prefixes) {
			return strictcli.Usage("approval request: --count %d: want 1 to %d", most, len(body.Prefixes))
		}
		body.Count = &most
	}
	total, err := conn.advertised(c)
	if err != nil {
		return err
	}
	reason, err := prepare(c, mutation{verb: "approval request", plan: fmt.Sprintf("ask for leave to lose %s routes until %s", percent(most, total), utc(body.Until)), destructive: true})
	if err != nil {
		return err
	}
	body.Reason = reason
	return showApproval(c, conn.get(conn.RequestApproval(c.Context, nil, body)))
}

// decideApproval shows what is decided on before it is.
func decideApproval(c *cli.Context, conn *connection, approve bool) error {
	id, verb := c.Args().First(), "deny"
	if approve {
		verb = "approve"
	}
	var l client.ApprovalList
	if err := conn.get(conn.ListApprovals(c.Context)).into(&l); err != nil {
		return err
	}
	total, err := conn.advertised(c)
	if err != nil {
		return err
	}
	for _, a := range l.Items {
		if a.ID != id {
			continue
		}
		plan := fmt.Sprintf("%s the loss of up to %s routes until %s, asked for by %s: %s", verb, percent(a.Count, total), utc(a.Until), a.Requester, a.Reason)
		reason, err := prepare(c, mutation{verb: "approval " + verb, plan: plan, destructive: true})
		if err != nil {
			return err
		}
		body := client.ReasonRequired{Reason: reason}
		if approve {
			return showApproval(c, conn.get(conn.ApproveApproval(c.Context, id, nil, body)))
		}
		return showApproval(c, conn.get(conn.DenyApproval(c.Context, id, nil, body)))
	}
	return strictcli.Usage("approval %s: there is no approval %q; see holdfast approval list", verb, id)
}

func showApproval(c *cli.Context, a answer) error {
	var v client.Approval
	return show(c, a, &v, func(w *tabwriter.Writer) error {
		row(w, "id", v.ID)
		row(w, "state", v.State)
		row(w, "prefixes", fmt.Sprintf("%d of %d", v.Count, len(v.Prefixes)))
		row(w, "until", utc(v.Until))
		row(w, "requester", v.Requester)
		row(w, "decided by", v.DecidedBy)
		return nil
	})
}
