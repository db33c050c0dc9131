package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
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

// Leg is a session between the guard and the engine. The engine makes no
// difference between neighbors towards which we have the same role, so they
// share a leg: what it costs does not grow with their number. A neighbor that
// may send routes has a leg of its own, on which they are handed on.
type Leg struct {
	Name     string      // the role, or the neighbor's name
	Loopback netip.Addr  // the guard's end, in LegNetwork of the role
	ASN      uint32      // of the guard's end
	LocalASN uint32      // of the engine's end
	Role     policy.Role // ours towards the neighbors; none inside our own network
	Families []addressing.Family
}

// LegNetwork is where the loopback addresses of the legs of a role are, so that
// the engine's policy can be constant. 127/8 needs no setup on Linux.
func LegNetwork(role policy.Role) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 1 + byte(role), 0, 0}), 16)
}

// legASN is the AS of the guard's end of a shared leg: from the range for
// private use (RFC 6996), and not ours.
func legASN(ours uint32) uint32 {
	const last = 4294967294
	if ours == last {
		return last - 1
	}
	return last
}

// legOf is the leg of a neighbor. asn is the engine's.
func legOf(n *Neighbor, asn uint32) Leg {
	if n.Receive == policy.ReceiveControl {
		return Leg{Name: n.Name, Loopback: n.Loopback, ASN: n.ASN, LocalASN: n.LocalASN, Role: n.role(), Families: n.Families}
	}
	families := addressing.Families()
	l := Leg{
		Name: n.role().String(), Loopback: LegNetwork(n.role()).Addr().Next(), Role: n.role(),
		ASN: legASN(asn), LocalASN: asn, Families: families[:],
	}
	if l.Role == policy.NoRole { // our own network: no AS in between
		l.Name, l.ASN = "inside", asn
	}
	return l
}

// leg is a running Leg. The guard plays the neighbor.
type leg struct {
	Leg
	guard   *Guard
	log     *slog.Logger
	offers  offers
	session wire.Session
	synced  chan struct{} // closed when the engine has told its table once
	once    sync.Once
	waiting wire.FamilySet // End-of-RIBs the engine owes
	news    []netip.Prefix // whose offer has changed, not told to the neighbors yet

	running bool // guarded by Guard.applying
	writing sync.Mutex

	mu      sync.Mutex
	conn    net.Conn    // established, else nil
	members []*neighbor // replaced, never written to
}

func newLeg(g *Guard, l Leg) *leg {
	out := &leg{Leg: l, guard: g, log: g.log.With("leg", l.Name), synced: make(chan struct{})}
	if g.cfg.Off.Target {
		out.offers.learned = map[netip.Prefix]wire.AttrSet{}
	}
	return out
}

func (l *leg) join(n *neighbor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members = append(slices.Clone(l.members), n)
}

func (l *leg) part(n *neighbor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.members = slices.DeleteFunc(slices.Clone(l.members), func(m *neighbor) bool { return m == n })
}

// neighbors are those that share the leg.
func (l *leg) neighbors() []*neighbor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.members
}

func (l *leg) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
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
			for _, n := range l.neighbors() {
				n.alarm(err, l.waiting == 0)
			}
		}
		if text := err.Error(); text != last {
			l.log.Debug("engine leg", "error", err)
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
	cfg := l.guard.cfg
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: l.Loopback.AsSlice()},
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
	buffered := bufio.NewReaderSize(conn, 1<<16)
	r := wire.NewReader(buffered)
	if err := l.open(conn, r); err != nil {
		return err
	}
	l.set(conn)
	defer l.set(nil)
	ended := make(chan struct{})
	defer close(ended)
	go l.keepalive(conn, ended)
	return l.read(conn, buffered, r)
}

func (l *leg) set(conn net.Conn) {
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
}

