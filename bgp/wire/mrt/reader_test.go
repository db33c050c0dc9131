package mrt

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	gobgp "github.com/osrg/gobgp/v3/pkg/packet/mrt"
	"pgregory.net/rapid"
)

// dump reads a decompressed file of testdata.
func dump(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// line writes an element so that two readers can be compared.
func line(e *Element) string {
	if e.Kind == SessionState {
		return fmt.Sprintf("%d %s %s AS%d", e.At.Unix(), e.Kind, e.Peer, e.PeerAS)
	}
	s := fmt.Sprintf("%d %s %s AS%d %s", e.At.Unix(), e.Kind, e.Peer, e.PeerAS, e.Prefix)
	if e.Kind != Withdrawn {
		s += " path " + e.Path.String()
	}
	return s
}

func lines(t testing.TB, raw []byte) []string {
	t.Helper()
	var out []string
	for e, err := range NewReader(bytes.NewReader(raw)).Elements() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, line(e))
	}
	return out
}

// TestRealUpdatesAsGoBGP: GoBGP's decoder, which knows no TABLE_DUMP, reads the
// same elements from the UPDATEs of RIPE RIS.
func TestRealUpdatesAsGoBGP(t *testing.T) {
	for _, name := range []string{"updates.20100722.2015.gz", "updates.20160811.1600.gz", "updates.long_withdrawal.gz"} {
		t.Run(name, func(t *testing.T) {
			raw := dump(t, name)
			got, want := lines(t, raw), gobgpLines(t, raw)
			if len(want) == 0 {
				t.Fatal("GoBGP reads nothing")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-GoBGP +ours:\n%.2000s", diff)
			}
		})
	}
}

func gobgpLines(t *testing.T, raw []byte) []string {
	t.Helper()
	var out []string
	for len(raw) > 0 {
		h := new(gobgp.MRTHeader)
		if err := h.DecodeFromBytes(raw); err != nil {
			t.Fatal(err)
		}
		m, err := gobgp.ParseMRTBody(h, raw[gobgp.MRT_COMMON_HEADER_LEN:][:h.Len])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, gobgpRecord(h, m.Body)...)
		raw = raw[gobgp.MRT_COMMON_HEADER_LEN+h.Len:]
	}
	return out
}

func gobgpRecord(h *gobgp.MRTHeader, body gobgp.Body) []string {
	e := Element{At: h.GetTime()}
	peer := func(p *gobgp.BGP4MPHeader) {
		addr, _ := netip.AddrFromSlice(p.PeerIpAddress)
		e.Peer, e.PeerAS = addr.Unmap(), p.PeerAS
	}
	switch b := body.(type) {
	case *gobgp.BGP4MPStateChange:
		peer(b.BGP4MPHeader)
		e.Kind = SessionState
		return []string{line(&e)}
	case *gobgp.BGP4MPMessage:
		peer(b.BGP4MPHeader)
		update, ok := b.BGPMessage.Body.(*bgp.BGPUpdate)
		if !ok {
			return nil
		}
		return gobgpUpdate(e, update)
	}
	return nil
}

func gobgpUpdate(e Element, u *bgp.BGPUpdate) []string {
	var withdrawn, advertised []netip.Prefix
	var path, as4 wire.ASPath
	of := func(n bgp.AddrPrefixInterface) netip.Prefix { return netip.MustParsePrefix(n.String()).Masked() }
	for _, n := range u.WithdrawnRoutes {
		withdrawn = append(withdrawn, of(n))
	}
	for _, n := range u.NLRI {
		advertised = append(advertised, of(n))
	}
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			for _, n := range a.Value {
				advertised = append(advertised, of(n))
			}
		case *bgp.PathAttributeMpUnreachNLRI:
			for _, n := range a.Value {
				withdrawn = append(withdrawn, of(n))
			}
		case *bgp.PathAttributeAsPath:
			for _, s := range a.Value {
				path = append(path, wire.Segment{Type: wire.SegmentType(s.GetType()), ASNs: s.GetAS()})
			}
		case *bgp.PathAttributeAs4Path:
			for _, s := range a.Value {
				as4 = append(as4, wire.Segment{Type: wire.SegmentType(s.GetType()), ASNs: s.GetAS()})
			}
		}
	}
	e.Path = merged(path, as4)
	var out []string
	for _, p := range withdrawn {
		e.Kind, e.Prefix = Withdrawn, p
		out = append(out, line(&e))
	}
	for _, p := range advertised {
		e.Kind, e.Prefix = Advertised, p
		out = append(out, line(&e))
	}
	return out
}

