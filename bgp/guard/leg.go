package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Timers of the leg. The engine may be busy for seconds with a big table; a leg
// that is lost costs nothing but the table once more.
const (
	legHold      = 300 * time.Second
	legKeepalive = 60 * time.Second
	legRetry     = 200 * time.Millisecond
)

// leg is the neighbor's session with the engine. The guard plays the neighbor.
type leg struct {
	neighbor *neighbor
	session  wire.Session
	synced   chan struct{} // closed when the engine has told its table once
	once     sync.Once
	waiting  wire.FamilySet // End-of-RIBs the engine owes

	mu   sync.Mutex
	conn net.Conn // established, else nil
}

// errEngine says that the engine sent what cannot be read. It alarms: the
// neighbor's session is closed without NOTIFICATION, so that it keeps the
// routes.
var errEngine = errors.New("the routing engine sent what cannot be read")

// run keeps the leg up until ctx ends.
func (l *leg) run(ctx context.Context) {
	var last string
	for ctx.Err() == nil {
		err := l.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errEngine) {
			// An engine that says the same nonsense in every table closes the
			// session once, not for ever.
			l.neighbor.alarm(err, l.waiting == 0)
		}
		if text := err.Error(); text != last {
			l.neighbor.log.Debug("engine leg", "error", err)
			last = text
		}
		sleep(ctx, legRetry)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// attempt is one session with the engine, from dialing to its end.
func (l *leg) attempt(ctx context.Context) error {
	cfg := l.neighbor.guard.cfg
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: l.neighbor.Loopback.AsSlice()},
		ControlContext: func(_ context.Context, _, _ string, c syscall.RawConn) error {
			return control(c, func(fd int) error { return setMD5(fd, cfg.Engine.Addr(), cfg.Key) })
		}}
	d.SetMultipathTCP(false)
	conn, err := d.DialContext(ctx, "tcp4", cfg.Engine.String())
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	r := wire.NewReader(bufio.NewReaderSize(conn, 1<<14))
	if err := l.open(conn, r); err != nil {
		return err
	}
	l.set(conn)
	defer l.set(nil)
	ended := make(chan struct{})
	defer close(ended)
	go l.keepalive(conn, ended)
	return l.read(conn, r)
}

func (l *leg) set(conn net.Conn) {
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
}

// open exchanges OPENs and KEEPALIVEs.
func (l *leg) open(conn net.Conn, r *wire.Reader) error {
	n := &l.neighbor.Neighbor
	var cs wire.Capabilities
	g := wire.GracefulRestart{Time: 1} // makes the engine send End-of-RIB
	l.waiting = 0
	for _, f := range n.Families {
		cs = append(cs, wire.MultiprotocolCapability(wire.FamilyOf(f)))
		g.Families = append(g.Families, wire.RestartFamily{Family: wire.FamilyOf(f)})
		l.waiting |= wire.NewFamilySet(wire.FamilyOf(f))
	}
	l.session = wire.Session{Internal: n.internal(), Families: l.waiting, LoopbackNextHop: true}
	// Identifiers of the legs differ: the engine takes equal ones for one speaker.
	open := wire.NewOpen(n.ASN, uint16(legHold/time.Second), n.Loopback, append(cs, g.Capability()))
	raw, err := open.Append(nil)
	if err != nil {
		return err
	}
	raw = wire.AppendKeepalive(raw)
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(raw); err != nil {
		return err
	}
	for _, want := range []wire.Type{wire.TypeOpen, wire.TypeKeepalive} {
		m, err := r.ReadMessage()
		if err != nil {
			return err
		}
		if m.Type != want {
			return fmt.Errorf("want %s, got %s", want, m.Type)
		}
	}
	return conn.SetDeadline(time.Time{})
}

func (l *leg) keepalive(conn net.Conn, ended <-chan struct{}) {
	tick := time.NewTicker(legKeepalive)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			if err := l.write(conn, wire.AppendKeepalive(nil)); err != nil {
				return
			}
		}
	}
}

// write sends to the engine; two goroutines do.
func (l *leg) write(conn net.Conn, raw []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn == nil {
		conn = l.conn
	}
	if conn == nil || len(raw) == 0 {
		return nil
	}
	_, err := conn.Write(raw)
	return err
}

// read takes what the engine offers until the session ends.
func (l *leg) read(conn net.Conn, r *wire.Reader) error {
	t := l.neighbor.table
	t.mu.Lock()
	t.newPass()
	t.mu.Unlock()
	for {
		if err := conn.SetReadDeadline(time.Now().Add(legHold)); err != nil {
			return err
		}
		m, err := r.ReadMessage()
		var refuse *wire.Notification
		switch {
		case errors.As(err, &refuse):
			return fmt.Errorf("%w: %w", errEngine, err)
		case err != nil:
			return err
		case m.Type == wire.TypeNotification:
			n, _ := wire.ParseNotification(m.Body)
			return &n
		case m.Type != wire.TypeUpdate:
			continue
		}
		if err := l.update(m.Body); err != nil {
			return err
		}
	}
}

