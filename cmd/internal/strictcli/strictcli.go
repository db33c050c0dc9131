// Package strictcli closes the holes of urfave/cli v2 for the three programs.
// The library stops reading flags at the first positional argument, so that
// `withdraw 192.0.2.0/24 --dry-run` would withdraw; here a flag after a
// positional argument, an empty flag value and a surplus argument are usage
// errors, and errors map to the exit codes every program shares.
package strictcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Exit codes (DESIGN section 9).
const (
	ExitDone    = 0
	ExitBroke   = 1
	ExitUsage   = 2
	ExitRefused = 3 // by policy
	ExitHeld    = 4 // by the breaker
)

// Error is an error with an exit code.
type Error struct {
	Code int
	Err  error
}

// Error returns the message of the wrapped error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Usage makes a usage error, exit code 2.
func Usage(format string, args ...any) error {
	return &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// Strict makes every leaf command of the app strict. A leaf's ArgsUsage names
// its positional arguments, e.g. "PREFIX SERVICE": exactly that many must be
// given, unless the last one ends in "..." (one or more) or is in brackets
// (may be left out; "[PATH...]" is any number).
func Strict(app *cli.App) *cli.App {
	app.HideHelpCommand = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = usageError
	app.CommandNotFound = nil
	app.Action = noCommand
	for _, c := range app.Commands {
		strictCommand(c)
	}
	return app
}

func strictCommand(c *cli.Command) {
	c.OnUsageError = usageError
	c.HideHelpCommand = true
	if len(c.Subcommands) > 0 {
		for _, s := range c.Subcommands {
			strictCommand(s)
		}
		c.Action = noCommand
		return
	}
	run := c.Action
	c.Action = func(ctx *cli.Context) error {
		if err := check(ctx, c); err != nil {
			return err
		}
		return run(ctx)
	}
}

// The help shows no "(default: false)" and no "(default: 0)": what is not given
// does nothing, or the flag's text says what then holds.
func init() {
	line := cli.FlagStringer
	cli.FlagStringer = func(f cli.Flag) string { return idleDefault.ReplaceAllString(line(f), "") }
}

var idleDefault = regexp.MustCompile(` ?\(default: (false|0|0s)\)$`)

// usageError says what was expected where the library does not.
func usageError(ctx *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		if global(ctx, name) {
			return Usage("%s: flag -%s stands before the noun: %s -%s ... %s", ctx.Command.HelpName, name, ctx.App.Name, name, strings.TrimPrefix(ctx.Command.HelpName, ctx.App.Name+" "))
		}
		return Usage("%s: there is no flag -%s; see %s --help", ctx.Command.HelpName, name, ctx.Command.HelpName)
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		return Usage("%s: --%s %q: want %s", ctx.Command.HelpName, m[2], m[1], wantedValue(ctx, m[2]))
	}
	return Usage("%w", err)
}

var badValue = regexp.MustCompile(`^invalid value "(.*?)" for flag -([a-z-]+): `)

// global says whether the app, not the command, has the flag.
func global(ctx *cli.Context, name string) bool {
	for _, f := range ctx.App.Flags {
		if slices.Contains(f.Names(), name) {
			return true
		}
	}
	return false
}

// wantedValue is what a flag that is no text takes.
func wantedValue(ctx *cli.Context, name string) string {
	for _, f := range append(slices.Clone(ctx.Command.Flags), ctx.App.Flags...) {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		switch f.(type) {
		case *cli.DurationFlag:
			return "a duration, e.g. 90s, 10m or 1h30m"
		case *cli.TimestampFlag:
			return "a time with its zone, e.g. 2027-01-31T00:00:00Z"
		case *cli.IntFlag, *cli.Int64Flag, *cli.IntSliceFlag, *cli.Int64SliceFlag:
			return "a whole number"
		}
	}
	return "another value"
}

func noCommand(ctx *cli.Context) error {
	if ctx.Args().Present() {
		return Usage("%s: no command %q; try %s --help", ctx.Command.HelpName, ctx.Args().First(), ctx.Command.HelpName)
	}
	return cli.ShowSubcommandHelp(ctx)
}

func check(ctx *cli.Context, c *cli.Command) error {
	args := ctx.Args().Slice()
	for _, a := range args {
		if strings.HasPrefix(a, "-") && a != "-" {
			return Usage("%s: flag %s stands after an argument, where it would be ignored; put flags first", c.HelpName, a)
		}
		if a == "" {
			return Usage("%s: an empty argument selects nothing", c.HelpName)
		}
	}
	for _, name := range ctx.LocalFlagNames() {
		if ctx.IsSet(name) && emptyValue(ctx, name) {
			return Usage("%s: --%s is empty", c.HelpName, name)
		}
	}
	low, high := arity(c.ArgsUsage)
	if len(args) < low || (high >= 0 && len(args) > high) {
		return Usage("%s: want %s, got %d argument(s)", c.HelpName, wanted(c.ArgsUsage), len(args))
	}
	return nil
}

func emptyValue(ctx *cli.Context, name string) bool {
	switch v := ctx.Value(name).(type) {
	case string:
		return v == ""
	case cli.StringSlice:
		for _, s := range v.Value() {
			if s == "" {
				return true
			}
		}
	}
	return false
}

func wanted(argsUsage string) string {
	if argsUsage == "" {
		return "no argument"
	}
	return argsUsage
}

// arity reads "A B", "A...", "[A]" and "[A...]"; high is -1 without a bound.
func arity(argsUsage string) (low, high int) {
	for _, word := range strings.Fields(argsUsage) {
		switch {
		case strings.HasSuffix(word, "..."):
			return low + 1, -1
		case strings.HasPrefix(word, "[") && strings.HasSuffix(word, "...]"):
			return low, -1
		case strings.HasPrefix(word, "["):
			high++
		default:
			low++
			high++
		}
	}
	return low, high
}

var required = regexp.MustCompile(`^Required flags? "(.*)" not set$`)

// Run runs the app and returns its exit code, after writing the error, if any,
// to stderr as one "program: message" per line.
func Run(ctx context.Context, app *cli.App, args []string, stderr io.Writer) int {
	err := app.RunContext(ctx, args)
	if err == nil {
		return ExitDone
	}
	// The library's own errors are about the command line: unset required flags.
	if m := required.FindStringSubmatch(err.Error()); m != nil {
		err = Usage("--%s: needed, before the arguments", strings.ReplaceAll(m[1], ", ", ", --"))
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(stderr, "%s: %s\n", app.Name, line)
	}
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return ExitBroke
}
