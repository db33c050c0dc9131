package frr

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// routeMap is a route map while it is read. Its policy exists from the first
// line on, because entries may call one another.
type routeMap struct {
	policy  *device.Policy
	entries []*mapEntry
}

// mapEntry is one sequence number.
type mapEntry struct {
	seq     int
	deny    bool
	head    *line
	matches []*line
	sets    []*line
	jump    *line // continue, on-match
	call    *line
}

// routeMap reads "route-map NAME permit|deny SEQ" and its block.
func (r *reader) routeMap(l *line) {
	name := l.at(1)
	if name == "" || l.no || l.at(1) == "optimization" && len(l.words) == 2 {
		l.file(device.IgnoredKnown, false, "")
		return
	}
	m := r.maps[name]
	if m == nil {
		m = &routeMap{policy: &device.Policy{At: device.At{Pos: l.pos}, Name: name}}
		r.maps[name] = m
		r.mapOrder = append(r.mapOrder, m)
		r.cfg.Policies = append(r.cfg.Policies, m.policy)
	}
	m.policy.End = l.end
	l.file(device.Modelled, true, "")
	e := &mapEntry{head: l, seq: 10}
	switch l.at(2) {
	case "permit", "":
	case "deny":
		e.deny = true
	case "pbr-statistics", "optimization":
		l.file(device.IgnoredKnown, true, "")
		return
	default:
		r.unread(l, "want permit or deny")
		return
	}
	if s := l.at(3); s != "" {
		n, ok := number(s, 32)
		if !ok {
			r.unread(l, "the sequence number is not a number")
			return
		}
		e.seq = int(n)
	}
	for _, have := range m.entries {
		if have.seq == e.seq {
			have.deny, have.head = e.deny, l
			e = have
		}
	}
	if e.head == l && !slices.Contains(m.entries, e) {
		m.entries = append(m.entries, e)
	}
	for _, k := range l.kids {
		r.mapLine(e, k)
	}
}

func (r *reader) mapLine(e *mapEntry, k *line) {
	k.file(device.Modelled, true, "")
	if k.no {
		k.file(device.Unmodelled, true, "the removal of a line")
		return
	}
	switch k.at(0) {
	case "match":
		e.matches = append(e.matches, k)
	case "set":
		e.sets = append(e.sets, k)
	case "continue", "on-match":
		e.jump = k
	case "call":
		e.call = k
	case "sub-route-map":
		k.file(device.Unmodelled, true, "what a sub-route-map does to its caller is not confirmed")
		e.matches = append(e.matches, k)
	case "description", "exit", "exit-route-map":
		k.file(device.IgnoredKnown, true, "")
	default:
		r.unread(k, "not a line of a route map")
	}
}

// lowerMaps gives every route map its terms.
func (r *reader) lowerMaps() {
	for _, m := range r.mapOrder {
		slices.SortStableFunc(m.entries, func(a, b *mapEntry) int { return cmp.Compare(a.seq, b.seq) })
		w := &mapReader{reader: r, m: m}
		for i, e := range m.entries {
			m.policy.Terms = append(m.policy.Terms, w.term(i, e))
		}
	}
	r.cutCalls()
}

// mapReader gives one route map its meaning.
type mapReader struct {
	*reader
	m       *routeMap
	current *mapEntry
	late    device.Fields // what earlier entries that went on may have changed
}

func (w *mapReader) report(d device.Diagnostic) {
	d.Policy, d.Term = w.m.policy.Name, strconv.Itoa(w.current.seq)
	w.reader.report(d)
}

func (w *mapReader) term(i int, e *mapEntry) *device.Term {
	w.current = e
	t := &device.Term{At: device.At{Pos: e.head.pos}, End: e.head.end, Name: strconv.Itoa(e.seq)}
	xs := w.conditions(e)
	t.Match, t.Bare = device.AllOfExprs(t.Pos, xs...), len(xs) == 0
	t.Then = w.disposition(i, e)
	if e.deny {
		return t // a denied route is not changed, and nothing is called
	}
	t.Actions = w.actions(e)
	if w.t.setsLate && t.Then.Flow == device.Goto {
		for _, a := range t.Actions {
			w.late |= changed(a)
		}
	}
	if e.call != nil {
		w.call(t, e.call)
	}
	return t
}

