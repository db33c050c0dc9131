package breaker

import (
	"fmt"
	"net/netip"
)

// builder is who plans are made by, in records of the breaker's own.
var builder = Actor{Kind: System, Key: "system/builder"}

// judgement is one plan while it is decided on.
type judgement struct {
	m           *Model
	f           *PlanFacts
	b           *Baseline
	d           Decision
	losses      []Loss
	counted     []Loss // explained, and counted against everybody's limits
	unexplained []Loss
}

// judge decides on a whole plan. Everything it may lose was charged when its
// change was admitted; what was not is unexplained.
func (m *Model) judge(f PlanFacts, b Baseline) Decision {
	m.advertised(&b)
	j := &judgement{m: m, f: &f, b: &b, losses: distinct(f.Losses)}
	j.d.State = m.state(Global).state
	if !m.ready {
		j.refuse(Finding{Rule: "breaker.uninitialised", Scope: Global, Why: "the breaker has no state: it holds", Next: "initialise its journal"})
		return j.d
	}
	j.sort()
	for _, step := range []func() bool{j.explained, j.switchedOff, j.statesAllow, j.oversized, j.stateFloor, j.growth} {
		if done := step(); done {
			return j.d
		}
	}
	j.settle()
	j.d.Verdict = Allow
	return j.d
}

func (j *judgement) refuse(f Finding) bool {
	j.d.Verdict = Refuse
	j.d.Findings = append(j.d.Findings, f)
	return true
}

// shadows notes a finding of a rule that decides nothing.
func (j *judgement) shadows(f *Finding) bool {
	if f.Shadow = j.m.limits.shadow(f.Rule); f.Shadow {
		j.d.Findings = append(j.d.Findings, *f)
	}
	return f.Shadow
}

func (j *judgement) hold(losses []Loss) {
	for i := range losses {
		j.d.Hold = append(j.d.Hold, losses[i].Prefix)
	}
	j.d.Holdable = true
}

func (j *judgement) sort() {
	for _, l := range j.losses {
		d, ok := j.m.down[prefixKey(l.Prefix)]
		switch {
		case FamilyOf(l.Prefix) == 0 || !ok:
			j.unexplained = append(j.unexplained, l)
		case d.class == Counted:
			j.counted = append(j.counted, l)
		}
	}
}

// explained refuses a plan that loses what nobody asked to lose. If it looks
// like a lost database it opens everything.
func (j *judgement) explained() bool {
	if len(j.unexplained) == 0 || j.approved() {
		return false
	}
	f := Finding{Rule: "breaker.unexplained", Scope: Global, Asked: len(j.unexplained),
		Why: fmt.Sprintf("the plan (%s) loses %d prefixes that no admitted change explains, %s among them",
			j.f.Origin, len(j.unexplained), j.unexplained[0].Prefix),
		Next: "compare the desired state with the active snapshot; nothing was applied"}
	if why := j.lostDatabase(); why != "" {
		f.Rule = "breaker.lost-database"
		f.Why += ": " + why
		f.Next = "the desired state looks lost: rebuild it from the snapshot, then reset"
		j.d.TripID = j.m.trip(Global, Open, f.Rule, f.Why, builder)
		j.d.Tripped, j.d.State = true, j.m.state(Global).state
	}
	j.hold(j.unexplained)
	j.d.Holdable = false
	return j.refuse(f)
}

// approved charges unexplained losses to the plan's approval, if it covers
// them.
func (j *judgement) approved() bool {
	if j.f.Approval == "" || j.m.grants[j.f.Approval].covers(j.m.now, j.unexplained) != "" {
		return false
	}
	items := make([]Item, len(j.unexplained))
	for i, l := range j.unexplained {
		items[i] = Item{Prefix: l.Prefix, Account: l.Account, Class: Approved, Weight: l.Weight, Neighbors: l.Neighbors}
	}
	j.m.emit(Record{Kind: RecordCharge, Actor: builder, Generation: j.f.Generation, Approval: j.f.Approval,
		Reason: "plan " + j.f.Origin, Base: trim(j.b, items), Items: items})
	return true
}

