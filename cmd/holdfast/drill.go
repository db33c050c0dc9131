package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

// drillProgram rehearses outages. It is a program of its own, because this one
// reaches neither the speaker nor the store.
const drillProgram = "holdfast-drill"

func drillCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "list", Usage: "which drills there are", Action: func(c *cli.Context) error { return drill(c, "list") }},
		{Name: "run", Usage: "rehearse on a network of its own, on this machine, and write a report", ArgsUsage: "ID",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "out", Usage: "`DIR` for the report, as JSON and Markdown", Value: "reports"},
				&cli.BoolFlag{Name: "small", Usage: "a tenth of the size, to see whether it works"},
			},
			Action: func(c *cli.Context) error {
				if c.Args().Len() != 1 {
					return strictcli.Usage("drill run: name one drill; holdfast drill list has them")
				}
				args := []string{"run", "--out", c.String("out")}
				if c.Bool("small") {
					args = append(args, "--small")
				}
				return drill(c, append(args, c.Args().First())...)
			}},
	}
}

// drill starts the program beside this one, or the one on the PATH.
func drill(c *cli.Context, args ...string) error {
	program := drillProgram
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), drillProgram); isFile(beside) {
			program = beside
		}
	}
	cmd := exec.CommandContext(c.Context, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, c.App.Writer, os.Stderr
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("drill: %s is neither beside this program nor on the PATH: make build makes it", drillProgram)
	case errors.As(err, &ended):
		return &strictcli.Error{Code: max(1, ended.ExitCode()), Err: fmt.Errorf("drill: %s ended with %s", drillProgram, ended.ProcessState)}
	case err != nil:
		return fmt.Errorf("drill: %w", err)
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
