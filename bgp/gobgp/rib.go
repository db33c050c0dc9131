package gobgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/policy"
)

// rib is GoBGP behind the session guard. It holds the union of all neighbors'
// prefixes, each as a path of ours with the role community "self" and no other
// attribute that matters: what a neighbor sees, the guard takes from the
// Target. GoBGP's own policy is role communities and default deny, constant
// from the start.
type rib struct {
	cfg    Config
	legs   []guard.Neighbor
	key    string
	port   uint16
	server *server.BgpServer
	path4  []*anypb.Any // the attributes of every path
	path6  []*anypb.Any

	mu     sync.Mutex
	loaded map[netip.Prefix]struct{}
	closed bool
}

// loopbackAt is where GoBGP listens for the guard.
var loopbackAt = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func newRIB(cfg Config, legs []guard.Neighbor, key string) (*rib, error) {
	r := &rib{cfg: cfg, legs: legs, key: key, loaded: map[netip.Prefix]struct{}{}}
	mark := policy.RoleCommunity(cfg.ASN, policy.FromSelf)
	// Never seen by a neighbor: addresses that lead nowhere (RFC 5737, RFC 6666).
	r.path4, r.path6 = ownPath("192.0.2.1", mark), ownPath("100::1", mark)
	r.server = server.NewBgpServer(server.LoggerOption(&logger{to: engineLog(cfg.Logger), seen: func(string, log.Fields) {}}))
	go r.server.Serve() // never returns in v3
	ctx := context.Background()
	var err error
	if r.port, err = listenPort([]netip.AddrPort{netip.AddrPortFrom(loopbackAt, 0)}); err != nil {
		return nil, fmt.Errorf("listen for the guard: %w", err)
	}
	err = r.server.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: cfg.ASN, RouterId: cfg.RouterID.String(), ListenPort: int32(r.port), ListenAddresses: []string{loopbackAt.String()},
	}})
	if err != nil {
		return nil, fmt.Errorf("start bgp: %w", err)
	}
	if err := r.loadPolicy(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("load policy: %w", err), r.server.StopBgp(ctx, &api.StopBgpRequest{}))
	}
	return r, nil
}

// engineLog keeps GoBGP's talk about its sessions with the guard apart.
func engineLog(l *slog.Logger) *slog.Logger { return l.With("part", "engine") }

func ownPath(nextHop string, mark policy.LargeCommunity) []*anypb.Any {
	var out []*anypb.Any
	for _, m := range []proto.Message{
		&api.OriginAttribute{Origin: 0}, &api.AsPathAttribute{}, &api.NextHopAttribute{NextHop: nextHop},
		&api.LargeCommunitiesAttribute{Communities: []*api.LargeCommunity{{GlobalAdmin: mark.Global, LocalData1: mark.Local1, LocalData2: mark.Local2}}},
	} {
		out = append(out, pack(m))
	}
	return out
}

// Names of the defined sets.
const (
	networkLeg = "legs-inside" // our own routers
	upLeg      = "legs-up"     // providers, peers, RSes
	downLeg    = "legs-down"   // customers and RS-clients
	ownMark    = "mark-own"
	innerMark  = "mark-inside"
	upMark     = "mark-up"
	upperMarks = "mark-up-or-inside"
)

// loadPolicy is the layer of role communities (RFC 8195 style marks, the rules
// of RFC 9234 section 3.1). The first statement rejects what was learned from a
// provider, a peer or an RS, or is meant for the inside, towards everybody but
// customers; what carries no mark meets the default, reject. GoBGP reads an
// empty set as "any", so a statement whose neighbors would be none is left out.
func (r *rib) loadPolicy(ctx context.Context) error {
	legs := map[string][]string{}
	for _, n := range r.legs {
		host := netip.PrefixFrom(n.Loopback, 32).String()
		switch {
		case n.Kind == policy.Edge || n.ASN == n.LocalASN:
			legs[networkLeg] = append(legs[networkLeg], host)
		case n.Role == policy.RoleProvider || n.Role == policy.RoleRS:
			legs[downLeg] = append(legs[downLeg], host)
		default:
			legs[upLeg] = append(legs[upLeg], host)
		}
	}
	for name, hosts := range legs {
		if err := r.server.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: &api.DefinedSet{
			DefinedType: api.DefinedType_NEIGHBOR, Name: name, List: hosts,
		}}); err != nil {
			return fmt.Errorf("neighbors %s: %w", name, err)
		}
	}
	for name, sources := range map[string]string{
		ownMark:    sourcePattern(policy.FromSelf, policy.FromCustomer),
		innerMark:  sourcePattern(policy.FromSelf, policy.FromInternal),
		upMark:     sourcePattern(policy.FromProvider, policy.FromPeer, policy.FromRS, policy.FromRSClient),
		upperMarks: sourcePattern(policy.FromProvider, policy.FromPeer, policy.FromRS, policy.FromRSClient, policy.FromInternal),
	} {
		if err := r.server.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: &api.DefinedSet{
			DefinedType: api.DefinedType_LARGE_COMMUNITY, Name: name,
			List: []string{fmt.Sprintf("^%d:%d:%s$", r.cfg.ASN, policy.RoleFunction, sources)},
		}}); err != nil {
			return fmt.Errorf("marks %s: %w", name, err)
		}
	}
	imports := &api.Policy{Name: importPolicy, Statements: []*api.Statement{{
		Name:       "local",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}}}
	if err := assign(ctx, r.server, imports, api.PolicyDirection_IMPORT); err != nil {
		return err
	}
	if r.cfg.off.Communities { // in tests only
		return r.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
			Name: globalTable, Direction: api.PolicyDirection_EXPORT, DefaultAction: api.RouteAction_ACCEPT,
		}})
	}
	exports := &api.Policy{Name: exportPolicy}
	for _, s := range []struct {
		name, to, mark string
		action         api.RouteAction
	}{
		{"safeguard", upLeg, upperMarks, api.RouteAction_REJECT},
		{"up", upLeg, ownMark, api.RouteAction_ACCEPT},
		{"inside", networkLeg, innerMark, api.RouteAction_ACCEPT},
		{"down", downLeg, ownMark, api.RouteAction_ACCEPT},
		{"down-learned", downLeg, upMark, api.RouteAction_ACCEPT},
	} {
		if len(legs[s.to]) == 0 {
			continue
		}
		when := &api.Conditions{LargeCommunitySet: &api.MatchSet{Type: api.MatchSet_ANY, Name: s.mark}}
		if len(legs[s.to]) < len(r.legs) { // GoBGP walks the set for every path and neighbor
			when.NeighborSet = &api.MatchSet{Type: api.MatchSet_ANY, Name: s.to}
		}
		exports.Statements = append(exports.Statements, &api.Statement{
			Name: s.name, Conditions: when, Actions: &api.Actions{RouteAction: s.action},
		})
	}
	return assign(ctx, r.server, exports, api.PolicyDirection_EXPORT)
}

