package symbolic

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"pgregory.net/rapid"
)

// gen draws policies and routes over a small alphabet, so that they meet.
type gen struct {
	*rapid.T
	unknowns bool
	drawn    int
}

func (g *gen) n(max int) int {
	g.drawn++
	return rapid.IntRange(0, max).Draw(g.T, fmt.Sprint("n", g.drawn))
}

func pick[T any](g *gen, from []T) T { return from[g.n(len(from)-1)] }

var (
	somePrefixes = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.128.0.0/9"), netip.MustParsePrefix("10.128.0.0/24"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.2.128/25"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("::/0"),
	}
	someCommunities = []string{"64496:1", "64496:2", "64500:1", "64500:20", "65535:65281", "1:1"}
	someRegexes     = []string{"^64496:", ":1$", "^64500:.*", "0"}
	somePaths       = [][]uint32{{}, {64500}, {64501}, {64500, 64501}, {64501, 64500, 64502}, {64500, 64500}, {7}}
	someSources     = []device.Source{
		{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("192.0.2.9"), ASN: 64500, Role: device.Peer, Name: "a"},
		{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("192.0.2.10"), ASN: 64501, Role: device.Provider, Name: "b"},
		{Protocol: device.IBGP, Neighbor: netip.MustParseAddr("192.0.2.11"), ASN: 64496, Role: device.Internal, Name: "c"},
		{Protocol: device.Static, Name: "static"},
	}
)

func (g *gen) pattern() *aspath.Pattern {
	p, err := aspath.Compile(pick(g, []string{"_64500_", "^64501", "64502$", "^$", "6450", ".*", "^64500( 64501)*$"}), aspath.RE2)
	if err != nil {
		g.Fatal(err)
	}
	return p
}

// whole is a pattern over all values of a route, which the symbolic evaluator
// knows in part.
func (g *gen) whole() device.CommunityPattern {
	p, err := device.RegexPattern(device.Standard, pick(g, []string{"64496:1 64496:2", "^$", "(^| )64500:1( |$)", "^64496:1", "64500:20$", ".* .*"}), "w", true, device.Pos{})
	if err != nil {
		g.Fatal(err)
	}
	return p
}

func (g *gen) communityPattern() device.CommunityPattern {
	if g.unknowns && g.n(5) == 0 {
		return g.whole()
	}
	if g.n(2) > 0 {
		c, _ := device.ParseCommunity(device.Standard, pick(g, someCommunities))
		return device.LiteralPattern(c, c.Text, device.Pos{})
	}
	p, err := device.RegexPattern(device.Standard, pick(g, someRegexes), "r", false, device.Pos{})
	if err != nil {
		g.Fatal(err)
	}
	return p
}

func (g *gen) prefixSet() *device.PrefixSet {
	s := &device.PrefixSet{Mode: device.PrefixMode(g.n(1))}
	for range g.n(3) {
		p := pick(g, somePrefixes)
		low := min(p.Bits()+g.n(8), p.Addr().BitLen())
		if g.n(7) == 0 && p.Addr().Is4() {
			mask := pick(g, []netip.Addr{netip.MustParseAddr("255.0.255.0"), netip.MustParseAddr("255.255.255.0"), netip.MustParseAddr("0.0.0.255"), netip.MustParseAddr("0.0.0.0")})
			s.Entries = append(s.Entries, device.PrefixEntry{Range: device.PrefixRange{Net: netip.PrefixFrom(p.Addr(), 32), Min: g.n(24), Max: 32, Mask: mask}, Deny: g.n(2) == 0})
			continue
		}
		s.Entries = append(s.Entries, device.PrefixEntry{Range: device.PrefixRange{Net: p, Min: low, Max: min(low+g.n(16), p.Addr().BitLen())}, Deny: g.n(3) == 0})
	}
	return s
}

