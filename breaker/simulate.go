package breaker

import (
	"slices"
	"time"
)

// SimulatedTrip is a trip that proposed limits would have caused in the past.
type SimulatedTrip struct {
	At       time.Time `json:"at"`
	Scope    Scope     `json:"scope"`
	Rule     string    `json:"rule"`
	Why      string    `json:"why"`
	ChangeID string    `json:"change_id"`
	Before   int       `json:"losses_before"` // of the same scope's actor or account in the day before, or of all
	False    bool      `json:"false_trip"`    // nothing really opened within a day after
}

// Simulation is what proposed limits would have done.
type Simulation struct {
	Changes int             `json:"changes"`
	Losses  int             `json:"losses"`
	Refused int             `json:"refused"`
	Trips   []SimulatedTrip `json:"trips"`
	False   int             `json:"false_trips"`
}

// Simulate replays past changes, as the journal has them, against proposed
// limits. A scope that trips stays open for a day and is then reset, so that
// one trip neither hides the next nor is counted with every change after it.
// What would have been refused is taken not to have happened.
func Simulate(l Limits, past []Record) (Simulation, error) {
	if err := l.Validate(); err != nil {
		return Simulation{}, err
	}
	m := NewModel(l)
	var out Simulation
	real := realTrips(past)
	lost := map[Scope][]int64{}
	for i := range past {
		r := &past[i]
		if r.Kind != RecordCharge {
			if r.Kind == RecordGain || r.Kind == RecordBase || r.Kind == RecordPeak || r.Kind == RecordApprove || r.Kind == RecordRelease {
				m.Replay(r)
			}
			continue
		}
		m.tick(r.At)
		m.forgetTrips()
		p := proposalOf(r)
		out.Changes++
		out.Losses += len(p.Losses)
		d, _, err := m.Step(Proposed{p, r.Base})
		if err != nil {
			return out, err
		}
		if d.Verdict == Allow {
			note(lost, r)
			continue
		}
		out.Refused++
		if d.Tripped {
			f := d.Findings[len(d.Findings)-1]
			t := SimulatedTrip{At: p.At, Scope: f.Scope, Rule: f.Rule, Why: f.Why, ChangeID: r.ID,
				Before: recent(lost[f.Scope], r.At), False: !near(real, r.At)}
			out.Trips = append(out.Trips, t)
			if t.False {
				out.False++
			}
		}
	}
	return out, nil
}

// forgetTrips resets what has been open for a day.
func (m *Model) forgetTrips() {
	for s, st := range m.scopes {
		if m.now-st.since > day.Milliseconds() {
			m.applyReset(&Record{Kind: RecordReset, Scope: s})
			delete(m.scopes, s)
		}
	}
}

// proposalOf is the change that a charge was made for.
func proposalOf(r *Record) Proposal {
	p := Proposal{ID: r.ID, Actor: r.Actor, Lane: r.Lane, Reason: r.Reason, Incident: r.Incident,
		At: time.UnixMilli(r.At).UTC(), Generation: r.Generation, Approval: r.Approval}
	for i := range r.Items {
		it := &r.Items[i]
		l := Loss{Prefix: it.Prefix, Account: it.Account, OnDemand: it.Class == AtRest, Services: it.Services, Neighbors: it.Neighbors, Weight: it.Weight}
		switch it.Class {
		case Binding:
			for _, s := range it.Services {
				p.Unbinds = append(p.Unbinds, Unbind{it.Prefix, it.Account, s})
			}
		case Modified:
			p.Modifies = append(p.Modifies, l)
		default:
			p.Losses = append(p.Losses, l)
		}
	}
	if r.Actor.Kind == Owner {
		p.Confirm = confirmToken(r.Actor.Account, p.Losses) // it was confirmed then
	}
	return p
}

func realTrips(past []Record) []int64 {
	var at []int64
	for i := range past {
		if past[i].Kind == RecordTrip && past[i].From == 0 {
			at = append(at, past[i].At)
		}
	}
	return at
}

// near reports whether something really opened within a day of a time.
func near(real []int64, at int64) bool {
	return slices.ContainsFunc(real, func(t int64) bool { return t >= at-day.Milliseconds() && t <= at+day.Milliseconds() })
}

// note keeps when a scope lost something.
func note(lost map[Scope][]int64, r *Record) {
	for i := range r.Items {
		if r.Items[i].Class != Counted {
			continue
		}
		for _, s := range []Scope{Global, r.Actor.Scope(), {ScopeAccount, r.Items[i].Account}} {
			lost[s] = append(lost[s], r.At)
		}
	}
}

func recent(at []int64, now int64) int {
	n := 0
	for i := len(at) - 1; i >= 0 && at[i] > now-day.Milliseconds(); i-- {
		n++
	}
	return n
}

// Suggestion is a limit proposed from history: half as much again as the most
// that a window ever held without a trip, and never more than today's limit.
type Suggestion struct {
	Rule      string `json:"rule"`
	Most      int    `json:"most"`    // of both families together
	Limit     int    `json:"limit"`   // today's, at that time
	Suggested int    `json:"suggest"` // absolute
}

// Suggest proposes tighter limits for the global ladder. Days with a trip are
// left out: an incident is no habit. From nothing it suggests nothing.
func Suggest(l Limits, past []Record) []Suggestion {
	m := NewModel(l)
	real := realTrips(past)
	out, habit := make([]Suggestion, len(l.Ladder)), false
	for i := range past {
		r := &past[i]
		if r.Kind == RecordTrip || r.Kind == RecordReset || r.Kind == RecordOversize {
			continue
		}
		if r.Kind == RecordCharge && near(real, r.At) {
			continue
		}
		m.Replay(r)
		if r.Kind != RecordCharge {
			continue
		}
		habit = true
		for j, w := range m.ledger(Global, dimLoss).rings {
			_, total := w.rung.limit(m.frozen(Global, dimLoss, w, pair{}), 1000)
			if n := whole(w.sum.total()); n > out[j].Most {
				out[j] = Suggestion{Most: n, Limit: whole(max(0, total))}
			}
		}
	}
	if !habit {
		return nil
	}
	for j := range out {
		out[j].Rule = l.Ladder[j].Name
		out[j].Suggested = max(out[j].Most*3/2, l.Ladder[j].Total)
		if out[j].Limit > 0 {
			out[j].Suggested = min(out[j].Suggested, out[j].Limit)
		}
	}
	return out
}