// lostDatabase says why a plan looks like one.
func (j *judgement) lostDatabase() string {
	limit := j.m.planLimit(j.b)
	if limit < 0 {
		limit = 20 * WeightFull
	}
	if n := weigh(j.unexplained); n > limit {
		return fmt.Sprintf("more than %d at once", whole(limit))
	}
	var before, after [2]int
	for _, n := range j.f.Neighbors {
		if s := sideOf(n.Family); s != bothSides {
			before[s] += n.Before
			after[s] += n.After
		}
	}
	for s, name := range [2]Family{IPv4, IPv6} {
		if before[s] > 0 && after[s] == 0 {
			return "all of " + name.String() + " would be gone"
		}
	}
	return ""
}

// statesAllow holds the losses of scopes that opened after they were admitted.
// What a stopped actor was allowed before stays allowed: others' plans carry it.
func (j *judgement) statesAllow() bool {
	if j.m.quiet() {
		return false
	}
	var held []Loss
	var by Scope
	for i := range j.losses {
		if s, ok := j.heldBy(&j.losses[i]); ok {
			held, by = append(held, j.losses[i]), s
		}
	}
	if len(held) == 0 {
		return false
	}
	st := j.m.state(by)
	j.d.TripID = st.tripID
	if st.state.Stricter(j.d.State) {
		j.d.State = st.state
	}
	j.hold(held)
	return j.refuse(Finding{Rule: "breaker." + st.state.String(), Scope: by, Asked: len(held),
		Why:  fmt.Sprintf("%s is %s since %s: %s", by, st.state, stamp(st.since), st.reason),
		Next: fmt.Sprintf("plan again without these %d losses, or reset %s", len(held), st.tripID)})
}

func (j *judgement) heldBy(l *Loss) (Scope, bool) {
	d := j.m.down[prefixKey(l.Prefix)]
	if d.class == InEmergency {
		return Scope{}, false
	}
	holds := func(s Scope) bool {
		st := j.m.state(s).state
		return st == Locked || st == Open && !(s == Global && d.whileOpen)
	}
	scopes := []Scope{Global, {ScopeAccount, l.Account}}
	for _, s := range l.Services {
		scopes = append(scopes, Scope{ScopeService, s})
	}
	for _, n := range l.Neighbors {
		scopes = append(scopes, Scope{ScopeNeighbor, n})
	}
	if len(l.Neighbors) == 0 {
		for _, n := range j.f.Neighbors {
			scopes = append(scopes, Scope{ScopeNeighbor, n.Neighbor})
		}
	}
	for _, s := range scopes {
		if holds(s) {
			return s, true
		}
	}
	return Scope{}, false
}

// oversized refuses a plan that takes down too much at once (W5), even if each
// part of it was admitted.
func (j *judgement) oversized() bool {
	n, limit := weigh(j.counted), j.m.planLimit(j.b)
	if limit < 0 || n <= limit {
		return false
	}
	f := Finding{Rule: "breaker.W5", Scope: Global, Asked: whole(n), Limit: whole(limit),
		Why:  fmt.Sprintf("one plan takes %d prefixes down, the limit is %d", whole(n), whole(limit)),
		Next: "restore some of them, or ask for an approval of exactly these prefixes"}
	if j.shadows(&f) {
		return false
	}
	j.hold(j.counted)
	j.m.twice(&j.d, f, builder)
	return j.refuse(f)
}

// stateFloor holds what would leave a neighbor under its floor, whatever the
// reason (W6).
func (j *judgement) stateFloor() bool {
	if j.m.limits.StateFloor <= 0 {
		return false
	}
	type table struct{ before, after [3]int64 }
	tables := map[string]*table{}
	for _, n := range j.f.Neighbors {
		t := tables[n.Neighbor]
		if t == nil {
			t = &table{}
			tables[n.Neighbor] = t
		}
		if s := sideOf(n.Family); s != bothSides {
			t.before[s], t.after[s] = int64(n.Before), int64(n.After)
			t.before[bothSides] += int64(n.Before)
			t.after[bothSides] += int64(n.After)
			j.m.saw(n.Neighbor, n.Family, n.Before)
		}
	}
	var under []Finding
	for _, name := range sortedKeys(tables) {
		t := tables[name]
		top := j.m.maximum(name)
		for side := range top {
			room := j.m.limits.stateRoom(top[side]) * int64(j.m.stateFactor(name)) / 1000
			if t.after[side] < t.before[side] && top[side]-t.after[side] > room {
				under = append(under, j.underFloor(name, side, top[side], t.after[side], room))
				break
			}
		}
	}
	if len(under) == 0 || j.shadows(&under[0]) {
		return false
	}
	scope := j.floorScope(under, len(tables))
	for _, f := range under {
		j.refuse(f)
	}
	if st := j.m.state(scope); st.state == Closed || st.state == Recovering {
		j.d.Tripped, j.d.State = true, Open
	}
	j.d.TripID = j.m.trip(scope, Open, under[0].Rule, under[0].Why, builder)
	j.hold(j.counted)
	return true
}

