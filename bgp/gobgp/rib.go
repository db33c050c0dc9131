package gobgp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// rib is GoBGP behind the session guard. It holds the union of all neighbors'
// prefixes, each as a path of ours with the role community "self" and no other
// attribute that matters: what a neighbor sees, the guard takes from the
// Target. GoBGP's own policy is role communities and default deny, constant
// from the start.
type rib struct {
	cfg    Config
	key    string
	port   uint16
	server *server.BgpServer
	path4  [][]byte // the attributes of every path, as on the wire
	path6  [][]byte
	closed atomic.Bool
}

// loopbackAt is where GoBGP listens for the guard.
var loopbackAt = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func newRIB(cfg Config, key string) (*rib, error) {
	r := &rib{cfg: cfg, key: key}
	mark := policy.RoleCommunity(cfg.ASN, policy.FromSelf)
	// Never seen by a neighbor: addresses that lead nowhere (RFC 5737, RFC 6666).
	r.path4, r.path6 = ownPath(netip.MustParseAddr("192.0.2.1"), mark), ownPath(netip.MustParseAddr("100::1"), mark)
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
	if cfg.off.Communities { // in tests only: there is no policy then
		return r, nil
	}
	if err := r.vet(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("vet policy: %w", err), r.server.StopBgp(ctx, &api.StopBgpRequest{}))
	}
	return r, nil
}

// engineLog keeps GoBGP's talk about its sessions with the guard apart.
func engineLog(l *slog.Logger) *slog.Logger { return l.With("part", "engine") }

// ownPath is ORIGIN, an empty AS_PATH, NEXT_HOP and the mark. GoBGP reads
// attributes from their encoding faster than from messages of its API.
func ownPath(nextHop netip.Addr, mark policy.LargeCommunity) [][]byte {
	large := []byte{0xc0, byte(wire.AttrLargeCommunities), 12}
	for _, part := range []uint32{mark.Global, mark.Local1, mark.Local2} {
		large = binary.BigEndian.AppendUint32(large, part)
	}
	hop := nextHop.AsSlice()
	return [][]byte{
		{0x40, byte(wire.AttrOrigin), 1, byte(wire.OriginIGP)},
		{0x40, byte(wire.AttrASPath), 0},
		append([]byte{0x40, byte(wire.AttrNextHop), byte(len(hop))}, hop...),
		large,
	}
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
// empty set as "any": here each has every address that such a leg can have, so
// that none is empty and the policy never changes.
func (r *rib) loadPolicy(ctx context.Context) error {
	legs := map[string][]string{networkLeg: {guard.LegNetwork(policy.NoRole).String()}}
	for _, role := range policy.Roles() {
		name := upLeg
		if role == policy.RoleProvider || role == policy.RoleRS {
			name = downLeg
		}
		legs[name] = append(legs[name], guard.LegNetwork(role).String())
	}
	for name, networks := range legs {
		if err := r.server.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: &api.DefinedSet{
			DefinedType: api.DefinedType_NEIGHBOR, Name: name, List: networks,
		}}); err != nil {
			return fmt.Errorf("legs %s: %w", name, err)
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
		exports.Statements = append(exports.Statements, &api.Statement{
			Name: s.name,
			Conditions: &api.Conditions{
				NeighborSet:       &api.MatchSet{Type: api.MatchSet_ANY, Name: s.to},
				LargeCommunitySet: &api.MatchSet{Type: api.MatchSet_ANY, Name: s.mark},
			},
			Actions: &api.Actions{RouteAction: s.action},
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

// Connect implements guard.RIB: GoBGP takes the guard's connection, with the key
// of this start.
func (r *rib) Connect(ctx context.Context, l guard.Leg) error {
	p := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: l.Loopback.String(), PeerAsn: l.ASN, LocalAsn: l.LocalASN, AuthPassword: r.key,
			AllowAspathLoopLocal: true,
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			ConnectRetry: 1, HoldTime: 300, KeepaliveInterval: 60, IdleHoldTimeAfterReset: 1,
		}},
		Transport: &api.Transport{PassiveMode: true, LocalAddress: loopbackAt.String()},
		// For its End-of-RIB alone: it tells the guard that the table is whole.
		GracefulRestart: &api.GracefulRestart{Enabled: true, RestartTime: 1},
	}
	for _, f := range l.Families {
		p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: apiFamily(f), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: true}},
		})
	}
	if err := r.server.AddPeer(ctx, &api.AddPeerRequest{Peer: p}); err != nil {
		return fmt.Errorf("add peer %s: %w", l.Loopback, err)
	}
	return nil
}

// path is the path of ours for p.
func (r *rib) path(p netip.Prefix) *api.Path {
	attrs, family := r.path4, ipv4
	if p.Addr().Is6() {
		attrs, family = r.path6, ipv6
	}
	return &api.Path{Family: family, NlriBinary: wire.AppendPrefix(nil, p), PattrsBinary: attrs}
}

// The families as GoBGP names them; never written to.
var ipv4, ipv6 = apiFamily(addressing.IPv4), apiFamily(addressing.IPv6)

// Change implements guard.RIB. A path that is there already is replaced by
// itself, which sends nothing.
func (r *rib) Change(ctx context.Context, add, remove []netip.Prefix) error {
	if err := r.add(ctx, add); err != nil {
		return err
	}
	return r.each(ctx, remove, func(p netip.Prefix) error {
		if err := r.server.DeletePath(ctx, &api.DeletePathRequest{Path: r.path(p)}); err != nil {
			return fmt.Errorf("prefix %s: delete path: %w", p, err)
		}
		return nil
	})
}

func (r *rib) add(ctx context.Context, prefixes []netip.Prefix) error {
	return r.each(ctx, prefixes, func(p netip.Prefix) error {
		if _, err := r.server.AddPath(ctx, &api.AddPathRequest{Path: r.path(p)}); err != nil {
			return fmt.Errorf("prefix %s: add path: %w", p, err)
		}
		return nil
	})
}

// callers is how many paths are on their way to GoBGP at a time. Each is an
// operation of its own in its main loop; with more than one waiting the loop
// does not fall asleep in between.
const callers = 4

// each calls f for every prefix, in order but for a few places, and stops at
// the first error and when the context ends.
func (r *rib) each(ctx context.Context, prefixes []netip.Prefix, f func(netip.Prefix) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(callers, len(prefixes)) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(prefixes) {
					return nil
				}
				if err := r.breathe(ctx, i); err != nil {
					return err
				}
				if err := f(prefixes[i]); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// breathe lets others have the processor between chunks, and ends an Apply
// whose context has ended.
func (r *rib) breathe(ctx context.Context, i int) error {
	if r.closed.Load() {
		return bgp.ErrClosed
	}
	if i%chunk != 0 {
		return nil
	}
	runtime.Gosched()
	return ctx.Err()
}

// Restore implements guard.RIB.
func (r *rib) Restore(ctx context.Context, prefixes []netip.Prefix) error {
	return r.add(ctx, prefixes)
}

// drainTimeout bounds the wait for GoBGP to notice that the guard has gone.
const drainTimeout = time.Second

// drain waits until GoBGP has read to the end of the connections that the guard
// has closed: its stop resets what a goroutine that still receives reads.
func (r *rib) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	for {
		if up, err := established(ctx, r.server); err != nil || up == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Close implements guard.RIB. No neighbor is connected to GoBGP: stopping it
// tells nobody.
func (r *rib) Close() error {
	r.closed.Store(true)
	r.drain()
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
