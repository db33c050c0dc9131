package rpki

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func vectors(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile("../../testdata/vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func setOf(t *testing.T, table map[string][]uint32) *ASPAs {
	t.Helper()
	var list []ASPA
	for customer, providers := range table {
		n, err := strconv.ParseUint(customer, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, ASPA{Customer: uint32(n), Providers: providers})
	}
	s, err := NewASPAs(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var attestations = map[string]Attestation{
	"no-attestation": NoAttestation, "not-provider": NotProvider, "provider": Provider,
	"UNKNOWN": NoAttestation, "NOT_PROVIDER": NotProvider, "PROVIDER": Provider,
}

// verify is Verify for a path as the vectors have it: prepends are collapsed
// and a set makes it invalid, which is the caller's part.
func (s *ASPAs) verify(path []any, d Direction) PathValidity {
	var hops []uint32
	for _, v := range path {
		n, number := v.(float64)
		if !number {
			return PathInvalid
		}
		hops = append(hops, uint32(n))
	}
	return s.Verify(slices.Compact(hops), d)
}

// TestASPAVectors: hops and paths of seven other projects, against what the
// draft's algorithm gives.
func TestASPAVectors(t *testing.T) {
	var v struct {
		Tables map[string]map[string][]uint32
		Hops   []struct {
			Source, Table, Expected string
			Customer, Provider      uint32
		}
		Cases []struct {
			ID, Table, Direction string
			Path                 []any
			Result               string `json:"draft_result"`
		}
	}
	vectors(t, "aspa.json", &v)
	sets := map[string]*ASPAs{}
	for name, table := range v.Tables {
		sets[name] = setOf(t, table)
	}
	if len(v.Hops) < 60 || len(v.Cases) < 250 {
		t.Fatalf("%d hops, %d cases", len(v.Hops), len(v.Cases))
	}
	for _, h := range v.Hops {
		if got := sets[h.Table].Hop(h.Customer, h.Provider); got != attestations[h.Expected] {
			t.Errorf("%s: hop %d to %d: %d, want %s", h.Source, h.Customer, h.Provider, got, h.Expected)
		}
	}
	for _, c := range v.Cases {
		d := Upstream
		if c.Direction == "downstream" {
			d = Downstream
		}
		if got := sets[c.Table].verify(c.Path, d); got.String() != c.Result {
			t.Errorf("%s: %v %s: %s, want %s", c.ID, c.Path, c.Direction, got, c.Result)
		}
	}
}

// TestASPAAsOpenBGPD: every lookup and verdict of OpenBGPD's own test.
func TestASPAAsOpenBGPD(t *testing.T) {
	var v struct {
		Table   map[string][]uint32 `json:"aspa_table"`
		Lookups []struct {
			Customer, Provider uint32
			Expect             string
		} `json:"provider_lookup"`
		Paths []struct {
			Path   []any  `json:"as_path"`
			Role   string `json:"local_role"`
			Expect string
		} `json:"path_validation"`
	}
	vectors(t, "aspa-openbgpd.json", &v)
	s := setOf(t, v.Table)
	if len(v.Lookups) < 49 || len(v.Paths) < 84 {
		t.Fatalf("%d lookups, %d paths", len(v.Lookups), len(v.Paths))
	}
	for _, l := range v.Lookups {
		if got := s.Hop(l.Customer, l.Provider); got != attestations[l.Expect] {
			t.Errorf("%d to %d: %d, want %s", l.Customer, l.Provider, got, l.Expect)
		}
	}
	for _, p := range v.Paths {
		d := Upstream
		if p.Role == "ROLE_CUSTOMER" {
			d = Downstream
		}
		want := strings.ToLower(strings.TrimPrefix(p.Expect, "ASPA_"))
		if got := s.verify(p.Path, d); got.String() != want {
			t.Errorf("%v as %s: %s, want %s", p.Path, p.Role, got, want)
		}
	}
}

// TestASPAProperties: attesting more never turns an invalid path valid or
// unknown when what is attested is only that there is no provider, and a path
// that is valid upstream is valid downstream.
func TestASPAProperties(t *testing.T) {
	asn := rapid.Uint32Range(1, 9)
	rapid.Check(t, func(t *rapid.T) {
		var list []ASPA
		for range rapid.IntRange(0, 9).Draw(t, "aspas") {
			list = append(list, ASPA{Customer: asn.Draw(t, "customer"), Providers: rapid.SliceOfN(asn, 1, 4).Draw(t, "providers")})
		}
		path := slices.Compact(rapid.SliceOfN(asn, 1, 7).Draw(t, "path"))
		s, err := NewASPAs(list)
		if err != nil {
			t.Fatal(err)
		}
		if s.Verify(path, Upstream) == PathValid && s.Verify(path, Downstream) != PathValid {
			t.Fatalf("%v is valid upstream and %s downstream", path, s.Verify(path, Downstream))
		}
		silent := uint32(0)
		for n := uint32(1); n <= 9; n++ {
			if _, said := s.Of(n); !said {
				silent = n
			}
		}
		if silent == 0 {
			return
		}
		more, err := NewASPAs(append(list, ASPA{Customer: silent, Providers: []uint32{0}}))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []Direction{Upstream, Downstream} {
			before, after := s.Verify(path, d), more.Verify(path, d)
			if before == PathInvalid && after != PathInvalid || before == PathUnknown && after == PathValid {
				t.Fatalf("%v: %s, and %s with AS %d attesting no provider", path, before, after, silent)
			}
		}
	})
}

func TestReadASPAs(t *testing.T) {
	const roas = `"roas":[{"asn":64500,"prefix":"192.0.2.0/24","maxLength":24}]`
	for _, tt := range []struct{ name, text, wrong string }{
		{"rpki-client", `{` + roas + `,"aspas":[{"customer_asid":64500,"expires":1,"providers":[64501,64502]}]}`, ""},
		{"routinator", `{` + roas + `,"aspas":[{"customer":"AS64500","providers":["AS64501","AS64502"]}]}`, ""},
		{"no customer", `{` + roas + `,"aspas":[{"providers":[1]}]}`, "entry 0: customer"},
		{"AS 0", `{` + roas + `,"aspas":[{"customer_asid":0,"providers":[1]}]}`, "entry 0: customer"},
		{"no providers", `{` + roas + `,"aspas":[{"customer_asid":1}]}`, "entry 0: providers"},
		{"cut off", `{` + roas + `,"aspas":[{"customer_asid":1`, "at byte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Read(strings.NewReader(tt.text))
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Fatalf("error %v, want %q", err, tt.wrong)
				}
				return
			}
			if want := []ASPA{{64500, []uint32{64501, 64502}}}; err != nil || !reflect.DeepEqual(p.ASPAs, want) {
				t.Fatalf("%v, %v, want %v", p.ASPAs, err, want)
			}
		})
	}
}

