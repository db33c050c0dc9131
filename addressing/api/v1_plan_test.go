package api_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// A plan is told with the simulated table of every neighbor before and after,
// and with the waves it would go out in.
func TestPlanGolden(t *testing.T) {
	w := newWorld(t)
	st := synthetic.State(2, 8)
	network := synthetic.Network(2)
	before, err := snapshots.Build(st, network, synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	synthetic.Add(&st, 8, synthetic.AccountID(0))
	st.BGPPrefixes[0].Advertised, st.BGPPrefixes[1].Advertised = false, false
	st.BGPPrefixes[2].Prepend = 2
	med := uint32(20)
	network.Neighbors[1].MED = &med
	after, err := snapshots.Build(st, network, synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Diff(before, after)
	p.Generation, p.At, p.Origin = 2, synthetic.At, plan.FromChanges
	w.pipe.pending, w.pipe.report = p, plan.Report{Verdict: policy.Allow}

	r := w.do("operator", "GET", "/v1/plan", "")
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, r.body, "", "  "); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "golden", "plan.json")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(got.Bytes()), bytes.TrimSpace(want)) {
		t.Errorf("%s is stale, or the answer is wrong:\n%s", path, got.Bytes())
	}
	var told api.Plan
	if err := json.Unmarshal(r.body, &told); err != nil {
		t.Fatal(err)
	}
	for name, s := range p.Simulate() {
		sum := told.Impact.Neighbor[name][addressing.IPv4.String()]
		if table := told.Tables[name]; sum.Before != 7 || sum.After != 6 || sum.WithdrawPercent != "28.57" || sum.GrowthPercent != "14.29" ||
			len(table.Withdraw) != len(s.Withdraw) || len(table.Advertise) != 1 || len(table.Modify) != len(s.Modify) || table.More != 0 {
			t.Errorf("%s: counts %+v, table %+v", name, sum, table)
		}
	}
}

// A large plan lists some of each table and counts the rest.
func TestPlanTablesAreBounded(t *testing.T) {
	w := newWorld(t)
	p := plan.Diff(nil, synthetic.Snapshot(synthetic.State(3, 500), 2))
	w.pipe.pending, w.pipe.report = p, plan.Report{Verdict: policy.Allow}
	var told api.Plan
	if r := w.do("operator", "GET", "/v1/plan", ""); r.status != 200 || json.Unmarshal(r.body, &told) != nil {
		t.Fatalf("%d %.200s", r.status, r.body)
	}
	for name, table := range told.Tables {
		if len(table.Advertise) != 200 || table.More != 300 || told.Impact.Neighbor[name][addressing.IPv4.String()].GrowthPercent != "new" {
			t.Errorf("%s: %d routes listed, %d more, %+v", name, len(table.Advertise), table.More, told.Impact.Neighbor[name])
		}
	}
}
