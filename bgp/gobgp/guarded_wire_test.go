package gobgp

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/hostile"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// enemy is a neighbor that sends whatever the test wants.
type enemy struct {
	t     testing.TB
	asn   uint32
	local netip.Addr
	to    netip.AddrPort
	conn  net.Conn
	r     *wire.Reader
}

// hostileLab has the suite's Peer as a good neighbor and a hostile one in the
// place of Transit.
func hostileLab(t testing.TB, log *eventLog) (*guardLab, *enemy) {
	t.Helper()
	l := newGuardLab(t, func(c *Config) {
		c.Neighbors = c.Neighbors[1:2]
		if log != nil {
			c.Events = log.add
		}
		n := speakertest.Neighbors()[0]
		n.Name, n.ASN, n.Address = "hostile", 64666, freshLoopback()
		n.Receive = policy.ReceiveControl // what it sends is rebuilt and handed to GoBGP
		c.Neighbors = append(c.Neighbors, Neighbor{Neighbor: n, Passive: true, Accept: func(netip.Prefix) bool { return true }})
	})
	// The lab gave the hostile one a well-behaved neighbor: it leaves.
	if err := l.neighbors["hostile"].Close(); err != nil {
		t.Fatal(err)
	}
	delete(l.neighbors, "hostile")
	return l, &enemy{t: t, asn: 64666, local: l.cfg.Neighbors[1].Address, to: l.cfg.Listen[0]}
}

// connect brings a session up to Established.
func (h *enemy) connect() {
	h.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		err := h.try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("no session: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (h *enemy) try() error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: h.local.AsSlice()}, Timeout: time.Second}
	conn, err := d.Dial("tcp", h.to.String())
	if err != nil {
		return err
	}
	h.conn, h.r = conn, wire.NewReader(bufio.NewReader(conn))
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	open := wire.NewOpen(h.asn, 90, netip.AddrFrom4([4]byte{192, 0, 2, 66}), wire.Capabilities{
		wire.MultiprotocolCapability(wire.IPv4Unicast), wire.MultiprotocolCapability(wire.IPv6Unicast),
	})
	raw, err := open.Append(nil)
	if err != nil {
		return err
	}
	if _, err := conn.Write(wire.AppendKeepalive(raw)); err != nil {
		return err
	}
	for _, want := range []wire.Type{wire.TypeOpen, wire.TypeKeepalive} {
		m, err := h.r.ReadMessage()
		if err != nil || m.Type != want {
			conn.Close()
			return errors.Join(err, errors.New("want "+want.String()))
		}
	}
	return nil
}

// answer reads until the NOTIFICATION or the end of the session; nil is a
// session that stays.
func (h *enemy) answer(wait time.Duration) (*wire.Notification, bool) {
	if h.conn.SetReadDeadline(time.Now().Add(wait)) != nil {
		return nil, true
	}
	for {
		m, err := h.r.ReadMessage()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return nil, false
		case err != nil:
			return nil, true
		case m.Type == wire.TypeNotification:
			n, _ := wire.ParseNotification(m.Body)
			h.conn.Close()
			return &n, true
		}
	}
}

// The four messages that end GoBGP v3.37.0 outright, and a bad marker: handled
// as the RFCs say, and the other session does not notice.
func TestOneMessageCrashes(t *testing.T) {
	open, err := wire.NewOpen(64666, 90, netip.AddrFrom4([4]byte{192, 0, 2, 66}), nil).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	marker := wire.AppendKeepalive(nil)
	marker[0] = 0
	for _, c := range []struct {
		name          string
		raw           []byte
		code, subcode uint8 // 0: the session stays
	}{
		{"AS4_PATH before AS_PATH", hostile.Update(hostile.Origin, hostile.AS4Path, hostile.ASPath, hostile.NextHop), 0, 0},
		{"second OPEN", open, 5, 3},
		{"message type 6", hostile.Message(6, nil), 1, 3},
		{"prefix SID with a short SRv6 TLV", hostile.Update(hostile.Origin, hostile.ASPath, hostile.NextHop, hostile.ShortSID), 0, 0},
		{"marker", marker, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, h := hostileLab(t, nil)
			applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(8)))
			good := l.neighbors[speakertest.Peer]
			waitFor(t, "the good neighbor has the table", func() bool { return good.Held() == 8 })
			h.connect()
			if _, err := h.conn.Write(c.raw); err != nil {
				t.Fatal(err)
			}
			if c.code != 0 {
				n, ended := h.answer(5 * time.Second)
				if !ended || n == nil || uint8(n.Code) != c.code || n.Subcode != c.subcode {
					t.Errorf("answered with %v, ended %v; want %d/%d", n, ended, c.code, c.subcode)
				}
			} else if n, ended := h.answer(200 * time.Millisecond); ended {
				t.Errorf("the session ended with %v", n)
			}
			if got := good.Counters(); good.Held() != 8 || got.Removed() != 0 || got.SessionsDown != 0 {
				t.Errorf("the good neighbor holds %d routes, %+v", good.Held(), got)
			}
			if err := l.guard.Apply(t.Context(), targetFor(l.cfg, 2, speakertest.Wants(9))); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "GoBGP still works", func() bool { return good.Held() == 9 })
		})
	}
}

