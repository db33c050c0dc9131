package neighbor

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Config is one neighbor. It needs Listen, Dial or both.
type Config struct {
	ASN      uint32
	RouterID netip.Addr
	Local    netip.Addr     // address to dial from
	Listen   netip.AddrPort // port 0 takes a free one, see Addr
	Dial     netip.AddrPort // the speaker under test
	Peer     netip.Addr     // the only address to accept from; default the one of Dial
	PeerASN  uint32         // refused with 2/2 when it differs; 0 takes any
	Families []addressing.Family
	HoldTime time.Duration // default 90 s; whole seconds
	Retry    time.Duration // between dials, default 50 ms
	MD5      string        // RFC 2385
	TTL      uint8         // of what is sent; 255 passes RFC 5082
	// GracefulRestart offers RFC 4724 as a helper: routes survive TCP.
	GracefulRestart bool
	// Silent withholds our own End-of-RIB, so that a restarting speaker runs
	// into its deferral timer.
	Silent   bool
	LogLimit int // entries of Log; default 100,000
}

// Open is what the OPEN of the other side said (RFC 4271 section 4.2).
type Open struct {
	ASN             uint32
	RouterID        netip.Addr
	HoldTime        time.Duration
	Capabilities    []uint8
	Families        []addressing.Family
	GracefulRestart bool
	Restarting      bool                // R bit, RFC 4724 section 3
	Notification    bool                // N bit, RFC 8538
	RestartTime     time.Duration       // RFC 4724 section 3
	Forwarding      []addressing.Family // families with the F bit
}

// Neighbor is a running neighbor. Make one with New and Close it.
type Neighbor struct {
	cfg      Config
	rib      *rib
	listener net.Listener
	stop     context.CancelFunc
	done     sync.WaitGroup

	mu          sync.Mutex
	conn        net.Conn // of the session that lives, or nil
	opens       []Open
	established bool
	restart     *time.Timer // RFC 4724 section 4.2: stale routes go when it fires
}

// New starts a neighbor.
func New(cfg Config) (*Neighbor, error) {
	if cfg.HoldTime == 0 {
		cfg.HoldTime = 90 * time.Second
	}
	if cfg.Retry == 0 {
		cfg.Retry = 50 * time.Millisecond
	}
	if cfg.LogLimit == 0 {
		cfg.LogLimit = 100_000
	}
	if !cfg.Peer.IsValid() {
		cfg.Peer = cfg.Dial.Addr()
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &Neighbor{cfg: cfg, rib: newRIB(cfg.LogLimit), stop: stop}
	if cfg.Listen.IsValid() {
		if err := n.listen(ctx); err != nil {
			stop()
			return nil, fmt.Errorf("listen on %s: %w", cfg.Listen, err)
		}
	}
	if cfg.Dial.IsValid() {
		n.done.Add(1)
		go n.dialLoop(ctx)
	}
	return n, nil
}

// Addr is the address it listens on.
func (n *Neighbor) Addr() netip.AddrPort {
	if n.listener == nil {
		return netip.AddrPort{}
	}
	return n.listener.Addr().(*net.TCPAddr).AddrPort()
}

// Close ends the session and returns when every goroutine has ended.
func (n *Neighbor) Close() error {
	n.stop()
	if n.listener != nil {
		_ = n.listener.Close() // nothing is left to do about it
	}
	n.Drop()
	n.done.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.restart != nil {
		n.restart.Stop()
	}
	return nil
}

// Drop cuts the TCP connection without a NOTIFICATION.
func (n *Neighbor) Drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != nil {
		_ = n.conn.Close() // the reader sees it
	}
}

// Established reports whether a session is up.
func (n *Neighbor) Established() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.established
}

// Opens are the OPEN messages received so far, oldest first.
func (n *Neighbor) Opens() []Open {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Open(nil), n.opens...)
}

// Routes is the Adj-RIB-In, sorted by prefix.
func (n *Neighbor) Routes() []Route {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	return n.rib.snapshot()
}

