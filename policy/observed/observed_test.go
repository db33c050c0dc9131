package observed

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/bgp/wire/mrt"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
	"pgregory.net/rapid"
)

// incident is a public leak, as testdata has it.
type incident struct {
	ID            string
	Relationships []struct {
		A, B uint32
		Rel  string
		Old  map[string]string `json:"caida_serial1"`
	}
	Cases []struct {
		Prefix   string
		Prefixes []string
		Path     []uint32 `json:"as_path"`
		Leaker   uint32
		Others   []uint32 `json:"alternative_leakers"`
		Type     int      `json:"leak_type"`
		Types    []int    `json:"alternative_leak_types"`
		Leak     bool     `json:"expected_leak"`
	}
}

// relations are those that the sources state. Where they dispute, what was
// recorded at the time decides: without a word on the pair nothing can be said.
func (i *incident) relations(t *testing.T) (out Relations) {
	t.Helper()
	for _, r := range i.Relationships {
		switch r.Rel {
		case "a is provider of b":
			out.Declare(r.A, r.B, Customer)
		case "peers":
			out.Declare(r.A, r.B, Peer)
		case "disputed":
			if strings.Contains(r.Old["20160101"], "provider of") {
				out.Declare(r.A, r.B, Customer)
			}
		case "unknown":
		default:
			t.Fatalf("%s: relationship %q", i.ID, r.Rel)
		}
	}
	return out
}

// notShown are the cases whose data cannot show the leak.
var notShown = map[string]string{
	"telekom-malaysia-2015-06-12": "the published segment 3549 4788 ends at the leaker: from whom it had the routes is not in it",
}

