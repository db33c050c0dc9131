package rpki

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func vrp(prefix string, maxLen uint8, asn uint32) VRP {
	return VRP{Prefix: pfx(prefix), MaxLen: maxLen, ASN: asn}
}

// TestRealRoutes holds the whole way from file to verdict to what real routes
// of July 2025 came to.
func TestRealRoutes(t *testing.T) {
	f, err := os.Open("testdata/vrps.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	payload, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2025, 7, 20, 10, 1, 43, 0, time.UTC); !payload.Made.Equal(want) {
		t.Errorf("made %s, want %s", payload.Made, want)
	}
	set, err := NewSet(payload.VRPs)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := os.Open("testdata/rov.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for lines := bufio.NewScanner(rows); lines.Scan(); {
		cells := strings.Split(lines.Text(), ",")
		asn, err := strconv.ParseUint(cells[1], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		got := set.Validate(pfx(cells[0]), uint32(asn))
		counts[cells[2]]++
		if got.String() != cells[2] {
			t.Errorf("%s from AS%d is %s, want %s", cells[0], asn, got, cells[2])
		}
	}
	if counts["valid"] < 100 || counts["invalid"] < 100 || counts["not-found"] < 100 {
		t.Errorf("the sample is not what it should be: %v", counts)
	}
}

func TestValidate(t *testing.T) {
	set, err := NewSet([]VRP{vrp("192.0.2.0/24", 24, 64500), vrp("192.0.0.0/16", 20, 64501), vrp("192.0.2.0/24", 24, 64500),
		vrp("198.51.100.0/24", 32, 0), vrp("2001:db8::/32", 48, 64500), vrp("0.0.0.0/0", 0, 64509)})
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != 5 {
		t.Errorf("%d VRPs, a repeated one counts once", set.Len())
	}
	for _, tc := range []struct {
		route  string
		origin uint32
		want   Validity
	}{
		{"192.0.2.0/24", 64500, Valid},
		{"192.0.2.0/25", 64500, InvalidLength},
		{"192.0.2.0/24", 64501, InvalidLength}, // the cover names it, down to /20
		{"192.0.16.0/20", 64501, Valid},
		{"192.0.2.0/24", 64502, InvalidASN},
		{"192.0.2.0/24", 0, InvalidASN}, // no origin matches nothing (RFC 6811 section 2)
		{"198.51.100.0/24", 0, InvalidASN},
		{"198.51.100.0/24", 64500, InvalidASN}, // AS 0: nobody may
		{"0.0.0.0/0", 64509, Valid},
		{"10.0.0.0/8", 64500, InvalidASN}, // covered by the default route's VRP
		{"2001:db8:1::/48", 64500, Valid},
		{"2001:db8:1::/49", 64500, InvalidLength},
		{"2001:db9::/32", 64500, NotFound},
	} {
		if got := set.Validate(pfx(tc.route), tc.origin); got != tc.want {
			t.Errorf("%s from AS%d: %s (%d), want %s (%d)", tc.route, tc.origin, got, got, tc.want, tc.want)
		}
	}
	if got := (*Set)(nil).Validate(pfx("192.0.2.0/24"), 64500); got != NotFound {
		t.Errorf("no set says %s", got)
	}
	if got := set.Validate(netip.Prefix{}, 64500); got != NotFound {
		t.Errorf("no route is %s", got)
	}
}

// TestValidateIsRFC6811 compares the trie with the words of the RFC, taken
// literally over every VRP.
func TestValidateIsRFC6811(t *testing.T) {
	address := func(t *rapid.T, label string) netip.Prefix {
		bits := rapid.IntRange(0, 8).Draw(t, label+" bits")
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{rapid.Byte().Draw(t, label)}), bits).Masked()
	}
	rapid.Check(t, func(t *rapid.T) {
		var all []VRP
		for i := range rapid.IntRange(1, 20).Draw(t, "n") {
			p := address(t, fmt.Sprint("vrp", i))
			all = append(all, VRP{Prefix: p, MaxLen: uint8(rapid.IntRange(p.Bits(), 9).Draw(t, "maxlen")), ASN: uint32(rapid.IntRange(0, 2).Draw(t, "asn"))})
		}
		set, err := NewSet(all)
		if err != nil {
			t.Fatal(err)
		}
		route, origin := address(t, "route"), uint32(rapid.IntRange(0, 2).Draw(t, "origin"))
		want := "not-found"
		for _, v := range all {
			if v.Prefix.Bits() > route.Bits() || !v.Prefix.Contains(route.Addr()) {
				continue
			}
			if v.ASN == origin && origin != 0 && route.Bits() <= int(v.MaxLen) {
				want = "valid"
				break
			}
			want = "invalid"
		}
		if got := set.Validate(route, origin).String(); got != want {
			t.Fatalf("%s from AS%d against %v: %s, want %s", route, origin, all, got, want)
		}
	})
}