// open exchanges OPENs and KEEPALIVEs.
func (l *leg) open(conn net.Conn, r *wire.Reader) error {
	var cs wire.Capabilities
	g := wire.GracefulRestart{Time: 1} // makes the engine send End-of-RIB
	l.waiting = 0
	for _, f := range l.Families {
		cs = append(cs, wire.MultiprotocolCapability(wire.FamilyOf(f)))
		g.Families = append(g.Families, wire.RestartFamily{Family: wire.FamilyOf(f)})
		l.waiting |= wire.NewFamilySet(wire.FamilyOf(f))
	}
	l.session = wire.Session{Internal: l.ASN == l.LocalASN, Families: l.waiting, LoopbackNextHop: true}
	// Identifiers of the legs differ: the engine takes equal ones for one speaker.
	open := wire.NewOpen(l.ASN, uint16(legHold/time.Second), l.Loopback, append(cs, g.Capability()))
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

// write sends to the engine; two goroutines do. conn nil is the leg's, if it is
// up. An engine that does not read for as long as the hold time is lost.
func (l *leg) write(conn net.Conn, raw []byte) error {
	if conn == nil {
		l.mu.Lock()
		conn = l.conn
		l.mu.Unlock()
	}
	if conn == nil || len(raw) == 0 {
		return nil
	}
	l.writing.Lock() // apart from mu: who the neighbors are must never wait for the engine
	defer l.writing.Unlock()
	if err := conn.SetWriteDeadline(time.Now().Add(legHold)); err != nil {
		return err
	}
	_, err := conn.Write(raw)
	return err
}

// In full flow the engine sends a message for every route. Being woken for each
// would cost more than reading it, so then the reader sleeps instead.
const (
	flowGap   = 200 * time.Microsecond // a read that waits longer is no flow
	flowReads = 8                      // reads in a row that make a flow
	flowPause = 300 * time.Microsecond
)

// read takes what the engine offers until the session ends.
func (l *leg) read(conn net.Conn, buffered *bufio.Reader, r *wire.Reader) error {
	l.offers.newPass()
	defer l.tell()
	flow := 0
	for {
		waits := buffered.Buffered() == 0
		var begun time.Time
		if waits {
			l.tell()
			if flow > flowReads {
				time.Sleep(flowPause)
			}
			begun = time.Now()
			if err := conn.SetReadDeadline(begun.Add(legHold)); err != nil {
				return err
			}
		}
		m, err := r.ReadMessage()
		if waits {
			if flow++; time.Since(begun) > flowGap {
				flow = 0
			}
		}
		if err := l.message(m, err); err != nil {
			return err
		}
	}
}

// message takes one message of the engine, or the error in its place.
func (l *leg) message(m wire.Message, err error) error {
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
		return nil
	}
	return l.update(m.Body)
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
	offer, err := l.judge(&u)
	if err != nil {
		return fmt.Errorf("%w: %w", errEngine, err)
	}
	var blocked []netip.Prefix
	l.offers.mu.Lock()
	for p := range u.Withdrawals() {
		if l.offers.drop(p) {
			l.news = append(l.news, p)
		}
	}
	for p := range u.Advertisements() {
		var news bool
		if offer.Verdict == policy.Allow {
			news = l.offers.put(p, offer.origin, offer.learned)
		} else {
			news = l.offers.drop(p)
		}
		if news {
			l.news = append(l.news, p)
		}
		if offer.Verdict != policy.Allow || offer.origin != 0 {
			blocked = append(blocked, p)
		}
	}
	l.offers.mu.Unlock()
	if len(blocked) > 0 {
		l.block(blocked, offer)
	}
	if len(l.news) >= bulk {
		l.tell()
	}
	return nil
}

// block tells of routes that may not leave: to any neighbor of the leg, or to
// those to which their origin AS has delegated nothing.
func (l *leg) block(prefixes []netip.Prefix, o offer) {
	why := o.Why
	if o.Leak != policy.NoLeakType {
		why = o.Leak.String() + ": " + why
	}
	for _, n := range l.neighbors() {
		if o.Verdict == policy.Allow && n.delegated(o.origin) {
			continue
		}
		n.count.leaks[family(prefixes[0])].Add(uint64(len(prefixes)))
		if o.otc {
			n.count.otc[otcLeakOut].Add(uint64(len(prefixes)))
		}
		n.emit(bgp.Event{Kind: bgp.LeakBlocked, Family: addressing.FamilyOf(prefixes[0]), Prefixes: prefixes, Why: why})
	}
}

// tell makes the neighbors decide about what is new.
func (l *leg) tell() {
	if len(l.news) == 0 {
		return
	}
	for _, n := range l.neighbors() {
		n.table.mu.Lock()
		for _, p := range l.news {
			n.table.mark(p)
		}
		something, _, _ := n.table.pending()
		n.table.mu.Unlock()
		if something {
			n.wake()
		}
	}
	if l.news = l.news[:0]; cap(l.news) > bulk {
		l.news = nil
	}
}

// endOfRIB says that the engine has told its whole table of a family.
func (l *leg) endOfRIB(f wire.Family) {
	l.news = append(l.news, l.offers.endPass(f.Unicast())...)
	l.tell()
	for _, n := range l.neighbors() {
		n.wake()
	}
	if l.waiting &^= wire.NewFamilySet(f); l.waiting == 0 {
		l.once.Do(func() { close(l.synced) })
	}
}