// vectors are messages to send and to mutate.
func vectors(t testing.TB) [][]byte {
	t.Helper()
	out, err := hostile.Vectors("../../testdata/vectors")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every message of the vectors over a real session ends as RFC 7606 and RFC 4271
// say: with the NOTIFICATION of the ruling, or not at all.
func TestVectorsOverSessions(t *testing.T) {
	l, h := hostileLab(t, nil)
	applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(8)))
	good := l.neighbors[speakertest.Peer]
	waitFor(t, "the good neighbor has the table", func() bool { return good.Held() == 8 })
	session := wire.Session{Families: wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast), FirstAS: h.asn}
	resets, rulings := 0, map[string]int{}
	h.connect()
	h.drain()
	for i, raw := range vectors(t) {
		want := expected(session, raw)
		if want == nil {
			rulings["session stays"]++
		} else {
			rulings[want.Error()]++
		}
		// A ROUTE-REFRESH is answered with a message: it marks that all is read.
		probe := wire.RouteRefresh{Family: wire.IPv4Unicast}.Append(append([]byte(nil), raw...))
		if _, err := h.conn.Write(probe); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			if err := h.refreshed(); err != nil {
				t.Fatalf("message %d, %x: %v", i, raw, err)
			}
			continue
		}
		got, _ := h.answer(5 * time.Second)
		if got == nil || got.Code != want.Code || got.Subcode != want.Subcode {
			t.Errorf("message %d, %x: answered with %v, want %v", i, raw, got, want)
		}
		resets++
		h.connect()
		h.drain()
	}
	t.Logf("%d resets; %v", resets, rulings)
	if resets == 0 {
		t.Error("no message reset a session")
	}
	if got := good.Counters(); good.Held() != 8 || got.Removed() != 0 || got.SessionsDown != 0 {
		t.Errorf("the good neighbor holds %d routes, %+v", good.Held(), got)
	}
}

// expected is what a message in an established session is to be answered with.
func expected(s wire.Session, raw []byte) *wire.Notification {
	var refusal *wire.Notification
	m, err := wire.ParseMessage(raw)
	switch {
	case errors.As(err, &refusal):
		return refusal
	case err != nil:
		return nil
	}
	if refusal := wire.PhaseEstablished.Admit(m.Type); refusal != nil {
		return refusal
	}
	if m.Type != wire.TypeUpdate {
		return nil
	}
	if u := s.Classify(m.Body); u.Action == wire.SessionReset {
		return u.Notification()
	}
	return nil
}

// drain reads the initial table, so that an UPDATE is the answer to a question.
func (h *enemy) drain() {
	h.t.Helper()
	if n, ended := h.answer(30 * time.Millisecond); ended {
		h.t.Fatalf("the session ended with %v", n)
	}
}

// refreshed waits for an UPDATE: the answer to a ROUTE-REFRESH.
func (h *enemy) refreshed() error {
	if err := h.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	for {
		m, err := h.r.ReadMessage()
		switch {
		case err != nil:
			return err
		case m.Type == wire.TypeNotification:
			n, _ := wire.ParseNotification(m.Body)
			return &n
		case m.Type == wire.TypeUpdate:
			return nil
		}
	}
}

