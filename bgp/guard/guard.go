package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// deferral bounds how long neighbors wait outside for the engine to offer the
// first table.
const deferral = 10 * time.Second

// closeWait is how long Close waits for an engine that hangs.
const closeWait = 10 * time.Second

// Guard is a bgp.Speaker. Make one with New; its methods may be called from any
// goroutine.
type Guard struct {
	cfg       Config
	log       *slog.Logger
	who       atomic.Pointer[roster]
	listeners []net.Listener
	port      uint16
	group     sync.WaitGroup
	ctx       context.Context
	stop      context.CancelFunc
	changed   atomic.Bool // since the Adj-RIB-Outs were kept
	keeping   sync.Mutex  // held while they are written

	applying sync.Mutex          // one change of the engine or the roster at a time; taken before mu
	legs     map[netip.Addr]*leg // by loopback; guarded by applying

	mu      sync.Mutex
	waits   map[string]bool // neighbors that connect with their first Target only
	seen    bgp.Order
	started bool
	closed  bool
	targets map[string]*target
	union   int            // distinct prefixes of all targets
	pending []netip.Prefix // changed and not settled with the engine yet
	drift   map[string]bgp.Drift
}

var _ bgp.Speaker = (*Guard)(nil)

// New opens the listeners. Nobody is let in before Start.
func New(cfg Config) (*Guard, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("new guard: %w", err)
	}
	g := &Guard{
		cfg: cfg, log: cfg.Logger,
		legs: map[netip.Addr]*leg{}, targets: map[string]*target{}, drift: map[string]bgp.Drift{},
	}
	g.ctx, g.stop = context.WithCancel(context.Background())
	var all []*neighbor
	for _, c := range cfg.Neighbors {
		all = append(all, newNeighbor(g, c))
	}
	g.who.Store(newRoster(all))
	if err := g.listen(); err != nil {
		g.stop()
		g.closeListeners()
		return nil, fmt.Errorf("new guard: %w", err)
	}
	return g, nil
}

// legOf is the leg of a neighbor, made when it is the first on it.
func (g *Guard) legOf(n *Neighbor) *leg {
	l := legOf(n, g.cfg.ASN)
	if g.legs[l.Loopback] == nil {
		g.legs[l.Loopback] = newLeg(g, l)
	}
	return g.legs[l.Loopback]
}

// listen opens every listener; all share one port.
func (g *Guard) listen() error {
	for _, at := range g.cfg.Listen {
		if at.Port() == 0 && g.port != 0 {
			at = netip.AddrPortFrom(at.Addr(), g.port)
		}
		l, err := listen(g.ctx, at, g.cfg.Neighbors)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", at, err)
		}
		g.listeners = append(g.listeners, l)
		g.port = l.Addr().(*net.TCPAddr).AddrPort().Port()
	}
	return nil
}

func (g *Guard) closeListeners() {
	for _, l := range g.listeners {
		l.Close()
	}
}

// Port is the TCP port that is listened on, 0 for none.
func (g *Guard) Port() uint16 { return g.port }

func (g *Guard) order() bgp.Order {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen
}

// Apply implements bgp.Speaker. It refuses before it changes anything. What is
// new goes into the engine first; then every neighbor gets its Target at once
// and what the Target dropped leaves; then the engine forgets that too. When
// the context ends or the engine refuses in between, the wire is still as it
// was, and the next Apply goes on.
func (g *Guard) Apply(ctx context.Context, t snapshots.Target) error {
	g.applying.Lock()
	defer g.applying.Unlock()
	next, err := g.prepare(t)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	add, remove, union := g.difference(next)
	if err := g.cfg.RIB.Change(ctx, add, nil); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	g.swap(t, next, union)
	if err := g.cfg.RIB.Change(ctx, nil, remove); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	g.mu.Lock()
	g.pending = nil
	g.mu.Unlock()
	return nil
}

