package snapshots_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// TestPrefixDrains: a withdrawn prefix is the last choice until its time has
// come, and then it is gone; no other route notices. Whatever takes the ground
// from under it takes it down at once (invariant 1).
func TestPrefixDrains(t *testing.T) {
	const gracefulShutdown policy.Community = 0xffff0000
	down := synthetic.At.Add(time.Minute)
	network := drainNetwork()
	withdrawn := func(more func(*addressing.State)) addressing.State {
		st := synthetic.State(2, 8)
		st.BGPPrefixes[0].Advertised, st.BGPPrefixes[0].DownAt = false, &down
		if more != nil {
			more(&st)
		}
		return st
	}
	intent := func(kind addressing.IntentKind, at *time.Time) func(*addressing.State) {
		return func(st *addressing.State) {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "n", AccountID: st.Prefixes[0].AccountID, CIDR: st.BGPPrefixes[0].CIDR,
				Kind: kind, Author: "a", Reason: "r", CreatedAt: synthetic.At, DownAt: at})
		}
	}
	for _, c := range []struct {
		name string
		more func(*addressing.State)
		up   bool // until down
	}{
		{"an operator's", nil, true},
		{"an owner's", intent(addressing.IntentOwner, &down), true},
		{"an emergency meanwhile", intent(addressing.IntentEmergency, nil), false},
		{"a block meanwhile", intent(addressing.IntentBlock, nil), false},
		{"unbound meanwhile", func(st *addressing.State) { st.Bindings = st.Bindings[1:] }, false},
		{"deleted meanwhile", func(st *addressing.State) { st.Prefixes[0].State = addressing.PendingDelete }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := withdrawn(c.more)
			first := st.BGPPrefixes[0].CIDR
			before := buildAt(t, synthetic.State(2, 8), network, synthetic.At)
			during, after := buildAt(t, st, network, synthetic.At), buildAt(t, st, network, down)
			if next := during.NextExpiry(); c.up && !next.Equal(down) || !c.up && !next.IsZero() {
				t.Errorf("the next look is at %s", next)
			}
			if !after.NextExpiry().IsZero() {
				t.Error("a drain that is done is looked at again")
			}
			for _, neighbor := range []string{"edge", "transit"} {
				was, is, gone := targetsOf(before).Neighbors[neighbor].Routes, targetsOf(during).Neighbors[neighbor].Routes, targetsOf(after).Neighbors[neighbor].Routes
				if len(gone) != len(was)-1 || slices.ContainsFunc(gone, func(r snapshots.TargetRoute) bool { return r.Prefix == first }) {
					t.Errorf("%s: %d routes, %d after it", neighbor, len(was), len(gone))
				}
				if want := len(was) - 1; c.up && len(is) != want+1 || !c.up && len(is) != want {
					t.Errorf("%s: %d routes, %d while it drains", neighbor, len(was), len(is))
				}
				for _, r := range is {
					marked := slices.Contains(r.Attrs.Communities, gracefulShutdown)
					if marked != (r.Prefix == first) {
						t.Errorf("%s: %s marked: %v", neighbor, r.Prefix, marked)
					}
					if last := r.Attrs.LocalPref != nil && *r.Attrs.LocalPref == 0; neighbor == "edge" && last != marked {
						t.Errorf("%s: LOCAL_PREF 0 of %s: %v", neighbor, r.Prefix, last)
					}
				}
			}
			if back := during.Whole(); back.BGPPrefixes[0].DownAt == nil || !back.BGPPrefixes[0].DownAt.Equal(down) || back.BGPPrefixes[0].Advertised {
				t.Errorf("rebuilt from the snapshot: %+v", back.BGPPrefixes[0])
			}
		})
	}
}

// TestRollbackOfADrain: what was on its way out is advertised again by the way
// back, from before the drain, from within it, and when its row is gone; and a
// rollback of something else leaves the drain alone.
func TestRollbackOfADrain(t *testing.T) {
	down := synthetic.At.Add(time.Minute)
	network, st := drainNetwork(), synthetic.State(2, 8)
	before := buildAt(t, st, network, synthetic.At)
	st.BGPPrefixes[0].Advertised, st.BGPPrefixes[0].DownAt = false, &down
	during, after := buildAt(t, st, network, synthetic.At), buildAt(t, st, network, down)
	first := st.BGPPrefixes[0].CIDR
	gone := synthetic.State(2, 8)
	gone.Prefixes, gone.BGPPrefixes, gone.Bindings = gone.Prefixes[1:], gone.BGPPrefixes[1:], gone.Bindings[1:]
	for name, c := range map[string]struct{ now, then *snapshots.Snapshot }{
		"before the drain, while it lasts": {during, before}, "before the drain, after it": {after, before},
		"within the drain, after it": {after, during}, "within the drain, deleted": {buildAt(t, gone, network, down), during},
	} {
		out, err := snapshots.Compose(c.now, c.then, snapshots.Back{Scope: snapshots.Scope{Prefixes: []netip.Prefix{first}}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		up := false
		for _, r := range targetsOf(out.Snapshot).Neighbors["transit"].Routes {
			up = up || r.Prefix == first && len(r.Attrs.Communities) == 0
		}
		if !up {
			t.Errorf("%s: %s is not back", name, first)
		}
	}
	out, err := snapshots.Compose(during, before, snapshots.Back{Scope: snapshots.Scope{Prefixes: []netip.Prefix{st.BGPPrefixes[1].CIDR}}})
	if err != nil || out.Snapshot.ID() != during.ID() {
		t.Errorf("a rollback of another prefix touched the drain: %v", err)
	}
}
