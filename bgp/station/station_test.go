package station

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/bmp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

const (
	ours    = 64500
	transit = 64601
	peering = 64700
)

var (
	addr     = netip.MustParseAddr
	speaker  = bmp.Peer{Address: addr("10.0.0.10"), ASN: ours, RouterID: addr("10.0.0.10")}
	upstream = bmp.Peer{Address: addr("203.0.113.1"), ASN: transit, RouterID: addr("203.0.113.1")}
	edgeID   = addr("10.0.1.1")
	start    = time.Date(2026, 1, 22, 20, 25, 0, 0, time.UTC)
)

// world is a station with an edge and an outside router, and what was sent.
type world struct {
	*Station
	t    *testing.T
	now  time.Time
	sent []snapshots.TargetRoute
	up   bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cfg := Config{
		Own: []uint32{ours}, Neighbors: []string{"ams1-v4"},
		Roles: map[uint32]policy.Role{transit: policy.RoleCustomer, peering: policy.RolePeer, 64999: policy.RolePeer, 64800: policy.RoleProvider},
		Routers: []Router{
			{Name: "ams1", Site: "ams", Addresses: []netip.Addr{edgeID}, Neighbors: []string{"ams1-v4"}, Speakers: []netip.Addr{speaker.RouterID},
				Sessions: []Session{{Name: "transit-a", Address: upstream.Address, ASN: transit, Role: policy.RoleCustomer}}},
			{Name: "glass", Outside: true, ASN: transit, Addresses: []netip.Addr{addr("198.51.100.9")}},
		},
	}
	s, err := New(cfg, slog.New(slog.DiscardHandler), start)
	if err != nil {
		t.Fatal(err)
	}
	return &world{Station: s, t: t, now: start, up: true}
}

func (w *world) feed(name string) *feed {
	i := slices.IndexFunc(w.feeds, func(f *feed) bool { return f.conf.Name == name })
	return w.feeds[i]
}

func prefixes(n int) []netip.Prefix {
	var out []netip.Prefix
	for i := range n {
		out = append(out, netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18 + byte(i>>8), byte(i), 0}), 24))
	}
	return out
}

func (w *world) send(ps []netip.Prefix) {
	w.sent = nil
	for _, p := range ps {
		w.sent = append(w.sent, snapshots.TargetRoute{Prefix: p, Attrs: &snapshots.Attributes{}})
	}
}

func (w *world) source(string) ([]snapshots.TargetRoute, bool) { return w.sent, w.up }

// after lets time pass, as the daemon does: a second at a time.
func (w *world) after(d time.Duration) []Finding {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(time.Second)
		w.Assess(w.now, w.source, false)
	}
	return w.Findings()
}

// connect begins a connection and its dump: the peers, and then their tables.
func (w *world) connect(router string, peers ...bmp.Peer) *feed {
	f := w.feed(router)
	f.connected(w.now)
	f.take(bmp.Message{Kind: bmp.Initiation}, w.now)
	for _, p := range peers {
		w.peerUp(f, p)
	}
	return f
}

func (w *world) peerUp(f *feed, p bmp.Peer) {
	m := bmp.Message{Kind: bmp.PeerUp, Peer: p, Up: bmp.Up{LocalID: edgeID, Families: wire.NewFamilySet(wire.IPv4Unicast)}}
	f.take(m, w.now)
	if !f.conf.Outside {
		w.edges[edgeID] = f
	}
}

func body(t *testing.T, raw []byte) []byte {
	t.Helper()
	return raw[wire.HeaderLen:]
}

func monitor(t *testing.T, p bmp.Peer, v bmp.View, path []uint32, cs []policy.Community, ps []netip.Prefix) []bmp.Message {
	t.Helper()
	attrs := wire.Attributes{ASPath: wire.Sequence(path...), NextHop: addr("192.0.2.1"), Communities: cs}
	set, err := attrs.Intern()
	if err != nil {
		t.Fatal(err)
	}
	raw, _, err := wire.Encoding{}.AppendAdvertise(nil, set, ps)
	if err != nil {
		t.Fatal(err)
	}
	return split(t, p, v, raw)
}

func withdrawn(t *testing.T, p bmp.Peer, v bmp.View, ps []netip.Prefix) []bmp.Message {
	t.Helper()
	raw, _, err := wire.Encoding{}.AppendWithdraw(nil, ps)
	if err != nil {
		t.Fatal(err)
	}
	return split(t, p, v, raw)
}

