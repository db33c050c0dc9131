// Command holdfastd is the Holdfast daemon: addressing API, snapshots, rollout,
// circuit breaker and BGP speaker in one process.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

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
	configFlag := func() cli.Flag {
		return &cli.StringFlag{Name: "config", Usage: "configuration `FILE`", Required: true}
	}
	return strictcli.Strict(&cli.App{
		Name:    "holdfastd",
		Usage:   "BGP prefix-advertisement safety daemon",
		Version: version.String(),
		Commands: []*cli.Command{
			{
				Name:   "serve",
				Usage:  "run the daemon",
				Flags:  []cli.Flag{configFlag()},
				Action: func(c *cli.Context) error { return serve(c.Context, c.String("config")) },
			},
			{
				Name:   "speak",
				Usage:  "run a speaker alone, fed by signed snapshots",
				Flags:  []cli.Flag{configFlag()},
				Action: func(c *cli.Context) error { return speak(c.Context, c.String("config")) },
			},
			{
				Name:  "init",
				Usage: "write a commented configuration that starts as it is",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "dir", Usage: "`DIR` to write holdfast.yaml in; made if missing", Required: true},
					&cli.StringFlag{Name: "environment", Usage: "`NAME` stamped on everything, e.g. production", Required: true},
					&cli.Int64Flag{Name: "asn", Usage: "our AS `NUMBER`", Required: true},
				},
				Action: func(c *cli.Context) error {
					return initialConfig(c.App.Writer, c.String("dir"), c.String("environment"), c.Int64("asn"))
				},
			},
			{
				Name:   "check-config",
				Usage:  "judge a configuration without starting anything",
				Flags:  []cli.Flag{configFlag(), &cli.BoolFlag{Name: "speak", Usage: "it is the configuration of a speaker alone"}},
				Action: func(c *cli.Context) error { return checkConfig(c.App.Writer, c.String("config"), c.Bool("speak")) },
			},
			{
				Name:   "rekey",
				Usage:  "make a new signing key where the old one is lost; the daemon must be stopped",
				Flags:  []cli.Flag{configFlag()},
				Action: func(c *cli.Context) error { return rekey(c.App.Writer, c.String("config")) },
			},
		},
	})
}
