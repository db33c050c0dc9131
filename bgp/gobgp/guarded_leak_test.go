package gobgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/internal/layers"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/policy"
)

// eventLog collects events.
type eventLog struct {
	mu   sync.Mutex
	seen []bgp.Event
}

func (l *eventLog) add(e bgp.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, e)
}

// prefixes counts the prefixes of one kind of event at one neighbor.
func (l *eventLog) prefixes(kind bgp.EventKind, name string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.seen {
		if e.Kind == kind && e.Neighbor == name {
			n += len(e.Prefixes)
		}
	}
	return n
}

func (l *eventLog) whys(kind bgp.EventKind, name string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, e := range l.seen {
		if e.Kind == kind && e.Neighbor == name && !slices.Contains(out, e.Why) {
			out = append(out, e.Why)
		}
	}
	return out
}

// customer is a third external neighbor of the leak tests: everything may go
// down to it.
const customer = "customer-d"

// leakLab has a provider, a peer, our own router and a customer.
func leakLab(t *testing.T, off layers.Off, log *eventLog) *guardLab {
	return newGuardLab(t, func(c *Config) {
		n := speakertest.Neighbors()[0]
		n.Name, n.ASN, n.Role, n.Address = customer, 64520, policy.RoleProvider, freshLoopback()
		c.Neighbors = append(c.Neighbors, Neighbor{Neighbor: n, Passive: true, GracefulRestart: GracefulRestart{Enabled: true}})
		c.off, c.Events = off, log.add
	})
}

// Every single layer, with the two others off, lets none of 2,000 tagged peer-
// and provider-learned paths out to a provider or a peer, nor the shape of 22
// January: 13335 32934 towards a provider. The control run with all layers off
// shows that the paths would leave.
func TestEachLayerAloneStopsALeak(t *testing.T) {
	for _, c := range []struct {
		name  string
		off   layers.Off
		leaks bool
	}{
		{name: "all layers"},
		{name: "the Target alone", off: layers.Off{ValleyFree: true, Communities: true}},
		{name: "the valley-free guard alone", off: layers.Off{Target: true, Communities: true}},
		{name: "role communities alone", off: layers.Off{Target: true, ValleyFree: true}},
		{name: "none", off: layers.Off{Target: true, ValleyFree: true, Communities: true}, leaks: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &eventLog{}
			l := leakLab(t, c.off, log)
			own := speakertest.Wants(20)
			applyAndStart(t, l.guard, targetFor(l.cfg, 1, own))
			for name, n := range l.neighbors {
				waitFor(t, "session of "+name, n.Established)
			}
			held := func(name string) int { return l.neighbors[name].Held() }
			waitFor(t, "our own routes are out", func() bool {
				return held(speakertest.Transit) == 20 && held(speakertest.Peer) == 20 && held(customer) == 20
			})
			mark := func(s policy.Source) policy.LargeCommunity { return policy.RoleCommunity(speakertest.ASN, s) }
			for i := range 2000 {
				p := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(i >> 8), byte(i), 0}), 24)
				source := policy.FromPeer
				if i%2 == 0 {
					source = policy.FromProvider
				}
				l.inject(t, p, []uint32{13335, 32934}, mark(source))
			}
			l.inject(t, netip.MustParsePrefix("157.240.11.0/24"), []uint32{13335, 32934}, mark(policy.FromPeer))
			l.inject(t, netip.MustParsePrefix("2a03:2880::/32"), []uint32{13335, 32934}, mark(policy.FromPeer))
			if c.leaks {
				waitFor(t, "the leak", func() bool { return held(speakertest.Transit) == 2022 && held(speakertest.Peer) == 2022 })
				return
			}
			// What is applied after the leak leaves after it.
			more := append(speakertest.Wants(20), speakertest.Want{Prefix: netip.MustParsePrefix("99.99.99.0/24")})
			if err := l.guard.Apply(t.Context(), targetFor(l.cfg, 2, more)); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the marker", func() bool { return held(speakertest.Transit) >= 21 && held(speakertest.Peer) >= 21 })
			for _, name := range []string{speakertest.Transit, speakertest.Peer} {
				if got := l.neighbors[name].Counters(); got.Announced != 21 || held(name) != 21 {
					t.Errorf("%s: %d announced, %d held; want 21", name, got.Announced, held(name))
				}
			}
			if c.off.Communities && !c.off.ValleyFree {
				waitFor(t, "the leaks are told", func() bool {
					return log.prefixes(bgp.LeakBlocked, speakertest.Transit) == 2002 && log.prefixes(bgp.LeakBlocked, speakertest.Peer) == 2002
				})
				if n := l.tally(t, speakertest.Transit); n.Families[addressing.IPv4].LeakBlocked != 2001 ||
					n.Families[addressing.IPv6].LeakBlocked != 1 || n.Families[addressing.IPv4].Advertised+n.Families[addressing.IPv6].Advertised != 21 {
					t.Errorf("counters %+v", n)
				}
				whys := fmt.Sprint(log.whys(bgp.LeakBlocked, speakertest.Transit))
				for _, want := range []string{"RFC 7908 type 1", "RFC 7908 type 4"} {
					if !strings.Contains(whys, want) {
						t.Errorf("leaks blocked towards the provider: %s; want %s", whys, want)
					}
				}
			}
		})
	}
}

