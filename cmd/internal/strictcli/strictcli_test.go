package strictcli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

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
					Flags:  []cli.Flag{&cli.BoolFlag{Name: "dry-run"}, &cli.StringFlag{Name: "reason"}, &cli.StringSliceFlag{Name: "risk"}},
					Action: func(c *cli.Context) error { *ran = append(*ran, c.Args().First()); return nil },
				},
				{Name: "many", ArgsUsage: "ID...", Action: func(*cli.Context) error { *ran = append(*ran, "many"); return nil }},
				{Name: "maybe", ArgsUsage: "[ID]", Action: func(*cli.Context) error { return errors.New("broke") }},
				{Name: "held", Action: func(*cli.Context) error { return &Error{Code: ExitHeld, Err: errors.New("held by global")} }},
				{Name: "need", Flags: []cli.Flag{&cli.StringFlag{Name: "x", Required: true}}, Action: func(*cli.Context) error { return nil }},
			},
		}},
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
		{"prefix withdraw --nope a", ExitUsage, false, "nope"},
		{"prefix withdrw a", ExitUsage, false, "no command \"withdrw\""},
		{"prefxi", ExitUsage, false, "no command \"prefxi\""},
		{"prefix many", ExitUsage, false, "want ID..., got 0"},
		{"prefix many a b c", ExitDone, true, ""},
		{"prefix maybe", ExitBroke, false, "broke"},
		{"prefix maybe a b", ExitUsage, false, "want [ID]"},
		{"prefix held", ExitHeld, false, "held by global"},
		{"prefix need", ExitUsage, false, "Required flag"},
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