// TestIncidents: every published leak is found, with leaker and type, and what
// was no leak of a path is none.
func TestIncidents(t *testing.T) {
	raw, err := os.ReadFile("testdata/incidents.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Incidents []incident }
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	judged, unseen := 0, map[string]bool{}
	for _, in := range doc.Incidents {
		j := NewJudge(Knowledge{Relations: in.relations(t)})
		for _, c := range in.Cases {
			judged++
			found := j.Route(&Route{Path: wire.Sequence(c.Path...)})
			switch i := slices.IndexFunc(found, func(f Finding) bool {
				types := append([]int{c.Type}, c.Types...)
				return slices.Contains(append(c.Others, c.Leaker), f.Leaker) && slices.Contains(types, int(f.Leak))
			}); {
			case !c.Leak && len(found) > 0:
				t.Errorf("%s: %v: %s, and there was no leak", in.ID, c.Path, found[0].Statement)
			case c.Leak && i < 0 && notShown[in.ID] != "":
				unseen[in.ID] = true
			case c.Leak && i < 0:
				t.Errorf("%s: %v: %+v, want AS%d, type %d", in.ID, c.Path, found, c.Leaker, c.Type)
			}
		}
	}
	if judged < 30 {
		t.Errorf("only %d cases", judged)
	}
	for id := range notShown {
		if !unseen[id] {
			t.Errorf("%s is found after all", id)
		}
	}
}

// TestLinesOf22January: all 13 published lines, 7 prefixes, one leaker, with
// and without anything known about others.
func TestLinesOf22January(t *testing.T) {
	var declared Relations
	declared.Declare(13335, 3356, Provider)
	declared.Declare(13335, 32934, Peer)
	for _, tt := range []struct {
		name string
		know Knowledge
		rule string
		leak policy.LeakType
	}{
		{"our ASN alone", Knowledge{Own: []uint32{13335}}, RuleTransit, policy.NoLeakType},
		{"relationships alone", Knowledge{Relations: declared}, RuleValley, policy.PeerToProvider},
		{"both", Knowledge{Own: []uint32{13335}, Relations: declared}, RuleValley, policy.PeerToProvider},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := os.Open("testdata/2026-01-22-monocle.psv")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var tally Tally
			j := NewJudge(tt.know)
			for s, err := range Lines(f) {
				if err != nil {
					t.Fatal(err)
				}
				tally.Add(j, s)
			}
			leakers, below := tally.Leakers(Threshold{})
			if len(leakers) != 1 || below != 0 || leakers[0].AS != 13335 {
				t.Fatalf("%d leakers", len(leakers))
			}
			l := leakers[0]
			if l.Routes != 13 || l.Prefixes() != 7 || l.Transit != 13 || l.Rules[tt.rule] != 13 {
				t.Errorf("%d routes, %d prefixes, %d passed on, rules %v", l.Routes, l.Prefixes(), l.Transit, l.Rules)
			}
			for _, e := range l.Examples {
				if e.Leak != tt.leak || e.From != 32934 || e.To != 3356 || e.Collector == "" {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// TestRealTableIsClean: with relationships under which no path of a real table
// is a valley, none of its 115,521 routes is one.
func TestRealTableIsClean(t *testing.T) {
	raw := table(t)
	j := NewJudge(Knowledge{Relations: relationsOf(raw)})
	var tally Tally
	for s, err := range MRT(raw.reader()) {
		if err != nil {
			t.Fatal(err)
		}
		tally.Add(j, s)
	}
	if tally.Routes < 100_000 {
		t.Fatalf("%d routes", tally.Routes)
	}
	if leakers, _ := tally.Leakers(Threshold{}); len(leakers) > 0 {
		t.Errorf("%d ASes, first %+v", len(leakers), leakers[0].Examples[0])
	}
}

// TestAnyHierarchy: in a made-up Internet of three tiers every route that is
// passed on by the rules is clean, and one that an AS leaks is found there.
func TestAnyHierarchy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// ASes 1 to 9 peer with one another, 10 to 99 are customers of the digit
		// they begin with, 100 to 999 of the two they begin with.
		var rel Relations
		for a := uint32(1); a < 10; a++ {
			for b := a + 1; b < 10; b++ {
				rel.Declare(a, b, Peer)
			}
		}
		for asn := uint32(10); asn < 1000; asn++ {
			rel.Declare(asn, asn/10, Provider)
		}
		climb := func(asn uint32) (up []uint32) {
			for ; asn > 0; asn /= 10 {
				up = append(up, asn)
			}
			return up
		}
		leaf := rapid.Uint32Range(100, 999)
		from, to := climb(leaf.Draw(t, "origin")), climb(leaf.Draw(t, "collector"))
		slices.Reverse(from) // a path begins at the collector
		path := slices.Compact(slices.Concat(to, from))
		j := NewJudge(Knowledge{Relations: rel})
		if found := j.Route(&Route{Path: wire.Sequence(path...)}); len(found) > 0 && !loop(path) {
			t.Fatalf("%v: %+v", path, found)
		}
		// The collector's leaf leaks to another provider, which is ours to name.
		leaker, other := path[0], uint32(5000)
		rel.Declare(leaker, other, Provider)
		j = NewJudge(Knowledge{Relations: rel})
		leaked := append([]uint32{other}, path...)
		if len(path) < 2 || loop(leaked) || rel.Of(path[1], leaker) != Customer {
			return
		}
		found := j.Route(&Route{Path: wire.Sequence(leaked...)})
		if len(found) != 1 || found[0].Leaker != leaker || found[0].Leak != policy.HairpinLeak {
			t.Fatalf("%v: %+v, want AS%d", leaked, found, leaker)
		}
	})
}

// one is the finding of a judge that has to have one.
func one(t *testing.T, k Knowledge, r Route) Finding {
	t.Helper()
	found := NewJudge(k).Route(&r)
	if len(found) != 1 {
		t.Fatalf("%d findings: %+v", len(found), found)
	}
	return found[0]
}

func none(t *testing.T, k Knowledge, r Route) {
	t.Helper()
	if found := NewJudge(k).Route(&r); len(found) > 0 {
		t.Fatalf("%+v", found)
	}
}

func TestTypesOfLeak(t *testing.T) {
	for _, tt := range []struct {
		from, to Relation
		want     policy.LeakType
	}{
		{Provider, Provider, policy.HairpinLeak}, {Peer, Peer, policy.LateralLeak},
		{Provider, Peer, policy.ProviderToPeer}, {Peer, Provider, policy.PeerToProvider},
		{Customer, Provider, policy.NoLeakType}, {Customer, Peer, policy.NoLeakType}, {Provider, Customer, policy.NoLeakType},
		{Peer, Customer, policy.NoLeakType}, {Unknown, Provider, policy.NoLeakType}, {Provider, Unknown, policy.NoLeakType},
	} {
		var rel Relations
		if tt.from != Unknown {
			rel.Declare(2, 3, tt.from)
		}
		if tt.to != Unknown {
			rel.Declare(2, 1, tt.to)
		}
		r := Route{Path: wire.Sequence(1, 1, 2, 2, 2, 3)}
		if tt.want == policy.NoLeakType {
			none(t, Knowledge{Relations: rel}, r)
			continue
		}
		f := one(t, Knowledge{Relations: rel}, r)
		if f.Leak != tt.want || f.Leaker != 2 || f.From != 3 || f.To != 1 {
			t.Errorf("from a %s to a %s: %+v, want %s", tt.from, tt.to, f, tt.want)
		}
	}
}

func TestWhatIsNotJudged(t *testing.T) {
	var rel Relations
	rel.Declare(2, 3, Provider)
	rel.Declare(2, 1, Provider)
	k := Knowledge{Relations: rel, Own: []uint32{2}}
	none(t, k, Route{})
	none(t, k, Route{Path: wire.ASPath{{Type: wire.ASSequence, ASNs: []uint32{1}}, {Type: wire.ASSet, ASNs: []uint32{2}}, {Type: wire.ASSequence, ASNs: []uint32{3}}}})
	none(t, k, Route{Path: wire.Sequence(1, 2, 3, 1)}) // a loop: poisoned or forged
	none(t, k, Route{Path: wire.Sequence(2, 3)})
	// What happens inside a confederation is nobody's business.
	f := one(t, k, Route{Path: wire.ASPath{{Type: wire.ConfedSequence, ASNs: []uint32{65000}}, {Type: wire.ASSequence, ASNs: []uint32{1, 2, 3}}}})
	if f.Rule != RuleValley || !slices.Equal(f.Also, []string{RuleTransit}) {
		t.Errorf("%+v", f)
	}
}

func TestOwnInTransit(t *testing.T) {
	own := Knowledge{Own: []uint32{64500, 64501}}
	if f := one(t, own, Route{Path: wire.Sequence(1, 64500, 2)}); f.Rule != RuleTransit || f.Leaker != 64500 || f.From != 2 || f.To != 1 {
		t.Errorf("%+v", f)
	}
	none(t, own, Route{Path: wire.Sequence(1, 64500, 64501, 64500)})
	none(t, own, Route{Path: wire.Sequence(1, 64500, 64501)})
	for _, customer := range []uint32{1, 2} {
		k := own
		k.Relations = Relations{}
		k.Relations.Declare(64500, customer, Customer)
		none(t, k, Route{Path: wire.Sequence(1, 64500, 2)})
	}
}

func TestPeerlock(t *testing.T) {
	k := Knowledge{Tier1: []uint32{174, 3356}}
	if f := one(t, k, Route{Path: wire.Sequence(9, 174, 7, 8, 3356, 5)}); f.Rule != RulePeerlock || f.Leaker != 7 {
		t.Errorf("%+v", f)
	}
	none(t, k, Route{Path: wire.Sequence(9, 174, 3356, 5)})
	none(t, k, Route{Path: wire.Sequence(9, 7, 3356, 5)})
}

func TestOTC(t *testing.T) {
	var rel Relations
	rel.Declare(2, 1, Peer)
	r := Route{Path: wire.Sequence(1, 2, 3, 4), OTC: policy.OTCWith(3)}
	if f := one(t, Knowledge{Relations: rel}, r); f.Rule != RuleOTC || f.Leaker != 2 || f.To != 1 {
		t.Errorf("%+v", f)
	}
	r.OTC = policy.OTCWith(2) // set by 2 itself, or by 1 on receipt
	none(t, Knowledge{Relations: rel}, r)
	r.OTC = policy.OTCWith(99) // by a route server, which is not in the path
	none(t, Knowledge{Relations: rel}, r)
	var down Relations
	down.Declare(2, 1, Customer)
	none(t, Knowledge{Relations: down}, Route{Path: wire.Sequence(1, 2, 3, 4), OTC: policy.OTCWith(3)})
}

func TestASPA(t *testing.T) {
	set, err := rpki.NewASPAs([]rpki.ASPA{{Customer: 32934, Providers: []uint32{3356}}, {Customer: 3356, Providers: []uint32{0}}})
	if err != nil {
		t.Fatal(err)
	}
	k := Knowledge{ASPAs: set, Direction: rpki.Downstream}
	f := one(t, k, Route{Path: wire.Sequence(174, 3356, 13335, 13335, 32934)})
	if f.Rule != RuleASPA || f.Leaker != 13335 || f.From != 32934 || f.To != 3356 {
		t.Errorf("%+v", f)
	}
	none(t, k, Route{Path: wire.Sequence(174, 3356, 32934)})
	if f := one(t, k, Route{Path: wire.ASPath{{Type: wire.ASSet, ASNs: []uint32{1, 2}}}}); f.Rule != RuleASPA || f.Leaker != 0 {
		t.Errorf("%+v", f)
	}
	// Upstream, at AS3356 itself: what it gets from 13335, its customer.
	f = one(t, Knowledge{ASPAs: set, Direction: rpki.Upstream}, Route{Path: wire.Sequence(13335, 32934)})
	if f.Leaker != 13335 || f.To != 0 {
		t.Errorf("%+v", f)
	}
}

func TestOrigins(t *testing.T) {
	vrps, err := rpki.NewSet([]rpki.VRP{{Prefix: netip.MustParsePrefix("192.0.2.0/23").Masked(), MaxLen: 23, ASN: 64500}})
	if err != nil {
		t.Fatal(err)
	}
	rov := Knowledge{VRPs: vrps}
	ours := Knowledge{Own: []uint32{64500}, OwnSpace: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/23").Masked()}}
	for _, tt := range []struct {
		name   string
		know   Knowledge
		prefix string
		origin uint32
		rule   string
		leak   policy.LeakType
	}{
		{"valid", rov, "192.0.2.0/23", 64500, "", 0},
		{"not found", rov, "198.51.100.0/24", 64511, "", 0},
		{"another origin", rov, "192.0.2.0/23", 64511, RuleOrigin, policy.ReoriginationLeak},
		{"more specific", rov, "192.0.2.0/24", 64500, RuleOrigin, policy.InternalLeak},
		{"ours", ours, "192.0.2.0/23", 64500, "", 0},
		{"ours from another", ours, "192.0.2.0/24", 64511, RuleOwnPrefix, policy.ReoriginationLeak},
		{"ours, more specific", ours, "192.0.2.0/24", 64500, RuleOwnPrefix, policy.InternalLeak},
		{"not ours", ours, "198.51.100.0/24", 64511, "", 0},
		{"wider than ours", ours, "192.0.0.0/16", 64511, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Route{Prefix: netip.MustParsePrefix(tt.prefix).Masked(), Path: wire.Sequence(1, tt.origin)}
			if tt.rule == "" {
				none(t, tt.know, r)
				return
			}
			if f := one(t, tt.know, r); f.Rule != tt.rule || f.Leak != tt.leak || f.Leaker != tt.origin {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestAdjacencies(t *testing.T) {
	var known Adjacencies
	known.Add(64500, 2)
	known.Add(64500, 1)
	var text strings.Builder
	if err := known.Write(&text); err != nil || text.String() != "64500 1\n64500 2\n" {
		t.Fatalf("%q %v", text.String(), err)
	}
	var read Adjacencies
	if err := read.Read(strings.NewReader("# ours\n" + text.String())); err != nil {
		t.Fatal(err)
	}
	k := Knowledge{Own: []uint32{64500}, Adjacent: &read}
	none(t, k, Route{Path: wire.Sequence(1, 64500)})
	if f := one(t, k, Route{Path: wire.Sequence(3, 64500)}); f.Rule != RuleAdjacency || f.To != 3 {
		t.Errorf("%+v", f)
	}
	for _, bad := range []string{"64500", "64500 x", "0 1", "1 2 3"} {
		if err := new(Adjacencies).Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestReadRelations(t *testing.T) {
	var r Relations
	text := "# inferred\n3356|13335|-1\n13335|32934|0|bgp\n\n1|2|0\n2|1|-1\n2|1|0\n"
	if err := r.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	type pair struct{ a, b uint32 }
	got := map[pair]Relation{}
	for _, p := range []pair{{3356, 13335}, {13335, 3356}, {13335, 32934}, {32934, 13335}, {1, 2}, {2, 1}, {7, 8}} {
		got[p] = r.Of(p.a, p.b)
	}
	want := map[pair]Relation{
		{3356, 13335}: Customer, {13335, 3356}: Provider, {13335, 32934}: Peer, {32934, 13335}: Peer,
		{1, 2}: Unknown, {2, 1}: Unknown, {7, 8}: Unknown,
	}
	if diff := cmp.Diff(want, got); diff != "" || r.Disputed() != 1 || r.Len() != 2 {
		t.Errorf("-want +got:\n%s%d disputed, %d pairs", diff, r.Disputed(), r.Len())
	}
	for _, bad := range []string{"", "# nothing", "1|2", "1|2|x", "a|2|0", "1|4294967296|0", "1|1|0", "1|2|1"} {
		if err := new(Relations).Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestThreshold(t *testing.T) {
	var rel Relations
	rel.Declare(2, 3, Provider)
	rel.Declare(2, 1, Provider)
	rel.Declare(2, 4, Customer)
	j := NewJudge(Knowledge{Relations: rel})
	var tally Tally
	for range 3 {
		tally.Add(j, &Sighting{Kind: mrt.Advertised, Route: Route{Path: wire.Sequence(1, 2, 3)}})
	}
	for range 97 {
		tally.Add(j, &Sighting{Kind: mrt.TableEntry, Route: Route{Path: wire.Sequence(1, 2, 4)}})
	}
	tally.Add(j, &Sighting{Kind: mrt.Withdrawn})
	tally.Add(j, &Sighting{Kind: mrt.SessionState})
	if tally.Routes != 100 || tally.Withdrawn != 1 || tally.Other != 1 {
		t.Errorf("%+v", tally)
	}
	for _, tt := range []struct {
		h    Threshold
		want int
	}{
		{Threshold{}, 1}, {Threshold{Routes: 3}, 1}, {Threshold{Routes: 4}, 0}, {Threshold{Share: 0.03}, 1}, {Threshold{Share: 0.04}, 0},
		{Threshold{Routes: 4, Of: map[uint32]int{2: 3}}, 1}, {Threshold{Of: map[uint32]int{2: 4}}, 0},
	} {
		if got, below := tally.Leakers(tt.h); len(got) != tt.want || below != 1-tt.want {
			t.Errorf("%+v: %d reported, %d below", tt.h, len(got), below)
		}
	}
}
