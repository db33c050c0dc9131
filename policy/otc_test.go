package policy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// otcVectors mirrors testdata/vectors/otc.json.
type otcVectors struct {
	Roles   map[string]uint8 `json:"role_capability_values"`
	Ingress []otcVector      `json:"ingress"`
	Egress  []otcVector      `json:"egress"`
	Pairs   []struct {
		Source, Local, Remote, Expected string
		Strict                          bool
	} `json:"session_pairs"`
	Topology []struct {
		Prefix  string `json:"prefix"`
		FromASN uint32 `json:"from_asn"`
		Session string `json:"session"`
		OTC     bool   `json:"otc_present_on_r10"`
	} `json:"frr_topology"`
	Reach []struct {
		Router, Session, Own string
		Receives             []string
	} `json:"frr_reachability"`
}

type otcVector struct {
	ID       string  `json:"id"`
	Local    Role    `json:"local_role"`
	Remote   Role    `json:"remote_role"`
	LocalASN uint32  `json:"local_asn"`
	PeerASN  uint32  `json:"peer_asn"`
	In       *uint32 `json:"otc_in"`
	After    *uint32 `json:"otc_after"`
	Out      *uint32 `json:"otc_out"`
	Expected string  `json:"expected"`
}

func loadOTC(t *testing.T) otcVectors {
	t.Helper()
	raw, err := os.ReadFile("../testdata/vectors/otc.json")
	if err != nil {
		t.Fatal(err)
	}
	var v otcVectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Ingress) != 20 || len(v.Egress) != 17 || len(v.Pairs) != 43 || len(v.Topology) != 7 || len(v.Reach) != 3 || len(v.Roles) != 5 {
		t.Fatalf("otc.json has %d, %d, %d, %d, %d, %d cases: the file and this test went apart",
			len(v.Ingress), len(v.Egress), len(v.Pairs), len(v.Topology), len(v.Reach), len(v.Roles))
	}
	return v
}

func otcOf(as *uint32) OTC {
	if as == nil {
		return OTC{}
	}
	return OTCWith(*as)
}

