package breaker

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// breach is one limit that a change would exceed.
type breach struct {
	scope Scope
	ring  *ring
	l     *ledger
	also  *ledger // counts in the same windows
	used  int64   // thousandths
	asked int64
	limit int64
	alone bool // the change exceeds it by its own size
}

// entry is one key a change would charge.
type entry struct {
	k       key
	weight  int64
	account string
}

// limit is what a window may hold, in thousandths: per family and in all.
// A negative limit is none.
func (r *Rung) limit(den pair, factor int) (sides pair, total int64) {
	of := func(floor int, n int64) int64 {
		whole := max(int64(floor), n*int64(r.Share)/1000) * int64(factor) / 1000
		return max(1, whole) * WeightFull
	}
	sides, total = pair{-1, -1}, -1
	if r.Floor > 0 {
		sides = pair{of(r.Floor, den[0]), of(r.Floor, den[1])}
	}
	if r.Unit != Space {
		total = of(r.Total, den.total())
	}
	return sides, total
}

// check lists the limits of one ledger that the entries would exceed, those in
// shadow among them. also holds more of what the same windows hold elsewhere.
func (m *Model) check(s Scope, d dim, es []entry, b *Baseline, also *ledger) []breach {
	l := m.ledger(s, d)
	if len(es) == 0 || len(l.rings) == 0 {
		return nil
	}
	count, space := m.denominators(s, d, b)
	sums := make([]pair, len(l.rings))
	for i := range es {
		l.asks(es[i].k, es[i].weight, sums)
	}
	var out []breach
	for i, w := range l.rings {
		den := count
		if w.rung.Unit == Space {
			den = space
		}
		used := w.sum.plus(also.sameWindow(w.rung.Name))
		if br, ok := w.exceeded(used, sums[i], m.frozen(s, d, w, den), m.factor(s)); ok && !m.tooFew(w, count) {
			br.scope, br.l, br.also = s, l, also
			out = append(out, br)
		}
	}
	return out
}

// sameWindow is what another ledger holds in the window of that name.
func (l *ledger) sameWindow(name string) pair {
	if l == nil {
		return pair{}
	}
	for _, w := range l.rings {
		if w.rung.Name == name {
			return w.sum
		}
	}
	return pair{}
}

// tooFew reports that shares of address space mean nothing yet.
func (m *Model) tooFew(w *ring, count pair) bool {
	return w.rung.Unit == Space && count.total() < int64(m.limits.SpaceFrom)
}

// factor is the part of its budgets that a scope has now, in thousandths.
func (m *Model) factor(s Scope) int {
	if m.state(s).state == Recovering {
		return m.limits.Recovering
	}
	return 1000
}

func (w *ring) exceeded(used, asked, den pair, factor int) (breach, bool) {
	sides, total := w.rung.limit(den, factor)
	for side, limit := range sides {
		if limit >= 0 && asked[side] > 0 && used[side]+asked[side] > limit {
			return breach{ring: w, used: used[side], asked: asked[side], limit: limit, alone: asked[side] > limit}, true
		}
	}
	if total >= 0 && asked.total() > 0 && used.total()+asked.total() > total {
		return breach{ring: w, used: used.total(), asked: asked.total(), limit: total, alone: asked.total() > total}, true
	}
	return breach{}, false
}

// whole is a number of thousandths as a whole number, rounded up.
func whole(n int64) int { return int((n + WeightFull - 1) / WeightFull) }

func (u Unit) String() string {
	switch u {
	case Routes:
		return "routes"
	case Space:
		return "/24s or /48s"
	}
	return "prefixes"
}

// why says in words what a limit holds.
func (b *breach) why() string {
	return fmt.Sprintf("%d %s are charged to %s in %s, the change adds %d, the limit is %d",
		whole(b.used), b.ring.rung.Unit, b.scope, span(b.ring.rung.Span), whole(b.asked), whole(b.limit))
}

// span prints a window without zero parts: 5m, 24h, 7d.
func span(d time.Duration) string {
	switch {
	case d >= 2*day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%hour == 0:
		return fmt.Sprintf("%dh", d/hour)
	case d%minute == 0:
		return fmt.Sprintf("%dm", d/minute)
	}
	return d.String()
}

func (b *breach) finding(shadow bool) Finding {
	return Finding{
		Rule: b.ring.rung.Name, Scope: b.scope, Why: b.why(), Shadow: shadow,
		Used: whole(b.used), Asked: whole(b.asked), Limit: whole(b.limit),
	}
}

// explain finds the smallest scope that the losses of a window come from: the
// actor of more than half of them, else their account, else everybody.
func (m *Model) explain(b *breach, actor Actor, es []entry) Scope {
	if b.scope != Global || m.state(Global).state == Recovering {
		return b.scope
	}
	sh := b.l.shares(b.ring)
	if b.also != nil {
		for _, w := range b.also.rings {
			if w.rung.Name == b.ring.rung.Name {
				sh.plus(b.also.shares(w))
			}
		}
	}
	sums := make([]pair, len(b.l.rings))
	for i := range es {
		for j := range sums {
			sums[j] = pair{}
		}
		b.l.asks(es[i].k, es[i].weight, sums)
		for j, w := range b.l.rings {
			if w == b.ring {
				sh.actor[m.name(actor.Key)] += sums[j].total()
				sh.account[m.name(es[i].account)] += sums[j].total()
			}
		}
	}
	if id, ok := majority(sh.actor); ok {
		return Scope{ScopeActor, m.names[id]}
	}
	if id, ok := majority(sh.account); ok {
		return Scope{ScopeAccount, m.names[id]}
	}
	return Global
}

func majority(of map[uint32]int64) (uint32, bool) {
	var all, best int64
	var who uint32
	for id, n := range of {
		all += n
		if n > best {
			who, best = id, n
		}
	}
	return who, 2*best > all
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
