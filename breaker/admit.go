package breaker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// admission is one proposal while it is decided on.
type admission struct {
	m         *Model
	p         *Proposal
	b         *Baseline
	d         Decision
	class     Class // of its losses that are not at rest
	whileOpen bool
	counted   []Loss // losses that count against everybody's limits
	atRest    []Loss
	excused   []Loss // owner's own, approved or emergency
}

// admit decides on a proposal and charges what it allows.
func (m *Model) admit(p Proposal, b Baseline) Decision {
	p.Losses = distinct(p.Losses)
	m.advertised(&b)
	a := &admission{m: m, p: &p, b: &b}
	for _, step := range []func() bool{
		a.valid, a.switchedOff, a.lastPath, a.gainsAlone, a.classify, a.statesAllow, a.emergency,
		a.approval, a.needsApproval, a.oversized, a.owner, a.limits, a.stateFloor,
	} {
		if done := step(); done {
			return a.d
		}
	}
	a.charge()
	return a.allow()
}

// distinct drops the repetitions of a prefix; the heaviest loss of it counts.
func distinct(losses []Loss) []Loss {
	seen := make(map[key]int, len(losses))
	out := make([]Loss, 0, len(losses))
	for i := range losses {
		l := losses[i]
		if l.Weight <= 0 || l.Weight > WeightFull {
			l.Weight = WeightFull
		}
		k := prefixKey(l.Prefix)
		if j, ok := seen[k]; ok {
			if l.Weight > out[j].Weight {
				out[j] = l
			}
			continue
		}
		seen[k] = len(out)
		out = append(out, l)
	}
	return out
}

func (a *admission) refuse(f Finding) bool {
	a.d.Verdict = Refuse
	a.d.Findings = append(a.d.Findings, f)
	return true
}

func (a *admission) allow() Decision {
	a.d.Verdict = Allow
	return a.d
}

func (a *admission) valid() bool {
	a.d.State = a.m.state(Global).state
	if a.m.state(a.p.Actor.Scope()).state.Stricter(a.d.State) {
		a.d.State = a.m.state(a.p.Actor.Scope()).state
	}
	why := ""
	switch {
	case !a.m.ready:
		return a.refuse(Finding{Rule: "breaker.uninitialised", Scope: Global, Why: "the breaker has no state: it holds", Next: "initialise its journal"})
	case a.p.Actor.Kind != Owner && a.p.Actor.Kind != Operator && a.p.Actor.Kind != System || a.p.Actor.Key == "":
		why = "the change has no actor"
	case a.p.Actor.Kind == Owner && a.p.Actor.Account == "":
		why = "the owner has no account"
	case a.p.ID == "" && len(a.p.Losses)+len(a.p.Unbinds) > 0:
		why = "the change has no id, its losses could not be released"
	case a.p.Lane > Drain:
		why = fmt.Sprintf("lane %d is not known", a.p.Lane)
	}
	for _, list := range [][]Loss{a.p.Losses, a.p.Modifies} {
		for i := range list {
			if p := list[i].Prefix; FamilyOf(p) == 0 || p.Masked() != p {
				why = fmt.Sprintf("%s is no prefix without host bits", p)
			} else if list[i].Account == "" {
				why = fmt.Sprintf("%s has no account", p)
			}
		}
	}
	for _, u := range a.p.Unbinds {
		if FamilyOf(u.Prefix) == 0 || u.Prefix.Masked() != u.Prefix || u.Service == "" {
			why = fmt.Sprintf("unbinding %q from %s names no prefix or no service", u.Service, u.Prefix)
		}
	}
	if why == "" {
		return false
	}
	return a.refuse(Finding{Rule: "breaker.invalid", Scope: Global, Why: why, Next: "name every prefix, its account and the actor"})
}

// gainsAlone lets everything pass that takes nothing away (W8). Only a lock
// stops it, and a restore passes that as well.
func (a *admission) gainsAlone() bool {
	if len(a.p.Losses)+len(a.p.Unbinds)+len(a.p.Modifies) > 0 {
		return false
	}
	if st := a.m.state(Global); st.state == Locked && a.p.Lane != Restore {
		a.d.TripID = st.tripID
		return a.refuse(Finding{Rule: "breaker.locked", Scope: Global, Why: "changes are locked: " + st.reason, Next: "only restores pass until the lock is reset"})
	}
	a.m.gains(a.p)
	a.allow()
	return true
}

