package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A metric where the code declares it, and where the page names
// it.
var (
	metricInCode = regexp.MustCompile(`"(holdfast_[a-z0-9_]+)"`)
	metricOnPage = regexp.MustCompile("`(holdfast_[a-z0-9_]+)`")
)

// Every metric of the programs is on its page, and the page names no other.
func TestMetrics(t *testing.T) {
	in := map[string]bool{}
	for _, dir := range []string{"cmd/holdfastd", "addressing/api"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range metricInCode.FindAllSubmatch(text, -1) {
				in[string(m[1])] = true
			}
		}
	}
	if len(in) < 20 {
		t.Fatalf("found only the metrics %v", in)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs/reference/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]bool{}
	for _, m := range metricOnPage.FindAllSubmatch(page, -1) {
		on[string(m[1])] = true
	}
	for name := range in {
		if !on[name] {
			t.Errorf("%s is not in docs/reference/metrics.md: add a line for it", name)
		}
	}
	for name := range on {
		if !in[name] {
			t.Errorf("docs/reference/metrics.md names %s, which no program has", name)
		}
	}
}
