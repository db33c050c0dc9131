package breaker

// Replay applies a record read back from a journal. It decides nothing.
func (m *Model) Replay(r *Record) {
	m.tick(r.At)
	m.asked = m.now
	m.seq = max(m.seq, r.Seq)
	m.apply(r)
}

// apply changes the state by one record: the only way it ever changes.
func (m *Model) apply(r *Record) {
	switch r.Kind {
	case RecordCharge:
		m.applyCharge(r)
	case RecordRelease:
		m.applyRelease(r.ID)
	case RecordGain:
		for i := range r.Items {
			m.gain(prefixKey(r.Items[i].Prefix))
		}
	case RecordTrip:
		m.applyTrip(r)
	case RecordReset:
		m.applyReset(r)
	case RecordPeak:
		m.peak(r.Scope.Key).raise(r.Until, sideOf(Family(r.From)), r.Number)
	case RecordOversize:
		m.oversized[r.Scope] = r.At
	case RecordApprove:
		m.applyApprove(r)
	case RecordRevoke:
		delete(m.grants, r.ID)
	case RecordStart:
		m.trips = max(m.trips, r.Number)
	case RecordMark:
		m.applyMarks(r)
	case RecordBase:
		m.history.add(point{r.From, toPair(r.Base.Customer), toPair(r.Base.Space), int64(r.Base.bindings()), int64(r.Base.accounts())})
	case RecordSwitch:
		t := turned{off: r.Number == 1, reason: r.Reason, by: r.Actor.Key, at: r.At}
		if r.From > 0 { // compacted
			t.at = r.From
		}
		m.switches[r.ID] = t
	case RecordAsk:
		m.asks[r.Scope] = asked{tripID: r.ID, at: r.At, by: r.Actor.Key, reason: r.Reason}
		if r.From > 0 { // compacted
			m.asks[r.Scope] = asked{tripID: r.ID, at: r.From, by: r.Actor.Key, reason: r.Reason}
		}
	case RecordDown:
		for i := range r.Items {
			it := &r.Items[i]
			m.down[prefixKey(it.Prefix)] = downed{it.Class, r.WhileOpen, 0, m.name(r.Actor.Key), m.name(it.Account)}
		}
	}
}

// charging is one charge record while it is applied.
type charging struct {
	m     *Model
	r     *Record
	p     *pending
	actor uint32

	account uint32 // of the item
}

func (m *Model) applyCharge(r *Record) {
	c := &charging{m: m, r: r, actor: m.name(r.Actor.Key)}
	if r.ID != "" && !m.neverReleased(r) {
		c.p = &pending{at: r.At, seq: uint32(r.Seq), downs: make([]undoDown, 0, len(r.Items))}
		m.pending[r.ID] = c.p
		m.sweepPending()
	}
	for i := range r.Items {
		it := &r.Items[i]
		k := prefixKey(it.Prefix)
		c.account = m.name(it.Account)
		switch it.Class {
		case Binding:
			c.binding(it, k)
		case Modified:
			c.add(Global, dimModifies, k, WeightFull)
		default:
			c.loss(it, k)
		}
	}
}

// neverReleased reports that a record that is read back needs no way to be
// released: it is old, and the journal goes on without its release.
func (m *Model) neverReleased(r *Record) bool {
	return m.reading != nil && r.At < m.reading.recent && !m.reading.released[r.ID]
}

// reading is what is known of a journal before it is replayed.
type reading struct {
	recent   int64
	released map[string]bool
}

// loss charges one lost prefix to every ledger that counts it.
func (c *charging) loss(it *Item, k key) {
	c.markDown(it, k)
	account := Scope{ScopeAccount, it.Account}
	switch it.Class {
	case OwnersOwn:
		c.add(account, dimOwner, k, WeightFull)
		if it.Weight > 0 {
			c.add(Global, dimOwner, k, int64(it.Weight))
		}
	case AtRest:
		c.add(account, dimOnDemand, k, WeightFull)
		c.add(Global, dimOnDemand, k, WeightFull)
	case Approved:
		if g := c.m.grants[c.r.Approval]; g != nil && g.left[k] {
			delete(g.left, k)
			g.count--
		}
	case InEmergency:
		c.add(Global, dimEmergency, k, WeightFull)
	default:
		c.counted(it, k)
		return
	}
	if c.r.WhileOpen && it.Class != InEmergency {
		c.add(account, dimAllowance, k, WeightFull)
	}
	c.perNeighbor(it, dimExcused, k)
}

