package cases_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/cases"
)

const observedDir = "../../../testdata/oracle"

// observedCase is a case with what the daemon did.
type observedCase struct {
	ID     string `json:"id"`
	Expect []struct {
		Action string `json:"action"`
		Sent   *struct {
			ASPath      []uint32 `json:"as_path"`
			Communities []string `json:"communities"`
			Large       []string `json:"large"`
			OTC         uint32   `json:"otc"`
		} `json:"sent"`
	} `json:"expect"`
}

// Every decision observed on real OpenBGPD and BIRD is reproduced, with the
// path, the communities and the OTC that were sent; none is left unknown.
func TestOracleDaemons(t *testing.T) {
	for name, want := range map[string]int{
		"openbgpd-7.7.json": 153, "openbgpd-7.7-rfc9234-roles.json": 22,
		"bird-2.0.12.json": 189, "bird-2.19.json": 189, "bird-2.19-rfc9234-roles.json": 33,
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(observedDir, name))
			if err != nil {
				t.Fatal(err)
			}
			var exp struct{ Cases []observedCase }
			if err := json.Unmarshal(data, &exp); err != nil {
				t.Fatal(err)
			}
			f, err := cases.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			report, err := cases.Decide(f, func(file string) ([]byte, error) { return os.ReadFile(filepath.Join(observedDir, file)) })
			if err != nil {
				t.Fatal(err)
			}
			judged := 0
			for i := range exp.Cases {
				c := &exp.Cases[i]
				got := report.Cases[i].Decisions
				if len(got) != len(c.Expect) {
					t.Fatalf("%s: %d decisions, want %d", c.ID, len(got), len(c.Expect))
				}
				for j := range got {
					judged++
					c.compare(t, j, &got[j])
				}
			}
			if judged != want {
				t.Errorf("%d decisions judged, want %d", judged, want)
			}
		})
	}
}

func (c *observedCase) compare(t *testing.T, i int, d *cases.Decision) {
	t.Helper()
	e := &c.Expect[i]
	if d.Action.String() != e.Action {
		t.Errorf("%s %s: %s %s, observed %s\n%+v", c.ID, d.Prefix, d.Action, d.Why, e.Action, d.Result.Trace)
		return
	}
	if e.Sent == nil {
		return
	}
	var large []string
	for _, x := range d.Result.Route.Communities {
		if x.Kind == device.Large {
			large = append(large, x.Text)
		}
	}
	otc, _ := d.Result.Route.Scalars.Get(device.OTC)
	if !slices.Equal(d.ASPath, e.Sent.ASPath) || !slices.Equal(d.Communities, e.Sent.Communities) || !slices.Equal(large, e.Sent.Large) || otc != e.Sent.OTC {
		t.Errorf("%s %s: path %v communities %v %v OTC %d, observed %+v", c.ID, d.Prefix, d.ASPath, d.Communities, large, otc, *e.Sent)
	}
}
