package speakertest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Table is what one neighbor holds and has been told.
type Table interface {
	Routes() []neighbor.Route
	Counters() neighbor.Counters
	Opens() []neighbor.Open
}

// Harness is a Speaker that was not started yet and the neighbors around it,
// those of Neighbors. Whoever makes one cleans up after it with t.Cleanup.
type Harness struct {
	Speaker bgp.Speaker
	Table   func(name string) Table
	// Inject puts a route into the speaker behind its back.
	Inject func(t *testing.T, p netip.Prefix)
	// Restart closes the Speaker and returns the next one of the same
	// neighbors, not started, as after an earlier run.
	Restart func(t *testing.T) bgp.Speaker
	// Drop breaks the session as a cut TCP connection does.
	Drop func(name string)
	// Except names cases that this speaker does not promise, with the reason.
	// No speaker that the daemon runs may have one.
	Except map[string]string
}

// patience is how long a test waits for what must come; nothing is measured.
const patience = 30 * time.Second

// Run runs the suite.
func Run(t *testing.T, start func(t *testing.T) *Harness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *Harness)
	}{
		{"exports nothing without a target", testDefaultDeny},
		{"advertises exactly the set", testExactSet},
		{"sends nothing for the same target", testIdempotent},
		{"announces one route for one change", testOneChange},
		{"withdraws only what is removed", testRemoval},
		{"keeps what a neighbor not named has", testNotNamed},
		{"gives each neighbor its own set", testOwnSets},
		{"says of each route what its target says", testOwnAttributes},
		{"refuses what is no target", testRefusals},
		{"empties with a reason", testEmptyTarget},
		{"carries 6,500 routes", testManyRoutes},
		{"withdraws nothing in a restart", testRestart},
		{"withdraws nothing when a session breaks", testSessionBreak},
		{"leaves the routes when it closes", testClose},
		{"applies before and after start", testApplyAfterStart},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := start(t)
			if why := h.Except[c.name]; why != "" {
				t.Skipf("not promised: %s", why)
			}
			c.test(t, h)
		})
	}
}

func testDefaultDeny(t *testing.T, h *Harness) {
	h.start(t)
	h.Inject(t, netip.MustParsePrefix("198.51.100.0/24"))
	for _, n := range Neighbors() {
		if c := h.Table(n.Name).Counters(); c.Announced != 0 {
			t.Errorf("%s was sent %d routes without a target", n.Name, c.Announced)
		}
	}
	// What arrives after the marker would have arrived before it.
	h.apply(t, Target(1, Wants(1)))
	h.Inject(t, netip.MustParsePrefix("203.0.113.0/24"))
	h.apply(t, Target(2, Wants(2)))
	h.expect(t, Wants(2))
}

func testExactSet(t *testing.T, h *Harness) {
	wants := Wants(40)
	h.apply(t, Target(1, wants))
	h.start(t)
	h.expect(t, wants)
	h.expectStatus(t, wants)
}

func testIdempotent(t *testing.T, h *Harness) {
	wants := Wants(40)
	h.apply(t, Target(1, wants))
	h.start(t)
	h.expect(t, wants)
	before := h.counters()
	h.apply(t, Target(1, wants)) // equal values, other pointers
	h.apply(t, Target(2, wants))
	h.apply(t, Target(3, append(Wants(40), marker()))) // what the first two sent arrives before it
	h.expect(t, append(Wants(40), marker()))
	for name, was := range before {
		now := h.Table(name).Counters()
		if got := now.Updates - was.Updates; got != 1 {
			t.Errorf("%s: %d UPDATEs, want 1, the marker", name, got)
		}
	}
}

func testOneChange(t *testing.T, h *Harness) {
	wants := Wants(40)
	h.apply(t, Target(1, wants))
	h.start(t)
	h.expect(t, wants)
	before := h.counters()
	wants[4].Prepend = 3
	h.apply(t, Target(2, wants))
	h.expect(t, wants)
	h.expectChange(t, before, 1, 0)
}

