package bmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bmp"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// message writes a message; peer is nil for one without a per-peer header.
func message(k Kind, peer, body []byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte{gobgp.BMP_VERSION}, uint32(headerLen+len(peer)+len(body)))
	return append(append(append(out, byte(k)), peer...), body...)
}

func peerHeader(t testing.TB, kind, flags uint8, address string) []byte {
	t.Helper()
	raw, err := gobgp.NewBMPPeerHeader(kind, flags, 0, address, 64601, "192.0.2.9", 1_800_000_000.25).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func open(t testing.TB, asn uint32, addPath byte) []byte {
	t.Helper()
	cs := wire.Capabilities{wire.MultiprotocolCapability(wire.IPv4Unicast)}
	if addPath != 0 {
		cs = append(cs, wire.Capability{Code: wire.CapAddPath, Value: []byte{0, 1, 1, addPath}})
	}
	o := wire.NewOpen(asn, 90, netip.MustParseAddr("192.0.2.1"), cs)
	raw, err := o.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func update(t testing.TB, prefixes ...string) []byte {
	t.Helper()
	var all []netip.Prefix
	for _, p := range prefixes {
		all = append(all, netip.MustParsePrefix(p))
	}
	attrs := wire.Attributes{Origin: wire.OriginIGP, ASPath: wire.Sequence(64500), NextHop: netip.MustParseAddr("192.0.2.1")}
	set, err := attrs.Intern()
	if err != nil {
		t.Fatal(err)
	}
	raw, _, err := wire.Encoding{}.AppendAdvertise(nil, set, all)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// samples are one good message of each kind and view.
func samples(t testing.TB) map[string][]byte {
	up := append(make([]byte, 12), 192, 0, 2, 1, 0, 179, 0x30, 0x39)
	up = append(append(up, open(t, 64500, 0)...), open(t, 64601, 0)...)
	text := []byte{0, 2, 0, 4, 'a', 'm', 's', '1', 0, 1, 0, 3, 'F', 'R', 'R'}
	return map[string][]byte{
		"initiation":  message(Initiation, nil, text),
		"termination": message(Termination, nil, []byte{0, 1, 0, 2, 0, 4}),
		"peer up":     message(PeerUp, peerHeader(t, 0, 0, "203.0.113.1"), up),
		"peer down":   message(PeerDown, peerHeader(t, 0, 0, "203.0.113.1"), []byte{4}),
		"statistics":  message(Statistics, peerHeader(t, 0, 0, "203.0.113.1"), []byte{0, 0, 0, 1, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9}),
		"mirroring":   message(RouteMirroring, peerHeader(t, 0, 0, "203.0.113.1"), []byte{0, 1, 0, 2, 0, 1}),
		"in pre":      message(RouteMonitoring, peerHeader(t, 0, 0, "203.0.113.1"), update(t, "198.51.100.0/24")),
		"in post":     message(RouteMonitoring, peerHeader(t, 0, 0x40, "2001:db8::1"), update(t, "198.51.100.0/24", "192.0.2.0/25")),
		"out pre":     message(RouteMonitoring, peerHeader(t, 0, 0x10, "203.0.113.1"), update(t, "198.51.100.0/24")),
		"out post":    message(RouteMonitoring, peerHeader(t, 1, 0x50, "203.0.113.1"), update(t, "198.51.100.0/24")),
		"loc-rib":     message(RouteMonitoring, peerHeader(t, 3, 0, "0.0.0.0"), update(t, "198.51.100.0/24")),
		"end of rib":  message(RouteMonitoring, peerHeader(t, 0, 0x40, "203.0.113.1"), wire.AppendEndOfRIB(nil, wire.IPv6Unicast)),
	}
}

func parse(t *testing.T, raw []byte) Message {
	t.Helper()
	m, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParse(t *testing.T) {
	all := samples(t)
	for name, want := range map[string]View{"in pre": InPrePolicy, "in post": InPostPolicy, "out pre": OutPrePolicy, "out post": OutPostPolicy, "loc-rib": LocRIB} {
		m := parse(t, all[name])
		var o wire.Observed
		if err := o.ReadUpdate(m.Update, wire.Recording{TwoOctetAS: m.TwoOctetAS}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := 0
		for range o.Advertisements() {
			n++
		}
		if m.Kind != RouteMonitoring || m.View != want || n == 0 || m.Peer.ASN != 64601 {
			t.Errorf("%s: %+v with %d prefixes", name, m, n)
		}
		if _, end := o.EndOfRIB(); end {
			t.Errorf("%s: is no End-of-RIB marker", name)
		}
	}
	if a := parse(t, all["in post"]).Peer.Address; a != netip.MustParseAddr("2001:db8::1") {
		t.Errorf("peer %s", a)
	}
	if m := parse(t, all["in pre"]); m.Peer.RouterID != netip.MustParseAddr("192.0.2.9") || m.At.UnixMilli() != 1_800_000_000_250 {
		t.Errorf("header: %+v", m)
	}
	if m := parse(t, all["initiation"]); m.SystemName != "ams1" {
		t.Errorf("system name %q", m.SystemName)
	}
	if m := parse(t, all["termination"]); m.Reason != 4 {
		t.Errorf("reason %d", m.Reason)
	}
	if m := parse(t, all["peer down"]); m.Reason != 4 {
		t.Errorf("reason %d", m.Reason)
	}
	if up := parse(t, all["peer up"]).Up; up.Local != netip.MustParseAddr("192.0.2.1") || up.LocalASN != 64500 || up.AddPathIn || up.AddPathOut {
		t.Errorf("peer up: %+v", up)
	}
	var o wire.Observed
	if err := o.ReadUpdate(parse(t, all["end of rib"]).Update, wire.Recording{}); err != nil {
		t.Fatal(err)
	}
	if f, end := o.EndOfRIB(); !end || f != wire.IPv6Unicast {
		t.Errorf("End-of-RIB of %v, %v", f, end)
	}
}

// Several paths for a prefix come in only when the peer sends and the router
// receives them.
func TestAddPath(t *testing.T) {
	for _, c := range []struct {
		router, peer byte
		in, out      bool
	}{{0, 3, false, false}, {1, 2, true, false}, {2, 1, false, true}, {3, 3, true, true}, {1, 1, false, false}} {
		up := append(make([]byte, 20), open(t, 64500, c.router)...)
		up = append(up, open(t, 64601, c.peer)...)
		got := parse(t, message(PeerUp, peerHeader(t, 0, 0, "203.0.113.1"), up)).Up
		if got.AddPathIn != c.in || got.AddPathOut != c.out {
			t.Errorf("router %d, peer %d: %+v", c.router, c.peer, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	all := samples(t)
	changed := func(name string, at int, to byte) []byte {
		out := bytes.Clone(all[name])
		out[at] = to
		return out
	}
	peer := peerHeader(t, 0, 0, "203.0.113.1")
	for name, c := range map[string]struct {
		raw   []byte
		lost  bool // ends the connection
		wants string
	}{
		"nothing":               {nil, true, "no header"},
		"version 1":             {changed("initiation", 0, 1), true, "version 1"},
		"too long":              {[]byte{3, 0, 2, 0, 1, 0}, true, "at most"},
		"shorter than a header": {[]byte{3, 0, 0, 0, 5, 4}, true, "shorter"},
		"cut":                   {all["peer up"][:60], true, "have 60"},
		"unknown type":          {changed("initiation", 5, 9), false, "does not exist"},
		"no peer header":        {message(RouteMonitoring, nil, nil), false, "at least"},
		"unknown peer type":     {changed("in pre", headerLen, 9), false, "peer type 9"},
		"no UPDATE inside":      {changed("in pre", perPeerMin+18, 4), false, "KEEPALIVE"},
		"UPDATE leaves":         {changed("in pre", perPeerMin+16, 9), false, "UPDATE of"},
		"two UPDATEs":           {message(RouteMonitoring, peer, append(update(t, "192.0.2.0/24"), update(t, "192.0.2.0/24")...)), false, "follow"},
		"no second OPEN":        {message(PeerUp, peer, append(make([]byte, 20), append(open(t, 1, 0), make([]byte, 40)...)...)), false, "type 0"},
		"TLV leaves":            {message(Initiation, nil, []byte{0, 2, 0, 9, 'x'}), false, "leaves"},
		"reason of one octet":   {message(Termination, nil, []byte{0, 1, 0, 1, 0}), false, "reason"},
	} {
		_, err := Parse(c.raw)
		if err == nil || errors.Is(err, ErrFraming) != c.lost || errors.Is(err, ErrMessage) == c.lost || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReader(t *testing.T) {
	all := samples(t)
	bad := message(Kind(9), nil, []byte("x"))
	r := NewReader(bytes.NewReader(bytes.Join([][]byte{all["initiation"], bad, all["peer up"], all["in pre"][:30]}, nil)))
	if m, err := r.Next(); err != nil || m.Kind != Initiation {
		t.Fatal(m, err)
	}
	if _, err := r.Next(); err == nil || errors.Is(err, ErrFraming) {
		t.Fatalf("one bad message: %v", err)
	}
	if m, err := r.Next(); err != nil || m.Kind != PeerUp {
		t.Fatal("the message after a bad one:", m, err)
	}
	if _, err := r.Next(); !errors.Is(err, ErrFraming) {
		t.Fatalf("cut message: %v", err)
	}
	if _, err := NewReader(strings.NewReader("")).Next(); err != io.EOF {
		t.Fatalf("the end: %v", err)
	}
	if _, err := NewReader(bytes.NewReader([]byte{3, 0xff, 0xff, 0xff, 0xff, 0})).Next(); !errors.Is(err, ErrFraming) {
		t.Fatalf("a length of 4 GiB: %v", err)
	}
}

// check is what holds for any input.
func check(t *testing.T, raw []byte) (accepted bool) {
	t.Helper()
	m, err := Parse(raw)
	if err != nil {
		return false
	}
	if m.Kind == RouteMonitoring && (m.View == NoView || len(m.Update) > len(raw)-perPeerMin-wire.HeaderLen) {
		t.Fatalf("route monitoring without a view, or with more than came: %+v", m)
	}
	if strings.ContainsFunc(m.SystemName, func(r rune) bool { return r < ' ' || r > '~' }) || len(m.SystemName) > maxName {
		t.Fatalf("system name %q", m.SystemName)
	}
	var o wire.Observed
	if m.Kind == RouteMonitoring && o.ReadUpdate(m.Update, wire.Recording{TwoOctetAS: m.TwoOctetAS}) == nil {
		for p := range o.Advertisements() {
			if !p.IsValid() {
				t.Fatal("an invalid prefix")
			}
		}
	}
	return true
}

// A hundred thousand mutated messages: none stops the program, and what is
// accepted is well formed.
func TestMutatedMessages(t *testing.T) {
	all := samples(t)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	rnd := rand.New(rand.NewPCG(7854, 8671))
	accepted := 0
	for range 100_000 {
		raw := bytes.Clone(all[names[rnd.IntN(len(names))]])
		for range 1 + rnd.IntN(4) {
			switch at := rnd.IntN(len(raw)); rnd.IntN(4) {
			case 0:
				raw[at] ^= 1 << rnd.IntN(8)
			case 1:
				raw[at] = byte(rnd.Uint32())
			case 2:
				raw = append(raw[:at], append([]byte{byte(rnd.Uint32())}, raw[at:]...)...)
			default:
				if len(raw) > headerLen+1 {
					raw = raw[:len(raw)-1]
				}
			}
		}
		if rnd.IntN(2) == 0 && len(raw) >= headerLen { // past the first check
			binary.BigEndian.PutUint32(raw[1:], uint32(len(raw)))
		}
		if check(t, raw) {
			accepted++
		}
	}
	if accepted < 1000 || accepted > 99_000 {
		t.Errorf("%d of 100,000 were accepted: the mutations test nothing", accepted)
	}
}

func FuzzParse(f *testing.F) {
	for _, raw := range samples(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { check(t, raw) })
}
