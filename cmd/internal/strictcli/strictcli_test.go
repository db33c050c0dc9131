package strictcli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func app(ran *[]string) *cli.App {
	return Strict(&cli.App{
		Name: "prog",
		Commands: []*cli.Command{{
			Name: "prefix",
			Subcommands: []*cli.Command{
				{
					Name: "withdraw", ArgsUsage: "PREFIX",
					Flags: []cli.Flag{
						&cli.BoolFlag{Name: "dry-run"}, &cli.StringFlag{Name: "reason"}, &cli.StringSliceFlag{Name: "risk"},
						&cli.DurationFlag{Name: "for"}, &cli.IntFlag{Name: "count"}, &cli.TimestampFlag{Name: "until", Layout: time.RFC3339},
					},
					Action: func(c *cli.Context) error { *ran = append(*ran, c.Args().First()); return nil },
				},
				{Name: "many", ArgsUsage: "ID...", Action: func(*cli.Context) error { *ran = append(*ran, "many"); return nil }},
				{Name: "maybe", ArgsUsage: "[ID]", Action: func(*cli.Context) error { return errors.New("broke") }},
				{Name: "held", Action: func(*cli.Context) error { return &Error{Code: ExitHeld, Err: errors.New("held by global")} }},
				{Name: "need", Flags: []cli.Flag{&cli.StringFlag{Name: "x", Required: true}}, Action: func(*cli.Context) error { return nil }},
			},
		}},
		Flags:  []cli.Flag{&cli.StringFlag{Name: "output", Aliases: []string{"o"}}},
		Writer: &bytes.Buffer{}, ErrWriter: &bytes.Buffer{},
	})
}

func TestStrict(t *testing.T) {
	for _, c := range []struct {
		args   string
		code   int
		runs   bool
		stderr string
	}{
		{"prefix withdraw --dry-run 192.0.2.0/24", ExitDone, true, ""},
		{"prefix withdraw 192.0.2.0/24 --dry-run", ExitUsage, false, "put flags first"},
		{"prefix withdraw 192.0.2.0/24 -n", ExitUsage, false, "put flags first"},
		{"prefix withdraw --reason= 192.0.2.0/24", ExitUsage, false, "--reason is empty"},
		{"prefix withdraw --risk= 192.0.2.0/24", ExitUsage, false, "--risk is empty"},
		{"prefix withdraw", ExitUsage, false, "want PREFIX, got 0"},
		{"prefix withdraw a b", ExitUsage, false, "want PREFIX, got 2"},
		{"prefix withdraw --nope a", ExitUsage, false, "there is no flag -nope; see prog prefix withdraw --help"},
		{"prefix withdraw -o json a", ExitUsage, false, "flag -o stands before the noun: prog -o ... prefix withdraw"},
		{"prefix withdraw --for soon a", ExitUsage, false, `--for "soon": want a duration, e.g. 90s`},
		{"prefix withdraw --count few a", ExitUsage, false, `--count "few": want a whole number`},
		{"prefix withdraw --until tomorrow a", ExitUsage, false, `--until "tomorrow": want a time with its zone, e.g. 2027`},
		{"prefix withdrw a", ExitUsage, false, "no command \"withdrw\""},
		{"prefxi", ExitUsage, false, "no command \"prefxi\""},
		{"prefix many", ExitUsage, false, "want ID..., got 0"},
		{"prefix many a b c", ExitDone, true, ""},
		{"prefix maybe", ExitBroke, false, "broke"},
		{"prefix maybe a b", ExitUsage, false, "want [ID]"},
		{"prefix held", ExitHeld, false, "held by global"},
		{"prefix need", ExitUsage, false, "prog: --x: needed, before the arguments"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var ran []string
			var stderr bytes.Buffer
			code := Run(context.Background(), app(&ran), append([]string{"prog"}, strings.Fields(c.args)...), &stderr)
			if code != c.code || (len(ran) > 0) != c.runs {
				t.Errorf("exit %d ran %v, want %d %v", code, ran, c.code, c.runs)
			}
			if !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("stderr %q lacks %q", stderr.String(), c.stderr)
			}
		})
	}
}

func TestEmptyArgumentSelectsNothing(t *testing.T) {
	var ran []string
	if code := Run(context.Background(), app(&ran), []string{"prog", "prefix", "withdraw", ""}, &bytes.Buffer{}); code != ExitUsage || ran != nil {
		t.Errorf("exit %d, ran %v", code, ran)
	}
}

// A default that means nothing is not in the help; one that means something is.
func TestHelpNamesDefaultsThatMeanSomething(t *testing.T) {
	for _, c := range []struct {
		flag  cli.Flag
		shown bool
	}{
		{&cli.BoolFlag{Name: "yes"}, false},
		{&cli.IntFlag{Name: "count"}, false},
		{&cli.DurationFlag{Name: "wait"}, false},
		{&cli.IntFlag{Name: "limit", Value: 100}, true},
		{&cli.DurationFlag{Name: "for", Value: time.Hour}, true},
	} {
		if got := strings.Contains(cli.FlagStringer(c.flag), "default"); got != c.shown {
			t.Errorf("%q: a default is shown: %v", cli.FlagStringer(c.flag), got)
		}
	}
}
