package guard

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

func set(t testing.TB, med uint32) wire.AttrSet {
	t.Helper()
	a := wire.Attributes{NextHop: netip.MustParseAddr("192.0.2.1"), ASPath: wire.Sequence(64500), MED: wire.MetricOf(med)}
	s, err := a.Intern()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDecide(t *testing.T) {
	a, b, none := set(t, 1), set(t, 2), wire.AttrSet{}
	for _, c := range []struct {
		name    string
		want    wire.AttrSet
		offered bool
		out     wire.AttrSet
		action  action
	}{
		{"nothing at all", none, false, none, keep},
		{"offered and not in the Target never leaves", none, true, none, keep},
		{"in the Target and not offered does not leave", a, false, none, keep},
		{"in both leaves", a, true, none, advertise},
		{"on the wire already", a, true, a, keep},
		{"with other attributes", b, true, a, advertise},
		{"dropped by the Target goes", none, true, a, withdraw},
		{"dropped by both goes", none, false, a, withdraw},
		{"taken back by the engine alone stays", a, false, a, holdBack},
		{"a change waits for the offer", b, false, a, holdBack},
	} {
		if got := decide(c.want, c.offered, c.out); got != c.action {
			t.Errorf("%s: action %d, want %d", c.name, got, c.action)
		}
	}
}

// Whatever the order of offers, Targets, sessions and refreshes: the wire never
// has what no Target named since it left, never loses what the Target names,
// and is equal to the Target where the engine offers it.
func TestTableKeepsItsPromises(t *testing.T) {
	n := &Neighbor{Neighbor: policy.Neighbor{Name: "n", Kind: policy.EBGP, ASN: 64510, LocalASN: 64500, Role: policy.RoleCustomer, Families: []addressing.Family{addressing.IPv4, addressing.IPv6}}}
	attrs := []*snapshots.Attributes{
		{ASPath: []uint32{64500}, NextHop: netip.MustParseAddr("192.0.2.1")},
		{ASPath: []uint32{64500, 64500}, NextHop: netip.MustParseAddr("192.0.2.1")},
	}
	prefix := func(i int) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24) }
	families := wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast)
	rapid.Check(t, func(t *rapid.T) {
		o := &offers{}
		o.newPass()
		tb := newTable(o)
		peer := map[netip.Prefix]bool{} // what the neighbor holds
		offered := map[int]bool{}
		flush := func() {
			for more := true; more && tb.live; {
				raw, s, err := tb.fill(nil, wire.Encoding{})
				if err != nil {
					t.Fatal(err)
				}
				more = s.more
				receive(t, raw, func(p netip.Prefix, held bool) {
					if !held && tb.target.set(p) != (wire.AttrSet{}) {
						t.Fatalf("%s withdrawn while the Target names it", p)
					}
					peer[p] = held
				})
				if err := tb.envelope(); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"offer": func(t *rapid.T) {
				i, on := rapid.IntRange(0, 20).Draw(t, "prefix"), rapid.Bool().Draw(t, "on")
				if on && o.put(prefix(i), 0, wire.AttrSet{}) || !on && o.drop(prefix(i)) {
					tb.mark(prefix(i))
				}
				offered[i] = on
			},
			"engine again": func(t *rapid.T) {
				o.newPass()
				for i, on := range offered {
					if on && o.put(prefix(i), 0, wire.AttrSet{}) {
						t.Fatalf("%s is news when it is told again", prefix(i))
					}
				}
				if gone := o.endPass(addressing.IPv4); len(gone) > 0 {
					t.Fatalf("%v gone, and told again", gone)
				}
			},
			"target": func(t *rapid.T) {
				var routes []snapshots.TargetRoute
				for i := range 21 {
					if k := rapid.IntRange(0, 2).Draw(t, "kind"); k < 2 {
						routes = append(routes, snapshots.TargetRoute{Prefix: prefix(i), Attrs: attrs[k]})
					}
				}
				next, err := compile(n, bgp.Order{}, routes)
				if err != nil {
					t.Fatal(err)
				}
				tb.swap(next)
			},
			"session": func(*rapid.T) {
				tb.end()
				clear(peer)
				tb.begin(families, true)
			},
			"refresh": func(*rapid.T) { tb.refresh(wire.IPv4Unicast) },
			"engine again, with less": func(t *rapid.T) {
				o.newPass()
				for i, on := range offered {
					if on && rapid.Bool().Draw(t, "told again") {
						o.put(prefix(i), 0, wire.AttrSet{})
					} else {
						offered[i] = false
					}
				}
				for _, p := range o.endPass(addressing.IPv4) {
					tb.mark(p)
				}
			},
			"flush": func(*rapid.T) { flush() },
			"": func(t *rapid.T) {
				out := onTheWire(tb)
				for p, held := range peer {
					if _, is := out[p]; held != is {
						t.Fatalf("%s: the neighbor holds it: %v, the table thinks %v", p, held, is)
					}
				}
			},
		})
		flush()
		if !tb.live {
			return
		}
		count := 0
		for p, held := range peer {
			if held {
				count++
				if tb.target.set(p) == (wire.AttrSet{}) {
					t.Fatalf("%s is on the wire and not in the Target", p)
				}
			}
		}
		for i, on := range offered {
			if p := prefix(i); on && tb.target.set(p) != (wire.AttrSet{}) && onTheWire(tb)[p] != tb.target.set(p) {
				t.Fatalf("%s is offered and in the Target, and not on the wire as wanted", p)
			}
		}
		if len(tb.strays) != 0 && tb.undecided() == 0 {
			for p := range tb.strays {
				if o.told(p) != 0 {
					t.Fatalf("%s is offered and a stray still", p)
				}
			}
		}
		if count != tb.out[0] || len(tb.routes()) != count {
			t.Fatalf("the neighbor holds %d routes, the Adj-RIB-Out counts %d and lists %d", count, tb.out[0], len(tb.routes()))
		}
	})
}

