package gobgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Speaker is a bgp.Speaker. Make one with New; its methods may be called from
// any goroutine.
type Speaker struct {
	cfg       Config
	log       *slog.Logger
	server    *server.BgpServer
	neighbors []Neighbor                 // sorted by name; a neighbor's index is its place here
	policies  map[string]policy.Neighbor // by name
	byName    map[string]int
	byAddress map[netip.Addr]int
	port      uint16 // listened on; 0 is none

	poke chan struct{} // wakes tend
	stop context.CancelFunc
	done sync.WaitGroup

	applying sync.Mutex // one Apply at a time; taken before mu

	mu       sync.Mutex
	seen     bgp.Order
	applied  bool // a Target has been accepted
	started  bool
	closed   bool
	targets  [][]snapshots.TargetRoute // by neighbor index; what was asked for
	pending  []netip.Prefix            // sorted; accepted but not in GoBGP yet
	loaded   map[netip.Prefix]*class   // what is in GoBGP
	classes  map[string]*class
	counts   []counts // by neighbor index; of loaded
	sessions []session
}

// counts are routes per family.
type counts [2]int

func (c *counts) of(f addressing.Family) *int {
	if f == addressing.IPv6 {
		return &c[1]
	}
	return &c[0]
}

var _ bgp.Speaker = (*Speaker)(nil)

// New starts GoBGP with its policy and without a neighbor. A policy that does
// not load is an error, and so is an address that cannot be listened on: there
// is no half-started Speaker.
func New(cfg Config) (*Speaker, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("new speaker: %w", err)
	}
	s := newSpeaker(cfg)
	s.server = server.NewBgpServer(server.LoggerOption(&logger{to: s.log, seen: s.overhear}))
	go s.server.Serve() // never returns in v3
	if err := s.startBGP(context.Background()); err != nil {
		return nil, fmt.Errorf("new speaker: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if err := s.watch(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("new speaker: %w", err)
	}
	return s, nil
}

func newSpeaker(cfg Config) *Speaker {
	neighbors := slices.Clone(cfg.Neighbors)
	slices.SortFunc(neighbors, func(a, b Neighbor) int { return strings.Compare(a.Name, b.Name) })
	s := &Speaker{
		cfg: cfg, log: cfg.Logger, neighbors: neighbors,
		policies:  map[string]policy.Neighbor{},
		byName:    map[string]int{},
		byAddress: map[netip.Addr]int{},
		poke:      make(chan struct{}, 1),
		targets:   make([][]snapshots.TargetRoute, len(neighbors)),
		loaded:    map[netip.Prefix]*class{},
		classes:   map[string]*class{},
		counts:    make([]counts, len(neighbors)),
		sessions:  make([]session, len(neighbors)),
	}
	now := time.Now()
	for i, n := range neighbors {
		s.policies[n.Name], s.byName[n.Name], s.byAddress[n.Address] = n.Neighbor, i, i
		s.sessions[i] = session{state: bgp.Idle, since: now}
	}
	return s
}

// startBGP is in the order that keeps GoBGP's default, accept, from ever
// meeting a neighbor.
func (s *Speaker) startBGP(ctx context.Context) error {
	g := &api.Global{Asn: s.cfg.ASN, RouterId: s.cfg.RouterID.String(), ListenPort: -1}
	if len(s.cfg.Listen) > 0 {
		port, err := listenPort(s.cfg.Listen)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", s.cfg.Listen[0], err)
		}
		s.port, g.ListenPort = port, int32(port)
		for _, l := range s.cfg.Listen {
			g.ListenAddresses = append(g.ListenAddresses, l.Addr().String())
		}
	}
	if err := s.server.StartBgp(ctx, &api.StartBgpRequest{Global: g}); err != nil {
		return fmt.Errorf("start bgp: %w", err)
	}
	if err := loadPolicy(ctx, s.server, s.neighbors); err != nil {
		return errors.Join(fmt.Errorf("load policy: %w", err), s.server.StopBgp(ctx, &api.StopBgpRequest{}))
	}
	return nil
}

// listenPort is the configured port or, for 0, one that is free now.
func listenPort(listen []netip.AddrPort) (uint16, error) {
	if p := listen[0].Port(); p != 0 {
		return p, nil
	}
	l, err := net.Listen("tcp", listen[0].String())
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

// Port is the TCP port that is listened on, 0 for none.
func (s *Speaker) Port() uint16 { return s.port }

// Start adds the neighbors to GoBGP, which then dials and takes connections.
func (s *Speaker) Start(ctx context.Context) error {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return fmt.Errorf("start: %w", bgp.ErrClosed)
	case s.started:
		s.mu.Unlock()
		return errors.New("start: started before")
	}
	s.started = true
	s.mu.Unlock()
	for i := range s.neighbors {
		if err := s.addPeer(ctx, i, s.cfg.Restarting); err != nil {
			return fmt.Errorf("start: neighbor %q: %w", s.neighbors[i].Name, err)
		}
	}
	return nil
}

// addPeer gives GoBGP a neighbor. restarting sets the Restart and Forwarding
// State bits (RFC 4724 section 4.1).
func (s *Speaker) addPeer(ctx context.Context, index int, restarting bool) error {
	n := s.neighbors[index]
	restarting = restarting && n.GracefulRestart.Enabled
	s.mu.Lock()
	s.sessions[index].deferring = restarting
	s.mu.Unlock()
	return s.server.AddPeer(ctx, &api.AddPeerRequest{Peer: peerOf(n, s.cfg.Deferral, restarting)})
}

func peerOf(n Neighbor, deferral time.Duration, restarting bool) *api.Peer {
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: n.Address.String(), PeerAsn: n.ASN, LocalAsn: n.LocalASN, AuthPassword: n.MD5,
			// A customer's own prefix goes back to the customer if the Target says so.
			AllowAspathLoopLocal: true,
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			ConnectRetry: seconds(n.ConnectRetry), HoldTime: seconds(n.HoldTime), KeepaliveInterval: seconds(n.Keepalive),
			IdleHoldTimeAfterReset: 1,
		}},
		Transport: &api.Transport{PassiveMode: n.Passive, RemotePort: uint32(n.Port)},
	}
	if n.LocalAddress.IsValid() {
		p.Transport.LocalAddress = n.LocalAddress.String()
	}
	if n.TTLSecurity {
		p.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: 255}
	}
	if n.Multihop > 0 {
		p.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(n.Multihop)}
	}
	if n.GracefulRestart.Enabled {
		p.GracefulRestart = &api.GracefulRestart{
			Enabled: true, RestartTime: uint32(seconds(n.GracefulRestart.RestartTime)), DeferralTime: uint32(seconds(deferral)),
			NotificationEnabled: true, LocalRestarting: restarting,
		}
	}
	for _, f := range n.Families {
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: apiFamily(f), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: n.GracefulRestart.Enabled}},
		})
	}
	return p
}

// seconds rounds up: 0 would mean GoBGP's default.
func seconds(d time.Duration) uint64 { return uint64((d + time.Second - 1) / time.Second) }
