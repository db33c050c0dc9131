package symbolic

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// ErrTooLarge is returned when an analysis would outgrow its budget; nothing
// was proved then.
var ErrTooLarge = errors.New("the policies are too large to analyse")

// DefaultNodes is the size of an arena, about 100 MB with its tables.
const DefaultNodes = 4_000_000

// Source is where a route may have been learned.
type Source struct {
	Route   device.Source   // what the route says of it
	Session *device.Session // whose import pipeline it passes; nil for none
}

// Inputs is what a universe is made for. Everything that will be run or asked
// has to be named, because what no policy can tell apart is not told apart.
type Inputs struct {
	Sources     []Source
	Exports     []*device.Session
	Before      []*device.Session  // what Sources passed in an earlier state, by index; nil when nothing is compared
	Communities []device.Community // asked about beside those of the policies
	Patterns    []*aspath.Pattern  // likewise
	Own         []uint32           // own ASNs: communities in their name are told apart
	Prefer      []uint32           // ASNs for examples
	// Loops models the loop checks of the sessions exactly. Without it no route
	// is taken to hold the receiver's ASN, which may only make more routes
	// advertised; it keeps one universe small enough for many sessions.
	Loops bool
	Nodes int // size of the arena, DefaultNodes when 0
}

// The levels of the fixed variables.
const familyLevel = 0

// Universe is the set of all routes that may be received, as told apart by the
// policies it was made for.
type Universe struct {
	in     Inputs
	arena  *bdd.Arena
	levels int
	masks  [2]bool // IPv4 and IPv6: lists with wildcard masks look behind the length

	source *enum
	addr   int
	length *enum

	kinds   [3]*communities
	scalars map[device.Field]*scalar
	names   map[device.NameField]*names
	rpki    *attribute
	hops    *nextHops
	path    *attribute
	all     []*attribute // by index in a state's list

	space    *aspath.Space // nil when the patterns are too many
	patterns []*aspath.Pattern
	lengthAt map[int]int // pattern "at least n ASNs"
	present  map[string]int

	lists   map[*device.PrefixSet]bdd.Node
	valid   bdd.Node
	arrived []*state // by source: what it is when the export starts
	start   *state
	before  *state // the same through the sessions of the earlier state
}

// attribute is an enum a policy may change; index is its place in a state.
type attribute struct {
	*enum
	index int
}

func addrLevel(u *Universe) int { return u.addr }

// New makes a universe and runs the import pipelines of its sources.
func New(in Inputs) (*Universe, error) {
	if in.Nodes == 0 {
		in.Nodes = DefaultNodes
	}
	u := &Universe{
		in: in, arena: bdd.New(in.Nodes), scalars: map[device.Field]*scalar{}, names: map[device.NameField]*names{},
		lists: map[*device.PrefixSet]bdd.Node{}, lengthAt: map[int]int{}, present: map[string]int{},
	}
	for k := range u.kinds {
		u.kinds[k] = newCommunities(device.CommunityKind(k))
	}
	u.hops = newNextHops()
	u.collect()
	u.levels = familyLevel + 1
	u.source = u.newEnum(max(len(in.Sources), 1))
	u.addr = u.levels
	u.levels += 128
	u.length = u.newEnum(129)
	u.finish()
	u.valid = u.wellFormed()
	for i := range in.Sources {
		u.arrived = append(u.arrived, u.arrive(i, in.Sources[i].Session))
	}
	for i, s := range in.Before {
		u.before = u.join(u.before, u.arrive(i, s))
	}
	for _, st := range u.arrived {
		u.start = u.join(u.start, st)
	}
	return u, u.check()
}

func (u *Universe) check() error {
	if u.arena.Full() {
		return fmt.Errorf("%w: more than %d nodes", ErrTooLarge, u.in.Nodes)
	}
	return nil
}

// Nodes is how large the universe has grown.
func (u *Universe) Nodes() int { return u.arena.Len() }

