//go:build interop && linux

package guard

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	session "github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

func TestMain(m *testing.M) { lab.Main(m) }

const (
	ourASN, asFRR, asBIRD, asOpenBGPD = 64500, 64511, 65551, 64510
	coming                            = 30 * time.Second
)

var (
	routes4 = []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24"), netip.MustParsePrefix("9.9.9.0/24")}
	routes6 = []netip.Prefix{netip.MustParsePrefix("2620:fe::/48")}
	both    = []addressing.Family{addressing.IPv4, addressing.IPv6}
)

// roleNames as the daemons write them.
var roleNames = map[policy.Role][3]string{ // FRR, BIRD, OpenBGPD
	policy.RoleProvider: {"provider", "provider", "provider"},
	policy.RoleCustomer: {"customer", "customer", "customer"},
	policy.RolePeer:     {"peer", "peer", "peer"},
	policy.RoleRS:       {"rs-server", "rs_server", "rs"},
	policy.RoleRSClient: {"rs-client", "rs_client", "rs-client"},
}

// neighborOf is an eBGP neighbor with the next hops of our own addresses.
func neighborOf(l *lab.Lab, name string, address netip.Addr, asn uint32, role policy.Role) gobgp.Neighbor {
	return gobgp.Neighbor{
		Neighbor: policy.Neighbor{
			Name: name, Kind: policy.EBGP, Address: address, ASN: asn, LocalASN: ourASN, Role: role, Families: both,
			NextHop4: l.Addr4, NextHop6: l.Addr6,
		},
		HoldTime: 9 * time.Second, ConnectRetry: time.Second, GracefulRestart: gobgp.GracefulRestart{Enabled: true},
	}
}

// seen collects events.
type seen struct {
	mu     sync.Mutex
	events []bgp.Event
}

func (s *seen) add(e bgp.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *seen) whys(kind bgp.EventKind, name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.events {
		if e.Kind == kind && e.Neighbor == name {
			out = append(out, e.Why)
		}
	}
	return out
}

// start runs a guarded speaker that has routes4 and routes6 for everybody.
func start(t *testing.T, cfg gobgp.Config) *session.Guard {
	t.Helper()
	cfg.ASN, cfg.RouterID = ourASN, netip.MustParseAddr("10.99.0.200")
	level := slog.LevelError
	if os.Getenv("HOLDFAST_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	g, err := gobgp.NewGuarded(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := g.Apply(t.Context(), targetOf(cfg, 1)); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

func targetOf(cfg gobgp.Config, generation uint64) snapshots.Target {
	target := snapshots.Target{Epoch: 1, Generation: generation, Neighbors: map[string]snapshots.NeighborTarget{}}
	for _, n := range cfg.Neighbors {
		a4 := &snapshots.Attributes{ASPath: []uint32{ourASN}, NextHop: n.NextHop4}
		a6 := &snapshots.Attributes{ASPath: []uint32{ourASN}, NextHop: n.NextHop6}
		var routes []snapshots.TargetRoute
		for _, p := range routes4 {
			routes = append(routes, snapshots.TargetRoute{Prefix: p, Attrs: a4})
		}
		for _, p := range routes6 {
			routes = append(routes, snapshots.TargetRoute{Prefix: p, Attrs: a6})
		}
		target.Neighbors[n.Name] = snapshots.NeighborTarget{Routes: routes}
	}
	return target
}

// status of one neighbor.
func status(t *testing.T, g *session.Guard, name string) bgp.NeighborStatus {
	t.Helper()
	all, err := g.Neighbors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s bgp.NeighborStatus) bool { return s.Name == name })
	return all[i]
}

func established(t *testing.T, g *session.Guard, names ...string) error {
	t.Helper()
	var errs []error
	for _, name := range names {
		if s := status(t, g, name); s.State != bgp.Established {
			errs = append(errs, fmt.Errorf("%s is %s: %s", name, s.State, s.LastError))
		}
	}
	return errors.Join(errs...)
}