// rare are conditions that few policies have.
func (g *gen) rare() device.Expr {
	switch g.n(6) {
	case 0:
		return &device.NextHopMatch{In: pick(g, [][]netip.Prefix{{netip.MustParsePrefix("192.0.2.0/24")}, {netip.MustParsePrefix("192.0.2.9/32"), netip.MustParsePrefix("198.51.100.0/25")}})}
	case 1:
		return &device.RPKIMatch{States: pick(g, [][]device.RPKI{{device.RPKIValid}, {device.RPKIInvalid, device.RPKINotFound}})}
	case 2:
		return &device.NameMatch{Field: device.RIB, Names: pick(g, [][]string{{"inet.0"}, {"inet.0", "inet6.0"}, {"other"}})}
	case 3:
		return &device.SameNeighbor{}
	case 4:
		return &device.Present{Field: pick(g, []device.Field{device.MED, device.OTC})}
	case 5:
		return &device.NeighborMatch{Side: device.Sender, Addrs: pick(g, [][]netip.Prefix{{netip.MustParsePrefix("192.0.2.9/32")}, {netip.MustParsePrefix("192.0.2.8/30")}})}
	}
	client := g.n(1) == 0
	return &device.NeighborMatch{Side: device.Sender, Client: &client}
}

func (g *gen) expr(depth int) device.Expr {
	kinds := 8
	if depth > 0 {
		kinds = 13
	}
	if g.n(9) == 0 {
		return g.rare()
	}
	switch g.n(kinds) {
	case 0:
		return &device.PrefixMatch{Set: g.prefixSet()}
	case 1:
		m := &device.CommunityMatch{Quant: device.Quantifier(g.n(3))}
		for range g.n(2) {
			m.Patterns = append(m.Patterns, g.communityPattern())
		}
		return m
	case 2:
		return &device.ASPathMatch{Pattern: g.pattern()}
	case 3:
		c := &device.Compare{Field: pick(g, []device.Field{device.MED, device.LocalPref, device.ASPathLen}), Op: device.Op(g.n(5)), Value: uint32(g.n(3))}
		if g.n(1) == 0 {
			zero := uint32(0)
			c.Absent = &zero
		}
		return c
	case 4:
		return &device.ProtocolMatch{Protocols: pick(g, [][]device.Protocol{device.BGP, {device.IBGP}, {device.Static}})}
	case 5:
		return &device.FamilyMatch{Family: device.Family(g.n(2))}
	case 6:
		return &device.NeighborMatch{Side: device.Side(g.n(1)), ASNs: aspath.One(pick(g, []uint32{64500, 64501, 64511}))}
	case 7:
		if g.unknowns {
			return &device.Unknown{Text: "?"}
		}
		return &device.InPath{Own: g.n(1) == 0}
	case 8:
		return &device.Const{Value: g.n(1) == 0}
	case 9:
		return &device.Not{X: g.expr(depth - 1)}
	case 10:
		return &device.Or{Xs: []device.Expr{g.expr(depth - 1), g.expr(depth - 1)}}
	case 11:
		return &device.Cases{Arms: []device.Arm{{X: g.expr(depth - 1), Value: g.n(1) == 0}, {X: g.expr(depth - 1), Value: g.n(1) == 0}}, Else: g.n(1) == 0}
	case 12:
		return &device.SubPolicy{Chain: g.chain(depth - 1)}
	}
	return &device.And{Xs: []device.Expr{g.expr(depth - 1), g.expr(depth - 1)}}
}