// A path without a mark, with marks that differ, with a forged path or from
// inside goes nowhere, whatever its layer.
func TestUnmarkedAndForgedPathsStayInside(t *testing.T) {
	log := &eventLog{}
	l := leakLab(t, layers.Off{Target: true, Communities: true}, log)
	applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(4)))
	for name, n := range l.neighbors {
		waitFor(t, "session of "+name, n.Established)
	}
	mark := func(s policy.Source) policy.LargeCommunity { return policy.RoleCommunity(speakertest.ASN, s) }
	cases := []struct {
		path  []uint32
		marks []policy.LargeCommunity
	}{
		{path: nil},
		{path: []uint32{13335, 32934}, marks: []policy.LargeCommunity{mark(policy.FromSelf)}},
		{path: []uint32{32934}, marks: []policy.LargeCommunity{mark(policy.FromSelf)}},
		{path: nil, marks: []policy.LargeCommunity{mark(policy.FromSelf), mark(policy.FromPeer)}},
		{path: nil, marks: []policy.LargeCommunity{mark(policy.FromInternal)}},
	}
	for i, c := range cases {
		l.inject(t, netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, byte(i), 0}), 24), c.path, c.marks...)
	}
	for _, name := range []string{speakertest.Transit, speakertest.Peer, customer} {
		waitFor(t, "told at "+name, func() bool { return log.prefixes(bgp.LeakBlocked, name) == len(cases) })
		if got := l.neighbors[name].Counters().Announced; got > 4 {
			t.Errorf("%s was sent %d routes", name, got)
		}
	}
}

// A route deleted inside GoBGP behind our back never leaves the wire, is seen
// and comes back.
func TestRouteDeletedInTheEngineStaysOnTheWire(t *testing.T) {
	log := &eventLog{}
	l := newGuardLab(t, func(c *Config) { c.Events = log.add })
	wants := speakertest.Wants(8)
	target := speakertest.Target(1, wants)
	applyAndStart(t, l.guard, target)
	transit := l.neighbors[speakertest.Transit]
	waitFor(t, "the table is there", func() bool { return transit.Held() == 8 })
	gone := bgp.Union(target)[2]
	if err := l.rib.deleteBehind(t, gone); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	waitFor(t, "the withdrawal is held back", func() bool { return log.prefixes(bgp.HeldBack, speakertest.Transit) == 1 })
	if d := l.guard.Missing(speakertest.Transit); !slices.Equal(d, []netip.Prefix{gone}) {
		t.Errorf("missing in the engine: %v, want %s", d, gone)
	}
	waitFor(t, "the drift is noted", func() bool { return slices.Equal(l.guard.Drift(speakertest.Transit).Missing, []netip.Prefix{gone}) })
	seen := time.Since(begun)
	waitFor(t, "the engine has it again", func() bool { return len(l.guard.Missing(speakertest.Transit)) == 0 })
	// The bounds are the promise, and far from what a busy machine needs.
	if back := time.Since(begun); seen > 11*time.Second || back > 15*time.Second {
		t.Errorf("seen after %s, back after %s", seen, back)
	}
	if c := transit.Counters(); c.Removed() != 0 || transit.Held() != 8 {
		t.Errorf("%d removed, %d held", c.Removed(), transit.Held())
	}
	// The Target drops it: then it leaves.
	if err := l.guard.Apply(t.Context(), speakertest.Target(2, slices.Delete(wants, 2, 3))); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the withdrawal", func() bool { return transit.Counters().Removed() == 1 })
}

