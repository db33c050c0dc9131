package snapshots_test

import (
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// TestDrain: what is drained is de-preferred first and gone when its time has
// come; the other neighbors never notice. The daemon is woken for it.
func TestDrain(t *testing.T) {
	const gracefulShutdown policy.Community = 0xffff0000
	mark := policy.Community(64500<<16 | 999)
	down := synthetic.At.Add(time.Minute)
	for _, c := range []struct {
		name   string
		intent addressing.NegativeIntent
		own    *snapshots.DrainMark
		want   policy.Community
	}{
		{"neighbor", addressing.NegativeIntent{Neighbor: "edge"}, nil, gracefulShutdown},
		{"site", addressing.NegativeIntent{Site: "ams"}, nil, gracefulShutdown},
		{"marks of one's own", addressing.NegativeIntent{Site: "ams"}, &snapshots.DrainMark{Standard: []policy.Community{mark}}, mark},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, network := synthetic.State(2, 8), drainNetwork()
			network.Drain = c.own
			c.intent.ID, c.intent.Kind, c.intent.Author, c.intent.CreatedAt, c.intent.DownAt = "d", addressing.IntentDrain, "a", synthetic.At, &down
			before := buildAt(t, st, network, synthetic.At)
			st.Negative = append(st.Negative, c.intent)
			during, after := buildAt(t, st, network, synthetic.At), buildAt(t, st, network, down)
			if during.ID() == before.ID() || during.ID() == after.ID() {
				t.Error("the phases of a drain are one snapshot")
			}
			if next := during.NextExpiry(); !next.Equal(down) {
				t.Errorf("the next look is at %s, want %s", next, down)
			}
			if !after.NextExpiry().IsZero() {
				t.Error("a drain that is done is looked at again")
			}
			was, is, gone := targetsOf(before), targetsOf(during), targetsOf(after)
			if n := len(was.Neighbors["edge"].Routes); n == 0 || len(is.Neighbors["edge"].Routes) != n || len(gone.Neighbors["edge"].Routes) != 0 {
				t.Errorf("%d routes, draining %d, drained %d", n, len(is.Neighbors["edge"].Routes), len(gone.Neighbors["edge"].Routes))
			}
			for _, r := range is.Neighbors["edge"].Routes {
				if !slices.Contains(r.Attrs.Communities, c.want) || r.Attrs.LocalPref == nil || *r.Attrs.LocalPref != 0 {
					t.Errorf("%s while draining: %+v", r.Prefix, r.Attrs)
				}
			}
			for _, r := range is.Neighbors["transit"].Routes {
				if slices.Contains(r.Attrs.Communities, c.want) {
					t.Errorf("%s is marked at another site", r.Prefix)
				}
			}
			if !slices.Equal(gone.Drained, []string{"edge"}) || len(is.Drained) != 0 {
				t.Errorf("drained: %v, before that %v", gone.Drained, is.Drained)
			}
			if len(gone.Neighbors["transit"].Routes) != len(was.Neighbors["transit"].Routes) {
				t.Error("another site lost routes")
			}
			back := after.Whole()
			if len(back.Negative) != 1 || back.Negative[0].DownAt == nil || !back.Negative[0].DownAt.Equal(down) || back.Negative[0].Neighbor != c.intent.Neighbor {
				t.Errorf("rebuilt from the snapshot: %+v", back.Negative)
			}
		})
	}
}

func drainNetwork() snapshots.NetworkPart {
	n := synthetic.Network(1)
	base := n.Neighbors[0]
	edge, transit := base, base
	edge.Name, edge.Site, edge.Kind, edge.Role, edge.ASN, edge.LocalASN = "edge", "ams", policy.Edge, policy.NoRole, n.ASN, n.ASN
	transit.Name, transit.Site = "transit", "fra"
	n.Sites, n.Neighbors = []string{"ams", "fra"}, []policy.Neighbor{edge, transit}
	return n
}

func buildAt(t *testing.T, st addressing.State, n snapshots.NetworkPart, at time.Time) *snapshots.Snapshot {
	t.Helper()
	s, err := snapshots.Build(st, n, "test", at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func targetsOf(s *snapshots.Snapshot) snapshots.Target {
	target, _ := snapshots.Targets(s, 1, 1, 0)
	return target
}

// TestShutdown: a neighbor that is shut down has no session once its routes have
// left, and is told why; the snapshot keeps it.
func TestShutdown(t *testing.T) {
	down := synthetic.At.Add(time.Minute)
	st := synthetic.State(2, 8)
	st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "d", Neighbor: "edge", Kind: addressing.IntentDrain, Author: "a", Reason: "fibre cut",
		CreatedAt: synthetic.At, DownAt: &down, Shutdown: true})
	during, after := buildAt(t, st, drainNetwork(), synthetic.At), buildAt(t, st, drainNetwork(), down)
	if shut := targetsOf(during).Shutdown; len(shut) != 0 {
		t.Errorf("shut down while it drains: %v", shut)
	}
	if shut := targetsOf(after).Shutdown; len(shut) != 1 || shut["edge"] != "fibre cut" {
		t.Errorf("shut down: %v", shut)
	}
	if back := after.Whole(); len(back.Negative) != 1 || !back.Negative[0].Shutdown {
		t.Errorf("rebuilt from the snapshot: %+v", back.Negative)
	}
	st.Negative[len(st.Negative)-1].Neighbor, st.Negative[len(st.Negative)-1].Site = "", "ams"
	if _, err := snapshots.Build(st, drainNetwork(), "test", down); err == nil {
		t.Error("a site was shut down")
	}
}
