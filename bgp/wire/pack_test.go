package wire

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/policy"
)

var (
	hop4 = netip.MustParseAddr("192.0.2.1")
	hop6 = netip.MustParseAddr("2001:db8::1")
)

func mustIntern(t testing.TB, a Attributes) AttrSet {
	t.Helper()
	set, err := a.Intern()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// many gives n distinct prefixes: IPv4 /24, or IPv6 /48.
func many(n int, v6 bool) []netip.Prefix {
	ps := make([]netip.Prefix, n)
	for i := range ps {
		if v6 {
			ps[i] = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, byte(i >> 16), byte(i >> 8), byte(i)}), 48)
		} else {
			ps[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(1 + i>>16), byte(i >> 8), byte(i), 0}), 24)
		}
	}
	return ps
}

// unpack reads a run of messages back: what each prefix ends up with, and the
// order of prefixes.
func unpack(t testing.TB, s Session, raw []byte) (held map[netip.Prefix]AttrSet, withdrawn []netip.Prefix, sizes []int) {
	t.Helper()
	held = map[netip.Prefix]AttrSet{}
	for len(raw) > 0 {
		length, _, n := CheckHeader(raw)
		if n != nil {
			t.Fatal(n)
		}
		u := s.Classify(raw[HeaderLen:length])
		if u.Action != Accept {
			t.Fatalf("our own message is ruled %s for %s: %s", u.Action, u.Attribute, u.Why)
		}
		if f, ok := u.EndOfRIB(); ok {
			t.Fatalf("our own message is an End-of-RIB of %s", f)
		}
		withdrawn = slices.AppendSeq(withdrawn, u.Withdrawals())
		for p := range u.Advertisements() {
			f := IPv6Unicast
			if p.Addr().Is4() {
				f = IPv4Unicast
			}
			attrs, err := u.Attributes(f)
			if err != nil {
				t.Fatal(err)
			}
			held[p] = mustIntern(t, attrs)
		}
		sizes, raw = append(sizes, length), raw[length:]
	}
	return held, withdrawn, sizes
}

var inside = Session{Internal: true, Families: NewFamilySet(IPv4Unicast, IPv6Unicast)}

func TestPackFillsMessages(t *testing.T) {
	a := Attributes{ASPath: Sequence(65001), LocalPref: MetricOf(100)}
	for _, tt := range []struct {
		name        string
		hop         netip.Addr
		v6          bool
		perMessage  int // what fits by hand: (4096 - 23 - attributes) / prefix
		perWithdraw int
	}{
		{"IPv4 /24", hop4, false, (4096 - 23 - 27) / 4, (4096 - 23) / 4},
		{"IPv6 /48", hop6, true, (4096 - 23 - 20 - 4 - 21) / 7, (4096 - 23 - 7) / 7},
	} {
		a.NextHop = tt.hop
		set := mustIntern(t, a)
		prefixes := many(10*tt.perMessage, tt.v6)
		raw, n, err := Encoding{}.AppendAdvertise(nil, set, prefixes)
		if err != nil || n != 10 {
			t.Fatalf("%s: %d messages, %v, want 10", tt.name, n, err)
		}
		held, _, sizes := unpack(t, inside, raw)
		if len(held) != len(prefixes) || len(sizes) != n || slices.Max(sizes) > MaxMessageLen {
			t.Errorf("%s: %d of %d prefixes, sizes %v", tt.name, len(held), len(prefixes), sizes)
		}
		for p, got := range held {
			if got != set {
				t.Fatalf("%s: %s has other attributes", tt.name, p)
			}
		}
		raw, n, err = Encoding{}.AppendWithdraw(nil, many(10*tt.perWithdraw, tt.v6))
		if err != nil || n != 10 {
			t.Fatalf("%s: %d withdrawals, %v, want 10", tt.name, n, err)
		}
		_, withdrawn, _ := unpack(t, inside, raw)
		if !slices.Equal(withdrawn, many(10*tt.perWithdraw, tt.v6)) {
			t.Errorf("%s: %d prefixes withdrawn", tt.name, len(withdrawn))
		}
	}
}

