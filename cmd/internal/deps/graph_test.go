package deps

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/holdfast-bgp/holdfast"

// node is what `go list -deps -json` says of a package, as far as rules ask.
type node struct {
	ImportPath string
	Imports    []string
	CgoFiles   []string
	Standard   bool
}

// graph is every package that the module reaches, by import path.
type graph map[string]node

// load lists what the given packages reach. Packages are paths below the
// module's root; cgo is "0" or "1".
func load(t *testing.T, cgo string, packages ...string) graph {
	t.Helper()
	root := moduleRoot(t)
	args := append([]string{"list", "-deps", "-json=ImportPath,Imports,CgoFiles,Standard"}, packages...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	g := graph{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var n node
		switch err := d.Decode(&n); {
		case errors.Is(err, io.EOF):
			return g
		case err != nil:
			t.Fatalf("go list: %v", err)
		}
		g[n.ImportPath] = n
	}
}

// moduleRoot finds go.mod above the test and looks at every Go file below it:
// the test cache knows only what the test itself looked at, not what the go
// command it starts does, and would otherwise repeat an old verdict.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			_, err := os.Stat(path)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// ours lists the packages of the module, sorted, relative to its root.
func (g graph) ours() []string {
	var list []string
	for path := range g {
		if inside, ok := relative(path); ok {
			list = append(list, inside)
		}
	}
	slices.Sort(list)
	return list
}

// relative turns an import path of ours into a path below the module's root;
// the root package is ".".
func relative(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// short is how a package is written in rules: ours relative, others in full.
func short(path string) string {
	if inside, ok := relative(path); ok {
		return inside
	}
	return path
}

// full is the inverse of short for packages of ours.
func full(inside string) string { return module + "/" + inside }

// reach gives everything that from imports, each with the path of imports that
// leads there. With direct it looks at the package's own imports alone.
func (g graph) reach(from string, direct bool) map[string][]string {
	chains := map[string][]string{}
	queue := [][]string{{from}}
	for len(queue) > 0 {
		chain := queue[0]
		queue = queue[1:]
		for _, next := range g[chain[len(chain)-1]].Imports {
			if _, seen := chains[next]; seen || next == from {
				continue
			}
			longer := append(slices.Clone(chain), next)
			chains[next] = longer
			if !direct {
				queue = append(queue, longer)
			}
		}
	}
	return chains
}

// explain writes a chain of imports for a person.
func explain(chain []string) string {
	words := make([]string, len(chain))
	for i, path := range chain {
		words[i] = short(path)
	}
	return strings.Join(words, " -> ")
}

// matches reports whether a package, written as in rules, is named by any of
// the patterns. A pattern is a path, or a path and "/..." for it and all below.
func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		stem, tree := strings.CutSuffix(pattern, "/...")
		return path == stem || tree && strings.HasPrefix(path, stem+"/")
	})
}

// edges builds a graph from "a -> b -> c" lines, for tests of the rules.
func edges(lines ...string) graph {
	g := graph{}
	for _, line := range lines {
		var last string
		for word := range strings.SplitSeq(line, " -> ") {
			path := word
			if strings.HasPrefix(word, "~/") {
				path = full(word[2:])
			}
			n, known := g[path]
			if !known {
				n = node{ImportPath: path, Standard: !strings.Contains(path, ".")}
			}
			g[path] = n
			if last != "" {
				from := g[last]
				from.Imports = append(from.Imports, path)
				g[last] = from
			}
			last = path
		}
	}
	return g
}

func TestReachGivesTheChain(t *testing.T) {
	g := edges("~/a -> ~/b -> net", "~/a -> fmt", "net -> ~/a")
	got := explain(g.reach(full("a"), false)["net"])
	if want := "a -> b -> net"; got != want {
		t.Errorf("chain is %q, want %q", got, want)
	}
	if _, ok := g.reach(full("a"), true)["net"]; ok {
		t.Error("direct imports of a include net, which only b imports")
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		path, pattern string
		want          bool
	}{
		{"bgp", "bgp", true},
		{"bgp/wire", "bgp", false},
		{"bgp/wire", "bgp/...", true},
		{"bgp", "bgp/...", true},
		{"bgpx", "bgp/...", false},
		{"database/sql/driver", "database/sql", false},
	} {
		if got := matches(c.path, []string{c.pattern}); got != c.want {
			t.Errorf("%s matches %s: %t, want %t", c.path, c.pattern, got, c.want)
		}
	}
	if matches("bgp", nil) {
		t.Error("no pattern must match nothing")
	}
}
