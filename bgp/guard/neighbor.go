package guard

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// neighbor is one neighbor's supervisor: it dials, takes what the listener
// accepted, decides which connection lives, and keeps the status.
type neighbor struct {
	Neighbor
	guard *Guard
	log   *slog.Logger
	table *table
	leg   *leg
	count tally
	file  file    // its Adj-RIB-Out as kept
	said  signals // by a neighbor with Receive control
	ctx   context.Context
	stop  context.CancelFunc
	shown atomic.Pointer[policy.Neighbor] // as the configuration has it now
	once  sync.Once                       // of begin
	poked chan struct{}                   // wakes the writer of the session
	again chan struct{}                   // wakes the dialer

	mu          sync.Mutex
	admitted    bool // neighbors may connect
	shut        bool // and yet this one may not: it is shut down
	connections map[*connection]struct{}
	up          *connection // established
	dialing     bool
	wasUp       bool
	failures    int // OPENs refused in a row
	status      status
}

// status is what is told of the session.
type status struct {
	state     bgp.SessionState
	since     time.Time
	lastError string
	role      policy.Role
	routerID  netip.Addr
	survival  bgp.Survival // of the last session
}

// connection is one TCP connection with the neighbor.
type connection struct {
	net.Conn
	inbound bool
	phase   wire.Phase
	lost    bool   // a collision: somebody else closes it
	why     string // it was closed on purpose
	broken  bool   // because our own side is
}

func newNeighbor(g *Guard, n Neighbor) *neighbor {
	out := &neighbor{
		Neighbor: n, guard: g, log: g.log.With("neighbor", n.Name), leg: g.legOf(&n),
		poked: make(chan struct{}, 1), again: make(chan struct{}, 1),
		connections: map[*connection]struct{}{},
		status:      status{state: bgp.Idle, since: time.Now()},
	}
	out.table = newTable(&out.leg.offers)
	out.shown.Store(&out.Neighbor.Neighbor)
	out.ctx, out.stop = context.WithCancel(g.ctx)
	out.leg.join(out)
	return out
}

func (n *neighbor) wake() { poke(n.poked) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (n *neighbor) emit(e bgp.Event) {
	e.Neighbor, e.At = n.Name, time.Now()
	if e.Epoch == 0 && e.Generation == 0 {
		o := n.guard.order()
		e.Epoch, e.Generation = o.Epoch, o.Generation
	}
	n.guard.cfg.Events(e)
}

// admit lets the neighbor in and dials it until ctx ends.
func (n *neighbor) admit(ctx context.Context) {
	n.mu.Lock()
	n.admitted = true
	n.show()
	n.mu.Unlock()
	if n.Passive {
		return
	}
	for ctx.Err() == nil {
		if n.wantsDial() {
			n.dial(ctx)
		}
		n.pause(ctx)
	}
}

func (n *neighbor) pause(ctx context.Context) {
	n.mu.Lock()
	wait := n.ConnectRetry << min(n.failures, 4)
	n.mu.Unlock()
	// RFC 4271 section 10: jitter of a quarter.
	wait -= time.Duration(rand.Int64N(int64(wait)/4 + 1))
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-n.again:
	}
}

func (n *neighbor) wantsDial() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.up != nil || n.shut {
		return false
	}
	for c := range n.connections {
		if !c.inbound || c.phase >= wire.PhaseOpenConfirm {
			return false
		}
	}
	return true
}

func (n *neighbor) dial(ctx context.Context) {
	n.setDialing(true)
	conn, err := dial(ctx, &n.Neighbor)
	n.setDialing(false)
	if err != nil {
		n.failed(err)
		return
	}
	n.guard.group.Go(func() { n.converse(ctx, &connection{Conn: conn}) })
}

func (n *neighbor) setDialing(on bool) {
	n.mu.Lock()
	n.dialing = on
	n.show()
	n.mu.Unlock()
}

// failed notes why there is no session. That an OPEN was refused is said until
// there is one: what the next attempts meet tells less.
func (n *neighbor) failed(err error) {
	var notification *wire.Notification
	about := errors.As(err, &notification) && notification.Code == wire.CodeOpen
	n.mu.Lock()
	defer n.mu.Unlock()
	if about || n.failures == 0 {
		n.status.lastError = err.Error()
	}
}

