package concrete

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
	"pgregory.net/rapid"
)

var (
	route = device.Route{
		Prefix: netip.MustParsePrefix("198.51.100.0/24"), ASPath: []uint32{64500, 64501},
		Source:      device.Source{Protocol: device.EBGP, Neighbor: netip.MustParseAddr("192.0.2.1"), ASN: 64500, Role: device.Peer},
		Communities: []device.Community{{Kind: device.Standard, Text: "64496:1"}},
	}
	session = &device.Session{Name: "192.0.2.9", Neighbor: netip.MustParseAddr("192.0.2.9"), LocalAS: 64496, PeerAS: 64511, Kind: device.External}
	yes     = device.Always("")
	no      = device.Never("")
	unknown = &device.Unknown{Text: "xyzzy", Why: "not modelled"}
)

func term(x device.Expr, f device.Flow, actions ...device.Action) *device.Term {
	return &device.Term{Name: "t", Match: x, Actions: actions, Then: device.Disposition{Flow: f}}
}

func policy(ts ...*device.Term) *device.Policy { return &device.Policy{Name: "P", Terms: ts} }

func chain(def device.Verdict, ps ...*device.Policy) *device.Chain {
	return &device.Chain{Policies: ps, Default: def}
}

func TestChain(t *testing.T) {
	add := &device.SetCommunities{Op: device.AddCommunities, Values: []device.Community{{Kind: device.Standard, Text: "64496:2"}}}
	tagged := func(text string) device.Expr {
		return &device.CommunityMatch{Patterns: []device.CommunityPattern{device.LiteralPattern(device.Community{Kind: device.Standard, Text: text}, text, device.Pos{})}}
	}
	last := func(v device.Verdict) *device.Term {
		return &device.Term{Match: yes, Then: device.Disposition{Default: v}}
	}
	tests := map[string]struct {
		c    *device.Chain
		want device.Verdict
	}{
		"empty chain takes the default":      {chain(device.Reject), device.Reject},
		"a default nobody knows":             {chain(device.Undecided), device.Undecided},
		"first terminal wins":                {chain(device.Accept, policy(term(yes, device.RejectRoute), term(yes, device.AcceptRoute))), device.Reject},
		"no match falls off":                 {chain(device.Accept, policy(term(no, device.RejectRoute))), device.Accept},
		"the second policy decides":          {chain(device.Accept, policy(term(no, device.AcceptRoute)), policy(term(yes, device.RejectRoute))), device.Reject},
		"later terms see changes":            {chain(device.Reject, policy(term(yes, device.Continue, add), term(tagged("64496:2"), device.AcceptRoute))), device.Accept},
		"later policies see changes":         {chain(device.Reject, policy(term(yes, device.NextPolicy, add), term(yes, device.RejectRoute)), policy(term(tagged("64496:2"), device.AcceptRoute))), device.Accept},
		"last match wins":                    {chain(device.Reject, policy(last(device.Reject), last(device.Accept))), device.Accept},
		"quick ends it":                      {chain(device.Reject, policy(term(yes, device.RejectRoute), last(device.Accept))), device.Reject},
		"goto skips":                         {chain(device.Reject, policy(&device.Term{Match: yes, Then: device.Disposition{Flow: device.Goto, Target: 2}}, term(yes, device.RejectRoute), term(yes, device.AcceptRoute))), device.Accept},
		"goto past the end falls off":        {chain(device.Accept, policy(&device.Term{Match: yes, Then: device.Disposition{Flow: device.Goto, Target: 9}}, term(yes, device.RejectRoute))), device.Accept},
		"goto with a default (IOS continue)": {chain(device.Reject, policy(&device.Term{Match: yes, Then: device.Disposition{Flow: device.Goto, Target: 1, Default: device.Accept}}, term(no, device.RejectRoute))), device.Accept},
		"a jump backwards is not followed":   {chain(device.Accept, policy(&device.Term{Match: yes, Then: device.Disposition{Flow: device.Goto}})), device.Undecided},
		"inactive terms are skipped":         {chain(device.Accept, policy(&device.Term{Match: yes, Inactive: true, Then: device.Disposition{Flow: device.RejectRoute}})), device.Accept},
		"unknown condition":                  {chain(device.Reject, policy(term(unknown, device.AcceptRoute))), device.Undecided},
		"unknown that makes no difference":   {chain(device.Reject, policy(term(unknown, device.RejectRoute))), device.Reject},
		"unknown under a false and":          {chain(device.Reject, policy(term(&device.And{Xs: []device.Expr{unknown, no}}, device.AcceptRoute))), device.Reject},
		"unknown under a true or":            {chain(device.Reject, policy(term(&device.Or{Xs: []device.Expr{unknown, yes}}, device.AcceptRoute))), device.Accept},
		"unknown stays unknown under not":    {chain(device.Reject, policy(term(device.Negate(unknown), device.AcceptRoute))), device.Undecided},
		"unknown disposition":                {chain(device.Reject, policy(term(yes, device.DecideMaybe))), device.Undecided},
		"a change nobody understands hides what is tested later": {chain(device.Reject, policy(
			term(yes, device.Continue, &device.UnknownAction{Text: "x", Changes: device.FieldSet(device.CommunityField)}),
			term(tagged("64496:1"), device.AcceptRoute))), device.Undecided},
		"and leaves the rest alone": {chain(device.Reject, policy(
			term(yes, device.Continue, &device.UnknownAction{Text: "x", Changes: device.FieldSet(device.MED)}),
			term(tagged("64496:1"), device.AcceptRoute))), device.Accept},
		"replacing makes it known again": {chain(device.Reject, policy(
			term(yes, device.Continue, &device.UnknownAction{Text: "x", Changes: device.FieldSet(device.CommunityField)},
				&device.SetCommunities{Op: device.ReplaceCommunities}),
			term(tagged("64496:1"), device.AcceptRoute))), device.Reject},
		"if and else": {chain(device.Undecided, policy(&device.Term{
			Match: no, Body: []*device.Term{term(yes, device.RejectRoute)}, Else: []*device.Term{term(yes, device.AcceptRoute)}})), device.Accept},
		"a body that falls off goes on": {chain(device.Reject, policy(
			&device.Term{Match: yes, Body: []*device.Term{term(no, device.RejectRoute)}}, term(yes, device.AcceptRoute))), device.Accept},
		"a call that accepts goes on with the term": {chain(device.Reject, policy(term(yes, device.AcceptRoute,
			&device.Call{Chain: *chain(device.Reject, policy(term(yes, device.AcceptRoute)))}))), device.Accept},
		"a call that rejects": {chain(device.Accept, policy(term(yes, device.AcceptRoute,
			&device.Call{Chain: *chain(device.Reject), OnReject: device.Disposition{Flow: device.RejectRoute}}))), device.Reject},
		"a policy as a condition":            {chain(device.Reject, policy(term(&device.SubPolicy{Chain: *chain(device.Accept, policy(term(no, device.RejectRoute)))}, device.AcceptRoute))), device.Accept},
		"an undecided policy as a condition": {chain(device.Reject, policy(term(&device.SubPolicy{Chain: *chain(device.Undecided)}, device.AcceptRoute))), device.Undecided},
	}
	for name, tt := range tests {
		got := Chain(session, tt.c, route)
		if got.Verdict != tt.want {
			t.Errorf("%s: %s, want %s", name, got.Verdict, tt.want)
		}
		if got.Verdict == device.Undecided && len(got.Blockers) == 0 {
			t.Errorf("%s: undecided without a blocker", name)
		}
		if got.Verdict != device.Undecided && got.Blockers != nil {
			t.Errorf("%s: decided with blockers %v", name, got.Blockers)
		}
	}
}

