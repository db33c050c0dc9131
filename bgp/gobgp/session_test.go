package gobgp

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// waitFor polls until done; it measures nothing.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// two returns a configuration with two plain eBGP neighbors.
func two() []policy.Neighbor {
	ns := speakertest.Neighbors()[:1]
	second := ns[0]
	second.Name, second.ASN = "transit-b", 64512
	return append(ns, second)
}

// targetFor names the neighbors of cfg with the same wants.
func targetFor(cfg Config, generation uint64, wants []speakertest.Want) snapshots.Target {
	t := snapshots.Target{Epoch: 1, Generation: generation, Neighbors: map[string]snapshots.NeighborTarget{}}
	for _, n := range cfg.Neighbors {
		t.Neighbors[n.Name] = snapshots.NeighborTarget{Routes: speakertest.Routes(n.Neighbor, wants)}
	}
	return t
}

func applyAndStart(t testing.TB, s bgp.Speaker, target snapshots.Target) {
	t.Helper()
	if err := s.Apply(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A neighbor that comes up after another one has finished its restart must
// still see the restart bits: GoBGP clears them for all at once (invariant 13).
func TestLateNeighborSeesRestartBits(t *testing.T) {
	local := freshLoopback()
	l := &lab{neighbors: map[string]*neighbor.Neighbor{}, cfg: Config{
		ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Logger: testLogger(),
		Listen: []netip.AddrPort{netip.AddrPortFrom(local, 0)}, Restarting: true,
	}}
	for _, n := range two() {
		n.Address = freshLoopback()
		l.cfg.Neighbors = append(l.cfg.Neighbors, Neighbor{Neighbor: n, Passive: true, GracefulRestart: GracefulRestart{Enabled: true}})
	}
	l.speaker = l.newSpeaker(t)
	l.cfg.Listen[0] = netip.AddrPortFrom(local, l.speaker.Port())
	applyAndStart(t, l.speaker, targetFor(l.cfg, 1, speakertest.Wants(10)))

	l.connect(t, l.cfg.Neighbors[0], 1)
	waitFor(t, "the first neighbor has the table", func() bool { return l.neighbors[speakertest.Transit].Held() == 10 })
	waitFor(t, "the bits of the second neighbor are set again", func() bool { return l.speaker.deferring("transit-b") })
	l.connect(t, l.cfg.Neighbors[1], 2)
	late := l.neighbors["transit-b"]
	waitFor(t, "the second neighbor has the table", func() bool { return late.Held() == 10 })
	if o := late.Opens()[0]; !o.Restarting || len(o.Forwarding) != 2 {
		t.Errorf("the late neighbor saw no restart bits: %+v", o)
	}
}

func (s *Speaker) deferring(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[s.byName[name]].deferring
}

// A neighbor that never sends its End-of-RIB gets the table when the deferral
// timer has run out (RFC 4724 section 4.1).
func TestSilentNeighborIsServedAfterDeferral(t *testing.T) {
	local, address := freshLoopback(), freshLoopback()
	n := two()[0]
	n.Address = address
	cfg := Config{
		ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Logger: testLogger(), Restarting: true, Deferral: time.Second,
		Listen:    []netip.AddrPort{netip.AddrPortFrom(local, 0)},
		Neighbors: []Neighbor{{Neighbor: n, Passive: true, GracefulRestart: GracefulRestart{Enabled: true}}},
	}
	l := &lab{cfg: cfg}
	l.speaker = l.newSpeaker(t)
	applyAndStart(t, l.speaker, targetFor(cfg, 1, speakertest.Wants(4)))
	silent := newNeighbor(t, neighbor.Config{
		ASN: n.ASN, RouterID: netip.MustParseAddr("192.0.2.1"), Local: address, Dial: netip.AddrPortFrom(local, l.speaker.Port()),
		Families: n.Families, GracefulRestart: true, Silent: true,
	})
	waitFor(t, "the table is there", func() bool { return silent.Held() == 4 })
	waitFor(t, "the status counts it", func() bool {
		st, err := l.speaker.Neighbors(t.Context())
		return err == nil && st[0].Advertised[addressing.IPv4] == 3
	})
}

func newNeighbor(t testing.TB, cfg neighbor.Config) *neighbor.Neighbor {
	t.Helper()
	n, err := neighbor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Every way to meet carries the routes; MD5 keeps out who has no key.
func TestTransport(t *testing.T) {
	for _, c := range []struct {
		name        string
		six, dials  bool
		md5         string
		ttlSecurity bool
	}{
		{name: "dials over IPv4", dials: true},
		{name: "dials over IPv6", dials: true, six: true},
		{name: "listens on IPv6", six: true},
		{name: "dials with MD5", dials: true, md5: "a key"},
		{name: "listens with MD5", md5: "a key"},
		{name: "dials with TTL 255", dials: true, ttlSecurity: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			local, address := freshLoopback(), freshLoopback()
			if c.six {
				local, address = netip.IPv6Loopback(), netip.IPv6Loopback()
			}
			n := two()[0]
			n.Address = address
			there := neighbor.Config{
				ASN: n.ASN, RouterID: netip.MustParseAddr("192.0.2.1"), Families: n.Families, MD5: c.md5, Peer: local, Local: address,
			}
			if c.ttlSecurity {
				there.TTL = 255
			}
			nb := Neighbor{Neighbor: n, Passive: !c.dials, MD5: c.md5, TTLSecurity: c.ttlSecurity, LocalAddress: local}
			cfg := Config{ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Logger: testLogger()}
			var peer *neighbor.Neighbor
			if c.dials {
				there.Listen = netip.AddrPortFrom(address, 0)
				peer = newNeighbor(t, there)
				nb.Port = peer.Addr().Port()
			} else {
				cfg.Listen = []netip.AddrPort{netip.AddrPortFrom(local, 0)}
			}
			cfg.Neighbors = []Neighbor{nb}
			l := &lab{cfg: cfg}
			s := l.newSpeaker(t)
			applyAndStart(t, s, targetFor(cfg, 1, speakertest.Wants(8)))
			if !c.dials {
				there.Dial = netip.AddrPortFrom(local, s.Port())
				if c.md5 != "" {
					unsigned := there
					unsigned.MD5 = ""
					stranger := newNeighbor(t, unsigned)
					defer func() {
						if len(stranger.Opens()) != 0 {
							t.Error("a neighbor without the key got a session")
						}
					}()
				}
				peer = newNeighbor(t, there)
			}
			waitFor(t, "the neighbor has the table", func() bool { return peer.Held() == 8 })
		})
	}
}

// Events tell what was handed to whom, and sessions going up and down.
func TestEvents(t *testing.T) {
	var mu sync.Mutex
	var seen []bgp.Event
	count := func(kind bgp.EventKind, name string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range seen {
			if e.Kind == kind && e.Neighbor == name {
				n += max(1, len(e.Prefixes))
			}
		}
		return n
	}
	l := newLabWith(t, func(c *Config) {
		c.Events = func(e bgp.Event) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, e)
		}
	})
	if err := l.speaker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name := range l.neighbors {
		waitFor(t, "session up of "+name, func() bool { return count(bgp.SessionUp, name) == 1 })
	}
	for generation, n := range []int{40, 30} {
		if err := l.speaker.Apply(t.Context(), speakertest.Target(uint64(generation+1), speakertest.Wants(n))); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][2]int{speakertest.Transit: {40, 10}, speakertest.Peer: {40, 10}, speakertest.Edge: {30, 7}} {
		if a, w := count(bgp.Advertised, name), count(bgp.Withdrawn, name); a != want[0] || w != want[1] {
			t.Errorf("%s: %d advertised, %d withdrawn, want %v", name, a, w, want)
		}
	}
	l.neighbors[speakertest.Peer].Drop()
	waitFor(t, "session down", func() bool { return count(bgp.SessionDown, speakertest.Peer) == 1 })
	mu.Lock()
	defer mu.Unlock()
	i := slices.IndexFunc(seen, func(e bgp.Event) bool { return e.Kind == bgp.SessionDown })
	if seen[i].Why == "" || seen[i].Generation != 2 {
		t.Errorf("session down without a reason or order: %+v", seen[i])
	}
}

