//go:build interop && linux

package frrdiff

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/holdfast-bgp/holdfast/policy/device/cases"
)

// sent is a route as a neighbor received it.
type sent struct {
	path        []uint32
	communities []string
	large       []string
}

// speaker is one BGP session of the test: it announces routes and keeps what
// it is sent.
type speaker struct {
	addr netip.Addr
	asn  uint32
	conn net.Conn

	mu     sync.Mutex
	routes map[netip.Prefix]sent
	ended  bool // End-of-RIB seen, RFC 4724 section 2
	err    error
}

// dial opens a session from an address of the test and comes back when it is
// established.
func dial(t *testing.T, from, to netip.Addr, asn uint32) *speaker {
	t.Helper()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: 10 * time.Second}
	s := &speaker{addr: from, asn: asn, routes: map[netip.Prefix]sent{}}
	var err error
	for range 40 {
		if s.conn, err = d.Dial("tcp", netip.AddrPortFrom(to, 179).String()); err == nil {
			if err = s.open(); err == nil {
				break
			}
			s.conn.Close()
		}
		time.Sleep(250 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("session from %s: %v", from, err)
	}
	t.Cleanup(func() { s.conn.Close() })
	go s.read()
	return s
}

func (s *speaker) open() error {
	caps := []bgp.ParameterCapabilityInterface{
		bgp.NewCapMultiProtocol(bgp.RF_IPv4_UC), bgp.NewCapFourOctetASNumber(s.asn), bgp.NewCapRouteRefresh(),
		bgp.NewCapGracefulRestart(false, false, 120, []*bgp.CapGracefulRestartTuple{bgp.NewCapGracefulRestartTuple(bgp.RF_IPv4_UC, true)}),
	}
	as2 := uint16(bgp.AS_TRANS)
	if s.asn < 1<<16 {
		as2 = uint16(s.asn)
	}
	if err := s.write(bgp.NewBGPOpenMessage(as2, 600, s.addr.String(), []bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(caps)})); err != nil {
		return err
	}
	if err := s.write(bgp.NewBGPKeepAliveMessage()); err != nil {
		return err
	}
	for established := false; !established; {
		typ, _, err := s.message()
		if err != nil {
			return err
		}
		established = typ == bgp.BGP_MSG_KEEPALIVE
	}
	return nil
}

func (s *speaker) write(m *bgp.BGPMessage) error {
	data, err := m.Serialize()
	if err == nil {
		_, err = s.conn.Write(data)
	}
	return err
}

func (s *speaker) message() (uint8, []byte, error) {
	head := make([]byte, bgp.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(s.conn, head); err != nil {
		return 0, nil, err
	}
	body := make([]byte, int(binary.BigEndian.Uint16(head[16:]))-len(head))
	if _, err := io.ReadFull(s.conn, body); err != nil {
		return 0, nil, err
	}
	if head[18] == bgp.BGP_MSG_NOTIFICATION {
		return 0, nil, fmt.Errorf("NOTIFICATION %d/%d", body[0], body[1])
	}
	return head[18], append(head, body...), nil
}

// read keeps what is received until the session ends.
func (s *speaker) read() {
	for {
		typ, data, err := s.message()
		if err == nil && typ == bgp.BGP_MSG_UPDATE {
			err = s.update(data)
		}
		if err == nil && typ == bgp.BGP_MSG_KEEPALIVE {
			err = s.write(bgp.NewBGPKeepAliveMessage())
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			return
		}
	}
}

func (s *speaker) update(data []byte) error {
	m, err := bgp.ParseBGPMessage(data)
	if err != nil {
		return err
	}
	u := m.Body.(*bgp.BGPUpdate)
	s.mu.Lock()
	defer s.mu.Unlock()
	if end, _ := u.IsEndOfRib(); end {
		s.ended = true
		return nil
	}
	for _, w := range u.WithdrawnRoutes {
		delete(s.routes, netip.MustParsePrefix(w.String()))
	}
	r := attributes(u.PathAttributes)
	for _, n := range u.NLRI {
		s.routes[netip.MustParsePrefix(n.String())] = r
	}
	return nil
}

func attributes(as []bgp.PathAttributeInterface) (r sent) {
	for _, a := range as {
		switch t := a.(type) {
		case *bgp.PathAttributeAsPath:
			for _, p := range t.Value {
				r.path = append(r.path, p.GetAS()...)
			}
		case *bgp.PathAttributeCommunities:
			for _, c := range t.Value {
				r.communities = append(r.communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
			}
		case *bgp.PathAttributeLargeCommunities:
			for _, c := range t.Values {
				r.large = append(r.large, fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2))
			}
		}
	}
	return r
}

// settled is nil once the neighbor has sent its whole table.
func (s *speaker) settled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || !s.ended {
		return fmt.Errorf("session from %s: End-of-RIB %v, %v", s.addr, s.ended, s.err)
	}
	return nil
}