// classify sorts the losses: back to rest, an owner's own, or everybody's.
func (a *admission) classify() bool {
	if a.p.Actor.Kind == Owner && !a.ownsAll() {
		return a.refuse(Finding{Rule: "breaker.not-own", Scope: a.p.Actor.Scope(),
			Why: "an owner takes down prefixes of its own account only", Next: "leave the other accounts' prefixes out"})
	}
	for _, l := range a.p.Losses {
		switch {
		case a.p.Lane == Emergency:
			a.excused = append(a.excused, l)
		case l.OnDemand:
			a.atRest = append(a.atRest, l)
		case a.p.Approval != "":
			a.excused = append(a.excused, l)
		case a.p.Actor.Kind == Owner:
			a.excused = append(a.excused, l)
		default:
			a.counted = append(a.counted, l)
		}
	}
	switch {
	case a.p.Lane == Emergency:
		a.class, a.whileOpen = InEmergency, true
	case a.p.Approval != "":
		a.class = Approved
	case a.p.Actor.Kind == Owner:
		a.class = OwnersOwn
	}
	return false
}

// scopes are the scopes a change touches, smallest first.
func (a *admission) scopes() []Scope {
	list := []Scope{a.p.Actor.Scope()}
	for _, losses := range [][]Loss{a.p.Losses, a.p.Modifies} {
		for i := range losses {
			l := &losses[i]
			list = append(list, Scope{ScopeAccount, l.Account})
			for _, s := range l.Services {
				list = append(list, Scope{ScopeService, s})
			}
			for _, n := range l.Neighbors {
				list = append(list, Scope{ScopeNeighbor, n})
			}
		}
		if len(losses) > 0 {
			for n := range a.b.Neighbors { // an open neighbor loses nothing more
				list = append(list, Scope{ScopeNeighbor, n})
			}
		}
	}
	for _, u := range a.p.Unbinds {
		list = append(list, Scope{ScopeAccount, u.Account}, Scope{ScopeService, u.Service})
	}
	return list
}

// statesAllow holds what a scope that is not closed holds.
func (a *admission) statesAllow() bool {
	if a.p.Lane == Emergency || a.m.quiet() {
		return false
	}
	for _, s := range a.scopes() {
		st := a.m.state(s)
		if st.state != Open && st.state != Locked {
			continue
		}
		if a.p.Lane == Drain && len(a.p.Losses) == 0 && st.state == Open {
			continue // no route is lost: every service keeps its min_sites
		}
		return a.held(s, st)
	}
	switch st := a.m.state(Global); st.state {
	case Locked:
		return a.held(Global, st)
	case Open:
		if a.p.Lane == Drain && len(a.p.Losses) == 0 {
			return false
		}
		return a.ownerWhileOpen(st)
	}
	return false
}

