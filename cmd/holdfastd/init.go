package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
)

const configName = "holdfast.yaml"

// initialConfig writes a starter configuration. It judges the text before it
// writes it and never replaces a file.
func initialConfig(out io.Writer, dir, environment string, asn int64) error {
	if asn < 1 || asn > 4294967295 {
		return strictcli.Usage("--asn %d: want 1 to 4294967295", asn)
	}
	src, err := config.Starter(environment, uint32(asn))
	if err != nil {
		return err
	}
	file := filepath.Join(dir, configName)
	if _, _, err := config.Parse(file, dir, src); err != nil {
		return &strictcli.Error{Code: strictcli.ExitUsage, Err: err}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	switch _, err := os.Lstat(file); {
	case err == nil:
		return fmt.Errorf("init: %s exists and is left as it is; use another --dir or move it away", file)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("init: %w", err)
	}
	if err := renameio.WriteFile(file, src, 0o644); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	fmt.Fprintf(out, "wrote %s\nnext: holdfastd serve --config %s\n", file, file)
	return nil
}

// checkConfig judges a file and prints what a careful reader should know.
func checkConfig(out io.Writer, file string, speaker bool) error {
	if speaker {
		said, notices, err := checkSpeak(file)
		for _, n := range notices {
			fmt.Fprintf(out, "note: %s\n", n.Error())
		}
		if err == nil {
			fmt.Fprintf(out, "%s: ok: %s\n", file, said)
		}
		return err
	}
	c, notices, err := config.Load(file)
	if err != nil {
		return err
	}
	for _, n := range notices {
		fmt.Fprintf(out, "note: %s\n", n.Error())
	}
	fmt.Fprintf(out, "%s: ok: environment %s, AS%d, %d neighbor(s) at %d site(s)\n", file, c.Environment, c.BGP.ASN, len(c.BGP.Neighbors), len(c.BGP.Sites))
	return nil
}
