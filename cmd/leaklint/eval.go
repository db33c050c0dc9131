package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/policy/device/cases"
	"github.com/urfave/cli/v2"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name:      "eval",
		Usage:     "say what becomes of routes, and why",
		UsageText: "leaklint eval --cases FILE [-o text|json]\nleaklint eval --route JSON --session NEIGHBOR [--direction export|import] PATH",
		ArgsUsage: "[PATH]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "cases", Usage: "`FILE` of routes and cases (JSON); configuration paths are relative to it"},
			&cli.StringFlag{Name: "route", Usage: "a route as `JSON`"},
			&cli.StringFlag{Name: "session", Usage: "the `NEIGHBOR` it would be sent to, or comes from"},
			&cli.StringFlag{Name: "direction", Value: "export", Usage: "export or import"},
			&cli.StringFlag{Name: "dialect", Usage: "read the file as this `DIALECT`"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "text or json"},
		},
		Action: func(c *cli.Context) error {
			switch route, file := c.String("route"), c.String("cases"); {
			case (route == "") == (file == ""):
				return strictcli.Usage("eval: want --cases FILE, or --route JSON with --session NEIGHBOR and PATH")
			case route != "":
				return evalRoute(c.App.Writer, route, c.String("session"), c.String("direction"), c.Args().First(), c.String("dialect"), c.String("output"))
			case c.Args().Present():
				return strictcli.Usage("eval: --cases names its configurations itself: unexpected argument %q", c.Args().First())
			}
			return evalCases(c.App.Writer, c.String("cases"), c.String("output"))
		},
	}
}

func evalCases(w io.Writer, file, output string) error {
	if output != "text" && output != "json" {
		return strictcli.Usage("eval: --output %q: want text or json", output)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return unreadable(err)
	}
	f, err := cases.Decode(data)
	if err != nil {
		return unreadable(fmt.Errorf("%s: %w", file, err))
	}
	report, err := cases.Decide(f, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(file), name)
		}
		return os.ReadFile(name)
	})
	if err != nil {
		return unreadable(fmt.Errorf("%s: %w", file, err))
	}
	if output == "json" {
		return json.NewEncoder(w).Encode(report)
	}
	return writeDecisions(w, report)
}

func writeDecisions(w io.Writer, report *cases.Report) error {
	for _, c := range report.Cases {
		if _, err := fmt.Fprintf(w, "%s\n", c.ID); err != nil {
			return err
		}
		for _, d := range c.Decisions {
			line := fmt.Sprintf("  %-7s %s", d.Action, d.Prefix)
			if d.Why != "" {
				line += "  (" + d.Why + ")"
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
			for _, e := range d.Result.Trace {
				if _, err := fmt.Fprintf(w, "            %s %s %s: %s\n", e.Pos, e.Policy, e.Term, e.What); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func unreadable(err error) error { return &strictcli.Error{Code: exitUnreadable, Err: err} }
