package breaker

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Event is something that happens to the breaker. Time travels in it.
type Event interface {
	step(*Model) (Decision, error)
}

// Events.
type (
	// Proposed asks for a decision on a change; its time is the proposal's.
	Proposed struct {
		Proposal Proposal
		Baseline Baseline
	}
	// Planned asks for a decision on a plan; its time is the plan's.
	Planned struct {
		Facts    PlanFacts
		Baseline Baseline
	}
	// Released says that an admitted proposal was not committed.
	Released struct {
		ID string
		At time.Time
	}
	// Advertised says how many prefixes a neighbor holds.
	Advertised struct {
		Neighbor string
		Family   Family
		Count    int
		At       time.Time
	}
	// Tripped opens or locks a scope by hand or by a guard.
	Tripped struct {
		Scope  Scope
		To     State // Open or Locked
		Rule   string
		Reason string
		By     Actor
		At     time.Time
	}
	// WasReset ends a trip.
	WasReset struct {
		Scope     Scope
		TripID    string
		Reason    string
		By        Actor
		Approvers []string // enrolled identities; whoever was made after the trip does not count
		At        time.Time
	}
	// WasApproved gives an approval.
	WasApproved struct {
		Approval Approval
		At       time.Time
	}
	// WasRevoked takes an approval back.
	WasRevoked struct {
		ID string
		By Actor
		At time.Time
	}
)

// Step decides on one event. The records it returns must be durable before the
// decision takes effect. An error leaves the state as it was.
func (m *Model) Step(e Event) (Decision, []Record, error) {
	m.out = nil
	d, err := e.step(m)
	out := m.out
	m.out = nil
	return d, out, err
}

func (e Proposed) step(m *Model) (Decision, error) {
	m.clock(e.Proposal.At)
	return m.admit(e.Proposal, e.Baseline), nil
}

func (e Planned) step(m *Model) (Decision, error) {
	m.clock(e.Facts.At)
	return m.judge(e.Facts, e.Baseline), nil
}

func (e Released) step(m *Model) (Decision, error) {
	m.clock(e.At)
	if m.pending[e.ID] != nil {
		m.emit(Record{Kind: RecordRelease, ID: e.ID})
	}
	return Decision{Verdict: Allow}, nil
}

func (e Advertised) step(m *Model) (Decision, error) {
	m.clock(e.At)
	if m.ready {
		m.saw(e.Neighbor, e.Family, e.Count)
	}
	return Decision{Verdict: Allow}, nil
}

func (e Tripped) step(m *Model) (Decision, error) {
	m.clock(e.At)
	switch {
	case !m.ready:
		return Decision{}, errUninitialised
	case !e.Scope.Kind.Valid() || (e.Scope.Kind == ScopeGlobal) != (e.Scope.Key == ""):
		return Decision{}, fmt.Errorf("breaker: trip: scope %q: use global, or account, actor, neighbor, service with a key", e.Scope)
	case e.To != Open && e.To != Locked:
		return Decision{}, fmt.Errorf("breaker: trip %s: state %s: a trip opens or locks", e.Scope, e.To)
	case strings.TrimSpace(e.Reason) == "":
		return Decision{}, fmt.Errorf("breaker: trip %s: reason: missing, say why", e.Scope)
	}
	rule := e.Rule
	if rule == "" {
		rule = "breaker.manual"
	}
	id := m.trip(e.Scope, e.To, rule, e.Reason, e.By)
	return Decision{Verdict: Allow, State: m.state(e.Scope).state, TripID: id, Tripped: len(m.out) > 0}, nil
}

var errUninitialised = errors.New("breaker: no state: initialise its journal")