func TestPackerLastWordCounts(t *testing.T) {
	red := mustIntern(t, Attributes{NextHop: hop4, LocalPref: MetricOf(1)})
	blue := mustIntern(t, Attributes{NextHop: hop4, LocalPref: MetricOf(2)})
	six := mustIntern(t, Attributes{NextHop: hop6, LocalPref: MetricOf(1)})
	ps, ps6 := many(6, false), many(3, true)

	var p Packer
	note := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	note(p.Advertise(ps[0], red))
	note(p.Withdraw(ps[1]))
	note(p.Advertise(ps[2], blue))
	note(p.Advertise(ps[3], red))
	note(p.Withdraw(ps[0]))                                            // takes the advertisement back
	note(p.Advertise(ps[1], blue))                                     // takes the withdrawal back
	note(p.Advertise(ps[3], blue))                                     // other attributes
	note(p.Advertise(netip.PrefixFrom(ps[3].Addr().Next(), 24), blue)) // the same prefix, host bits set
	note(p.Advertise(ps6[0], six))
	note(p.Withdraw(ps6[1]))
	if p.Len() != 6 {
		t.Errorf("%d pending, want 6", p.Len())
	}
	raw, packed, err := p.Flush(nil, Encoding{})
	if err != nil {
		t.Fatal(err)
	}
	held, withdrawn, _ := unpack(t, inside, raw)
	if want := (Packed{Messages: 4, Advertised: 4, Withdrawn: 2}); packed != want {
		t.Errorf("packed %+v, want %+v", packed, want)
	}
	want := map[netip.Prefix]AttrSet{ps[1]: blue, ps[2]: blue, ps[3]: blue, ps6[0]: six}
	if len(held) != len(want) {
		t.Errorf("held %v", held)
	}
	for prefix, set := range want {
		if held[prefix] != set {
			t.Errorf("%s: %+v, want %+v", prefix, held[prefix].Attributes(), set.Attributes())
		}
	}
	if !slices.Equal(withdrawn, []netip.Prefix{ps[0], ps6[1]}) {
		t.Errorf("withdrawn %v", withdrawn)
	}
	if raw, packed, err := p.Flush(nil, Encoding{}); raw != nil || packed != (Packed{}) || err != nil || p.Len() != 0 {
		t.Errorf("a second flush gives %x, %+v, %v", raw, packed, err)
	}
}

