package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// wireOf counts what a neighbor would be told.
type wireOf struct {
	mu        sync.Mutex
	held      map[netip.Prefix]bool
	withdrawn []netip.Prefix
}

// Apply implements rollout.Applier.
func (w *wireOf) Apply(_ context.Context, t snapshots.Target) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := map[netip.Prefix]bool{}
	for _, r := range t.Neighbors["transit-a"].Routes {
		now[r.Prefix] = true
	}
	for p := range w.held {
		if !now[p] {
			w.withdrawn = append(w.withdrawn, p)
		}
	}
	w.held = now
	return nil
}

func (w *wireOf) count() (held, withdrawn int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.held), len(w.withdrawn)
}

// small is a daemon's parts around a real store, a real breaker and a wire that
// only counts.
type small struct {
	*desk
	daemon *daemon
	b      *breaker.Breaker
	wire   *wireOf
}

func newSmall(t *testing.T, limits breaker.Limits) *small {
	dir := dataDir(t.TempDir())
	if err := os.Mkdir(dir.journal(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := breaker.Init(dir.journal(), time.Now()); err != nil {
		t.Fatal(err)
	}
	b, err := breaker.OpenDir(dir.journal(), breaker.Options{Limits: limits, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	root := dir.snapshots()
	if err := snapshots.Init(root, snapshots.Options{Environment: "test"}); err != nil {
		t.Fatal(err)
	}
	store, err := snapshots.Open(root, snapshots.Options{Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	var runner *rollout.Runner
	g := gate.New(b, func() (*snapshots.Snapshot, snapshots.Head) { l := runner.Active(); return l.Snapshot, l.Head })
	n := &small{desk: newDesk(t), b: b, wire: &wireOf{}}
	d := &daemon{cfg: &config.Config{Environment: "test"}, log: slog.New(slog.DiscardHandler), dir: dir, store: store, breaker: b, gate: g}
	n.daemon = d
	n.registry = addressing.NewRegistry(n.store, g, addressing.Options{Entropy: rand.Reader, AllowSpecial: true, Grace: time.Hour, Notify: d.committed})
	d.registry.Store(n.registry)
	d.evidence = newEvidence(d)
	d.notices = &notices{evidence: d.evidence, file: dir.notices()}
	them := policy.Neighbor{Name: "transit-a", Kind: policy.EBGP, Site: "default", Address: netip.MustParseAddr("192.0.2.2"), ASN: 64510, LocalASN: 64500, Role: policy.RoleCustomer,
		Families: []addressing.Family{addressing.IPv4}, NextHop4: netip.MustParseAddr("192.0.2.1")}
	runner, err = rollout.New(rollout.Config{Environment: "test", Store: store, Applier: n.wire, Gate: g, Explain: g.Explain, Held: d.heldRoutes,
		Network: snapshots.NetworkPart{ASN: 64500, Sites: []string{"default"}, Neighbors: []policy.Neighbor{them}}})
	n.must(err)
	d.pipeline = pipeline{runner}
	_, err = runner.Boot(t.Context())
	n.must(err)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = runner.Run(running) }()
	t.Cleanup(func() { stop(); <-ended })
	runner.AttachDesired(n.registry)
	return n
}

// holds waits until the neighbor holds so many routes.
func (n *small) holds(want int) {
	n.t.Helper()
	held, _ := n.wire.count()
	for end := time.Now().Add(10 * time.Second); held != want; held, _ = n.wire.count() {
		if time.Now().After(end) {
			n.t.Fatalf("the neighbor holds %d routes, want %d: %+v", held, want, n.daemon.pipeline.Status().LastRefusal)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