// accept takes a connection that the neighbor opened.
func (n *neighbor) accept(ctx context.Context, conn net.Conn) {
	n.mu.Lock()
	admitted := n.admitted && !n.shut
	n.mu.Unlock()
	if !admitted {
		conn.Close()
		return
	}
	if err := adopt(conn, &n.Neighbor); err != nil {
		n.failed(err)
		conn.Close()
		return
	}
	n.converse(ctx, &connection{Conn: conn, inbound: true})
}

// show works out the state from the connections (RFC 4271 section 8.2.2). The
// caller holds mu.
func (n *neighbor) show() {
	state := bgp.Idle
	switch {
	case n.dialing:
		state = bgp.Connect
	case n.admitted && !n.shut:
		state = bgp.Active
	}
	for c := range n.connections {
		switch {
		case c.phase == wire.PhaseOpenConfirm:
			state = bgp.OpenConfirm
		case c.phase == wire.PhaseOpenSent && state != bgp.OpenConfirm:
			state = bgp.OpenSent
		}
	}
	if n.up != nil {
		state = bgp.Established
	}
	if state != n.status.state {
		n.status.state, n.status.since = state, time.Now()
	}
}

// alarm tells that our own side is broken, and closes the session without
// NOTIFICATION: the neighbor keeps the routes.
func (n *neighbor) alarm(err error, hangUp bool) {
	n.count.alarms.Add(1)
	n.log.Error("alarm: our own side is broken", "error", err, "session_closed", hangUp)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status.lastError = err.Error()
	if n.up != nil && hangUp {
		n.up.why, n.up.broken = err.Error(), true
		n.up.Close()
	}
}

// enter registers a connection in OpenSent. A connection that the same end
// opened before is given up: that end did so too.
func (n *neighbor) enter(c *connection) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for other := range n.connections {
		if other.inbound == c.inbound && other.phase == wire.PhaseOpenSent {
			other.lost = true
			other.Close()
		}
	}
	c.phase = wire.PhaseOpenSent
	n.connections[c] = struct{}{}
	n.show()
}

// leave forgets a connection.
func (n *neighbor) leave(c *connection) {
	n.mu.Lock()
	delete(n.connections, c)
	n.show()
	n.mu.Unlock()
	poke(n.again)
}

// confirm resolves a collision when the OPEN of the neighbor has arrived on c
// (RFC 4271 section 6.8), and reports whether c lives.
func (n *neighbor) confirm(c *connection, t terms) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.lost {
		return false
	}
	var rivals []rival
	for other := range n.connections {
		if other != c && !other.lost {
			rivals = append(rivals, rival{other.phase, other.inbound})
		}
	}
	local := end{n.guard.cfg.RouterID, n.LocalASN}
	if !resolve(rivals, c.inbound, local, t.remote, t.restarted) {
		return false
	}
	for other := range n.connections {
		if other == c || other.phase < wire.PhaseOpenConfirm {
			continue
		}
		other.lost = true
		if other.phase == wire.PhaseEstablished {
			other.Close() // the neighbor restarted: it knows nothing of it any more
			continue
		}
		n.guard.group.Go(func() {
			refuse(other, &wire.Notification{Code: wire.CodeCease, Subcode: wire.SubCollision})
		})
	}
	c.phase = wire.PhaseOpenConfirm
	n.show()
	return true
}

// establish makes c the neighbor's session.
func (n *neighbor) establish(c *connection, t terms) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.lost || n.up != nil || n.shut {
		return false
	}
	c.phase, n.up, n.wasUp, n.failures = wire.PhaseEstablished, c, true, 0
	n.status.role, n.status.routerID, n.status.survival = t.role, t.remote.id, t.survival
	n.show()
	for other := range n.connections {
		if other != c {
			other.lost = true
			other.Close()
		}
	}
	return true
}

// down ends the session of c.
func (n *neighbor) down(c *connection, why string) {
	n.mu.Lock()
	n.up = nil
	n.status.lastError, n.status.role, n.status.routerID = why, policy.NoRole, netip.Addr{}
	n.mu.Unlock()
}

// restart is what our next OPEN says about graceful restart. F promises that
// packets still arrive: we are off the forwarding path, so it holds whenever the
// neighbor may have routes of ours. R and F are clear on the very first start
// and while there is no Target to make good on the promise.
func (n *neighbor) restart() restart {
	n.table.mu.Lock()
	have := n.table.target != nil
	n.table.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	return restart{
		restarting: have && n.guard.cfg.Restarting && !n.wasUp,
		forwarding: have && (n.guard.cfg.Restarting || n.wasUp),
	}
}
