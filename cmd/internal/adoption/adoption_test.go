package adoption_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/cmd/internal/adoption"
)

var rules = adoption.Rules{Origins: []uint32{64500, 64501, 64502}, Account: "own", Service: "cdn"}

func start(t testing.TB, r adoption.Rules) *adoption.Adoption {
	t.Helper()
	a, err := adoption.New(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// lines writes a result for comparison.
func lines(a *adoption.Adoption) []string {
	adopt, left := a.Result()
	var out []string
	for _, c := range adopt {
		out = append(out, fmt.Sprintf("%s AS%d %s %s own=%v seen=%d", c.Prefix, c.Origin, c.Account, c.Service, c.Own, c.Seen))
	}
	for _, l := range left {
		out = append(out, fmt.Sprintf("left %s AS%d %d: %s", l.Prefix, l.Origin, l.Count, l.Why))
	}
	return out
}

func TestCSV(t *testing.T) {
	a := start(t, rules)
	err := a.ReadCSV(strings.NewReader(`prefix,origin,account,service
193.0.0.0/21,64500,,
193.0.0.0/21,AS64501,,
193.0.8.0/24,64501,acme,dns
193.0.8.128/25,64502,,
193.0.16.0/24,3333,,
193.0.17.0/24,3333,,
10.0.0.0/8,64500,,
0.0.0.0/0,64500,,
2001:67c::/32,64502,,
193.0.20.1/24,64500,,
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"193.0.0.0/21 AS64500 own cdn own=true seen=1",
		"193.0.8.0/24 AS64501 acme dns own=false seen=1",
		"2001:67c::/32 AS64502 AS64502 cdn own=false seen=1",
		"left 193.0.16.0/24 AS3333 2: foreign origin: name it with --origin to adopt it",
		"left 0.0.0.0/0 AS64500 1: a default route is nobody's prefix",
		"left 10.0.0.0/8 AS64500 1: bogon: prefix 10.0.0.0/8: overlaps 10.0.0.0/8 (private use, RFC 1918)",
		"left 193.0.0.0/21 AS64501 1: repeated: the first row counts",
		"left 193.0.8.128/25 AS64502 1: inside 193.0.8.0/24 of account acme: delegate it there, or give both the same account in a CSV",
		"left 193.0.20.1/24 AS64500 1: host bits are set",
	}
	if diff := cmp.Diff(want, lines(a)); diff != "" {
		t.Error(diff)
	}
}

func TestFRR(t *testing.T) {
	a := start(t, rules)
	err := a.ReadFRR(strings.NewReader(`{"vrfId":0,"routerId":"10.0.0.1","localAS":64500,"routes":{
 "193.0.0.0/21":[{"valid":true,"bestpath":true,"peerId":"(unspec)","path":"","origin":"IGP"}],
 "193.0.8.0/24":[{"valid":true,"path":"64510 64501","peerId":"10.0.0.3"},{"valid":true,"bestpath":true,"path":"64501","peerId":"10.0.0.2"}],
 "193.0.9.0/24":[{"valid":true,"bestpath":true,"path":"3333 {64501,64502}","peerId":"10.0.0.2"}]},"totalRoutes":3}`))
	if err != nil {
		t.Fatal(err)
	}
	// The routing table's form, as static routes are.
	if err := a.ReadFRR(strings.NewReader(`{"193.0.10.0/24":[{"prefix":"193.0.10.0/24","protocol":"static","selected":true}]}`)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"193.0.0.0/21 AS64500 own cdn own=true seen=1",
		"193.0.8.0/24 AS64501 AS64501 cdn own=false seen=1",
		"193.0.10.0/24 AS64500 own cdn own=true seen=1",
		"left 193.0.9.0/24 AS0 1: the path ends in an AS_SET: no origin",
	}
	if diff := cmp.Diff(want, lines(a)); diff != "" {
		t.Error(diff)
	}
}

func TestMRT(t *testing.T) {
	file := table(t, 3)
	a := start(t, rules)
	if err := a.ReadMRT(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"16.0.0.0/24 AS64500 own cdn own=true seen=2",
		"left 16.0.1.0/24 AS3001 2: foreign origin: name it with --origin to adopt it",
		"left 16.0.2.0/24 AS3002 2: foreign origin: name it with --origin to adopt it",
	}
	if diff := cmp.Diff(want, lines(a)); diff != "" {
		t.Error(diff)
	}
	// Cut short anywhere after the first record, the error says where.
	for _, cut := range []int{len(file) - 1, len(file) - 20, len(file) / 2} {
		err := start(t, rules).ReadMRT(bytes.NewReader(file[:cut]))
		if err == nil || !strings.Contains(err.Error(), "at byte") {
			t.Errorf("cut to %d bytes: %v, want an error with the offset", cut, err)
		}
	}
}

// Whatever is wrong names its place, and nothing at all is an error too.
func TestUnreadable(t *testing.T) {
	type reader = func(*adoption.Adoption, string) error
	csv := func(a *adoption.Adoption, s string) error { return a.ReadCSV(strings.NewReader(s)) }
	frr := func(a *adoption.Adoption, s string) error { return a.ReadFRR(strings.NewReader(s)) }
	mrt := func(a *adoption.Adoption, s string) error { return a.ReadMRT(strings.NewReader(s)) }
	for _, c := range []struct {
		name string
		read reader
		src  string
		want string
	}{
		{"csv empty", csv, "", "csv: header"},
		{"csv without rows", csv, "prefix,origin\n", "no row"},
		{"csv column", csv, "prefix,origin,colour\n", `column "colour"`},
		{"csv column twice", csv, "prefix,prefix\n", `column "prefix"`},
		{"csv no origin", csv, "prefix\n", "column origin is missing"},
		{"csv bad prefix", csv, "prefix,origin\n193.0.0.0/21,64500\n193.0.0/21,64500\n", "line 3: prefix"},
		{"csv bad origin", csv, "prefix,origin\n193.0.0.0/21,zero\n", "line 2: origin"},
		{"csv short row", csv, "prefix,origin\n193.0.0.0/21\n", "line 2"},
		{"frr empty", frr, "", "at byte 0"},
		{"frr no routes", frr, "{}", "no route in it"},
		{"frr truncated", frr, `{"routes":{"193.0.0.0/21":[{"path":""}`, "at byte"},
		{"frr not an object", frr, "[]", "at byte"},
		{"frr bad path", frr, `{"routes":{"193.0.0.0/21":[{"path":"x"}]}}`, `"x" is no AS number`},
		{"mrt empty", mrt, "", "no record"},
		{"mrt nonsense", mrt, strings.Repeat("x", 40), "at byte 0"},
	} {
		if err := c.read(start(t, rules), c.src); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// Nothing is adopted by default.
func TestRules(t *testing.T) {
	for name, r := range map[string]adoption.Rules{
		"no origin":       {Account: "own", Service: "cdn"},
		"no account":      {Origins: []uint32{64500}, Service: "cdn"},
		"no service":      {Origins: []uint32{64500}, Account: "own"},
		"reserved origin": {Origins: []uint32{0}, Account: "own", Service: "cdn"},
		"origin twice":    {Origins: []uint32{64500, 64500}, Account: "own", Service: "cdn"},
	} {
		if _, err := adoption.New(r); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzFRR(f *testing.F) {
	f.Add([]byte(`{"routes":{"193.0.0.0/21":[{"bestpath":true,"path":"64501"}]}}`))
	f.Add([]byte(`{"193.0.0.0/21":[{"protocol":"static"}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		a := start(t, rules)
		if err := a.ReadFRR(bytes.NewReader(src)); err != nil {
			return
		}
		adopt, left := a.Result()
		n := 0
		for _, c := range adopt {
			n += c.Seen
		}
		for _, l := range left {
			n += l.Count
		}
		if n < 1 || a.Routes() < 1 {
			t.Errorf("%d routes, %d told of", a.Routes(), n)
		}
	})
}

// record writes one MRT record (RFC 6396 section 2).
func record(out []byte, subtype uint16, body []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, 0)
	out = binary.BigEndian.AppendUint16(out, 13)
	out = binary.BigEndian.AppendUint16(out, subtype)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	return append(out, body...)
}

// table is a TABLE_DUMP_V2 file of so many /24s seen by two peers. One in
// 1,000 has our origin.
func table(t testing.TB, routes int) []byte {
	t.Helper()
	peers := []byte{192, 0, 2, 1, 0, 0, 0, 2}
	for i := range 2 {
		peers = append(peers, 2, 192, 0, 2, byte(i), 192, 0, 2, byte(10+i))
		peers = binary.BigEndian.AppendUint32(peers, uint32(64600+i))
	}
	out := record(nil, 1, peers)
	for i := range routes {
		origin := uint32(3000 + i%60000)
		if i%1000 == 0 {
			origin = 64500
		}
		attributes := []byte{0x40, 1, 1, 0, 0x40, 2, 14, 2, 3}
		for _, asn := range []uint32{64600, 1299, origin} {
			attributes = binary.BigEndian.AppendUint32(attributes, asn)
		}
		attributes = append(attributes, 0x40, 3, 4, 192, 0, 2, 10)
		body := binary.BigEndian.AppendUint32(nil, uint32(i))
		p := netip.AddrFrom4([4]byte{byte(16 + i>>16), byte(i >> 8), byte(i), 0}).As4()
		body = append(body, 24, p[0], p[1], p[2], 0, 2)
		for peer := range 2 {
			body = binary.BigEndian.AppendUint16(body, uint16(peer))
			body = binary.BigEndian.AppendUint32(body, 0)
			body = binary.BigEndian.AppendUint16(body, uint16(len(attributes)))
			body = append(body, attributes...)
		}
		out = record(out, 2, body)
	}
	return out
}

// A full table: a million prefixes of two peers, of which a thousand are ours.
func BenchmarkFullTable(b *testing.B) {
	const routes = 1_000_000
	name := b.TempDir() + "/table.mrt"
	if err := os.WriteFile(name, table(b, routes), 0o600); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for b.Loop() {
		f, err := os.Open(name)
		if err != nil {
			b.Fatal(err)
		}
		a := start(b, rules)
		if err := a.ReadMRT(f); err != nil {
			b.Fatal(err)
		}
		f.Close()
		if adopt, _ := a.Result(); len(adopt) != routes/1000 || a.Routes() != 2*routes {
			b.Fatalf("%d adopted of %d", len(adopt), a.Routes())
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB-kept")
		runtime.KeepAlive(a)
	}
	b.ReportMetric(2*routes*float64(b.N)/b.Elapsed().Seconds(), "routes/s")
}
