package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// Times of a session.
const (
	openWait = 60 * time.Second      // for the OPEN; RFC 4271 section 8 suggests 4 minutes
	quiet    = 2 * time.Millisecond  // a change leaves when nothing more came for so long
	linger   = 50 * time.Millisecond // and after this at the latest
)

// refuse sends a NOTIFICATION and closes. It reads on for a moment, because
// unread data would make the kernel reset the connection and the NOTIFICATION
// would be lost with it.
func refuse(conn net.Conn, n *wire.Notification) {
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	if _, err := conn.Write(n.Append(nil)); err != nil {
		return
	}
	inner := conn
	if c, ok := conn.(*connection); ok {
		inner = c.Conn
	}
	if tcp, ok := inner.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, tcp, 1<<20)
	}
}

// converse leads a connection from its OPEN to its end.
func (n *neighbor) converse(ctx context.Context, c *connection) {
	n.enter(c)
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer n.leave(c)
	defer c.Close()
	r := wire.NewReader(bufio.NewReaderSize(c.Conn, 1<<13))
	t, err := n.handshake(c, r)
	if err != nil {
		n.hangUp(ctx, c, err)
		return
	}
	n.session(ctx, c, r, t)
}

// hangUp ends a connection that did not become a session.
func (n *neighbor) hangUp(ctx context.Context, c *connection, err error) {
	n.mu.Lock()
	lost := c.lost
	n.mu.Unlock()
	if lost || ctx.Err() != nil {
		return
	}
	var notification *wire.Notification
	if errors.As(err, &notification) {
		if received := (*receivedError)(nil); !errors.As(err, &received) {
			n.count.refused.Add(1)
			refuse(c, notification)
		}
		n.mu.Lock()
		if notification.Code == wire.CodeOpen {
			n.failures++
		}
		n.mu.Unlock()
	}
	if c.phase == wire.PhaseOpenSent && errors.Is(err, io.EOF) {
		return // a probe, or the other end chose another connection
	}
	n.failed(err)
	n.log.Info("no session", "error", err)
}

// receivedError is a NOTIFICATION from the neighbor: never answered.
type receivedError struct{ wire.Notification }

func (e *receivedError) Error() string { return "received " + e.Notification.Error() }
func (e *receivedError) Unwrap() error { return &e.Notification }

var errCollision = &wire.Notification{Code: wire.CodeCease, Subcode: wire.SubCollision}

// handshake exchanges OPENs and KEEPALIVEs. An error that wraps a Notification
// is to be answered with it.
func (n *neighbor) handshake(c *connection, r *wire.Reader) (terms, error) {
	local := end{n.guard.cfg.RouterID, n.LocalASN}
	open, err := ourOpen(&n.Neighbor, local, n.restart()).Append(nil)
	if err != nil {
		return terms{}, err
	}
	if err := c.SetDeadline(time.Now().Add(openWait)); err != nil {
		return terms{}, err
	}
	if _, err := c.Write(open); err != nil {
		return terms{}, err
	}
	m, err := read(r, wire.PhaseOpenSent)
	if err != nil {
		return terms{}, err
	}
	o, err := wire.ParseOpen(m.Body)
	if err != nil {
		return terms{}, err
	}
	t, refusal := agree(&n.Neighbor, local, o)
	if refusal != nil {
		return t, fmt.Errorf("OPEN of AS %d, identifier %s: %w", o.ASN(), o.RouterID, refusal)
	}
	if !n.confirm(c, t) {
		return t, errCollision
	}
	if _, err := c.Write(wire.AppendKeepalive(nil)); err != nil {
		return t, err
	}
	if err := c.SetReadDeadline(time.Now().Add(t.hold)); err != nil {
		return t, err
	}
	if _, err := read(r, wire.PhaseOpenConfirm); err != nil {
		return t, expired(err)
	}
	return t, nil
}

// read returns the next message if it may arrive in the phase.
func read(r *wire.Reader, phase wire.Phase) (wire.Message, error) {
	m, err := r.ReadMessage()
	if err != nil {
		return m, err
	}
	if refusal := phase.Admit(m.Type); refusal != nil {
		return m, refusal
	}
	if m.Type == wire.TypeNotification {
		notification, err := wire.ParseNotification(m.Body)
		if err != nil {
			return m, err
		}
		notification.Data = append([]byte(nil), notification.Data...)
		return m, &receivedError{notification}
	}
	return m, nil
}

// expired turns a read that took too long into what RFC 4271 section 6.5 wants
// sent: Hold Timer Expired.
func expired(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return &wire.Notification{Code: wire.CodeHoldTimer}
	}
	return err
}

