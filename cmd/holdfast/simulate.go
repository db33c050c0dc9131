package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

// The verbs in this file ask no daemon: they read a file and print, and can
// be tried on anybody's laptop.

func historyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "history", Usage: "`FILE` that holdfast -o json breaker journal wrote", Required: true},
		&cli.StringFlag{Name: "limits", Usage: "`FILE`: a configuration (.yaml) whose breaker section has them, or JSON over the built-in ones: {\"PlanFloor\": 10}"},
	}
}

func simulateCommand() *cli.Command {
	return &cli.Command{
		Name: "simulate", Usage: "replay past changes against proposed limits: trips, false trips, losses before them",
		Flags: historyFlags(),
		Action: offline(func(c *cli.Context, l breaker.Limits, past []breaker.Record) (any, table, error) {
			s, err := breaker.Simulate(l, past)
			if s.Trips == nil {
				s.Trips = []breaker.SimulatedTrip{}
			}
			return s, func(w *tabwriter.Writer) error {
				row(w, "changes", s.Changes)
				row(w, "losses", s.Losses)
				row(w, "refused", percent(s.Refused, s.Changes))
				row(w, "trips", len(s.Trips))
				row(w, "false trips", s.False)
				for _, t := range s.Trips {
					row(w, utc(t.At), t.Scope, t.Rule, fmt.Sprintf("after %d losses", t.Before), t.Why)
				}
				return nil
			}, err
		}),
	}
}

func suggestCommand() *cli.Command {
	return &cli.Command{
		Name: "suggest", Usage: "propose tighter limits from the past; days with a trip are left out",
		Flags: historyFlags(),
		Action: offline(func(c *cli.Context, l breaker.Limits, past []breaker.Record) (any, table, error) {
			all := breaker.Suggest(l, past)
			if all == nil {
				all = []breaker.Suggestion{}
			}
			return map[string]any{"items": all}, func(w *tabwriter.Writer) error {
				if len(all) == 0 {
					row(w, "nothing to suggest from: the history has no charge on a day without a trip")
					return nil
				}
				row(w, "RULE", "MOST", "LIMIT", "SUGGEST")
				for _, s := range all {
					row(w, s.Rule, s.Most, s.Limit, s.Suggested)
				}
				return nil
			}, nil
		}),
	}
}

// offline runs a verb over a history and limits.
func offline(run func(*cli.Context, breaker.Limits, []breaker.Record) (any, table, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := checkOutput(c); err != nil {
			return err
		}
		limits, err := readLimits(c.String("limits"))
		if err != nil {
			return err
		}
		past, err := readHistory(c.String("history"))
		if err != nil {
			return err
		}
		found, draw, err := run(c, limits, past)
		if err != nil {
			return err
		}
		body, err := json.Marshal(found)
		if err != nil {
			return err
		}
		var decoded any
		return show(c, answer{body: body}, &decoded, draw)
	}
}

func readLimits(file string) (breaker.Limits, error) {
	l := breaker.DefaultLimits()
	switch filepath.Ext(file) {
	case "":
		if file == "" {
			return l, nil
		}
	case ".yaml", ".yml":
		c, _, err := config.Load(file)
		if err != nil {
			return l, strictcli.Usage("limits %s: %v", file, err)
		}
		return c.Breaker.Limits, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return l, fmt.Errorf("limits: %w", err)
	}
	if err := strictJSON(raw, &l); err != nil {
		return l, strictcli.Usage("limits %s: %v", file, err)
	}
	if err := l.Validate(); err != nil {
		return l, strictcli.Usage("limits %s: %v", file, err)
	}
	return l, nil
}

// readHistory reads the records of a journal list, oldest first. An empty one
// is an error: it would prove anything (invariant 2).
func readHistory(file string) ([]breaker.Record, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	var l struct {
		Items []struct {
			Record *breaker.Record `json:"record"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, strictcli.Usage("history %s: %v; want what holdfast -o json breaker journal writes", file, err)
	}
	var out []breaker.Record
	for i, item := range l.Items {
		if item.Record == nil {
			return nil, strictcli.Usage("history %s: item %d has no record", file, i)
		}
		out = append(out, *item.Record)
	}
	if len(out) == 0 {
		return nil, strictcli.Usage("history %s: it is empty", file)
	}
	slices.SortStableFunc(out, func(a, b breaker.Record) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return out, nil
}

func strictJSON(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more than one document")
	}
	return nil
}
