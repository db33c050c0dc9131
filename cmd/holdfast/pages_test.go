package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

const repository = "../.."

// code is what stands between backquotes, or a line of a code block.
var (
	code  = regexp.MustCompile("`([^`\n]+)`")
	fence = regexp.MustCompile("(?ms)^```[a-z]*$(.*?)^```$")
)

// A command on a page, as it was read.
type written struct {
	page, text string
	paths      []string // "prefix withdraw"; several where the page writes a|b
	unknown    string   // the word that no command or flag is called
}

// leaf finds the command that the words name.
func leaf(words []string) (path []string, c *cli.Command, rest []string) {
	list := app().Commands
	for len(words) > 0 {
		i := slices.IndexFunc(list, func(c *cli.Command) bool { return c.Name == words[0] })
		if i < 0 {
			break
		}
		c, path, words = list[i], append(path, words[0]), words[1:]
		list = c.Subcommands
	}
	return path, c, words
}

// read takes a piece of code as a command, or says that it is none. A piece
// that does not begin with the program's name is one if it begins with a noun
// and a verb of it.
func read(page, text string) (written, bool) {
	w := written{page: page, text: text}
	text = strings.NewReplacer(`\|`, "|", "...", "", "[", " ", "]", " ", "(", " ", ")", " ", ",", " ", `"`, "").Replace(text)
	words := strings.Fields(text)
	named := false
	if len(words) > 0 && (words[0] == "holdfast" || words[0] == "bin/holdfast" || words[0] == "h") {
		named, words = words[0] != "h", dropGlobals(words[1:])
	}
	if len(words) == 0 || !regexp.MustCompile(`^[a-z]`).MatchString(words[0]) {
		return w, false
	}
	for _, verb := range alternatives(words) {
		path, c, rest := leaf(verb)
		switch {
		case c == nil || len(c.Subcommands) > 0 && len(rest) > 0 && regexp.MustCompile(`^[a-z-]+$`).MatchString(rest[0]):
			if !named {
				return w, false // prose, a rule, a metric
			}
			w.unknown = strings.Join(verb[:min(2, len(verb))], " ")
			return w, true
		case len(c.Subcommands) > 0:
			return w, false // a noun alone
		}
		w.paths = append(w.paths, strings.Join(path, " "))
		for _, word := range rest {
			if name, isFlag := strings.CutPrefix(word, "--"); isFlag && !hasFlag(c, name) {
				w.unknown = word
			}
		}
	}
	return w, true
}

func dropGlobals(words []string) []string {
	for len(words) > 1 && strings.HasPrefix(words[0], "-") {
		words = words[2:]
	}
	return words
}

// alternatives writes "held drop|release CHANGE" as two commands.
func alternatives(words []string) [][]string {
	if len(words) < 2 || !strings.Contains(words[1], "|") {
		return [][]string{words}
	}
	var all [][]string
	for _, verb := range strings.Split(words[1], "|") {
		all = append(all, append([]string{words[0], verb}, words[2:]...))
	}
	return all
}

func hasFlag(c *cli.Command, name string) bool {
	name, _, _ = strings.Cut(name, "=")
	for _, part := range strings.Split(name, "|") {
		part = strings.TrimPrefix(part, "--")
		if part == "help" {
			continue
		}
		if !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), part) }) {
			return false
		}
	}
	return true
}

// commands lists the commands on all pages.
func commands(t *testing.T) []written {
	t.Helper()
	var all []written
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path != repository && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md" || d.Name() == "CHANGELOG.md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		page := strings.TrimPrefix(path, repository+"/")
		for _, piece := range pieces(string(text)) {
			if w, ok := read(page, piece); ok {
				all = append(all, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func pieces(text string) []string {
	var out []string
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for _, line := range strings.Split(block[1], "\n") {
			line, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "$ "), " #")
			out = append(out, line)
		}
	}
	for _, line := range strings.Split(fence.ReplaceAllString(text, ""), "\n") {
		if indented, ok := strings.CutPrefix(line, "    "); ok {
			out = append(out, strings.TrimPrefix(indented, "$ "))
			continue
		}
		for _, m := range code.FindAllStringSubmatch(line, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// What a page tells somebody to type exists, with the flags it is given.
func TestPagesNameCommandsThatExist(t *testing.T) {
	all := commands(t)
	if len(all) < 150 {
		t.Fatalf("found only %d commands on all pages", len(all))
	}
	for _, w := range all {
		if w.unknown != "" {
			t.Errorf("%s: `%s`: there is no %s", w.page, w.text, w.unknown)
		}
	}
	for text, unknown := range map[string]string{
		"holdfast -e ENV --socket PATH prefix lost":      "prefix lost",
		"prefix list --state pending":                    "--state",
		"held drop\\|release CHANGE":                     "",
		"holdfast frobnicate":                            "frobnicate",
		"holdfast -o json breaker journal --since TIME":  "",
		"snapshot list|show|verify|pin|unpin":            "",
		"rollback --all \\| --account A [--to G]":        "",
		"holdfast neighbor shutdown-everything --reason": "neighbor shutdown-everything",
	} {
		if w, ok := read("sample", text); !ok || w.unknown != unknown {
			t.Errorf("%q: read %v, unknown %q, want %q", text, ok, w.unknown, unknown)
		}
	}
	for _, prose := range []string{"open", "mode: observe", "breaker.W5", "restore.json", "h"} {
		if w, ok := read("sample", prose); ok {
			t.Errorf("%q was read as %v", prose, w.paths)
		}
	}
}

// Every verb is on the reference page.
func TestReferenceNamesEveryVerb(t *testing.T) {
	there := map[string]bool{}
	for _, w := range commands(t) {
		if w.page == "docs/reference/cli.md" {
			for _, p := range w.paths {
				there[p] = true
			}
		}
	}
	var walk func(path []string, list []*cli.Command)
	walk = func(path []string, list []*cli.Command) {
		for _, c := range list {
			here := append(slices.Clone(path), c.Name)
			if len(c.Subcommands) > 0 {
				walk(here, c.Subcommands)
			} else if name := strings.Join(here, " "); !there[name] {
				t.Errorf("docs/reference/cli.md lacks `%s`: %s", name, c.Usage)
			}
		}
	}
	walk(nil, app().Commands)
}
