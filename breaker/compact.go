package breaker

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A journal is compacted when it has grown to compactFactor times what it was,
// and is at least compactMin bytes long.
const (
	compactFactor = 4
	compactMin    = 8 << 20
)

// compact rewrites a journal that has grown too long as the state it leads to.
func (b *Breaker) compact() error {
	if b.j.length < b.compactAt || b.j.length < compactFactor*b.j.base {
		return nil
	}
	old := b.j
	path := filepath.Join(b.dir, journalName)
	// The history is for simulations alone: without it the compaction goes on.
	if err := os.Remove(filepath.Join(b.dir, previousName)); err == nil || errors.Is(err, os.ErrNotExist) {
		_ = os.Link(path, filepath.Join(b.dir, previousName))
	}
	j, err := createJournal(b.dir, b.m.Compacted())
	if err != nil {
		// The old journal is whole: go on with it, and try again later.
		old.base = old.length
		return nil
	}
	b.j = j
	_ = old.f.Close() // replaced: nothing in it is needed any more
	return nil
}

// Compacted is the state as records: replaying them gives the same state.
// Proposals that could still be released are no longer: their charges stay.
func (m *Model) Compacted() []Record {
	out := []Record{{Kind: RecordStart, Number: m.trips}}
	ledgers := m.compactLedgers()
	for _, id := range slices.SortedFunc(maps.Keys(ledgers), compareLedgers) {
		out = append(out, *ledgers[id])
	}
	out = append(out, m.compactDown()...)
	for _, p := range m.history {
		out = append(out, Record{Kind: RecordBase, From: p.at, Base: p.baseline()})
	}
	for _, name := range sortedKeys(m.peaks) {
		out = append(out, m.peaks[name].records(name)...)
	}
	for _, id := range sortedKeys(m.grants) {
		g := m.grants[id]
		r := Record{Kind: RecordApprove, ID: id, Number: int64(g.count), From: g.from, Until: g.until}
		for k := range g.left {
			r.Items = append(r.Items, Item{Prefix: k.prefix()})
		}
		if m.now <= g.until && g.count > 0 {
			out = append(out, r)
		}
	}
	for _, name := range sortedKeys(m.switches) {
		t := m.switches[name]
		out = append(out, Record{Kind: RecordSwitch, ID: name, Number: int64(flag(t.off)), Reason: t.reason, Actor: Actor{Key: t.by}, From: max(1, t.at)})
	}
	for _, s := range slices.SortedFunc(maps.Keys(m.oversized), compareScopesInt) {
		out = append(out, Record{Kind: RecordOversize, Scope: s, At: m.oversized[s]})
	}
	for _, s := range slices.SortedFunc(maps.Keys(m.scopes), compareScopesInt) {
		st := m.stored(s)
		if st.under != nil {
			out = append(out, st.under.record(s))
		}
		if st.state != Closed {
			out = append(out, st.record(s))
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(m.asks), compareScopesInt) {
		a := m.asks[s]
		out = append(out, Record{Kind: RecordAsk, ID: a.tripID, Scope: s, Actor: Actor{Key: a.by}, Reason: a.reason, From: max(1, a.at)})
	}
	for i := range out {
		out[i].Seq = m.seq
		if out[i].At == 0 {
			out[i].At = m.now
		}
	}
	// Replaying may not move time before the older records have been applied.
	slices.SortStableFunc(out[1:], func(a, b Record) int { return cmp.Compare(a.At, b.At) })
	out[0].At = out[min(1, len(out)-1)].At
	return out
}

func (st *scopeState) record(s Scope) Record {
	r := Record{Kind: RecordTrip, ID: st.tripID, Scope: s, To: st.state, Rule: st.rule, Reason: st.reason,
		From: max(1, st.since), Until: st.until, Number: int64(st.retrips)}
	if st.state == Recovering {
		r.Kind = RecordReset
	}
	return r
}

func compareScopesInt(a, b Scope) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

func compareLedgers(a, b ledgerID) int {
	return cmp.Or(compareScopesInt(a.scope, b.scope), cmp.Compare(a.dim, b.dim))
}

// compactLedgers makes one record of each ledger that holds anything.
func (m *Model) compactLedgers() map[ledgerID]*Record {
	out := map[ledgerID]*Record{}
	of := map[uint32]*Record{}
	for s, sh := range m.ledgers {
		for d, l := range sh {
			if l == nil {
				continue
			}
			l.advance(m.now)
			of[l.id] = &Record{Kind: RecordMark, Scope: s, Number: int64(d), runs: l.runs()}
			out[ledgerID{s, dim(d)}] = of[l.id]
		}
	}
	for k, p := range m.book.pages {
		for i := range p.marks {
			id := p.marks[i].ledger
			if mk, ok := m.book.ledgers[id].known(k); ok {
				of[id].Items = append(of[id].Items, m.compactMark(dim(of[id].Number), k, mk))
			}
		}
	}
	for id, r := range out {
		slices.SortFunc(r.Items, func(a, b Item) int {
			return cmp.Or(compareKeys(a.mark.key, b.mark.key), cmp.Compare(a.Account, b.Account))
		})
		if len(r.Items)+len(r.runs) == 0 {
			delete(out, id)
		}
	}
	return out
}

func (m *Model) compactMark(d dim, k key, mk mark) Item {
	it := Item{Account: m.names[mk.account], Services: []string{m.names[mk.actor]}}
	mk.actor, mk.account = 0, 0 // numbers of this process; the names are kept
	if d == dimAccounts {
		k = key{}
	}
	it.mark = stored{k, mk}
	return it
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.meta, b.meta), cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo))
}

// compactDown groups what is down by who took it down.
func (m *Model) compactDown() []Record {
	type group struct {
		actor     uint32
		whileOpen bool
	}
	by := map[group]*Record{}
	for k, d := range m.down {
		g := group{d.actor, d.whileOpen}
		r := by[g]
		if r == nil {
			r = &Record{Kind: RecordDown, Actor: Actor{Key: m.names[d.actor]}, WhileOpen: d.whileOpen}
			by[g] = r
		}
		r.Items = append(r.Items, Item{Prefix: k.prefix(), Account: m.names[d.account], Class: d.class})
	}
	var out []Record
	for _, r := range by {
		slices.SortFunc(r.Items, func(a, b Item) int { return compareKeys(prefixKey(a.Prefix), prefixKey(b.Prefix)) })
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Actor.Key, b.Actor.Key), cmp.Compare(flag(a.WhileOpen), flag(b.WhileOpen)))
	})
	return out
}

// records are the maxima that are still in the window, one record a minute.
func (p *peak) records(name string) []Record {
	var out []Record
	for b := max(0, p.head-buckets); b <= p.head; b++ {
		for side, f := range sides {
			if n := p.max[slot(b)][side]; n > 0 {
				out = append(out, Record{Kind: RecordPeak, Scope: Scope{ScopeNeighbor, name}, Until: b * peakWidth, From: int64(f), Number: n})
			}
		}
	}
	return out
}
