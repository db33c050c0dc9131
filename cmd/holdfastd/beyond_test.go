package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/bmp"
	"github.com/holdfast-bgp/holdfast/bgp/station"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// toldNeighbor is a speaker that has sent one edge a few prefixes.
type toldNeighbor struct {
	bgp.Speaker
	prefixes []netip.Prefix
}

func (s toldNeighbor) Neighbors(context.Context) ([]bgp.NeighborStatus, error) {
	return []bgp.NeighborStatus{{Neighbor: policy.Neighbor{Name: "ams1"}, State: bgp.Established}}, nil
}

func (s toldNeighbor) Routes(context.Context, string) (out []snapshots.TargetRoute, err error) {
	for _, p := range s.prefixes {
		out = append(out, snapshots.TargetRoute{Prefix: p, Attrs: &snapshots.Attributes{}})
	}
	return out, nil
}

// bmpMessage writes a message of the session that the router at 127.0.0.2 has
// with us, after its import policy.
func bmpMessage(k bmp.Kind, body []byte) []byte {
	var peer []byte
	if k != bmp.Initiation {
		peer = make([]byte, 42)
		peer[1] = 0x40 // post-policy
		copy(peer[22:], []byte{127, 0, 0, 1})
		binary.BigEndian.PutUint32(peer[26:], 64500)
		copy(peer[30:], []byte{192, 0, 2, 10})
	}
	out := binary.BigEndian.AppendUint32([]byte{3}, uint32(6+len(peer)+len(body)))
	return append(append(append(out, byte(k)), peer...), body...)
}

// dumped is the start of a connection, and a table of the prefixes.
func dumped(t *testing.T, prefixes []netip.Prefix) []byte {
	t.Helper()
	o := wire.NewOpen(64500, 90, netip.MustParseAddr("192.0.2.10"), wire.Capabilities{wire.MultiprotocolCapability(wire.IPv4Unicast)})
	raw, err := o.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	attrs := wire.Attributes{NextHop: netip.MustParseAddr("192.0.2.1")}
	set, err := attrs.Intern()
	if err != nil {
		t.Fatal(err)
	}
	update, _, err := wire.Encoding{}.AppendAdvertise(nil, set, prefixes)
	if err != nil {
		t.Fatal(err)
	}
	out := bmpMessage(bmp.Initiation, nil)
	out = append(out, bmpMessage(bmp.PeerUp, append(append(make([]byte, 20), raw...), raw...))...)
	out = append(out, bmpMessage(bmp.RouteMonitoring, update)...)
	return append(out, bmpMessage(bmp.RouteMonitoring, wire.AppendEndOfRIB(nil, wire.IPv4Unicast))...)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// What a router tells is in the status, the metrics and the log, with router,
// session and number of prefixes; before it tells anything it is unknown there.
func TestBeyond(t *testing.T) {
	var prefixes []netip.Prefix
	for _, p := range []string{"198.18.0.0/24", "198.18.1.0/24", "198.18.2.0/24"} {
		prefixes = append(prefixes, netip.MustParsePrefix(p))
	}
	c := &config.Config{BGP: config.BGP{ASN: 64500, RouterID: netip.MustParseAddr("192.0.2.10"),
		Neighbors: []config.Neighbor{{Neighbor: policy.Neighbor{Name: "ams1", Kind: policy.Edge, ASN: 64500, LocalASN: 64500, Families: []addressing.Family{addressing.IPv4}}}}},
		BMP: config.BMP{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Routers: []station.Router{{Name: "ams1", Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.2")},
			Neighbors: []string{"ams1"}, Speakers: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}}}}
	logged := &lockedBuffer{}
	b, err := newBeyond(c, func() bgp.Speaker { return toldNeighbor{prefixes: prefixes} }, slog.New(slog.NewTextHandler(logged, nil)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.listen(t.Context())
	t.Cleanup(func() { shut(b.log, "BMP", b.station) })
	if got := strings.Join(b.risks(), "\n"); !strings.HasPrefix(got, "beyond_unknown: what ams1 does") {
		t.Errorf("before anything is told: %q", got)
	}

	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := d.DialContext(t.Context(), "tcp", b.station.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(dumped(t, prefixes[:1])); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	for range 2000 {
		if routers, _ := b.station.Routers(at); routers[0].Messages == 4 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for range 2 { // time passes between the two
		b.station.Assess(at, b.sent(t.Context()), true)
		b.tell()
		at = at.Add(time.Minute)
	}
	const sentence = "ams1 does not accept 2 prefix(es) that we send over ams1, e.g. 198.18.1.0/24"
	if got := b.risks(); len(got) != 1 || got[0] != "beyond_dropped: "+sentence {
		t.Errorf("risks: %q", got)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(b)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	gauges := map[string]float64{}
	for _, f := range families {
		gauges[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	if gauges["holdfast_beyond_prefixes"] != 2 || gauges["holdfast_bmp_router_up"] != 1 || gauges["holdfast_bmp_routes_kept"] != 1 {
		t.Errorf("metrics: %v", gauges)
	}
	if got := strings.Count(logged.String(), "alert=beyond_dropped router=ams1"); got != 1 || !strings.Contains(logged.String(), "prefixes=2") {
		t.Errorf("logged %d times in %s", got, logged)
	}
	findings, routers, _ := b.State()
	if len(findings) != 1 || findings[0].Kind != api.BeyondFindingKindDropped || findings[0].Summary != sentence || len(routers) != 1 || !routers[0].Up {
		t.Errorf("%+v %+v", findings, routers)
	}
	for p, want := range map[netip.Prefix]api.BeyondAnswer{prefixes[0]: api.BeyondAnswerYes, prefixes[1]: api.BeyondAnswerNo} {
		if s := b.Sightings(p, []string{"ams1"}); s[0].Stage != api.SightingStageAccepted || s[0].Answer != want {
			t.Errorf("%s: %+v", p, s)
		}
	}
}
