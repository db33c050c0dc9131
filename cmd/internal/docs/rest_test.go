package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	pathInSpec = regexp.MustCompile(`(?m)^  (/(?:v1|client/v4)/[^:]*):$`)
	pathOnPage = regexp.MustCompile("/(?:v1|client/v4)(?:/[A-Za-z0-9$.{}_-]+)+")
	parameter  = regexp.MustCompile(`\{[^}]*\}`)
)

// matches says whether the path that a page writes is one of the document's,
// with something in place of each parameter.
func matches(spec []*regexp.Regexp, path string) bool {
	for _, s := range spec {
		if s.MatchString(path) {
			return true
		}
	}
	return false
}

// A path of the API that a page names is in the document that the API is
// generated from.
func TestPagesNamePathsThatExist(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(root, "addressing/api/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var spec []*regexp.Regexp
	for _, m := range pathInSpec.FindAllStringSubmatch(string(document), -1) {
		spec = append(spec, regexp.MustCompile("^"+parameter.ReplaceAllString(m[1], `[^/]+`)+"$"))
	}
	// What all paths of that surface begin with; pages keep it in a variable.
	spec = append(spec, regexp.MustCompile(`^/client/v4/accounts/[^/]+/addressing$`))
	if len(spec) < 60 {
		t.Fatalf("found only %d paths in the document", len(spec))
	}
	found := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pathOnPage.FindAllString(string(text), -1) {
			found++
			if path = strings.TrimRight(path, "."); !matches(spec, path) {
				t.Errorf("%s names %s, which the API does not have", page, path)
			}
		}
	}
	if found < 20 {
		t.Errorf("found only %d paths on all pages", found)
	}
	if matches(spec, "/v1/nowhere") || !matches(spec, "/v1/rollouts/r1/pause") {
		t.Error("paths are not told apart")
	}
}
