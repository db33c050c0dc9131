package breaker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Amended gives the breaker other limits while it is at work. Who must agree,
// and the budgets of a recovery, are the Policy's and stay as they are.
type Amended struct {
	Limits    Limits
	Reason    string
	By        Actor
	Approvers []string // enrolled identities, none of them whoever asks
	At        time.Time
}

func (e Amended) step(m *Model) (Decision, error) {
	m.clock(e.At)
	if !m.ready {
		return Decision{}, errUninitialised
	}
	was, l := m.limits, e.Limits
	l.Switches = was.Switches
	l.ApproveBelow, l.Approvals, l.ResetApprovals, l.SingleDelay, l.Recovering = was.ApproveBelow, was.Approvals, was.ResetApprovals, was.SingleDelay, was.Recovering
	if err := l.Validate(); err != nil {
		return Decision{}, err
	}
	// A freeze that is over holds nothing back.
	was.Freezes = slices.DeleteFunc(slices.Clone(was.Freezes), func(f Freeze) bool { return f.Until.UnixMilli() <= m.now })
	looser := l.Loosens(was)
	switch {
	case strings.TrimSpace(e.Reason) == "" || e.By.Key == "":
		return Decision{}, fmt.Errorf("breaker: limits: reason and actor: missing, say who changes them and why")
	case len(looser) == 0:
	case e.By.Kind != Operator:
		return Decision{}, fmt.Errorf("breaker: limits: actor %q: only operators loosen limits: %s", e.By.Key, strings.Join(looser, "; "))
	case distinctBut(e.Approvers, e.By.Key) < was.Approvals && was.SingleDelay <= 0:
		return Decision{}, fmt.Errorf("breaker: limits: approvers: loosening needs %d other persons: %s", was.Approvals, strings.Join(looser, "; "))
	}
	m.emit(Record{Kind: RecordAmend, Reason: e.Reason, Actor: e.By, Names: append(slices.Clone(looser), e.Approvers...), Number: int64(len(looser))})
	m.limits = l
	m.refit()
	return Decision{Verdict: Allow, State: m.state(Global).state}, nil
}

// refit gives every ledger the windows of the limits, with what is known of
// them: a window that stays keeps what it holds, a new one counts the marks
// that an older window still knew.
func (m *Model) refit() {
	was := make([][]*ring, len(m.book.ledgers))
	for s, sh := range m.ledgers {
		for d, l := range sh {
			if l == nil {
				continue
			}
			l.advance(m.now)
			was[l.id] = l.rings
			l.rings, l.next = newRings(m.rungs(ledgerID{s, dim(d)})), 0
			l.advance(m.now)
		}
	}
	for k, p := range m.book.pages {
		for i := range p.marks {
			e := &p.marks[i]
			if l := m.book.ledgers[e.ledger]; known(was[e.ledger], e.at) {
				l.count(k, e.mark)
			}
		}
	}
	for id, l := range m.book.ledgers {
		for _, w := range l.rings {
			w.inherit(was[id])
		}
	}
}

func known(rings []*ring, at int64) bool {
	return slices.ContainsFunc(rings, func(w *ring) bool { return w.holds(at) })
}

// inherit takes over the denominators of the window that had the same buckets,
// else the oldest one that any of the others knew.
func (w *ring) inherit(was []*ring) {
	for _, o := range was {
		if o.width == w.width && (o.rung.Unit == Space) == (w.rung.Unit == Space) {
			w.base = o.base
			return
		}
	}
	for _, o := range was {
		if (o.rung.Unit == Space) != (w.rung.Unit == Space) {
			continue
		}
		if f := o.frozen(pair{}); f.total() > 0 {
			w.base[slot(w.head)] = f
			return
		}
	}
}

// SetLimits makes the breaker go by other limits from now on, without a
// restart. What the windows hold still counts. What loosens a limit is refused
// unless an operator asks and as many others agreed as an approval needs; where
// one person alone may after a delay, whoever calls this has waited for it. It
// is written to the journal. The limits themselves are the caller's to keep: a
// start is told them again.
func (b *Breaker) SetLimits(l Limits, reason string, by Actor, at time.Time, approvers ...string) error {
	return b.do(func(at time.Time) Event { return Amended{l, reason, by, approvers, at} }, at)
}
