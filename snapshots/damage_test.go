package snapshots_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// damaged is the state of 20 February: of 1,500 routes 800 are withdrawn, 300
// have lost their bindings too, and 50 are down on purpose.
func damaged() (good, now addressing.State) {
	good = synthetic.State(200, 1500)
	now = synthetic.State(200, 1500)
	keep := now.Bindings[:0]
	for i, b := range now.Bindings {
		switch {
		case i >= 1100 && i < 1150:
			now.Negative = append(now.Negative, addressing.NegativeIntent{ID: b.ID, AccountID: now.Prefixes[i].AccountID, CIDR: b.CIDR, Kind: addressing.IntentBlock, Author: "operator/uid:0", Reason: "abuse", CreatedAt: synthetic.At})
		case i < 800:
			now.BGPPrefixes[i].Advertised = false
		case i < 1100:
			now.BGPPrefixes[i].Advertised = false
			continue
		}
		keep = append(keep, b)
	}
	now.Bindings = keep
	return good, now
}

// D2: the classifier is right about every route, and one rollback brings all of
// them back but those that are down on purpose.
func TestAssessDamage(t *testing.T) {
	g, n := damaged()
	good := snapshots.Loaded{Head: snapshots.Head{Generation: 7}, Snapshot: build(t, g)}
	now := build(t, n)
	a := snapshots.Assess(good, now)
	want := map[snapshots.DamageClass]int{snapshots.Intact: 350, snapshots.WithdrawnOnly: 800, snapshots.AllUnbound: 300}
	if diff := cmp.Diff(want, a.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if len(a.Down) != 50 || len(a.Losses) != 1100 {
		t.Errorf("%d down on purpose, %d lost", len(a.Down), len(a.Losses))
	}
	c, err := snapshots.Compose(now, good.Snapshot, snapshots.Back{Scope: snapshots.Scope{All: true}})
	if err != nil || c.Snapshot.RouteCount() != 1450 || len(c.Down) != 50 {
		t.Fatalf("rollback: %d routes, %d kept down, %v", c.Snapshot.RouteCount(), len(c.Down), err)
	}
	after := snapshots.Assess(good, c.Snapshot)
	if len(after.Losses) != 0 || len(after.Down) != 50 {
		t.Errorf("after the rollback %d are lost, %d down on purpose", len(after.Losses), len(after.Down))
	}
	for _, account := range a.Accounts[:20] {
		one, err := snapshots.Compose(now, good.Snapshot, snapshots.Back{Scope: snapshots.Scope{Accounts: []string{account.Account}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range one.Snapshot.AccountIDs() {
			if id != account.Account && one.Snapshot.PartSum(id) != now.PartSum(id) {
				t.Fatalf("rolling back %s changed %s", account.Account, id)
			}
		}
	}
}

func TestAssessClasses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*addressing.State)
		want   snapshots.DamageClass
	}{
		"nothing happened":         {func(*addressing.State) {}, snapshots.Intact},
		"withdrawn":                {func(st *addressing.State) { st.BGPPrefixes[0].Advertised = false }, snapshots.WithdrawnOnly},
		"its BGP prefix is gone":   {func(st *addressing.State) { st.BGPPrefixes = st.BGPPrefixes[1:] }, snapshots.WithdrawnOnly},
		"one of two bindings gone": {func(st *addressing.State) { st.Bindings = st.Bindings[:1] }, snapshots.SomeUnbound},
		"both bindings gone":       {func(st *addressing.State) { st.Bindings, st.BGPPrefixes[0].Advertised = nil, false }, snapshots.AllUnbound},
		"unbound and desired":      {func(st *addressing.State) { st.Bindings = nil }, snapshots.UnboundOnWire},
		"not deployed any more":    {func(st *addressing.State) { st.Bindings[0].Active, st.Bindings[1].Active = false, false }, snapshots.UnboundOnWire},
		"the prefix is gone":       {func(st *addressing.State) { st.Prefixes, st.BGPPrefixes, st.Bindings = nil, nil, nil }, snapshots.AllUnbound},
		"the account is gone":      {func(st *addressing.State) { *st = addressing.State{Services: st.Services} }, snapshots.AllUnbound},
	} {
		t.Run(name, func(t *testing.T) {
			st := synthetic.State(1, 1)
			second := st.Bindings[0]
			second.ID, second.ServiceID = "second", "spectrum"
			st.Bindings = append(st.Bindings, second)
			good := snapshots.Loaded{Snapshot: build(t, st)}
			tc.change(&st)
			a := snapshots.Assess(good, build(t, st))
			if a.Counts[tc.want] != 1 || len(a.Counts) != 1 {
				t.Errorf("counts %v, want one %s", a.Counts, tc.want)
			}
			if intact := tc.want == snapshots.Intact; intact != (len(a.Losses) == 0) || !intact && a.Losses[0].Repair == "" {
				t.Errorf("losses %+v", a.Losses)
			}
		})
	}
}