func (a *admission) held(s Scope, st scopeState) bool {
	a.d.TripID, a.d.Holdable = st.tripID, st.state == Open
	if st.state.Stricter(a.d.State) {
		a.d.State = st.state
	}
	return a.refuse(Finding{Rule: "breaker." + st.state.String(), Scope: s,
		Why:  fmt.Sprintf("%s is %s since %s: %s", s, st.state, stamp(st.since), st.reason),
		Next: fmt.Sprintf("investigate %s, then reset it; announcements and restores pass meanwhile", st.tripID)})
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

func (m *Model) roomIn(b *breach) time.Duration {
	if b.alone {
		return 0
	}
	return time.Duration(b.ring.room(m.now)) * time.Millisecond
}

func entries(losses []Loss) []entry {
	es := make([]entry, len(losses))
	for i := range losses {
		es[i] = entry{prefixKey(losses[i].Prefix), int64(losses[i].Weight), losses[i].Account}
	}
	return es
}

// approval checks that the approval named covers every loss.
func (a *admission) approval() bool {
	if a.p.Approval == "" {
		return false
	}
	if a.p.Actor.Kind == System && slices.ContainsFunc(a.excused, func(l Loss) bool { return l.Protected }) {
		return a.refuse(Finding{Rule: "breaker.protected", Scope: a.p.Actor.Scope(), Why: "a system actor never takes down what is protected", Next: "let a person make the change"})
	}
	if why := a.m.grants[a.p.Approval].covers(a.m.now, a.excused); why != "" {
		return a.refuse(Finding{Rule: "breaker.approval", Scope: Global,
			Why: fmt.Sprintf("approval %s %s", a.p.Approval, why), Next: "ask for an approval of exactly these prefixes"})
	}
	return false
}

// needsApproval names what never passes without one.
func (a *admission) needsApproval() bool {
	if a.class == Approved || len(a.p.Losses) == 0 {
		return false
	}
	if i := slices.IndexFunc(a.p.Losses, func(l Loss) bool { return l.Protected }); i >= 0 {
		return a.refuse(Finding{Rule: "breaker.protected", Scope: Scope{ScopeAccount, a.p.Losses[i].Account},
			Why: fmt.Sprintf("%s is protected", a.p.Losses[i].Prefix), Next: "ask for an approval by another person"})
	}
	if n := a.b.Customer.Total(); len(a.counted) > 0 && n < a.m.limits.ApproveBelow {
		return a.refuse(Finding{Rule: "breaker.small", Scope: Global,
			Why:  fmt.Sprintf("only %d customer prefixes are advertised, under %d a percentage means nothing", n, a.m.limits.ApproveBelow),
			Next: "ask for an approval"})
	}
	if n := len(a.b.SitesDown); a.m.limits.SitesDown > 0 && n >= a.m.limits.SitesDown && len(a.counted)+len(a.excused) > 0 {
		a.d.Holdable = true
		return a.refuse(Finding{Rule: "breaker.sites-down", Scope: Global,
			Why:  fmt.Sprintf("%d sites are unexpectedly down (%s), removals elsewhere hold", n, strings.Join(a.b.SitesDown, ", ")),
			Next: "wait for the sites, or use the emergency lane"})
	}
	return false
}

// oversized refuses one change over the size of a plan (W5). The second one in
// a short time opens.
func (a *admission) oversized() bool {
	n, limit := weigh(a.counted), a.m.planLimit(a.b)
	if limit < 0 || n <= limit {
		return false
	}
	f := Finding{Rule: "breaker.W5", Scope: a.p.Actor.Scope(), Asked: whole(n), Limit: whole(limit),
		Why:  fmt.Sprintf("one change takes %d prefixes down, the limit is %d", whole(n), whole(limit)),
		Next: "split it, or ask for an approval of exactly these prefixes"}
	if f.Shadow = a.m.limits.shadow(f.Rule); f.Shadow {
		a.d.Findings = append(a.d.Findings, f)
		return false
	}
	a.m.twice(&a.d, f, a.p.Actor)
	return a.refuse(f)
}

func weigh(losses []Loss) int64 {
	var n int64
	for i := range losses {
		n += int64(losses[i].Weight)
	}
	return n
}

// planLimit is W5 in thousandths; negative is off.
func (m *Model) planLimit(b *Baseline) int64 {
	if m.limits.PlanFloor <= 0 {
		return -1
	}
	n := max(m.limits.PlanFloor, b.Customer.Total()*m.limits.PlanShare/1000)
	return int64(max(1, n*m.factor(Global)/1000)) * WeightFull
}

// twice opens the finding's scope when it was oversized a short time ago.
func (m *Model) twice(d *Decision, f Finding, by Actor) {
	last, before := m.oversized[f.Scope]
	if before && m.now-last <= m.limits.PlanTwice.Milliseconds() {
		d.TripID, d.Tripped = m.trip(f.Scope, Open, f.Rule, "twice: "+f.Why, by), true
		d.State = Open
		return
	}
	m.emit(Record{Kind: RecordOversize, Scope: f.Scope, Rule: f.Rule, Reason: f.Why, Actor: by})
}

// limits judges the windows, the smallest scope first.
func (a *admission) limits() bool {
	es := entries(a.counted)
	actor := a.p.Actor.Scope()
	ops := slices.Concat(es, a.unbound())
	if a.p.Actor.Kind == Owner {
		ops = nil
	}
	brs := a.m.check(actor, dimLoss, ops, a.b, nil)
	brs = append(brs, a.m.check(actor, dimAccounts, a.accounts(ops), a.b, nil)...)
	if a.perActor(brs, ops) {
		return true
	}
	for _, part := range a.parts() {
		if a.decide(a.m.check(part.scope, dimLoss, part.es, a.b, nil), part.es) {
			return true
		}
	}
	return a.decide(a.m.check(Global, dimLoss, es, a.b, a.m.ledger(Global, dimOwner)), es) ||
		a.decide(a.m.check(Global, dimBindings, a.unbound(), a.b, nil), a.unbound()) ||
		a.decide(a.m.check(Global, dimModifies, entries(a.modified()), a.b, nil), entries(a.modified())) ||
		a.atRestLimits()
}

func (a *admission) atRestLimits() bool {
	es := entries(a.atRest)
	per := map[string][]entry{}
	for _, e := range es {
		per[e.account] = append(per[e.account], e)
	}
	for _, account := range sortedKeys(per) {
		if a.decide(a.m.check(Scope{ScopeAccount, account}, dimOnDemand, per[account], a.b, nil), per[account]) {
			return true
		}
	}
	return a.decide(a.m.check(Global, dimOnDemand, es, a.b, nil), es)
}

// modified are the modifications that have a limit. A drain changes every route
// of a site, on purpose and at once; an owner's prepends are its own affair.
func (a *admission) modified() []Loss {
	if a.p.Lane == Drain || a.p.Actor.Kind == Owner {
		return nil
	}
	return a.p.Modifies
}

// part is the share of a change that one scope sees.
type part struct {
	scope Scope
	es    []entry
}

// parts splits the counted losses by account, service and named neighbor.
func (a *admission) parts() []part {
	at := map[Scope]int{}
	var out []part
	put := func(s Scope, e entry) {
		i, ok := at[s]
		if !ok {
			i = len(out)
			at[s] = i
			out = append(out, part{scope: s})
		}
		out[i].es = append(out[i].es, e)
	}
	for i := range a.counted {
		l := &a.counted[i]
		e := entry{prefixKey(l.Prefix), int64(l.Weight), l.Account}
		put(Scope{ScopeAccount, l.Account}, e)
		for _, s := range l.Services {
			put(Scope{ScopeService, s}, e)
		}
		for _, n := range l.Neighbors {
			put(Scope{ScopeNeighbor, n}, e)
		}
	}
	return out
}

func (a *admission) unbound() []entry {
	es := make([]entry, len(a.p.Unbinds))
	for i, u := range a.p.Unbinds {
		es[i] = entry{prefixKey(u.Prefix).under(u.Service), WeightFull, u.Account}
	}
	return es
}

// accounts are the distinct accounts that operations touch.
func (a *admission) accounts(ops []entry) []entry {
	seen := map[string]bool{}
	var es []entry
	for _, e := range ops {
		if !seen[e.account] {
			seen[e.account] = true
			es = append(es, entry{nameKey(a.m.name(e.account)), WeightFull, e.account})
		}
	}
	return es
}

// perActor judges what one actor did. W1 and W3 are enforced for system actors
// and run in shadow for operators until a person enforces them.
func (a *admission) perActor(brs []breach, es []entry) bool {
	enforced := brs[:0:0]
	for i := range brs {
		name := brs[i].ring.rung.Name
		if a.p.Actor.Kind != System && !a.m.limits.EnforceOps && !named(a.m.limits.Actor, name) {
			a.d.Findings = append(a.d.Findings, brs[i].finding(true))
			continue
		}
		enforced = append(enforced, brs[i])
	}
	return a.decide(enforced, es)
}

// decide refuses a change that exceeds a limit and opens the smallest scope
// that explains it. A scope that is open already is not opened again: the
// window is full, and the one who filled it has been stopped.
func (a *admission) decide(brs []breach, es []entry) bool {
	done := false
	for i := range brs {
		br := &brs[i]
		f := br.finding(br.ring.rung.Shadow || a.m.limits.shadow(br.ring.rung.Name))
		if f.Shadow {
			a.d.Findings = append(a.d.Findings, f)
			continue
		}
		if done {
			continue
		}
		done = true
		a.exceeded(br, f, es)
	}
	return done
}

func (a *admission) exceeded(br *breach, f Finding, es []entry) {
	a.d.RetryAfter = a.m.roomIn(br)
	a.d.Holdable = true
	if br.alone && br.ring.rung.Unit == Space {
		f.Next = "ask for an approval of exactly these prefixes"
		a.refuse(f)
		return
	}
	s := a.m.explain(br, a.p.Actor, es)
	st := a.m.state(s)
	if st.state == Open || st.state == Locked {
		a.d.TripID = st.tripID
		f.Next = fmt.Sprintf("the window is full, mostly by %s, which is %s: wait, or ask for an approval", s, st.state)
		a.refuse(f)
		return
	}
	f.Scope = s
	a.d.TripID, a.d.Tripped = a.m.trip(s, Open, f.Rule, f.Why, a.p.Actor), true
	a.d.State = Open
	f.Next = fmt.Sprintf("investigate, then reset %s; announcements and restores pass meanwhile", a.d.TripID)
	a.refuse(f)
}