// counted charges a loss that counts against the limits of everybody.
func (c *charging) counted(it *Item, k key) {
	w := int64(it.Weight)
	c.add(Global, dimLoss, k, w)
	c.add(c.r.Actor.Scope(), dimLoss, k, w)
	c.add(Scope{ScopeAccount, it.Account}, dimLoss, k, w)
	for _, s := range it.Services {
		c.add(Scope{ScopeService, s}, dimLoss, k, w)
	}
	for _, n := range it.Neighbors {
		c.add(Scope{ScopeNeighbor, n}, dimLoss, k, w)
	}
	c.perNeighbor(it, dimState, k)
	c.add(c.r.Actor.Scope(), dimAccounts, nameKey(c.account), WeightFull) // last: another key
}

// ops counts destructive operations and the accounts they touch, per actor.
func (c *charging) ops(it *Item, k key, w int64) {
	actor := c.r.Actor.Scope()
	c.add(actor, dimLoss, k, w)
	c.add(actor, dimAccounts, nameKey(c.account), WeightFull)
}

func (c *charging) binding(it *Item, k key) {
	for _, s := range it.Services {
		k := k.under(s)
		c.add(Global, dimBindings, k, WeightFull)
		if c.r.Actor.Kind != Owner {
			c.ops(it, k, WeightFull)
		}
	}
}

// perNeighbor charges the neighbors that lose the prefix, or all in one.
func (c *charging) perNeighbor(it *Item, d dim, k key) {
	if len(it.Neighbors) == 0 {
		c.add(Global, d, k, WeightFull)
	}
	for _, n := range it.Neighbors {
		c.add(Scope{ScopeNeighbor, n}, d, k, WeightFull)
	}
}

func (c *charging) markDown(it *Item, k key) {
	prev, had := c.m.down[k]
	seq := uint32(c.r.Seq)
	c.m.down[k] = downed{it.Class, c.r.WhileOpen, seq, c.actor, c.account}
	if c.p != nil {
		c.p.downs = append(c.p.downs, undoDown{k, prev, had})
	}
}

func (c *charging) add(s Scope, d dim, k key, w int64) {
	var sh *shelf
	switch s.Kind {
	case ScopeActor:
		sh = c.m.numbered(&c.m.actors, c.actor, s) // the record's own
	case ScopeAccount:
		sh = c.m.numbered(&c.m.accounts, c.account, s) // the item's own
	default:
		sh = c.m.shelf(s)
	}
	l := c.m.pick(sh, s, d)
	if len(l.rings) == 0 {
		return
	}
	if !historic(s) {
		l.observe(c.m.denominators(s, d, &c.r.Base))
	}
	l.charge(k, mark{at: c.m.now, weight: w, actor: c.actor, account: c.account, seq: uint32(c.r.Seq)})
	if c.p != nil && (d == dimAccounts || d == dimBindings || d == dimModifies) {
		c.p.others = append(c.p.others, k)
	}
}

// denominators are what a ledger's shares are of: a count and address space.
func (m *Model) denominators(s Scope, d dim, b *Baseline) (count, space pair) {
	switch {
	case d == dimAccounts:
		return pair{0, int64(b.accounts())}, pair{}
	case d == dimBindings:
		return pair{0, int64(b.bindings())}, pair{}
	case d == dimOwner && s.Kind == ScopeGlobal:
		return toPair(b.Customer), pair{}
	}
	switch s.Kind {
	case ScopeAccount:
		return toPair(b.account(s.Key)), pair{}
	case ScopeService:
		return toPair(b.service(s.Key)), pair{}
	case ScopeNeighbor:
		return toPair(b.neighbor(s.Key)), pair{}
	}
	return toPair(b.Customer), toPair(b.Space)
}

