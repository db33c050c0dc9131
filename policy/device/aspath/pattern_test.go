package aspath

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		syntax  Syntax
		pattern string
		path    string
		want    bool
	}{
		{POSIX, "6501", "65010", true}, // FRR-30: a substring of an ASN
		{POSIX, "_6501_", "65010", false},
		{POSIX, "_6501_", "65000 6501 65010", true},
		{POSIX, "^$", "", true},
		{POSIX, "^$", "65010", false},
		{POSIX, "^65050(_|$)", "65050 65060", true},
		{POSIX, "^65050(_|$)", "650501", false},
		{POSIX, "^65010_[0-9]+$", "65010 7", true},
		{POSIX, ".*", "", true},
		{RE2, "^65050", "65000 65050", false}, // GOBGP-22
		{RE2, "^65000 65050$", "65000 65050", true},
		{RE2, "_65050$", "65000 65050", true},
		{RE2, `^65000_65\d+$`, "65000 65050", true},
		{JunosRegex, ".*100", "65100", false}, // JUNOS-ASPATH: whole ASNs
		{JunosRegex, ".* 100", "65100 100", true},
		{JunosRegex, "65102.*", "65102 65100", true},
		{JunosRegex, "65102 .*", "65102", true},
		{JunosRegex, "()", "", true},
		{JunosRegex, "()", "1", false},
		{JunosRegex, "1 (2|3){2} 4-6?", "1 2 3", true},
		{JunosRegex, "1 (2|3){2} 4-6?", "1 2 3 5", true},
		{JunosRegex, "1 (2|3){2} 4-6?", "1 2 3 7", false},
		{JunosRegex, "[64512-65534]+", "64512 65000", true},
		{JunosRegex, "^64512$", "64512", true},
		{BIRDMask, "[= * 65010 * =]", "1 65010 2", true},
		{BIRDMask, "[= * 65010 ? =]", "65010", false},
		{BIRDMask, "[= [1, 5..7] + =]", "6 9", true},
		{BIRDMask, "[= =]", "", true},
	}
	for _, tt := range tests {
		p, err := Compile(tt.pattern, tt.syntax)
		if err != nil {
			t.Errorf("Compile(%q, %s): %v", tt.pattern, tt.syntax, err)
			continue
		}
		if got := p.Match(path(tt.path)); got != tt.want {
			t.Errorf("%s %q on %q = %v, want %v", tt.syntax, tt.pattern, tt.path, got, tt.want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tt := range []struct {
		syntax Syntax
		text   string
	}{
		{RE2, "[65050"}, {POSIX, "(65050"}, {JunosRegex, "(1"}, {JunosRegex, "1{2"}, {JunosRegex, "1{300}"},
		{JunosRegex, "!1"}, {JunosRegex, "7-3"}, {BIRDMask, "[= foo =]"}, {BIRDMask, "[1,"},
		{JunosRegex, "((((.{255}){255}){255}){255})"}, {Composed, "1"},
	} {
		if p, err := Compile(tt.text, tt.syntax); err == nil {
			t.Errorf("Compile(%q, %s) = %v, want an error", tt.text, tt.syntax, p)
		}
	}
}

func TestConstructors(t *testing.T) {
	in := One(65010, 65020)
	for _, tt := range []struct {
		p    *Pattern
		path string
		want bool
	}{
		{First(in), "65010 1", true}, {First(in), "1 65010", false}, {First(in), "", false},
		{OriginIn(in), "1 65020", true}, {OriginIn(in), "65020 1", false},
		{Contains(in), "1 65020 2", true}, {Contains(in), "1 2", false},
		{Transit(in), "1 65020", false}, {Transit(in), "65020 1", true},
		{Within(in), "65010 65020", true}, {Within(in), "65010 1", false}, {Within(in), "", true},
		{Empty(), "", true}, {Empty(), "1", false},
		{Longer(2), "1", false}, {Longer(2), "1 2", true}, {Longer(0), "", true},
	} {
		if got := tt.p.Match(path(tt.path)); got != tt.want {
			t.Errorf("%s on %q = %v, want %v", tt.p, tt.path, got, tt.want)
		}
	}
}

func TestMatchesSubstrings(t *testing.T) {
	for text, want := range map[string]bool{
		"6501": true, "^65050": true, "_65050$": false, "^65050_": false, "65050$": false, "^$": false, ".*": false,
		"^65050(_|$)": false,
	} {
		p, err := Compile(text, POSIX)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.MatchesSubstrings(); got != want {
			t.Errorf("%q = %v, want %v", text, got, want)
		}
	}
}

func path(s string) []uint32 {
	var out []uint32
	for _, f := range strings.Fields(s) {
		n, err := strconv.ParseUint(f, 10, 32)
		if err != nil {
			panic(err)
		}
		out = append(out, uint32(n))
	}
	return out
}

func text(path []uint32) string {
	parts := make([]string, len(path))
	for i, a := range path {
		parts[i] = strconv.FormatUint(uint64(a), 10)
	}
	return strings.Join(parts, " ")
}

var (
	asns    = rapid.OneOf(rapid.SampledFrom([]uint32{0, 1, 6, 65, 650, 6501, 65010, 65011, 165010, 64512, 4200000000, 4294967295}), rapid.Uint32())
	paths   = rapid.SliceOfN(asns, 0, 6)
	charREs = rapid.Custom(func(t *rapid.T) string {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"_", "65010", "6501", "[0-9]+", ".*", ".", "(65010|1)", "(_1_)?", "[5-7]", "^", "$", " ", "0?", "1*", "(65010_)*", "6+",
		}), 1, 5).Draw(t, "pieces")
		return strings.Join(pieces, "")
	})
	junosREs = rapid.Custom(func(t *rapid.T) string {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"65010", "6501 ", ".*", ". ", "(65010|1)", "(1 2)?", "64512-65534 ", "1{1,3}", "[1 65-70]", "[^65010]+",
		}), 1, 4).Draw(t, "pieces")
		return strings.Join(pieces, " ")
	})
)

