package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// table is everything known of one neighbor's routes: what the Target wants,
// what the engine offers and what is on the wire. What has to be sent follows
// from the three alone (decide), so nothing can get lost between them.
//
// What the Target names costs one octet here; what is on the wire otherwise, or
// no longer named, is a stray.
type table struct {
	mu     sync.Mutex
	offers *offers // shared with the other neighbors of the leg
	target *target
	state  []state // of target.routes
	strays map[netip.Prefix]stray
	out    counts
	hint   int // where find looks first

	// Of the neighbor's session; zero while there is none.
	live     bool
	families wire.FamilySet
	dirty    []uint32       // of target.routes, to be decided
	loose    []netip.Prefix // to be decided, and not named by the Target when they were noted
	urgent   bool           // without waiting for more
	dump     dump
	eor      wire.FamilySet // families whose End-of-RIB has not been sent

	kept   bool           // its file has what this session told, but for unkept
	unkept []netip.Prefix // told otherwise since; a prefix may be there twice
	rest   groups         // unkept when the last session ended
}

// state is that of a route of the Target. Zero is not on the wire.
type state uint8

const (
	onWire    state = 1 << iota // as the Target says
	otherwise                   // on the wire as its stray says
	isDirty
	isHeld // its withdrawal, or its change, is held back
)

// stray is a prefix that is on the wire in another way than the Target says.
type stray struct {
	out   wire.AttrSet
	dirty bool
}

// dump walks the whole Target: for a new session or a ROUTE-REFRESH.
type dump struct {
	active bool
	at     int            // the next route
	force  wire.FamilySet // send what is on the wire already again
	again  wire.FamilySet // asked for while this dump was under way
}

// action is what has to happen with a prefix.
type action uint8

const (
	keep      action = iota
	advertise        // with the attributes that are wanted
	withdraw
	holdBack // the engine takes back what the Target still names
)

// decide is the whole egress rule. A withdrawal leaves only if the Target does
// not name the prefix; what the Target names leaves only if the engine offers
// it.
func decide(want wire.AttrSet, offered bool, out wire.AttrSet) action {
	switch {
	case want.IsZero() && out.IsZero():
		return keep
	case want.IsZero():
		return withdraw
	case offered && want != out:
		return advertise
	case offered, out.IsZero():
		return keep
	}
	return holdBack
}

func newTable(o *offers) *table { return &table{offers: o, strays: map[netip.Prefix]stray{}} }

// learning is a test's mode: the Target layer is off, and what the engine offers
// is what is wanted.
func (t *table) learning() bool { return t.offers.learned != nil }

// find is where p is in the Target. Prefixes often come in its order.
func (t *table) find(p netip.Prefix) (int, bool) {
	if t.target == nil || t.learning() {
		return 0, false
	}
	if h := t.hint; h < len(t.target.routes) && t.target.routes[h].Prefix == p {
		t.hint++
		return h, true
	}
	i, found := t.target.find(p)
	if found {
		t.hint = i + 1
	}
	return i, found
}

// mark notes that p has to be decided.
func (t *table) mark(p netip.Prefix) {
	if !t.live {
		return // a session begins with a dump of everything
	}
	if i, found := t.find(p); found {
		t.markAt(i)
		return
	}
	s, is := t.strays[p]
	if s.dirty || !is && !t.learning() {
		return // neither named nor on the wire: whatever the engine says of it stays inside
	}
	if is {
		s.dirty = true
		t.strays[p] = s
	}
	t.loose = append(t.loose, p)
}

func (t *table) markAt(i int) {
	if t.live && t.state[i]&isDirty == 0 {
		t.state[i] |= isDirty
		t.dirty = append(t.dirty, uint32(i))
	}
}

// swap puts another Target in place. What differs leaves at once.
func (t *table) swap(next *target) {
	before, old := t.target, t.state
	t.target, t.urgent, t.hint = next, true, 0
	if t.learning() {
		return
	}
	t.state, t.dirty = nil, nil
	if next != nil {
		t.state = make([]state, len(next.routes))
	}
	if !t.live {
		return
	}
	if t.dump.active && before != nil && t.dump.at < len(before.routes) {
		t.dump.at, _ = next.find(before.routes[t.dump.at].Prefix)
	}
	if before == nil || next != nil && len(before.routes) == 0 {
		t.dirty = make([]uint32, 0, len(t.state))
	}
	walk(before, next, func(i, j int) {
		switch {
		case j < 0:
			t.unname(before, i, old[i])
		case i < 0:
			t.name(j)
		default:
			t.carry(before, i, old[i], j)
		}
	})
}