// session runs an established session: this goroutine reads, another writes.
func (n *neighbor) session(ctx context.Context, c *connection, r *wire.Reader, t terms) {
	// The one that lost to this one may not have left yet.
	for range 200 {
		n.mu.Lock()
		busy := n.up != nil && !c.lost
		n.mu.Unlock()
		if !busy || ctx.Err() != nil {
			break
		}
		sleep(ctx, 5*time.Millisecond)
	}
	if !n.establish(c, t) {
		if ctx.Err() == nil {
			refuse(c, errCollision)
		}
		return
	}
	_ = c.SetDeadline(time.Time{})
	n.table.mu.Lock()
	n.table.begin(t.families, t.endOfRIB)
	n.table.mu.Unlock()
	n.log.Info("session up", "families", t.families.List(), "remote_role", t.role.String(), "inbound", c.inbound)
	n.count.ups.Add(1)
	n.emit(bgp.Event{Kind: bgp.SessionUp})

	writing, stop := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		err := n.write(writing, c, t)
		if err != nil {
			c.Close() // wakes the reader
		}
		failed <- err
	}()
	n.wake()
	err := n.read(c, r, t)
	n.mu.Lock()
	lost, onPurpose := c.lost, c.why
	n.mu.Unlock()
	if refusal := answer(err); refusal != nil && !lost && ctx.Err() == nil {
		stop()
		refuse(c, refusal)
	}
	c.Close()
	stop()
	if werr := <-failed; werr != nil && errors.Is(err, net.ErrClosed) {
		err = werr
	}
	n.table.mu.Lock()
	n.table.end()
	n.table.mu.Unlock()
	n.guard.changed.Store(true) // what it told last is kept
	why := "closed"
	if err != nil && ctx.Err() == nil {
		why = err.Error()
	}
	switch {
	case lost:
		why = "the neighbor restarted"
	case onPurpose != "":
		why = onPurpose
	}
	n.mu.Lock()
	n.count.down(err, c, ctx.Err() != nil)
	n.mu.Unlock()
	n.emit(bgp.Event{Kind: bgp.SessionDown, Why: why})
	n.log.Info("session down", "why", why)
	n.down(c, why)
}

// answer is the NOTIFICATION that an error asks for, nil for none.
func answer(err error) *wire.Notification {
	var received *receivedError
	var notification *wire.Notification
	if errors.As(err, &received) || !errors.As(err, &notification) {
		return nil
	}
	return notification
}

// write sends what the table decides, and KEEPALIVEs (RFC 4271 section 4.4), until
// ctx ends.
func (n *neighbor) write(ctx context.Context, c *connection, t terms) error {
	interval := t.hold / 3
	if n.Keepalive > 0 {
		interval = min(interval, n.Keepalive)
	}
	keepalive := time.NewTicker(interval)
	defer keepalive.Stop()
	buf := make([]byte, 0, 1<<12)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-keepalive.C:
			if err := n.put(c, t, wire.AppendKeepalive(buf[:0])); err != nil {
				return err
			}
		case <-n.poked:
			if !n.gather(ctx) {
				continue
			}
			for more := true; more; {
				var err error
				if buf, more, err = n.flush(c, t, buf[:0]); err != nil {
					return err
				}
			}
		}
	}
}

// gather waits for changes to become more, but not long, and reports whether
// there are any.
func (n *neighbor) gather(ctx context.Context) bool {
	begun, before := time.Now(), -1
	for {
		n.table.mu.Lock()
		something, atOnce, dirty := n.table.pending()
		n.table.mu.Unlock()
		if !something || ctx.Err() != nil {
			return false
		}
		if atOnce || dirty == before || time.Since(begun) >= linger-quiet {
			return true
		}
		before = dirty
		sleep(ctx, quiet)
	}
}

// flush sends one load of messages.
func (n *neighbor) flush(c *connection, t terms, buf []byte) ([]byte, bool, error) {
	n.table.mu.Lock()
	buf, s, err := n.table.fill(buf, t.encoding)
	if err == nil && !n.table.learning() {
		err = n.table.envelope()
	}
	n.table.mu.Unlock()
	if err != nil {
		n.alarm(err, true)
		return buf, false, err
	}
	if err := n.put(c, t, buf); err != nil {
		return buf, false, err
	}
	n.count.updatesSent.Add(uint64(s.messages))
	for _, e := range s.events {
		n.count.sent(e, n.addsOTC())
		e.Epoch, e.Generation = s.order.Epoch, s.order.Generation
		n.emit(e)
	}
	if s.messages > 0 {
		n.guard.changed.Store(true)
	}
	return buf, s.more, nil
}

// put writes with the hold time as limit: a neighbor that does not read for so
// long is dead.
func (n *neighbor) put(c *connection, t terms, raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	if err := c.SetWriteDeadline(time.Now().Add(t.hold)); err != nil {
		return err
	}
	_, err := c.Write(raw)
	return err
}