func testRemoval(t *testing.T, h *Harness) {
	h.apply(t, Target(1, Wants(40)))
	h.start(t)
	h.expect(t, Wants(40))
	before := h.counters()
	keep := append(Wants(10), Wants(40)[14:]...) // 4 go, 3 of them IPv4
	h.apply(t, Target(2, keep))
	h.expect(t, keep)
	for name, was := range before {
		now, want := h.Table(name).Counters(), 4
		if name == Edge {
			want = 3
		}
		if got := now.Withdrawn - was.Withdrawn; got != want || now.Announced != was.Announced || now.Unknown != was.Unknown {
			t.Errorf("%s: %d withdrawn, %d announced, %d unknown; want %d, 0, 0", name, got, now.Announced-was.Announced, now.Unknown-was.Unknown, want)
		}
	}
}

func testNotNamed(t *testing.T, h *Harness) {
	h.apply(t, Target(1, Wants(20)))
	h.start(t)
	h.expect(t, Wants(20))
	target := Target(2, Wants(12))
	delete(target.Neighbors, Transit)
	h.apply(t, target)
	h.expectAt(t, Transit, Wants(20))
	h.expectAt(t, Peer, Wants(12))
	h.expectAt(t, Edge, Wants(12))
	if removed := h.Table(Transit).Counters().Removed(); removed != 0 {
		t.Errorf("%s was not named and lost %d routes", Transit, removed)
	}
}

func testOwnSets(t *testing.T, h *Harness) {
	target := Target(1, Wants(20))
	target.Neighbors[Peer] = snapshots.NeighborTarget{Routes: Routes(byName(Peer), Wants(7))}
	target.Neighbors[Edge] = snapshots.NeighborTarget{Routes: Routes(byName(Edge), Wants(20)[5:])}
	h.apply(t, target)
	h.start(t)
	h.expectAt(t, Transit, Wants(20))
	h.expectAt(t, Peer, Wants(7))
	h.expectAt(t, Edge, Wants(20)[5:])

	target = Target(2, Wants(20))
	target.Neighbors[Transit] = snapshots.NeighborTarget{Routes: Routes(byName(Transit), Wants(20)[3:])}
	h.apply(t, target)
	h.expectAt(t, Transit, Wants(20)[3:])
	h.expectAt(t, Peer, Wants(20))
	h.expectAt(t, Edge, Wants(20))
	if removed := h.Table(Peer).Counters().Removed() + h.Table(Edge).Counters().Removed(); removed != 0 {
		t.Errorf("neighbors that gained routes lost %d", removed)
	}
}

// testOwnAttributes: the same prefix with other attributes for every neighbor
// and every route, none of them from a neighbor's configuration; and a change of
// one of them is told to the one neighbor whose route it is.
func testOwnAttributes(t *testing.T, h *Harness) {
	target := Target(1, Wants(8))
	for at, n := range Neighbors() {
		routes := slices.Clone(target.Neighbors[n.Name].Routes)
		for i, r := range routes {
			routes[i].Attrs = ownAttributes(n, r, uint32(at+1), uint32(i))
		}
		target.Neighbors[n.Name] = snapshots.NeighborTarget{Routes: routes}
	}
	h.apply(t, target)
	h.start(t)
	h.expectTarget(t, target)
	for _, change := range []func(*snapshots.Attributes){
		func(a *snapshots.Attributes) { a.MED = number(4_000_000_000) },
		func(a *snapshots.Attributes) { a.MED = nil },
		func(a *snapshots.Attributes) { a.Communities = append(slices.Clone(a.Communities), policy.NoExport) },
		func(a *snapshots.Attributes) { a.LargeCommunities = nil },
		func(a *snapshots.Attributes) { a.ASPath = append([]uint32{ASN}, a.ASPath...) },
		func(a *snapshots.Attributes) { a.NextHop = a.NextHop.Next() },
	} {
		before := h.counters()
		routes := slices.Clone(target.Neighbors[Peer].Routes)
		changed := *routes[3].Attrs
		change(&changed)
		routes[3].Attrs = &changed
		target.Neighbors[Peer] = snapshots.NeighborTarget{Routes: routes}
		target.Generation++
		h.apply(t, target)
		h.expectTarget(t, target)
		for name, was := range before {
			announced := 0
			if name == Peer {
				announced = 1
			}
			now := h.Table(name).Counters()
			if a, w := now.Announced-was.Announced, now.Removed()-was.Removed(); a != announced || w != 0 {
				t.Errorf("%s: %d announced, %d removed; want %d, 0", name, a, w, announced)
			}
		}
	}
}

