package gobgp

import (
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
)

// TestSpeakerConforms runs GoBGP without the session guard, as the benchmarks
// do. It is no way to run a daemon: GoBGP clears the restart bits of all
// neighbors when the first of them has finished a restart, so neighbors whose
// sessions come up in that moment lose their routes for a while. The guard
// owns the bits; TestGuardedSpeakerConforms promises every case.
func TestSpeakerConforms(t *testing.T) {
	speakertest.Run(t, func(t *testing.T) *speakertest.Harness {
		h := newLab(t).harness()
		h.Except = map[string]string{
			"withdraws nothing in a restart":          "GoBGP alone clears the restart bits of every neighbor when one has finished",
			"says of each route what its target says": "GoBGP alone has one path for a prefix; the session guard lifts that",
		}
		return h
	})
}

// lab is a Speaker with real neighbors on loopback addresses.
type lab struct {
	cfg       Config
	speaker   *Speaker
	neighbors map[string]*neighbor.Neighbor
}

var loopback atomic.Uint32

// freshLoopback returns an address of 127/8 that no other test of this process uses.
func freshLoopback() netip.Addr {
	n := loopback.Add(1) + uint32(os.Getpid()%200)<<8
	return netip.AddrFrom4([4]byte{127, 77 + byte(n>>16), byte(n >> 8), byte(n)})
}

func testLogger() *slog.Logger {
	level := slog.LevelError
	if os.Getenv("HOLDFAST_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// newLab starts a Speaker and the suite's neighbors, which dial it.
func newLab(t testing.TB) *lab {
	t.Helper()
	return newLabWith(t, func(*Config) {})
}

func newLabWith(t testing.TB, change func(*Config)) *lab {
	t.Helper()
	local := freshLoopback()
	l := &lab{neighbors: map[string]*neighbor.Neighbor{}}
	l.cfg = Config{
		ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Listen: []netip.AddrPort{netip.AddrPortFrom(local, 0)},
		Logger: testLogger(), Deferral: 5 * time.Second,
	}
	for _, n := range speakertest.Neighbors() {
		n.Address = freshLoopback()
		l.cfg.Neighbors = append(l.cfg.Neighbors, Neighbor{Neighbor: n, Passive: true, GracefulRestart: GracefulRestart{Enabled: true}})
	}
	change(&l.cfg)
	l.speaker = l.newSpeaker(t)
	l.cfg.Listen[0] = netip.AddrPortFrom(local, l.speaker.Port())
	for i, n := range l.cfg.Neighbors {
		l.connect(t, n, byte(i+1))
	}
	return l
}

func (l *lab) newSpeaker(t testing.TB) *Speaker {
	t.Helper()
	s, err := New(l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connect starts the neighbor n, which dials the Speaker.
func (l *lab) connect(t testing.TB, n Neighbor, id byte) {
	t.Helper()
	peer, err := neighbor.New(neighbor.Config{
		ASN: n.ASN, RouterID: netip.AddrFrom4([4]byte{192, 0, 2, id}), Local: n.Address, Dial: l.cfg.Listen[0],
		PeerASN: n.LocalASN, Families: n.Families, GracefulRestart: true, MD5: n.MD5,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := peer.Close(); err != nil {
			t.Error(err)
		}
	})
	l.neighbors[n.Name] = peer
}

func (l *lab) harness() *speakertest.Harness {
	return &speakertest.Harness{
		Speaker: l.speaker,
		Table:   func(name string) speakertest.Table { return l.neighbors[name] },
		Inject:  func(t *testing.T, p netip.Prefix) { l.inject(t, p) },
		Drop:    func(name string) { l.neighbors[name].Drop() },
		Restart: func(t *testing.T) bgp.Speaker {
			if err := l.speaker.Close(); err != nil {
				t.Fatal(err)
			}
			l.cfg.Restarting = true
			l.speaker = l.newSpeaker(t)
			return l.speaker
		},
	}
}

// inject puts a path into GoBGP behind the Speaker's back.
func (l *lab) inject(t testing.TB, p netip.Prefix) {
	t.Helper()
	_, err := l.speaker.server.AddPath(t.Context(), &api.AddPathRequest{Path: &api.Path{
		Family: apiFamily(addressing.FamilyOf(p)),
		Nlri:   pack(&api.IPAddressPrefix{Prefix: p.Addr().String(), PrefixLen: uint32(p.Bits())}),
		Pattrs: []*anypb.Any{
			pack(&api.OriginAttribute{}), pack(&api.AsPathAttribute{}), pack(&api.NextHopAttribute{NextHop: "192.0.2.99"}),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
}