func (m *Model) applyRelease(id string) {
	p := m.pending[id]
	if p == nil {
		return
	}
	for _, k := range p.others {
		m.book.uncharge(k, p.seq, m.now)
	}
	for i := len(p.downs) - 1; i >= 0; i-- {
		u := p.downs[i]
		m.book.uncharge(u.k, p.seq, m.now)
		if m.down[u.k].seq != p.seq {
			continue
		}
		if u.had {
			m.down[u.k] = u.prev
		} else {
			delete(m.down, u.k)
		}
	}
	delete(m.pending, id)
}

// sweepPending drops what can no longer be released, now and then.
func (m *Model) sweepPending() {
	if m.now-m.swept < hour.Milliseconds()/4 {
		return
	}
	m.swept = m.now
	for id, p := range m.pending {
		if m.now-p.at > hour.Milliseconds() {
			delete(m.pending, id)
		}
	}
}

// gain takes a prefix that is desired again out of the windows that are net of
// restores, and its loss is no longer explained.
func (m *Model) gain(k key) {
	if _, ok := m.down[k]; !ok {
		return // never lost, or gained already: a first load costs one look-up
	}
	delete(m.down, k)
	m.regained.add(k, m.now)
	m.book.restore(k, m.now)
}

func (m *Model) applyTrip(r *Record) {
	old := m.stored(r.Scope)
	st := scopeState{state: r.To, tripID: r.ID, rule: r.Rule, reason: r.Reason, since: r.At, retrips: old.retrips}
	if r.From > 0 { // compacted
		st.since, st.retrips = r.From, int(r.Number)
	} else if old.state == Recovering {
		st.retrips++
	}
	if old.state == Open && r.To == Locked {
		st.under = &old
	}
	m.scopes[r.Scope] = st
	if r.From == 0 {
		m.trips++
	}
}

// applyReset lets a scope recover. What its windows hold has been acknowledged
// by a person; the reduced budgets count from here.
//
// Taking a lock off gives back what was under it: a freeze resets no trip.
func (m *Model) applyReset(r *Record) {
	delete(m.asks, r.Scope)
	st := m.scopes[r.Scope]
	if st.state == Locked && r.From == 0 {
		delete(m.scopes, r.Scope)
		if st.under != nil {
			m.scopes[r.Scope] = *st.under
		}
		return
	}
	st.state, st.tripID, st.since, st.until, st.reason = Recovering, r.ID, r.At, r.Until, r.Reason
	if r.From > 0 { // compacted
		st.since, st.retrips, st.rule = r.From, int(r.Number), r.Rule
		m.scopes[r.Scope] = st
		return
	}
	m.scopes[r.Scope] = st
	for d, l := range m.shelf(r.Scope) {
		if d := dim(d); l != nil && d != dimEmergency && d != dimAllowance && d != dimExcused {
			l.advance(m.now)
			l.forget()
		}
	}
	delete(m.oversized, r.Scope)
	for name, p := range m.peaks {
		if r.Scope == Global || r.Scope == (Scope{ScopeNeighbor, name}) {
			p.forget()
		}
	}
}

func (m *Model) applyApprove(r *Record) {
	g := &grant{left: make(map[key]bool, len(r.Items)), count: int(r.Number), from: r.From, until: r.Until}
	for i := range r.Items {
		g.left[prefixKey(r.Items[i].Prefix)] = true
	}
	m.grants[r.ID] = g
}

// applyMarks loads one compacted ledger.
func (m *Model) applyMarks(r *Record) {
	l := m.ledger(r.Scope, dim(r.Number))
	for i := range r.Items {
		it := &r.Items[i]
		s := it.mark
		if len(it.Services) == 1 {
			s.mark.actor = m.name(it.Services[0])
		}
		s.mark.account = m.name(it.Account)
		k := s.key
		if dim(r.Number) == dimAccounts {
			k = nameKey(s.mark.account)
		}
		l.load(k, s.mark)
	}
	l.rebase(r.runs)
}
