package frr_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/cases"
)

const oracle = "../../../testdata/oracle"

// expectation is what was observed for one route.
type expectation struct {
	Action string `json:"action"`
	Sent   *struct {
		ASPath      []uint32 `json:"as_path"`
		Communities []string `json:"communities"`
		OTC         uint32   `json:"otc"`
	} `json:"sent"`
}

type observed struct {
	ID     string          `json:"id"`
	Lang   string          `json:"lang"`
	Expect json.RawMessage `json:"expect"`
}

// answers decides the cases of a file that are in one of the languages.
func answers(t *testing.T, name string, langs ...string) ([]observed, []cases.Answer) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(oracle, name))
	if err != nil {
		t.Fatal(err)
	}
	var exp struct {
		Cases []observed `json:"cases"`
	}
	if err := json.Unmarshal(data, &exp); err != nil {
		t.Fatal(err)
	}
	f, err := cases.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	f.Cases = slices.DeleteFunc(f.Cases, func(c cases.Case) bool { return !slices.Contains(langs, c.Lang) })
	exp.Cases = slices.DeleteFunc(exp.Cases, func(c observed) bool { return !slices.Contains(langs, c.Lang) })
	report, err := cases.Decide(f, func(file string) ([]byte, error) { return os.ReadFile(filepath.Join(oracle, file)) })
	if err != nil {
		t.Fatal(err)
	}
	return exp.Cases, report.Cases
}

// Every decision observed on a real FRR is reproduced, with the AS path, the
// communities and the OTC it sent; none is left unknown.
func TestOracleFRR(t *testing.T) {
	for name, want := range map[string]int{"frr-8.4.4.json": 351, "frr-8.4.4-no-ebgp-requires-policy.json": 18, "frr-8.4.4-rfc9234-roles.json": 44} {
		t.Run(name, func(t *testing.T) {
			exp, got := answers(t, name, "frr")
			judged := 0
			for i, c := range exp {
				var es []expectation
				if err := json.Unmarshal(c.Expect, &es); err != nil {
					t.Fatal(err)
				}
				if got[i].ID != c.ID || len(got[i].Decisions) != len(es) {
					t.Fatalf("%s: %d decisions, want %d", got[i].ID, len(got[i].Decisions), len(es))
				}
				for j, e := range es {
					judged++
					compare(t, c.ID, &got[i].Decisions[j], e)
				}
			}
			if judged != want {
				t.Errorf("%d decisions judged, want %d", judged, want)
			}
		})
	}
}

func compare(t *testing.T, id string, d *cases.Decision, e expectation) {
	t.Helper()
	if d.Action.String() != e.Action {
		t.Errorf("%s %s: %s %s, observed %s\n%+v", id, d.Prefix, d.Action, d.Why, e.Action, d.Result.Trace)
		return
	}
	if e.Sent == nil {
		return
	}
	if !slices.Equal(d.ASPath, e.Sent.ASPath) || !slices.Equal(d.Communities, e.Sent.Communities) {
		t.Errorf("%s %s: path %v communities %v, observed %v %v", id, d.Prefix, d.ASPath, d.Communities, e.Sent.ASPath, e.Sent.Communities)
	}
	if otc, _ := d.Result.Route.Scalars.Get(device.OTC); otc != e.Sent.OTC {
		t.Errorf("%s %s: OTC %d, observed %d", id, d.Prefix, otc, e.Sent.OTC)
	}
}

// Every decision captured from a real IOS-XE, EOS and NX-OS is reproduced.
func TestOracleDevice(t *testing.T) {
	single(t, "vendor-device.json", 39, "ios", "eos", "nxos")
}

// The restated unit tests for NX-OS agree.
func TestOracleModel(t *testing.T) {
	single(t, "batfish-unit-tests.json", 25, "nxos")
}

func single(t *testing.T, name string, want int, langs ...string) {
	t.Helper()
	exp, got := answers(t, name, langs...)
	if len(exp) != want {
		t.Fatalf("%d cases, want %d", len(exp), want)
	}
	for i, c := range exp {
		var e expectation
		if err := json.Unmarshal(c.Expect, &e); err != nil {
			t.Fatal(err)
		}
		compare(t, c.ID, &got[i].Decisions[0], e)
	}
}