// announce sends routes.
func (s *speaker) announce(t *testing.T, routes []cases.Route) {
	t.Helper()
	for _, r := range routes {
		attrs := []bgp.PathAttributeInterface{
			bgp.NewPathAttributeOrigin(0),
			bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, r.ASPath)}),
			bgp.NewPathAttributeNextHop(s.addr.String()),
		}
		if len(r.ASPath) == 0 {
			attrs[1] = bgp.NewPathAttributeAsPath(nil)
		}
		if r.MED != nil {
			attrs = append(attrs, bgp.NewPathAttributeMultiExitDisc(*r.MED))
		}
		if r.LocalPref != nil && r.Session == "ibgp" {
			attrs = append(attrs, bgp.NewPathAttributeLocalPref(*r.LocalPref))
		}
		if len(r.Communities) > 0 {
			var values []uint32
			for _, c := range r.Communities {
				values = append(values, numeric(t, c))
			}
			attrs = append(attrs, bgp.NewPathAttributeCommunities(values))
		}
		if len(r.Large) > 0 {
			var values []*bgp.LargeCommunity
			for _, c := range r.Large {
				v, err := bgp.ParseLargeCommunity(c)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, v)
			}
			attrs = append(attrs, bgp.NewPathAttributeLargeCommunities(values))
		}
		nlri := bgp.NewIPAddrPrefix(uint8(r.Prefix.Bits()), r.Prefix.Addr().String())
		if err := s.write(bgp.NewBGPUpdateMessage(nil, attrs, []*bgp.IPAddrPrefix{nlri})); err != nil {
			t.Fatal(err)
		}
	}
}

func numeric(t *testing.T, c string) uint32 {
	t.Helper()
	high, low, _ := strings.Cut(c, ":")
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	if err1 != nil || err2 != nil {
		t.Fatalf("community %q", c)
	}
	return uint32(h<<16 | l)
}

// differences compares what a neighbor was sent with the evaluator's answer.
func (s *speaker) differences(a *cases.Answer) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range a.Decisions {
		d := &a.Decisions[i]
		got, ok := s.routes[d.Prefix]
		want := map[bool]string{true: "accept", false: "reject"}[ok]
		if d.Action.String() != want {
			out = append(out, fmt.Sprintf("%s %s: %s %s, the daemon: %s %v\n%+v", a.ID, d.Prefix, d.Action, d.Why, want, got, d.Result.Trace))
			continue
		}
		if !ok {
			continue
		}
		var large []string
		for _, c := range d.Result.Route.Communities {
			if strings.Count(c.Text, ":") == 2 {
				large = append(large, c.Text)
			}
		}
		// An attribute is a set; GoBGP repeats a value that is added twice.
		got.communities, got.large = distinct(got.communities), distinct(got.large)
		ours := distinct(d.Communities)
		large = distinct(large)
		if !slices.Equal(got.path, d.ASPath) || !slices.Equal(got.communities, ours) || !slices.Equal(got.large, large) {
			out = append(out, fmt.Sprintf("%s %s: %v %v %v, the daemon: %v %v %v\n%+v", a.ID, d.Prefix, d.ASPath, ours, large, got.path, got.communities, got.large, d.Result.Trace))
		}
	}
	return out
}

func distinct(values []string) []string { return slices.Compact(slices.Sorted(slices.Values(values))) }
