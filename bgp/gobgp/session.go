package gobgp

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/log"

	"github.com/holdfast-bgp/holdfast/bgp"
)

// session is what is known of one neighbor's session.
type session struct {
	state     bgp.SessionState
	since     time.Time
	routerID  netip.Addr
	lastError string
	// deferring: a restarting session that has not sent its table yet (RFC 4724
	// section 4.1).
	deferring bool
	wasUp     bool
}

// sends reports whether the neighbor has the table, or is getting it.
func (se *session) sends() bool { return se.state == bgp.Established && !se.deferring }

func (s *Speaker) sends(index int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[index].sends()
}

const tendInterval = time.Second

// watch follows the sessions until ctx ends.
func (s *Speaker) watch(ctx context.Context) error {
	err := s.server.WatchEvent(ctx, &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}, func(r *api.WatchEventResponse) {
		if p := r.GetPeer().GetPeer(); p != nil && ctx.Err() == nil {
			s.observe(p)
		}
	})
	if err != nil {
		return fmt.Errorf("watch sessions: %w", err)
	}
	s.done.Add(1)
	go s.tend(ctx)
	return nil
}

var states = map[api.PeerState_SessionState]bgp.SessionState{
	api.PeerState_IDLE: bgp.Idle, api.PeerState_CONNECT: bgp.Connect, api.PeerState_ACTIVE: bgp.Active,
	api.PeerState_OPENSENT: bgp.OpenSent, api.PeerState_OPENCONFIRM: bgp.OpenConfirm, api.PeerState_ESTABLISHED: bgp.Established,
}

// observe notes a change of a session's state and tells about ups and downs.
func (s *Speaker) observe(p *api.Peer) {
	address, err := netip.ParseAddr(p.GetState().GetNeighborAddress())
	index, known := s.byAddress[address]
	state := states[p.GetState().GetSessionState()]
	if err != nil || !known || state == "" {
		return
	}
	s.mu.Lock()
	se := &s.sessions[index]
	before := se.state
	if before == state {
		s.mu.Unlock()
		return
	}
	se.state, se.since = state, time.Now()
	e := bgp.Event{Neighbor: s.neighbors[index].Name, At: se.since, Epoch: s.seen.Epoch, Generation: s.seen.Generation}
	switch {
	case state == bgp.Established:
		e.Kind, se.wasUp = bgp.SessionUp, true
		se.routerID, _ = netip.ParseAddr(p.GetState().GetRouterId())
		time.AfterFunc(s.cfg.Deferral, s.wake)
	case before == bgp.Established:
		e.Kind, e.Why, se.routerID = bgp.SessionDown, se.lastError, netip.Addr{}
		s.wake()
	}
	s.mu.Unlock()
	if e.Kind != "" {
		s.cfg.Events(e)
	}
}

// overhear takes from GoBGP's log what its API does not tell: why a session
// went down, and that a restart has finished, which clears the restart bits of
// every neighbor.
func (s *Speaker) overhear(msg string, fields log.Fields) {
	switch msg {
	case "Peer Down":
		address, err := netip.ParseAddr(fmt.Sprint(fields["Key"]))
		if index, known := s.byAddress[address]; err == nil && known {
			s.mu.Lock()
			s.sessions[index].lastError = fmt.Sprint(fields["Reason"])
			s.mu.Unlock()
		}
	case "sync finished":
		s.wake()
	}
}

// wake makes tend look now.
func (s *Speaker) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// tend compares what GoBGP says of the neighbors with what should be. It is the
// only one that waits for GoBGP's main loop to do so.
func (s *Speaker) tend(ctx context.Context) {
	defer s.done.Done()
	tick := time.NewTicker(tendInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
		case <-tick.C:
		}
		s.look(ctx)
	}
}

func (s *Speaker) look(ctx context.Context) {
	var again []int
	err := s.server.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
		if index, needs := s.compare(p); needs {
			again = append(again, index)
		}
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("list neighbors", "error", err)
	}
	for _, index := range again {
		if ctx.Err() == nil {
			s.rearm(ctx, index)
		}
	}
}

// compare updates a session from GoBGP's view and reports whether its next OPEN
// would lack the restart bits it should have. Only a neighbor without a
// connection is touched: a session in any other state may be up in a moment.
func (s *Speaker) compare(p *api.Peer) (index int, needsBits bool) {
	address, err := netip.ParseAddr(p.GetState().GetNeighborAddress())
	index, known := s.byAddress[address]
	if err != nil || !known {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	se := &s.sessions[index]
	restarting := p.GetGracefulRestart().GetLocalRestarting()
	se.deferring = restarting
	state := states[p.GetState().GetSessionState()]
	should := s.neighbors[index].GracefulRestart.Enabled && s.applied && (s.cfg.Restarting || se.wasUp)
	return index, should && !restarting && (state == bgp.Idle || state == bgp.Active)
}

// rearm takes a neighbor that is down out of GoBGP and puts it back with the
// restart bits: RFC 4724 section 4.2 makes the other side drop our routes when
// a session comes back without the Forwarding State bit.
func (s *Speaker) rearm(ctx context.Context, index int) {
	n := s.neighbors[index]
	if err := s.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: n.Address.String()}); err != nil {
		s.log.Error("restart bits: take the neighbor out", "neighbor", n.Name, "error", err)
		return
	}
	if err := s.addPeer(ctx, index, true); err != nil {
		s.log.Error("restart bits: put the neighbor back", "neighbor", n.Name, "error", err)
	}
}