func split(t *testing.T, p bmp.Peer, v bmp.View, raw []byte) []bmp.Message {
	t.Helper()
	var out []bmp.Message
	for len(raw) > 0 {
		n := int(raw[16])<<8 | int(raw[17])
		out = append(out, bmp.Message{Kind: bmp.RouteMonitoring, Peer: p, View: v, Update: body(t, raw[:n])})
		raw = raw[n:]
	}
	return out
}

func (w *world) take(f *feed, all []bmp.Message) {
	for _, m := range all {
		f.take(m, w.now)
	}
}

func (w *world) end(f *feed, p bmp.Peer, v bmp.View) {
	f.take(bmp.Message{Kind: bmp.RouteMonitoring, Peer: p, View: v, Update: body(w.t, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))}, w.now)
}

// healthy is an edge that accepts and sends on all of it, with a full outside.
func healthy(t *testing.T, ps []netip.Prefix) (*world, *feed) {
	t.Helper()
	w := newWorld(t)
	w.send(ps)
	f := w.connect("ams1", speaker, upstream)
	w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps))
	w.end(f, speaker, bmp.InPostPolicy)
	w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours}, nil, ps))
	w.end(f, upstream, bmp.OutPostPolicy)
	if got := w.after(2 * time.Minute); len(got) != 0 {
		t.Fatalf("a healthy edge: %v", got)
	}
	return w, f
}

// only expects one finding.
func only(t *testing.T, got []Finding, kind Kind, session string, n int) Finding {
	t.Helper()
	if len(got) != 1 || got[0].Kind != kind || got[0].Session != session || got[0].Prefixes != n || got[0].Router != "ams1" {
		t.Fatalf("want one %s of %d prefixes on ams1 %q, got %v", kind, n, session, got)
	}
	return got[0]
}

func answers(w *world, p netip.Prefix) string {
	var out []string
	for _, s := range w.Sightings(p, []string{"ams1-v4"}, w.now) {
		out = append(out, fmt.Sprintf("%s:%s", s.Stage, s.Answer))
	}
	return strings.Join(out, " ")
}

func TestHealthy(t *testing.T) {
	ps := prefixes(200)
	w, _ := healthy(t, ps)
	if got := answers(w, ps[7]); got != "accepted:yes to_transit:yes outside:unknown" {
		t.Error(got)
	}
	glass := bmp.Peer{Address: addr("10.9.9.9"), ASN: ours, RouterID: edgeID}
	g := w.connect("glass", glass)
	w.take(g, monitor(t, glass, bmp.InPrePolicy, []uint32{ours}, nil, ps))
	w.end(g, glass, bmp.InPrePolicy)
	if got := answers(w, ps[7]); got != "accepted:yes to_transit:yes to_transit:yes outside:yes" {
		t.Error(got)
	}
	if got := w.after(2 * time.Minute); len(got) != 0 {
		t.Error(got)
	}
}

// The shapes of a bad policy put on an edge by hand are each told with router,
// session and count within ten seconds, and are over when they are over.
func TestBadPolicies(t *testing.T) {
	ps := prefixes(300)
	t.Run("the import policy drops", func(t *testing.T) {
		w, f := healthy(t, ps)
		w.take(f, withdrawn(t, speaker, bmp.InPostPolicy, ps[:120]))
		only(t, w.after(10*time.Second), Dropped, "ams1-v4", 120)
		if got := answers(w, ps[0]); !strings.HasPrefix(got, "accepted:no ") {
			t.Error(got)
		}
		w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps[:120]))
		if got := w.after(2 * time.Second); len(got) != 0 {
			t.Error("it is mended:", got)
		}
	})
	t.Run("the import policy attaches NO_EXPORT", func(t *testing.T) {
		w, f := healthy(t, ps)
		w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, []policy.Community{policy.NoExport}, ps))
		got := only(t, w.after(2*time.Second), NoExport, "ams1-v4", 300)
		if !slices.Equal(got.Marks, []string{"NO_EXPORT"}) || len(got.Examples) != shown {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the export policy withdraws", func(t *testing.T) {
		w, f := healthy(t, ps)
		w.take(f, withdrawn(t, upstream, bmp.OutPostPolicy, ps[:30]))
		only(t, w.after(10*time.Second), Lost, "transit-a", 30)
	})
	t.Run("22 January", func(t *testing.T) {
		w, f := healthy(t, ps)
		others := []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24"), netip.MustParsePrefix("8.8.4.0/24")}
		w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours, peering, 15169}, nil, others))
		got := only(t, w.after(2*time.Second), Leak, "transit-a", 2)
		if got.From != peering || got.Leak != policy.PeerToProvider {
			t.Errorf("%+v", got)
		}
		w.take(f, withdrawn(t, upstream, bmp.OutPostPolicy, others))
		if got := w.after(2 * time.Second); len(got) != 0 {
			t.Error("it is mended:", got)
		}
	})
	t.Run("what a customer of ours announces is no leak", func(t *testing.T) {
		w, f := healthy(t, ps)
		w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours, 64800}, nil, prefixes(310)[300:]))
		if got := w.after(20 * time.Second); len(got) != 0 {
			t.Error(got)
		}
	})
	t.Run("nothing ever came to transit", func(t *testing.T) {
		w := newWorld(t)
		w.send(ps)
		f := w.connect("ams1", speaker, upstream)
		w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps))
		w.end(f, speaker, bmp.InPostPolicy)
		w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours}, nil, ps[:1]))
		w.end(f, upstream, bmp.OutPostPolicy)
		if got := w.after(30 * time.Second); len(got) != 0 {
			t.Fatal(got)
		}
		only(t, w.after(patience), Absent, "transit-a", 299)
	})
}

