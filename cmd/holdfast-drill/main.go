// Command holdfast-drill rehearses outages against the parts that the daemon is
// made of and writes what it measured. It is started by `holdfast drill`, which
// must not reach the GoBGP server or SQLite itself.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/holdfast-bgp/holdfast/cmd/internal/drill"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/urfave/cli/v2"
)

func main() { os.Exit(run(os.Args)) }

// run is main without os.Exit, so that script tests can run it in process.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return strictcli.Run(ctx, app(), args, os.Stderr)
}

func app() *cli.App {
	return strictcli.Strict(&cli.App{
		Name: "holdfast-drill", Usage: "rehearse outages", Version: version.String(),
		Commands: []*cli.Command{
			{Name: "list", Usage: "which drills there are", Action: func(c *cli.Context) error {
				for _, d := range drill.All() {
					fmt.Fprintf(c.App.Writer, "%s\t%s\n", d.ID, d.Title)
				}
				return nil
			}},
			{Name: "run", Usage: "run a drill and write its report", ArgsUsage: "ID",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "out", Usage: "`DIR` for the report, as JSON and Markdown", Value: "reports"},
					&cli.BoolFlag{Name: "small", Usage: "a tenth of the size, to see whether it works"},
				},
				Action: carry},
		},
	})
}

// carry runs one drill; a bar that was missed is exit code 1.
func carry(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return strictcli.Usage("drill run: name one drill; drill list has them")
	}
	d, err := drill.Find(c.Args().First())
	if err != nil {
		return strictcli.Usage("drill run: %v", err)
	}
	dir, err := os.MkdirTemp("", "holdfast-drill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := drill.Carry(c.Context, d, drill.Options{Dir: dir, Small: c.Bool("small"), Say: say(os.Stderr)})
	if err != nil {
		return err
	}
	files, err := r.Write(c.String("out"))
	if err != nil {
		return err
	}
	fmt.Fprint(c.App.Writer, r.Markdown())
	for _, f := range files {
		fmt.Fprintln(c.App.Writer, "\nwrote", f)
	}
	if !r.Passed {
		return fmt.Errorf("drill %s: not every bar was met", d.ID)
	}
	return nil
}

func say(w io.Writer) func(string, ...any) {
	return func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
}
