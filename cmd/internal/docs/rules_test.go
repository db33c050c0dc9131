package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	comment    = regexp.MustCompile(`//.*`)
	ruleInCode = regexp.MustCompile(`"((?:breaker|plan|snapshot|boot)\.[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*)"`)
	nameOnPage = regexp.MustCompile("`([a-z0-9]+[./][A-Za-z0-9/.-]+)`")
)

// ruleSources is where rules of the daemon are named. What else looks like one
// there is a file's name.
var ruleSources = []string{"breaker", "snapshots", "cmd/holdfastd", "addressing/api"}

// rulesInCode lists the rules that a refusal, a hold or a trip may name.
func rulesInCode(t *testing.T) map[string]bool {
	t.Helper()
	in := map[string]bool{}
	for _, dir := range ruleSources {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == "config" {
				return fs.SkipDir // limits by their names in the file
			}
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".gen.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range ruleInCode.FindAllSubmatch(comment.ReplaceAll(text, nil), -1) {
				if name := string(m[1]); !strings.HasSuffix(name, ".json") {
					in[name] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return in
}

// Every rule that the daemon may name is on the page, and the page names no
// other.
func TestRules(t *testing.T) {
	in := rulesInCode(t)
	if len(in) < 40 {
		t.Fatalf("found only the rules %v", in)
	}
	for _, state := range []string{"open", "locked", "recovering"} {
		in["breaker."+state] = true // written as "breaker." + state
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/reference/rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]bool{}
	for _, line := range strings.Split(string(page), "\n") {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && strings.HasPrefix(line, "| `") {
			for _, m := range nameOnPage.FindAllStringSubmatch(first, -1) {
				on[m[1]] = true
			}
		}
	}
	for name := range in {
		if !on[name] {
			t.Errorf("%s is not in docs/reference/rules.md: say there what is wrong and what to do", name)
		}
	}
	for name := range on {
		if !in[name] {
			t.Errorf("docs/reference/rules.md names %s, which no program does", name)
		}
	}
}