// Mutated messages over real sessions: the daemon lives, the other session is
// untouched, and nothing is withdrawn anywhere.
func TestMutatedMessagesOverSessions(t *testing.T) {
	messages := mutatedMessages
	log := &eventLog{}
	l, h := hostileLab(t, log)
	applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(8)))
	good := l.neighbors[speakertest.Peer]
	waitFor(t, "the good neighbor has the table", func() bool { return good.Held() == 8 })
	rng := rand.New(rand.NewPCG(1, 2))
	corpus := vectors(t)
	session := wire.Session{Families: wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast), FirstAS: h.asn}
	sessions, begun := 0, time.Now()
	h.connect()
	for sent := 0; sent < messages; {
		// Up to the first message that has to end the session: what follows it
		// would never be read.
		var batch []byte
		var ends *wire.Notification
		framed := true
		for n := 0; n < 50 && ends == nil && framed; n++ {
			raw := hostile.Mutate(rng, corpus[rng.IntN(len(corpus))])
			_, err := wire.ParseMessage(raw)
			var refusal *wire.Notification
			framed = err == nil || errors.As(err, &refusal)
			ends = expected(session, raw)
			batch = append(batch, raw...)
			sent++
		}
		_ = h.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if _, err := h.conn.Write(batch); err != nil {
			t.Fatalf("session ended early: %v", err)
		}
		switch {
		case !framed: // the rest of the stream means nothing
		case ends == nil:
			continue
		default:
			if got, _ := h.answer(5 * time.Second); got == nil || got.Code != ends.Code || got.Subcode != ends.Subcode {
				t.Fatalf("answered with %v, want %v, after %x", got, ends, batch)
			}
		}
		h.conn.Close()
		sessions++
		h.connect()
	}
	t.Logf("%d messages over %d sessions in %s", messages, sessions+1, time.Since(begun).Round(time.Millisecond))
	if got := good.Counters(); good.Held() != 8 || got.Removed() != 0 || got.SessionsDown != 0 {
		t.Errorf("the good neighbor holds %d routes, %+v", good.Held(), got)
	}
	if n := log.prefixes(bgp.Withdrawn, speakertest.Peer); n != 0 {
		t.Errorf("%d withdrawn", n)
	}
	if err := l.guard.Apply(t.Context(), targetFor(l.cfg, 2, speakertest.Wants(9))); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "GoBGP still works", func() bool { return good.Held() == 9 })
}

// A storm of 100 flaps leaves no goroutine and no memory behind.
func TestFlapStorm(t *testing.T) {
	l := newGuardLab(t, func(c *Config) { c.Neighbors = c.Neighbors[:1] })
	applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(1000)))
	transit := l.neighbors[speakertest.Transit]
	up := func() bool { return transit.Held() == 1000 && transit.Established() }
	waitFor(t, "the table", up)
	settle := func() int {
		lowest := runtime.NumGoroutine()
		for range 50 {
			time.Sleep(10 * time.Millisecond)
			lowest = min(lowest, runtime.NumGoroutine())
		}
		return lowest
	}
	var before, after runtime.MemStats
	goroutines := settle()
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := time.Now()
	for i := range 100 {
		opens := len(transit.Opens())
		transit.Drop()
		waitFor(t, "the session is back", func() bool { return len(transit.Opens()) > opens && transit.Established() })
		_ = i
	}
	waitFor(t, "the table is back", up)
	t.Logf("100 flaps in %s", time.Since(begun).Round(time.Millisecond))
	if now := settle(); now > goroutines {
		t.Errorf("%d goroutines before, %d after", goroutines, now)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if c := transit.Counters(); c.Removed() != 0 {
		t.Errorf("%d routes lost", c.Removed())
	}
}

// The neighbor's hold time of zero, a wrong AS and ADD-PATH: refused, refused,
// and never answered in kind.
func TestOpensThatAreRefused(t *testing.T) {
	l, h := hostileLab(t, nil)
	applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(8)))
	role, _ := wire.RoleCapability(policy.RoleProvider)
	peer, _ := wire.RoleCapability(policy.RolePeer)
	mp := wire.MultiprotocolCapability(wire.IPv4Unicast)
	for _, c := range []struct {
		name    string
		open    wire.Open
		subcode uint8
	}{
		{"hold time 0", wire.NewOpen(64666, 0, h.local, wire.Capabilities{mp}), wire.SubUnacceptableHoldTime},
		{"hold time 1", wire.NewOpen(64666, 1, h.local, wire.Capabilities{mp}), wire.SubUnacceptableHoldTime},
		{"another AS", wire.NewOpen(64667, 90, h.local, wire.Capabilities{mp}), wire.SubBadPeerAS},
		{"role peer for a provider", wire.NewOpen(64666, 90, h.local, wire.Capabilities{mp, peer}), wire.SubRoleMismatch},
		{"two roles", wire.NewOpen(64666, 90, h.local, wire.Capabilities{mp, role, peer}), wire.SubRoleMismatch},
		{"no family of ours", wire.NewOpen(64666, 90, h.local, wire.Capabilities{wire.MultiprotocolCapability(wire.Family{AFI: 25, SAFI: 70})}), wire.SubUnsupportedCapability},
	} {
		raw, err := c.open.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, c.name, func() bool {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: h.local.AsSlice()}, Timeout: time.Second}
			if h.conn, err = d.Dial("tcp", h.to.String()); err != nil {
				return false
			}
			h.r = wire.NewReader(bufio.NewReader(h.conn))
			if _, err := h.conn.Write(raw); err != nil {
				return false
			}
			n, _ := h.answer(5 * time.Second)
			return n != nil && n.Code == wire.CodeOpen && n.Subcode == c.subcode
		})
	}
}