// update notes one UPDATE of the engine.
func (l *leg) update(body []byte) error {
	u := l.session.Classify(body)
	if u.Action < wire.AttributeDiscard {
		return fmt.Errorf("%w: %s %s: %s", errEngine, u.Action, u.Attribute, u.Why)
	}
	if f, ok := u.EndOfRIB(); ok {
		l.endOfRIB(f)
		return nil
	}
	verdict, learned, err := l.judge(&u)
	if err != nil {
		return fmt.Errorf("%w: %w", errEngine, err)
	}
	t := l.neighbor.table
	var blocked []netip.Prefix
	t.mu.Lock()
	for p := range u.Withdrawals() {
		t.offer(p, false, wire.AttrSet{})
	}
	for p := range u.Advertisements() {
		if verdict.Verdict != policy.Allow {
			blocked = append(blocked, p)
		}
		t.offer(p, verdict.Verdict == policy.Allow, learned)
	}
	something, _, _ := t.pending()
	t.mu.Unlock()
	if something {
		l.neighbor.wake()
	}
	if len(blocked) > 0 {
		why := verdict.Why
		if verdict.Leak != policy.NoLeakType {
			why = verdict.Leak.String() + ": " + why
		}
		l.neighbor.count.leaks.Add(uint64(len(blocked)))
		l.neighbor.emit(bgp.Event{Kind: bgp.LeakBlocked, Family: addressing.FamilyOf(blocked[0]), Prefixes: blocked, Why: why})
	}
	return nil
}

// judge asks the valley-free guard, the OTC egress procedure and the origin
// check about the routes of an UPDATE. They come after the engine's policy, and
// nothing there can switch them off.
func (l *leg) judge(u *wire.Update) (policy.Passage, wire.AttrSet, error) {
	allowed := policy.Passage{Verdict: policy.Allow}
	f, some := familyOf(u)
	if !some {
		return allowed, wire.AttrSet{}, nil
	}
	attrs, err := u.Attributes(f)
	if err != nil {
		return policy.Passage{}, wire.AttrSet{}, err
	}
	off := l.neighbor.guard.cfg.Off
	if !off.ValleyFree {
		if p := l.neighbor.passage(&attrs); p.Verdict != policy.Allow {
			return p, wire.AttrSet{}, nil
		}
	}
	if !off.Target {
		return allowed, wire.AttrSet{}, nil
	}
	// Only in tests: what the engine offers goes out as it is.
	attrs.LargeCommunities = policy.StripRoles(l.neighbor.guard.cfg.ASN, attrs.LargeCommunities)
	set, err := attrs.Intern()
	return allowed, set, err
}

func familyOf(u *wire.Update) (wire.Family, bool) {
	for p := range u.Advertisements() {
		return wire.FamilyOf(addressing.FamilyOf(p)), true
	}
	return wire.Family{}, false
}

// passage is the second layer: may a route with these attributes, as the engine
// offers it, go to the neighbor?
func (n *neighbor) passage(attrs *wire.Attributes) policy.Passage {
	from := policy.SourceByMark(n.guard.cfg.ASN, attrs.LargeCommunities)
	if !n.external() {
		// Our own router takes our own routes and nothing else.
		if from == policy.FromSelf || from == policy.FromInternal {
			return n.origin(attrs)
		}
		return policy.Passage{Why: "a route from " + from.String() + " is not injected into our own network"}
	}
	if p := policy.Allowed(from, n.Role); p.Verdict != policy.Allow {
		return p
	}
	// RFC 9234 section 5, egress 2: a route with OTC goes down only.
	if d := policy.OTCEgress(n.Role, n.LocalASN, attrs.OTC); d.Verdict != policy.Allow {
		return policy.Passage{Why: d.Why}
	}
	return n.origin(attrs)
}

// origin lets out what originates in our AS or in one that the Target names,
// and nothing that has passed through another.
func (n *neighbor) origin(attrs *wire.Attributes) policy.Passage {
	var path []uint32
	for _, s := range attrs.ASPath {
		if s.Type != wire.ASSequence {
			return policy.Passage{Why: "AS path " + attrs.ASPath.String() + ": only sequences are ours"}
		}
		path = append(path, s.ASNs...)
	}
	if err := checkOrigin(&n.Neighbor, path); err != nil {
		return policy.Passage{Leak: policy.ReoriginationLeak, Why: "AS path " + attrs.ASPath.String() + " is not one of ours"}
	}
	if len(path) == 0 {
		return policy.Passage{Verdict: policy.Allow}
	}
	if origin := path[len(path)-1]; origin != n.LocalASN && !n.delegated(origin) {
		return policy.Passage{Leak: policy.ReoriginationLeak, Why: fmt.Sprintf("origin AS %d is neither ours nor delegated to us", origin)}
	}
	return policy.Passage{Verdict: policy.Allow}
}

// delegated reports whether the Target has a route of that origin.
func (n *neighbor) delegated(origin uint32) bool {
	n.table.mu.Lock()
	defer n.table.mu.Unlock()
	if n.table.target == nil {
		return false
	}
	_, known := n.table.target.origins[origin]
	return known
}

func (l *leg) endOfRIB(f wire.Family) {
	t := l.neighbor.table
	t.mu.Lock()
	t.endPass(f.Unicast())
	t.mu.Unlock()
	l.neighbor.wake()
	if l.waiting &^= wire.NewFamilySet(f); l.waiting == 0 {
		l.once.Do(func() { close(l.synced) })
	}
}