func TestRead(t *testing.T) {
	routinator := `{"metadata":{"generated":1753005703,"generatedTime":"2025-07-20T10:01:43Z"},
		"roas":[{"asn":"AS64500","prefix":"192.0.2.0/24","maxLength":24,"ta":"ripe"},{"asn":"AS64501","prefix":"2001:db8::/32","maxLength":48,"source":[{"type":"roa"}]}],"aspas":[]}`
	got, err := Read(strings.NewReader(routinator))
	if err != nil {
		t.Fatal(err)
	}
	if want := []VRP{vrp("192.0.2.0/24", 24, 64500), vrp("2001:db8::/32", 48, 64501)}; !slices.Equal(got.VRPs, want) || got.Made.IsZero() {
		t.Errorf("got %+v", got)
	}
}

func TestReadRefuses(t *testing.T) {
	one := `{"prefix":"192.0.2.0/24","maxLength":24,"asn":1}`
	for _, tc := range []struct{ name, text, want string }{
		{"empty file", ``, "EOF"},
		{"another type", `[]`, "want {"},
		{"no list", `{"metadata":{}}`, "roas: missing"},
		{"null list", `{"roas":null}`, "want ["},
		{"empty list", `{"roas":[]}`, "not one VRP"},
		{"two lists", `{"roas":[` + one + `],"roas":[` + one + `]}`, "twice"},
		{"cut off in the list", `{"roas":[` + one + `,`, "entry 1"},
		{"cut off after it", `{"roas":[` + one + `]`, "EOF"},
		{"something behind", `{"roas":[` + one + `]} {}`, "follows"},
		{"host bits", `{"roas":[{"prefix":"192.0.2.1/24","maxLength":24,"asn":1}]}`, "host bits"},
		{"no asn", `{"roas":[{"prefix":"192.0.2.0/24","maxLength":24}]}`, "asn: missing"},
		{"asn too large", `{"roas":[{"prefix":"192.0.2.0/24","maxLength":24,"asn":4294967296}]}`, "no AS number"},
		{"asn negative", `{"roas":[{"prefix":"192.0.2.0/24","maxLength":24,"asn":-1}]}`, "no AS number"},
		{"no maximum", `{"roas":[{"prefix":"192.0.2.0/24","asn":1}]}`, "maxLength: missing"},
		{"maximum too short", `{"roas":[{"prefix":"192.0.2.0/24","maxLength":23,"asn":1}]}`, "does not fit"},
		{"maximum too long", `{"roas":[{"prefix":"192.0.2.0/24","maxLength":33,"asn":1}]}`, "does not fit"},
		{"mapped prefix", `{"roas":[{"prefix":"::ffff:192.0.2.0/120","maxLength":120,"asn":1}]}`, "prefix"},
		{"one bad among good", `{"roas":[` + one + `,{"prefix":"x","maxLength":24,"asn":1}]}`, "entry 1"},
	} {
		got, err := Read(strings.NewReader(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) || len(got.VRPs) > 0 {
			t.Errorf("%s: %v and %d VRPs, want %q and none", tc.name, err, len(got.VRPs), tc.want)
		}
	}
	if _, err := NewSet(nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty set: %v", err)
	}
}

const slurmText = `{"slurmVersion":1,
	"validationOutputFilters":{"prefixFilters":[{"prefix":"192.0.2.0/24","comment":"all below"},{"asn":64501},{"prefix":"198.51.100.0/24","asn":64502}],"bgpsecFilters":[]},
	"locallyAddedAssertions":{"prefixAssertions":[{"asn":64510,"prefix":"203.0.113.0/24","comment":"ours"},{"asn":64511,"prefix":"2001:db8::/32","maxPrefixLength":48}],"bgpsecAssertions":[]}}`

// TestSLURM is the example of RFC 8416 section 3.5, in other words.
func TestSLURM(t *testing.T) {
	s, err := ReadSLURM(strings.NewReader(slurmText))
	if err != nil {
		t.Fatal(err)
	}
	given := []VRP{
		vrp("192.0.0.0/16", 24, 64500),    // wider than the filter: stays
		vrp("192.0.2.0/24", 24, 64500),    // the filtered prefix
		vrp("192.0.2.128/25", 25, 64503),  // below it
		vrp("10.0.0.0/8", 8, 64501),       // the filtered ASN
		vrp("198.51.100.0/24", 24, 64502), // both
		vrp("198.51.100.0/24", 24, 64503), // the prefix of another
		vrp("198.0.0.0/8", 8, 64502),      // the ASN elsewhere
	}
	before := slices.Clone(given)
	want := []VRP{given[0], given[5], given[6], vrp("203.0.113.0/24", 24, 64510), vrp("2001:db8::/32", 48, 64511)}
	if got := s.Apply(given); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !slices.Equal(given, before) {
		t.Error("what was given was changed")
	}
	if got := (SLURM{}).Apply(given); !slices.Equal(got, given) {
		t.Errorf("no exceptions change something: %v", got)
	}
}

func TestSLURMRefuses(t *testing.T) {
	for _, tc := range []struct{ old, new, want string }{
		{`"slurmVersion":1`, `"slurmVersion":3`, "slurmVersion"},
		{`"slurmVersion":1,`, ``, "slurmVersion"},
		{`{"asn":64501}`, `{}`, "every VRP"},
		{`{"asn":64501}`, `{"asn":64501,"maxPrefixLength":24}`, "no place"},
		{`{"asn":64501}`, `{"prefix":"192.0.2.1/24"}`, "prefixFilters[1]"},
		{`{"asn":64501}`, `{"asnn":64501}`, "unknown field"},
		{`"asn":64510,`, ``, "both needed"},
		{`"maxPrefixLength":48`, `"maxPrefixLength":16`, "does not fit"},
		{`"prefixFilters"`, `"prefixfilterz"`, "unknown field"},
		{`"prefixFilters":[{"prefix":"192.0.2.0/24","comment":"all below"},{"asn":64501},{"prefix":"198.51.100.0/24","asn":64502}],`, ``, "prefixFilters: missing"},
		{`"bgpsecAssertions":[]}}`, `"bgpsecAssertions":[]}} {}`, "follows"},
	} {
		text := strings.Replace(slurmText, tc.old, tc.new, 1)
		if text == slurmText {
			t.Fatalf("%q changes nothing", tc.old)
		}
		if _, err := ReadSLURM(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.new, err, tc.want)
		}
	}
}

