package lint

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages of docs/runbooks/rules")

const pages = "../../../docs/runbooks/rules"

// The pages say the same as leaklint explain: both are made from rules.txt.
// go test ./policy/device/lint -run TestPages -update writes them.
func TestPages(t *testing.T) {
	index := "# Rules of leaklint\n\n<!-- generated from policy/device/lint/rules.txt; do not edit -->\n\n| rule | name | severity | what |\n| --- | --- | --- | --- |\n"
	want := map[string]string{}
	for _, r := range Rules() {
		want[r.ID+".md"] = r.Page()
		index += fmt.Sprintf("| [%s](%s.md) | %s | %s | %s |\n", r.ID, r.ID, r.Name, r.Severity, r.Title)
	}
	want["README.md"] = index
	for name, text := range want {
		path := filepath.Join(pages, name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%s is stale: run this test with -update (%v)", name, err)
		}
	}
	files, err := filepath.Glob(pages + "/*.md")
	if err != nil || len(files) != len(want) {
		t.Errorf("%d pages for %d rules (%v)", len(files), len(want), err)
	}
}

// The catalogue is complete: every id once, with what, why and a fix, and every
// id the code gives is in it.
func TestCatalogue(t *testing.T) {
	rules, err := readRules(rulesText)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rules {
		if seen[r.ID] || seen[r.Name] || r.Title == "" || r.Why == "" || r.Fix == "" {
			t.Errorf("%s %s: twice, or without what, why or fix", r.ID, r.Name)
		}
		seen[r.ID], seen[r.Name] = true, true
	}
	for _, pattern := range []string{"*.go", "../*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) < 5 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range strings.Split(string(text), `"RL`)[1:] {
				if id := "RL" + strings.SplitN(part, `"`, 2)[0]; len(id) == 5 && !seen[id] {
					t.Errorf("%s gives %s, which is not in the catalogue", f, id)
				}
			}
		}
	}
	for _, bad := range []string{"RL1 x", "RL100 a loud", "RL100 a error\nnonsense", "RL100 a error\nwhat: x\n    text"} {
		if _, err := readRules(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
