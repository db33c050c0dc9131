package edge_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

var start = time.Unix(1_800_000_000, 0)

func snapshot(t testing.TB, routes int) *snapshots.Snapshot {
	t.Helper()
	st := synthetic.State(3, min(routes, 20))
	for i := 20; i < routes; i++ {
		synthetic.Add(&st, i, synthetic.AccountID(1))
	}
	s, err := snapshots.Build(st, synthetic.Network(1), synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask is whether route i of n may be advertised at the sites.
func ready(f *edge.Fleet, s *snapshots.Snapshot, i int, at time.Time, sites ...string) (addressing.Sites, string) {
	for _, a := range s.Accounts {
		for _, r := range a.Routes {
			if r.CIDR == synthetic.CIDR(i) {
				return f.Ready(a.Account, r.CIDR, r.Services, addressing.AllSites(), sites, at)
			}
		}
	}
	return addressing.Sites{}, "no such route"
}

// fifty is 50 machines of one site that all have what is on the wire.
func fifty(t *testing.T, f *edge.Fleet, at time.Time) {
	t.Helper()
	for i := range 50 {
		feed, _, _, err := f.Ask(fmt.Sprintf("m%02d", i), "fra", at)
		if err != nil {
			t.Fatal(err)
		}
		acknowledge(t, f, i, feed.Generation, at)
	}
}

func acknowledge(t *testing.T, f *edge.Fleet, i int, generation uint64, at time.Time) {
	t.Helper()
	if _, _, err := f.Acknowledge(fmt.Sprintf("m%02d", i), "fra", generation, at); err != nil {
		t.Fatal(err)
	}
}

// HMD-05: of 50 machines 44 are not enough, 45 are.
func TestQuorum(t *testing.T) {
	old, next := snapshot(t, 20), snapshot(t, 21)
	moved := 0
	f := edge.New(edge.Settings{}, nil, start, func() { moved++ })
	f.Offer(old, old, start)
	fifty(t, f, start)
	f.Offer(old, next, start)
	feed, _, _, err := f.Ask("m00", "fra", start)
	if err != nil || len(feed.Items) != 21 {
		t.Fatalf("%d bindings offered, %v", len(feed.Items), err)
	}
	for i := range 44 {
		acknowledge(t, f, i, feed.Generation, start)
	}
	if s, why := ready(f, next, 20, start, "fra"); why == "" || len(s.Names) != 0 {
		t.Errorf("44 of 50 machines are a quorum: %+v", s)
	}
	if _, why := ready(f, next, 3, start, "fra"); why != "" {
		t.Errorf("what every machine has is not ready: %s", why)
	}
	acknowledge(t, f, 44, feed.Generation, start)
	if s, why := ready(f, next, 20, start, "fra"); why != "" || !s.All {
		t.Errorf("45 of 50 machines are none: %s", why)
	}
	if moved == 0 {
		t.Error("nobody was told that more may be ready")
	}
}

// A silent machine counts for 15 minutes; then it does not, and a site without
// any other is dark. Ready sites go on.
func TestSilentThenDark(t *testing.T) {
	old, next := snapshot(t, 20), snapshot(t, 21)
	f := edge.New(edge.Settings{}, nil, start, nil)
	f.Offer(old, next, start)
	if _, _, _, err := f.Ask("lonely", "ams", start); err != nil {
		t.Fatal(err)
	}
	at := start.Add(14 * time.Minute)
	fifty(t, f, at)
	if s, why := ready(f, next, 20, at, "ams", "fra", "lhr"); why == "" || !slices.Equal(s.Names, []string{"fra", "lhr"}) {
		t.Errorf("%+v, %q: want the sites with a quorum and the one without machines", s, why)
	}
	if why := f.Dark(at); why != "" {
		t.Errorf("silent for 14 minutes: %s", why)
	}
	at = start.Add(16 * time.Minute)
	if s, why := ready(f, next, 20, at, "ams", "fra"); why == "" || !slices.Equal(s.Names, []string{"fra"}) {
		t.Errorf("a dark site is ready: %+v", s)
	}
	if f.Dark(at) == "" {
		t.Error("one of two sites is dark and removals go on")
	}
}

func TestNoMachineIsAQuorum(t *testing.T) {
	f := edge.New(edge.Settings{}, nil, start, nil)
	next := snapshot(t, 5)
	f.Offer(nil, next, start)
	if s, why := ready(f, next, 4, start, "fra"); why != "" || !s.All {
		t.Errorf("%+v %s", s, why)
	}
	if why := f.Dark(start); why != "" {
		t.Error(why)
	}
}

// A machine that was there before a restart must be heard before it counts.
func TestRestartForgetsNobody(t *testing.T) {
	next := snapshot(t, 5)
	f := edge.New(edge.Settings{}, []edge.Machine{{Name: "m00", Site: "fra", Acked: 1 << 62}}, start, nil)
	f.Offer(nil, next, start)
	if _, why := ready(f, next, 4, start, "fra"); why == "" {
		t.Error("ready before the machine was heard")
	}
	feed, _, fresh, err := f.Ask("m00", "fra", start)
	if err != nil || fresh {
		t.Fatal(fresh, err)
	}
	acknowledge(t, f, 0, feed.Generation, start)
	if _, why := ready(f, next, 4, start, "fra"); why != "" {
		t.Error(why)
	}
	if _, _, err := f.Acknowledge("m00", "fra", feed.Generation+1, start); err == nil {
		t.Error("acknowledged what was never offered")
	}
}

// Withdraw, drain, unbind: a binding stays with the machines for the drain
// time after nothing wants it.
func TestDrainBeforeUnbind(t *testing.T) {
	old, next := snapshot(t, 21), snapshot(t, 20)
	f := edge.New(edge.Settings{Drain: time.Minute}, nil, start, nil)
	f.Offer(old, old, start)
	fifty(t, f, start)
	count := func(at time.Time) int {
		feed, _, _, err := f.Ask("m00", "fra", at)
		if err != nil {
			t.Fatal(err)
		}
		return len(feed.Items)
	}
	f.Offer(old, next, start) // still on the wire
	if n := count(start); n != 21 {
		t.Errorf("%d bindings while the route is on the wire", n)
	}
	f.Offer(next, next, start)
	if n := count(start.Add(59 * time.Second)); n != 21 {
		t.Errorf("%d bindings while it drains", n)
	}
	if n := count(start.Add(2 * time.Minute)); n != 20 {
		t.Errorf("%d bindings after the drain", n)
	}
}

func TestReadiness(t *testing.T) {
	alive := false
	next := snapshot(t, 5)
	settings := edge.Settings{Readiness: map[string]edge.Readiness{"CDN": edge.Probe, "spectrum": edge.None},
		Alive: func(service, site string, _ time.Time) bool { return alive && service == "CDN" && site == "fra" }}
	f := edge.New(settings, []edge.Machine{{Name: "m", Site: "fra"}}, start, nil)
	f.Offer(nil, next, start)
	at := func(service string) string {
		_, why := f.Ready("a", synthetic.CIDR(0), []string{service}, addressing.AllSites(), []string{"fra"}, start)
		return why
	}
	if at("cdn") == "" || at("spectrum") != "" {
		t.Errorf("probe %q, none %q", at("cdn"), at("spectrum"))
	}
	if alive = true; at("cdn") != "" {
		t.Error(at("cdn"))
	}
}

// More acknowledgements never make less ready, and a route is ready only where
// the quorum is.
func TestAcknowledgingIsMonotonous(t *testing.T) {
	old, next := snapshot(t, 20), snapshot(t, 21)
	rapid.Check(t, func(t *rapid.T) {
		quorum := rapid.Float64Range(0.1, 1).Draw(t, "quorum")
		n := rapid.IntRange(1, 30).Draw(t, "machines")
		f := edge.New(edge.Settings{Quorum: quorum}, nil, start, nil)
		f.Offer(old, next, start)
		feed := edge.Feed{}
		for i := range n {
			feed, _, _, _ = f.Ask(fmt.Sprintf("m%02d", i), "fra", start)
		}
		was := false
		for i := range n {
			_, why := ready(f, next, 20, start, "fra")
			now := why == ""
			if was && !now || now != (float64(i) >= quorum*float64(n)) {
				t.Fatalf("%d of %d with a quorum of %.2f: ready %v", i, n, quorum, now)
			}
			was = now
			if _, _, err := f.Acknowledge(fmt.Sprintf("m%02d", i), "fra", feed.Generation, start); err != nil {
				t.Fatal(err)
			}
		}
	})
}
