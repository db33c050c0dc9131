package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func neighborCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "sessions and what each neighbor holds",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.NeighborList
				return show(c, conn.get(conn.ListNeighbors(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "NAME", "ADDRESS", "ASN", "ROLE", "STATE", "UP", "ADVERTISED", "TARGET")
					for _, n := range l.Items {
						row(w, n.Name, n.Address, n.Asn, n.Role, stateOf(n), uptime(n), families(n.Advertised), families(n.Target))
					}
					return nil
				})
			}),
		},
		{
			Name: "show", Usage: "a neighbor, its session and what was counted at it", ArgsUsage: "NEIGHBOR",
			Action: action(func(c *cli.Context, conn *connection) error {
				var n client.Neighbor
				return show(c, conn.get(conn.GetNeighbor(c.Context, c.Args().First())), &n, func(w *tabwriter.Writer) error {
					drawNeighbor(w, n)
					return nil
				})
			}),
		},
		{
			Name: "routes", Usage: "the Adj-RIB-Out of a neighbor", ArgsUsage: "NEIGHBOR",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.NeighborRouteList
				return show(c, conn.get(conn.ListNeighborRoutes(c.Context, c.Args().First())), &l, func(w *tabwriter.Writer) error {
					row(w, "PREFIX", "NEXT HOP", "AS PATH", "COMMUNITIES")
					for _, r := range l.Items {
						row(w, r.Prefix, r.NextHop, pathText(r.AsPath), communities(r))
					}
					return nil
				})
			}),
		},
	}
}

// stateOf tells a session that is down on purpose from one that is down.
func stateOf(n client.Neighbor) string {
	if n.Shutdown != nil && *n.Shutdown {
		return "shut down"
	}
	return string(n.State)
}

func drawNeighbor(w *tabwriter.Writer, n client.Neighbor) {
	row(w, "name", n.Name)
	row(w, "address", n.Address)
	row(w, "AS", fmt.Sprintf("%d, ours %d", n.Asn, n.LocalAsn))
	row(w, "kind", n.Kind)
	row(w, "role", fmt.Sprintf("%s, theirs %s", orNone(n.Role), orNone(optional(n.RemoteRole))))
	row(w, "state", stateOf(n))
	row(w, "since", optional(n.Since))
	row(w, "up", uptime(n))
	row(w, "last error", optional(n.LastError))
	row(w, "keeps our routes", survival(n.Survival))
	row(w, "advertised", families(n.Advertised))
	row(w, "target", families(n.Target))
	if n.Tally == nil {
		return
	}
	t := n.Tally
	row(w, "updates", fmt.Sprintf("%d sent, %d received", t.UpdatesSent, t.UpdatesReceived))
	row(w, "sessions", fmt.Sprintf("%d up, %d refused, %d alarms", t.Ups, t.Refused, t.Alarms))
	row(w, "down because", counted(t.Downs))
	row(w, "malformed", counted(t.Malformed))
	row(w, "OTC", counted(t.Otc))
	row(w, "FAMILY", "ADVERTISED", "WITHDRAWN", "HELD BACK", "LEAKS", "DROPPED", "REVOKED", "MISSING", "FOREIGN")
	for _, f := range sorted(t.Families) {
		c := t.Families[f]
		row(w, f, c.Advertised, c.Withdrawn, c.HeldBack, c.LeakBlocked, c.Dropped, c.Revoked, c.Missing, c.Foreign)
	}
}

// survival says how long a neighbor keeps our routes without us.
func survival(s client.Survival) string {
	if s.Seconds == 0 {
		return "not without a session"
	}
	text := fmt.Sprintf("%s without us", time.Duration(s.Seconds)*time.Second)
	if s.LongLivedSeconds > 0 {
		text += fmt.Sprintf(" (%s, then %s as the last choice)", time.Duration(s.RestartSeconds)*time.Second, time.Duration(s.LongLivedSeconds)*time.Second)
	}
	if !s.AfterNotification {
		text += ", but not after a NOTIFICATION or an expired hold timer"
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// counted writes the counters that are not 0, in a fixed order.
func counted(counts map[string]int64) string {
	var out []string
	for _, name := range sorted(counts) {
		if counts[name] > 0 {
			out = append(out, fmt.Sprintf("%s %d", name, counts[name]))
		}
	}
	return strings.Join(out, ", ")
}

func communities(r client.NeighborRoute) string {
	var all []string
	if r.Communities != nil {
		all = append(all, *r.Communities...)
	}
	if r.LargeCommunities != nil {
		all = append(all, *r.LargeCommunities...)
	}
	return strings.Join(all, " ")
}

// uptime is how long the session is up, and nothing while it is not.
func uptime(n client.Neighbor) string {
	if n.State != client.NeighborStateEstablished {
		return ""
	}
	return (time.Duration(n.UptimeSeconds) * time.Second).String()
}
