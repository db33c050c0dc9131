package station

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/bmp"
)

func listening(t *testing.T) *Station {
	t.Helper()
	s, err := New(Config{
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Own: []uint32{ours},
		Routers: []Router{{Name: "ams1", Addresses: []netip.Addr{addr("127.0.0.2")}}},
	}, slog.New(slog.DiscardHandler), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, s *Station, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(t.Context(), "tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func say(t *testing.T, conn net.Conn, k bmp.Kind, body ...byte) {
	t.Helper()
	raw := binary.BigEndian.AppendUint32([]byte{3}, uint32(6+len(body)))
	if _, err := conn.Write(append(append(raw, byte(k)), body...)); err != nil {
		t.Fatal(err)
	}
}

// closed waits until the other side closes.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("a station says nothing")
	} else if e, timeout := err.(net.Error); timeout && e.Timeout() {
		t.Fatal("the connection stays open")
	} else if err != io.EOF {
		t.Log(err)
	}
}

// state waits for a state of the only router.
func state(t *testing.T, s *Station, want func(RouterStatus) bool) {
	t.Helper()
	for range 2000 {
		if all, _ := s.Routers(time.Now()); want(all[0]) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	all, refused := s.Routers(time.Now())
	t.Fatalf("%+v, %d refused", all[0], refused)
}

// Only routers that are configured are let in, one connection each, and who does
// not speak BMP is not listened to.
func TestListen(t *testing.T) {
	s := listening(t)
	closed(t, dial(t, s, "127.0.0.3"))
	if _, refused := s.Routers(time.Now()); refused != 1 {
		t.Errorf("%d refused", refused)
	}

	rude := dial(t, s, "127.0.0.2")
	say(t, rude, bmp.Termination)
	closed(t, rude)

	first := dial(t, s, "127.0.0.2")
	say(t, first, bmp.Initiation, 0, 2, 0, 4, 'a', 'm', 's', '1')
	state(t, s, func(r RouterStatus) bool { return r.Up && r.System == "ams1" })

	second := dial(t, s, "127.0.0.2")
	closed(t, first)
	say(t, second, bmp.Initiation)
	state(t, s, func(r RouterStatus) bool { return r.Up && r.System == "" })
	say(t, second, bmp.Kind(9)) // spoilt, and the next is read
	state(t, s, func(r RouterStatus) bool { return r.Up && r.Malformed == 1 })
	if _, err := second.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	closed(t, second)
	state(t, s, func(r RouterStatus) bool { return !r.Up && r.Why != "" })
}

// A router that goes from the configuration loses its connection; one that stays
// keeps what it said.
func TestConfigure(t *testing.T) {
	s := listening(t)
	conn := dial(t, s, "127.0.0.2")
	say(t, conn, bmp.Initiation, 0, 2, 0, 1, 'x')
	state(t, s, func(r RouterStatus) bool { return r.System == "x" })
	cfg := s.cfg
	cfg.Routers = append(cfg.Routers[:1:1], Router{Name: "fra1", Addresses: []netip.Addr{addr("127.0.0.3")}})
	if err := s.Configure(cfg, time.Now()); err != nil {
		t.Fatal(err)
	}
	state(t, s, func(r RouterStatus) bool { return r.Up && r.System == "x" })
	cfg.Routers = cfg.Routers[1:]
	if err := s.Configure(cfg, time.Now()); err != nil {
		t.Fatal(err)
	}
	closed(t, conn)
	for name, routers := range map[string][]Router{
		"two of a name":    {{Name: "a", Addresses: []netip.Addr{addr("127.0.0.2")}}, {Name: "a", Addresses: []netip.Addr{addr("127.0.0.3")}}},
		"two of a address": {{Name: "a", Addresses: []netip.Addr{addr("127.0.0.2")}}, {Name: "b", Addresses: []netip.Addr{addr("127.0.0.2")}}},
		"no address":       {{Name: "a"}},
		"outside, no AS":   {{Name: "a", Outside: true, Addresses: []netip.Addr{addr("127.0.0.2")}}},
	} {
		cfg.Routers = routers
		if s.Configure(cfg, time.Now()) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