// A route that leaves the Target, comes back to it changed while the engine does
// not offer it, and leaves again, is withdrawn.
func TestStrayIsForgottenOnce(t *testing.T) {
	p := netip.MustParsePrefix("192.0.2.0/24")
	o := &offers{}
	o.newPass()
	o.put(p, 0, wire.AttrSet{})
	tb := newTable(o)
	tb.begin(wire.NewFamilySet(wire.IPv4Unicast), false)
	names := func(med uint32) *target {
		return &target{routes: []snapshots.TargetRoute{{Prefix: p}}, sets: []wire.AttrSet{set(t, med)}, count: counts{1, 0}}
	}
	flush := func() (withdrawn int) {
		for more := true; more; {
			_, s, err := tb.fill(nil, wire.Encoding{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range s.events {
				if e.Kind == bgp.Withdrawn {
					withdrawn += len(e.Prefixes)
				}
			}
			more = s.more
		}
		return withdrawn
	}
	tb.swap(names(1))
	flush()
	o.drop(p)
	tb.swap(&target{})
	tb.swap(names(2))
	if flush() != 0 || tb.out[0] != 1 {
		t.Fatal("the Target names it, and it was withdrawn")
	}
	tb.swap(&target{})
	if flush() != 1 || tb.out[0] != 0 || len(tb.strays) != 0 {
		t.Errorf("no Target names it, and %v of it is on the wire", tb.out)
	}
}

// onTheWire is the Adj-RIB-Out of a table.
func onTheWire(tb *table) map[netip.Prefix]wire.AttrSet {
	out := map[netip.Prefix]wire.AttrSet{}
	tb.each(func(_ int, p netip.Prefix, set wire.AttrSet) { out[p] = set })
	return out
}

// receive reads messages as the neighbor does.
func receive(t *rapid.T, raw []byte, tell func(p netip.Prefix, held bool)) {
	s := wire.Session{Families: wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast), FirstAS: 64500}
	for len(raw) > 0 {
		length, _, refuse := wire.CheckHeader(raw)
		if refuse != nil {
			t.Fatal(refuse)
		}
		u := s.Classify(raw[wire.HeaderLen:length])
		if u.Action != wire.Accept {
			t.Fatalf("%s %s", u.Action, u.Why)
		}
		for p := range u.Withdrawals() {
			tell(p, false)
		}
		for p := range u.Advertisements() {
			tell(p, true)
		}
		raw = raw[length:]
	}
}

// RFC 4271 section 6.8 and RFC 4724 section 5.
func TestCollisions(t *testing.T) {
	low, high := end{netip.MustParseAddr("192.0.2.1"), 64500}, end{netip.MustParseAddr("192.0.2.2"), 64501}
	twin := end{low.id, 64501} // RFC 6286 section 2.3
	confirm, established, sent := wire.PhaseOpenConfirm, wire.PhaseEstablished, wire.PhaseOpenSent
	for _, c := range []struct {
		name          string
		rivals        []rival
		inbound       bool
		local, remote end
		restarted     bool
		wins          bool
	}{
		{"no rival", nil, true, low, high, false, true},
		{"the rival has no OPEN yet", []rival{{sent, false}}, true, high, low, false, true},
		{"they are higher and opened it", []rival{{confirm, false}}, true, low, high, false, true},
		{"they are higher and did not open it", []rival{{confirm, true}}, false, low, high, false, false},
		{"we are higher and opened it", []rival{{confirm, true}}, false, high, low, false, true},
		{"we are higher and did not open it", []rival{{confirm, false}}, true, high, low, false, false},
		{"equal identifiers, their AS is higher, theirs", []rival{{confirm, false}}, true, low, twin, false, true},
		{"equal identifiers, their AS is higher, ours", []rival{{confirm, true}}, false, low, twin, false, false},
		{"an established session stays", []rival{{established, false}}, true, low, high, false, false},
		{"an established session of a neighbor that restarted", []rival{{established, false}}, true, low, high, true, true},
		{"we do not dial over an established session", []rival{{established, true}}, false, high, low, true, false},
		{"one rival of two wins", []rival{{sent, true}, {established, false}}, true, low, high, false, false},
	} {
		if got := resolve(c.rivals, c.inbound, c.local, c.remote, c.restarted); got != c.wins {
			t.Errorf("%s: wins %v", c.name, got)
		}
	}
}

// Both ends come to the same connection, whoever is higher and whichever OPEN
// is seen first.
func TestCollisionsAgree(t *testing.T) {
	a, b := end{netip.MustParseAddr("192.0.2.1"), 64500}, end{netip.MustParseAddr("192.0.2.2"), 64501}
	for _, opener := range []bool{true, false} { // true: a opened the newcomer
		atA := newcomerWins(rival{wire.PhaseOpenConfirm, opener}, !opener, a, b, false)
		atB := newcomerWins(rival{wire.PhaseOpenConfirm, !opener}, opener, b, a, false)
		if atA != atB {
			t.Errorf("opened by a %v: a says %v, b says %v", opener, atA, atB)
		}
	}
}

// Every pair of roles, strict and loose, and sessions without roles.
func TestAgreeOnRoles(t *testing.T) {
	local := end{netip.MustParseAddr("192.0.2.200"), 64500}
	mp := wire.MultiprotocolCapability(wire.IPv4Unicast)
	for _, ours := range policy.Roles() {
		for _, strict := range []bool{false, true} {
			n := &Neighbor{
				Neighbor: policy.Neighbor{Kind: policy.EBGP, ASN: 64510, LocalASN: 64500, Role: ours, Families: []addressing.Family{addressing.IPv4}},
				HoldTime: 90 * time.Second, StrictRole: strict,
			}
			if got := ourOpen(n, local, restart{}).Capabilities.Roles(); len(got) != 1 {
				t.Errorf("%s: our OPEN has roles %v", ours, got)
			}
			open := func(cs ...wire.Capability) wire.Open {
				return wire.NewOpen(64510, 30, netip.MustParseAddr("192.0.2.1"), append(wire.Capabilities{mp}, cs...))
			}
			if _, refusal := agree(n, local, open()); (refusal != nil) != strict {
				t.Errorf("%s, strict %v, no role: %v", ours, strict, refusal)
			}
			for _, theirs := range policy.Roles() {
				c, _ := wire.RoleCapability(theirs)
				got, refusal := agree(n, local, open(c))
				if policy.RolesMatch(ours, theirs) {
					if refusal != nil || got.role != theirs || got.hold != 30*time.Second {
						t.Errorf("%s and %s: %v, %+v", ours, theirs, refusal, got)
					}
				} else if refusal == nil || refusal.Code != wire.CodeOpen || refusal.Subcode != wire.SubRoleMismatch {
					t.Errorf("%s and %s: %v, want 2/11", ours, theirs, refusal)
				}
			}
		}
	}
	for _, n := range []*Neighbor{
		{Neighbor: policy.Neighbor{Kind: policy.Edge, ASN: 64510, LocalASN: 64500, Role: policy.RolePeer}, HoldTime: time.Minute},
		{Neighbor: policy.Neighbor{Kind: policy.EBGP, ASN: 64500, LocalASN: 64500, Role: policy.RolePeer}, HoldTime: time.Minute},
	} {
		open := ourOpen(n, local, restart{})
		if open.Capabilities.Has(wire.CapRole) {
			t.Error("a role on an edge or iBGP session")
		}
		for _, c := range []wire.CapabilityCode{wire.CapAddPath, wire.CapExtendedNextHop, wire.CapExtendedMessage} {
			if open.Capabilities.Has(c) {
				t.Errorf("%s is offered", c)
			}
		}
	}
}

// OTC goes where the egress procedure says, and never to an edge router.
func TestAttributesOfTheTarget(t *testing.T) {
	for _, c := range []struct {
		role policy.Role
		kind policy.NeighborKind
		otc  bool
	}{
		{policy.RoleProvider, policy.EBGP, true}, {policy.RoleRS, policy.EBGP, true}, {policy.RolePeer, policy.EBGP, true},
		{policy.RoleCustomer, policy.EBGP, false}, {policy.RoleRSClient, policy.EBGP, false}, {policy.NoRole, policy.Edge, false},
	} {
		n := &Neighbor{Neighbor: policy.Neighbor{Kind: c.kind, ASN: 64510, LocalASN: 64500, Role: c.role}, LinkLocal: netip.MustParseAddr("fe80::1")}
		s, err := attributesOf(n, &snapshots.Attributes{ASPath: []uint32{64500, 64501}, NextHop: netip.MustParseAddr("2001:db8::1")})
		if err != nil {
			t.Fatal(err)
		}
		got := s.Attributes()
		if got.OTC.Present != c.otc || c.otc && got.OTC.AS != 64500 {
			t.Errorf("%s %s: OTC %+v", c.kind, c.role, got.OTC)
		}
		if got.LinkLocal != n.LinkLocal {
			t.Errorf("second next hop %s", got.LinkLocal)
		}
		if _, err := attributesOf(n, &snapshots.Attributes{ASPath: []uint32{64500, 13335, 32934}, NextHop: netip.MustParseAddr("192.0.2.1")}); err == nil {
			t.Errorf("%s %s: a path of somebody else is taken", c.kind, c.role)
		}
	}
	ibgp := &Neighbor{Neighbor: policy.Neighbor{Kind: policy.Edge, ASN: 64500, LocalASN: 64500}}
	s, err := attributesOf(ibgp, &snapshots.Attributes{NextHop: netip.MustParseAddr("192.0.2.1")})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Attributes().LocalPref; !got.Present || got.Value != defaultLocalPref {
		t.Errorf("LOCAL_PREF %+v", got)
	}
}

// 10,000 changes become full UPDATEs.
func TestPacking(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    func(i int) netip.Prefix
		hop   string
		least int
	}{
		{"IPv4", func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
		}, "192.0.2.1", 500},
		{"IPv6", func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x2a, 0, 0, 0, byte(i >> 8), byte(i)}), 48)
		}, "2001:db8::1", 400},
	} {
		n := &Neighbor{Neighbor: policy.Neighbor{Kind: policy.EBGP, ASN: 64510, LocalASN: 64500, Role: policy.RoleCustomer}}
		a := &snapshots.Attributes{ASPath: []uint32{64500}, NextHop: netip.MustParseAddr(c.hop)}
		var routes []snapshots.TargetRoute
		o := &offers{}
		o.newPass()
		tb := newTable(o)
		for i := range 10_000 {
			routes = append(routes, snapshots.TargetRoute{Prefix: c.at(i), Attrs: a})
			o.put(c.at(i), 0, wire.AttrSet{})
		}
		sortRoutes(routes)
		next, err := compile(n, bgp.Order{}, routes)
		if err != nil {
			t.Fatal(err)
		}
		tb.begin(wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast), false)
		if _, _, err := tb.fill(nil, wire.Encoding{}); err != nil {
			t.Fatal(err)
		}
		for _, to := range []*target{next, nil} { // announce, withdraw
			tb.swap(to)
			messages := 0
			for more := true; more; {
				_, s, err := tb.fill(nil, wire.Encoding{})
				if err != nil {
					t.Fatal(err)
				}
				messages, more = messages+s.messages, s.more
			}
			if average := 10_000 / max(messages, 1); average < c.least {
				t.Errorf("%s: %d prefixes in an UPDATE, want %d", c.name, average, c.least)
			}
		}
	}
}