func TestVRPsComeBack(t *testing.T) {
	given := []VRP{vrp("192.0.2.0/24", 24, 64501), vrp("192.0.2.0/24", 25, 64500), vrp("10.0.0.0/8", 8, 4294967295), vrp("192.0.2.0/24", 24, 64500), vrp("2001:db8::/32", 48, 1)}
	set, err := NewSet(given)
	if err != nil {
		t.Fatal(err)
	}
	want := []VRP{given[2], given[3], given[1], given[0], given[4]}
	if diff := cmp.Diff(want, set.VRPs(), cmp.Comparer(func(a, b VRP) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"roas":[{"prefix":"192.0.2.0/24","maxLength":24,"asn":"AS1"}]}`, `{"metadata":{"buildtime":"x"},"roas":[]}`, `{"roas":[{}]}`, `{"roas":{"a":[]}}`, "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Read(strings.NewReader(text))
		if err != nil {
			if len(p.VRPs) > 0 {
				t.Error("a part of a refused input was taken")
			}
			return
		}
		if _, err := NewSet(p.VRPs); err != nil {
			t.Errorf("what was read makes no set: %v", err)
		}
	})
}

func FuzzReadSLURM(f *testing.F) {
	f.Add(slurmText)
	f.Add(`{"slurmVersion":1,"validationOutputFilters":{"prefixFilters":[]},"locallyAddedAssertions":{"prefixAssertions":[]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadSLURM(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, v := range s.Apply([]VRP{vrp("192.0.2.0/24", 24, 64500), vrp("2001:db8::/32", 32, 1)}) {
			if err := v.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}

// table is n VRPs, as dense as the Internet's.
func table(n int) []VRP {
	out := make([]VRP, n)
	for i := range out {
		bits := 20 + i%5
		a := netip.AddrFrom4([4]byte{byte(1 + i>>16), byte(i >> 8), byte(i), 0})
		out[i] = VRP{Prefix: netip.PrefixFrom(a, bits).Masked(), MaxLen: 24, ASN: uint32(64500 + i%70000)}
	}
	return out
}

func BenchmarkNewSet700k(b *testing.B) {
	all := table(700_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewSet(all); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead700k(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"metadata":{},"roas":[`)
	for i, v := range table(700_000) {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"asn":%d,"prefix":"%s","maxLength":%d,"ta":"ripe","expires":1753608646}`, v.ASN, v.Prefix, v.MaxLen)
	}
	text.WriteString(`]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(strings.NewReader(text.String())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	all := table(700_000)
	set, err := NewSet(all)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		v := all[i%len(all)]
		if set.Validate(v.Prefix, v.ASN) != Valid {
			b.Fatal(v)
		}
	}
}
