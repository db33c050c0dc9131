package breaker

import "sort"

// point is what was advertised from a time on.
type point struct {
	at       int64
	customer pair
	space    pair
	bindings int64
	accounts int64
}

func (p point) baseline() Baseline {
	return Baseline{Customer: fromPair(p.customer), Space: fromPair(p.space),
		Bindings: int(p.bindings), accountCount: int(p.accounts)}
}

func toPair(c Count) pair   { return pair{int64(c.IPv4), int64(c.IPv6)} }
func fromPair(p pair) Count { return Count{IPv4: int(p[0]), IPv6: int(p[1])} }

// history is what was advertised over the longest window, oldest first: the
// denominators of the global and the actors' windows, frozen at their start.
type history []point

const (
	historyGrain = 5_000 // ms; of several changes within, the last one counts
	historySpan  = 31 * 24 * 3_600_000
)

func (h *history) add(p point) {
	list := *h
	if n := len(list); n > 0 && p.at/historyGrain <= list[n-1].at/historyGrain {
		p.at = list[n-1].at
		list[n-1] = p
		return
	}
	list = append(list, p)
	// Drop what is older than any window, half of the list at a time.
	if n := len(list) / 2; n > 1000 && list[n].at < p.at-historySpan {
		list = append(history(nil), list[n:]...)
	}
	*h = list
}

// at returns what was advertised at a time. Before the first load nothing is
// known.
func (h history) at(t int64) (point, bool) {
	i := sort.Search(len(h), func(i int) bool { return h[i].at > t })
	if i == 0 {
		return point{}, false
	}
	return h[i-1], true
}

// advertised notes a change of what is advertised. Such a change came with the
// plan decided on before, so it counts from then. Nothing advertised is nothing
// known: a first load begins there.
func (m *Model) advertised(b *Baseline) {
	since := m.asked
	if since == 0 {
		since = m.now
	}
	m.asked = m.now
	if !m.ready || b.Customer.Total() <= 0 {
		return
	}
	p := point{customer: toPair(b.Customer), space: toPair(b.Space), bindings: int64(b.bindings()), accounts: int64(b.accounts())}
	if n := len(m.history); n > 0 {
		last := m.history[n-1]
		if last.at = 0; last == p {
			return
		}
	}
	m.emit(Record{Kind: RecordBase, From: since, Base: p.baseline()})
}

// historic reports whether a scope's shares are of everything advertised.
func historic(s Scope) bool { return s.Kind == ScopeGlobal || s.Kind == ScopeActor }

// frozen is the denominator of a window: what was advertised when it began. A
// window that began before anything was known is judged on the more of the
// first that is known and of now, because a first load is no growth.
func (m *Model) frozen(s Scope, d dim, w *ring, current pair) pair {
	if !historic(s) {
		return w.frozen(current)
	}
	of := func(p point) pair {
		switch {
		case d == dimAccounts:
			return pair{0, p.accounts}
		case d == dimBindings:
			return pair{0, p.bindings}
		case w.rung.Unit == Space:
			return p.space
		}
		return p.customer
	}
	if p, ok := m.history.at(w.since()); ok {
		return of(p)
	}
	if len(m.history) == 0 {
		return current
	}
	first := of(m.history[0])
	return pair{max(first[0], current[0]), max(first[1], current[1])}
}
