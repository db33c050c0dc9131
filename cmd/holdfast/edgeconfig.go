package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/policy/device/render"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/urfave/cli/v2"
)

func edgeConfigCommand() *cli.Command {
	return &cli.Command{
		Name: "edge-config", Usage: "the router's side of our sessions with it", ArgsUsage: "frr|junos NEIGHBOR",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "ask no daemon: read the configuration `FILE`, and the prefixes from the last-known-good snapshot of its data directory"},
			&cli.StringFlag{Name: "prefixes", Usage: "with --config: `FILE` with one prefix a line, instead of a snapshot"},
			&cli.StringSliceFlag{Name: "speaker", Usage: "with --config: `ADDRESS` of ours towards the router, once for each speaker"},
		},
		Action: func(c *cli.Context) error {
			system, name := c.Args().Get(0), c.Args().Get(1)
			if c.Args().Len() != 2 || system != "frr" && system != "junos" {
				return strictcli.Usage("edge-config: want frr or junos, and the name of a neighbor or a router")
			}
			if c.String("config") != "" {
				return offlineEdgeConfig(c, system, name)
			}
			if c.String("prefixes") != "" || len(c.StringSlice("speaker")) > 0 {
				return strictcli.Usage("edge-config: --prefixes and --speaker go with --config")
			}
			return onlineEdgeConfig(c, system, name)
		},
	}
}

func onlineEdgeConfig(c *cli.Context, system, name string) error {
	conn, err := dial(c)
	if err != nil {
		return err
	}
	var out client.EdgeConfig
	if err := conn.get(conn.GetEdgeConfig(c.Context, name, &client.GetEdgeConfigParams{System: client.GetEdgeConfigParamsSystem(system)})).into(&out); err != nil {
		return err
	}
	fmt.Fprint(c.App.Writer, out.Text)
	return warnNothing(c, out.Prefixes)
}

// offlineEdgeConfig needs the configuration alone: before the first start, and
// with the daemon gone.
func offlineEdgeConfig(c *cli.Context, system, name string) error {
	cfg, _, err := config.Load(c.String("config"))
	if err != nil {
		return err
	}
	if e := c.String("environment"); e != "" && e != cfg.Environment {
		return &strictcli.Error{Code: strictcli.ExitRefused, Err: fmt.Errorf("the configuration is of environment %q, you said %q", cfg.Environment, e)}
	}
	var held []netip.Prefix
	if file := c.String("prefixes"); file != "" {
		held, err = readPrefixes(file)
	} else {
		held, err = heldBySnapshot(cfg)
	}
	if err != nil {
		return err
	}
	var speakers []netip.Addr
	for _, text := range c.StringSlice("speaker") {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return strictcli.Usage("--speaker %q is no IP address", text)
		}
		speakers = append(speakers, a)
	}
	side, err := cfg.Side(name, held, speakers)
	if err != nil {
		return err
	}
	text, err := render.System(system, side)
	if err != nil {
		return err
	}
	fmt.Fprint(c.App.Writer, text)
	return warnNothing(c, len(held))
}

// warnNothing tells that the router would take nothing.
func warnNothing(c *cli.Context, prefixes int) error {
	if prefixes == 0 {
		fmt.Fprintln(c.App.ErrWriter, "there is no approved prefix yet: the router will take nothing from us")
	}
	return nil
}

// heldBySnapshot reads the last-known-good. No snapshot yet is no prefix.
func heldBySnapshot(cfg *config.Config) ([]netip.Prefix, error) {
	dir, err := snapshots.Open(filepath.Join(cfg.DataDir, "snapshots"), snapshots.Options{Environment: cfg.Environment, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("%w; or name the prefixes with --prefixes FILE", err)
	}
	defer dir.Close()
	l, err := dir.Good()
	if errors.Is(err, snapshots.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return l.Snapshot.Held(), nil
}

func readPrefixes(file string) ([]netip.Prefix, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("prefixes: %w", err)
	}
	defer f.Close()
	var out []netip.Prefix
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		p, err := addressing.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		out = append(out, p)
	}
	return out, lines.Err()
}
