package neighbor

import (
	"encoding/hex"
	"net"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"go.uber.org/goleak"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadUpdate(t *testing.T) {
	med := uint32(20)
	u, err := readUpdate(unhex(t, ""+
		"0004"+"180a0102"+ // withdrawn 10.1.2.0/24
		"002e"+
		"40010100"+ // ORIGIN IGP
		"40020a02020000fbf40000fbf5"+ // AS_PATH 64500 64501
		"400304c0000201"+ // NEXT_HOP
		"80040400000014"+ // MED 20
		"c00804fbf40064"+ // 64500:100
		"d0230004"+"0000fbf4"+ // OTC, extended length
		"18140000"+"1014aa")) // 20.0.0.0/24, 20.170.0.0/16
	if err != nil {
		t.Fatal(err)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}; !reflect.DeepEqual(u.withdrawn, want) {
		t.Errorf("withdrawn %v", u.withdrawn)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("20.0.0.0/24"), netip.MustParsePrefix("20.170.0.0/16")}; !reflect.DeepEqual(u.announced, want) {
		t.Errorf("announced %v", u.announced)
	}
	got, err := u.decode()
	if err != nil {
		t.Fatal(err)
	}
	want := &Attributes{Attributes: snapshots.Attributes{
		ASPath: []uint32{64500, 64501}, NextHop: netip.MustParseAddr("192.0.2.1"), MED: &med,
		Communities: []policy.Community{64500<<16 | 100},
	}, Others: []uint8{35}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("attributes %+v, want %+v", got, want)
	}
}

func TestReadUpdateIPv6AndEndOfRIB(t *testing.T) {
	u, err := readUpdate(unhex(t, "0000"+"0026"+"40010102"+"800e1f"+"0002"+"01"+"10"+"20010db8000000000000000000000001"+"00"+"2020010db8"+"3020010db80001"))
	if err == nil {
		t.Fatalf("a short attribute list was read: %+v", u)
	}
	u, err = readUpdate(unhex(t, "0000"+"0028"+"40010102"+"800e21"+"0002"+"01"+"10"+"20010db8000000000000000000000001"+"00"+"2020010db8"+"3020010db80001"))
	if err != nil {
		t.Fatal(err)
	}
	if len(u.announced) != 2 || u.announced[1] != netip.MustParsePrefix("2001:db8:1::/48") || u.nextHop != netip.MustParseAddr("2001:db8::1") {
		t.Errorf("read %+v", u)
	}
	a, err := u.decode()
	if err != nil || a.Origin != Incomplete || a.NextHop != u.nextHop {
		t.Errorf("attributes %+v, %v", a, err)
	}
	for text, family := range map[string]addressing.Family{"00000000": addressing.IPv4, "00000006800f03000201": addressing.IPv6} {
		if u, err := readUpdate(unhex(t, text)); err != nil || u.endOfRIB != family {
			t.Errorf("%s: end-of-rib %v, %v", text, u.endOfRIB, err)
		}
	}
}

func FuzzReadUpdate(f *testing.F) {
	f.Add(unhex(f, "00000000"))
	f.Add(unhex(f, "00000006800f03000201"))
	f.Add(unhex(f, "0004180a01020000"))
	f.Add(unhex(f, "0000002840010102800e2100020110"+"20010db8000000000000000000000001"+"00"+"2020010db8"+"3020010db80001"))
	f.Fuzz(func(t *testing.T, body []byte) {
		u, err := readUpdate(body)
		if err != nil {
			return
		}
		for _, p := range append(u.announced, u.withdrawn...) {
			if !p.IsValid() || p != p.Masked() {
				t.Errorf("prefix %v", p)
			}
		}
		_, _ = u.decode() // it must not panic
	})
}

// speaker is the other side, driven by hand.
type speaker struct {
	t    *testing.T
	conn net.Conn
}

func dial(t *testing.T, n *Neighbor) *speaker {
	t.Helper()
	conn, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &speaker{t: t, conn: conn}
}

func (s *speaker) open(restarting bool) {
	s.t.Helper()
	tuples := []*bgp.CapGracefulRestartTuple{bgp.NewCapGracefulRestartTuple(bgp.RF_IPv4_UC, restarting)}
	s.send(bgp.NewBGPOpenMessage(64500, 90, "192.0.2.200", []bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(
		[]bgp.ParameterCapabilityInterface{
			bgp.NewCapMultiProtocol(bgp.RF_IPv4_UC), bgp.NewCapFourOctetASNumber(64500),
			bgp.NewCapGracefulRestart(restarting, true, 60, tuples),
		})}))
	s.send(bgp.NewBGPKeepAliveMessage())
}