func (e WasReset) step(m *Model) (Decision, error) {
	m.clock(e.At)
	st := m.stored(e.Scope)
	switch {
	case !m.ready:
		return Decision{}, errUninitialised
	case st.state != Open && st.state != Locked:
		return Decision{}, fmt.Errorf("breaker: reset %s: it is %s, there is nothing to reset", e.Scope, st.state)
	case e.TripID != st.tripID:
		return Decision{}, fmt.Errorf("breaker: reset %s: trip id %q: the trip to reset is %q, look at it first", e.Scope, e.TripID, st.tripID)
	case strings.TrimSpace(e.Reason) == "":
		return Decision{}, fmt.Errorf("breaker: reset %s: reason: missing, say what was found", e.Scope)
	case e.By.Kind != Operator:
		return Decision{}, fmt.Errorf("breaker: reset %s: actor %q: only an operator resets", e.Scope, e.By.Key)
	}
	// Taking a freeze off resets no trip, so one person may.
	if n := distinctBut(e.Approvers, e.By.Key); n < m.limits.ResetApprovals && st.state != Locked {
		if left, ok := m.alone(&e, &st); !ok || left > 0 {
			return Decision{Verdict: Confirm, State: st.state, TripID: st.tripID, RetryAfter: left}, nil
		}
	}
	wait := min(m.limits.Wait<<min(st.retrips, 10), day)
	m.emit(Record{Kind: RecordReset, ID: st.tripID, Scope: e.Scope, Reason: e.Reason, Actor: e.By,
		Names: e.Approvers, Until: m.now + wait.Milliseconds()})
	return Decision{Verdict: Allow, State: m.state(e.Scope).state, TripID: st.tripID}, nil
}

// asked is when one person alone asked for a reset, of which trip, and why.
type asked struct {
	tripID string
	at     int64
	by     string
	reason string
}

// alone says how long one person alone still has to wait for a reset, from the
// moment of asking, so that everybody who was paged can object. It is not ok
// where one person never suffices: then the asking is kept for somebody else.
func (m *Model) alone(e *WasReset, st *scopeState) (time.Duration, bool) {
	if a := m.asks[e.Scope]; a.tripID != st.tripID {
		m.emit(Record{Kind: RecordAsk, ID: st.tripID, Scope: e.Scope, Reason: e.Reason, Actor: e.By})
	}
	if m.limits.SingleDelay <= 0 {
		return 0, false
	}
	passed := time.Duration(m.now-m.asks[e.Scope].at) * time.Millisecond
	return max(0, m.limits.SingleDelay-passed), true
}

func (e WasApproved) step(m *Model) (Decision, error) {
	m.clock(e.At)
	if !m.ready {
		return Decision{}, errUninitialised
	}
	a := e.Approval
	need := m.limits.Approvals
	if m.limits.SingleDelay > 0 && distinctBut(a.Approvers, a.Requester.Key) < need {
		// One person alone: the approval begins later.
		need = 0
		if from := time.UnixMilli(m.now).Add(m.limits.SingleDelay); a.From.Before(from) {
			a.From = from
		}
	}
	if err := a.validate(need); err != nil {
		return Decision{}, err
	}
	if m.grants[a.ID] != nil {
		return Decision{}, fmt.Errorf("breaker: approve %s: id: it was given already, use a new one", a.ID)
	}
	r := Record{Kind: RecordApprove, ID: a.ID, Actor: a.Requester, Names: a.Approvers, Reason: a.Reason,
		Number: int64(a.Count), From: a.From.UnixMilli(), Until: a.Until.UnixMilli()}
	if a.Count == 0 {
		r.Number = int64(len(a.Prefixes))
	}
	for _, p := range a.Prefixes {
		r.Items = append(r.Items, Item{Prefix: p})
	}
	m.emit(r)
	return Decision{Verdict: Allow}, nil
}

func (e WasRevoked) step(m *Model) (Decision, error) {
	m.clock(e.At)
	if m.grants[e.ID] == nil {
		return Decision{}, fmt.Errorf("breaker: revoke %s: it is not known, or was revoked", e.ID)
	}
	m.emit(Record{Kind: RecordRevoke, ID: e.ID, Actor: e.By})
	return Decision{Verdict: Allow}, nil
}