func TestSLURMOfASPAs(t *testing.T) {
	file := func(version, filters, assertions string) string {
		return `{"slurmVersion":` + version + `,"validationOutputFilters":{"prefixFilters":[],"bgpsecFilters":[],"aspaFilters":` + filters +
			`},"locallyAddedAssertions":{"prefixAssertions":[],"bgpsecAssertions":[],"aspaAssertions":` + assertions + `}}`
	}
	given := []ASPA{{64500, []uint32{1}}, {64501, []uint32{2}}}
	for _, tt := range []struct{ name, text, wrong string }{
		{"both", file("2", `[{"customerAsn":64500,"comment":"gone"}]`, `[{"customerAsn":64502,"providerAsns":[3,4]}]`), ""},
		{"older names", file("2", `[{"customerAsid":64500}]`, `[{"customerAsid":64502,"providers":[3,4]}]`), ""},
		{"version 1", file("1", `[{"customerAsn":64500}]`, `[]`), "slurmVersion"},
		{"no customer", file("2", `[{}]`, `[]`), "aspaFilters[0]: customerAsn"},
		{"no providers", file("2", `[]`, `[{"customerAsn":1}]`), "aspaAssertions[0]: providerAsns"},
		{"filter with providers", file("2", `[{"customerAsn":1,"providerAsns":[2]}]`, `[]`), "aspaFilters[0]: providers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ReadSLURM(strings.NewReader(tt.text))
			if tt.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wrong) {
					t.Fatalf("error %v, want %q", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.ApplyASPAs(given), []ASPA{{64501, []uint32{2}}, {64502, []uint32{3, 4}}}; !reflect.DeepEqual(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}