func (s *speaker) send(m *bgp.BGPMessage) {
	s.t.Helper()
	if err := send(s.conn, m); err != nil {
		s.t.Fatal(err)
	}
}

func (s *speaker) announce(prefixes ...string) {
	s.t.Helper()
	var nlri []*bgp.IPAddrPrefix
	for _, p := range prefixes {
		parsed := netip.MustParsePrefix(p)
		nlri = append(nlri, bgp.NewIPAddrPrefix(uint8(parsed.Bits()), parsed.Addr().String()))
	}
	s.send(bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(0), bgp.NewPathAttributeNextHop("192.0.2.1"),
		bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(2, []uint32{64500})}),
	}, nlri))
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func newListener(t *testing.T) *Neighbor {
	t.Helper()
	n, err := New(Config{
		ASN: 4200000001, RouterID: netip.MustParseAddr("192.0.2.9"), Listen: netip.MustParseAddrPort("127.0.0.1:0"), PeerASN: 64500,
		Families: []addressing.Family{addressing.IPv4}, GracefulRestart: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// RFC 4724 section 4.2: what a restarting speaker does not send again goes at
// its End-of-RIB, and not before.
func TestGracefulRestartHelper(t *testing.T) {
	n := newListener(t)
	s := dial(t, n)
	s.open(false)
	s.announce("20.0.0.0/24", "20.0.1.0/24")
	wait(t, "two routes", func() bool { return n.Held() == 2 })
	s.conn.Close()
	wait(t, "session down", func() bool { return !n.Established() })
	if r, _ := n.Route(netip.MustParsePrefix("20.0.0.0/24")); !r.Stale || n.Held() != 2 {
		t.Errorf("after the break: %+v of %d routes", r, n.Held())
	}
	s = dial(t, n)
	s.open(true)
	s.announce("20.0.0.0/24")
	s.send(bgp.NewEndOfRib(bgp.RF_IPv4_UC))
	wait(t, "end-of-rib", func() bool { return n.Counters().EndOfRIB == 1 })
	if c := n.Counters(); n.Held() != 1 || c.Flushed != 1 || c.Duplicate != 1 || c.Withdrawn != 0 {
		t.Errorf("held %d, counters %+v", n.Held(), c)
	}
	if opens := n.Opens(); len(opens) != 2 || opens[0].Restarting || !opens[1].Restarting || !opens[1].Notification || len(opens[1].Forwarding) != 1 {
		t.Errorf("opens %+v", opens)
	}
}

// Without the Forwarding State bit stale routes go at once, and a NOTIFICATION
// ends everything.
func TestRoutesThatAreNotKept(t *testing.T) {
	n := newListener(t)
	s := dial(t, n)
	s.open(false)
	s.announce("20.0.0.0/24", "20.0.1.0/24")
	wait(t, "two routes", func() bool { return n.Held() == 2 })
	s.conn.Close()
	wait(t, "session down", func() bool { return !n.Established() })
	s = dial(t, n)
	s.open(false)
	wait(t, "the stale routes go", func() bool { return n.Held() == 0 })
	s.announce("20.0.0.0/24")
	wait(t, "one route", func() bool { return n.Held() == 1 })
	s.send(bgp.NewBGPNotificationMessage(bgp.BGP_ERROR_CEASE, 2, nil))
	wait(t, "the route goes", func() bool { return n.Held() == 0 })
	if c := n.Counters(); c.Flushed != 3 || c.Notifications != 1 || c.Removed() != 3 {
		t.Errorf("counters %+v", c)
	}
	log := n.Log()
	if len(log) == 0 || log[0].What != "up" || log[len(log)-1].Held != 0 {
		t.Errorf("log %+v", log)
	}
}

func TestWrongASIsRefused(t *testing.T) {
	n, err := New(Config{ASN: 1, RouterID: netip.MustParseAddr("192.0.2.9"), Listen: netip.MustParseAddrPort("127.0.0.1:0"), PeerASN: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s := dial(t, n)
	s.open(false)
	for {
		kind, body, err := readMessage(s.conn, nil)
		if err != nil {
			t.Fatal(err)
		}
		if kind == bgp.BGP_MSG_NOTIFICATION {
			if body[0] != 2 || body[1] != 2 {
				t.Errorf("notification %d/%d, want 2/2", body[0], body[1])
			}
			return
		}
	}
}