// unname takes a route that the Target no longer names out of the state.
func (t *table) unname(before *target, i int, was state) {
	p := before.routes[i].Prefix
	s := stray{out: before.sets[i]}
	switch {
	case was&otherwise != 0:
		s = t.strays[p]
	case was&onWire == 0:
		return
	}
	if !s.dirty {
		s.dirty = true
		t.loose = append(t.loose, p)
	}
	t.strays[p] = s
}

// name puts a route that the Target did not name before into the state. It may
// be on the wire still.
func (t *table) name(j int) {
	if len(t.strays) > 0 {
		t.settleStray(j)
	}
	t.markAt(j)
}

// carry takes over a route that both Targets name.
func (t *table) carry(before *target, i int, was state, j int) {
	same := before.sets[i] == t.target.sets[j]
	switch {
	case same && was == onWire:
		t.state[j] = onWire
		return
	case same:
		t.state[j] = was &^ isDirty
	case was&onWire != 0:
		t.strays[t.target.routes[j].Prefix] = stray{out: before.sets[i]}
		t.state[j] = otherwise | was&isHeld
	case was&otherwise != 0:
		t.state[j] = was & isHeld
		t.settleStray(j)
	}
	t.markAt(j)
}

// settleStray works out how a named route is on the wire if it is a stray.
func (t *table) settleStray(j int) {
	p := t.target.routes[j].Prefix
	s, is := t.strays[p]
	switch {
	case !is:
	case s.out == t.target.sets[j]:
		delete(t.strays, p)
		t.state[j] |= onWire
	default:
		t.state[j] |= otherwise
	}
}

// begin starts a session: the whole Target goes out, then End-of-RIB.
func (t *table) begin(families wire.FamilySet, endOfRIB bool) {
	t.live, t.families, t.dump = true, families, dump{active: true}
	if endOfRIB {
		t.eor = families
	}
}

// end forgets what the session held.
func (t *table) end() {
	if t.kept {
		t.changes(&t.rest)
	}
	t.kept, t.unkept = false, nil
	t.live, t.families, t.dump, t.eor, t.urgent = false, 0, dump{}, 0, false
	t.dirty, t.loose = nil, nil
	clear(t.state)
	t.strays, t.out = map[netip.Prefix]stray{}, counts{}
}

// refresh sends a family again (RFC 2918 section 4).
func (t *table) refresh(f wire.Family) {
	if !t.live || !t.families.Has(f) {
		return
	}
	if t.dump.active {
		t.dump.again |= wire.NewFamilySet(f)
		return
	}
	t.dump = dump{active: true, force: wire.NewFamilySet(f)}
}

// retry decides every prefix of the Target that is not on the wire as it should
// be, and returns those that the engine does not offer.
func (t *table) retry() (missing []netip.Prefix) {
	if t.target == nil {
		return nil
	}
	t.offers.mu.RLock()
	defer t.offers.mu.RUnlock()
	for i, r := range t.target.routes {
		if !t.offers.has(r.Prefix, t.target) {
			missing = append(missing, r.Prefix)
		} else if !t.learning() && t.state[i]&onWire == 0 {
			t.markAt(i)
		}
	}
	return missing
}

// undecided is how many prefixes have to be decided.
func (t *table) undecided() int { return len(t.dirty) + len(t.loose) }

// pending reports whether there is something to send, and whether at once.
func (t *table) pending() (something, atOnce bool, undecided int) {
	if !t.live {
		return false, false, 0
	}
	n := t.undecided()
	return t.dump.active || n > 0 || t.eorDue() != 0, t.urgent || t.dump.active || n >= bulk, n
}

// bulk is how many prefixes are decided in one go.
const bulk = 16384

// sent is what one fill has put into messages.
type sent struct {
	order    bgp.Order
	events   []bgp.Event // without neighbor and time
	messages int
	more     bool
}

// fill appends messages for at most bulk prefixes and records them as on the
// wire. The attributes' groups keep the order of their first prefix.
func (t *table) fill(dst []byte, enc wire.Encoding) ([]byte, sent, error) {
	var s sent
	if t.target != nil {
		s.order = t.target.order
	}
	var g groups
	t.offers.mu.RLock()
	if t.dump.active {
		t.fillDump(&g)
	} else {
		t.fillDirty(&g)
	}
	t.offers.mu.RUnlock()
	dst, err := g.encode(dst, enc, &s)
	if err == nil && t.undecided() == 0 && !t.dump.active {
		t.urgent = false
		dst = t.appendEndOfRIB(dst, &s)
	}
	t.tell(s.events)
	s.more = t.dump.active || t.undecided() > 0 && t.urgent
	return dst, s, err
}

