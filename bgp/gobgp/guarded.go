package gobgp

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/policy"
)

// NewGuarded starts GoBGP behind the session guard: no neighbor ever talks to
// GoBGP itself. Listen, the neighbors and their transports are the guard's;
// GoBGP listens on a random port of the loopback address, with a TCP-MD5 key
// that is made here and kept nowhere.
func NewGuarded(cfg Config) (*guard.Guard, error) {
	g, _, err := newGuarded(cfg)
	if err != nil {
		return nil, fmt.Errorf("new speaker: %w", err)
	}
	return g, nil
}

func newGuarded(cfg Config) (*guard.Guard, *rib, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	if err := cfg.off.Check(); err != nil {
		return nil, nil, err
	}
	neighbors := make([]guard.Neighbor, len(cfg.Neighbors))
	for i, n := range cfg.Neighbors {
		neighbors[i] = guardNeighbor(i, n)
	}
	key := rand.Text()
	r, err := newRIB(cfg, key)
	if err != nil {
		return nil, nil, err
	}
	g, err := guard.New(guard.Config{
		ASN: cfg.ASN, RouterID: cfg.RouterID, Listen: cfg.Listen, Neighbors: neighbors, Restarting: cfg.Restarting,
		RIB: r, Engine: netip.AddrPortFrom(loopbackAt, r.port), Key: key, StateDir: cfg.StateDir,
		Logger: cfg.Logger, Events: cfg.Events, Off: cfg.off,
	})
	if err != nil {
		if stop := r.Close(); stop != nil {
			cfg.Logger.Error("engine", "error", stop)
		}
		return nil, nil, err
	}
	return g, r, nil
}

// Configure makes the neighbors of cfg those of a speaker that NewGuarded made;
// the rest of cfg is that speaker's. See guard.Guard.Configure.
func Configure(ctx context.Context, g *guard.Guard, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	neighbors := make([]guard.Neighbor, len(cfg.Neighbors))
	for i, n := range cfg.Neighbors {
		neighbors[i] = guardNeighbor(i, n)
	}
	return g.Configure(ctx, neighbors)
}

// guardNeighbor is a neighbor as the guard wants it. One that may send routes
// gets a loopback address of its own: GoBGP tells its sessions apart by it.
func guardNeighbor(index int, n Neighbor) guard.Neighbor {
	out := guard.Neighbor{
		Neighbor: n.Neighbor,
		Port:     n.Port, LocalAddress: n.LocalAddress, MD5: n.MD5, Passive: n.Passive,
		TTLSecurity: n.TTLSecurity, Multihop: n.Multihop, HoldTime: n.HoldTime, Keepalive: n.Keepalive,
		ConnectRetry: n.ConnectRetry, StrictRole: n.StrictRole, MaxPrefixes: n.MaxPrefixes, LinkLocal: n.LinkLocal, Accept: n.Accept,
	}
	if n.GracefulRestart.Enabled {
		out.RestartTime, out.StaleTime = n.GracefulRestart.RestartTime, n.GracefulRestart.StaleTime
	}
	if n.Kind == "" {
		out.Kind = policy.EBGP
	}
	if n.Receive == policy.ReceiveControl {
		at := guard.LegNetwork(n.Role).Addr().As4()
		at[2], at[3] = byte((index+2)>>8), byte(index+2) // 1 is the shared leg's
		out.Loopback = netip.AddrFrom4(at)
	}
	return out
}