// The automaton over ASNs agrees with the regular expression over the text.
func TestCharsAgreeWithRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		re := charREs.Draw(t, "re")
		want := regexp.MustCompile(strings.ReplaceAll(re, "_", boundary))
		p, err := Compile(re, RE2)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			path := paths.Draw(t, "path")
			if got := p.Match(path); got != want.MatchString(text(path)) {
				t.Fatalf("%q on %q = %v", re, text(path), got)
			}
		}
	})
}

// A space puts every path into the atom whose example behaves the same, also
// after prepending; the examples are what they say.
func TestSpaceIsAPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ps []*Pattern
		for range rapid.IntRange(1, 3).Draw(t, "patterns") {
			re, syntax := charREs.Draw(t, "re"), RE2
			if rapid.Bool().Draw(t, "junos") {
				re, syntax = junosREs.Draw(t, "junosRE"), JunosRegex
			}
			p, err := Compile(re, syntax)
			if err != nil {
				t.Fatal(err)
			}
			ps = append(ps, p)
		}
		s, err := NewSpace(ps, []uint32{64500})
		if err != nil {
			t.Skip(err)
		}
		for i, a := range s.Atoms() {
			if got := s.AtomOf(a.Example); got != i {
				t.Fatalf("example %v of atom %d is in atom %d", a.Example, i, got)
			}
		}
		for range 5 {
			path := paths.Draw(t, "path")
			atom := s.Atoms()[s.AtomOf(path)]
			front := asns.Draw(t, "front")
			for i, p := range ps {
				if p.Match(path) != atom.Matches[i] || p.Match(atom.Example) != atom.Matches[i] {
					t.Fatalf("%s: path %v, atom %v", p, path, atom)
				}
				long, short := append([]uint32{front}, path...), append([]uint32{front}, atom.Example...)
				if p.Match(long) != p.Match(short) {
					t.Fatalf("%s: %v and %v differ after prepending", p, long, short)
				}
			}
		}
	})
}

func TestSetOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, two := One(rapid.SliceOf(asns).Draw(t, "one")...), One(rapid.SliceOf(asns).Draw(t, "two")...)
		u, c := Union(one, two), one.Complement()
		for range 10 {
			a := asns.Draw(t, "asn")
			if u.Contains(a) != (one.Contains(a) || two.Contains(a)) {
				t.Fatalf("union at %d", a)
			}
			if c.Contains(a) == one.Contains(a) {
				t.Fatalf("complement at %d", a)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"_65010_", "^65000 65050$", ".* 100 (1|2){1,3}", "[= * [1, 5..7] ? =]", "[^1 2]+", "(((", "1{255}{255}"} {
		f.Add(s, "65010 1")
	}
	f.Fuzz(func(t *testing.T, re, onPath string) {
		p := []uint32(numbersIn(onPath))
		for _, s := range []Syntax{POSIX, RE2, JunosRegex, BIRDMask} {
			if c, err := Compile(re, s); err == nil {
				c.Match(p)
				c.MatchesSubstrings()
			}
		}
	})
}

func BenchmarkNewSpace(b *testing.B) {
	var ps []*Pattern
	for _, re := range []string{"_3356_", "_174_", "_6939$", "^64500(_64500)*$", "_(645[0-9][0-9])_", "^$", "_1299_", "_7018_"} {
		p, err := Compile(re, POSIX)
		if err != nil {
			b.Fatal(err)
		}
		ps = append(ps, p)
	}
	for b.Loop() {
		s, err := NewSpace(ps, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(s.Atoms())), "atoms")
		b.ReportMetric(float64(len(s.classes)), "classes")
	}
}