// Where the edge does not tell what it sends, a router outside that has a
// session with it does.
func TestOutsideRouterTellsOfTheEdge(t *testing.T) {
	ps := prefixes(50)
	glass := bmp.Peer{Address: addr("10.9.9.9"), ASN: ours, RouterID: edgeID}
	begin := func(t *testing.T) (*world, *feed) {
		w, _ := healthy(t, ps)
		g := w.connect("glass", glass)
		w.take(g, monitor(t, glass, bmp.InPostPolicy, []uint32{ours}, nil, ps))
		w.end(g, glass, bmp.InPostPolicy)
		w.after(time.Second)
		return w, g
	}
	t.Run("NO_EXPORT", func(t *testing.T) {
		w, g := begin(t)
		w.take(g, monitor(t, glass, bmp.InPostPolicy, []uint32{ours}, []policy.Community{policy.NoExport}, ps))
		if got := only(t, w.after(2*time.Second), NoExport, "glass", 50); got.Witness != "glass" || got.Site != "ams" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("withdrawn", func(t *testing.T) {
		w, g := begin(t)
		w.take(g, withdrawn(t, glass, bmp.InPostPolicy, ps))
		only(t, w.after(10*time.Second), Lost, "glass", 50)
	})
	t.Run("leak", func(t *testing.T) {
		w, g := begin(t)
		w.take(g, monitor(t, glass, bmp.InPostPolicy, []uint32{ours, peering, 15169}, nil, []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}))
		only(t, w.after(2*time.Second), Leak, "glass", 1)
	})
	t.Run("a drained site is not lost", func(t *testing.T) {
		w, g := begin(t)
		w.send(ps[:10]) // we withdrew the rest
		w.take(g, withdrawn(t, glass, bmp.InPostPolicy, ps[10:]))
		if got := w.after(20 * time.Second); len(got) != 0 {
			t.Error(got)
		}
	})
}

// Missing data is unknown, never ok, and says since when. Nothing is told of
// what cannot be known, and what was told stays told.
func TestUnknown(t *testing.T) {
	ps := prefixes(40)
	t.Run("never connected", func(t *testing.T) {
		w := newWorld(t)
		w.send(ps)
		if got := w.after(time.Minute); len(got) != 0 || answers(w, ps[0]) != "accepted:unknown to_transit:unknown outside:unknown" {
			t.Error(got, answers(w, ps[0]))
		}
	})
	t.Run("the connection is closed", func(t *testing.T) {
		w, f := healthy(t, ps)
		w.take(f, withdrawn(t, speaker, bmp.InPostPolicy, ps[:5]))
		only(t, w.after(10*time.Second), Dropped, "ams1-v4", 5)
		f.disconnected(w.now, "closed")
		closed := w.now
		if got := only(t, w.after(10*time.Second), Dropped, "ams1-v4", 5); !got.Stale {
			t.Error("what cannot be asked is not said to be stale")
		}
		for _, s := range w.Sightings(ps[0], []string{"ams1-v4"}, w.now) {
			if s.Answer != Unknown || s.Why == "" || s.Stage == Accepted && !s.Since.Equal(closed) {
				t.Errorf("%+v", s)
			}
		}
	})
	t.Run("silent", func(t *testing.T) {
		w, f := healthy(t, ps)
		w.now = f.heard.Add(DefaultSilent)
		if got := answers(w, ps[0]); !strings.HasPrefix(got, "accepted:unknown to_transit:unknown") {
			t.Error(got)
		}
		if routers, _ := w.Routers(w.now); routers[0].Up || !routers[0].Since.Equal(f.heard) {
			t.Errorf("%+v", routers[0])
		}
		f.take(bmp.Message{Kind: bmp.Statistics}, w.now)
		if got := answers(w, ps[0]); !strings.HasPrefix(got, "accepted:yes to_transit:yes") {
			t.Error(got)
		}
	})
	t.Run("the table is not complete", func(t *testing.T) {
		w := newWorld(t)
		w.send(ps)
		f := w.connect("ams1", speaker)
		w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps[:3]))
		if got := w.after(time.Minute); len(got) != 0 || !strings.HasPrefix(answers(w, ps[0]), "accepted:yes") || !strings.HasPrefix(answers(w, ps[9]), "accepted:unknown") {
			t.Error(got, answers(w, ps[0]), answers(w, ps[9]))
		}
		w.end(f, speaker, bmp.InPostPolicy)
		only(t, w.after(10*time.Second), Dropped, "ams1-v4", 37)
	})
	t.Run("our session with the edge is down", func(t *testing.T) {
		w, f := healthy(t, ps)
		f.take(bmp.Message{Kind: bmp.PeerDown, Peer: speaker}, w.now)
		w.up = false
		if got := w.after(time.Minute); len(got) != 0 || !strings.HasPrefix(answers(w, ps[0]), "accepted:unknown") {
			t.Error(got, answers(w, ps[0]))
		}
		w.up = true
		w.peerUp(f, speaker)
		w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps[:39]))
		only(t, w.after(10*time.Second), Dropped, "ams1-v4", 1)
	})
	t.Run("a message that cannot be read", func(t *testing.T) {
		w, f := healthy(t, ps)
		f.take(bmp.Message{Kind: bmp.RouteMonitoring, Peer: speaker, View: bmp.InPostPolicy, Update: []byte{0, 9}}, w.now)
		w.take(f, withdrawn(t, speaker, bmp.InPostPolicy, ps[:5]))
		if got := w.after(time.Minute); len(got) != 0 || !strings.HasPrefix(answers(w, ps[0]), "accepted:unknown") || f.count.Malformed != 1 {
			t.Error(got, answers(w, ps[0]))
		}
	})
	t.Run("several paths per prefix", func(t *testing.T) {
		w := newWorld(t)
		f := w.connect("ams1")
		f.take(bmp.Message{Kind: bmp.PeerUp, Peer: speaker, Up: bmp.Up{AddPathIn: true, Families: wire.NewFamilySet(wire.IPv4Unicast)}}, w.now)
		if got := answers(w, ps[0]); !strings.HasPrefix(got, "accepted:unknown") {
			t.Error(got)
		}
	})
}