func (t *table) fillDirty(g *groups) {
	n := min(len(t.loose), bulk)
	for _, p := range t.loose[:n] {
		t.settle(p, g)
	}
	if t.loose = t.loose[n:]; len(t.loose) == 0 {
		t.loose = nil
	}
	n = min(len(t.dirty), bulk-n)
	g.expect(n)
	for _, i := range t.dirty[:n] {
		t.settleAt(int(i), false, g)
	}
	if t.dirty = t.dirty[n:]; len(t.dirty) == 0 {
		t.dirty = nil
	}
}

func (t *table) fillDump(g *groups) {
	if t.learning() { // without a Target, what is offered
		for p := range t.offers.learned {
			t.mark(p)
		}
	} else if t.target != nil {
		end := min(t.dump.at+bulk, len(t.target.routes))
		g.expect(end - t.dump.at)
		for ; t.dump.at < end; t.dump.at++ {
			p := t.target.routes[t.dump.at].Prefix
			t.settleAt(t.dump.at, t.dump.force.Has(wire.FamilyOf(addressing.FamilyOf(p))), g)
		}
		if end < len(t.target.routes) {
			return
		}
	}
	again := t.dump.again
	t.dump = dump{active: again != 0, force: again}
}

// settleAt decides a route of the Target and puts the message that follows into
// g. It is never withdrawn: the Target names it.
func (t *table) settleAt(i int, force bool, g *groups) {
	was := t.state[i] &^ isDirty
	t.state[i] = was
	p, want := t.target.routes[i].Prefix, t.target.sets[i]
	if !t.families.Has(wire.FamilyOf(addressing.FamilyOf(p))) {
		return
	}
	var out wire.AttrSet
	switch {
	case was&onWire != 0:
		out = want
	case was&otherwise != 0:
		out = t.strays[p].out
	}
	act := decide(want, t.offers.has(p, t.target), out)
	if act == keep && force && !out.IsZero() {
		act = advertise
	}
	switch act {
	case advertise:
		if out.IsZero() {
			*t.out.of(p)++
		}
		if was&otherwise != 0 {
			delete(t.strays, p)
		}
		t.state[i] = onWire
		g.add(want, p)
	case holdBack:
		t.state[i] |= isHeld
		if was&isHeld == 0 {
			g.held = append(g.held, p)
		}
	case keep:
		t.state[i] &^= isHeld
	}
}

// settle decides a prefix that the Target did not name when it was noted.
func (t *table) settle(p netip.Prefix, g *groups) {
	s, is := t.strays[p]
	s.dirty = false // it is in loose no more, whatever is decided
	if i, found := t.find(p); found {
		if is {
			t.strays[p] = s
		}
		t.settleAt(i, false, g)
		return
	}
	var want wire.AttrSet
	offered := false
	if t.learning() && t.families.Has(wire.FamilyOf(addressing.FamilyOf(p))) {
		want, offered = t.offers.learned[p], t.offers.has(p, t.target)
	}
	switch decide(want, offered, s.out) {
	case advertise:
		if s.out.IsZero() {
			*t.out.of(p)++
		}
		s.out = want
		g.add(want, p)
	case withdraw:
		*t.out.of(p)--
		s.out = wire.AttrSet{}
		g.withdraw(p)
	}
	if s == (stray{}) {
		delete(t.strays, p)
		return
	}
	t.strays[p] = s
}

// eorDue are the families whose End-of-RIB may go: RFC 4724 section 4.2 makes
// the neighbor drop what it did not get before it, so the Target must be out.
func (t *table) eorDue() (due wire.FamilySet) {
	if t.dump.active || t.eor == 0 {
		return 0
	}
	for _, f := range t.eor.List() {
		if t.target == nil || t.out.family(f.Unicast()) >= t.target.count.family(f.Unicast()) {
			due |= wire.NewFamilySet(f)
		}
	}
	return due
}

func (t *table) appendEndOfRIB(dst []byte, s *sent) []byte {
	due := t.eorDue()
	t.eor &^= due
	for _, f := range due.List() {
		dst = wire.AppendEndOfRIB(dst, f)
		s.messages++
	}
	return dst
}

// each calls f for every prefix on the wire: in the Target's order, then the
// strays that it does not name.
func (t *table) each(f func(i int, p netip.Prefix, out wire.AttrSet)) {
	for i, st := range t.state {
		if st&onWire != 0 {
			f(i, t.target.routes[i].Prefix, t.target.sets[i])
		}
	}
	for p, s := range t.strays {
		if !s.out.IsZero() {
			f(-1, p, s.out)
		}
	}
}