// Route looks one prefix up.
func (n *Neighbor) Route(p netip.Prefix) (Route, bool) {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	h, found := n.rib.routes[p]
	return Route{Prefix: p, Attrs: h.attrs, Stale: h.stale}, found
}

// Held is the number of routes held, stale ones among them.
func (n *Neighbor) Held() int {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	return len(n.rib.routes)
}

// HeldOf is Held for one family.
func (n *Neighbor) HeldOf(f addressing.Family) int {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	return n.rib.count[f]
}

// Counters are the counts so far.
func (n *Neighbor) Counters() Counters {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	return n.rib.counters
}

// Notification is the body of the last NOTIFICATION received, nil before it:
// code, subcode and data (RFC 4271 section 4.5).
func (n *Neighbor) Notification() []byte {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	return n.rib.notification
}

// Log is what happened to the table, oldest first.
func (n *Neighbor) Log() []Change {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	return append([]Change(nil), n.rib.log...)
}

func (n *Neighbor) listen(ctx context.Context) error {
	lc := net.ListenConfig{Control: n.cfg.options(n.cfg.Peer)}
	lc.SetMultipathTCP(false) // TCP_MD5SIG needs a plain listener
	l, err := lc.Listen(ctx, "tcp", n.cfg.Listen.String())
	if err != nil {
		return err
	}
	n.listener = l
	n.done.Add(1)
	go func() {
		defer n.done.Done()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.done.Add(1)
			go func() {
				defer n.done.Done()
				n.serve(ctx, conn)
			}()
		}
	}()
	return nil
}

func (n *Neighbor) dialLoop(ctx context.Context) {
	defer n.done.Done()
	d := net.Dialer{Timeout: 2 * time.Second, Control: n.cfg.options(n.cfg.Dial.Addr())}
	if n.cfg.Local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.cfg.Local, 0))
	}
	for ctx.Err() == nil {
		if conn, err := d.DialContext(ctx, "tcp", n.cfg.Dial.String()); err == nil {
			n.serve(ctx, conn)
		}
		select {
		case <-ctx.Done():
		case <-time.After(n.cfg.Retry):
		}
	}
}

// take makes conn the one session; a second connection is refused while the
// first lives, which is enough for a test neighbor.
func (n *Neighbor) take(ctx context.Context, conn net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if n.conn != nil || ctx.Err() != nil || (n.cfg.Peer.IsValid() && from != n.cfg.Peer) {
		return false
	}
	n.conn = conn
	return true
}

// serve runs one session to its end.
func (n *Neighbor) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	if !n.take(ctx, conn) {
		return
	}
	open, err := n.handshake(conn)
	if err == nil {
		n.up(open)
		stop := make(chan struct{})
		var keep sync.WaitGroup
		keep.Add(1)
		go func() {
			defer keep.Done()
			keepalives(conn, n.hold(open)/3, stop)
		}()
		err = n.receive(conn, n.hold(open))
		close(stop)
		keep.Wait()
	}
	n.down(open, err)
}

func (n *Neighbor) hold(o Open) time.Duration { return min(n.cfg.HoldTime, o.HoldTime) }

// handshake exchanges OPEN and the first KEEPALIVE, then ends our empty RIB.
func (n *Neighbor) handshake(conn net.Conn) (Open, error) {
	if err := send(conn, n.open()); err != nil {
		return Open{}, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return Open{}, err
	}
	kind, body, err := readMessage(conn, nil)
	if err != nil {
		return Open{}, err
	}
	if kind != bgp.BGP_MSG_OPEN {
		return Open{}, fmt.Errorf("message type %d instead of OPEN", kind)
	}
	open, err := readOpen(body)
	if err != nil {
		return Open{}, err
	}
	if n.cfg.PeerASN != 0 && open.ASN != n.cfg.PeerASN {
		_ = send(conn, bgp.NewBGPNotificationMessage(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_BAD_PEER_AS, nil)) // closing anyway
		return Open{}, fmt.Errorf("peer is AS %d, not %d", open.ASN, n.cfg.PeerASN)
	}
	if err := send(conn, bgp.NewBGPKeepAliveMessage()); err != nil {
		return Open{}, err
	}
	if kind, _, err = readMessage(conn, nil); err != nil || kind != bgp.BGP_MSG_KEEPALIVE {
		return Open{}, fmt.Errorf("message type %d instead of KEEPALIVE: %w", kind, err)
	}
	return open, n.endOfRIB(conn)
}