// A session of ours that goes and comes back makes nothing lost, as long as the
// routes come back too.
func TestOurSessionFlaps(t *testing.T) {
	ps := prefixes(30)
	w, f := healthy(t, ps)
	w.up = false
	w.take(f, withdrawn(t, upstream, bmp.OutPostPolicy, ps))
	w.take(f, withdrawn(t, speaker, bmp.InPostPolicy, ps))
	if got := w.after(30 * time.Second); len(got) != 0 {
		t.Fatal(got)
	}
	w.up = true
	w.Touch("ams1-v4")
	if got := w.after(2 * time.Second); len(got) != 0 {
		t.Fatal("on its way:", got)
	}
	w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps))
	only(t, w.after(10*time.Second), Lost, "transit-a", 30)
}

// While a router dumps its tables anew, what it had is unknown until it is
// confirmed; what is not confirmed was lost meanwhile.
func TestReconnect(t *testing.T) {
	ps := prefixes(60)
	w, f := healthy(t, ps)
	f.disconnected(w.now, "closed")
	w.after(10 * time.Second)
	w.connect("ams1", speaker, upstream)
	if got := answers(w, ps[0]); !strings.HasPrefix(got, "accepted:unknown to_transit:unknown") {
		t.Error(got)
	}
	w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps))
	w.end(f, speaker, bmp.InPostPolicy)
	w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours}, nil, ps[:50]))
	w.end(f, upstream, bmp.OutPostPolicy)
	only(t, w.after(10*time.Second), Lost, "transit-a", 10)
}

