package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/change"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
	"github.com/holdfast-bgp/holdfast/policy/report"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// flags every judging command has.
func judgeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: report.FormatNames()},
		&cli.StringFlag{Name: "config", Usage: "declaration `FILE` (default .leaklint.yaml)"},
		&cli.StringFlag{Name: "dialect", Usage: "read every file as this `DIALECT`"},
		&cli.StringFlag{Name: "fail-on", Value: "error", Usage: "lowest `SEVERITY` that fails: error, warning or info"},
		&cli.StringFlag{Name: "unknown", Usage: "report or fail (exit 4) when something cannot be decided"},
		&cli.StringFlag{Name: "baseline", Usage: "`FILE` of findings that are known"},
		&cli.StringFlag{Name: "rpki", Usage: "`FILE` of ASPAs (rpki-client or Routinator JSON) to compare providers with"},
	}
}

// judge holds what the flags say.
type judge struct {
	format   report.Format
	failOn   device.Severity
	unknown  string
	baseline *lint.Baseline
	declared *lint.Declaration
	dialect  string
}

func newJudge(c *cli.Context, t tree) (*judge, error) {
	j := &judge{unknown: c.String("unknown"), dialect: c.String("dialect")}
	var err error
	if j.format, err = report.ParseFormat(c.String("output")); err != nil {
		return nil, usageOf(fmt.Errorf("--%w", err))
	}
	var ok bool
	if j.failOn, ok = lint.ParseSeverity(c.String("fail-on")); !ok {
		return nil, strictcli.Usage("--fail-on %q: want error, warning or info", c.String("fail-on"))
	}
	if j.unknown != "" && j.unknown != "report" && j.unknown != "fail" {
		return nil, strictcli.Usage("--unknown %q: want report or fail", j.unknown)
	}
	if j.declared, err = declaration(t, c.String("config")); err != nil {
		return nil, err
	}
	if j.unknown == "" && j.declared.UnknownFails() {
		j.unknown = "fail"
	}
	if name := c.String("rpki"); name != "" {
		payload, _, err := rpkiFiles(name, "")
		if err != nil {
			return nil, err
		}
		aspas, err := rpki.NewASPAs(payload.ASPAs)
		if err != nil {
			return nil, unreadable(fmt.Errorf("%s: %w", name, err))
		}
		j.declared.Against(aspas)
	}
	if name := c.String("baseline"); name != "" {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, unreadable(err)
		}
		if j.baseline, err = lint.ReadBaseline(data); err != nil {
			return nil, usageOf(fmt.Errorf("%s: %w", name, err))
		}
	}
	return j, nil
}

func (j *judge) loader(t tree) *loader {
	return &loader{tree: t, declared: j.declared, dialect: j.dialect, progress: progress(os.Stderr)}
}

// progress draws a line on a terminal, and nothing elsewhere.
func progress(w *os.File) func(done, all int) {
	if !term.IsTerminal(int(w.Fd())) {
		return nil
	}
	return func(done, all int) {
		if all > 20 {
			fmt.Fprintf(w, "\rleaklint: %d of %d files\033[K", done, all)
			if done == all-1 {
				fmt.Fprint(w, "\r\033[K")
			}
		}
	}
}

// finish applies suppressions and the baseline, writes the report and turns
// what is left into an exit code.
func (j *judge) finish(w io.Writer, res *lint.Result, in *loaded) error {
	today := time.Now().UTC().Format(time.DateOnly)
	for name, data := range in.sources {
		res.Suppress(name, data, today)
	}
	if j.baseline != nil {
		for _, e := range j.baseline.Apply(res, today) {
			in.notes = append(in.notes, fmt.Sprintf("baseline: %s %s (%s) is not found any more", e.Rule, e.Where, e.Fingerprint))
		}
	}
	r := &report.Report{Version: version.String(), Result: res, Files: in.files, Notes: in.notes, Complete: !in.broken, Compared: j.baseline != nil || in.compared}
	if err := r.Write(w, j.format); err != nil {
		return err
	}
	if err := stepSummary(j.format, r); err != nil {
		return err
	}
	return j.verdict(res, in)
}