func (n *Neighbor) endOfRIB(conn net.Conn) error {
	if n.cfg.Silent {
		return nil
	}
	for _, f := range n.cfg.Families {
		if err := send(conn, bgp.NewEndOfRib(routeFamily(f))); err != nil {
			return err
		}
	}
	return nil
}

func (n *Neighbor) open() *bgp.BGPMessage {
	caps := []bgp.ParameterCapabilityInterface{bgp.NewCapRouteRefresh(), bgp.NewCapFourOctetASNumber(n.cfg.ASN)}
	var tuples []*bgp.CapGracefulRestartTuple
	for _, f := range n.cfg.Families {
		caps = append(caps, bgp.NewCapMultiProtocol(routeFamily(f)))
		tuples = append(tuples, bgp.NewCapGracefulRestartTuple(routeFamily(f), false))
	}
	if n.cfg.GracefulRestart {
		caps = append(caps, bgp.NewCapGracefulRestart(false, false, 120, tuples))
	}
	as := uint16(bgp.AS_TRANS)
	if n.cfg.ASN < 1<<16 {
		as = uint16(n.cfg.ASN)
	}
	return bgp.NewBGPOpenMessage(as, uint16(n.cfg.HoldTime/time.Second), n.cfg.RouterID.String(),
		[]bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(caps)})
}

// up is RFC 4724 section 4.2: stale routes of a family go at once when the
// peer restarted without keeping its forwarding state.
func (n *Neighbor) up(o Open) {
	n.mu.Lock()
	n.opens = append(n.opens, o)
	n.established = true
	if n.restart != nil {
		n.restart.Stop()
	}
	n.mu.Unlock()

	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	n.rib.counters.SessionsUp++
	n.rib.record(Change{What: "up"})
	for _, f := range addressing.Families() {
		if !has(o.Forwarding, f) {
			n.rib.flush(f, true)
		}
	}
}

var errNotification = errors.New("notification received")

func (n *Neighbor) down(o Open, err error) {
	n.mu.Lock()
	was := n.established
	n.conn, n.established = nil, false
	keep := was && n.cfg.GracefulRestart && o.GracefulRestart && !errors.Is(err, errNotification)
	if keep {
		n.restart = time.AfterFunc(o.RestartTime, n.giveUp)
	}
	n.mu.Unlock()
	if !was {
		return
	}
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	n.rib.counters.SessionsDown++
	n.rib.record(Change{What: "down"})
	if keep {
		n.rib.markStale()
		return
	}
	for _, f := range addressing.Families() {
		n.rib.flush(f, false)
	}
}

// giveUp drops the stale routes: the peer did not come back in its restart time.
func (n *Neighbor) giveUp() {
	n.rib.mu.Lock()
	defer n.rib.mu.Unlock()
	for _, f := range addressing.Families() {
		n.rib.flush(f, true)
	}
}

// receive reads messages until the session ends.
func (n *Neighbor) receive(conn net.Conn, hold time.Duration) error {
	in := bufio.NewReaderSize(conn, 1<<16)
	var buf []byte
	for {
		if err := conn.SetReadDeadline(time.Now().Add(hold)); err != nil {
			return err
		}
		kind, body, err := readMessage(in, buf)
		if err != nil {
			return err
		}
		buf = body[:0]
		switch kind {
		case bgp.BGP_MSG_UPDATE:
			u, err := readUpdate(body)
			if err != nil {
				return fmt.Errorf("read update: %w", err)
			}
			if err := n.apply(u); err != nil {
				return err
			}
		case bgp.BGP_MSG_NOTIFICATION:
			n.rib.mu.Lock()
			n.rib.counters.Notifications++
			n.rib.record(Change{What: "notification"})
			n.rib.notification = append([]byte(nil), body...)
			n.rib.mu.Unlock()
			return errNotification
		}
	}
}