// Sources are those it was made with.
func (u *Universe) Sources() []Source { return u.in.Sources }

func (u *Universe) add(n int) *attribute {
	a := &attribute{enum: u.newEnum(n), index: len(u.all)}
	u.all = append(u.all, a)
	return a
}

// collect visits everything that will be run.
func (u *Universe) collect() {
	seen := map[*device.Policy]bool{}
	// The space makes the empty path an atom of its own only if it is asked about.
	u.usePattern(aspath.Empty())
	for _, s := range u.in.Sources {
		if s.Session != nil {
			u.collectPipeline(&s.Session.Import, seen)
			if u.in.Loops {
				u.usePattern(aspath.Contains(aspath.One(s.Session.PeerAS)))
				u.usePattern(aspath.Contains(aspath.One(s.Session.LocalAS)))
			}
		}
		if asn := s.Route.ASN; asn != 0 && len(u.in.Sources) <= maxSenders {
			u.usePattern(aspath.First(aspath.One(asn)))
		}
	}
	for _, s := range u.in.Before {
		if s != nil {
			u.collectPipeline(&s.Import, seen)
		}
	}
	for _, s := range u.in.Exports {
		u.collectPipeline(&s.Export, seen)
		if u.in.Loops {
			u.usePattern(aspath.Contains(aspath.One(s.PeerAS)))
			u.usePattern(aspath.Contains(aspath.One(s.LocalAS)))
		}
	}
	for _, p := range u.in.Patterns {
		u.usePattern(p)
	}
	for _, v := range u.in.Communities {
		u.kinds[v.Kind].value(v)
	}
	for _, k := range []device.CommunityKind{device.Standard, device.Large} {
		for _, asn := range u.in.Own {
			if c := u.kinds[k]; len(c.regexes) > 0 {
				if p, err := device.RegexPattern(k, fmt.Sprintf("^%d:", asn), "own", false, device.Pos{}); err == nil {
					c.mention(&p)
				}
			}
		}
	}
}

// maxSenders bounds for how many sources the first ASN of the path is tied to
// the neighbor.
const maxSenders = 64

func (u *Universe) collectPipeline(p *device.Pipeline, seen map[*device.Policy]bool) {
	for i := range p.Steps {
		u.collectChain(&p.Steps[i].Chain, seen)
	}
}

func (u *Universe) collectChain(c *device.Chain, seen map[*device.Policy]bool) {
	for _, p := range c.Policies {
		if !seen[p] {
			seen[p] = true
			u.collectTerms(p.Terms, seen)
		}
	}
}

func (u *Universe) collectTerms(ts []*device.Term, seen map[*device.Policy]bool) {
	for _, t := range ts {
		if t.Inactive {
			continue
		}
		u.collectExpr(t.Match, seen)
		for _, a := range t.Actions {
			u.collectAction(a, seen)
		}
		u.collectTerms(t.Body, seen)
		u.collectTerms(t.Else, seen)
	}
}

func (u *Universe) collectExpr(x device.Expr, seen map[*device.Policy]bool) {
	device.Walk(x, func(x device.Expr) bool {
		switch t := x.(type) {
		case *device.PrefixMatch:
			for i := range t.Set.Entries {
				if m := t.Set.Entries[i].Range.Mask; m.IsValid() {
					u.masks[familyBit(m)] = true
				}
			}
		case *device.CommunityMatch:
			u.kinds[t.Kind].mentioned = true
			for i := range t.Patterns {
				u.kinds[t.Kind].mention(&t.Patterns[i])
			}
		case *device.ASPathMatch:
			u.usePattern(t.Pattern)
		case *device.Compare:
			u.collectCompare(t)
		case *device.Present:
			u.scalar(t.Field)
		case *device.RPKIMatch:
			if u.rpki == nil {
				u.rpki = &attribute{}
			}
		case *device.NameMatch:
			u.name(t.Field).mention(t.Names)
		case *device.NextHopMatch:
			u.hops.mention(t.In)
		case *device.SubPolicy:
			u.collectChain(&t.Chain, seen)
		}
		return true
	})
}

