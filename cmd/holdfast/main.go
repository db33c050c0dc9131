// Command holdfast is the operator's CLI. It speaks the operations API over
// the local socket, where it needs no token, or over HTTP with one.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/urfave/cli/v2"
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
		Name:      "holdfast",
		Usage:     "operate a Holdfast daemon",
		UsageText: "holdfast -e ENVIRONMENT [--socket PATH | --server URL --token-file FILE] [-o table|json|yaml] NOUN VERB",
		Version:   version.String(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "environment", Aliases: []string{"e"}, Usage: "`ENVIRONMENT` that is meant; there is no default"},
			&cli.StringFlag{Name: "socket", Usage: "admin socket `PATH` of the daemon on this machine"},
			&cli.StringFlag{Name: "server", Usage: "`URL` of the API, e.g. https://holdfast.example.net"},
			&cli.StringFlag{Name: "token-file", Usage: "`FILE` that holds the token for --server"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "table, json or yaml"},
		},
		Commands: []*cli.Command{
			statusCommand(),
			doctorCommand(),
			{Name: "account", Usage: "who owns prefixes", Subcommands: accountCommands()},
			{Name: "token", Usage: "who may change what", Subcommands: tokenCommands()},
			{Name: "service", Usage: "what prefixes are bound to", Subcommands: serviceCommands()},
			{Name: "prefix", Usage: "address blocks and whether they are advertised", Subcommands: prefixCommands()},
			{Name: "binding", Usage: "service bindings of a prefix", Subcommands: bindingCommands()},
			{Name: "plan", Usage: "what the next snapshot would change", Subcommands: planCommands()},
			{Name: "snapshot", Usage: "frozen operational states", Subcommands: snapshotCommands()},
			{Name: "rollout", Usage: "changes that go out in waves", Subcommands: rolloutCommands()},
			{Name: "edge", Usage: "edge machines and what they are ready for", Subcommands: edgeCommands()},
			rollbackCommand(),
			undoCommand(),
			damageCommand(),
			restoreCommand(),
			{Name: "breaker", Usage: "the circuit breaker", Subcommands: breakerCommands()},
			freezeCommands()[0],
			freezeCommands()[1],
			{Name: "approval", Usage: "what persons approve for one another", Subcommands: approvalCommands()},
			{Name: "approver", Usage: "who may agree to what somebody else asks for", Subcommands: approverCommands()},
			{Name: "held", Usage: "changes that wait for the breaker", Subcommands: heldCommands()},
			{Name: "notice", Usage: "what accounts were told", Subcommands: noticeCommands()},
			{Name: "kill-switch", Usage: "what can be turned off at once", Subcommands: killSwitchCommands()},
			{Name: "cleanup", Usage: "the clean-up worker", Subcommands: cleanupCommands()},
			{Name: "emergency", Usage: "what passes whatever the state of the breaker", Subcommands: emergencyCommands()},
			{Name: "incident", Usage: "what happened", Subcommands: incidentCommands()},
			{Name: "drill", Usage: "rehearsed outages", Subcommands: drillCommands()},
			{Name: "neighbor", Usage: "BGP neighbors and what they hold", Subcommands: append(neighborCommands(), neighborDrainCommands()...)},
			importCommand(),
			{Name: "beyond", Usage: "what became of our routes beyond us, as routers tell it", Subcommands: beyondCommands()},
			{Name: "speaker", Usage: "speakers that run alone", Subcommands: speakerCommands()},
			{Name: "site", Usage: "where neighbors are, and whether they serve", Subcommands: siteCommands()},
			edgeConfigCommand(),
			{Name: "config", Usage: "the daemon's configuration file", Subcommands: configCommands()},
			{Name: "audit", Usage: "who changed what and why", Subcommands: auditCommands()},
			{Name: "version", Usage: "print the version", Action: func(c *cli.Context) error {
				_, err := c.App.Writer.Write([]byte(version.String() + "\n"))
				return err
			}},
		},
	})
}