// What is wrong stays told while a router tells its tables anew, and since when
// it is, too.
func TestFindingsOutliveADump(t *testing.T) {
	ps := prefixes(40)
	w, f := healthy(t, ps)
	others := []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}
	wrong := func() {
		w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours, peering}, nil, others))
		w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, []policy.Community{policy.NoExport}, ps[:30]))
		w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours}, []policy.Community{policy.Blackhole}, ps[:20]))
	}
	told := func(all []Finding) string {
		var out []string
		for _, f := range all {
			out = append(out, fmt.Sprintf("%s %s %d %s", f.Kind, f.Session, f.Prefixes, f.Since.Format(time.TimeOnly)))
		}
		return strings.Join(out, "; ")
	}
	wrong()
	w.take(f, withdrawn(t, speaker, bmp.InPostPolicy, ps[35:]))
	before := told(w.after(20 * time.Second))
	if strings.Count(before, ";") != 3 {
		t.Fatal(before)
	}
	f.disconnected(w.now, "asked")
	if got := told(w.after(time.Second)); got != before {
		t.Errorf("disconnected: %s, before %s", got, before)
	}
	w.connect("ams1")
	if got := told(w.after(time.Second)); got != before {
		t.Errorf("connected: %s, before %s", got, before)
	}
	w.peerUp(f, speaker)
	w.peerUp(f, upstream)
	if got := told(w.after(time.Second)); got != before {
		t.Errorf("sessions: %s, before %s", got, before)
	}
	wrong()
	w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps[30:35]))
	w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours}, nil, ps[20:]))
	w.end(f, speaker, bmp.InPostPolicy)
	w.end(f, upstream, bmp.OutPostPolicy)
	if got := told(w.after(20 * time.Second)); got != before {
		t.Errorf("dumped: %s, before %s", got, before)
	}
	if slices.ContainsFunc(w.Findings(), func(f Finding) bool { return f.Stale }) {
		t.Error("they can be asked again")
	}
}

// A router that repeats itself may mean something else, and is asked for its
// tables once more, a large one less often.
func TestRepetition(t *testing.T) {
	ps := prefixes(20)
	for name, c := range map[string]struct {
		say  func(w *world) []bmp.Message
		want bool
	}{
		"a route that is there": {func(*world) []bmp.Message { return monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps[:1]) }, true},
		"one with another attribute": {func(*world) []bmp.Message {
			return monitor(t, speaker, bmp.InPostPolicy, nil, []policy.Community{7}, ps[:1])
		}, false},
		"a new one":     {func(*world) []bmp.Message { return monitor(t, speaker, bmp.InPostPolicy, nil, nil, prefixes(21)[20:]) }, false},
		"one that goes": {func(*world) []bmp.Message { return withdrawn(t, speaker, bmp.InPostPolicy, ps[:1]) }, false},
		"one that went": {func(*world) []bmp.Message {
			return append(withdrawn(t, speaker, bmp.InPostPolicy, ps[:1]), withdrawn(t, speaker, bmp.InPostPolicy, ps[:1])...)
		}, true},
		"one of others that was never there": {func(*world) []bmp.Message {
			return withdrawn(t, speaker, bmp.InPostPolicy, []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")})
		}, false},
		"one of ours that was never there": {func(w *world) []bmp.Message {
			w.send(prefixes(21))
			return withdrawn(t, speaker, bmp.InPostPolicy, prefixes(21)[20:])
		}, true},
	} {
		w, f := healthy(t, ps)
		w.take(f, c.say(w))
		w.after(time.Second)
		if f.mustDump(w.now.Add(time.Hour)) != c.want {
			t.Errorf("%s: a dump is asked for: %v", name, !c.want)
		}
		f.took = time.Minute
		if f.mustDump(f.began.Add(10 * time.Minute)) {
			t.Errorf("%s: a table that takes a minute is asked for after ten", name)
		}
	}
}

