package gobgp

import (
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/policy"
)

// TestGuardedSpeakerConforms: GoBGP behind the session guard is a Speaker like
// any other.
func TestGuardedSpeakerConforms(t *testing.T) {
	speakertest.Run(t, func(t *testing.T) *speakertest.Harness { return newGuardLab(t, nil).harness() })
}

// guardLab is a guarded Speaker with the suite's neighbors, which dial it.
type guardLab struct {
	*lab
	guard *guard.Guard
	rib   *rib
}

func newGuardLab(t testing.TB, change func(*Config)) *guardLab {
	t.Helper()
	local := freshLoopback()
	l := &guardLab{lab: &lab{neighbors: map[string]*neighbor.Neighbor{}}}
	l.cfg = Config{
		ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Listen: []netip.AddrPort{netip.AddrPortFrom(local, 0)},
		Logger: testLogger(),
	}
	for _, n := range speakertest.Neighbors() {
		n.Address = freshLoopback()
		l.cfg.Neighbors = append(l.cfg.Neighbors, Neighbor{Neighbor: n, Passive: true, GracefulRestart: GracefulRestart{Enabled: true}})
	}
	if change != nil {
		change(&l.cfg)
	}
	l.restart(t)
	l.cfg.Listen[0] = netip.AddrPortFrom(local, l.guard.Port())
	for i, n := range l.cfg.Neighbors {
		l.connect(t, n, byte(i+1))
	}
	return l
}

// restart makes a new guarded Speaker of the same configuration.
func (l *guardLab) restart(t testing.TB) {
	t.Helper()
	var err error
	if l.guard, l.rib, err = newGuarded(l.cfg); err != nil {
		t.Fatal(err)
	}
	g := l.guard
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

// tally is what was counted at a neighbor.
func (l *guardLab) tally(t testing.TB, name string) *bgp.Tally {
	t.Helper()
	all, err := l.guard.Neighbors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		if n.Name == name {
			return n.Tally
		}
	}
	t.Fatalf("no neighbor %s", name)
	return nil
}

func (l *guardLab) harness() *speakertest.Harness {
	return &speakertest.Harness{
		Speaker: l.guard,
		Table:   func(name string) speakertest.Table { return l.neighbors[name] },
		Inject: func(t *testing.T, p netip.Prefix) {
			l.inject(t, p, nil, policy.RoleCommunity(speakertest.ASN, policy.FromSelf))
		},
		Drop: func(name string) { l.neighbors[name].Drop() },
		Restart: func(t *testing.T) bgp.Speaker {
			if err := l.guard.Close(); err != nil {
				t.Fatal(err)
			}
			l.cfg.Restarting = true
			l.restart(t)
			return l.guard
		},
	}
}

// inject puts a path into GoBGP behind the guard's back, as if it had been
// learned and marked.
func (l *guardLab) inject(t testing.TB, p netip.Prefix, path []uint32, marks ...policy.LargeCommunity) {
	t.Helper()
	nextHop := "192.0.2.99"
	if p.Addr().Is6() {
		nextHop = "2001:db8::99"
	}
	large := &api.LargeCommunitiesAttribute{}
	for _, m := range marks {
		large.Communities = append(large.Communities, &api.LargeCommunity{GlobalAdmin: m.Global, LocalData1: m.Local1, LocalData2: m.Local2})
	}
	attrs := []*anypb.Any{
		pack(&api.OriginAttribute{}), pack(&api.AsPathAttribute{Segments: segments(path)}), pack(&api.NextHopAttribute{NextHop: nextHop}),
	}
	if len(marks) > 0 {
		attrs = append(attrs, pack(large))
	}
	l.addPath(t, p, attrs)
}

func (l *guardLab) addPath(t testing.TB, p netip.Prefix, attrs []*anypb.Any) {
	t.Helper()
	_, err := l.rib.server.AddPath(t.Context(), &api.AddPathRequest{Path: &api.Path{
		Family: apiFamily(addressing.FamilyOf(p)),
		Nlri:   pack(&api.IPAddressPrefix{Prefix: p.Addr().String(), PrefixLen: uint32(p.Bits())}),
		Pattrs: attrs,
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// deleteBehind takes a path out of GoBGP without telling anybody.
func (r *rib) deleteBehind(t testing.TB, p netip.Prefix) error {
	return r.server.DeletePath(t.Context(), &api.DeletePathRequest{Path: r.path(p)})
}