// Policies that call each other end undecided instead of never.
func TestCircularCalls(t *testing.T) {
	p := policy()
	p.Terms = []*device.Term{term(&device.SubPolicy{Chain: device.Chain{Policies: []*device.Policy{p}, Default: device.Reject}}, device.AcceptRoute)}
	if got := Chain(session, chain(device.Reject, p), route); got.Verdict != device.Undecided {
		t.Errorf("%s, want unknown", got.Verdict)
	}
}

func TestTruth(t *testing.T) {
	local := route
	local.Source = device.Source{Protocol: device.Static}
	five := uint32(5)
	first, err := aspath.Compile("^64500_", aspath.POSIX)
	if err != nil {
		t.Fatal(err)
	}
	list := &device.PrefixSet{Entries: []device.PrefixEntry{
		{Range: device.Exact(route.Prefix), Deny: true},
		{Range: device.PrefixRange{Net: netip.MustParsePrefix("198.51.100.0/22"), Min: 22, Max: 32}},
	}}
	longest := &device.PrefixSet{Mode: device.LongestMatch, Entries: []device.PrefixEntry{
		{Range: device.PrefixRange{Net: netip.MustParsePrefix("198.51.0.0/16"), Min: 16, Max: 32}},
		{Range: device.PrefixRange{Net: netip.MustParsePrefix("198.51.100.0/24"), Min: 25, Max: 32}},
	}}
	tests := map[string]struct {
		x    device.Expr
		r    device.Route
		want device.Truth
	}{
		"a denied entry does not match":     {&device.PrefixMatch{Set: list}, route, device.False},
		"the longest network alone speaks":  {&device.PrefixMatch{Set: longest}, route, device.False},
		"as-path":                           {&device.ASPathMatch{Pattern: first}, route, device.True},
		"ordered list":                      {&device.Cases{Arms: []device.Arm{{X: yes}, {X: yes, Value: true}}}, route, device.False},
		"ordered list, undecided":           {&device.Cases{Arms: []device.Arm{{X: unknown}, {X: yes, Value: true}}}, route, device.Maybe},
		"ordered list, no difference":       {&device.Cases{Arms: []device.Arm{{X: unknown, Value: true}, {X: yes, Value: true}}}, route, device.True},
		"absent attribute":                  {&device.Compare{Field: device.MED, Op: device.EQ, Value: 5}, route, device.False},
		"absent attribute with a default":   {&device.Compare{Field: device.MED, Op: device.EQ, Value: 5, Absent: &five}, route, device.True},
		"path length":                       {&device.Compare{Field: device.ASPathLen, Op: device.GE, Value: 2}, route, device.True},
		"community count":                   {&device.Compare{Field: device.CommunityCount, Op: device.LT, Value: 2}, route, device.True},
		"protocol":                          {&device.ProtocolMatch{Protocols: device.BGP}, route, device.True},
		"protocol of a static route":        {&device.ProtocolMatch{Protocols: device.BGP}, local, device.False},
		"protocol unknown":                  {&device.ProtocolMatch{Protocols: device.BGP}, device.Route{Prefix: route.Prefix}, device.Maybe},
		"sender":                            {&device.NeighborMatch{ASNs: aspath.One(64500)}, route, device.True},
		"a static route has no sender":      {&device.NeighborMatch{ASNs: aspath.One(64500)}, local, device.False},
		"receiver":                          {&device.NeighborMatch{Side: device.Receiver, Kinds: []device.SessionKind{device.External}}, route, device.True},
		"receiver's role is not known":      {&device.NeighborMatch{Side: device.Receiver, Roles: []device.Role{device.Peer}}, route, device.Maybe},
		"receiver's ASN in path":            {&device.InPath{}, route, device.False},
		"back to another neighbor":          {&device.SameNeighbor{}, route, device.False},
		"next hop is not known":             {&device.NextHopMatch{}, route, device.Maybe},
		"validation state is not known":     {&device.RPKIMatch{States: []device.RPKI{device.RPKIValid}}, route, device.Maybe},
		"instance is not known":             {&device.NameMatch{Field: device.Instance, Names: []string{"x"}}, route, device.Maybe},
		"no OTC":                            {&device.Present{Field: device.OTC}, route, device.False},
		"family":                            {&device.FamilyMatch{Family: device.IPv6}, route, device.False},
		"an empty any matches nothing":      {&device.CommunityMatch{}, route, device.False},
		"an empty all matches":              {&device.CommunityMatch{Quant: device.AllOf}, route, device.True},
		"an empty exact wants no community": {&device.CommunityMatch{Quant: device.ExactOf}, route, device.False},
		"no expression at all":              {nil, route, device.Maybe},
	}
	for name, tt := range tests {
		if got := Truth(session, tt.x, tt.r); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestActions(t *testing.T) {
	community := func(texts ...string) []device.Community {
		var out []device.Community
		for _, x := range texts {
			out = append(out, device.Community{Kind: device.Standard, Text: x})
		}
		return out
	}
	lit := func(text string, keep bool) device.CommunityPattern {
		p := device.LiteralPattern(device.Community{Kind: device.Standard, Text: text}, text, device.Pos{})
		p.Keep = keep
		return p
	}
	every, err := device.RegexPattern(device.Standard, ".*", "*:*", false, device.Pos{})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		a    device.Action
		path []uint32
		comm string
	}{
		"add sorts and joins": {&device.SetCommunities{Values: community("1:2", "64496:1")}, nil, "1:2 64496:1"},
		"replace":             {&device.SetCommunities{Op: device.ReplaceCommunities, Values: community("1:2")}, nil, "1:2"},
		"delete":              {&device.SetCommunities{Op: device.DeleteCommunities, Patterns: []device.CommunityPattern{every}}, nil, ""},
		"delete but keep":     {&device.SetCommunities{Op: device.DeleteCommunities, Patterns: []device.CommunityPattern{lit("64496:1", true), every}}, nil, "64496:1"},
		"prepend own":         {&device.PrependAS{Own: true, Repeat: 2}, []uint32{64496, 64496, 64500, 64501}, "64496:1"},
		"prepend last":        {&device.PrependAS{Last: true}, []uint32{64500, 64500, 64501}, "64496:1"},
		"prepend two":         {&device.PrependAS{ASNs: []uint32{1, 2}}, []uint32{1, 2, 64500, 64501}, "64496:1"},
		"clear path":          {&device.EditASPath{Clear: true}, []uint32{}, "64496:1"},
		"drop one":            {&device.EditASPath{ASNs: []uint32{64500}}, []uint32{64501}, "64496:1"},
	}
	for name, tt := range tests {
		got := Chain(session, chain(device.Accept, policy(term(yes, device.Continue, tt.a))), route).Route
		want := tt.path
		if want == nil {
			want = route.ASPath
		}
		if device.WholeText(device.Standard, got.Communities) != tt.comm {
			t.Errorf("%s: communities %v, want %s", name, got.Communities, tt.comm)
		}
		if len(got.ASPath) != len(want) {
			t.Errorf("%s: path %v, want %v", name, got.ASPath, want)
			continue
		}
		for i := range want {
			if got.ASPath[i] != want[i] {
				t.Errorf("%s: path %v, want %v", name, got.ASPath, want)
			}
		}
	}
}

func TestScalars(t *testing.T) {
	run := func(start *uint32, a *device.SetScalar) (uint32, bool) {
		r := route
		if start != nil {
			r.Scalars.Set(device.MED, *start)
		}
		a.Field = device.MED
		out := Chain(session, chain(device.Accept, policy(term(yes, device.Continue, a))), r).Route
		return out.Scalars.Get(device.MED)
	}
	ten := uint32(10)
	for name, tt := range map[string]struct {
		start *uint32
		a     device.SetScalar
		want  uint32
		ok    bool
	}{
		"assign":                 {nil, device.SetScalar{Value: 3}, 3, true},
		"add saturates":          {&ten, device.SetScalar{Op: device.Add, Value: 1<<32 - 1}, 1<<32 - 1, true},
		"subtract stops at zero": {&ten, device.SetScalar{Op: device.Subtract, Value: 11}, 0, true},
		"remove":                 {&ten, device.SetScalar{Op: device.Remove}, 0, false},
		"if absent, present":     {&ten, device.SetScalar{Op: device.AssignIfAbsent, Value: 3}, 10, true},
		"if absent, own ASN":     {nil, device.SetScalar{Op: device.AssignIfAbsent, Own: true}, 64496, true},
		"the neighbor's ASN":     {nil, device.SetScalar{From: true}, 64511, true},
	} {
		if got, ok := run(tt.start, &tt.a); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %d %v, want %d %v", name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestPipeline(t *testing.T) {
	step := func(v device.Verdict) device.Step { return device.Step{Chain: device.Chain{Default: v}} }
	for name, tt := range map[string]struct {
		steps []device.Step
		want  device.Verdict
	}{
		"no step rejects":           {nil, device.Reject},
		"all have to accept":        {[]device.Step{step(device.Accept), step(device.Reject)}, device.Reject},
		"one reject is enough":      {[]device.Step{step(device.Reject), step(device.Accept)}, device.Reject},
		"one undecided is enough":   {[]device.Step{step(device.Accept), step(device.Undecided)}, device.Undecided},
		"undecided before a reject": {[]device.Step{step(device.Accept), step(device.Accept)}, device.Accept},
	} {
		if got := Pipeline(session, &device.Pipeline{Steps: tt.steps}, route); got.Verdict != tt.want {
			t.Errorf("%s: %s, want %s", name, got.Verdict, tt.want)
		}
	}
	off := *session
	off.Inactive = true
	off.Export = device.Pipeline{Steps: []device.Step{step(device.Accept)}}
	if got := Session(&off, Export, route); got.Verdict != device.Reject {
		t.Errorf("an inactive session: %s", got.Verdict)
	}
}

// The trace names the terms and where they stand.
func TestTrace(t *testing.T) {
	tt := term(yes, device.AcceptRoute, &device.PrependAS{Own: true})
	tt.Pos, tt.Bare = device.Pos{File: "edge.conf", Line: 41, Col: 3}, true
	got := Chain(session, chain(device.Reject, policy(term(no, device.RejectRoute), tt)), route)
	if len(got.Trace) != 1 {
		t.Fatalf("trace %+v", got.Trace)
	}
	e := got.Trace[0]
	if e.Pos.String() != "edge.conf:41:3" || e.Policy != "P" || e.Term != "t" || !strings.Contains(e.What, "no condition") || !strings.HasSuffix(e.What, "accept") {
		t.Errorf("event %+v", e)
	}
}

// exprs draws conditions over constants, so that every truth is known.
func exprs(depth int) *rapid.Generator[device.Expr] {
	leaf := rapid.Custom(func(t *rapid.T) device.Expr {
		return &device.Const{Value: rapid.Bool().Draw(t, "value")}
	})
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf, rapid.Custom(func(t *rapid.T) device.Expr {
		xs := rapid.SliceOfN(exprs(depth-1), 1, 3).Draw(t, "xs")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return &device.And{Xs: xs}
		case 1:
			return &device.Or{Xs: xs}
		case 2:
			return &device.Not{X: xs[0]}
		}
		c := &device.Cases{Else: rapid.Bool().Draw(t, "else")}
		for _, x := range xs {
			c.Arms = append(c.Arms, device.Arm{X: x, Value: rapid.Bool().Draw(t, "arm")})
		}
		return c
	}))
}

