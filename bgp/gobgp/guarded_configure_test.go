package gobgp

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// only is the target of these neighbors.
func only(generation uint64, wants []speakertest.Want, neighbors ...Neighbor) snapshots.Target {
	t := speakertest.Target(generation, wants)
	t.Neighbors = map[string]snapshots.NeighborTarget{}
	for _, n := range neighbors {
		t.Neighbors[n.Name] = snapshots.NeighborTarget{Routes: speakertest.Routes(n.Neighbor, wants)}
	}
	return t
}

// configured is a guarded speaker with two of the suite's neighbors up, and a
// third, with a TCP-MD5 key, that nobody told it of yet.
func configured(t *testing.T, wants []speakertest.Want) (l *guardLab, late Neighbor) {
	l = newGuardLab(t, func(c *Config) {
		late = c.Neighbors[2]
		late.MD5 = "late"
		c.Neighbors = c.Neighbors[:2]
	})
	if err := l.guard.Apply(t.Context(), only(1, wants, l.cfg.Neighbors...)); err != nil {
		t.Fatal(err)
	}
	if err := l.guard.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range l.cfg.Neighbors {
		waitFor(t, n.Name+" has the table", func() bool { return l.neighbors[n.Name].Held() == len(wants) })
	}
	return l, late
}

func (l *guardLab) configure(t *testing.T, neighbors ...Neighbor) {
	t.Helper()
	cfg := l.cfg
	cfg.Neighbors = neighbors
	if err := Configure(context.Background(), l.guard, cfg); err != nil {
		t.Fatal(err)
	}
}

// TestConfigureTouchesNobodyElse: adding, changing and removing neighbors is
// seen by them alone, and nobody is told anything that its Target does not say.
func TestConfigureTouchesNobodyElse(t *testing.T) {
	wants := speakertest.Wants(40)
	l, late := configured(t, wants)
	transit, peer := l.cfg.Neighbors[0], l.cfg.Neighbors[1]
	before := map[string]neighbor.Counters{transit.Name: l.neighbors[transit.Name].Counters(), peer.Name: l.neighbors[peer.Name].Counters()}
	untouched := func(when string, names ...string) {
		t.Helper()
		for _, name := range names {
			if now := l.neighbors[name].Counters(); now != before[name] {
				t.Errorf("%s: %s saw %+v, before it %+v", when, name, now, before[name])
			}
		}
	}

	// It comes: not let in before it has a Target, and then told all of it.
	l.configure(t, transit, peer, late)
	l.connect(t, late, 9)
	time.Sleep(300 * time.Millisecond)
	if l.neighbors[late.Name].Established() {
		t.Error("a neighbor without a Target was let in: End-of-RIB would come before its routes")
	}
	if err := l.guard.Apply(t.Context(), only(2, wants, transit, peer, late)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the new neighbor has its routes", func() bool { return l.neighbors[late.Name].Held() == len(speakertest.Routes(late.Neighbor, wants)) })
	untouched("added", transit.Name, peer.Name)

	// Attributes are the Target's: the session does not notice.
	changed := peer
	changed.MED, changed.Class = nil, "other"
	l.configure(t, transit, changed, late)
	states, err := l.guard.Neighbors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(states, func(s bgpStatus) bool { return s.Name == peer.Name }); states[i].Class != "other" || states[i].MED != nil {
		t.Errorf("shown as %+v", states[i].Neighbor)
	}
	untouched("changed", transit.Name, peer.Name)

	// It goes, and is told so.
	l.configure(t, transit, changed)
	waitFor(t, "the removed neighbor is told", func() bool { return l.neighbors[late.Name].Counters().Notifications == 1 })
	untouched("removed", transit.Name, peer.Name)
	if states, err = l.guard.Neighbors(t.Context()); err != nil || len(states) != 2 {
		t.Errorf("%d neighbors (%v), want 2", len(states), err)
	}
	if err := l.guard.Apply(t.Context(), only(3, wants, transit, peer)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	untouched("applied after it", transit.Name, peer.Name)
}

type bgpStatus = bgp.NeighborStatus

// TestConfigureBeginsAnew: a neighbor whose session is configured otherwise
// keeps its routes over the change (RFC 4724): no NOTIFICATION, no withdrawal.
func TestConfigureBeginsAnew(t *testing.T) {
	wants := speakertest.Wants(40)
	l, _ := configured(t, wants)
	transit, peer := l.cfg.Neighbors[0], l.cfg.Neighbors[1]
	other := l.neighbors[transit.Name].Counters()
	peer.HoldTime = 30 * time.Second
	l.configure(t, transit, peer)
	n := l.neighbors[peer.Name]
	waitFor(t, "the session is back with its routes", func() bool {
		opens := n.Opens()
		return len(opens) > 1 && opens[len(opens)-1].HoldTime == 30*time.Second && n.Established() && n.Counters().EndOfRIB >= 4
	})
	if c := n.Counters(); c.Removed() > 0 || c.Notifications > 0 || n.Held() != len(wants) {
		t.Errorf("after the change: %+v, holds %d", c, n.Held())
	}
	if now := l.neighbors[transit.Name].Counters(); now != other {
		t.Errorf("the other neighbor saw %+v, before it %+v", now, other)
	}
}

// TestConfigureRefuses: what is no configuration changes nothing.
func TestConfigureRefuses(t *testing.T) {
	wants := speakertest.Wants(8)
	l, late := configured(t, wants)
	transit, peer := l.cfg.Neighbors[0], l.cfg.Neighbors[1]
	twice := late
	twice.Address = transit.Address
	bad := late
	bad.Families = nil
	for name, list := range map[string][]Neighbor{"address twice": {transit, peer, twice}, "no families": {transit, bad}} {
		cfg := l.cfg
		cfg.Neighbors = list
		if err := Configure(t.Context(), l.guard, cfg); err == nil || !strings.Contains(err.Error(), late.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []Neighbor{transit, peer} {
		if c := l.neighbors[n.Name].Counters(); c.SessionsDown != 0 || c.Notifications != 0 {
			t.Errorf("%s saw %+v", n.Name, c)
		}
	}
}

// TestConfigureControl: neighbors that may send routes get legs of their own.
func TestConfigureControl(t *testing.T) {
	wants := speakertest.Wants(8)
	l, late := configured(t, wants)
	transit, peer := l.cfg.Neighbors[0], l.cfg.Neighbors[1]
	control := transit
	control.Name, control.Address, control.Receive, control.ASN = "customer", late.Address, policy.ReceiveControl, 64777
	for generation := uint64(2); generation < 4; generation++ {
		l.configure(t, transit, peer, control)
		if err := l.guard.Apply(t.Context(), only(generation, wants, transit, peer, control)); err != nil {
			t.Fatal(err)
		}
		if generation == 2 {
			l.connect(t, control, 9)
		}
		waitFor(t, "it has its routes", func() bool {
			return l.neighbors[control.Name].Established() && l.neighbors[control.Name].Held() == len(wants)
		})
		l.configure(t, transit, peer)
	}
}
