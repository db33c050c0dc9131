package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func speakerCommands() []*cli.Command {
	return []*cli.Command{{
		Name: "list", Usage: "speakers that run alone, as they last reported",
		Action: action(func(c *cli.Context, conn *connection) error {
			var l client.LoneSpeakerList
			return show(c, conn.get(conn.ListSpeakers(c.Context)), &l, func(w *tabwriter.Writer) error {
				row(w, "NAME", "GENERATION", "BEHIND", "AGE", "NEIGHBORS UP", "STANDS")
				for _, s := range l.Items {
					row(w, s.Name, s.Generation, s.Behind, time.Duration(s.AgeSeconds)*time.Second, sessionsUp(s.Report), standing(s))
				}
				return nil
			})
		}),
	}}
}

func sessionsUp(r client.SpeakerReport) string {
	up := 0
	for _, n := range r.Neighbors {
		if n.State == "established" {
			up++
		}
	}
	return fmt.Sprintf("%d of %d", up, len(r.Neighbors))
}

// standing is the one thing to know of a speaker.
func standing(s client.LoneSpeaker) string {
	switch r := s.Report; {
	case s.Silent:
		return "silent"
	case r.Refused != nil:
		return "refuses: " + *r.Refused
	case r.Waiting != nil:
		return "waits: " + *r.Waiting
	case s.Behind > 0:
		return "behind"
	}
	return "follows"
}
