package device

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestZeroValuesAreSafe(t *testing.T) {
	var v Verdict
	var truth Truth
	var d Disposition
	var s StatementState
	if v != Undecided || truth != Maybe || d.Flow != Continue || s != Unread {
		t.Errorf("verdict %s, truth %s, flow %d, statement %s", v, truth, d.Flow, s)
	}
	if (&Session{}).Carries(OtherFamily) {
		t.Error("a session that does not say its families carries more than unicast")
	}
	if UnknownRole.Forbidden(Provider) || !Peer.Forbidden(Provider) || Customer.Forbidden(Provider) || Peer.Forbidden(Customer) {
		t.Error("valley-free table")
	}
}

func TestParseCommunity(t *testing.T) {
	for _, tt := range []struct {
		kind CommunityKind
		in   string
		want string // "" for an error
	}{
		{Standard, "65000:1", "65000:1"}, {Standard, "4259840001", "65000:1"}, {Standard, "NO_EXPORT", "65535:65281"},
		{Standard, "no-advertise", "65535:65282"}, {Standard, "065000:01", "65000:1"}, {Standard, "65536:1", ""}, {Standard, "x", ""}, {Standard, "", ""},
		{Large, "1:2:3", "1:2:3"}, {Large, "4294967295:02:3", "4294967295:2:3"}, {Large, "1:2", ""}, {Large, "1:2:x", ""},
		{Extended, "RT:65000:1", "rt:65000:1"}, {Extended, " ", ""},
	} {
		got, err := ParseCommunity(tt.kind, tt.in)
		if got.Text != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s %q: %q %v, want %q", tt.kind, tt.in, got.Text, err, tt.want)
		}
	}
}

