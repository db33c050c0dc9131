package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const examples = "../../deploy/examples"

// Every example passes check-config as it is, and is on the page; the second
// speaker describes the neighbors as the daemon does.
func TestExamplesPassCheckConfig(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("found only %q (%v)", files, err)
	}
	page, err := os.ReadFile(filepath.Join(examples, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			args := []string{"holdfastd", "check-config"}
			if strings.HasSuffix(name, "-speaker.yaml") {
				args = append(args, "--speak")
				if own, others := neighborsIn(t, file), neighborsIn(t, strings.Replace(file, "-speaker", "", 1)); own != others {
					t.Errorf("its groups and sites differ from the daemon's:\n%s\n%s", own, others)
				}
			}
			if code := run(append(args, "--config", file)); code != 0 {
				t.Errorf("check-config ends with %d", code)
			}
			if !strings.Contains(string(page), "("+name+")") {
				t.Errorf("README.md does not list it")
			}
		})
	}
	if run([]string{"holdfastd", "check-config", "--speak", "--config", filepath.Join(examples, "behind-edges.yaml")}) == 0 {
		t.Error("a daemon passes as a speaker, so passing means nothing")
	}
}

// neighborsIn is the part of a file from its groups to the end of its sites,
// without comments.
func neighborsIn(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(text), "\n  groups:\n")
	if !ok {
		t.Fatalf("%s has no groups", file)
	}
	var lines []string
	for _, line := range strings.Split(part, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimRight(line, " "); line == "" || !strings.HasPrefix(line, " ") {
			break
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