func (n *Neighbor) apply(u update) error {
	r := n.rib
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.endOfRIB != 0 {
		r.counters.EndOfRIB++
		r.record(Change{What: "end-of-rib"})
		r.flush(u.endOfRIB, true)
		return nil
	}
	r.counters.Updates++
	for _, p := range u.withdrawn {
		r.withdraw(p)
	}
	if len(u.announced) > 0 {
		var failed error
		attrs := r.intern(u.key(), func() *Attributes {
			a, err := u.decode()
			failed = err
			return a
		})
		if failed != nil {
			return fmt.Errorf("decode attributes: %w", failed)
		}
		for _, p := range u.announced {
			r.announce(p, attrs)
		}
	}
	r.record(Change{What: "update", Announced: len(u.announced), Withdrawn: len(u.withdrawn)})
	return nil
}

func keepalives(conn net.Conn, every time.Duration, stop <-chan struct{}) {
	tick := time.NewTicker(max(every, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if send(conn, bgp.NewBGPKeepAliveMessage()) != nil {
				return // the reader sees the broken connection too
			}
		}
	}
}

func send(w io.Writer, m *bgp.BGPMessage) error {
	b, err := m.Serialize()
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// readMessage reads one message into buf's memory (RFC 4271 section 4.1).
func readMessage(r io.Reader, buf []byte) (kind byte, body []byte, err error) {
	var head [bgp.BGP_HEADER_LENGTH]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := int(binary.BigEndian.Uint16(head[16:]))
	if length < len(head) || length > bgp.BGP_MAX_MESSAGE_LENGTH {
		return 0, nil, fmt.Errorf("message length %d", length)
	}
	if need := length - len(head); cap(buf) < need {
		buf = make([]byte, need, bgp.BGP_MAX_MESSAGE_LENGTH)
	}
	body = buf[:length-len(head)]
	_, err = io.ReadFull(r, body)
	return head[18], body, err
}

func readOpen(body []byte) (Open, error) {
	var m bgp.BGPOpen
	if err := m.DecodeFromBytes(body); err != nil {
		return Open{}, fmt.Errorf("read open: %w", err)
	}
	id, _ := netip.AddrFromSlice(m.ID.To4())
	o := Open{ASN: uint32(m.MyAS), RouterID: id, HoldTime: time.Duration(m.HoldTime) * time.Second}
	for _, param := range m.OptParams {
		if p, ok := param.(*bgp.OptionParameterCapability); ok {
			for _, c := range p.Capability {
				o.Capabilities = append(o.Capabilities, uint8(c.Code()))
				o.take(c)
			}
		}
	}
	return o, nil
}

func (o *Open) take(c bgp.ParameterCapabilityInterface) {
	switch c := c.(type) {
	case *bgp.CapFourOctetASNumber:
		o.ASN = c.CapValue
	case *bgp.CapMultiProtocol:
		if f := familyOf(c.CapValue); f != 0 {
			o.Families = append(o.Families, f)
		}
	case *bgp.CapGracefulRestart:
		o.GracefulRestart = true
		o.Restarting = c.Flags&0x08 != 0
		o.Notification = c.Flags&0x04 != 0
		o.RestartTime = time.Duration(c.Time) * time.Second
		for _, t := range c.Tuples {
			if f := familyOf(bgp.AfiSafiToRouteFamily(t.AFI, t.SAFI)); f != 0 && t.Flags&0x80 != 0 {
				o.Forwarding = append(o.Forwarding, f)
			}
		}
	}
}

func familyOf(f bgp.RouteFamily) addressing.Family {
	switch f {
	case bgp.RF_IPv4_UC:
		return addressing.IPv4
	case bgp.RF_IPv6_UC:
		return addressing.IPv6
	}
	return 0
}

func routeFamily(f addressing.Family) bgp.RouteFamily {
	if f == addressing.IPv6 {
		return bgp.RF_IPv6_UC
	}
	return bgp.RF_IPv4_UC
}

func has(fs []addressing.Family, f addressing.Family) bool {
	for _, have := range fs {
		if have == f {
			return true
		}
	}
	return false
}
