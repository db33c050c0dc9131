package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// invariants is how many ARCHITECTURE.md has to name.
const invariants = 16

// pages lists the Markdown files of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			list = append(list, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// deadLinks lists the links of a page to files that do not exist.
func deadLinks(page string, text []byte) []string {
	var dead []string
	for _, m := range link.FindAllSubmatch(text, -1) {
		target, _, _ := strings.Cut(string(m[1]), "#")
		if target == "" || strings.Contains(target, "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
			dead = append(dead, target)
		}
	}
	return dead
}

func TestLinks(t *testing.T) {
	list := pages(t)
	if len(list) < 5 {
		t.Fatalf("found only the pages %q", list)
	}
	for _, page := range list {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range deadLinks(page, text) {
			t.Errorf("%s links to %s, which is not there", page, target)
		}
	}
	if got := deadLinks(filepath.Join(root, "README.md"), []byte("[a](LICENSE) [b](nowhere.md) [c](https://example.org)")); !slices.Equal(got, []string{"nowhere.md"}) {
		t.Errorf("dead links of a sample: %q", got)
	}
}

var (
	row   = regexp.MustCompile(`(?m)^\| I(\d+) \|.*\| (.*) \|$`)
	named = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)`")
)

// A row of the table of invariants names tests that exist, or says that they
// are pending; it may do both.
func TestInvariantsNameTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := row.FindAllSubmatch(text, -1)
	if len(rows) != invariants {
		t.Errorf("ARCHITECTURE.md has %d invariants, want %d", len(rows), invariants)
	}
	for i, r := range rows {
		if got, want := string(r[1]), fmt.Sprint(i+1); got != want {
			t.Errorf("invariant I%s is where I%s should be", got, want)
		}
		tests := named.FindAllSubmatch(r[2], -1)
		if len(tests) == 0 && !strings.Contains(string(r[2]), "(pending)") {
			t.Errorf("I%s names no test", r[1])
		}
		for _, m := range tests {
			if err := declared(string(m[1]), string(m[2])); err != nil {
				t.Errorf("I%s: %v", r[1], err)
			}
		}
	}
}

// declared is nil if the package has a test of that name.
func declared(pkg, test string) error {
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "\nfunc "+test+"(") {
			return nil
		}
	}
	return fmt.Errorf("no test %s in %s", test, pkg)
}

func TestDeclared(t *testing.T) {
	if err := declared("cmd/internal/docs", "TestDeclared"); err != nil {
		t.Error(err)
	}
	if declared("cmd/internal/docs", "TestDeclare") == nil || declared("nowhere", "TestDeclared") == nil {
		t.Error("a test that does not exist was found")
	}
}

var (
	alertName = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	runbook   = regexp.MustCompile(`(?m)^ +runbook: (docs/runbooks/[a-z-]+\.md)$`)
)

// Every alert names a runbook that exists, and is tested: that it fires, and
// that it is silent at rest.
func TestAlertsHaveRunbooksAndTests(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/holdfast.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(root, "deploy/prometheus/holdfast.test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	alerts, books := alertName.FindAllSubmatch(rules, -1), runbook.FindAllSubmatch(rules, -1)
	if len(alerts) < 10 || len(alerts) != len(books) {
		t.Fatalf("%d alerts, %d runbooks", len(alerts), len(books))
	}
	for i, a := range alerts {
		if _, err := os.Stat(filepath.Join(root, string(books[i][1]))); err != nil {
			t.Errorf("%s: %v", a[1], err)
		}
		if n := strings.Count(string(tests), string(a[1])); n < 2 {
			t.Errorf("%s is tested %d times, want that it fires and that it does not", a[1], n)
		}
	}
}

// Every page of a folder is on the list of that folder, so that it is found.
func TestPagesAreListed(t *testing.T) {
	for dir, list := range map[string]string{
		"docs/runbooks": "docs/runbooks/README.md", "docs/concepts": "docs/README.md", "docs/reference": "docs/reference/README.md",
		"docs/runbooks/rules": "docs/runbooks/rules/README.md",
	} {
		pages, err := filepath.Glob(filepath.Join(root, dir, "*.md"))
		if err != nil || len(pages) < 5 {
			t.Fatalf("%s: %q, %v", dir, pages, err)
		}
		text, err := os.ReadFile(filepath.Join(root, list))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			if name := filepath.Base(page); name != "README.md" && !strings.Contains(string(text), name+")") {
				t.Errorf("%s does not list %s/%s", list, dir, name)
			}
		}
	}
}