func sourcePattern(sources ...policy.Source) string {
	out := "("
	for i, s := range sources {
		if i > 0 {
			out += "|"
		}
		out += fmt.Sprint(uint32(s))
	}
	return out + ")"
}

// Start implements guard.RIB: GoBGP takes the guard's connections, each with the
// key of this start.
func (r *rib) Start(ctx context.Context) error {
	for _, n := range r.legs {
		p := &api.Peer{
			Conf: &api.PeerConf{
				NeighborAddress: n.Loopback.String(), PeerAsn: n.ASN, LocalAsn: n.LocalASN, AuthPassword: r.key,
				AllowAspathLoopLocal: true,
			},
			Timers: &api.Timers{Config: &api.TimersConfig{
				ConnectRetry: 1, HoldTime: 300, KeepaliveInterval: 60, IdleHoldTimeAfterReset: 1,
			}},
			Transport: &api.Transport{PassiveMode: true, LocalAddress: loopbackAt.String()},
			// For its End-of-RIB alone: it tells the guard that the table is whole.
			GracefulRestart: &api.GracefulRestart{Enabled: true, RestartTime: 1},
		}
		for _, f := range n.Families {
			p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
				Config:            &api.AfiSafiConfig{Family: apiFamily(f), Enabled: true},
				MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: true}},
			})
		}
		if err := r.server.AddPeer(ctx, &api.AddPeerRequest{Peer: p}); err != nil {
			return fmt.Errorf("neighbor %q: %w", n.Name, err)
		}
	}
	return nil
}

func (r *rib) path(p netip.Prefix) *api.Path {
	attrs := r.path4
	if p.Addr().Is6() {
		attrs = r.path6
	}
	return &api.Path{
		Family: apiFamily(addressing.FamilyOf(p)),
		Nlri:   pack(&api.IPAddressPrefix{Prefix: p.Addr().String(), PrefixLen: uint32(p.Bits())}),
		Pattrs: attrs,
	}
}

// Change implements guard.RIB.
func (r *rib) Change(ctx context.Context, add, remove []netip.Prefix) error {
	for i, p := range add {
		if err := r.breathe(ctx, i); err != nil {
			return err
		}
		if r.has(p) {
			continue
		}
		if _, err := r.server.AddPath(ctx, &api.AddPathRequest{Path: r.path(p)}); err != nil {
			return fmt.Errorf("prefix %s: add path: %w", p, err)
		}
		r.mu.Lock()
		r.loaded[p] = struct{}{}
		r.mu.Unlock()
	}
	for i, p := range remove {
		if err := r.breathe(ctx, i); err != nil {
			return err
		}
		if !r.has(p) {
			continue
		}
		if err := r.server.DeletePath(ctx, &api.DeletePathRequest{Path: r.path(p)}); err != nil {
			return fmt.Errorf("prefix %s: delete path: %w", p, err)
		}
		r.mu.Lock()
		delete(r.loaded, p)
		r.mu.Unlock()
	}
	return nil
}

// breathe lets others have the processor between chunks, and ends an Apply
// whose context has ended.
func (r *rib) breathe(ctx context.Context, i int) error {
	if i%chunk != 0 {
		return nil
	}
	runtime.Gosched()
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return bgp.ErrClosed
	}
	return ctx.Err()
}

func (r *rib) has(p netip.Prefix) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, loaded := r.loaded[p]
	return loaded
}

// Restore implements guard.RIB. A path that is there is replaced by itself,
// which sends nothing.
func (r *rib) Restore(ctx context.Context, prefixes []netip.Prefix) error {
	for i, p := range prefixes {
		if err := r.breathe(ctx, i); err != nil {
			return err
		}
		if !r.has(p) {
			continue
		}
		if _, err := r.server.AddPath(ctx, &api.AddPathRequest{Path: r.path(p)}); err != nil {
			return fmt.Errorf("prefix %s: add path: %w", p, err)
		}
	}
	return nil
}

// Close implements guard.RIB. No neighbor is connected to GoBGP: stopping it
// tells nobody.
func (r *rib) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	stopped := make(chan error, 1)
	go func() { stopped <- r.server.StopBgp(context.Background(), &api.StopBgpRequest{}) }()
	select {
	case err := <-stopped:
		if err != nil {
			return fmt.Errorf("stop bgp: %w", err)
		}
		return nil
	case <-time.After(closeTimeout):
		return errors.New("GoBGP does not stop")
	}
}
