package junos_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/cases"
)

const oracle = "../../../testdata/oracle"

type expectation struct {
	ID     string `json:"id"`
	Lang   string `json:"lang"`
	Expect struct {
		Action      string    `json:"action"`
		After       *[]string `json:"communities_after"`
		AtCollector *[]string `json:"communities_at_collector"`
		ASPath      string    `json:"as_path_after"`
		ASPathSent  string    `json:"as_path_seen_by_peer"`
		Model       struct {
			Communities []string `json:"communities"`
		} `json:"after"`
	} `json:"expect"`
}

func answers(t *testing.T, name string) ([]expectation, []cases.Answer) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(oracle, name))
	if err != nil {
		t.Fatal(err)
	}
	var exp struct {
		Cases []expectation `json:"cases"`
	}
	if err := json.Unmarshal(data, &exp); err != nil {
		t.Fatal(err)
	}
	f, err := cases.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	f.Cases = slices.DeleteFunc(f.Cases, func(c cases.Case) bool { return c.Lang != "junos-set" })
	exp.Cases = slices.DeleteFunc(exp.Cases, func(c expectation) bool { return c.Lang != "junos-set" })
	report, err := cases.Decide(f, func(file string) ([]byte, error) { return os.ReadFile(filepath.Join(oracle, file)) })
	if err != nil {
		t.Fatal(err)
	}
	return exp.Cases, report.Cases
}

// Every decision captured from a real router is reproduced, with the
// communities and AS path of the route; none is left unknown.
func TestOracleDevice(t *testing.T) {
	want, got := answers(t, "vendor-device.json")
	if len(want) != 111 {
		t.Fatalf("%d cases, want 111", len(want))
	}
	for i, w := range want {
		d := got[i].Decisions[0]
		if got[i].ID != w.ID || d.Action.String() != w.Expect.Action {
			t.Errorf("%s: %s %s, observed %s", w.ID, d.Action, d.Why, w.Expect.Action)
			continue
		}
		if cs := w.Expect.After; cs != nil && !slices.Equal(d.Communities, *cs) {
			t.Errorf("%s: communities %v, observed %v", w.ID, d.Communities, *cs)
		}
		if cs := w.Expect.AtCollector; cs != nil {
			// The case leaves out one community of the sent route.
			for _, c := range d.Communities {
				if !slices.Contains(*cs, c) {
					t.Errorf("%s: community %s was not observed", w.ID, c)
				}
			}
			if len(d.Communities) != len(*cs)-1 {
				t.Errorf("%s: communities %v, observed %v", w.ID, d.Communities, *cs)
			}
		}
		if p := w.Expect.ASPath; p != "" && !slices.Equal(d.ASPath, asns(p)) {
			t.Errorf("%s: AS path %v, observed %s", w.ID, d.ASPath, p)
		}
		if p := w.Expect.ASPathSent; p != "" && !slices.Equal(d.ASPath, asns(p)) {
			t.Errorf("%s: AS path %v sent, observed %s", w.ID, d.ASPath, p)
		}
	}
}

func asns(text string) (out []uint32) {
	for _, w := range strings.Fields(text) {
		if n, err := strconv.ParseUint(w, 10, 32); err == nil {
			out = append(out, uint32(n))
		}
	}
	return out
}

// The restated unit tests agree. Four of them ask what a policy without accept
// and reject leaves of the communities; a policy asked alone does not accept.
func TestOracleModel(t *testing.T) {
	want, got := answers(t, "batfish-unit-tests.json")
	if len(want) != 86 {
		t.Fatalf("%d cases, want 86", len(want))
	}
	none := 0
	for i, w := range want {
		d := got[i].Decisions[0]
		if w.Expect.Action != "none" {
			if d.Action.String() != w.Expect.Action {
				t.Errorf("%s: %s %s, expected %s", w.ID, d.Action, d.Why, w.Expect.Action)
			}
			continue
		}
		none++
		var left []string
		for _, c := range d.Result.Route.Communities {
			left = append(left, c.Text)
		}
		if d.Action != device.Reject || !slices.Equal(left, w.Expect.Model.Communities) {
			t.Errorf("%s: %s with %v, expected %v", w.ID, d.Action, left, w.Expect.Model.Communities)
		}
	}
	if none != 4 {
		t.Errorf("%d cases without decision, want 4", none)
	}
}