func TestCommunityPattern(t *testing.T) {
	cs := []Community{{Standard, "65000:900"}, {Standard, "1:2"}, {Large, "65000:9:9"}, {Standard, "65000:200"}}
	if got := WholeText(Standard, cs); got != "1:2 65000:200 65000:900" {
		t.Errorf("whole text %q", got)
	}
	pattern := func(re string, whole bool) CommunityPattern {
		p, err := RegexPattern(Standard, re, re, whole, Pos{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, tt := range map[string]struct {
		p    CommunityPattern
		want bool
	}{
		"literal":                  {LiteralPattern(Community{Standard, "1:2"}, "1:2", Pos{}), true},
		"literal of another kind":  {LiteralPattern(Community{Large, "1:2"}, "1:2", Pos{}), false},
		"each on its own":          {pattern("^65000:9..$", false), true},
		"a pair, each on its own":  {pattern("65000:200 65000:900", false), false},
		"a pair, whole attribute":  {pattern("65000:200 65000:900", true), true},
		"whole attribute anchored": {pattern("^65000", true), false},
		"the zero pattern":         {CommunityPattern{}, false},
	} {
		if got := tt.p.MatchAny(cs); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := RegexPattern(Standard, "(", "(", false, Pos{}); err == nil {
		t.Error("a broken regular expression compiled")
	}
}

func TestPrefixRange(t *testing.T) {
	wild := PrefixRange{Net: netip.MustParsePrefix("10.0.1.0/24"), Min: 24, Max: 24, Mask: netip.MustParseAddr("255.0.255.0")}
	for name, tt := range map[string]struct {
		r    PrefixRange
		p    string
		want bool
	}{
		"exact":                 {Exact(netip.MustParsePrefix("192.0.2.7/24")), "192.0.2.0/24", true},
		"longer than exact":     {Exact(netip.MustParsePrefix("192.0.2.0/24")), "192.0.2.0/25", false},
		"range":                 {PrefixRange{Net: netip.MustParsePrefix("192.0.2.0/24"), Min: 25, Max: 26}, "192.0.2.64/26", true},
		"shorter than the net":  {PrefixRange{Net: netip.MustParsePrefix("192.0.2.0/24"), Min: 0, Max: 32}, "192.0.0.0/16", false},
		"another family":        {PrefixRange{Net: netip.MustParsePrefix("0.0.0.0/0"), Max: 32}, "::/0", false},
		"wildcard bits":         {wild, "10.77.1.0/24", true},
		"wildcard bits, differ": {wild, "10.77.2.0/24", false},
		"zero":                  {PrefixRange{}, "192.0.2.0/24", false},
	} {
		if got := tt.r.Contains(netip.MustParsePrefix(tt.p)); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestScalarsAndFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Scalars
		want := map[Field]uint32{}
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			f := Field(rapid.IntRange(0, int(IGPMetric)).Draw(t, "field"))
			if rapid.Bool().Draw(t, "clear") {
				s.Clear(f)
				delete(want, f)
				continue
			}
			want[f] = rapid.Uint32().Draw(t, "value")
			s.Set(f, want[f])
		}
		for f := LocalPref; f <= IGPMetric; f++ {
			got, ok := s.Get(f)
			if w, has := want[f]; got != w || ok != has {
				t.Fatalf("%s: %d %v, want %d %v", f, got, ok, w, has)
			}
		}
	})
	for f := LocalPref; f < numFields; f++ {
		if f != numScalars && (f.String() == "" || !AllFields.Has(f) || !FieldSet(f).Has(f)) {
			t.Errorf("field %d", f)
		}
	}
}

func TestExprHelpers(t *testing.T) {
	u := &Unknown{Text: "x"}
	if Negate(Negate(u)) != Expr(u) {
		t.Error("double negation is not folded")
	}
	if c, ok := Negate(Always("")).(*Const); !ok || c.Value {
		t.Error("not true is not false")
	}
	if c, ok := AllOfExprs(Pos{}).(*Const); !ok || !c.Value {
		t.Error("no condition is not true")
	}
	if c, ok := AnyOfExprs(Pos{}).(*Const); !ok || c.Value {
		t.Error("no alternative is not false")
	}
	seen := 0
	Walk(&And{Xs: []Expr{&Ref{X: &Not{X: u}}, &Cases{Arms: []Arm{{X: u}}}, &Or{Xs: []Expr{u}}}}, func(x Expr) bool {
		if x == Expr(u) {
			seen++
		}
		return true
	})
	if seen != 3 {
		t.Errorf("walk found %d of 3 leaves", seen)
	}
}

func TestConfigLookups(t *testing.T) {
	c := &Config{
		Sessions: []*Session{
			{Name: "a", Neighbor: netip.MustParseAddr("192.0.2.1"), Families: []Family{IPv4}},
			{Name: "b", Neighbor: netip.MustParseAddr("192.0.2.1"), Families: []Family{IPv6}},
			{Name: "c", Range: netip.MustParsePrefix("198.51.100.0/24")},
		},
		Statements: []Statement{{Policy: true}, {Policy: true, State: Partly}, {State: Modelled}, {Policy: true, State: Unmodelled}},
		Diagnostics: []Diagnostic{
			{At: At{Pos{"b", 1, 1}}, Rule: "RL1"}, {At: At{Pos{"a", 2, 1}}, Rule: "RL2"}, {At: At{Pos{"a", 2, 1}}, Rule: "RL1"}, {At: At{Pos{"a", 1, 9}}, Rule: "RL9"},
		},
	}
	for _, tt := range []struct {
		name string
		f    Family
		want int
	}{{"192.0.2.1", IPv4, 1}, {"192.0.2.1", AnyFamily, 2}, {"c", IPv6, 1}, {"198.51.100.9", IPv4, 1}, {"192.0.2.9", AnyFamily, 0}, {"", AnyFamily, 0}} {
		if got := len(c.SessionsFor(tt.name, tt.f)); got != tt.want {
			t.Errorf("sessions for %q %s: %d, want %d", tt.name, tt.f, got, tt.want)
		}
	}
	if u, r := c.Understood(); u != 1 || r != 3 {
		t.Errorf("understood %d of %d", u, r)
	}
	c.SortDiagnostics()
	order := ""
	for _, d := range c.Diagnostics {
		order += d.Rule[2:]
	}
	if order != "9121" {
		t.Errorf("order %s", order)
	}
}