// prepare decides, and compiles the Target of every neighbor that is named.
func (g *Guard) prepare(t snapshots.Target) (map[string]*target, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, bgp.ErrClosed
	}
	if err := bgp.Check(t, g.who.Load().policies, g.seen); err != nil {
		return nil, err
	}
	next, compiler := make(map[string]*target, len(t.Neighbors)), compiler{}
	for name, nt := range t.Neighbors {
		c, err := compiler.target(&g.who.Load().byName[name].Neighbor, bgp.OrderOf(t), nt.Routes)
		if err != nil {
			return nil, fmt.Errorf("neighbor %q: %w", name, err)
		}
		next[name] = c
	}
	return next, nil
}

// difference is what the engine has to add and to remove: it holds the union of
// all neighbors' routes, whose new size is returned as well. The wire does not
// depend on what is recorded here.
func (g *Guard) difference(next map[string]*target) (add, remove []netip.Prefix, union int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	touched := g.touched(next)
	before, after := g.cursors(nil), g.cursors(next)
	union = g.union
	add = touched[:0]
	for _, p := range touched {
		was, wanted := before.have(p), after.have(p)
		switch {
		case wanted:
			add = append(add, p)
			if !was {
				union++
			}
		default:
			remove = append(remove, p)
			if was {
				union--
			}
		}
	}
	g.pending = append(add, remove...)
	return g.pending[:len(add)], remove, union
}

// touched are the prefixes that differ between the targets and the next ones, or
// were left over, sorted. Neighbors that share their targets are looked at once.
func (g *Guard) touched(next map[string]*target) []netip.Prefix {
	type pair struct{ before, after *target }
	pairs := map[pair]bool{}
	count := len(g.pending)
	for name, after := range next {
		if p := (pair{g.targets[name], after}); !pairs[p] {
			pairs[p] = true
			changed(p.before, p.after, func(netip.Prefix) { count++ })
		}
	}
	out := append(make([]netip.Prefix, 0, count), g.pending...)
	for p := range pairs {
		changed(p.before, p.after, func(p netip.Prefix) { out = append(out, p) })
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// cursors go through several targets at once.
type cursors [][]snapshots.TargetRoute

// cursors of the distinct targets that the neighbors have, with next in place.
func (g *Guard) cursors(next map[string]*target) (out cursors) {
	seen := map[*target]bool{nil: true}
	for _, n := range g.who.Load().neighbors {
		t := g.targets[n.Name]
		if replaced, named := next[n.Name]; named {
			t = replaced
		}
		if !seen[t] {
			seen[t] = true
			out = append(out, t.routes)
		}
	}
	return out
}

// have reports whether one of the targets has p. It must be called with sorted
// prefixes.
func (c cursors) have(p netip.Prefix) bool {
	for i := range c {
		if c[i] = seek(c[i], p); len(c[i]) > 0 && c[i][0].Prefix == p {
			return true
		}
	}
	return false
}

// seek skips the routes before p, galloping: a lone change among a million
// routes and a change of all of them both cost little.
func seek(routes []snapshots.TargetRoute, p netip.Prefix) []snapshots.TargetRoute {
	if len(routes) > 0 && routes[0].Prefix == p {
		return routes
	}
	step := 1
	for step < len(routes) && routes[step].Prefix.Compare(p) < 0 {
		step *= 2
	}
	from, to := step/2, min(step+1, len(routes))
	if from > to {
		from = to
	}
	i, _ := slices.BinarySearchFunc(routes[from:to], p, func(r snapshots.TargetRoute, p netip.Prefix) int { return r.Prefix.Compare(p) })
	return routes[from+i:]
}

// swap gives the neighbors their Targets.
func (g *Guard) swap(t snapshots.Target, next map[string]*target, union int) {
	g.mu.Lock()
	g.seen, g.union = bgp.OrderOf(t), union
	started := g.started
	for name, c := range next {
		g.targets[name] = c
	}
	g.mu.Unlock()
	for name, c := range next {
		n := g.who.Load().byName[name]
		n.table.mu.Lock()
		n.table.swap(c)
		n.table.mu.Unlock()
		n.wake()
		text, shut := t.Shutdown[name]
		n.administer(shut, text)
		if started {
			n.begin() // one that came by Configure waited for what it is to hold
		}
	}
}

// Start opens the engine's sessions, and lets neighbors connect when the engine
// has offered what it holds: End-of-RIB must not go out before the table.
func (g *Guard) Start(ctx context.Context) error {
	g.applying.Lock()
	defer g.applying.Unlock()
	g.mu.Lock()
	switch {
	case g.closed:
		g.mu.Unlock()
		return fmt.Errorf("start: %w", bgp.ErrClosed)
	case g.started:
		g.mu.Unlock()
		return errors.New("start: started before")
	}
	g.started = true
	g.mu.Unlock()
	for _, l := range g.legs {
		if err := g.cfg.RIB.Connect(ctx, l.Leg); err != nil {
			return fmt.Errorf("start: leg %q: %w", l.Name, err)
		}
		l.running = true
		g.group.Go(func() { l.run(g.ctx) })
	}
	told := g.told()
	for _, n := range g.who.Load().neighbors {
		if g.ready(n, told[n.Name]) {
			n.begin()
		}
	}
	for _, l := range g.listeners {
		g.group.Go(func() { g.serve(l) })
	}
	g.group.Go(g.tend)
	g.group.Go(g.keeper)
	return nil
}

// serve accepts connections until the listener is closed.
func (g *Guard) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if g.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			sleep(g.ctx, 100*time.Millisecond) // out of descriptors, for one
			continue
		}
		n := g.who.Load().byAddress[conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")]
		if n == nil {
			conn.Close()
			continue
		}
		g.group.Go(func() { n.accept(n.ctx, conn) })
	}
}