// disposition is what happens to a route that matched.
func (w *mapReader) disposition(i int, e *mapEntry) device.Disposition {
	d := device.Disposition{At: device.At{Pos: e.head.pos}, Flow: device.AcceptRoute}
	if e.deny {
		d.Flow = device.RejectRoute
	}
	if e.jump == nil {
		return d
	}
	d.Pos, d.Text = e.jump.pos, e.jump.text()
	target, missing, ok := w.target(i, e)
	if !ok {
		return d
	}
	if e.deny {
		switch w.t.denied {
		case denyJumpIgnored:
			return d
		case denyJumpUnknown:
			e.jump.file(device.Unmodelled, true, "continue in a deny entry is not confirmed on a device")
			d.Flow = device.DecideMaybe
			return d
		}
	}
	if missing {
		// Observed on all of them: the entry's own action holds.
		w.report(device.Diagnostic{
			At: device.At{Pos: e.jump.pos}, Rule: "RL307", Severity: device.Warning,
			Message: fmt.Sprintf("%q names no later entry: the entry decides by itself", e.jump.text()), Fix: "correct the sequence number or remove the line",
		})
		return d
	}
	d.Flow, d.Target = device.Goto, target
	if w.t.fallOff != device.Undecided {
		d.Default = w.t.fallOff
		if e.deny {
			d.Default = device.Reject
		}
	}
	return d
}

// target is the index of the entry a jump leads to. missing: there is none.
func (w *mapReader) target(i int, e *mapEntry) (index int, missing, ok bool) {
	words := e.jump.rest(1)
	if e.jump.at(0) == "on-match" {
		switch {
		case len(words) == 1 && words[0] == "next":
			words = nil
		case len(words) == 2 && words[0] == "goto":
			words = words[1:]
		default:
			w.unread(e.jump, "want on-match next or on-match goto N")
			return 0, false, false
		}
	}
	if len(words) == 0 {
		if w.t.dropsLines && e.jump.at(0) == "continue" {
			w.unread(e.jump, "want a sequence number")
			return 0, false, false
		}
		return i + 1, i+1 == len(w.m.entries), true
	}
	n, isNumber := number(words[0], 32)
	if !isNumber || len(words) > 1 {
		w.unread(e.jump, "want a sequence number")
		return 0, false, false
	}
	if int(n) <= e.seq {
		w.unread(e.jump, "a jump leads forward")
		return 0, false, false
	}
	for j, later := range w.m.entries {
		switch {
		case later.seq == int(n):
			return j, false, true
		case later.seq > int(n) && w.t.dialect == device.FRR:
			return j, false, true // the next one after it
		}
	}
	return 0, true, true
}

// call runs another route map in the middle of an entry; when it denies the
// route is denied (FRR-27).
func (w *mapReader) call(t *device.Term, l *line) {
	m := w.maps[l.at(1)]
	if m == nil {
		w.report(device.Diagnostic{
			At: device.At{Pos: l.pos}, Rule: "RL304", Policy: l.at(1),
			Message: fmt.Sprintf("route map %q is called and not defined: every route passes the call", l.at(1)), Fix: "define the route map or remove the call",
		})
		return
	}
	t.Actions = append(t.Actions, &device.Call{
		At: device.At{Pos: l.pos}, OnReject: device.Disposition{At: device.At{Pos: l.pos}, Flow: device.RejectRoute},
		Chain: device.Chain{At: device.At{Pos: l.pos}, Policies: []*device.Policy{m.policy}, Default: device.Reject, Why: "no entry of the route map permits it"},
	})
}

// maxCalls bounds how often evaluating a route map enters others.
const maxCalls = 1_000

// cutCalls leaves calls undecided that go round in a circle or fan out beyond
// reason, so that every evaluator ends.
func (r *reader) cutCalls() {
	cost := map[*device.Policy]int{}
	open := map[*device.Policy]bool{}
	var visit func(p *device.Policy) int
	visit = func(p *device.Policy) int {
		if c, done := cost[p]; done {
			return c
		}
		if open[p] {
			return maxCalls + 1
		}
		open[p] = true
		total := 1
		for _, t := range p.Terms {
			for _, a := range t.Actions {
				call, ok := a.(*device.Call)
				if !ok || len(call.Chain.Policies) == 0 {
					continue
				}
				c := visit(call.Chain.Policies[0])
				if total += c; total > maxCalls {
					call.Chain.Policies = nil
					call.Chain.Default, call.Chain.Why = device.Undecided, "route maps call each other in a circle or too often"
					total -= c
				}
			}
		}
		delete(open, p)
		cost[p] = total
		return total
	}
	for _, p := range r.cfg.Policies {
		visit(p)
	}
}
