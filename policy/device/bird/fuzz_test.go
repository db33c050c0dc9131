package bird_test

import (
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/bird"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
)

// Whatever the text, reading ends with a configuration in which every statement
// has a place and every session can be evaluated.
func FuzzParse(f *testing.F) {
	for _, data := range corpus(f) {
		if len(data) < 4_000 {
			f.Add(data)
		}
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	r := learned("203.0.113.0/24", []uint32{65100})
	f.Fuzz(func(t *testing.T, data []byte) {
		bird.Recognise("x", data)
		cfg := bird.Parse(device.Input{Path: "x", Data: data})
		for _, s := range cfg.Statements {
			if s.Pos.Line < 1 || s.Text == "" {
				t.Errorf("statement without place: %+v", s)
			}
		}
		for _, s := range cfg.Sessions {
			concrete.Session(s, concrete.Export, r)
			concrete.Session(s, concrete.Import, r)
		}
	})
}

var seeds = []string{
	with("", "filter { if ( net ~ OWN ) then { accept; } else { reject; } }"), with("function f(int a) { return f(a); }\n", "where f(1)"),
	with("function f() { reject; }\nfunction g() { f(); return true; }\n", "where g() || g() && g()"),
	with("", "filter { case net.len { 1..2, 5: accept; (3): reject; else: print \"x\"; } }"),
	with("", "filter { for int a in bgp_path do { if a = 5 then reject; } for pair c in bgp_community do print c; accept; }"),
	"define A = B;\ndefine A = [ 1..2, (1,2)..(3,4), (rt,1,*), (1,2,3..4), 10.0.0.0/8{9,5} ];\n", "include \"x\";\n", "filter f { if", "filter f { { { {", "function f(",
	"protocol bgp { local as 1; neighbor ::1 as 2; ipv6 { export where bgp_path ~ [= + =]; import all; }; }\n", "define P = [= 1 2..3 [4, 5] ? + * =];\n",
	"protocol pipe p { table a; peer table b; import filter { accept; }; }\n", "/* open", "'", "\"", "'a b", "0x", "1.2.3.4.5 ::: ..", "template bgp t from t { }\n",
	"define X = 1 / 0;\ndefine Y = -empty-;\ndefine Z = ---empty---;\n", "filter x int set a; { a = add(a, 5); accept; }\n", "eval 5;\n",
	"protocol static { route 1.0.0.0/8 via 2.0.0.0 { bgp_med = 5; }; ipv4; }\n", "attribute int foo;\nfilter f { foo = 5; if foo = 5 then accept; }\n",
}
