package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func beyondCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "what is wrong beyond us: routes that edges drop, no longer send, mark or leak",
			Action: action(func(c *cli.Context, conn *connection) error {
				var r client.BeyondReport
				return show(c, conn.get(conn.GetBeyond(c.Context)), &r, func(w *tabwriter.Writer) error {
					row(w, "KIND", "ROUTER", "SESSION", "FAMILY", "PREFIXES", "SINCE", "SAYS")
					for _, f := range r.Items {
						row(w, f.Kind, f.Router, f.Session, f.Family, f.Prefixes, f.Since.Format(time.RFC3339), f.Summary)
					}
					return nil
				})
			}),
		},
		{
			Name: "routers", Usage: "the routers that tell it (BMP), and since when they can be asked",
			Action: action(func(c *cli.Context, conn *connection) error {
				var r client.BeyondReport
				return show(c, conn.get(conn.GetBeyond(c.Context)), &r, func(w *tabwriter.Writer) error {
					row(w, "NAME", "SITE", "STANDS", "SINCE", "SESSIONS", "ROUTES KEPT", "COUNTED", "MALFORMED")
					for _, b := range r.Routers {
						row(w, b.Name, b.Site, trusted(b), sinceWhen(b.Since), b.Sessions, b.RoutesKept, b.RoutesIgnored, b.Malformed)
					}
					return nil
				})
			}),
		},
	}
}

func trusted(b client.BeyondRouter) string {
	if b.Up {
		return "ok"
	}
	return "unknown: " + optional(b.Why)
}

func sinceWhen(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

// beyondRows print how far a route has come.
func beyondRows(w *tabwriter.Writer, b *client.Beyond) {
	if b == nil {
		return
	}
	for _, stage := range []struct {
		stage  client.SightingStage
		answer client.BeyondAnswer
		words  string
	}{
		{client.SightingStageAccepted, b.Accepted, "accepted by edge"},
		{client.SightingStageToTransit, b.ToTransit, "sent to transit"},
		{client.SightingStageOutside, b.Outside, "seen outside"},
	} {
		row(w, "  "+stage.words, stage.answer)
		for _, s := range b.Sightings {
			if s.Stage == stage.stage {
				row(w, "    "+strings.TrimSpace(s.Router+" "+s.Session), sighting(s))
			}
		}
	}
}

// sighting is one router's word: since when, with what, or why there is none.
func sighting(s client.Sighting) string {
	text := string(s.Answer)
	if s.Why != nil {
		text += ": " + *s.Why
	}
	if len(s.Communities) > 0 {
		text += ", with " + strings.Join(s.Communities, " ")
	}
	if s.Since != nil {
		text += fmt.Sprintf(" (since %s)", s.Since.Format(time.RFC3339))
	}
	return text
}