// merged is RFC 6793 section 4.2.3 for sequences alone, which is all that the
// files have.
func merged(path, as4 wire.ASPath) wire.ASPath {
	lead := path.Hops() - as4.Hops()
	if len(as4) != 1 || len(path) != 1 || lead < 0 {
		return path
	}
	return wire.Sequence(slices.Concat(path[0].ASNs[:lead], as4[0].ASNs)...)
}

// TestTableDumpV2 reads tables that GoBGP has written, with and without
// ADD-PATH.
func TestTableDumpV2(t *testing.T) {
	at := time.Unix(1_700_000_000, 0).UTC()
	peers := []*gobgp.Peer{
		gobgp.NewPeer("192.0.2.1", "192.0.2.1", 64500, true),
		gobgp.NewPeer("192.0.2.2", "2001:db8::2", 4200000001, true),
	}
	attrs := func(asns ...uint32) []bgp.PathAttributeInterface {
		return []bgp.PathAttributeInterface{
			bgp.NewPathAttributeOrigin(0),
			bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, asns)}),
			bgp.NewPathAttributeUnknown(bgp.BGP_ATTR_FLAG_OPTIONAL|bgp.BGP_ATTR_FLAG_TRANSITIVE, 35, []byte{0, 0, 0xfb, 0xf4}),
		}
	}
	for _, tt := range []struct {
		name    string
		prefix  bgp.AddrPrefixInterface
		sub     gobgp.MRTSubTypeTableDumpv2
		addPath bool
	}{
		{"IPv4", bgp.NewIPAddrPrefix(23, "198.51.100.0"), gobgp.RIB_IPV4_UNICAST, false},
		{"IPv6", bgp.NewIPv6AddrPrefix(48, "2001:db8:7::"), gobgp.RIB_IPV6_UNICAST, false},
		{"IPv4 with ADD-PATH", bgp.NewIPAddrPrefix(23, "198.51.100.0"), gobgp.RIB_IPV4_UNICAST_ADDPATH, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var file []byte
			for _, m := range []struct {
				sub  gobgp.MRTSubTyper
				body gobgp.Body
			}{
				{gobgp.PEER_INDEX_TABLE, gobgp.NewPeerIndexTable("192.0.2.9", "view", peers)},
				{tt.sub, gobgp.NewRib(7, tt.prefix, []*gobgp.RibEntry{
					gobgp.NewRibEntry(0, 1, 3, attrs(64500, 64511), tt.addPath),
					gobgp.NewRibEntry(1, 1, 4, attrs(4200000001, 64511), tt.addPath),
				})},
			} {
				msg, err := gobgp.NewMRTMessage(uint32(at.Unix()), gobgp.TABLE_DUMPv2, m.sub, m.body)
				if err != nil {
					t.Fatal(err)
				}
				raw, err := msg.Serialize()
				if err != nil {
					t.Fatal(err)
				}
				file = append(file, raw...)
			}
			want := []string{
				"1700000000 table entry 192.0.2.1 AS64500 " + tt.prefix.String() + " path 64500 64511 otc 64500",
				"1700000000 table entry 2001:db8::2 AS4200000001 " + tt.prefix.String() + " path 4200000001 64511 otc 64500",
			}
			var got []string
			for e, err := range NewReader(bytes.NewReader(file)).Elements() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s otc %d", line(e), e.OTC.AS))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestTableOf2002 reads the old TABLE_DUMP; that bgpdump reads as many entries
// is shown by TestCountsAsBgpdump.
func TestTableOf2002(t *testing.T) {
	got := lines(t, dump(t, "bview.20020722.2337.gz"))
	want := "1027381055 table entry 193.203.0.1 AS1853 3.0.0.0/8 path 1853 1239 80"
	if len(got) == 0 || got[0] != want {
		t.Fatalf("the first of %d is %q, want %q", len(got), slices.Concat(got, []string{""})[0], want)
	}
}

// TestCutOff: a file that ends within a record says where, after everything
// that was whole.
func TestCutOff(t *testing.T) {
	whole := dump(t, "updates.20100722.2015.gz")[:6000]
	var starts []int64 // of records
	for e, err := range NewReader(bytes.NewReader(whole)).Elements() {
		if err == nil && (len(starts) == 0 || starts[len(starts)-1] != e.Offset) {
			starts = append(starts, e.Offset)
		}
	}
	if len(starts) < 10 {
		t.Fatalf("only %d records", len(starts))
	}
	for end := range len(whole) {
		var last error
		for _, err := range NewReader(bytes.NewReader(whole[:end])).Elements() {
			last = err
		}
		border := boundary(whole, end)
		var record *RecordError
		switch {
		case border && last != nil:
			t.Fatalf("cut at %d, between records: %v", end, last)
		case !border && (!errors.As(last, &record) || !record.Fatal):
			t.Fatalf("cut at %d, within a record: %v", end, last)
		case !border && record.Offset > int64(end):
			t.Fatalf("cut at %d: offset %d", end, record.Offset)
		}
	}
}

// boundary reports whether a record of raw starts or ends at the offset.
func boundary(raw []byte, at int) bool {
	for o := 0; o <= at; {
		if o == at {
			return true
		}
		if o+headerLen > len(raw) {
			return false
		}
		h := new(gobgp.MRTHeader)
		if h.DecodeFromBytes(raw[o:]) != nil {
			return false
		}
		o += headerLen + int(h.Len)
	}
	return false
}

// TestDamage: whatever bits flip, there is no panic, and an error has an
// offset within the file.
func TestDamage(t *testing.T) {
	whole := dump(t, "updates.20160811.1600.gz")[:20000]
	rapid.Check(t, func(t *rapid.T) {
		raw := bytes.Clone(whole)
		for range rapid.IntRange(1, 30).Draw(t, "flips") {
			raw[rapid.IntRange(0, len(raw)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		checkSurvives(t, raw)
	})
}

type fatal interface{ Fatalf(string, ...any) }

func checkSurvives(t fatal, raw []byte) {
	r := NewReader(bytes.NewReader(raw))
	fatals := 0
	for e, err := range r.Elements() {
		var record *RecordError
		switch {
		case err != nil && (!errors.As(err, &record) || record.Offset < 0 || record.Offset > int64(len(raw))):
			t.Fatalf("an error without a place: %v", err)
		case err != nil && record.Fatal:
			fatals++
		case err != nil:
		case e.Kind == 0 || fatals > 0:
			t.Fatalf("element %v after %d fatal errors", e, fatals)
		case e.Kind != SessionState && (!e.Prefix.IsValid() || e.Prefix != e.Prefix.Masked()):
			t.Fatalf("prefix %s", e.Prefix)
		}
	}
}

func FuzzElements(f *testing.F) {
	for _, name := range []string{"bview.20020722.2337.gz", "updates.20100722.2015.gz", "updates.20160811.1600.gz"} {
		f.Add(dump(f, name)[:2000])
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkSurvives(t, raw) })
}

// BenchmarkElements reads a real table.
func BenchmarkElements(b *testing.B) {
	raw := dump(b, "bview.20020722.2337.gz")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range NewReader(bytes.NewReader(raw)).Elements() {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "elements/s")
}
