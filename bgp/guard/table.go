package guard

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// table is everything known of one neighbor's routes: what the Target wants,
// what the engine offers and what is on the wire. What has to be sent follows
// from the three alone (decide), so nothing can get lost between them.
type table struct {
	mu      sync.Mutex
	target  *target
	entries map[netip.Prefix]entry
	learned map[netip.Prefix]wire.AttrSet // what the engine offers it with; only while the Target layer is off
	offered counts
	out     counts
	pass    uint8 // of the engine's session, see offer

	// Of the neighbor's session; zero while there is none.
	live     bool
	families wire.FamilySet
	dirty    []netip.Prefix // to be decided
	urgent   bool           // without waiting for more
	dump     dump
	eor      wire.FamilySet // families whose End-of-RIB has not been sent
}

// entry is one prefix. The zero entry is not kept.
type entry struct {
	out   wire.AttrSet // on the wire with; zero is not on the wire
	offer uint8        // the pass in which the engine offered it; 0 is not offered
	dirty bool
	held  bool // its withdrawal is held back
}

// dump walks the whole Target: for a new session or a ROUTE-REFRESH.
type dump struct {
	active bool
	from   netip.Prefix   // the next prefix, valid or from the start
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

func newTable() *table { return &table{entries: map[netip.Prefix]entry{}} }

// mark notes that p has to be decided.
func (t *table) mark(p netip.Prefix) {
	if !t.live {
		return // a session begins with a dump of everything
	}
	if e := t.entries[p]; !e.dirty {
		e.dirty = true
		t.entries[p] = e
		t.dirty = append(t.dirty, p)
	}
}

// put keeps an entry, or forgets it when it says nothing.
func (t *table) put(p netip.Prefix, e entry) {
	if e == (entry{}) {
		delete(t.entries, p)
		return
	}
	t.entries[p] = e
}

// offer notes that the engine offers p, or takes it back. learned is zero unless
// the Target layer is off.
func (t *table) offer(p netip.Prefix, offered bool, learned wire.AttrSet) {
	e := t.entries[p]
	was := e.offer
	switch {
	case offered:
		e.offer = t.pass
		if was == 0 {
			*t.offered.of(p)++
		}
	case was == 0:
		return
	default:
		e.offer = 0
		*t.offered.of(p)--
	}
	if t.learned != nil {
		t.learned[p] = learned
		if !offered {
			delete(t.learned, p)
		}
	} else if (was != 0) == offered {
		t.put(p, e) // the same again: nothing to decide
		return
	}
	t.put(p, e)
	t.mark(p)
}

// newPass begins a session of the engine. What it offered before stays offered
// until it has told everything again: losing the engine changes nothing.
func (t *table) newPass() {
	if t.pass++; t.pass == 0 {
		t.pass = 1
	}
}

// endPass is the engine's End-of-RIB: what it has not told again it no longer
// offers.
func (t *table) endPass(f addressing.Family) {
	for p, e := range t.entries {
		if e.offer != 0 && e.offer != t.pass && addressing.FamilyOf(p) == f {
			t.offer(p, false, wire.AttrSet{})
		}
	}
}

// swap puts another Target in place. What differs leaves at once.
func (t *table) swap(next *target) {
	if t.live {
		changed(t.target, next, t.mark)
	}
	t.target, t.urgent = next, true
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
	t.live, t.families, t.dump, t.eor, t.urgent, t.dirty = false, 0, dump{}, 0, false, nil
	for p, e := range t.entries {
		e.out, e.dirty, e.held = wire.AttrSet{}, false, false
		t.put(p, e)
	}
	t.out = counts{}
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
	for i, r := range t.target.routes {
		e := t.entries[r.Prefix]
		if e.offer == 0 {
			missing = append(missing, r.Prefix)
		} else if t.live && e.out != t.target.sets[i] {
			t.mark(r.Prefix)
		}
	}
	return missing
}

// pending reports whether there is something to send, and whether at once.
func (t *table) pending() (something, atOnce bool, dirty int) {
	if !t.live {
		return false, false, 0
	}
	return t.dump.active || len(t.dirty) > 0 || t.eorDue() != 0, t.urgent || t.dump.active || len(t.dirty) >= bulk, len(t.dirty)
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
	g := groups{at: map[wire.AttrSet]int{}}
	if t.dump.active {
		t.fillDump(&g)
	} else {
		t.fillDirty(&g)
	}
	dst, err := g.encode(dst, enc, &s)
	if err == nil && len(t.dirty) == 0 && !t.dump.active {
		t.urgent = false
		dst = t.appendEndOfRIB(dst, &s)
	}
	s.more = t.dump.active || len(t.dirty) > 0 && t.urgent
	return dst, s, err
}

func (t *table) fillDirty(g *groups) {
	n := min(len(t.dirty), bulk)
	for _, p := range t.dirty[:n] {
		t.settle(p, t.want(p), false, g)
	}
	if t.dirty = t.dirty[n:]; len(t.dirty) == 0 {
		t.dirty = nil
	}
}

func (t *table) fillDump(g *groups) {
	if t.learned != nil && !t.dump.from.IsValid() { // without a Target, what is offered
		for p := range t.learned {
			t.mark(p)
		}
	}
	i := 0
	if t.dump.from.IsValid() {
		i, _ = t.target.find(t.dump.from)
	}
	var end int
	if t.target != nil {
		end = min(i+bulk, len(t.target.routes))
		for ; i < end; i++ {
			p := t.target.routes[i].Prefix
			want := t.target.sets[i]
			if t.learned != nil {
				want = t.learned[p]
			}
			t.settle(p, want, t.dump.force.Has(wire.FamilyOf(addressing.FamilyOf(p))), g)
		}
	}
	if t.target != nil && end < len(t.target.routes) {
		t.dump.from = t.target.routes[end].Prefix
		return
	}
	again := t.dump.again
	t.dump = dump{active: again != 0, force: again}
}

// want is what p should be on the wire with, if the engine offers it.
func (t *table) want(p netip.Prefix) wire.AttrSet {
	if t.learned != nil {
		return t.learned[p]
	}
	return t.target.set(p)
}

// settle decides p and puts the message that follows into g.
func (t *table) settle(p netip.Prefix, want wire.AttrSet, force bool, g *groups) {
	e := t.entries[p]
	e.dirty = false
	if !t.families.Has(wire.FamilyOf(addressing.FamilyOf(p))) {
		t.put(p, e)
		return
	}
	act := decide(want, e.offer != 0, e.out)
	if act == keep && force && !e.out.IsZero() {
		act = advertise
	}
	wasHeld := e.held
	e.held = act == holdBack
	switch act {
	case advertise:
		if e.out.IsZero() {
			*t.out.of(p)++
		}
		e.out = want
		g.add(want, p)
	case withdraw:
		*t.out.of(p)--
		e.out = wire.AttrSet{}
		g.withdraw(p)
	case holdBack:
		if !wasHeld {
			g.held = append(g.held, p)
		}
	}
	t.put(p, e)
}

// eorDue are the families whose End-of-RIB may go: RFC 4724 section 4.2 makes
// the neighbor drop what it did not get before it, so the Target must be out.
func (t *table) eorDue() (due wire.FamilySet) {
	if t.dump.active {
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

// routes is the Adj-RIB-Out, sorted. What is as the Target says shares its
// attributes.
func (t *table) routes() []snapshots.TargetRoute {
	out := make([]snapshots.TargetRoute, 0, t.out[0]+t.out[1])
	left := t.out[0] + t.out[1]
	if t.target != nil {
		for i, r := range t.target.routes {
			if e := t.entries[r.Prefix]; e.out == t.target.sets[i] {
				out = append(out, r)
				left--
			}
		}
	}
	if left == 0 {
		return out
	}
	memo := map[wire.AttrSet]*snapshots.Attributes{}
	for p, e := range t.entries {
		if e.out.IsZero() || e.out == t.target.set(p) {
			continue
		}
		if memo[e.out] == nil {
			memo[e.out] = asTarget(e.out)
		}
		out = append(out, snapshots.TargetRoute{Prefix: p, Attrs: memo[e.out]})
	}
	sortRoutes(out)
	return out
}

// groups collects prefixes by what they are sent with.
type groups struct {
	at      map[wire.AttrSet]int
	sets    []wire.AttrSet
	members [][]netip.Prefix
	gone    [2][]netip.Prefix // IPv4, IPv6
	held    []netip.Prefix
}

func (g *groups) add(set wire.AttrSet, p netip.Prefix) {
	i, found := g.at[set]
	if !found {
		i = len(g.sets)
		g.at[set] = i
		g.sets, g.members = append(g.sets, set), append(g.members, nil)
	}
	g.members[i] = append(g.members[i], p)
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
		var held []netip.Prefix
		for _, p := range g.held {
			if addressing.FamilyOf(p) == f {
				held = append(held, p)
			}
		}
		if len(held) > 0 {
			s.events = append(s.events, bgp.Event{Kind: bgp.HeldBack, Family: f, Prefixes: held, Why: "the Target still names it"})
		}
	}
	return dst, nil
}

// envelope checks what was counted against the Target: there can never be more
// on the wire than it names, but for what is still to be withdrawn.
func (t *table) envelope() error {
	limit := counts{len(t.dirty), len(t.dirty)}
	if t.target != nil {
		limit[0] += t.target.count[0]
		limit[1] += t.target.count[1]
	}
	if t.out[0] > limit[0] || t.out[1] > limit[1] {
		return fmt.Errorf("%d IPv4 and %d IPv6 routes on the wire, the Target allows %d and %d", t.out[0], t.out[1], limit[0], limit[1])
	}
	return nil
}
