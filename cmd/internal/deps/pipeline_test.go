package deps

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sources are the files of the module without tests, by path from its root.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	out := map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".git")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".gen.go"):
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out[filepath.ToSlash(name)], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// calls are the functions of a file with what each of them calls, by the last
// word: x.y.Apply(...) is Apply.
func calls(f *ast.File) map[string][]string {
	out := map[string][]string{}
	for _, d := range f.Decls {
		fn, is := d.(*ast.FuncDecl)
		if !is {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if c, is := n.(*ast.CallExpr); is {
				switch callee := c.Fun.(type) {
				case *ast.SelectorExpr:
					out[fn.Name.Name] = append(out[fn.Name.Name], callee.Sel.Name)
				case *ast.Ident:
					out[fn.Name.Name] = append(out[fn.Name.Name], callee.Name)
				}
			}
			return true
		})
	}
	return out
}

func imports(f *ast.File, within ...string) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool {
		path := strings.Trim(i.Path.Value, `"`)
		return slices.ContainsFunc(within, func(w string) bool { return strings.HasSuffix(path, "/holdfast/"+w) })
	})
}

// bypasses are the functions outside the speaker's own packages and the
// rollout that put a Target on the wire themselves. A development tool that
// drives a speaker of its own is none.
func bypasses(files map[string]*ast.File) []string {
	var out []string
	for path, f := range files {
		if strings.HasPrefix(path, "bgp/") || strings.HasPrefix(path, "snapshots/rollout/") || strings.HasPrefix(path, "cmd/internal/") ||
			!imports(f, "bgp", "bgp/gobgp", "bgp/guard") {
			continue
		}
		for fn, called := range calls(f) {
			if slices.Contains(called, "Apply") {
				out = append(out, path+": "+fn)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Every mutating call on the speaker goes through the rollout (HMD-06,
// invariant 5): the last-known-good at start, a generation that was judged, and,
// in a speaker that is fed, one that is signed, verified and permitted.
func TestOnePipeline(t *testing.T) {
	files := sources(t)
	for _, b := range bypasses(files) {
		t.Errorf("%s puts a Target on the wire without the rollout", b)
	}
	callers := map[string]map[string]bool{}
	judged := map[string]bool{}
	for path, f := range files {
		if filepath.ToSlash(filepath.Dir(path)) != "snapshots/rollout" {
			continue
		}
		for fn, called := range calls(f) {
			for _, c := range called {
				if callers[c] == nil {
					callers[c] = map[string]bool{}
				}
				callers[c][fn] = true
				judged[fn] = judged[fn] || c == "Preflight"
			}
		}
	}
	for callee, want := range map[string][]string{
		"Apply":     {"apply", "applyTo", "tellAgain"},
		"tellAgain": {"bootStatic"}, // what the neighbors hold already
		"applyTo":   {"apply"},
		"apply":     {"Boot", "Declare", "activate", "deploy"}, // Declare: what is active, to other neighbors
		"deploy":    {"TakeDown", "carryOut", "deployBack", "remainder", "rollback"},
		"carryOut":  {"refused", "release"},
		"release":   {"Reconfigure", "attempt"},
	} {
		if got := slices.Sorted(maps.Keys(callers[callee])); !slices.Equal(got, want) {
			t.Errorf("%s is called by %v, want %v: a new way to the wire needs a judgement of its own, and a line here", callee, got, want)
		}
	}
	for _, fn := range []string{"TakeDown", "deployBack", "remainder", "rollback", "attempt", "refused", "Reconfigure"} {
		if !judged[fn] {
			t.Errorf("%s deploys a generation that nothing judged", fn)
		}
	}
}

// A rule that cannot fail is no rule.
func TestBypassIsSeen(t *testing.T) {
	const src = `package main
import "github.com/holdfast-bgp/holdfast/bgp"
func shortcut(s bgp.Speaker) { _ = s.Apply(nil, t) }`
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := bypasses(map[string]*ast.File{"cmd/holdfastd/x.go": f}); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got := bypasses(map[string]*ast.File{"bgp/gobgp/x.go": f}); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