// Neighbors implements bgp.Speaker.
func (g *Guard) Neighbors(context.Context) ([]bgp.NeighborStatus, error) {
	all := g.who.Load().neighbors
	out := make([]bgp.NeighborStatus, len(all))
	for i, n := range all {
		out[i] = n.report(time.Now(), g.Drift(n.Name))
	}
	return out, nil
}

func (n *neighbor) report(now time.Time, d bgp.Drift) bgp.NeighborStatus {
	n.mu.Lock()
	s, shut := n.status, n.shut
	n.mu.Unlock()
	st := bgp.NeighborStatus{Shutdown: shut,
		Neighbor: *n.shown.Load(), State: s.state, Since: s.since, LastError: s.lastError,
		RemoteRole: s.role, RouterID: s.routerID,
		Advertised: map[addressing.Family]int{}, Target: map[addressing.Family]int{}, Tally: n.count.report(d), Survival: s.survival,
	}
	if s.state == bgp.Established {
		st.Uptime = now.Sub(s.since)
	}
	n.table.mu.Lock()
	defer n.table.mu.Unlock()
	for _, f := range n.Families {
		st.Advertised[f], st.Target[f] = n.table.out.family(f), 0
		if n.table.target != nil {
			st.Target[f] = n.table.target.count.family(f)
		}
	}
	return st
}

// Routes implements bgp.Speaker: the Adj-RIB-Out as it left.
func (g *Guard) Routes(_ context.Context, name string) ([]snapshots.TargetRoute, error) {
	n := g.who.Load().byName[name]
	if n == nil {
		return nil, fmt.Errorf("routes: neighbor %q: %w", name, bgp.ErrUnknownNeighbor)
	}
	n.table.mu.Lock()
	defer n.table.mu.Unlock()
	return n.table.routes(), nil
}

// Close ends every session without NOTIFICATION, so that the neighbors keep the
// routes (RFC 4724), and only then stops the engine.
func (g *Guard) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	g.mu.Unlock()
	g.keep(true)
	g.stop()
	g.closeListeners()
	ended := make(chan struct{})
	go func() {
		g.applying.Lock() // a running Apply ends at the next prefix
		defer g.applying.Unlock()
		g.group.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeWait):
		// The sessions are closed all the same; only the engine hangs.
		g.log.Error("close: the routing engine does not answer; leaving it behind")
	}
	if err := g.cfg.RIB.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// Holders are the neighbors whose Adj-RIB-Out has the prefix, sorted by name.
func (g *Guard) Holders(p netip.Prefix) []string {
	var out []string
	for _, n := range g.who.Load().neighbors {
		n.table.mu.Lock()
		if n.table.holds(p) {
			out = append(out, n.Name)
		}
		n.table.mu.Unlock()
	}
	return out
}