func TestOTCVectorsRoleValues(t *testing.T) {
	for name, want := range loadOTC(t).Roles {
		var r Role
		if err := r.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		if got, _ := r.Wire(); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

func TestOTCVectorsIngress(t *testing.T) {
	verdict := map[string]Verdict{"accept": Allow, "leak-ineligible": Refuse}
	for _, v := range loadOTC(t).Ingress {
		want, known := verdict[v.Expected]
		if !known || v.Local.Counterpart() != v.Remote {
			t.Fatalf("%s: cannot be read", v.ID)
		}
		got := OTCIngress(v.Local, v.PeerASN, otcOf(v.In))
		if got.Verdict != want || got.OTC != otcOf(v.After) {
			t.Errorf("%s: got %+v, want %s with %+v", v.ID, got, want, otcOf(v.After))
		}
		if got.Added != (v.In == nil && v.After != nil) {
			t.Errorf("%s: added = %v", v.ID, got.Added)
		}
	}
}

func TestOTCVectorsEgress(t *testing.T) {
	verdict := map[string]Verdict{"advertise": Allow, "do-not-advertise": Refuse}
	for _, v := range loadOTC(t).Egress {
		want, known := verdict[v.Expected]
		if !known || v.Local.Counterpart() != v.Remote {
			t.Fatalf("%s: cannot be read", v.ID)
		}
		got := OTCEgress(v.Local, v.LocalASN, otcOf(v.In))
		if got.Verdict != want {
			t.Errorf("%s: got %+v, want %s", v.ID, got, want)
		}
		if want == Allow && got.OTC != otcOf(v.Out) {
			t.Errorf("%s: leaves with %+v, want %+v", v.ID, got.OTC, otcOf(v.Out))
		}
	}
}

// TestOTCVectorsPairs covers what RFC 9234, FRR and OpenBGPD say about sessions.
func TestOTCVectorsPairs(t *testing.T) {
	asked := 0
	for _, p := range loadOTC(t).Pairs {
		want := Refuse
		if p.Expected == "established" {
			want = Allow
		}
		for _, pair := range splitPairs(t, p.Local, p.Remote) {
			asked++
			if got := AgreeRoles(pair.local, pair.offered, p.Strict); got.Verdict != want {
				t.Errorf("%s: %q with %v, strict %v: got %s (%s), want %s", p.Source, pair.local, pair.offered, p.Strict, got.Verdict, got.Why, want)
			}
		}
	}
	if asked != 43-3+5+5+5 {
		t.Errorf("asked %d pairs", asked)
	}
}

type rolePair struct {
	local   Role
	offered []uint8
}

// splitPairs reads a vector's two ends; OpenBGPD's rows hold five pairs each.
func splitPairs(t *testing.T, local, remote string) []rolePair {
	t.Helper()
	locals := []string{local}
	if rest, ok := strings.CutPrefix(local, "any of "); ok {
		names, _, _ := strings.Cut(rest, " with ")
		locals = strings.Fields(names)
	} else if strings.Contains(local, ",") {
		locals = strings.Split(local, ",")
	}
	remotes := strings.Split(strings.TrimSuffix(remote, " (in that order)"), ",")
	pairs := make([]rolePair, 0, len(locals))
	for i, name := range locals {
		var pair rolePair
		if err := pair.local.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		var far Role
		if err := far.UnmarshalText([]byte(remotes[min(i, len(remotes)-1)])); err != nil {
			t.Fatal(err)
		}
		if value, ok := far.Wire(); ok {
			pair.offered = []uint8{value}
		}
		pairs = append(pairs, pair)
	}
	return pairs
}

// TestOTCVectorsTopology replays FRR's eight routers: r1 to r7 each originate
// one prefix to r10 over sessions with and without roles at either end, and
// r10 passes everything on to r1, r4 and r6.
func TestOTCVectorsTopology(t *testing.T) {
	const hub = 64510
	v := loadOTC(t)
	// A session is our role at each end, NoRole where none is configured: then
	// the procedures are not run there.
	type session struct{ spoke, hub Role }
	sessions := map[uint32]session{
		64501: {spoke: RoleProvider}, 64502: {spoke: RolePeer}, 64503: {spoke: RoleCustomer}, 64504: {},
		64505: {hub: RoleProvider}, 64506: {hub: RolePeer}, 64507: {hub: RoleCustomer},
	}
	cross := func(from, to Role, fromAS uint32, otc OTC) (OTC, bool) {
		if from.Valid() {
			d := OTCEgress(from, fromAS, otc)
			if d.Verdict != Allow {
				return otc, false
			}
			otc = d.OTC
		}
		if to.Valid() {
			d := OTCIngress(to, fromAS, otc)
			if d.Verdict != Allow {
				return otc, false
			}
			otc = d.OTC
		}
		return otc, true
	}
	atHub := map[string]OTC{}
	for _, row := range v.Topology {
		s := sessions[row.FromASN]
		otc, ok := cross(s.spoke, s.hub, row.FromASN, OTC{})
		if !ok || otc.Present != row.OTC {
			t.Errorf("%s at r10: accepted %v, OTC %+v, want present %v", row.Prefix, ok, otc, row.OTC)
		}
		atHub[row.Prefix] = otc
	}
	spokes := map[string]uint32{"r1": 64501, "r4": 64504, "r6": 64506}
	for _, row := range v.Reach {
		s := sessions[spokes[row.Router]]
		var got []string
		for _, from := range v.Topology {
			if from.Prefix == row.Own {
				continue
			}
			if _, ok := cross(s.hub, s.spoke, hub, atHub[from.Prefix]); ok {
				got = append(got, from.Prefix)
			}
		}
		if strings.Join(got, " ") != strings.Join(row.Receives, " ") {
			t.Errorf("%s receives %v, want %v", row.Router, got, row.Receives)
		}
	}
}

// TestOTCWithoutRoleRefuses: what cannot be decided is not exported.
func TestOTCWithoutRoleRefuses(t *testing.T) {
	for _, role := range []Role{NoRole, Role(99)} {
		for _, otc := range []OTC{{}, OTCWith(65001)} {
			if d := OTCIngress(role, 65002, otc); d.Verdict != Refuse || d.Why == "" {
				t.Errorf("ingress, %s, %+v: %+v", role, otc, d)
			}
			if d := OTCEgress(role, 65001, otc); d.Verdict != Refuse || d.Why == "" {
				t.Errorf("egress, %s, %+v: %+v", role, otc, d)
			}
		}
	}
	if v := (OTCDecision{}).Verdict; v != Refuse {
		t.Errorf("zero decision: got %s, want refuse", v)
	}
}

// TestOTCStopsEveryLeakByItself: with no other guard, a route from a provider,
// peer or RS that follows the procedures never reaches one.
func TestOTCStopsEveryLeakByItself(t *testing.T) {
	const localAS, peerAS = 65001, 65002
	for _, in := range Roles() {
		for _, out := range Roles() {
			received := OTCIngress(in, peerAS, OTC{})
			sent := OTCEgress(out, localAS, received.OTC)
			learnedDownhill := in == RoleCustomer || in == RolePeer || in == RoleRSClient
			goesUphill := out == RoleCustomer || out == RolePeer || out == RoleRSClient
			if want := !learnedDownhill || !goesUphill; (sent.Verdict == Allow) != want {
				t.Errorf("learned as %s, to be sent as %s: %+v", in, out, sent)
			}
		}
	}
}
