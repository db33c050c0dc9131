package guard

import (
	"net/netip"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// What our OPEN offers is what the neighbor's decides about (RFC 9494 section
// 3: long-lived goes with graceful restart).
func TestLongLivedOffer(t *testing.T) {
	n := Neighbor{Neighbor: policy.Neighbor{ASN: 64510, LocalASN: 64500, Families: []addressing.Family{addressing.IPv4, addressing.IPv6}}, HoldTime: 90 * time.Second}
	for _, c := range []struct {
		restart, stale time.Duration
		forwarding     bool
		offered        bool
	}{
		{0, 0, false, false},
		{0, time.Hour, false, false},
		{time.Minute, 0, true, false},
		{time.Minute, time.Hour, true, true},
		{time.Minute, maxStaleTime, false, true},
	} {
		n.RestartTime, n.StaleTime = c.restart, c.stale
		families, offered := ourOpen(&n, end{id: netip.MustParseAddr("192.0.2.1")}, restart{forwarding: c.forwarding}).Capabilities.LongLived()
		if offered != c.offered {
			t.Errorf("restart %s, stale %s: offered %v", c.restart, c.stale, offered)
		}
		if !offered {
			continue
		}
		if len(families) != 2 {
			t.Errorf("%d families, want 2", len(families))
		}
		for _, f := range families {
			if time.Duration(f.StaleTime)*time.Second != c.stale || f.Forwarding != c.forwarding {
				t.Errorf("%+v, want stale time %s, F %v", f, c.stale, c.forwarding)
			}
		}
	}
}

func TestSurvivalFollowsTheOpen(t *testing.T) {
	open := func(caps ...wire.Capability) wire.Open {
		return wire.NewOpen(64510, 90, netip.MustParseAddr("192.0.2.2"), caps)
	}
	graceful := wire.GracefulRestart{Time: 300}.Capability()
	noted := wire.GracefulRestart{Time: 300, Notification: true}.Capability()
	lives := wire.LongLivedCapability()
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		restart, stale time.Duration
		open           wire.Open
		want           bgp.Survival
	}{
		"nothing":             {time.Minute, day, open(), bgp.Survival{}},
		"graceful":            {time.Minute, day, open(graceful), bgp.Survival{Restart: time.Minute}},
		"N bit":               {time.Minute, day, open(noted), bgp.Survival{Restart: time.Minute, Notification: true}},
		"long-lived":          {time.Minute, day, open(graceful, lives), bgp.Survival{Restart: time.Minute, LongLived: day}},
		"long-lived, we not":  {time.Minute, 0, open(graceful, lives), bgp.Survival{Restart: time.Minute}},
		"long-lived alone":    {time.Minute, day, open(lives), bgp.Survival{}},
		"graceful, we do not": {0, 0, open(graceful, lives), bgp.Survival{}},
	} {
		n := Neighbor{RestartTime: c.restart, StaleTime: c.stale}
		if got := survival(&n, c.open); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