// ownAttributes are attributes that only the i-th route of the n-th neighbor has.
func ownAttributes(to policy.Neighbor, r snapshots.TargetRoute, n, i uint32) *snapshots.Attributes {
	a := &snapshots.Attributes{
		ASPath: slices.Clone(r.Attrs.ASPath), NextHop: netip.AddrFrom4([4]byte{198, 51, byte(n), byte(i + 1)}), MED: number(100*n + i),
		Communities:      []policy.Community{policy.Community(ASN<<16 | 10*n + i)},
		LargeCommunities: []policy.LargeCommunity{{Global: ASN, Local1: n, Local2: i}, {Global: ASN, Local1: n + 10, Local2: i}},
	}
	if r.Prefix.Addr().Is6() {
		a.NextHop = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 14: byte(n), 15: byte(i + 1)})
	}
	if to.ASN == to.LocalASN {
		a.LocalPref = number(1000*n + i)
	} else {
		a.ASPath = append(slices.Repeat([]uint32{ASN}, int(i%3)), a.ASPath...)
	}
	return a
}

func testRefusals(t *testing.T, h *Harness) {
	wants := Wants(20)
	h.apply(t, Target(5, wants))
	h.start(t)
	h.expect(t, wants)
	before := h.counters()
	for _, c := range refusals() {
		if err := h.Speaker.Apply(t.Context(), c.target); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	h.apply(t, Target(5, append(Wants(20), marker())))
	h.expect(t, append(Wants(20), marker()))
	h.expectChange(t, before, 1, 0)
}

type refusal struct {
	name   string
	target snapshots.Target
	want   error
}

func refusals() []refusal {
	with := func(name string, change func(*snapshots.TargetRoute)) snapshots.Target {
		target := Target(6, Wants(6))
		routes := target.Neighbors[name].Routes
		attrs := *routes[0].Attrs
		routes[0].Attrs = &attrs
		change(&routes[0])
		return target
	}
	unknown := Target(6, Wants(6))
	unknown.Neighbors["nobody"] = unknown.Neighbors[Transit]
	older := Target(9, Wants(1))
	older.Epoch = 0
	unsorted := Target(6, Wants(6))
	slices.Reverse(unsorted.Neighbors[Transit].Routes)
	repeated := Target(6, Wants(1))
	repeated.Neighbors[Transit] = snapshots.NeighborTarget{Routes: slices.Repeat(repeated.Neighbors[Transit].Routes, 2)}
	family := Target(6, Wants(6))
	family.Neighbors[Edge] = family.Neighbors[Transit]
	all := []string{Transit, Peer, Edge}
	return []refusal{
		{"older generation", Target(4, Wants(1)), bgp.ErrOlder},
		{"older epoch", older, bgp.ErrOlder},
		{"zero target", snapshots.Target{}, bgp.ErrOlder},
		{"no neighbor", snapshots.Target{Epoch: 1, Generation: 6}, bgp.ErrEmpty},
		{"no route", snapshots.EmptyTarget(1, 6, all, ""), bgp.ErrEmpty},
		{"unknown neighbor", unknown, bgp.ErrUnknownNeighbor},
		{"not sorted", unsorted, bgp.ErrRoute},
		{"repeated", repeated, bgp.ErrRoute},
		{"family not carried", family, bgp.ErrRoute},
		{"zero prefix", with(Transit, func(r *snapshots.TargetRoute) { r.Prefix = netip.Prefix{} }), bgp.ErrRoute},
		{"host bits", with(Transit, func(r *snapshots.TargetRoute) { r.Prefix = netip.MustParsePrefix("10.0.0.1/8") }), bgp.ErrRoute},
		{"no attributes", with(Peer, func(r *snapshots.TargetRoute) { r.Attrs = nil }), bgp.ErrRoute},
		{"no next hop", with(Peer, func(r *snapshots.TargetRoute) { r.Attrs.NextHop = netip.Addr{} }), bgp.ErrRoute},
		{"next hop of the other family", with(Peer, func(r *snapshots.TargetRoute) { r.Attrs.NextHop = netip.MustParseAddr("2001:db8::1") }), bgp.ErrRoute},
		{"AS path not ours", with(Peer, func(r *snapshots.TargetRoute) { r.Attrs.ASPath = []uint32{64999, ASN} }), bgp.ErrRoute},
		{"AS path empty", with(Transit, func(r *snapshots.TargetRoute) { r.Attrs.ASPath = nil }), bgp.ErrRoute},
		{"AS 0", with(Transit, func(r *snapshots.TargetRoute) { r.Attrs.ASPath = []uint32{ASN, 0} }), bgp.ErrRoute},
	}
}

func testEmptyTarget(t *testing.T, h *Harness) {
	h.apply(t, Target(1, Wants(8)))
	h.start(t)
	h.expect(t, Wants(8))
	h.apply(t, snapshots.EmptyTarget(1, 2, []string{Transit, Edge}, "test"))
	h.expectAt(t, Transit, nil)
	h.expectAt(t, Edge, nil)
	h.expectAt(t, Peer, Wants(8))
}

func testManyRoutes(t *testing.T, h *Harness) {
	h.apply(t, Target(1, Wants(6500)))
	h.start(t)
	h.expect(t, Wants(6500))
	h.apply(t, Target(2, Wants(5400)))
	h.expect(t, Wants(5400))
	h.apply(t, Target(3, Wants(6500)))
	h.expect(t, Wants(6500))
}

func testRestart(t *testing.T, h *Harness) {
	wants := Wants(200)
	h.apply(t, Target(1, wants))
	h.start(t)
	h.expect(t, wants)
	for _, n := range Neighbors() {
		if o := h.Table(n.Name).Opens()[0]; o.Restarting || len(o.Forwarding) != 0 {
			t.Errorf("%s: restart bits on the very first start: %+v", n.Name, o)
		}
	}
	h.Speaker = h.Restart(t)
	h.apply(t, Target(1, wants))
	h.start(t)
	h.expect(t, wants)
	h.expectNothingLost(t)
}

func testSessionBreak(t *testing.T, h *Harness) {
	wants := Wants(50)
	h.apply(t, Target(1, wants))
	h.start(t)
	h.expect(t, wants)
	h.Drop(Transit)
	eventually(t, "the session is back", func() bool { return len(h.Table(Transit).Opens()) > 1 })
	h.expect(t, wants)
	if c := h.Table(Transit).Counters(); c.Removed() != 0 {
		t.Errorf("the break cost %d routes", c.Removed())
	}
}

func testClose(t *testing.T, h *Harness) {
	h.apply(t, Target(1, Wants(30)))
	h.start(t)
	h.expect(t, Wants(30))
	if err := h.Speaker.Close(); err != nil {
		t.Fatal(err)
	}
	for _, n := range Neighbors() {
		table := h.Table(n.Name)
		eventually(t, "the session is down", func() bool { return table.Counters().SessionsDown == 1 })
		if c := table.Counters(); c.Removed() != 0 || c.Notifications != 0 {
			t.Errorf("%s: %d routes lost, %d notifications", n.Name, c.Removed(), c.Notifications)
		}
		if got, want := len(table.Routes()), len(Routes(n, Wants(30))); got != want {
			t.Errorf("%s holds %d routes, want %d", n.Name, got, want)
		}
	}
	if err := h.Speaker.Apply(t.Context(), Target(2, Wants(30))); !errors.Is(err, bgp.ErrClosed) {
		t.Errorf("apply after close: %v", err)
	}
	if err := h.Speaker.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func testApplyAfterStart(t *testing.T, h *Harness) {
	h.start(t)
	h.apply(t, Target(1, Wants(10)))
	h.expect(t, Wants(10))
	if err := h.Speaker.Start(t.Context()); err == nil {
		t.Error("a second start was accepted")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// An Apply that broke off leaves nothing half done once it is repeated.
	if err := h.Speaker.Apply(ended, Target(2, Wants(3000))); !errors.Is(err, context.Canceled) {
		t.Errorf("apply with an ended context: %v", err)
	}
	h.apply(t, Target(2, Wants(3000)))
	h.expect(t, Wants(3000))
	h.expectStatus(t, Wants(3000))
}

func marker() Want { return Want{Prefix: netip.MustParsePrefix("99.99.99.0/24")} }

func byName(name string) policy.Neighbor {
	for _, n := range Neighbors() {
		if n.Name == name {
			return n
		}
	}
	panic("speakertest: no neighbor " + name)
}

func (h *Harness) apply(t *testing.T, target snapshots.Target) {
	t.Helper()
	if err := h.Speaker.Apply(t.Context(), target); err != nil {
		t.Fatal(err)
	}
}

// start starts the Speaker and waits for every session.
func (h *Harness) start(t *testing.T) {
	t.Helper()
	if err := h.Speaker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every session is established", func() bool {
		status, err := h.Speaker.Neighbors(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		up := 0
		for _, n := range status {
			if n.State == bgp.Established {
				up++
			}
		}
		return up == len(Neighbors())
	})
}

func (h *Harness) counters() map[string]neighbor.Counters {
	out := map[string]neighbor.Counters{}
	for _, n := range Neighbors() {
		out[n.Name] = h.Table(n.Name).Counters()
	}
	return out
}

// expect waits until every neighbor holds exactly the wants.
func (h *Harness) expect(t *testing.T, wants []Want) {
	t.Helper()
	for _, n := range Neighbors() {
		h.expectAt(t, n.Name, wants)
	}
}

func (h *Harness) expectAt(t *testing.T, name string, wants []Want) {
	t.Helper()
	h.expectRoutes(t, name, Routes(byName(name), wants))
}

// expectTarget waits until every neighbor holds what the target names.
func (h *Harness) expectTarget(t *testing.T, target snapshots.Target) {
	t.Helper()
	for name, n := range target.Neighbors {
		h.expectRoutes(t, name, n.Routes)
	}
}

func (h *Harness) expectRoutes(t *testing.T, name string, want []snapshots.TargetRoute) {
	t.Helper()
	diff := ""
	eventuallyOr(t, func() bool {
		diff = difference(h.Table(name).Routes(), want)
		return diff == ""
	}, func() { t.Fatalf("%s does not hold the target: %s", name, diff) })
}

func (h *Harness) expectChange(t *testing.T, before map[string]neighbor.Counters, announced, withdrawn int) {
	t.Helper()
	for name, was := range before {
		now := h.Table(name).Counters()
		if a, w := now.Announced-was.Announced, now.Removed()-was.Removed(); a != announced || w != withdrawn {
			t.Errorf("%s: %d announced, %d withdrawn; want %d, %d", name, a, w, announced, withdrawn)
		}
	}
}

// expectStatus wants Neighbors and Routes to tell what the neighbors hold.
func (h *Harness) expectStatus(t *testing.T, wants []Want) {
	t.Helper()
	status, err := h.Speaker.Neighbors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(status, func(a, b bgp.NeighborStatus) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("neighbors are not sorted by name")
	}
	for _, st := range status {
		want := Routes(byName(st.Name), wants)
		count := map[addressing.Family]int{}
		for _, r := range want {
			count[addressing.FamilyOf(r.Prefix)]++
		}
		for _, f := range st.Families {
			if st.Advertised[f] != count[f] || st.Target[f] != count[f] {
				t.Errorf("%s %s: advertised %d, target %d, want %d", st.Name, f, st.Advertised[f], st.Target[f], count[f])
			}
		}
		routes, err := h.Speaker.Routes(t.Context(), st.Name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := difference(asHeld(routes), want); diff != "" {
			t.Errorf("%s: routes: %s", st.Name, diff)
		}
	}
	if _, err := h.Speaker.Routes(t.Context(), "nobody"); !errors.Is(err, bgp.ErrUnknownNeighbor) {
		t.Errorf("routes of nobody: %v", err)
	}
}

// expectNothingLost wants the restart to be invisible but for the OPEN.
func (h *Harness) expectNothingLost(t *testing.T) {
	t.Helper()
	for _, n := range Neighbors() {
		opens := h.Table(n.Name).Opens()
		last := opens[len(opens)-1]
		if len(opens) < 2 || !last.Restarting || len(last.Forwarding) < len(n.Families) {
			t.Errorf("%s: restart bits are missing in %+v", n.Name, last)
		}
		if c := h.Table(n.Name).Counters(); c.Removed() != 0 || c.Notifications != 0 {
			t.Errorf("%s: the restart cost %d routes and sent %d notifications", n.Name, c.Removed(), c.Notifications)
		}
	}
}

func asHeld(routes []snapshots.TargetRoute) []neighbor.Route {
	out := make([]neighbor.Route, len(routes))
	for i, r := range routes {
		out[i] = neighbor.Route{Prefix: r.Prefix, Attrs: &neighbor.Attributes{Attributes: *r.Attrs}}
	}
	return out
}

// difference describes the first difference, or is empty.
func difference(held []neighbor.Route, want []snapshots.TargetRoute) string {
	for i := range min(len(held), len(want)) {
		switch h, w := held[i], want[i]; {
		case h.Prefix != w.Prefix:
			return fmt.Sprintf("prefix %v instead of %v", h.Prefix, w.Prefix)
		case h.Stale:
			return fmt.Sprintf("%v is stale", h.Prefix)
		case !Same(*h.Attrs, neighbor.Attributes{Attributes: *w.Attrs}):
			return fmt.Sprintf("%v has %+v, want %+v", h.Prefix, *h.Attrs, *w.Attrs)
		}
	}
	if len(held) != len(want) {
		return fmt.Sprintf("%d routes instead of %d", len(held), len(want))
	}
	return ""
}

// Same reports whether two sets of attributes mean the same on the wire. OTC is
// left out: a Target does not say it, and whether it is there is up to the roles
// (RFC 9234 section 5), which not every Speaker has.
func Same(a, b neighbor.Attributes) bool {
	return a.Origin == b.Origin && slices.Equal(withoutOTC(a.Others), withoutOTC(b.Others)) && bgp.SameAttributes(&a.Attributes, &b.Attributes)
}

func withoutOTC(types []uint8) []uint8 {
	const otc = 35
	return slices.DeleteFunc(slices.Clone(types), func(t uint8) bool { return t == otc })
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	eventuallyOr(t, done, func() { t.Fatalf("waited %s in vain: %s", patience, what) })
}

func eventuallyOr(t *testing.T, done func() bool, failed func()) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			failed()
			return
		}
	}
}
