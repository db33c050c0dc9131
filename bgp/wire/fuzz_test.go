package wire

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// seedUpdates are bodies of UPDATEs: the tables of the other tests in short,
// and all of ExaBGP's.
func seedUpdates(t testing.TB) [][]byte {
	seeds := [][]byte{
		nil,
		updateBody(nil, nil, nil),
		updateBody(nil, mandatory, nlri),
		updateBody(nil, slices.Concat(mandatory, attrLocalPref), nlri),
		updateBody([]byte{16, 198, 18}, slices.Concat(attrReach6, attrUnreach6, mandatory), nlri),
		updateBody(nil, slices.Concat([]byte{0xc0, 17, 6, 2, 1, 0, 0, 0xfd, 0xea}, mandatory), nlri),
		updateBody(nil, slices.Concat(mandatory, []byte{0xc0, 40, 4, 5, 0, 1, 0}), nlri),
		updateBody(nil, slices.Concat(mandatory, []byte{0xc0, 99, 1, 1, 0xc0, 35, 4, 0, 0, 0xfd, 0xea}), nlri),
		updateBody(nil, slices.Concat(mandatory, []byte{0xd0, 8, 0, 4, 0, 0, 0, 1, 0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}), nlri),
		updateBody(nil, []byte{0x80, 15, 3, 0, 2, 1}, nil),
	}
	for _, row := range exabgpMessages(t) {
		if raw := unhex(t, row.Raw); len(raw) > HeaderLen {
			seeds = append(seeds, raw[HeaderLen:])
		}
	}
	return seeds
}

// FuzzUpdate: whatever arrives, what would be handed on is well-formed, says
// the same as what was vetted, and holds nothing that was to be discarded.
func FuzzUpdate(f *testing.F) {
	for i, body := range seedUpdates(f) {
		f.Add(body, uint8(i))
		f.Add(body, uint8(i+1))
	}
	f.Fuzz(checkUpdate)
}

var mutations = flag.Int("mutations", 200_000, "how many mutated UPDATEs TestMutatedUpdates reads")

// TestMutatedUpdates is FuzzUpdate with a fixed number of mutations and a fixed
// seed: the same messages on every run.
func TestMutatedUpdates(t *testing.T) {
	seeds := seedUpdates(t)
	random := rand.New(rand.NewPCG(9234, 7606))
	actions := map[Action]int{}
	for i := range *mutations {
		body := slices.Clone(seeds[random.IntN(len(seeds))])
		if i%2 == 0 {
			body = slices.Clone(seeds[2+random.IntN(7)]) // those with routes of every kind
		}
		for range 1 + random.IntN(3) {
			body = mutate(random, body)
		}
		mode := uint8(random.UintN(8))
		checkUpdate(t, body, mode)
		u := sessionOf(mode).Classify(body)
		actions[u.Action]++
		if t.Failed() {
			t.Fatalf("mutation %d, mode %d: %x", i, mode, body)
		}
	}
	t.Logf("%d messages: %v", *mutations, actions)
	for _, a := range []Action{SessionReset, TreatAsWithdraw, AttributeDiscard, Accept} {
		if actions[a] < *mutations/200 {
			t.Errorf("only %d of %d messages were ruled %s: the mutations are too wild or too tame", actions[a], *mutations, a)
		}
	}
}

// mutate changes a message in one place.
func mutate(random *rand.Rand, body []byte) []byte {
	if len(body) == 0 {
		return []byte{byte(random.Uint32())}
	}
	at := random.IntN(len(body))
	switch random.IntN(12) {
	case 0:
		body[at] = byte(random.Uint32())
	case 1:
		body[at] ^= 1 << random.UintN(8)
	case 2:
		body[at] += byte(1 + 254*random.IntN(2)) // one more or one less
	case 3:
		return slices.Delete(body, at, at+1)
	case 4:
		return slices.Insert(body, at, byte(random.Uint32()))
	default: // an octet of somewhere else: types, lengths and flags
		body[at] = body[random.IntN(len(body))]
	}
	return body
}

// sessionOf is one of eight kinds of session.
func sessionOf(mode uint8) Session {
	s := bothFamilies
	s.Internal, s.TwoOctetAS = mode&1 != 0, mode&2 != 0
	if mode&4 != 0 {
		s.Families, s.FirstAS = NewFamilySet(IPv6Unicast), 65002
	}
	return s
}

// checkUpdate holds what FuzzUpdate promises for one body.
func checkUpdate(t *testing.T, body []byte, mode uint8) {
	if len(body) > MaxMessageLen-HeaderLen {
		return
	}
	s := sessionOf(mode)
	u := s.Classify(body)
	advertised, withdrawn := slices.Collect(u.Advertisements()), slices.Collect(u.Withdrawals())
	for _, p := range slices.Concat(advertised, withdrawn) {
		if p != p.Masked() || !p.IsValid() {
			t.Fatalf("gives the prefix %s", p)
		}
		if f := FamilyOf(addressing.FamilyOf(p)); !s.Families.Has(f) {
			t.Fatalf("gives %s of a family that was not negotiated", p)
		}
	}
	switch u.Action {
	case SessionReset:
		raw := u.Notification().Append(nil)
		if _, err := ParseMessage(raw); err != nil || len(advertised)+len(withdrawn) > 0 {
			t.Fatalf("reset with %v and routes %v %v", err, advertised, withdrawn)
		}
	case TreatAsWithdraw:
		if len(advertised) > 0 {
			t.Fatalf("treated as withdrawn, but advertises %v", advertised)
		}
	}
	for _, v6 := range []bool{false, true} {
		mine := slices.DeleteFunc(slices.Clone(advertised), func(p netip.Prefix) bool { return p.Addr().Is4() == v6 })
		if len(mine) > 0 {
			checkRebuilt(t, &u, mine, v6, s)
		}
	}
}

