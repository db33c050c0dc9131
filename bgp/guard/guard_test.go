package guard

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// stubRIB is an engine that takes everything and is connected to nobody.
type stubRIB struct{ added, removed []netip.Prefix }

func (*stubRIB) Connect(context.Context, Leg) error { return nil }
func (r *stubRIB) Change(_ context.Context, add, remove []netip.Prefix) error {
	r.added, r.removed = append(r.added, add...), append(r.removed, remove...)
	return nil
}
func (*stubRIB) Restore(context.Context, []netip.Prefix) error { return nil }
func (*stubRIB) Close() error                                  { return nil }

// newStubbed is a guard on the stub engine with two passive neighbors.
func newStubbed(t *testing.T, change func(*Config)) (*Guard, *stubRIB, *strings.Builder) {
	t.Helper()
	both := addressing.Families()
	neighbor := func(name string, last byte) Neighbor {
		return Neighbor{Neighbor: policy.Neighbor{
			Name: name, Kind: policy.EBGP, Address: netip.AddrFrom4([4]byte{127, 88, 0, last}), ASN: 64510, LocalASN: 64500,
			Role: policy.RoleCustomer, Families: both[:],
		}, Passive: true}
	}
	rib, log := &stubRIB{}, &strings.Builder{}
	cfg := Config{
		ASN: 64500, RouterID: netip.MustParseAddr("192.0.2.200"), RIB: rib, Engine: netip.MustParseAddrPort("127.0.0.1:1"),
		Neighbors: []Neighbor{neighbor("a", 1), neighbor("b", 2)}, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
	change(&cfg)
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g, rib, log
}

func targetOf(generation uint64, at map[string][]int) snapshots.Target {
	attrs := &snapshots.Attributes{ASPath: []uint32{64500}, NextHop: netip.MustParseAddr("192.0.2.1")}
	t := snapshots.Target{Epoch: 1, Generation: generation, Empty: "a test", Neighbors: map[string]snapshots.NeighborTarget{}}
	for name, numbers := range at {
		var routes []snapshots.TargetRoute
		for _, i := range numbers {
			routes = append(routes, snapshots.TargetRoute{Prefix: numbered(i), Attrs: attrs})
		}
		t.Neighbors[name] = snapshots.NeighborTarget{Routes: routes}
	}
	return t
}

func numbered(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
}

// The engine holds the union: a prefix is removed with its last Target, added
// with its first, and counted once.
func TestEngineHoldsTheUnion(t *testing.T) {
	g, rib, _ := newStubbed(t, func(*Config) {})
	for i, c := range []struct {
		at             map[string][]int
		added, removed []int
		union          int
	}{
		{map[string][]int{"a": {1, 2, 3}, "b": {3, 4}}, []int{1, 2, 3, 4}, nil, 4},
		{map[string][]int{"a": {2, 3}}, nil, []int{1}, 3},
		{map[string][]int{"a": {2}}, []int{3}, nil, 3}, // b has it still: put again, which sends nothing
		{map[string][]int{"b": {4}}, nil, []int{3}, 2},
		{map[string][]int{"a": {}, "b": {}}, nil, []int{2, 4}, 0},
	} {
		rib.added, rib.removed = nil, nil
		if err := g.Apply(t.Context(), targetOf(uint64(i+1), c.at)); err != nil {
			t.Fatal(err)
		}
		want := func(numbers []int) (out []netip.Prefix) {
			for _, n := range numbers {
				out = append(out, numbered(n))
			}
			return out
		}
		if !slices.Equal(rib.added, want(c.added)) || !slices.Equal(rib.removed, want(c.removed)) || g.size() != c.union {
			t.Errorf("step %d: added %v, removed %v, union %d; want %v, %v, %d", i, rib.added, rib.removed, g.size(), c.added, c.removed, c.union)
		}
	}
}

// Attributes that leave no room for a prefix are refused before anything is
// changed, not found out on a session.
func TestApplyRefusesAttributesThatDoNotFit(t *testing.T) {
	g, rib, _ := newStubbed(t, func(*Config) {})
	target := targetOf(1, map[string][]int{"a": {1}})
	for n := range 400 { // 12 octets each
		a := target.Neighbors["a"].Routes[0].Attrs
		a.LargeCommunities = append(a.LargeCommunities, policy.LargeCommunity{Global: 64500, Local2: uint32(n)})
	}
	if err := g.Apply(t.Context(), target); err == nil || !strings.Contains(err.Error(), "10.0.1.0/24") || len(rib.added) > 0 {
		t.Errorf("%v, added %v", err, rib.added)
	}
}

// After a restart a neighbor that was told routes may not connect without a
// Target: its session would promise nothing and the routes would go. With one
// that names less, what will go is said.
func TestRestartWaitsForATarget(t *testing.T) {
	dir := t.TempDir()
	var gr groups
	for i := range 3 {
		gr.add(set(t, 1), numbered(i))
	}
	raw, err := gr.encode(nil, wire.Encoding{}, &sent{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range addressing.Families() {
		raw = wire.AppendEndOfRIB(raw, wire.FamilyOf(f))
	}
	writeKept(t, dir, "a", raw)
	g, _, log := newStubbed(t, func(c *Config) { c.Restarting, c.StateDir = true, dir })
	told := g.told()
	a, b := g.who.Load().byName["a"], g.who.Load().byName["b"]
	if g.ready(a, told["a"]) || !g.ready(b, told["b"]) {
		t.Error("a was told routes and has no Target, b was told none")
	}
	if err := g.Apply(t.Context(), targetOf(1, map[string][]int{"a": {0, 1}})); err != nil {
		t.Fatal(err)
	}
	if !g.ready(a, told["a"]) || !strings.Contains(log.String(), "first=10.0.2.0/24") {
		t.Errorf("a has a Target now; the log is %s", log)
	}
	first, _, _ := newStubbed(t, func(c *Config) { c.StateDir = dir })
	if len(first.told()) != 0 {
		t.Error("a first start has told nobody anything")
	}
}

// A leg carries everybody with the same role, and nobody else; who may send has
// one of its own.
func TestLegs(t *testing.T) {
	both := addressing.Families()
	of := func(kind policy.NeighborKind, asn uint32, role policy.Role, receive policy.Receive) Leg {
		return legOf(&Neighbor{
			Neighbor: policy.Neighbor{Name: "n", Kind: kind, ASN: asn, LocalASN: 64500, Role: role, Families: both[:], Receive: receive},
			Loopback: LegNetwork(role).Addr().Next().Next(),
		}, 64500)
	}
	seen := map[netip.Addr]string{}
	for _, role := range policy.Roles() {
		l := of(policy.EBGP, 64510, role, "")
		if other := of(policy.EBGP, 64999, role, ""); other.Loopback != l.Loopback || other.ASN != l.ASN {
			t.Errorf("%s: two neighbors, two legs", role)
		}
		if l.ASN == l.LocalASN || l.Role != role || seen[l.Loopback] != "" || !LegNetwork(role).Contains(l.Loopback) {
			t.Errorf("%s: %+v, shared with %q", role, l, seen[l.Loopback])
		}
		seen[l.Loopback] = l.Name
		if own := of(policy.EBGP, 64510, role, policy.ReceiveControl); own.Loopback == l.Loopback || own.ASN != 64510 || !LegNetwork(role).Contains(own.Loopback) {
			t.Errorf("%s: a neighbor that may send has %+v", role, own)
		}
	}
	for _, l := range []Leg{of(policy.Edge, 64510, policy.NoRole, ""), of(policy.Edge, 64500, policy.NoRole, ""), of(policy.EBGP, 64500, policy.RolePeer, "")} {
		if l.ASN != 64500 || l.Role != policy.NoRole || seen[l.Loopback] != "" {
			t.Errorf("inside: %+v", l)
		}
	}
	if legASN(4294967294) == 4294967294 {
		t.Error("the leg's AS is ours")
	}
}

// A change that the engine refuses halfway is not forgotten by the next one.
func TestApplyGoesOnAfterAnError(t *testing.T) {
	broken := &brokenRIB{}
	g, _, _ := newStubbed(t, func(c *Config) { c.RIB = broken })
	broken.fails = true
	if err := g.Apply(t.Context(), targetOf(1, map[string][]int{"a": {1, 2}})); err == nil {
		t.Fatal("the engine refused, and Apply did not say so")
	}
	if got := g.who.Load().byName["a"].table.target; got != nil {
		t.Error("the neighbor has a Target that the engine has not taken")
	}
	broken.fails = false
	if err := g.Apply(t.Context(), targetOf(1, map[string][]int{"a": {2, 3}})); err != nil {
		t.Fatal(err)
	}
	// 1 may have reached the engine: it is taken out again.
	if !slices.Equal(broken.added, []netip.Prefix{numbered(2), numbered(3)}) || !slices.Equal(broken.removed, []netip.Prefix{numbered(1)}) || g.size() != 2 {
		t.Errorf("added %v, removed %v, union %d", broken.added, broken.removed, g.size())
	}
}

type brokenRIB struct {
	stubRIB
	fails bool
}

func (r *brokenRIB) Change(ctx context.Context, add, remove []netip.Prefix) error {
	if r.fails {
		return bgp.ErrClosed
	}
	return r.stubRIB.Change(ctx, add, remove)
}

// Close comes back although the engine hangs in the middle of a change.
func TestCloseDoesNotWaitForAnEngineThatHangs(t *testing.T) {
	t.Parallel()
	hang := &hangingRIB{held: make(chan struct{}), free: make(chan struct{})}
	g, _, _ := newStubbed(t, func(c *Config) { c.RIB = hang })
	done := make(chan error, 1)
	go func() { done <- g.Apply(context.Background(), targetOf(1, map[string][]int{"a": {1}})) }()
	<-hang.held
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	close(hang.free)
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("Apply never ended")
	}
}

type hangingRIB struct {
	stubRIB
	held, free chan struct{}
}

func (r *hangingRIB) Change(_ context.Context, add, _ []netip.Prefix) error {
	if len(add) > 0 {
		close(r.held)
		<-r.free
	}
	return nil
}