// holds reports whether p is in the Adj-RIB-Out.
func (t *table) holds(p netip.Prefix) bool {
	if i, named := t.target.find(p); named && i < len(t.state) && t.state[i]&onWire != 0 {
		return true
	}
	s, is := t.strays[p]
	return is && !s.out.IsZero()
}

// routes is the Adj-RIB-Out, sorted. What is as the Target says shares its
// attributes.
func (t *table) routes() []snapshots.TargetRoute {
	out := make([]snapshots.TargetRoute, 0, t.out[0]+t.out[1])
	memo := map[wire.AttrSet]*snapshots.Attributes{}
	t.each(func(i int, p netip.Prefix, set wire.AttrSet) {
		if i >= 0 {
			out = append(out, t.target.routes[i])
			return
		}
		if memo[set] == nil {
			memo[set] = asTarget(set)
		}
		out = append(out, snapshots.TargetRoute{Prefix: p, Attrs: memo[set]})
	})
	if len(t.strays) > 0 {
		sortRoutes(out)
	}
	return out
}

// groups collects prefixes by what they are sent with.
type groups struct {
	at       map[wire.AttrSet]int
	last     int // of sets, the one that was added to last
	sets     []wire.AttrSet
	members  [][]netip.Prefix
	gone     [2][]netip.Prefix // IPv4, IPv6
	held     []netip.Prefix
	expected int
}

// expect says how many prefixes may come, so that a big load grows no slice.
func (g *groups) expect(n int) { g.expected = n }

func (g *groups) add(set wire.AttrSet, p netip.Prefix) {
	if len(g.sets) == 0 || g.sets[g.last] != set {
		i, found := g.at[set]
		if !found {
			i = len(g.sets)
			if g.at == nil {
				g.at = map[wire.AttrSet]int{}
			}
			g.at[set] = i
			g.sets = append(g.sets, set)
			g.members = append(g.members, make([]netip.Prefix, 0, g.room()))
		}
		g.last = i
	}
	g.members[g.last] = append(g.members[g.last], p)
}

// room is what to set aside for another group: all for the first, which is
// mostly the only one.
func (g *groups) room() int {
	if len(g.sets) == 1 {
		return g.expected
	}
	return 0
}

func (g *groups) withdraw(p netip.Prefix) {
	i := 0
	if !p.Addr().Is4() {
		i = 1
	}
	g.gone[i] = append(g.gone[i], p)
}

// encode appends the messages, withdrawals first, and notes the events.
func (g *groups) encode(dst []byte, enc wire.Encoding, s *sent) ([]byte, error) {
	for i, prefixes := range g.gone {
		if len(prefixes) == 0 {
			continue
		}
		var n int
		var err error
		if dst, n, err = enc.AppendWithdraw(dst, prefixes); err != nil {
			return dst, fmt.Errorf("encode: %w", err)
		}
		s.messages += n
		s.events = append(s.events, bgp.Event{Kind: bgp.Withdrawn, Family: addressing.Families()[i], Prefixes: prefixes})
	}
	for i, set := range g.sets {
		var n int
		var err error
		if dst, n, err = enc.AppendAdvertise(dst, set, g.members[i]); err != nil {
			return dst, fmt.Errorf("encode: %w", err)
		}
		s.messages += n
		s.events = append(s.events, bgp.Event{Kind: bgp.Advertised, Family: addressing.FamilyOf(g.members[i][0]), Prefixes: g.members[i]})
	}
	for _, f := range addressing.Families() {
		held := slices.DeleteFunc(slices.Clone(g.held), func(p netip.Prefix) bool { return addressing.FamilyOf(p) != f })
		if len(held) > 0 {
			s.events = append(s.events, bgp.Event{Kind: bgp.HeldBack, Family: f, Prefixes: held, Why: "the Target still names it"})
		}
	}
	return dst, nil
}

// envelope checks what was counted against the Target: there can never be more
// on the wire than it names, but for what is still to be withdrawn.
func (t *table) envelope() error {
	limit := counts{len(t.loose), len(t.loose)}
	if t.target != nil {
		limit[0] += t.target.count[0]
		limit[1] += t.target.count[1]
	}
	if t.out[0] > limit[0] || t.out[1] > limit[1] {
		return fmt.Errorf("%d IPv4 and %d IPv6 routes on the wire, the Target allows %d and %d", t.out[0], t.out[1], limit[0], limit[1])
	}
	return nil
}
