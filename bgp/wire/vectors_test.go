package wire

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy"
)

const vectors = "../../testdata/vectors/"

func loadVectors(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(vectors + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "\n", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// updateBody puts the body of an UPDATE together from raw parts.
func updateBody(withdrawn, attributes, nlri []byte) []byte {
	b := []byte{byte(len(withdrawn) >> 8), byte(len(withdrawn))}
	b = append(b, withdrawn...)
	b = append(b, byte(len(attributes)>>8), byte(len(attributes)))
	return append(append(b, attributes...), nlri...)
}

func collect(seq func(func(netip.Prefix) bool)) []string {
	var s []string
	for p := range seq {
		s = append(s, p.String())
	}
	return s
}

// bothFamilies is an external session on which everything we carry was
// negotiated.
var bothFamilies = Session{Families: NewFamilySet(IPv4Unicast, IPv6Unicast)}

func TestVectorsOpenBGPDMalformedAttributes(t *testing.T) {
	var file struct {
		Cases []struct {
			Session, Attribute, Prefix, Expected string
			Type                                 uint8
			Flags                                string
			ValueHex                             string `json:"value_hex"`
		}
	}
	loadVectors(t, "openbgpd-malformed-attr.json", &file)
	if len(file.Cases) != 16 {
		t.Fatalf("%d cases, want 16", len(file.Cases))
	}
	for _, c := range file.Cases {
		for _, twoOctet := range []bool{false, true} {
			s := bothFamilies
			s.Internal, s.TwoOctetAS = c.Session == "ibgp", twoOctet
			var flags AttributeFlags
			if _, err := fmt.Sscanf(c.Flags, "0x%x", &flags); err != nil {
				t.Fatal(err)
			}
			list := appendAttribute(nil, transitive, AttrOrigin, []byte{0})
			list = appendAttribute(list, transitive, AttrASPath, nil)
			list = appendAttribute(list, transitive, AttrNextHop, []byte{10, 12, 57, 3})
			if s.Internal {
				list = appendUint32(list, transitive, AttrLocalPref, 100)
			}
			list = appendAttribute(list, flags, AttributeType(c.Type), unhex(t, c.ValueHex))
			nlri := AppendPrefix(nil, netip.MustParsePrefix(c.Prefix))

			u := s.Classify(updateBody(nil, list, nlri))
			if u.Action.String() != c.Expected || u.Attribute != AttributeType(c.Type) {
				t.Errorf("%s %s, two-octet %v: got %s for %s (%s), want %s", c.Session, c.Attribute, twoOctet, u.Action, u.Attribute, u.Why, c.Expected)
			}
			checkKept(t, &u, c.Prefix, AttributeType(c.Type))
		}
	}
}

// checkKept: a route is either withdrawn, or kept without the attribute.
func checkKept(t *testing.T, u *Update, prefix string, bad AttributeType) {
	t.Helper()
	if u.Action == TreatAsWithdraw {
		if got := collect(u.Withdrawals()); !slices.Equal(got, []string{prefix}) || collect(u.Advertisements()) != nil {
			t.Errorf("%s: withdrawals %v, advertisements %v", bad, got, collect(u.Advertisements()))
		}
		return
	}
	if got := collect(u.Advertisements()); !slices.Equal(got, []string{prefix}) || collect(u.Withdrawals()) != nil {
		t.Errorf("%s: advertisements %v, withdrawals %v", bad, got, collect(u.Withdrawals()))
	}
	attrs, err := u.Attributes(IPv4Unicast)
	if err != nil {
		t.Fatal(err)
	}
	if attrs.Aggregator != (Aggregator{}) || attrs.ClusterList != nil || attrs.Unknown != nil || !u.Discards(bad) {
		t.Errorf("%s: still there after it was discarded: %+v", bad, attrs)
	}
}

type frrWire struct {
	MP []struct {
		Attribute, Name, Desc, Expected string
		ValueHex                        string `json:"value_hex"`
	} `json:"mp_attributes"`
	Capabilities []struct {
		Table, Name, Desc, Hex, Expected string
		PeekAS4                          *uint32 `json:"peek_as4"`
	}
	Segments []struct {
		Name, Desc, Hex, Notation string
		ASSize                    int `json:"asn_size"`
		String                    *string
		Hops                      int
	} `json:"as_path_segments"`
	PathAttributes []struct {
		Desc, Segment string
		ExpectedPath  *string `json:"expected_path"`
		Encoding      string  `json:"asn_encoding"`
		Expected      string  `json:"expected_result"`
		PeerCaps      int     `json:"peer_caps"`
		AttrHeaderHex string  `json:"attr_header_hex"`
	} `json:"as_path_attributes"`
}

func loadFRR(t *testing.T) frrWire {
	t.Helper()
	var file frrWire
	loadVectors(t, "frr-wire.json", &file)
	if len(file.MP) != 28 || len(file.Capabilities) != 47 || len(file.Segments) != 33 || len(file.PathAttributes) != 14 {
		t.Fatalf("%d, %d, %d, %d cases", len(file.MP), len(file.Capabilities), len(file.Segments), len(file.PathAttributes))
	}
	return file
}

func TestVectorsFRRMPAttributes(t *testing.T) {
	for _, c := range loadFRR(t).MP {
		t.Run(c.Name, func(t *testing.T) {
			value := unhex(t, c.ValueHex)
			list := appendAttribute(nil, transitive, AttrOrigin, []byte{0})
			list = appendAttribute(list, transitive, AttrASPath, nil)
			code := AttrMPReach
			if c.Attribute == "MP_UNREACH_NLRI" {
				code, list = AttrMPUnreach, nil
			}
			u := bothFamilies.Classify(updateBody(nil, appendAttribute(list, optional, code, value), nil))

			want := Accept
			switch {
			case value[2] != 1:
				want = AttributeDiscard // labelled VPN: never negotiated, good or bad
			case c.Name == "IPv6-bug":
				want = AttributeDiscard // well-formed, but without a route: nothing to reset a session for
			case c.Expected == "error":
				want = SessionReset // RFC 7606 sections 5.3 and 7.11
			}
			if value[3] >= 16 && len(value) > 4 && value[4] == 0xff && want == Accept && code == AttrMPReach {
				// FRR's made-up next hop fffe:... is a multicast address, which
				// FRR's test does not look at: the attribute is well-formed, its
				// routes are located, and they are not usable.
				want = TreatAsWithdraw
			}
			if u.Action != want {
				t.Fatalf("got %s (%s), want %s", u.Action, u.Why, want)
			}
			if want == SessionReset {
				n := u.Notification()
				if n.Code != CodeUpdate || n.Subcode != SubOptionalAttribute || len(n.Data) == 0 {
					t.Errorf("would send %v with %x", n, n.Data)
				}
			}
			got := append(collect(u.Advertisements()), collect(u.Withdrawals())...)
			if routes := frrRoutes[c.Name]; c.Expected == "ok" && value[2] == 1 && (routes == nil || !slices.Equal(got, routes)) {
				t.Errorf("routes %v, want %v", got, routes)
			}
			if c.Expected != "ok" && got != nil {
				t.Errorf("routes %v, want none", got)
			}
		})
	}
}

// frrRoutes are the prefixes of the well-formed attributes.
var frrRoutes = map[string][]string{
	"IPv6":                 {"fffe:102::/32"},
	"IPv6-2":               {"fffe:102::/32", "fffe:1:2:3::/64"},
	"IPv6-default":         {"fffe:102::/32", "fffe:1:2:3::/64", "::/0"},
	"IPv6-lnh":             {"fffe:102::/32", "fffe:1:2:3::/64", "::/0"},
	"IPv4":                 {"10.1.0.0/16", "10.2.0.0/17", "0.0.0.0/0"},
	"IPv6-unreach":         {"fffe:102::/32"},
	"IPv6-unreach2":        {"fffe:102::/32", "fffe:1:2:3::/64"},
	"IPv6-unreach-default": {"fffe:102::/32", "fffe:1:2:3::/64", "::/0"},
	"IPv4-unreach":         {"10.1.0.0/16", "10.2.0.0/17", "0.0.0.0/0"},
}

func TestVectorsFRRCapabilities(t *testing.T) {
	for _, c := range loadFRR(t).Capabilities {
		t.Run(c.Table+"/"+c.Name+"/"+c.Hex, func(t *testing.T) {
			parameters := unhex(t, c.Hex)
			if c.Table == "dynamic_cap_msgs" {
				// The body of a message of type 6, which does not exist for us.
				raw := endMessage(append(beginMessage(nil, 6), parameters...), 0)
				_, err := ParseMessage(raw)
				wantNotification(t, err, CodeHeader, SubBadType, []byte{6})
				return
			}
			if c.Table != "opt_params" {
				parameters = append([]byte{parameterCaps, byte(len(parameters))}, parameters...)
			}
			o, err := ParseOpen(openBody(parameters))
			if c.Expected == "error" {
				wantNotification(t, err, CodeOpen, SubOpenUnspecific, nil)
				return
			}
			if err != nil {
				t.Fatalf("got %v, want no error", err)
			}
			if c.PeekAS4 != nil {
				if asn, _ := o.Capabilities.FourOctetAS(); asn != *c.PeekAS4 {
					t.Errorf("AS number %d, want %d", asn, *c.PeekAS4)
				}
			}
		})
	}
}

// openBody is the body of an OPEN with the given optional parameters.
func openBody(parameters []byte) []byte {
	return append([]byte{4, 0xfd, 0xe8, 0, 90, 192, 0, 2, 1, byte(len(parameters))}, parameters...)
}

func wantNotification(t *testing.T, err error, code Code, subcode uint8, data []byte) {
	t.Helper()
	var n *Notification
	if !errors.As(err, &n) {
		t.Fatalf("got %v, want a notification %d/%d", err, code, subcode)
	}
	if n.Code != code || n.Subcode != subcode || !slices.Equal(n.Data, data) {
		t.Fatalf("got %v with %x, want %d/%d with %x", n, n.Data, code, subcode, data)
	}
}

func TestVectorsFRRASPathSegments(t *testing.T) {
	for _, c := range loadFRR(t).Segments {
		t.Run(c.Name, func(t *testing.T) {
			value := unhex(t, c.Hex)
			why := checkASPath(value, c.ASSize, true)
			if strings.HasPrefix(c.Name, "BGP_AS_ZERO") {
				// The segment can be read, but RFC 7607 makes the attribute malformed.
				if why != "AS number 0" {
					t.Errorf("got %q, want AS number 0", why)
				}
			} else if (why == "") != (c.String != nil) {
				t.Fatalf("got %q, want well-formed %v", why, c.String != nil)
			}
			if c.String == nil {
				return
			}
			path, err := decodeASPath(value, c.ASSize)
			if err != nil {
				t.Fatal(err)
			}
			if path.Hops() != c.Hops {
				t.Errorf("%d hops, want %d", path.Hops(), c.Hops)
			}
			if got := sortSets(path).String(); c.Notation == "plain" && got != *c.String {
				t.Errorf("got %q, want %q", got, *c.String)
			}
			if got := path.append(nil, c.ASSize); !slices.Equal(got, value) {
				t.Errorf("encoded again as %x, want %x", got, value)
			}
		})
	}
}

// sortSets writes sets as FRR does: sorted, without duplicates.
func sortSets(p ASPath) ASPath {
	sorted := slices.Clone(p)
	for i, s := range sorted {
		if s.Type == ASSet || s.Type == ConfedSet {
			asns := slices.Sorted(slices.Values(s.ASNs))
			sorted[i].ASNs = slices.Compact(asns)
		}
	}
	return sorted
}

func TestVectorsFRRASPathAttributes(t *testing.T) {
	file := loadFRR(t)
	segments := map[string][]byte{}
	for _, s := range file.Segments {
		segments[s.Name] = unhex(t, s.Hex)
	}
	for _, c := range file.PathAttributes {
		t.Run(c.Desc, func(t *testing.T) {
			segment := segments[c.Segment]
			if c.Encoding == "as4" {
				path, err := decodeASPath(segment, 2)
				if err != nil {
					t.Fatal(err)
				}
				segment = path.append(nil, 4)
			}
			list := append(unhex(t, c.AttrHeaderHex), segment...)
			s := bothFamilies
			s.TwoOctetAS = c.PeerCaps != 3 // not both sides have capability 65
			u := s.Classify(updateBody(nil, list, []byte{24, 203, 0, 113}))

			want := TreatAsWithdraw
			if c.Expected == "ok" {
				want = Accept
			}
			if c.Desc == "4b AS4_PATH: confed" {
				// FRR reads the AS4_PATH of a message whose AS_PATH came before;
				// here there is none, and a mandatory attribute is missing.
				want = TreatAsWithdraw
			}
			if u.Action != want {
				t.Fatalf("got %s (%s: %s), want %s", u.Action, u.Attribute, u.Why, want)
			}
			if want == Accept {
				attrs, err := u.Attributes(IPv4Unicast)
				if err != nil || attrs.ASPath.String() != *c.ExpectedPath {
					t.Errorf("path %q, %v, want %q", attrs.ASPath, err, *c.ExpectedPath)
				}
			}
		})
	}
}

// exabgpRow is a message of ExaBGP's own tests.
type exabgpRow struct {
	File, Cmd, Raw string
	Lines          []string
	JSON           struct {
		Neighbor struct {
			ASN     struct{ Local, Peer uint32 }
			Message struct {
				Update struct {
					Attribute exabgpAttributes
					Announce  map[string]map[string][]exabgpNLRI
					Withdraw  map[string][]exabgpNLRI
				}
			}
		}
	}
}

type exabgpNLRI struct{ NLRI string }

type exabgpAttributes struct {
	Origin    string
	LocalPref *uint32 `json:"local-preference"`
	MED       *uint32
	Community [][2]uint32
	Large     [][3]uint32 `json:"large-community"`
	ASPath    map[string]struct {
		Element string
		Value   []uint32
	} `json:"as-path"`
}

// exabgpMessages reads the file; rows of the qa/decoding kind hold the message
// as text, sometimes without its header.
func exabgpMessages(t testing.TB) []exabgpRow {
	t.Helper()
	f, err := os.Open(vectors + "exabgp-qa-messages.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []exabgpRow
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		var row exabgpRow
		if err := json.Unmarshal(scan.Bytes(), &row); err != nil {
			t.Fatalf("row %d: %v", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 268 {
		t.Fatalf("%d rows, want 268", len(rows))
	}
	return rows
}

func TestVectorsExaBGP(t *testing.T) {
	var outcome strings.Builder
	counts := map[string]int{}
	for i, row := range exabgpMessages(t) {
		where := fmt.Sprintf("%03d %s", i+1, row.File)
		raw, kind := row.Raw, "update"
		if row.Lines != nil {
			kind, _, _ = strings.Cut(row.Lines[0], " ")
			raw = row.Lines[1]
		}
		line := ""
		switch {
		case kind == "nlri":
			line = "not a message: one BGP-LS NLRI"
		case kind == "open":
			m, err := ParseMessage(unhex(t, raw))
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			o, err := ParseOpen(m.Body)
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			line = fmt.Sprintf("open AS%d hold %d id %s capabilities %d", o.ASN(), o.HoldTime, o.RouterID, len(o.Capabilities))
		default:
			line = exabgpUpdate(t, where, row, unhex(t, raw))
		}
		word, _, _ := strings.Cut(line, " ")
		counts[word]++
		fmt.Fprintf(&outcome, "%s: %s\n", where, line)
	}
	golden(t, "testdata/exabgp-outcomes.golden", []byte(outcome.String()))
	t.Logf("outcomes: %v", counts)
}

// exabgpUpdate rules on an UPDATE, compares what it carries with ExaBGP's own
// reading of it and returns the ruling for the golden file.
func exabgpUpdate(t *testing.T, where string, row exabgpRow, raw []byte) string {
	t.Helper()
	body := raw
	if len(raw) > 16 && raw[0] == 0xff {
		m, err := ParseMessage(raw)
		if err != nil || m.Type != TypeUpdate {
			t.Fatalf("%s: %s, %v", where, m.Type, err)
		}
		body = m.Body
	}
	asn := row.JSON.Neighbor.ASN
	s := bothFamilies
	s.Internal = asn.Local == asn.Peer
	s.LoopbackNextHop = true // these tests run on 127.0.0.1
	u := s.Classify(body)
	line := u.Action.String()
	if u.Action != Accept {
		line += fmt.Sprintf(" %s: %s", u.Attribute, u.Why)
	}
	if f, ok := u.EndOfRIB(); ok {
		line += " end-of-rib " + f.String()
	}
	if slices.Contains(exabgpAddPath, row.File) {
		return line + " (ADD-PATH, which is never negotiated here)"
	}
	if row.Lines != nil || u.Action == SessionReset || u.Action == TreatAsWithdraw {
		return line
	}
	want := row.JSON.Neighbor.Message.Update
	var advertised, withdrawn []string
	for _, f := range []string{"ipv4 unicast", "ipv6 unicast"} {
		for _, routes := range want.Announce[f] {
			for _, r := range routes {
				advertised = append(advertised, r.NLRI)
			}
		}
		for _, r := range want.Withdraw[f] {
			withdrawn = append(withdrawn, r.NLRI)
		}
	}
	if got := collect(u.Advertisements()); !slices.Equal(got, advertised) {
		t.Errorf("%s: advertises %v, want %v", where, got, advertised)
	}
	if got := collect(u.Withdrawals()); !slices.Equal(got, withdrawn) {
		t.Errorf("%s: withdraws %v, want %v", where, got, withdrawn)
	}
	if advertised != nil {
		compareExaBGP(t, where, &u, want.Attribute, s.Internal)
	}
	return line
}

// exabgpAddPath are the tests whose sessions have negotiated ADD-PATH: without
// it the path identifiers read as prefixes.
var exabgpAddPath = []string{"qa/api/api-attributes-path.ci", "qa/api/api-open.ci", "qa/encoding/conf-addpath.ci"}

func compareExaBGP(t *testing.T, where string, u *Update, want exabgpAttributes, internal bool) {
	t.Helper()
	family := IPv4Unicast
	if u.announced.empty() {
		family = u.reachFamily
	}
	got, err := u.Attributes(family)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	metric := func(v *uint32) Metric {
		if v == nil {
			return Metric{}
		}
		return MetricOf(*v)
	}
	if want.Origin != "" && got.Origin.String() != want.Origin {
		t.Errorf("%s: origin %s, want %s", where, got.Origin, want.Origin)
	}
	if got.MED != metric(want.MED) {
		t.Errorf("%s: MED %v, want %v", where, got.MED, want.MED)
	}
	if internal && got.LocalPref != metric(want.LocalPref) {
		t.Errorf("%s: LOCAL_PREF %v, want %v", where, got.LocalPref, want.LocalPref)
	}
	var communities []policy.Community
	for _, c := range want.Community {
		communities = append(communities, policy.Community(c[0]<<16|c[1]))
	}
	if !slices.Equal(got.Communities, communities) {
		t.Errorf("%s: communities %v, want %v", where, got.Communities, communities)
	}
	var large []policy.LargeCommunity
	for _, c := range want.Large {
		large = append(large, policy.LargeCommunity{Global: c[0], Local1: c[1], Local2: c[2]})
	}
	if !slices.Equal(got.LargeCommunities, large) {
		t.Errorf("%s: large communities %v, want %v", where, got.LargeCommunities, large)
	}
	if len(got.ASPath) != len(want.ASPath) {
		t.Errorf("%s: AS path %s, want %v", where, got.ASPath, want.ASPath)
	}
	for i, s := range got.ASPath {
		if w := want.ASPath[fmt.Sprint(i)]; !slices.Equal(s.ASNs, w.Value) {
			t.Errorf("%s: AS path %s, want %v", where, got.ASPath, want.ASPath)
		}
	}
}