// checkRebuilt rebuilds the routes of one family as for GoBGP and reads the
// result back.
func checkRebuilt(t *testing.T, u *Update, prefixes []netip.Prefix, v6 bool, s Session) {
	family := IPv4Unicast
	if v6 {
		family = IPv6Unicast
	}
	attrs, err := u.Attributes(family)
	if err != nil {
		t.Fatal(err)
	}
	set, err := attrs.Intern()
	if errors.Is(err, ErrTooLong) {
		return // two-octet paths grow; the guard treats the routes as withdrawn
	}
	if err != nil {
		t.Fatalf("vetted attributes are refused: %v", err)
	}
	raw, _, err := Encoding{}.AppendAdvertise(nil, set, prefixes)
	if errors.Is(err, ErrTooLong) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []netip.Prefix
	for len(raw) > 0 {
		length, _, refuse := CheckHeader(raw)
		if refuse != nil {
			t.Fatal(refuse)
		}
		again := Session{Internal: s.Internal, Families: NewFamilySet(family)}.Classify(raw[HeaderLen:length])
		if again.Action != Accept {
			t.Fatalf("rebuilt message is ruled %s for %s: %s\n%x", again.Action, again.Attribute, again.Why, raw[:length])
		}
		for _, a := range attributeTypes(t, raw[:length]) {
			if a == AttrAS4Path || a == AttrAS4Aggregator || a == AttrPrefixSID || u.Discards(a) && a != AttrMPReach {
				t.Fatalf("rebuilt message has %s", a)
			}
		}
		back, err := again.Attributes(family)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := back.Intern(); err != nil || same != set {
			t.Fatalf("rebuilt attributes differ: %+v, %v, want %+v", back, err, attrs)
		}
		checkGoBGPTakes(t, raw[:length], !s.Internal)
		got, raw = slices.AppendSeq(got, again.Advertisements()), raw[length:]
	}
	if !slices.Equal(got, prefixes) {
		t.Fatalf("rebuilt routes %v, want %v", got, prefixes)
	}
}

// checkGoBGPTakes: GoBGP reads a rebuilt message without error or panic, and
// finds nothing wrong with it.
func checkGoBGPTakes(t *testing.T, raw []byte, external bool) {
	m, err := gobgp.ParseBGPMessage(raw)
	if err != nil {
		t.Fatalf("GoBGP refuses %x: %v", raw, err)
	}
	families := map[gobgp.RouteFamily]gobgp.BGPAddPathMode{gobgp.RF_IPv4_UC: 0, gobgp.RF_IPv6_UC: 0}
	if ok, err := gobgp.ValidateUpdateMsg(m.Body.(*gobgp.BGPUpdate), families, external, false, false); !ok || err != nil {
		t.Fatalf("GoBGP finds %x invalid: %v", raw, err)
	}
}

// FuzzOpen: an OPEN that is accepted can be written again in the short form and
// reads back the same.
func FuzzOpen(f *testing.F) {
	f.Add(openBody(nil))
	f.Add(openBody(unhex(f, "0206010400010001 0206010400020001 0202 0200 02030901 04 0206 4104fa56ea00")))
	f.Add(openBody(unhex(f, "020c 400a c0780001018000020180")))
	f.Add(openBody(unhex(f, "ff 0009 02 0006 010400010001")))
	f.Add(openBody(unhex(f, "0209 470700010180015180")))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := ParseOpen(body)
		if err != nil {
			var n *Notification
			if !errors.As(err, &n) {
				t.Fatalf("error %v is not a notification", err)
			}
			return
		}
		o.Capabilities.GracefulRestart()
		o.Capabilities.LongLived()
		o.Capabilities.Roles()
		o.Families()
		raw, err := o.Append(nil)
		if err != nil {
			return // capabilities that only the extended form can hold
		}
		m, err := ParseMessage(raw)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseOpen(m.Body)
		if err != nil {
			t.Fatalf("our own OPEN is refused: %v", err)
		}
		twice, err := again.Append(nil)
		if err != nil || !bytes.Equal(raw, twice) || again.ASN() != o.ASN() {
			t.Fatalf("%x\n%x, %v", raw, twice, err)
		}
	})
}

// FuzzReadMessage: a stream gives messages that are whole and known, then one
// error.
func FuzzReadMessage(f *testing.F) {
	f.Add(AppendKeepalive(AppendEndOfRIB(nil, IPv6Unicast)))
	f.Add(RouteRefresh{Family: IPv4Unicast}.Append(nil))
	f.Add((&Notification{Code: CodeCease, Subcode: SubHardReset, Data: []byte{6, 2}}).Append(nil))
	f.Add(append(bytes.Repeat([]byte{0xff}, 16), 0, 19, 6))
	f.Add(append(bytes.Repeat([]byte{0xff}, 16), 0x10, 1, 2))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		read := 0
		for {
			m, err := r.ReadMessage()
			if err != nil {
				var n *Notification
				if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.As(err, &n) {
					t.Fatalf("unexpected error %v", err)
				}
				if (err == io.EOF) != (read == len(stream)) {
					t.Fatalf("%v after %d of %d octets", err, read, len(stream))
				}
				return
			}
			if !bytes.Equal(m.Raw, stream[read:read+len(m.Raw)]) || m.Type < TypeOpen || m.Type > TypeRouteRefresh {
				t.Fatalf("message %s %x", m.Type, m.Raw)
			}
			read += len(m.Raw)
			switch m.Type {
			case TypeNotification:
				n, err := ParseNotification(m.Body)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = n.ShutdownText(), n.Error()
				n.HardReset()
			case TypeRouteRefresh:
				if _, err := ParseRouteRefresh(m.Body); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
