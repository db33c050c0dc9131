package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// mutating adds the flags that every mutating verb has.
func mutating(flags ...cli.Flag) []cli.Flag {
	return append(flags,
		&cli.StringFlag{Name: "reason", Usage: "`WHY`, for the audit log"},
		&cli.BoolFlag{Name: "dry-run", Usage: "say what would be done and stop"},
		&cli.BoolFlag{Name: "yes", Usage: "do it without asking"},
	)
}

// mutation is what a verb is about to do.
type mutation struct {
	verb        string // e.g. "prefix withdraw"
	plan        string // what it will do, with counts and percentages
	destructive bool   // --reason and --yes, or an answer at the terminal, are mandatory
}

// errDryRun ends a dry run; act turns it into success.
var errDryRun = fmt.Errorf("dry run")

// prepare prints the plan and gets the reason and the consent. It returns the
// reason, or errDryRun.
func prepare(c *cli.Context, m mutation) (string, error) {
	fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", c.String("environment"), m.plan)
	if c.Bool("dry-run") {
		fmt.Fprintln(c.App.ErrWriter, "dry run: nothing was changed")
		if err := showDryRun(c, m); err != nil {
			return "", err
		}
		return "", errDryRun
	}
	reason := c.String("reason")
	if !m.destructive {
		if reason == "" {
			reason = m.verb
		}
		return reason, nil
	}
	interactive := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
	if !interactive && (reason == "" || !c.Bool("yes")) {
		return "", strictcli.Usage("%s: --reason and --yes are needed off a terminal", m.verb)
	}
	return ask(c, reason, os.Stdin)
}

// showDryRun is the answer of a dry run for a program.
func showDryRun(c *cli.Context, m mutation) error {
	if c.String("output") == "table" {
		return nil
	}
	body, err := json.Marshal(map[string]any{"dry_run": true, "environment": c.String("environment"), "verb": m.verb, "plan": m.plan})
	if err != nil {
		return err
	}
	return show(c, answer{body: body}, nil, nil)
}

func ask(c *cli.Context, reason string, in io.Reader) (string, error) {
	lines := bufio.NewScanner(in)
	for reason == "" {
		fmt.Fprint(c.App.ErrWriter, "reason: ")
		if !lines.Scan() {
			return "", strictcli.Usage("no reason given: nothing was changed")
		}
		reason = strings.TrimSpace(lines.Text())
	}
	if c.Bool("yes") {
		return reason, nil
	}
	fmt.Fprintf(c.App.ErrWriter, "type %q to go on: ", c.String("environment"))
	if !lines.Scan() || strings.TrimSpace(lines.Text()) != c.String("environment") {
		return "", strictcli.Usage("not confirmed: nothing was changed")
	}
	return reason, nil
}

// action opens the connection and runs a verb; a dry run is a success.
func action(run func(c *cli.Context, conn *connection) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := checkOutput(c); err != nil {
			return err
		}
		conn, err := dial(c)
		if err != nil {
			return err
		}
		if err := run(c, conn); err != errDryRun {
			return err
		}
		return nil
	}
}

// percent writes n of total with two decimals.
func percent(n, total int) string {
	if total == 0 {
		return fmt.Sprintf("%d of 0", n)
	}
	return fmt.Sprintf("%d of %d (%.2f %%)", n, total, 100*float64(n)/float64(total))
}