// A full table costs counters, not memory, and a router that sends more of ours
// than may be kept is unknown.
func TestBounded(t *testing.T) {
	w := newWorld(t)
	w.cfg.MaxRoutes = 100
	if err := w.Configure(w.cfg, w.now); err != nil {
		t.Fatal(err)
	}
	f := w.connect("ams1", speaker, upstream)
	for i := range 5000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
		w.take(f, monitor(t, upstream, bmp.InPostPolicy, []uint32{transit, 3356}, nil, []netip.Prefix{p}))
	}
	if f.kept != 0 || f.count.Ignored != 5000 {
		t.Errorf("a full table: %d kept, %d counted", f.kept, f.count.Ignored)
	}
	ps := prefixes(150)
	w.take(f, monitor(t, speaker, bmp.InPostPolicy, nil, nil, ps))
	w.end(f, speaker, bmp.InPostPolicy)
	if f.kept != 100 || !strings.HasPrefix(answers(w, ps[0]), "accepted:yes") || !strings.HasPrefix(answers(w, ps[149]), "accepted:unknown") {
		t.Errorf("%d kept, %s, %s", f.kept, answers(w, ps[0]), answers(w, ps[149]))
	}
	f.take(bmp.Message{Kind: bmp.PeerDown, Peer: speaker}, w.now)
	if f.kept != 0 {
		t.Errorf("%d kept of a session that is down", f.kept)
	}
	for i := range maxSessions + 50 {
		p := bmp.Peer{Address: netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})}
		w.peerUp(f, p)
	}
	if len(f.sessions) > maxSessions {
		t.Errorf("%d sessions", len(f.sessions))
	}
}

// The number that is kept is what is in the tables, whatever a router says.
func TestKeptIsWhatIsThere(t *testing.T) {
	ps := prefixes(80)
	w, f := healthy(t, ps)
	w.take(f, withdrawn(t, upstream, bmp.OutPostPolicy, ps[:20]))
	w.send(ps[10:])
	w.after(2 * memory)
	f.disconnected(w.now, "closed")
	w.connect("ams1", speaker, upstream)
	w.take(f, monitor(t, upstream, bmp.OutPostPolicy, []uint32{ours, peering}, nil, ps[:3]))
	w.end(f, upstream, bmp.OutPostPolicy)
	w.after(20 * time.Second)
	n := 0
	for _, s := range f.sessions {
		for _, one := range s.tables {
			n += len(one.routes)
		}
	}
	if n != f.kept || n == 0 {
		t.Errorf("%d in the tables, counted %d", n, f.kept)
	}
}

func TestCourse(t *testing.T) {
	c := compass{own: []uint32{ours, 65000}, roles: map[uint32]policy.Role{transit: policy.RoleCustomer, 64602: policy.RoleCustomer, peering: policy.RolePeer, 64800: policy.RoleProvider}}
	set := wire.ASPath{{Type: wire.ASSet, ASNs: []uint32{peering}}}
	for _, k := range []struct {
		name string
		got  course
		want course
	}{
		{"ours to transit", c.sent(wire.Sequence(ours), policy.RoleCustomer), course{keep: true}},
		{"a private AS of ours", c.sent(wire.Sequence(ours, 65000), policy.RoleCustomer), course{keep: true}},
		{"a peer's to transit", c.sent(wire.Sequence(ours, peering, 1), policy.RoleCustomer), course{true, policy.PeerToProvider, peering}},
		{"a transit's to transit", c.sent(wire.Sequence(ours, 64602), policy.RoleCustomer), course{true, policy.HairpinLeak, 64602}},
		{"a transit's to a peer", c.sent(wire.Sequence(ours, 64602), policy.RolePeer), course{true, policy.ProviderToPeer, 64602}},
		{"a transit's to a customer", c.sent(wire.Sequence(ours, 64602), policy.RoleProvider), course{from: 64602}},
		{"a customer's to transit", c.sent(wire.Sequence(ours, 64800), policy.RoleCustomer), course{keep: true}},
		{"of nobody that we know", c.sent(wire.Sequence(ours, 4242), policy.RoleCustomer), course{keep: true}},
		{"a set", c.sent(set, policy.RoleCustomer), course{keep: true}},
		{"not through us", c.seen(wire.Sequence(transit, 3356), 64999), course{}},
		{"ours", c.seen(wire.Sequence(transit, ours, ours), 64999), course{keep: true}},
		{"a peer's over us to transit", c.seen(wire.Sequence(transit, ours, peering), 64999), course{true, policy.PeerToProvider, peering}},
		{"as the transit sees it", c.seen(wire.Sequence(ours, peering), transit), course{true, policy.PeerToProvider, peering}},
		{"to somebody that we do not know", c.seen(wire.Sequence(ours, peering), 4242), course{keep: true}},
	} {
		if k.got != k.want {
			t.Errorf("%s: %+v, want %+v", k.name, k.got, k.want)
		}
	}
}