// TestPackDeterministic: the same calls give the same octets (BGP-14).
func TestPackDeterministic(t *testing.T) {
	run := func() []byte {
		var p Packer
		for i, prefix := range many(3000, false) {
			set := mustIntern(t, Attributes{NextHop: hop4, MED: MetricOf(uint32(i % 7))})
			if err := p.Advertise(prefix, set); err != nil {
				t.Fatal(err)
			}
		}
		raw, _, err := p.Flush(nil, Encoding{})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if !slices.Equal(run(), run()) {
		t.Error("two runs differ")
	}
}

func TestPackRefuses(t *testing.T) {
	four := mustIntern(t, Attributes{NextHop: hop4})
	six := mustIntern(t, Attributes{NextHop: hop6})
	var huge Attributes
	huge.NextHop, huge.Communities = hop4, make([]policy.Community, 1015)
	tooLong := mustIntern(t, huge)
	ps, ps6 := many(2, false), many(2, true)
	for name, f := range map[string]func() ([]byte, int, error){
		"no attributes":              func() ([]byte, int, error) { return Encoding{}.AppendAdvertise(nil, AttrSet{}, ps) },
		"IPv6 prefix, IPv4 next hop": func() ([]byte, int, error) { return Encoding{}.AppendAdvertise(nil, four, ps6) },
		"IPv4 prefix, IPv6 next hop": func() ([]byte, int, error) { return Encoding{}.AppendAdvertise(nil, six, ps) },
		"invalid prefix":             func() ([]byte, int, error) { return Encoding{}.AppendAdvertise(nil, four, make([]netip.Prefix, 1)) },
		"attributes too long":        func() ([]byte, int, error) { return Encoding{}.AppendAdvertise(nil, tooLong, ps) },
		"withdraw both families":     func() ([]byte, int, error) { return Encoding{}.AppendWithdraw(nil, append(ps6, ps...)) },
		"withdraw an invalid prefix": func() ([]byte, int, error) { return Encoding{}.AppendWithdraw(nil, make([]netip.Prefix, 1)) },
	} {
		if raw, n, err := f(); err == nil || raw != nil || n != 0 {
			t.Errorf("%s: got %d messages, %v", name, n, err)
		}
	}
	if raw, n, err := (Encoding{}).AppendWithdraw(nil, nil); raw != nil || n != 0 || err != nil {
		t.Errorf("nothing to withdraw gives %x: it would be an End-of-RIB", raw)
	}
	if raw, n, err := (Encoding{}).AppendAdvertise(nil, four, nil); raw != nil || n != 0 || err != nil {
		t.Errorf("nothing to advertise gives %x", raw)
	}

	var p Packer
	if err := p.Advertise(ps[0], AttrSet{}); err == nil {
		t.Error("an advertisement without attributes was noted")
	}
	if err := p.Withdraw(netip.Prefix{}); err == nil {
		t.Error("an invalid prefix was noted")
	}
	// What cannot be sent is reported and does not take the rest with it.
	_ = p.Advertise(ps[0], tooLong)
	_ = p.Advertise(ps[1], four)
	raw, packed, err := p.Flush(nil, Encoding{})
	if !errors.Is(err, ErrTooLong) || packed.Advertised != 1 {
		t.Errorf("packed %+v, %v", packed, err)
	}
	if held, _, _ := unpack(t, bothFamilies, raw); held[ps[1]] != four {
		t.Errorf("held %v", held)
	}
}

func TestInternRefuses(t *testing.T) {
	ok := Attributes{NextHop: hop4}
	edit := func(f func(*Attributes)) Attributes {
		a := ok
		f(&a)
		return a
	}
	for name, a := range map[string]Attributes{
		"no next hop":             {},
		"next hop with a zone":    edit(func(a *Attributes) { a.NextHop = netip.MustParseAddr("fe80::1%eth0") }),
		"two next hops for IPv4":  edit(func(a *Attributes) { a.LinkLocal = netip.MustParseAddr("fe80::1") }),
		"undefined origin":        edit(func(a *Attributes) { a.Origin = 3 }),
		"IPv6 originator":         edit(func(a *Attributes) { a.OriginatorID = hop6 }),
		"IPv6 cluster":            edit(func(a *Attributes) { a.ClusterList = []netip.Addr{hop6} }),
		"aggregator without id":   edit(func(a *Attributes) { a.Aggregator.AS = 1 }),
		"AS 0":                    edit(func(a *Attributes) { a.ASPath = Sequence(1, 0) }),
		"segment type":            edit(func(a *Attributes) { a.ASPath = ASPath{{9, []uint32{1}}} }),
		"empty segment":           edit(func(a *Attributes) { a.ASPath = ASPath{{ASSequence, nil}} }),
		"set of 256":              edit(func(a *Attributes) { a.ASPath = ASPath{{ASSet, slices.Repeat([]uint32{1}, 256)}} }),
		"known among the unknown": edit(func(a *Attributes) { a.Unknown = []Attribute{{Type: AttrOTC, Value: []byte{1}}} }),
		"prefix SID":              edit(func(a *Attributes) { a.Unknown = []Attribute{{Type: AttrPrefixSID, Value: []byte{1}}} }),
		"AS4_PATH":                edit(func(a *Attributes) { a.Unknown = []Attribute{{Type: AttrAS4Path, Value: []byte{1}}} }),
		"unknown twice":           edit(func(a *Attributes) { a.Unknown = []Attribute{{Type: 99}, {Type: 99}} }),
		"unknown not sorted":      edit(func(a *Attributes) { a.Unknown = []Attribute{{Type: 99}, {Type: 98}} }),
		"longer than a message":   edit(func(a *Attributes) { a.Communities = make([]policy.Community, 1100) }),
	} {
		if set, err := a.Intern(); err == nil || !set.IsZero() {
			t.Errorf("%s: interned", name)
		}
	}
	if _, err := ok.Intern(); err != nil {
		t.Errorf("the plain one: %v", err)
	}
	if diff := cmp.Diff(Attributes{}, (AttrSet{}).Attributes(), exported); diff != "" {
		t.Errorf("the zero set has attributes:\n%s", diff)
	}
}

// TestLongPathIsSplit: more than 255 AS numbers need two segments.
func TestLongPathIsSplit(t *testing.T) {
	path := Sequence(slices.Repeat([]uint32{65001}, 300)...)
	set := mustIntern(t, Attributes{NextHop: hop4, ASPath: path})
	got := set.Attributes().ASPath
	if len(got) != 2 || got.Hops() != 300 || len(got[0].ASNs) != 255 {
		t.Errorf("%d segments, %d hops", len(got), got.Hops())
	}
}

func TestASPath(t *testing.T) {
	p := Sequence(65002, 65003)
	if got := p.Prepend(65001, 2).String(); got != "65001 65001 65002 65003" {
		t.Errorf("prepended: %q", got)
	}
	if p.String() != "65002 65003" {
		t.Errorf("the path itself became %q", p)
	}
	set := ASPath{{ASSet, []uint32{1, 2}}}
	if got := set.Prepend(3, 1).String(); got != "3 {1,2}" {
		t.Errorf("before a set: %q", got)
	}
	if got := p.Prepend(1, 0).String(); got != p.String() {
		t.Errorf("prepended 0 times: %q", got)
	}
	first, ok1 := p.First()
	origin, ok2 := p.Origin()
	if first != 65002 || origin != 65003 || !ok1 || !ok2 {
		t.Errorf("first %d, origin %d", first, origin)
	}
	for _, odd := range []ASPath{nil, set} {
		if _, ok := odd.First(); ok {
			t.Errorf("%q has a first AS", odd)
		}
		if _, ok := odd.Origin(); ok {
			t.Errorf("%q has an origin", odd)
		}
	}
	if !p.Contains(65003) || p.Contains(1) || !set.Has(ASSet) || p.Has(ASSet) || Sequence() != nil {
		t.Error("contents")
	}
}