// The Adj-RIB-Out counts are what the neighbor holds, and a session that breaks
// costs nothing but the table once more.
func TestEventsOfTheGuard(t *testing.T) {
	log := &eventLog{}
	l := newGuardLab(t, func(c *Config) { c.Events = log.add })
	applyAndStart(t, l.guard, speakertest.Target(1, speakertest.Wants(40)))
	transit := l.neighbors[speakertest.Transit]
	waitFor(t, "the table", func() bool { return transit.Held() == 40 })
	if err := l.guard.Apply(t.Context(), speakertest.Target(2, speakertest.Wants(30))); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the withdrawals", func() bool { return transit.Held() == 30 })
	waitFor(t, "the events", func() bool { // they follow what is sent
		return log.prefixes(bgp.Advertised, speakertest.Transit) == 40 && log.prefixes(bgp.Withdrawn, speakertest.Transit) == 10
	})
	transit.Drop()
	waitFor(t, "down and up", func() bool {
		return len(log.whys(bgp.SessionDown, speakertest.Transit)) == 1 && log.prefixes(bgp.Advertised, speakertest.Transit) == 70
	})
	if w := log.prefixes(bgp.Withdrawn, speakertest.Transit); w != 10 {
		t.Errorf("%d withdrawn after the session broke, want 10 still", w)
	}
	st, err := l.guard.Neighbors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range st {
		if n.Advertised[addressing.IPv4] != 23 {
			t.Errorf("%s: %d IPv4 routes advertised, want 23", n.Name, n.Advertised[addressing.IPv4])
		}
	}
}

// An UPDATE of our own speaker that does not parse closes the session without
// NOTIFICATION, so that the neighbor keeps the routes, and alarms once.
func TestUnparsableUpdateOfTheEngineClosesTheSession(t *testing.T) {
	log := &eventLog{}
	l := newGuardLab(t, func(c *Config) {
		c.Events, c.Neighbors = log.add, c.Neighbors[:1]
	})
	applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(8)))
	transit := l.neighbors[speakertest.Transit]
	waitFor(t, "the table", func() bool { return transit.Held() == 8 })
	mark := policy.RoleCommunity(speakertest.ASN, policy.FromSelf)
	l.addPath(t, netip.MustParsePrefix("100.64.0.0/24"), []*anypb.Any{
		pack(&api.OriginAttribute{Origin: 7}), pack(&api.AsPathAttribute{}), pack(&api.NextHopAttribute{NextHop: "192.0.2.99"}),
		pack(&api.LargeCommunitiesAttribute{Communities: []*api.LargeCommunity{{GlobalAdmin: mark.Global, LocalData1: mark.Local1, LocalData2: mark.Local2}}}),
	})
	waitFor(t, "the session is closed", func() bool { return len(log.whys(bgp.SessionDown, speakertest.Transit)) == 1 })
	waitFor(t, "the session is back", func() bool { return len(transit.Opens()) == 2 && transit.Held() == 8 })
	if why := log.whys(bgp.SessionDown, speakertest.Transit)[0]; !strings.Contains(why, "ORIGIN") {
		t.Errorf("closed because of %q", why)
	}
	if c := transit.Counters(); c.Removed() != 0 || c.Notifications != 0 {
		t.Errorf("%d routes lost, %d notifications", c.Removed(), c.Notifications)
	}
}