func (j *judgement) underFloor(name string, side int, top, after, room int64) Finding {
	what := [3]string{IPv4.String(), IPv6.String(), "both families"}[side]
	return Finding{Rule: "breaker.W6", Scope: Scope{ScopeNeighbor, name},
		Used: int(top - after), Limit: int(room),
		Why:  fmt.Sprintf("%s would hold %d routes (%s), %d under its maximum of the last hour, the limit is %d", name, after, what, top-after, room),
		Next: "restore routes, or ask for an approval"}
}

// floorScope is the smallest scope behind a broken floor: an actor, one
// neighbor, or everything.
func (j *judgement) floorScope(under []Finding, neighbors int) Scope {
	l := j.m.ledger(Global, dimState)
	if id, ok := majority(l.shares(l.rings[0]).actor); ok && len(j.counted) > 0 {
		return Scope{ScopeActor, j.m.names[id]}
	}
	if len(under) < neighbors || neighbors == 1 && len(j.counted) == 0 {
		return under[0].Scope
	}
	return Global
}

// growth refuses a plan by which configuration or drift would tell a neighbor
// much more than it hears today: the leak side. What people announce, one
// prefix after the other, is not growth, and neither is a first load.
func (j *judgement) growth() bool {
	lim := &j.m.limits
	if lim.GrowthFloor <= 0 || j.f.Origin != "config" && j.f.Origin != "drift" || j.m.grants[j.f.Approval] != nil {
		return false
	}
	for _, n := range j.f.Neighbors {
		room := max(lim.GrowthFloor, n.Before*lim.GrowthShare/1000)
		if n.Before == 0 || n.After-n.Before <= room {
			continue
		}
		f := Finding{Rule: "breaker.growth", Scope: Scope{ScopeNeighbor, n.Neighbor},
			Used: n.Before, Asked: n.After - n.Before, Limit: room,
			Why:  fmt.Sprintf("%s would be told %d more routes (%s) by %s, the limit is %d", n.Neighbor, n.After-n.Before, n.Family, j.f.Origin, room),
			Next: "look at the policy that lets them out; if it is meant, ask for an approval"}
		if j.shadows(&f) {
			return false
		}
		j.d.Holdable = true
		return j.refuse(f)
	}
	return false
}

// settle notes that the plan's changes are on their way: they can no longer be
// released, and what the plan announces is desired again.
func (j *judgement) settle() {
	for _, id := range j.f.Admitted {
		delete(j.m.pending, id)
	}
	j.m.gains(&Proposal{Actor: builder, Generation: j.f.Generation, Gains: j.f.Gains})
}

// Explained reports whether p is down by an admitted loss.
func (m *Model) Explained(p netip.Prefix) bool {
	if FamilyOf(p) == 0 {
		return false
	}
	_, ok := m.down[prefixKey(p)]
	return ok
}

// Admitted returns how the loss that took p down was charged, and whether there
// was one.
func (m *Model) Admitted(p netip.Prefix) (Class, bool) {
	if FamilyOf(p) == 0 {
		return Counted, false
	}
	d, ok := m.down[prefixKey(p)]
	return d.class, ok
}

// regained keeps when a prefix was last desired again: its withdrawal, admitted
// before, may reach the wire a little later.
type regained map[key]int64

const regainedFor = 60_000 // ms

func (r regained) add(k key, now int64) {
	if len(r) > 4096 {
		for k, at := range r {
			if now-at > regainedFor {
				delete(r, k)
			}
		}
	}
	r[k] = now
}

// onWire says whether a withdrawal that was seen on the wire was admitted, and
// whether it counted against everybody's limits.
func (m *Model) onWire(p netip.Prefix) (counted, ok bool) {
	if FamilyOf(p) == 0 {
		return false, false
	}
	k := prefixKey(p)
	if d, ok := m.down[k]; ok {
		return d.class == Counted, true
	}
	at, ok := m.regained[k]
	return false, ok && m.now-at <= regainedFor
}
