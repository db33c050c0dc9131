package cases

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

const oracle = "../../../testdata/oracle"

// expected is the part of the oracle that Decode leaves alone.
type expected struct {
	Cases []struct {
		ID     string          `json:"id"`
		Expect json.RawMessage `json:"expect"`
	} `json:"cases"`
}

// decisions reads expect, which is a list for daemon files and one object for
// files with a route per case.
func decisions(t *testing.T, raw json.RawMessage) []string {
	t.Helper()
	type action struct {
		Action string `json:"action"`
	}
	var many []action
	if json.Unmarshal(raw, &many) != nil {
		var one action
		if err := json.Unmarshal(raw, &one); err != nil {
			t.Fatal(err)
		}
		many = []action{one}
	}
	var out []string
	for _, a := range many {
		out = append(out, a.Action)
	}
	return out
}

// Every decision observed on real gobgpd is reproduced; none is left unknown.
func TestOracle(t *testing.T) {
	for name, want := range map[string]int{"gobgp-3.10.json": 280, "gobgp-4.8.json": 328} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(oracle, name))
			if err != nil {
				t.Fatal(err)
			}
			var exp expected
			if err := json.Unmarshal(data, &exp); err != nil {
				t.Fatal(err)
			}
			report := decide(t, data, oracle)
			judged := 0
			for i, c := range exp.Cases {
				got := report.Cases[i]
				actions := decisions(t, c.Expect)
				if got.ID != c.ID || len(got.Decisions) != len(actions) {
					t.Fatalf("case %d: %s with %d decisions, want %s with %d", i, got.ID, len(got.Decisions), c.ID, len(actions))
				}
				for j, a := range actions {
					judged++
					if d := got.Decisions[j]; d.Action.String() != a {
						t.Errorf("%s %s: %s %s, observed %s", c.ID, d.Prefix, d.Action, d.Why, a)
					}
				}
			}
			if judged != want {
				t.Errorf("%d decisions judged, want %d", judged, want)
			}
		})
	}
}

func decide(t *testing.T, data []byte, dir string) *Report {
	t.Helper()
	f, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Decide(f, func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) })
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// What cannot be judged is answered unknown with a reason, never left out.
func TestDecideUnknown(t *testing.T) {
	for name, text := range map[string]string{
		"no front end": `{"routes":[{"prefix":"192.0.2.0/24"}],"cases":[{"id":"x","lang":"cobol","config":"y","neighbor":"192.0.2.1"}]}`,
		"no file":      `{"routes":[{"prefix":"192.0.2.0/24"}],"cases":[{"id":"x","lang":"gobgp","config":"missing","neighbor":"192.0.2.1"}]}`,
		"no session":   `{"routes":[{"prefix":"192.0.2.0/24"}],"cases":[{"id":"x","lang":"gobgp","config":"configs/gobgp/GOBGP-01-no-policy.toml","neighbor":"192.0.2.1"}]}`,
		"no policy":    `{"routes":[{"prefix":"192.0.2.0/24"}],"cases":[{"id":"x","lang":"gobgp","config":"configs/gobgp/GOBGP-01-no-policy.toml","policy":"P"}]}`,
		"nothing":      `{"routes":[{"prefix":"192.0.2.0/24"}],"cases":[{"id":"x","lang":"gobgp","config":"configs/gobgp/GOBGP-01-no-policy.toml"}]}`,
	} {
		r := decide(t, []byte(text), oracle)
		if len(r.Cases) != 1 || len(r.Cases[0].Decisions) != 1 {
			t.Fatalf("%s: %+v", name, r)
		}
		if d := r.Cases[0].Decisions[0]; d.Action != device.Undecided || d.Why == "" {
			t.Errorf("%s: %s %q", name, d.Action, d.Why)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, text := range []string{``, `[]`, `{}`, `{"cases":[]}`, `{"routes":[{"prefix":"192.0.2.0"}],"cases":[{"id":"x"}]}`} {
		if f, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q: %+v, want an error", text, f)
		}
	}
	for _, route := range []string{
		`{}`, `{"prefix":"192.0.2.0/24","communities":["x"]}`, `{"prefix":"192.0.2.0/24","learned_from":7}`,
		`{"prefix":"192.0.2.0/24","session":"odd"}`, `{"prefix":"192.0.2.0/24","learned_from":{"role":"boss"}}`,
	} {
		f, err := Decode([]byte(`{"routes":[` + route + `],"cases":[{"id":"x","lang":"gobgp"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decide(f, os.ReadFile); err == nil {
			t.Errorf("route %s: no error", route)
		}
	}
}

// The shape of the answer is a contract: one decision per route and case,
// learned_from echoed as it was written.
func TestReportJSON(t *testing.T) {
	text := `{"routes":[{"prefix":"198.18.5.0/24","as_path":[65050],"communities":["65000:100"],"learned_from":{"name":"custC", "session":"ebgp","neighbor":"10.99.0.4"}}],
	 "cases":[{"id":"x","lang":"gobgp","config":"configs/gobgp/GOBGP-01-no-policy.toml","neighbor":"10.99.0.10","direction":"export"}]}`
	got, err := json.Marshal(decide(t, []byte(text), oracle))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cases":[{"id":"x","decisions":[{"prefix":"198.18.5.0/24","learned_from":{"name":"custC","session":"ebgp","neighbor":"10.99.0.4"},"action":"accept","as_path":[65000,65050],"communities":["65000:100"]}]}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
