package breaker

import (
	"fmt"
	"slices"
	"time"
)

// dim is what a ledger of a scope counts.
type dim uint8

// Dimensions. Numbers are on disk: append, never renumber.
const (
	dimLoss      dim = 1
	dimOwner     dim = 2 // global: owners' own, long windows; account: the free budget
	dimAccounts  dim = 3 // distinct accounts
	dimBindings  dim = 4
	dimModifies  dim = 5
	dimOnDemand  dim = 6
	dimEmergency dim = 7
	dimAllowance dim = 8 // owners' withdrawals while the global scope is open
	dimExcused   dim = 9 // lowers the trailing maximum of the state floor
	dimState     dim = 10
	dimLast          = dimState
)

type ledgerID struct {
	scope Scope
	dim   dim
}

// scopeState is one scope that is not closed.
type scopeState struct {
	state   State
	tripID  string
	rule    string
	reason  string
	since   int64
	until   int64 // of Recovering
	retrips int
	under   *scopeState // the open trip that a lock was put on
}

// downed is a prefix that is down by an admitted loss.
type downed struct {
	class     Class
	whileOpen bool
	seq       uint32
	actor     uint32
	account   uint32
}

// pending is an admitted proposal that may still be released.
type pending struct {
	at     int64
	seq    uint32 // of its record
	downs  []undoDown
	others []key // that are charged and not down
}

type undoDown struct {
	k    key
	prev downed
	had  bool
}

// Model is the whole state of the breaker. It reads no clock and no file: Step
// decides on an event and gives the records that must be on disk before the
// decision may take effect; Replay applies such records again. The zero Model
// refuses everything.
type Model struct {
	limits    Limits
	ready     bool
	now       int64 // ms, the largest time seen
	seq       uint64
	trips     int64
	scopes    map[Scope]scopeState
	book      *book
	ledgers   map[Scope]*shelf
	global    *shelf   // of ledgers, which everything needs
	actors    []*shelf // of ledgers by the number of the name, which charges need
	accounts  []*shelf
	history   history
	asked     int64 // when a change or plan was last decided on
	peaks     map[string]*peak
	down      map[key]downed
	regained  regained
	switches  map[string]turned
	asks      map[Scope]asked
	pending   map[string]*pending
	swept     int64
	grants    map[string]*grant
	oversized map[Scope]int64
	names     []string
	ids       map[string]uint32
	out       []Record
	reading   *reading // while a journal is replayed
}

// NewModel is a closed breaker without history.
func NewModel(l Limits) *Model {
	return &Model{
		limits:    l,
		ready:     true,
		scopes:    map[Scope]scopeState{},
		book:      newBook(),
		ledgers:   map[Scope]*shelf{},
		peaks:     map[string]*peak{},
		down:      map[key]downed{},
		pending:   map[string]*pending{},
		grants:    map[string]*grant{},
		regained:  regained{},
		switches:  map[string]turned{},
		asks:      map[Scope]asked{},
		oversized: map[Scope]int64{},
		ids:       map[string]uint32{},
	}
}

// clock moves the model's time forward. A clock that jumps back refreshes no
// budget: time stands until it is caught up with.
func (m *Model) clock(at time.Time) { m.tick(at.UnixMilli()) }

func (m *Model) tick(at int64) { m.now = max(m.now, at) }

// name interns a name, so that marks hold no pointers.
func (m *Model) name(s string) uint32 {
	if id, ok := m.ids[s]; ok {
		return id
	}
	id := uint32(len(m.names))
	m.names = append(m.names, s)
	m.ids[s] = id
	return id
}

// shelf holds the ledgers of one scope.
type shelf [dimLast + 1]*ledger

func (m *Model) shelf(s Scope) *shelf {
	if s.Kind == ScopeGlobal && m.global != nil {
		return m.global
	}
	sh := m.ledgers[s]
	if sh == nil {
		sh = &shelf{}
		m.ledgers[s] = sh
	}
	if s.Kind == ScopeGlobal {
		m.global = sh
	}
	return sh
}

// numbered is shelf by the number of the scope's name, for actors and accounts.
func (m *Model) numbered(list *[]*shelf, id uint32, s Scope) *shelf {
	for int(id) >= len(*list) {
		*list = append(*list, nil)
	}
	if (*list)[id] == nil {
		(*list)[id] = m.shelf(s)
	}
	return (*list)[id]
}

// ledger returns the ledger of a scope and dimension, moved to now.
func (m *Model) ledger(s Scope, d dim) *ledger { return m.pick(m.shelf(s), s, d) }

func (m *Model) pick(sh *shelf, s Scope, d dim) *ledger {
	l := sh[d]
	if l == nil {
		l = m.open(ledgerID{s, d})
		sh[d] = l
	}
	l.advance(m.now)
	return l
}

// open makes an empty ledger with the windows of its scope and dimension.
func (m *Model) open(id ledgerID) *ledger { return newLedger(m.book, m.rungs(id)) }