// stepSummary adds all findings to the summary of a GitHub job: annotations have
// room for a few.
func stepSummary(f report.Format, r *report.Report) error {
	name := os.Getenv("GITHUB_STEP_SUMMARY")
	if f != report.GitHub || name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("step summary: %w", err)
	}
	if err := r.Markdown(file, report.StepSummary); err != nil {
		_ = file.Close()
		return fmt.Errorf("step summary: %w", err)
	}
	return file.Close()
}

func (j *judge) verdict(res *lint.Result, in *loaded) error {
	found, doubts := 0, 0
	for i := range res.Findings {
		f := &res.Findings[i]
		switch {
		case !f.Counts():
		case f.Undecided && f.Rule != "RL904": // a fault of this program always fails
			doubts++
		case f.Severity <= j.failOn:
			found++
		}
	}
	switch {
	case in.broken:
		return unreadable(errors.New("a requested file could not be judged"))
	case found > 0:
		return &strictcli.Error{Code: exitFindings, Err: fmt.Errorf("%d findings", found)}
	case doubts > 0 && j.unknown == "fail":
		return &strictcli.Error{Code: exitUnknown, Err: fmt.Errorf("%d sessions or files are undecided", doubts)}
	}
	return nil
}

func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "judge configurations", ArgsUsage: "PATH...",
		UsageText: "leaklint check [flags] PATH...", Flags: judgeFlags(),
		Action: func(c *cli.Context) error {
			t := disk{}
			j, err := newJudge(c, t)
			if err != nil {
				return err
			}
			in, err := j.loader(t).load(c.Args().Slice())
			if err != nil {
				return err
			}
			return j.finish(c.App.Writer, j.declared.Check(in.configs...), in)
		},
	}
}

func diffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "judge a change: report only what it introduces", ArgsUsage: "[PATH...]",
		UsageText: "leaklint diff --base REF|DIR PATH...\nleaklint diff --base FILE --change SCRIPT FILE",
		Flags: append(judgeFlags(),
			&cli.StringFlag{Name: "base", Required: true, Usage: "git `REF`, a directory with the same paths, or a file"},
			&cli.StringFlag{Name: "change", Usage: "Junos commands, \"show | compare\" or unified diff in `FILE`, to be applied to the base file"},
		),
		Action: func(c *cli.Context) error {
			j, err := newJudge(c, disk{})
			if err != nil {
				return err
			}
			if script := c.String("change"); script != "" {
				return j.diffChange(c.App.Writer, c.String("base"), script)
			}
			return j.diffTrees(c.App.Writer, c.String("base"), c.Args().Slice())
		},
	}
}

// diffTrees compares paths with the same paths in a revision or directory.
func (j *judge) diffTrees(w io.Writer, base string, paths []string) error {
	var old tree
	info, err := os.Stat(base)
	switch {
	case err == nil && info.IsDir():
		old = disk{base}
	case err == nil:
		return j.diffFile(w, base, paths)
	default:
		c, err := resolve(base)
		if err != nil {
			return usageOf(fmt.Errorf("--base: %w", err))
		}
		old = c
	}
	after, err := j.loader(disk{}).load(paths)
	if err != nil {
		return err
	}
	before := &loaded{sources: map[string][]byte{}}
	l := j.loader(old)
	for _, f := range after.files {
		// A file the base does not have is new: all it says is introduced.
		if data, err := old.read(f.Path); err == nil {
			l.one(before, f.Path, data, false)
		}
	}
	after.compared = true
	was, now, same := changed(before, after)
	if n := len(same); n > 0 {
		after.notes = append(after.notes, fmt.Sprintf("%d files are as they were and were not judged again", n))
	}
	return j.finish(w, j.declared.CompareAmong(was, now, same), after)
}

