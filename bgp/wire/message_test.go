package wire

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/policy"
)

func TestCheckHeader(t *testing.T) {
	header := func(length uint16, t byte) []byte {
		h := bytes.Repeat([]byte{0xff}, 16)
		return append(h, byte(length>>8), byte(length), t)
	}
	broken := header(19, 4)
	broken[15] = 0
	tests := []struct {
		name    string
		header  []byte
		subcode uint8 // 0 for a good header
		data    []byte
	}{
		{"keepalive", header(19, 4), 0, nil},
		{"largest update", header(4096, 2), 0, nil},
		{"smallest open", header(29, 1), 0, nil},
		{"marker", broken, SubNotSynchronized, nil},
		{"marker comes before length and type", append(make([]byte, 16), 0, 0, 9), SubNotSynchronized, nil},
		{"length 18", header(18, 4), SubBadLength, []byte{0, 18}},
		{"length 4097", header(4097, 2), SubBadLength, []byte{0x10, 1}},
		{"length 65535", header(65535, 2), SubBadLength, []byte{0xff, 0xff}},
		{"open of 28", header(28, 1), SubBadLength, []byte{0, 28}},
		{"update of 22", header(22, 2), SubBadLength, []byte{0, 22}},
		{"notification of 20", header(20, 3), SubBadLength, []byte{0, 20}},
		{"keepalive of 20", header(20, 4), SubBadLength, []byte{0, 20}},
		{"route refresh of 24", header(24, 5), SubBadLength, []byte{0, 24}},
		{"type 0", header(19, 0), SubBadType, []byte{0}},
		{"type 6", header(40, 6), SubBadType, []byte{6}},
		{"type 255", header(4096, 255), SubBadType, []byte{255}},
		{"short", header(19, 4)[:18], SubBadLength, []byte{0, 18}},
	}
	for _, tt := range tests {
		length, typ, n := CheckHeader(tt.header)
		if tt.subcode == 0 {
			if n != nil || length == 0 || typ == 0 {
				t.Errorf("%s: got %d, %s, %v", tt.name, length, typ, n)
			}
			continue
		}
		if n == nil || n.Code != CodeHeader || n.Subcode != tt.subcode || !slices.Equal(n.Data, tt.data) {
			t.Errorf("%s: got %v, want 1/%d with %x", tt.name, n, tt.subcode, tt.data)
		}
	}
}

func TestReader(t *testing.T) {
	stream := AppendKeepalive(nil)
	stream = RouteRefresh{Family: IPv4Unicast}.Append(stream)
	stream = AppendEndOfRIB(stream, IPv6Unicast)
	for name, src := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "octet by octet": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		r := NewReader(src)
		for _, want := range []Type{TypeKeepalive, TypeRouteRefresh, TypeUpdate} {
			m, err := r.ReadMessage()
			if err != nil || m.Type != want || len(m.Raw) != HeaderLen+len(m.Body) {
				t.Fatalf("%s: got %s, %v, want %s", name, m.Type, err, want)
			}
		}
		if _, err := r.ReadMessage(); err != io.EOF {
			t.Errorf("%s: at the end: %v, want EOF", name, err)
		}
	}
	for cut := 1; cut < 23; cut++ {
		r := NewReader(bytes.NewReader(RouteRefresh{}.Append(nil)[:cut]))
		if _, err := r.ReadMessage(); err != io.ErrUnexpectedEOF {
			t.Errorf("cut after %d: %v, want unexpected EOF", cut, err)
		}
	}
	broken := errors.New("broken")
	if _, err := NewReader(iotest.ErrReader(broken)).ReadMessage(); !errors.Is(err, broken) {
		t.Errorf("got %v, want the source's error", err)
	}
	_, err := NewReader(bytes.NewReader(make([]byte, 100))).ReadMessage()
	wantNotification(t, err, CodeHeader, SubNotSynchronized, nil)
}

func TestParseMessageRefusesTails(t *testing.T) {
	if _, err := ParseMessage(append(AppendKeepalive(nil), 0)); err == nil {
		t.Error("a message with an octet after it was accepted")
	}
}

