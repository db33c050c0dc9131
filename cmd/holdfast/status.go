package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "what the daemon does now, and what is wrong",
		Action: action(func(c *cli.Context, conn *connection) error {
			var s client.Status
			return show(c, conn.get(conn.GetStatus(c.Context)), &s, func(w *tabwriter.Writer) error {
				drawStatus(w, s)
				return nil
			})
		}),
	}
}

func drawStatus(w *tabwriter.Writer, s client.Status) {
	row(w, "environment", s.Environment)
	row(w, "version", s.Version)
	row(w, "breaker", s.Breaker)
	row(w, "intent", s.Intent)
	row(w, "neighbors", fmt.Sprintf("%d of %d established", s.Neighbors.Established, s.Neighbors.Configured))
	row(w, "advertised", families(s.Advertised))
	if s.Snapshot != nil {
		row(w, "snapshot", fmt.Sprintf("generation %d of %s by %s: %s", s.Snapshot.Generation, utc(s.Snapshot.CreatedAt), s.Snapshot.Actor, s.Snapshot.Reason))
	} else {
		row(w, "snapshot", "none: every neighbor holds 0 routes")
	}
	row(w, "pinned", yesNo(s.Pinned))
	if r := s.LastRefusal; r != nil {
		row(w, "last refusal", fmt.Sprintf("%s at %s", r.Verdict, utc(r.At)))
		for _, f := range r.Findings {
			row(w, "", f.Rule+": "+f.Why)
		}
	}
	for _, r := range s.Risks {
		row(w, "risk", r)
	}
	for _, r := range s.Works {
		row(w, "still works", r)
	}
}