func (u *Universe) collectCompare(c *device.Compare) {
	switch c.Field {
	case device.ASPathLen:
		for _, n := range []uint32{c.Value, c.Value + 1} {
			u.useLength(int(min(n, 200)))
		}
	case device.CommunityCount:
		u.kinds[device.Standard].mentioned = true
	default:
		u.scalar(c.Field).cut(c.Value)
	}
}

func (u *Universe) collectAction(a device.Action, seen map[*device.Policy]bool) {
	switch t := a.(type) {
	case *device.SetCommunities:
		for i := range t.Patterns {
			u.kinds[t.Kind].mention(&t.Patterns[i])
		}
	case *device.SetScalar:
		if s, ok := u.scalars[t.Field]; ok {
			s.cut(t.Value)
		}
	case *device.SetName:
		u.name(t.Field).mention([]string{t.Name})
	case *device.SetNextHop:
		u.hops.address(t.Addr)
	case *device.Call:
		u.collectChain(&t.Chain, seen)
	}
}

func familyBit(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

func patternKey(p *aspath.Pattern) string { return p.Syntax().String() + " " + p.String() }

func (u *Universe) usePattern(p *aspath.Pattern) int {
	k := patternKey(p)
	if i, ok := u.present[k]; ok {
		return i
	}
	u.present[k] = len(u.patterns)
	u.patterns = append(u.patterns, p)
	return u.present[k]
}

func (u *Universe) useLength(n int) {
	if _, ok := u.lengthAt[n]; !ok {
		u.lengthAt[n] = u.usePattern(aspath.Longer(n))
	}
}

// finish turns what was collected into variables: numbers, names, next hops,
// communities, and the AS path last.
func (u *Universe) finish() {
	for f := device.LocalPref; f <= device.ASPathLen; f++ {
		if s, ok := u.scalars[f]; ok {
			s.attribute = u.add(s.size())
		}
	}
	if u.rpki != nil {
		u.rpki = u.add(4)
	}
	for _, f := range []device.NameField{device.RIB, device.Instance, device.Interface, device.Area} {
		if n, ok := u.names[f]; ok {
			n.attribute = u.add(len(n.list) + 1)
		}
	}
	u.hops.finish(u)
	first := 0
	for _, c := range u.kinds {
		c.first = first
		if c.mentioned {
			c.finish(u)
		}
		first += len(c.atoms)
	}
	u.finishPath()
}

func (u *Universe) finishPath() {
	n := 2 // empty or not
	space, err := aspath.NewSpace(u.patterns, u.in.Prefer)
	if err == nil {
		u.space, n = space, len(space.Atoms())
	}
	u.path = u.add(n)
}

// wellFormed is what any received route satisfies: a canonical prefix, values
// that exist, and what its source implies.
func (u *Universe) wellFormed() bdd.Node {
	n := u.canonical()
	for _, a := range u.all {
		n = u.arena.And(n, u.is(a.enum, func(int) bool { return true }))
	}
	n = u.arena.And(n, u.is(u.source, func(int) bool { return true }))
	for i := range u.in.Sources {
		from := u.From(func(j int, _ Source) bool { return i == j })
		n = u.arena.And(n, u.arena.Or(u.arena.Not(from), u.plausible(&u.in.Sources[i])))
	}
	return n
}

// plausible is what the way a route was learned says about its attributes: a
// path that begins with the neighbor, no attributes of this AS from outside,
// an empty path on what was not learned over BGP.
func (u *Universe) plausible(s *Source) bdd.Node {
	emptyPath := u.is(u.path.enum, func(i int) bool { return i == 0 })
	n := bdd.True
	switch s.Route.Protocol {
	case device.EBGP:
		n = u.arena.Not(emptyPath)
		if at, ok := u.present[patternKey(aspath.First(aspath.One(s.Route.ASN)))]; ok && u.space != nil {
			n = u.is(u.path.enum, func(i int) bool { return u.space.Atoms()[i].Matches[at] })
		}
		for _, f := range []device.Field{device.LocalPref, device.Tag, device.Weight, device.Preference} {
			if sc, ok := u.scalars[f]; ok {
				n = u.arena.And(n, u.is(sc.enum, func(i int) bool { return i == 0 }))
			}
		}
	case device.IBGP, device.UnknownProtocol:
	default:
		n = emptyPath
	}
	return n
}

// From is the set of routes whose source passes the test.
func (u *Universe) From(test func(i int, s Source) bool) bdd.Node {
	return u.is(u.source, func(i int) bool { return i < len(u.in.Sources) && test(i, u.in.Sources[i]) })
}

// PathIn is the set of routes received with a path the pattern matches; the
// pattern has to be among the inputs or the policies. ok is false when the
// universe cannot tell.
func (u *Universe) PathIn(p *aspath.Pattern) (n bdd.Node, ok bool) {
	at, found := u.present[patternKey(p)]
	if !found || u.space == nil {
		return bdd.False, false
	}
	return u.is(u.path.enum, func(i int) bool { return u.space.Atoms()[i].Matches[at] }), true
}

// EmptyPath is the set of routes received with no ASN in the path.
func (u *Universe) EmptyPath() bdd.Node {
	return u.is(u.path.enum, func(i int) bool { return i == 0 })
}

// Received is the set of routes received with a community that passes the test;
// the test sees an example of each class.
func (u *Universe) Received(test func(device.Community) bool) bdd.Node {
	n := bdd.False
	for _, c := range u.kinds {
		for i := range c.atoms {
			if test(c.atoms[i].example) {
				n = u.arena.Or(n, u.arena.Var(c.atoms[i].level))
			}
		}
	}
	return n
}

// Algebra of sets of routes.

// And is the intersection.
func (u *Universe) And(ns ...bdd.Node) bdd.Node { return u.arena.And(ns...) }

// Or is the union.
func (u *Universe) Or(ns ...bdd.Node) bdd.Node { return u.arena.Or(ns...) }

// Not is the complement.
func (u *Universe) Not(n bdd.Node) bdd.Node { return u.arena.Not(n) }

// Diff is a without b.
func (u *Universe) Diff(a, b bdd.Node) bdd.Node { return u.arena.Diff(a, b) }

// Empty reports whether no route is in the set.
func (u *Universe) Empty(n bdd.Node) bool { return u.arena.And(n, u.valid) == bdd.False }

func (u *Universe) initial() *state {
	st := &state{reach: always}
	for range u.all {
		st.choices = append(st.choices, []choice{{bdd.True, identity}})
	}
	for _, c := range u.kinds {
		for i := range c.atoms {
			st.carries = append(st.carries, exactly(u.arena.Var(c.atoms[i].level)))
		}
	}
	return st
}

// arrive runs the import pipeline of a session on the routes of a source.
func (u *Universe) arrive(i int, s *device.Session) *state {
	st := u.initial()
	st.reach = exactly(u.arena.And(u.From(func(j int, _ Source) bool { return i == j }), u.valid))
	if s == nil || len(s.Import.Steps) == 0 {
		return st
	}
	r := run{u: u, session: s}
	return r.pipeline(&s.Import, st)
}

// mustSources are the sources a test on the sender holds for, and may hold for.
func (u *Universe) bySource(test func(s *Source) device.Truth) truth {
	verdicts := make([]device.Truth, len(u.in.Sources))
	for i := range u.in.Sources {
		verdicts[i] = test(&u.in.Sources[i])
	}
	return truth{
		must: u.is(u.source, func(i int) bool { return i < len(verdicts) && verdicts[i] == device.True }),
		may:  u.is(u.source, func(i int) bool { return i < len(verdicts) && verdicts[i] != device.False }),
	}
}

func sortedUnique(vs []uint32) []uint32 {
	slices.Sort(vs)
	return slices.Compact(vs)
}