// TestPhases: which message may arrive when, and what answers the others.
func TestPhases(t *testing.T) {
	admitted := map[Phase][]Type{
		PhaseOpenSent:    {TypeOpen, TypeNotification},
		PhaseOpenConfirm: {TypeKeepalive, TypeNotification},
		PhaseEstablished: {TypeUpdate, TypeNotification, TypeKeepalive, TypeRouteRefresh},
	}
	for p := range Phase(6) {
		for typ := range Type(8) {
			n := p.Admit(typ)
			if want := slices.Contains(admitted[p], typ); (n == nil) != want {
				t.Errorf("phase %d, %s: got %v, want admitted %v", p, typ, n, want)
			}
			if n != nil && (n.Code != CodeFSM || n.Subcode != uint8(p) || !slices.Equal(n.Data, []byte{byte(typ)})) {
				t.Errorf("phase %d, %s: got %v with %x", p, typ, n, n.Data)
			}
		}
	}
}

func TestNotification(t *testing.T) {
	n := UnsupportedCapability(FourOctetASCapability(65001), MultiprotocolCapability(IPv6Unicast))
	raw := n.Append(nil)
	m, err := ParseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseNotification(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := Notification{Code: CodeOpen, Subcode: SubUnsupportedCapability, Data: unhex(t, "41 04 0000fde9 01 04 00020001")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := (&Notification{Code: 2, Subcode: 11}).Error(); got != "notification 2/11: role mismatch" {
		t.Errorf("got %q", got)
	}
	if got := (&Notification{Code: 99, Subcode: 1}).Error(); got != "notification 99/1: unassigned" {
		t.Errorf("got %q", got)
	}
	_, err = ParseNotification([]byte{6})
	wantNotification(t, err, CodeHeader, SubBadLength, []byte{0, 20})
	long := (&Notification{Code: CodeCease, Data: make([]byte, 5000)}).Append(nil)
	if _, err := ParseMessage(long); err != nil || len(long) != MaxMessageLen {
		t.Errorf("too much data: %d octets, %v", len(long), err)
	}
}

func TestCease(t *testing.T) {
	hard := Notification{Code: CodeCease, Subcode: SubHardReset, Data: []byte{6, 2, 4, 'b', 'y', 'e', '\n'}}
	inner, ok := hard.HardReset()
	if !ok || inner.Subcode != SubAdminShutdown || inner.ShutdownText() != "bye." {
		t.Errorf("got %v, %v, %q", inner, ok, inner.ShutdownText())
	}
	for name, n := range map[string]Notification{
		"length over the data": {Code: CodeCease, Subcode: SubAdminShutdown, Data: []byte{9, 'a'}},
		"not UTF-8":            {Code: CodeCease, Subcode: SubAdminReset, Data: []byte{1, 0xff}},
		"no data":              {Code: CodeCease, Subcode: SubAdminShutdown},
		"another subcode":      {Code: CodeCease, Subcode: SubCollision, Data: []byte{1, 'a'}},
	} {
		if text := n.ShutdownText(); text != "" {
			t.Errorf("%s: text %q", name, text)
		}
		if _, ok := n.HardReset(); ok {
			t.Errorf("%s: taken for a hard reset", name)
		}
	}
	if _, ok := (&Notification{Code: CodeCease, Subcode: SubHardReset}).HardReset(); !ok {
		t.Error("a hard reset without data is none")
	}
}

// TestAdminShutdown: what a person reads at the other end is what a person here
// wrote, cut at a character where RFC 8203 would not take it.
func TestAdminShutdown(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"fibre cut, back at 14:00":         "fibre cut, back at 14:00",
		"w\xffrong":                        "w?rong",
		strings.Repeat("x", 300):           strings.Repeat("x", 128),
		"y" + strings.Repeat("\u00e9", 99): "y" + strings.Repeat("\u00e9", 63),
	} {
		for _, hard := range []bool{false, true} {
			n := AdminShutdown(text)
			if hard {
				n = n.Hard()
			}
			m, err := ParseMessage(n.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseNotification(m.Body)
			if inner, is := got.HardReset(); is {
				got = inner
			}
			if err != nil || got.Code != CodeCease || got.Subcode != SubAdminShutdown || got.ShutdownText() != want {
				t.Errorf("%q: %v %q, %v; want %q", text, got, got.ShutdownText(), err, want)
			}
		}
	}
}

func TestRouteRefresh(t *testing.T) {
	want := RouteRefresh{Family: Family{AFI: 25, SAFI: 70}, Subtype: 2}
	m, err := ParseMessage(want.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseRouteRefresh(m.Body); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	_, err = ParseRouteRefresh([]byte{1})
	wantNotification(t, err, CodeHeader, SubBadLength, []byte{0, 20})
}

func TestParseOpenRefuses(t *testing.T) {
	good := openBody(nil)
	edit := func(at int, v ...byte) []byte {
		b := slices.Clone(good)
		copy(b[at:], v)
		return b
	}
	tests := []struct {
		name    string
		body    []byte
		subcode uint8
		data    []byte
	}{
		{"version 3", edit(0, 3), SubUnsupportedVersion, []byte{0, 4}},
		{"AS 0", edit(1, 0, 0), SubBadPeerAS, nil},
		{"AS 0 in capability 65", openBody([]byte{2, 6, 65, 4, 0, 0, 0, 0}), SubBadPeerAS, nil},
		{"hold time 1", edit(3, 0, 1), SubUnacceptableHoldTime, nil},
		{"hold time 2", edit(3, 0, 2), SubUnacceptableHoldTime, nil},
		{"identifier 0", edit(5, 0, 0, 0, 0), SubBadIdentifier, nil},
		{"parameters too long", edit(9, 3), SubOpenUnspecific, nil},
		{"parameters too short", append(edit(9, 0), 2, 0), SubOpenUnspecific, nil},
		{"parameter cut", openBody([]byte{2}), SubOpenUnspecific, nil},
		{"parameter overruns", openBody([]byte{2, 9, 1}), SubOpenUnspecific, nil},
		{"authentication parameter", openBody([]byte{1, 1, 0}), SubUnsupportedParameter, nil},
		{"capability overruns", openBody([]byte{2, 3, 64, 9, 0}), SubOpenUnspecific, nil},
		{"role of two octets", openBody([]byte{2, 4, 9, 2, 0, 0}), SubOpenUnspecific, nil},
		{"extended length does not fit", openBody([]byte{255, 0, 9, 2, 0, 0}), SubOpenUnspecific, nil},
		{"extended parameter cut", openBody([]byte{255, 0, 2, 2, 0}), SubOpenUnspecific, nil},
		{"extended parameter inside", openBody([]byte{255, 0, 3, 255, 0, 0}), SubUnsupportedParameter, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseOpen(tt.body)
			wantNotification(t, err, CodeOpen, tt.subcode, tt.data)
		})
	}
	_, err := ParseOpen(good[:9])
	wantNotification(t, err, CodeHeader, SubBadLength, []byte{0, 28})
	if _, err := ParseOpen(good); err != nil {
		t.Errorf("a good one: %v", err)
	}
	if o, err := ParseOpen(edit(3, 0, 0)); err != nil || o.HoldTime != 0 {
		t.Errorf("hold time 0: %v, %v", o.HoldTime, err)
	}
}

// TestExtendedParametersBecomeShort: what RFC 9072 allows in, goes on in the
// form that every implementation reads.
func TestExtendedParametersBecomeShort(t *testing.T) {
	role, _ := RoleCapability(policy.RolePeer)
	want := Capabilities{MultiprotocolCapability(IPv4Unicast), role, FourOctetASCapability(65002)}
	var caps []byte
	for _, c := range want {
		caps = c.append(caps)
	}
	first, second := caps[:6], caps[6:]
	extended := slices.Concat([]byte{2, 0, byte(len(first))}, first, []byte{2, 0, byte(len(second))}, second)
	body := openBody(nil)
	for _, length := range []byte{255, 1} { // "MUST be ignored on receipt", but not 0
		body[9] = length
		o, err := ParseOpen(slices.Concat(body, []byte{255, 0, byte(len(extended))}, extended))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, o.Capabilities); diff != "" {
			t.Fatal(diff)
		}
		raw, err := o.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if raw[HeaderLen+9] != byte(len(caps)+2) || raw[HeaderLen+10] != parameterCaps {
			t.Errorf("not the short form: %x", raw)
		}
	}
}

func TestOpenAccessors(t *testing.T) {
	gr := GracefulRestart{Restarting: true, Time: 4095, Families: []RestartFamily{{IPv4Unicast, true}, {IPv6Unicast, false}}}
	older := GracefulRestart{Notification: true, Time: 7}
	ll := LongLivedFamily{Family: IPv6Unicast, Forwarding: true, StaleTime: 1<<24 - 1}
	provider, _ := RoleCapability(policy.RoleProvider)
	peer, _ := RoleCapability(policy.RolePeer)
	o := NewOpen(65001, 90, netip.MustParseAddr("192.0.2.1"), Capabilities{
		MultiprotocolCapability(IPv6Unicast), MultiprotocolCapability(Family{25, 70}),
		older.Capability(), gr.Capability(), LongLivedCapability(ll), provider, peer,
		{Code: CapFQDN, Value: []byte{1, 'h', 0}}, {Code: CapExtendedNextHop, Value: make([]byte, 6)}, {Code: CapExtendedMessage}, {Code: CapAddPath, Value: []byte{0, 1, 1, 3}},
	})
	raw, err := o.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseOpen(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.ASN() != 65001 || got.AS != 65001 || got.Families() != NewFamilySet(IPv6Unicast) {
		t.Errorf("AS %d, field %d, families %v", got.ASN(), got.AS, got.Families().List())
	}
	if have, ok := got.Capabilities.GracefulRestart(); !ok || cmp.Diff(gr, have) != "" {
		t.Errorf("graceful restart: the last one counts: got %+v, want %+v", have, gr)
	}
	if have, ok := got.Capabilities.LongLived(); !ok || cmp.Diff([]LongLivedFamily{ll}, have) != "" {
		t.Errorf("long-lived: %+v", have)
	}
	if roles := got.Capabilities.Roles(); !slices.Equal(roles, []uint8{0, 4}) {
		t.Errorf("roles %v", roles)
	}
	stripped := got.Capabilities.Without(CapFQDN, CapExtendedNextHop, CapExtendedMessage, CapAddPath, CapRole)
	for _, c := range []CapabilityCode{CapFQDN, CapExtendedNextHop, CapExtendedMessage, CapAddPath, CapRole} {
		if stripped.Has(c) || !got.Capabilities.Has(c) {
			t.Errorf("%s: stripped %v, before %v", c, !stripped.Has(c), got.Capabilities.Has(c))
		}
	}
	if only := got.Capabilities.Only(CapFourOctetAS); len(only) != 1 || !only.Has(CapFourOctetAS) {
		t.Errorf("only four-octet AS: %v", only)
	}
	if roles := stripped.Replace(peer).Replace(provider).Roles(); !slices.Equal(roles, []uint8{0}) {
		t.Errorf("replaced role: %v", roles)
	}
	if _, ok := RoleCapability(policy.NoRole); ok {
		t.Error("no role has a capability")
	}
	bare := Open{AS: 65001}
	if bare.ASN() != 65001 || bare.Families() != NewFamilySet(IPv4Unicast) {
		t.Errorf("without capabilities: AS %d, families %v", bare.ASN(), bare.Families().List())
	}
	if big := NewOpen(4200000000, 0, netip.Addr{}, nil); big.AS != ASTrans {
		t.Errorf("field of a four-octet AS: %d, want AS_TRANS", big.AS)
	}
}

func TestOpenAppendRefuses(t *testing.T) {
	id := netip.MustParseAddr("192.0.2.1")
	for name, o := range map[string]Open{
		"no router id":          {AS: 1},
		"IPv6 router id":        {AS: 1, RouterID: netip.MustParseAddr("::1")},
		"capability too long":   {AS: 1, RouterID: id, Capabilities: Capabilities{{CapFQDN, make([]byte, 256)}}},
		"capabilities too long": {AS: 1, RouterID: id, Capabilities: Capabilities{{CapFQDN, make([]byte, 252)}}},
		"capabilities too many": {AS: 1, RouterID: id, Capabilities: slices.Repeat(Capabilities{{Code: CapRouteRefresh}}, 127)},
	} {
		before := []byte{1, 2}
		got, err := o.Append(before)
		if err == nil || !slices.Equal(got, before) {
			t.Errorf("%s: got %x, %v", name, got, err)
		}
	}
	if _, err := (Open{AS: 1, RouterID: id, Capabilities: Capabilities{{CapFQDN, make([]byte, 251)}}}).Append(nil); err != nil {
		t.Errorf("as long as fits: %v", err)
	}
}
