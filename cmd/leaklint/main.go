// Command leaklint proves, without touching a router, that the policies of BGP
// configurations cannot leak routes. It reads files and writes findings; it
// opens no connection and needs no cgo.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/urfave/cli/v2"
)

// Exit codes (DESIGN section 9). Usage errors are 2, as in every program.
const (
	exitFindings   = 1
	exitUnreadable = 3
	exitUnknown    = 4
)

func main() { os.Exit(run(os.Args)) }

// run is main without os.Exit, so that script tests can run it in process.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return strictcli.Run(ctx, app(), args, os.Stderr)
}

func app() *cli.App {
	return strictcli.Strict(&cli.App{
		Name:      "leaklint",
		Usage:     "prove that BGP export policies cannot leak",
		UsageText: "leaklint COMMAND [flags] [PATH...]",
		Version:   version.String(),
		Commands: []*cli.Command{
			checkCommand(), diffCommand(), pathsCommand(), rpkiCommand(), evalCommand(), explainCommand(), rulesCommand(), baselineCommand(),
		},
	})
}
