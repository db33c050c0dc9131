package snapshots_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// TestTargeterIsTargets: what is made from the Target before is what is made
// from everything, whatever has changed, in either direction of time.
func TestTargeterIsTargets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &changing{st: synthetic.State(4, 24), network: synthetic.Network(2), at: synthetic.At, changed: map[string]int64{}}
		var targeter snapshots.Targeter
		var made []*snapshots.Snapshot
		for n := range rapid.IntRange(1, 25).Draw(t, "steps") {
			c.step(t)
			s, err := snapshots.Build(c.st, c.network, synthetic.Environment, c.at)
			if err != nil {
				continue
			}
			made = append(made, s)
			if rapid.IntRange(0, 9).Draw(t, "back") == 0 {
				s = made[rapid.IntRange(0, len(made)-1).Draw(t, "to")]
			}
			got, findings := targeter.Targets(s, 1, uint64(n), 0)
			want, wantFindings := snapshots.Targets(s, 1, uint64(n), 0)
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(findings, wantFindings) {
				t.Fatalf("step %d: %+v %v, want %+v %v", n, got, findings, want, wantFindings)
			}
		}
	})
}

// TestTargeterSharesTheRest: what has not changed keeps its attributes, so that
// a speaker compares pointers; the Target before is left as it was.
func TestTargeterSharesTheRest(t *testing.T) {
	st := synthetic.State(6, 60)
	var targeter snapshots.Targeter
	before, _ := targeter.Targets(build(t, st), 1, 1, 0)
	held := append([]snapshots.TargetRoute{}, before.Neighbors["transit-a"].Routes...)
	st.BGPPrefixes[30].Advertised = false
	st.BGPPrefixes[40].Prepend = 2
	after, _ := targeter.Targets(build(t, st), 1, 2, 0)
	if !reflect.DeepEqual(held, before.Neighbors["transit-a"].Routes) {
		t.Error("the Target before was written to")
	}
	attrs := map[string]*snapshots.Attributes{}
	for _, r := range held {
		attrs[r.Prefix.String()] = r.Attrs
	}
	changed := 0
	for _, r := range after.Neighbors["transit-a"].Routes {
		if attrs[r.Prefix.String()] != r.Attrs {
			changed++
		}
	}
	if n := len(after.Neighbors["transit-a"].Routes); n != len(held)-1 || changed != 1 {
		t.Errorf("%d routes of %d, %d with other attributes; want one less and one changed", n, len(held), changed)
	}
	if a, b := after.Neighbors["transit-a"].Routes, after.Neighbors["transit-b"].Routes; &a[0] != &b[0] {
		t.Error("two equal neighbors do not share their routes")
	}
}