func policies() *rapid.Generator[*device.Policy] {
	return rapid.Custom(func(t *rapid.T) *device.Policy {
		p := policy()
		for i := range rapid.IntRange(1, 5).Draw(t, "terms") {
			d := device.Disposition{
				Flow:    rapid.SampledFrom([]device.Flow{device.Continue, device.AcceptRoute, device.RejectRoute, device.NextPolicy, device.Goto}).Draw(t, "flow"),
				Target:  i + rapid.IntRange(1, 3).Draw(t, "target"),
				Default: rapid.SampledFrom([]device.Verdict{device.Undecided, device.Accept, device.Reject}).Draw(t, "default"),
			}
			p.Terms = append(p.Terms, &device.Term{Match: exprs(3).Draw(t, "match"), Then: d})
		}
		return p
	})
}

// replaceOne puts Unknown in the place of the n-th constant.
func replaceOne(x device.Expr, n *int) device.Expr {
	list := func(xs []device.Expr) []device.Expr {
		var out []device.Expr
		for _, c := range xs {
			out = append(out, replaceOne(c, n))
		}
		return out
	}
	switch t := x.(type) {
	case *device.Const:
		if *n--; *n == -1 {
			return unknown
		}
	case *device.And:
		return &device.And{Xs: list(t.Xs)}
	case *device.Or:
		return &device.Or{Xs: list(t.Xs)}
	case *device.Not:
		return &device.Not{X: replaceOne(t.X, n)}
	case *device.Cases:
		out := &device.Cases{Else: t.Else}
		for _, a := range t.Arms {
			out.Arms = append(out.Arms, device.Arm{X: replaceOne(a.X, n), Value: a.Value})
		}
		return out
	}
	return x
}

// Soundness: not knowing a condition never turns one verdict into the other.
func TestUnknownNeverFlipsAVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.SliceOfN(policies(), 1, 3).Draw(t, "policies")
		c := chain(rapid.SampledFrom([]device.Verdict{device.Accept, device.Reject}).Draw(t, "default"), ps...)
		before := Chain(session, c, route)
		if before.Verdict == device.Undecided {
			t.Fatalf("undecided without an unknown: %v", before.Blockers)
		}
		n := rapid.IntRange(0, 12).Draw(t, "which")
		blind := chain(c.Default)
		for _, p := range ps {
			q := policy()
			for _, tm := range p.Terms {
				copied := *tm
				copied.Match = replaceOne(tm.Match, &n)
				q.Terms = append(q.Terms, &copied)
			}
			blind.Policies = append(blind.Policies, q)
		}
		if after := Chain(session, blind, route); after.Verdict != device.Undecided && after.Verdict != before.Verdict {
			t.Fatalf("%s became %s", before.Verdict, after.Verdict)
		}
	})
}