// rungs are the windows of a scope and dimension.
func (m *Model) rungs(id ledgerID) []Rung {
	lim := &m.limits
	switch id.dim {
	case dimLoss:
		if id.scope.Kind == ScopeActor {
			return slices.Concat(lim.Actor, lim.ops())
		}
		return map[ScopeKind][]Rung{ScopeGlobal: lim.Ladder, ScopeAccount: lim.Account,
			ScopeService: lim.Service, ScopeNeighbor: lim.Neighbor}[id.scope.Kind]
	case dimAccounts:
		return lim.Accounts
	case dimOwner:
		if id.scope.Kind == ScopeAccount {
			// The second window says how much of the global ones is this owner's.
			return slices.Concat(lim.Owner, lim.longRungs())
		}
		return lim.longRungs()
	case dimBindings:
		return lim.Bindings
	case dimModifies:
		return lim.Modifies
	case dimOnDemand:
		rungs := slices.Clone(lim.OnDemand)
		if id.scope.Kind == ScopeGlobal {
			for i := range rungs {
				rungs[i].Total *= max(1, lim.OnDemandGlobal)
			}
		}
		return rungs
	case dimEmergency:
		return []Rung{{Name: "breaker.emergency", Span: hour, Total: lim.EmergencyHour, Unit: Routes}}
	case dimAllowance:
		return []Rung{{Name: "breaker.allowance", Span: hour, Total: lim.OwnerWhileOpen, Unit: Routes}}
	case dimExcused, dimState:
		return []Rung{{Name: "breaker.W6", Span: hour, Net: true, Unit: Routes}}
	}
	return nil
}

// ops are the limits of W1, which count operations, whatever they weigh.
func (l *Limits) ops() []Rung {
	rungs := slices.Clone(l.Ops)
	for i := range rungs {
		rungs[i].Unit = Routes
	}
	return rungs
}

func named(rungs []Rung, name string) bool {
	return slices.ContainsFunc(rungs, func(r Rung) bool { return r.Name == name })
}

// longRungs are the global windows that owners' own withdrawals count in.
func (l *Limits) longRungs() []Rung {
	var long []Rung
	for _, r := range l.Ladder {
		if r.Unit == Prefixes && l.LongWindow > 0 && r.Span >= l.LongWindow {
			long = append(long, r)
		}
	}
	return long
}

// state is the state of one scope now. Recovery ends with its time, and a freeze
// of the calendar locks everything while it lasts.
func (m *Model) state(s Scope) scopeState {
	st := m.stored(s)
	if s.Kind != ScopeGlobal || st.state == Locked {
		return st
	}
	for _, f := range m.limits.Freezes {
		if from, until := f.From.UnixMilli(), f.Until.UnixMilli(); m.now >= from && m.now < until {
			return scopeState{state: Locked, tripID: st.tripID, rule: "breaker.calendar", reason: "frozen until " + stamp(until) + ": " + f.Reason, since: from}
		}
	}
	return st
}

// quiet reports that nothing is open, locked or recovering.
func (m *Model) quiet() bool { return len(m.scopes) == 0 && m.state(Global).state == Closed }

// stored is the state without the calendar.
func (m *Model) stored(s Scope) scopeState {
	if !m.ready {
		return scopeState{state: Open, rule: "breaker.uninitialised", reason: "the breaker has no state: it holds"}
	}
	st, ok := m.scopes[s]
	if !ok || st.state == Recovering && m.now >= st.until {
		return scopeState{state: Closed}
	}
	return st
}

// Status lists the scopes that are not closed, strictest first, and always the
// global one.
func (m *Model) Status() []ScopeStatus {
	list := []ScopeStatus{m.status(Global)}
	for s := range m.scopes {
		if s != Global && m.state(s).state != Closed {
			list = append(list, m.status(s))
		}
	}
	slices.SortFunc(list, func(a, b ScopeStatus) int {
		if d := b.State.strictness() - a.State.strictness(); d != 0 {
			return d
		}
		if (a.Scope == Global) != (b.Scope == Global) {
			return map[bool]int{true: -1, false: 1}[a.Scope == Global]
		}
		return compareScopes(a.Scope, b.Scope)
	})
	return list
}

func compareScopes(a, b Scope) int {
	if a.Kind != b.Kind {
		return map[bool]int{true: -1, false: 1}[a.Kind < b.Kind]
	}
	return map[bool]int{true: -1, false: 1}[a.Key < b.Key]
}

func (m *Model) status(s Scope) ScopeStatus {
	st := m.state(s)
	out := ScopeStatus{Scope: s, State: st.state, TripID: st.tripID, Reason: st.reason}
	if st.since > 0 {
		out.Since = time.UnixMilli(st.since).UTC()
	}
	return out
}

// emit applies a record and hands it on to be made durable.
func (m *Model) emit(r Record) {
	m.seq++
	r.Seq, r.At = m.seq, m.now
	m.apply(&r)
	m.out = append(m.out, r)
}

// trip opens or locks a scope. A scope that is already as strict keeps its trip.
func (m *Model) trip(s Scope, to State, rule, reason string, by Actor) string {
	if st := m.stored(s); st.state != Closed && st.state != Recovering && !to.Stricter(st.state) {
		return st.tripID
	}
	m.emit(Record{Kind: RecordTrip, ID: fmt.Sprintf("trip-%d", m.trips+1), Scope: s, To: to, Rule: rule, Reason: reason, Actor: by})
	return m.scopes[s].tripID
}
