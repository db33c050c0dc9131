package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func heldCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "list", Usage: "changes that are desired and wait for the breaker, oldest first", Action: action(func(c *cli.Context, conn *connection) error {
			return showHeld(c, conn.get(conn.ListHeld(c.Context)))
		})},
		{Name: "drop", Usage: "forget one: desired state goes back to what is on the wire", ArgsUsage: "CHANGE", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error { return decideHeld(c, conn, "drop") })},
		{Name: "release", Usage: "plan one afresh, within the limits of now", ArgsUsage: "CHANGE", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error { return decideHeld(c, conn, "release") })},
	}
}

// decideHeld shows what is decided on before it is.
func decideHeld(c *cli.Context, conn *connection, verb string) error {
	var l client.HeldList
	if err := conn.get(conn.ListHeld(c.Context)).into(&l); err != nil {
		return err
	}
	total, err := conn.advertised(c)
	if err != nil {
		return err
	}
	id := c.Args().First()
	for _, h := range l.Items {
		if h.ID != id {
			continue
		}
		plan := fmt.Sprintf("release it: withdraws %s routes, if the limits let it: %s", percent(len(h.Prefixes), total), strings.Join(h.Prefixes, ", "))
		if verb == "drop" {
			plan = "drop it: nothing changes on the wire, desired state has these routes again: " + strings.Join(h.Prefixes, ", ")
		}
		reason, err := prepare(c, mutation{verb: "held " + verb, plan: plan, destructive: true})
		if err != nil {
			return err
		}
		body := client.ReasonRequired{Reason: reason}
		if verb == "drop" {
			return showHeld(c, conn.get(conn.DropHeld(c.Context, id, nil, body)))
		}
		return showHeld(c, conn.get(conn.ReleaseHeld(c.Context, id, nil, body)))
	}
	return strictcli.Usage("held %s: no change %q waits; see holdfast held list", verb, id)
}

func showHeld(c *cli.Context, a answer) error {
	var l client.HeldList
	return show(c, a, &l, func(w *tabwriter.Writer) error {
		row(w, "CHANGE", "SINCE", "EXPIRES", "PREFIXES", "ACTOR", "TRIP", "WHY")
		for _, h := range l.Items {
			row(w, h.ID, utc(h.At), utc(h.Expires), strings.Join(h.Prefixes, " "), h.Actor, h.TripID, h.Reason)
		}
		return nil
	})
}

func noticeCommands() []*cli.Command {
	return []*cli.Command{{Name: "list", Usage: "what accounts were told, newest first", Action: action(func(c *cli.Context, conn *connection) error {
		var l client.NoticeList
		return show(c, conn.get(conn.ListNotices(c.Context)), &l, func(w *tabwriter.Writer) error {
			row(w, "AT", "ACCOUNT", "TRIP", "PREFIXES", "TEXT")
			for _, n := range l.Items {
				row(w, utc(n.At), n.Account, n.TripID, len(n.Prefixes), n.Text)
			}
			return nil
		})
	})}}
}

func approverCommands() []*cli.Command {
	return []*cli.Command{{Name: "list", Usage: "who may agree to what somebody else asks for; enrol one with token create --role approve",
		Action: action(func(c *cli.Context, conn *connection) error {
			var l client.ApproverList
			return show(c, conn.get(conn.ListApprovers(c.Context)), &l, func(w *tabwriter.Writer) error {
				row(w, "KEY", "NAME", "SINCE", "ENROLLED BY")
				for _, a := range l.Items {
					row(w, a.Key, a.Name, utc(a.AddedAt), a.AddedBy)
				}
				return nil
			})
		})}}
}

func limitsCommand() *cli.Command {
	return &cli.Command{Name: "limits", Usage: "limits in force; what the configuration file loosens waits for two persons",
		Flags: mutating(&cli.BoolFlag{Name: "loosen", Usage: "ask for it, or agree to it"}),
		Action: action(func(c *cli.Context, conn *connection) error {
			if !c.Bool("loosen") {
				return showLimits(c, conn.get(conn.GetBreakerLimits(c.Context)))
			}
			var l client.BreakerLimits
			if err := conn.get(conn.GetBreakerLimits(c.Context)).into(&l); err != nil {
				return err
			}
			reason, err := prepare(c, mutation{verb: "breaker limits --loosen", plan: "loosen: " + strings.Join(l.Waiting, "; "), destructive: true})
			if err != nil {
				return err
			}
			return showLimits(c, conn.get(conn.LoosenBreakerLimits(c.Context, nil, client.ReasonRequired{Reason: reason})))
		})}
}

// windowOf and shareOf leave empty what a limit does not have.
func windowOf(x client.BreakerLimit) string {
	if x.WindowSeconds == 0 {
		return ""
	}
	return span(x.WindowSeconds)
}

func shareOf(x client.BreakerLimit) string {
	if x.Share == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", float64(x.Share)/10)
}

func showLimits(c *cli.Context, a answer) error {
	var l client.BreakerLimits
	return show(c, a, &l, func(w *tabwriter.Writer) error {
		row(w, "RULE", "WINDOW", "SHARE", "FLOOR", "TOTAL", "SHADOW")
		for _, x := range l.Limits {
			row(w, x.Rule, windowOf(x), shareOf(x), some(x.Floor), some(x.Total), yesNo(x.Shadow))
		}
		for _, x := range l.Waiting {
			row(w, "waits for two persons", x)
		}
		if l.AskedBy != "" {
			row(w, "asked for by", l.AskedBy)
		}
		return nil
	})
}