// changed parts the configurations a change touches from those it does not, by
// what the files and all they include say.
func changed(before, after *loaded) (was, now, same []*device.Config) {
	touched := map[string]bool{}
	for _, cfg := range after.configs {
		name := cfg.Files[0].Path
		if d, ok := before.digests[name]; ok && d == after.digests[name] {
			same = append(same, cfg)
			continue
		}
		touched[name] = true
		now = append(now, cfg)
	}
	for _, cfg := range before.configs {
		if touched[cfg.Files[0].Path] {
			was = append(was, cfg)
		}
	}
	return was, now, same
}

// diffFile compares one file with another under its own name.
func (j *judge) diffFile(w io.Writer, base string, paths []string) error {
	if len(paths) != 1 {
		return strictcli.Usage("diff: --base %s is a file: give one PATH to compare it with", base)
	}
	after, err := j.loader(disk{}).load(paths)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(base)
	if err != nil {
		return unreadable(err)
	}
	before := &loaded{sources: map[string][]byte{}}
	j.loader(disk{}).one(before, paths[0], data, true)
	after.compared = true
	return j.finish(w, j.declared.Compare(before.configs, after.configs), after)
}

// diffChange applies a Junos change to the base file.
func (j *judge) diffChange(w io.Writer, base, script string) error {
	j.dialect = string(device.Junos)
	before, err := j.loader(disk{}).load([]string{base})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(script)
	if err != nil {
		return unreadable(err)
	}
	res, err := change.Apply(device.Input{Path: base, Data: before.sources[base]}, device.Input{Path: script, Data: text})
	if err != nil {
		return unreadable(err)
	}
	before.compared = true
	return j.finish(w, j.declared.Compare(before.configs, []*device.Config{res.Config}), before)
}

func baselineCommand() *cli.Command {
	return &cli.Command{
		Name: "baseline", Usage: "write the findings of today as known", ArgsUsage: "PATH...",
		UsageText: "leaklint baseline --reason WHY [--expires DATE] PATH... > FILE",
		Flags: append(judgeFlags(),
			&cli.StringFlag{Name: "reason", Required: true, Usage: "`WHY` they wait"},
			&cli.StringFlag{Name: "expires", Usage: "`DATE` (2027-01-31) from which they count again"},
		),
		Action: func(c *cli.Context) error {
			t := disk{}
			j, err := newJudge(c, t)
			if err != nil {
				return err
			}
			if e := c.String("expires"); e != "" {
				if _, err := time.Parse(time.DateOnly, e); err != nil {
					return strictcli.Usage("--expires %q: want a date such as 2027-01-31", e)
				}
			}
			in, err := j.loader(t).load(c.Args().Slice())
			if err != nil {
				return err
			}
			enc := json.NewEncoder(c.App.Writer)
			enc.SetIndent("", "  ")
			return enc.Encode(lint.NewBaseline(j.declared.Check(in.configs...), c.String("reason"), c.String("expires")))
		},
	}
}

func explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "say what a rule is about", ArgsUsage: "RULE", UsageText: "leaklint explain RULE",
		Action: func(c *cli.Context) error {
			r, ok := lint.Lookup(c.Args().First())
			if !ok {
				return strictcli.Usage("explain: there is no rule %q; see leaklint rules", c.Args().First())
			}
			_, err := io.WriteString(c.App.Writer, r.Explain())
			return err
		},
	}
}

func rulesCommand() *cli.Command {
	return &cli.Command{
		Name: "rules", Usage: "list the rules", UsageText: "leaklint rules",
		Action: func(c *cli.Context) error {
			for _, r := range lint.Rules() {
				if _, err := fmt.Fprintf(c.App.Writer, "%s  %-7s  %-32s %s\n", r.ID, r.Severity, r.Name, r.Title); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func usageOf(err error) error { return &strictcli.Error{Code: strictcli.ExitUsage, Err: err} }