func (g *gen) action(depth int) device.Action {
	if g.unknowns && g.n(6) == 0 {
		return pick(g, []device.Action{
			&device.EditASPath{ASNs: []uint32{64501}}, &device.EditASPath{Private: true}, &device.PrependAS{Last: true, Repeat: 2}, &device.PrependAS{ASNs: []uint32{7}, Behind: true},
			&device.SetNextHop{Op: device.NextHopSelf}, &device.SetNextHop{Addr: netip.MustParseAddr("198.51.100.1")}, &device.SetNextHop{Op: device.NextHopPeer},
			&device.SetName{Field: device.RIB, Name: "inet6.0"}, &device.SetScalar{Field: device.OTC, Own: true, Op: device.AssignIfAbsent}, &device.SetScalar{Field: device.OTC, Op: device.Remove},
		})
	}
	switch g.n(7) {
	case 0, 1:
		a := &device.SetCommunities{Op: device.CommunityOp(g.n(2))}
		for range 1 + g.n(1) {
			if a.Op == device.DeleteCommunities {
				p := g.communityPattern()
				p.Keep = g.n(3) == 0
				a.Patterns = append(a.Patterns, p)
				continue
			}
			c, _ := device.ParseCommunity(device.Standard, pick(g, someCommunities))
			a.Values = append(a.Values, c)
		}
		return a
	case 2:
		return &device.PrependAS{ASNs: []uint32{pick(g, []uint32{64496, 64500, 64502})}, Repeat: g.n(2)}
	case 3:
		ops := []device.ScalarOp{device.Assign, device.Remove, device.AssignIfAbsent}
		if g.unknowns {
			// What becomes of an interval is not always one interval.
			ops = append(ops, device.Add, device.Subtract)
		}
		return &device.SetScalar{Field: pick(g, []device.Field{device.MED, device.LocalPref}), Op: pick(g, ops), Value: uint32(g.n(3))}
	case 4:
		return &device.PrependAS{Own: true}
	case 5:
		if depth > 0 {
			return &device.Call{Chain: g.chain(depth - 1), OnReject: g.disposition(0, 0)}
		}
	case 6:
		if g.unknowns {
			return &device.UnknownAction{Text: "?", Changes: device.FieldSet(device.CommunityField, device.MED)}
		}
		return &device.EditASPath{Clear: true}
	}
	return &device.Ignored{}
}

func (g *gen) disposition(at, terms int) device.Disposition {
	d := device.Disposition{Flow: device.Flow(g.n(3)), Default: device.Verdict(g.n(2))}
	if g.n(6) == 0 && at+1 < terms {
		d.Flow, d.Target = device.Goto, at+1+g.n(2)
	}
	return d
}

func (g *gen) term(depth, at, terms int) *device.Term {
	t := &device.Term{Name: fmt.Sprint("t", at), Match: g.expr(depth), Then: g.disposition(at, terms), Inactive: g.n(9) == 0}
	for range g.n(2) {
		t.Actions = append(t.Actions, g.action(depth))
	}
	if depth > 0 && g.n(5) == 0 {
		t.Body = []*device.Term{g.term(0, 0, 1)}
		t.Else = []*device.Term{g.term(0, 0, 1)}
	}
	return t
}

func (g *gen) chain(depth int) device.Chain {
	c := device.Chain{Default: device.Verdict(1 + g.n(1))}
	for i := range g.n(2) {
		p := &device.Policy{Name: fmt.Sprint("p", i)}
		terms := 1 + g.n(3)
		for j := range terms {
			p.Terms = append(p.Terms, g.term(depth, j, terms))
		}
		c.Policies = append(c.Policies, p)
	}
	return c
}

// route draws one that its source can have sent.
func (g *gen) route(src device.Source) device.Route {
	r := device.Route{Prefix: pick(g, somePrefixes), ASPath: pick(g, somePaths), Source: src}
	fields := []device.Field{device.MED, device.LocalPref}
	switch src.Protocol {
	case device.EBGP:
		r.ASPath, fields = append([]uint32{src.ASN}, r.ASPath...), fields[:1]
	case device.Static:
		r.ASPath = nil
	}
	for range g.n(3) {
		c, _ := device.ParseCommunity(device.Standard, pick(g, someCommunities))
		r.Communities = append(r.Communities, c)
	}
	r.Communities = device.SortCommunities(r.Communities)
	for _, f := range fields {
		if g.n(1) == 0 {
			r.Scalars.Set(f, uint32(g.n(4)))
		}
	}
	if g.n(2) == 0 {
		r.Scalars.Set(device.OTC, pick(g, []uint32{64500, 64496}))
	}
	r.NextHop = pick(g, []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("198.51.100.200"), netip.MustParseAddr("198.51.100.1")})
	r.RPKI = pick(g, []device.RPKI{device.RPKIValid, device.RPKIInvalid, device.RPKINotFound})
	r.Names = map[device.NameField]string{device.RIB: pick(g, []string{"inet.0", "inet6.0", "inet.2"})}
	return r
}

