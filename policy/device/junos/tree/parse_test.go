package tree

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

func written(t *testing.T, tr *Tree) string {
	t.Helper()
	var b strings.Builder
	if err := tr.WriteSet(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestForms(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"braces": {`
/* comment { } ; "x */
policy-options { # rest of the line
    community C members [ 1:1 2:2 ];  ## another
    inactive: as-path A "1 .* 2";
    policy-statement P { term t { then { inactive: reject; accept } } term "two words" { } }
}`, `set policy-options community C members 1:1
set policy-options community C members 2:2
set policy-options as-path A "1 .* 2"
deactivate policy-options as-path A "1 .* 2"
set policy-options policy-statement P term t then reject
deactivate policy-options policy-statement P term t then reject
set policy-options policy-statement P term t then accept
set policy-options policy-statement P term "two words"
`},
		"set and braces mixed": {`set a b c
{master:0}
user@host> show configuration
[edit]
a {
    b d;
    replace: e { f; }
}
set a e g
a { replace: e { h; } }
`, "set a b c\nset a b d\nset a e h\n"},
		"commands": {`set p term a then accept
set p term b then accept
set p term c then accept
insert p term c before term a
insert p term a after term b
rename p term b to term x
copy p term x to term y
delete p term a then
deactivate p term c
activate p term c
annotate p "a note"
protect p
edit p term y
set then reject
top delete p term a
set q [ 1 2 ]
delete q 1
edit q
delete 2
exit
commit
`, "set p term c then accept\nset p term x then accept\nset p term y then accept\nset p term y then reject\nset q\n"},
		"expressions are one word": {"x { export ( A && !( B || C ) ); import A && B; z (1|2); }",
			"set x export \"( A && !( B || C ) )\"\nset x import \"A && B\"\nset x z (1|2)\n"},
		"wildcards":           {"groups { g { interfaces { <[gx]e-0/0/*> { mtu 9000; } } } }", "set groups g interfaces <[gx]e-0/0/*> mtu 9000\n"},
		"braces in set lines": {"set policy-options as-path A .{1,3}\nset x \"a\\\"b\"\n", "set policy-options as-path A \".{1,3}\"\nset x \"a\\\"b\"\n"},
	}
	for name, tt := range tests {
		tr := Parse("f", []byte(tt.text))
		if diff := cmp.Diff(tt.want, written(t, tr)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		// What was written reads as the same tree.
		again := Parse("f", []byte(written(t, tr)))
		if diff := cmp.Diff(written(t, tr), written(t, again)); diff != "" || len(again.Problems) > 0 {
			t.Errorf("%s, read again (-first +again):\n%s%v", name, diff, again.Problems)
		}
	}
}

// Reading goes on behind what cannot be read, and says where it was.
func TestRecovery(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		line int
		kept string
	}{
		"brace too many":       {"a b;\n}\nc d;\n", 2, "set c d\n"},
		"block not closed":     {"a {\n b {\n c d;\n", 2, "set a b c d\n"},
		"quote not closed":     {"a \"b c;\nd e;\n", 1, "d e"},
		"comment not closed":   {"/* a\nb c;\n", 1, "set b c\n"},
		"no semicolon":         {"a {\n b c\n}\nd e;\n", 0, "set d e\n"},
		"no name":              {"a;\n{ b; }\nc d;\n", 2, "set c d\n"},
		"command that fails":   {"set a b\ndelete c\nset d e\n", 2, "set d e\n"},
		"words behind a list":  {"a [ b c ] d;\ne f;\n", 1, "set e f\n"},
		"template":             {"a {{ b }};\nc d;\n", 1, "set c d\n"},
		"insert at nothing":    {"set a b\ninsert a b before c\nset d e\n", 2, "set d e\n"},
		"nested without bound": {strings.Repeat("a { ", 100) + "\n" + strings.Repeat("}", 100) + "\nd e;\n", 1, "set d e\n"},
	} {
		tr := Parse("f", []byte(tt.text))
		switch {
		case tt.line == 0 && len(tr.Problems) > 0:
			t.Errorf("%s: %v", name, tr.Problems)
		case tt.line > 0 && (len(tr.Problems) == 0 || tr.Problems[0].Pos.Line != tt.line || tr.Problems[0].Pos.File != "f"):
			t.Errorf("%s: %v, want a problem in line %d", name, tr.Problems, tt.line)
		}
		if got := written(t, tr); !strings.Contains(got, tt.kept) {
			t.Errorf("%s: %q lost %q", name, got, tt.kept)
		}
	}
}

func TestPositions(t *testing.T) {
	tr := Parse("f", []byte("a {\n  b c;\n  d [ e\n f ];\n}\nset a g h\n"))
	for _, tt := range []struct {
		path      string
		line, col int
	}{{"a", 1, 1}, {"a b", 2, 3}, {"a b c", 2, 3}, {"a d f", 3, 3}, {"a g", 6, 1}} {
		n := tr.Root.Find(strings.Fields(tt.path)...)
		if n == nil || n.Pos != (device.Pos{File: "f", Line: tt.line, Col: tt.col}) {
			t.Errorf("%s: %+v", tt.path, n)
		}
	}
	if end := tr.Root.Child("a").End; end.Line != 6 {
		t.Errorf("a ends at %s", end)
	}
	if len(tr.Statements) != 3 || len(tr.Statements[1].Leaves) != 2 {
		t.Errorf("%d statements", len(tr.Statements))
	}
}

func TestInherit(t *testing.T) {
	tr := Parse("f", []byte(`
groups {
    far { x { <*> { one 1; two 2; list [ b a ]; } } y z; }
    near { x { p { one 9; three 3; } } }
    off { inactive: y w; }
}
apply-groups [ far off ];
x {
    p { apply-groups near; list a; }
    q { two 7; apply-groups-except far; }
    "r s" { two 8; }
}
`))
	missing := tr.Inherit(func(w string) bool { return w == "one" || w == "two" || w == "three" })
	if len(missing) != 0 {
		t.Errorf("missing %v", missing)
	}
	var got []string
	for _, l := range tr.Root.Child("x").Leaves() {
		if !strings.Contains(l.Path(), "apply-groups") {
			got = append(got, strings.Join(l.Words(nil), " ")+" "+l.Via)
		}
	}
	want := []string{"x p list a ", "x q two 7 ", "x r s two 8 ", "x p one 9 near", "x p three 3 near", "x p two 2 far", "x p list b far", "x r s one 1 far", "x r s list b far", "x r s list a far"}
	less := func(a, b string) bool { return a < b }
	if diff := cmp.Diff(sortedBy(want, less), sortedBy(got, less)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if y := tr.Root.Child("y"); y.Child("z") == nil || y.Child("w") != nil {
		t.Errorf("y: %v", y)
	}
}

func sortedBy(xs []string, less func(a, b string) bool) []string {
	for i := range xs {
		for j := i; j > 0 && less(xs[j], xs[j-1]); j-- {
			xs[j], xs[j-1] = xs[j-1], xs[j]
		}
	}
	return xs
}

func TestWildcard(t *testing.T) {
	for _, tt := range []struct {
		pattern, word string
		want          bool
	}{
		{"<*>", "anything", true}, {"<ge-*>", "ge-0/0/1", true}, {"<ge-*>", "xe-0/0/1", false}, {"<[gx]e-0/0/?>", "xe-0/0/7", true},
		{"<*.*>", "192.0.2.1", true}, {"<*.*>", "transit", false}, {"plain", "plain", false}, {"<[>", "x", false},
	} {
		if got := Wildcard(tt.pattern, tt.word); got != tt.want {
			t.Errorf("%s %s: %v", tt.pattern, tt.word, got)
		}
	}
}

func TestCompare(t *testing.T) {
	old := Parse("old", []byte("p { term a { then accept; } term b { x y; } inactive: q r; list [ 1 2 ]; }"))
	new := Parse("new", []byte("p { term b { x y; then reject; } term a; q r; list [ 2 1 ]; s { t; } }"))
	var got []string
	for _, d := range Compare(old, new, func(w string) bool { return w == "term" }) {
		got = append(got, d.Kind.String()+" "+d.Path()+" "+d.Pos.File)
	}
	want := []string{"removed p term a then accept old", "added p term b then reject new", "moved p term new", "activated p q r new", "added p s t new"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a { b [ c d ]; inactive: e \"f\"; } set g h\n", "set a ( b && c )\ndelete a\n", "a /* b */ c; # d\n<e> {{ f }}", "replace: a { delete: b; }", "\"", "[", "( {"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tr := Parse("f", []byte(text))
		first := written(t, tr)
		if len(tr.Problems) > 0 || tr.Templated || strings.ContainsAny(text, "()!&|") {
			return
		}
		again := Parse("f", []byte(first))
		if second := written(t, again); first != second {
			t.Errorf("written %q\nagain   %q", first, second)
		}
	})
}