// What somebody else puts into GoBGP or takes out of it shows, and what is
// missing comes back; what is foreign went to nobody.
func TestDriftIsSeenAndRepaired(t *testing.T) {
	l := newLab(t)
	target := speakertest.Target(1, speakertest.Wants(8))
	applyAndStart(t, l.speaker, target)
	transit := l.neighbors[speakertest.Transit]
	waitFor(t, "the table is there", func() bool { return transit.Held() == 8 })
	foreign, gone := netip.MustParsePrefix("198.51.100.0/24"), bgp.Union(target)[2]
	l.inject(t, foreign)
	l.speaker.mu.Lock()
	c := l.speaker.loaded[gone]
	l.speaker.mu.Unlock()
	if err := l.speaker.deletePath(t.Context(), c, gone); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the route is gone", func() bool { return transit.Held() == 7 })

	loaded, err := l.speaker.Loaded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := bgp.CompareLoaded(bgp.Union(target), loaded)
	if !slices.Equal(d.Missing, []netip.Prefix{gone}) || !slices.Equal(d.Foreign, []netip.Prefix{foreign}) {
		t.Fatalf("drift %+v", d)
	}
	n, err := l.speaker.Reload(t.Context(), append(d.Missing, d.Foreign...))
	if err != nil || n != 1 {
		t.Errorf("reloaded %d, %v", n, err)
	}
	waitFor(t, "the route is back", func() bool { return transit.Held() == 8 })
	if c := transit.Counters(); c.Announced != 9 {
		t.Errorf("%d announced, want 9", c.Announced)
	}
}
