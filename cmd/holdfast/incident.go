package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func incidentCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "list", Usage: "trips that left evidence, newest first", Action: action(listIncidents)},
		{Name: "report", Usage: "one trip: what, who, which requests, a timeline in UTC, notices to accounts", ArgsUsage: "TRIP_ID", Action: action(reportIncident)},
	}
}

func listIncidents(c *cli.Context, conn *connection) error {
	var l client.EvidenceList
	return show(c, conn.get(conn.ListTrips(c.Context)), &l, func(w *tabwriter.Writer) error {
		row(w, "TRIP", "AT", "SCOPE", "KEY", "STATE", "BY", "REASON")
		for _, e := range l.Items {
			row(w, e.TripID, utc(e.At), e.Scope, e.Key, e.State, optional(e.By), e.Reason)
		}
		return nil
	})
}

// moment is one line of a timeline.
type moment struct {
	at   time.Time
	what string
}

func reportIncident(c *cli.Context, conn *connection) error {
	a := conn.get(conn.GetTrip(c.Context, c.Args().First()))
	var e client.Evidence
	return show(c, a, &e, func(w *tabwriter.Writer) error {
		row(w, "trip", e.TripID)
		row(w, "scope", strings.TrimSpace(e.Scope+" "+e.Key))
		row(w, "state", e.State)
		row(w, "rule", e.Rule)
		row(w, "reason", e.Reason)
		row(w, "by", optional(e.By))
		row(w, "on the wire", fmt.Sprintf("generation %d", e.Generation))
		for _, n := range e.Neighbors {
			row(w, "neighbor "+n.Neighbor, n.State, families(n.Advertised))
		}
		for _, x := range e.Windows {
			row(w, "limit "+x.Rule, fmt.Sprintf("%d of %d", x.Used, x.Limit))
		}
		for _, x := range e.Actors {
			row(w, "actor "+x.Name, fmt.Sprintf("%d losses", x.Losses))
		}
		moments, note := conn.timeline(c, e)
		row(w, "TIMELINE (UTC)")
		for _, m := range moments {
			row(w, utc(m.at), m.what)
		}
		if note != "" {
			row(w, "", note)
		}
		for _, x := range e.Accounts {
			row(w, "notice to "+x.Account, x.Notice)
		}
		return nil
	})
}

// timeline joins the journal's charges, the trip and, if the database is
// there, what the audit log has from an hour before the trip on.
func (conn *connection) timeline(c *cli.Context, e client.Evidence) (out []moment, note string) {
	for _, j := range e.Requests {
		out = append(out, moment{j.At, fmt.Sprintf("charged %d prefix(es) to %s: %s", len(j.Items), j.Actor, optional(j.Reason))})
	}
	out = append(out, moment{e.At, "TRIP " + e.TripID + ": " + e.Reason})
	since, limit := e.At.Add(-time.Hour), 1000
	var audit client.AuditList
	if err := conn.get(conn.ListAudit(c.Context, &client.ListAuditParams{Since: &since, Limit: &limit})).into(&audit); err != nil {
		note = "without the audit log: " + err.Error()
	}
	for _, r := range audit.Items {
		out = append(out, moment{r.At, fmt.Sprintf("%s by %s/%s: %s (change %s)", r.Verb, r.Actor.Kind, r.Actor.ID, r.Reason, r.ChangeID)})
	}
	slices.SortStableFunc(out, func(a, b moment) int { return cmp.Compare(a.at.UnixMicro(), b.at.UnixMicro()) })
	return out, note
}
