//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

// patience ends a run that hangs. A run takes a little over a minute on two idle
// cores; a busy machine must not fail it, the bars are about routes.
const patience = 5 * time.Minute

// The children are told to end when the thread that started them does
// (Pdeathsig), so that not even SIGKILL leaves one behind: they are started
// from the main goroutine, and that stays on the main thread.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) > 1 && os.Args[1] == neighborVerb {
		os.Exit(exitCode(serveNeighbor(os.Args[2:], os.Stdin, os.Stdout), os.Stderr))
	}
	os.Exit(exitCode(run(os.Args[1:], os.Stdout), os.Stderr))
}

func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 2
	}
	fmt.Fprintln(stderr, "demo:", err)
	return 1
}

// options are what the flags say.
type options struct {
	programs  string // directory of holdfastd and holdfast
	protected bool
	legacy    bool
	keep      bool
}

func parse(args []string) (options, error) {
	f := flag.NewFlagSet("holdfast-demo", flag.ContinueOnError)
	beside, err := os.Executable()
	if err != nil {
		return options{}, err
	}
	bin := f.String("bin", filepath.Dir(beside), "`DIR` with holdfastd and holdfast")
	legacy := f.Bool("legacy", false, "replay with the protections off only")
	protected := f.Bool("protected", false, "replay against Holdfast only")
	keep := f.Bool("keep", false, "keep the temporary directory")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	switch {
	case f.NArg() > 0:
		return options{}, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case *legacy && *protected:
		return options{}, errors.New("--legacy and --protected exclude one another; without them both are run")
	}
	return options{programs: *bin, protected: !*legacy, legacy: !*protected, keep: *keep}, nil
}

// run replays, prints and judges.
func run(args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := table.Load()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "holdfast-demo-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(out, "files are kept in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	p := newPrinter(out)
	var bars []bar
	var with, without *outcome
	if o.protected {
		if with, err = replayProtected(ctx, p, o.programs, dir, rows); err != nil {
			return fmt.Errorf("with Holdfast: %w", err)
		}
		bars = append(bars, with.protectedBars()...)
	}
	if o.legacy {
		if without, err = replayLegacy(ctx, p, rows); err != nil {
			return fmt.Errorf("without: %w", err)
		}
		bars = append(bars, without.legacyBars()...)
	}
	if with != nil && without != nil {
		p.compare(with, without)
	}
	return p.verdict(bars)
}