func (g *gen) session() *device.Session {
	s := &device.Session{Name: "out", Neighbor: netip.MustParseAddr("192.0.2.2"), LocalAS: 64496, PeerAS: 64511, Kind: device.External}
	for range 1 + g.n(1) {
		s.Export.Steps = append(s.Export.Steps, device.Step{Kind: device.PolicyStep, Chain: g.chain(2)})
	}
	return s
}

// ingress draws the sessions the sources come in by: some with policies of
// their own.
func (g *gen) ingress() []*device.Session {
	out := make([]*device.Session, len(someSources))
	for i, src := range someSources {
		if src.Protocol == device.Static || g.n(1) == 0 {
			continue
		}
		out[i] = &device.Session{Name: src.Name, Neighbor: src.Neighbor, LocalAS: 64496, PeerAS: src.ASN, Role: src.Role, Kind: device.External}
		if src.Protocol == device.IBGP {
			out[i].Kind = device.InternalSession
		}
		out[i].Import.Steps = []device.Step{{Kind: device.PolicyStep, Chain: g.chain(1)}}
	}
	return out
}

// decide takes a route through the import and the export pipeline.
func decide(from, to *device.Session, r device.Route) concrete.Result {
	if from == nil {
		return concrete.Session(to, concrete.Export, r)
	}
	in := concrete.Session(from, concrete.Import, r)
	if in.Verdict == device.Reject {
		return in
	}
	out := concrete.Session(to, concrete.Export, in.Route)
	if in.Verdict == device.Undecided && out.Verdict == device.Accept {
		out.Verdict = device.Undecided
	}
	out.Trace = append(in.Trace, out.Trace...)
	return out
}

func universe(t interface{ Fatal(...any) }, s *device.Session, from []*device.Session) *Universe {
	in := Inputs{Exports: []*device.Session{s}, Loops: true}
	for i, src := range someSources {
		in.Sources = append(in.Sources, Source{Route: src, Session: from[i]})
	}
	u, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// text writes the policies of a failed draw.
func text(sessions ...*device.Session) string {
	out := ""
	for _, s := range sessions {
		if s == nil {
			continue
		}
		for _, p := range []device.Pipeline{s.Import, s.Export} {
			raw, err := json.Marshal(p)
			out += fmt.Sprintf("%s %v\n", raw, err)
		}
	}
	return out
}

// The two evaluators agree on every route of every policy; where one says
// unknown, the other does not contradict it.
func TestAgainstConcrete(t *testing.T) {
	for _, unknowns := range []bool{false, true} {
		t.Run(fmt.Sprint("unknowns ", unknowns), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				g := &gen{T: t, unknowns: unknowns}
				s, from := g.session(), g.ingress()
				u := universe(t, s, from)
				dec, err := u.Export(s)
				if err != nil {
					t.Fatal(err)
				}
				for range 20 {
					at := g.n(len(someSources) - 1)
					r := g.route(someSources[at])
					here := u.Locate(r, at)
					must, may := u.And(here, dec.Must) != 0, u.And(here, dec.May) != 0
					switch got := decide(from[at], s, r); {
					case got.Verdict == device.Accept && !may, got.Verdict == device.Reject && must:
						t.Fatalf("%+v: must %v, may %v, but the device says %s: %v\n%s", r, must, may, got.Verdict, got.Trace, text(from[at], s))
					case !unknowns && must != may:
						t.Fatalf("%+v: undecided (%s) with nothing unknown\n%s", r, got.Verdict, text(from[at], s))
					}
				}
			})
		})
	}
}

// A witness of what is certainly accepted is accepted. Where something is
// unknown the symbolic evaluator may see further than the concrete one (all
// values pass a test), but is never contradicted.
func TestWitnessesReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &gen{T: t, unknowns: rapid.Bool().Draw(t, "unknowns")}
		s, from := g.session(), g.ingress()
		u := universe(t, s, from)
		dec, err := u.Export(s)
		if err != nil {
			t.Fatal(err)
		}
		w, ok := u.Witness(dec.Must)
		if !ok {
			return
		}
		if got := decide(from[w.Source], s, w.Route); got.Verdict == device.Reject || got.Verdict == device.Undecided && !g.unknowns {
			t.Fatalf("%+v: %s: %v", w.Route, got.Verdict, got.Trace)
		}
	})
}
