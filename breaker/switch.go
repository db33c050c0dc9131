package breaker

import (
	"fmt"
	"strings"
	"time"
)

// Stops is what a switch that is off holds back. Nothing of it ever takes
// anything off the wire, or lets more through than before: what is off does not
// act, and what it would vouch for does not pass without it.
type Stops uint8

// What can be held back. Restores and emergencies never are.
const (
	StopsWithdrawals   Stops = 1 << iota // losses by operators and tasks, approved ones too
	StopsOwners                          // owners' own withdrawals
	StopsAtRest                          // going back to rest
	StopsModifications                   // attributes, sites and origin
	StopsUnbindings                      // bindings that are not the last
	StopsAnnouncements
	StopsDrains // of sites and neighbors

	StopsLosses = StopsWithdrawals | StopsOwners | StopsAtRest | StopsDrains
	StopsAll    = StopsLosses | StopsModifications | StopsUnbindings | StopsAnnouncements
)

// Switch is one thing that a person can turn off at once: a task, a kind of
// change, a rule, a guard, a source, a sink. What is not registered is off.
type Switch struct {
	Name    string `json:"name"`   // e.g. "system/cleanup"; a system actor's key stops its every change
	Effect  string `json:"effect"` // of turning it off
	Side    string `json:"side"`   // what else stops or goes on
	FailsOn bool   `json:"fails"`  // what it is when its state is not known; false is off
	Stops   Stops  `json:"stops"`  // changes that are held while it is off, whoever makes them
}

// SwitchStatus is one switch as it is now.
type SwitchStatus struct {
	Switch
	Off    bool      `json:"off"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
}

// turned is the last time somebody turned a switch.
type turned struct {
	off    bool
	reason string
	by     string
	at     int64
}

// Switched turns a switch off or on.
type Switched struct {
	Name   string
	Off    bool
	Reason string
	By     Actor
	At     time.Time
}

func (e Switched) step(m *Model) (Decision, error) {
	m.clock(e.At)
	_, known := m.registered(e.Name)
	switch {
	case !m.ready:
		return Decision{}, errUninitialised
	case !known:
		return Decision{}, fmt.Errorf("breaker: switch %q: it is not registered, `kill-switch list` names them", e.Name)
	case strings.TrimSpace(e.Reason) == "":
		return Decision{}, fmt.Errorf("breaker: switch %s: reason: missing, say why", e.Name)
	case e.By.Kind == System || e.By.Kind == Owner || e.By.Key == "":
		return Decision{}, fmt.Errorf("breaker: switch %s: actor %q: only an operator turns it", e.Name, e.By.Key)
	}
	m.emit(Record{Kind: RecordSwitch, ID: e.Name, Number: int64(flag(e.Off)), Reason: e.Reason, Actor: e.By})
	return Decision{Verdict: Allow}, nil
}

func (m *Model) registered(name string) (Switch, bool) {
	for _, s := range m.limits.Switches {
		if s.Name == name {
			return s, true
		}
	}
	return Switch{}, false
}

// SwitchedOff reports whether a switch is off. One that is not registered is.
func (m *Model) SwitchedOff(name string) bool {
	s, known := m.registered(name)
	if !known {
		return true
	}
	if !m.ready {
		return !s.FailsOn
	}
	return m.switches[name].off
}

// Switches lists every registered switch.
func (m *Model) Switches() []SwitchStatus {
	out := make([]SwitchStatus, 0, len(m.limits.Switches))
	for _, s := range m.limits.Switches {
		t := m.switches[s.Name]
		st := SwitchStatus{Switch: s, Off: m.SwitchedOff(s.Name), Reason: t.reason, By: t.by}
		if t.at > 0 {
			st.Since = time.UnixMilli(t.at).UTC()
		}
		out = append(out, st)
	}
	return out
}

// off finds a switch that is off and stops any of what is asked for.
func (m *Model) off(asked Stops) (Switch, bool) {
	for _, name := range sortedKeys(m.switches) {
		if !m.switches[name].off {
			continue
		}
		if s, known := m.registered(name); known && s.Stops&asked != 0 {
			return s, true
		}
	}
	return Switch{}, false
}

// turnedOff is the finding of a switch that is off.
func (m *Model) turnedOff(name string, scope Scope) Finding {
	t := m.switches[name]
	return Finding{Rule: "breaker.switch", Scope: scope,
		Why: fmt.Sprintf("%s was turned off by %s at %s: %s", name, t.by, stamp(t.at), t.reason), Next: "turn it on again when the reason is gone: holdfast kill-switch set " + name + " on"}
}

// switchedOff refuses whatever a task does whose switch is off, also what only
// adds, and whatever a switch stops that is off. A task without a switch has
// none to be off.
func (a *admission) switchedOff() bool {
	if _, known := a.m.registered(a.p.Actor.Key); known && a.m.SwitchedOff(a.p.Actor.Key) {
		return a.refuse(a.m.turnedOff(a.p.Actor.Key, a.p.Actor.Scope()))
	}
	if a.p.Lane == Restore || a.p.Lane == Emergency || len(a.m.switches) == 0 {
		return false
	}
	if s, off := a.m.off(a.asks()); off {
		return a.refuse(a.m.turnedOff(s.Name, Global))
	}
	return false
}

// asks is what a proposal is about.
func (a *admission) asks() (s Stops) {
	for i := range a.p.Losses {
		switch {
		case a.p.Losses[i].OnDemand:
			s |= StopsAtRest
		case a.p.Actor.Kind == Owner:
			s |= StopsOwners
		default:
			s |= StopsWithdrawals
		}
	}
	for _, is := range []struct {
		so  bool
		set Stops
	}{{len(a.p.Modifies) > 0, StopsModifications}, {len(a.p.Unbinds) > 0, StopsUnbindings}, {len(a.p.Gains) > 0, StopsAnnouncements}, {a.p.Lane == Drain, StopsDrains}} {
		if is.so {
			s |= is.set
		}
	}
	return s
}

// stopped is how a class of admitted loss is stopped on its way to the wire.
func (c Class) stopped() Stops {
	switch c {
	case OwnersOwn:
		return StopsOwners
	case AtRest:
		return StopsAtRest
	case InEmergency:
		return 0
	}
	return StopsWithdrawals
}

// switchedOff holds the losses of a plan that a switch stops which was turned
// off since they were admitted, and what the configuration changes on its own.
// Announcements were judged when they were asked for; restores are among them.
func (j *judgement) switchedOff() bool {
	const config = "system/config"
	if len(j.m.switches) == 0 {
		return false
	}
	if _, known := j.m.registered(config); known && j.f.Origin == "config" && j.m.SwitchedOff(config) {
		return j.refuse(j.m.turnedOff(config, Scope{ScopeActor, config}))
	}
	if own := j.f.Origin == "config" || j.f.Origin == "drift"; own && len(j.f.Gains) > 0 {
		if s, off := j.m.off(StopsAnnouncements); off {
			return j.refuse(j.m.turnedOff(s.Name, Global))
		}
	}
	var held []Loss
	var by Stops
	for _, one := range []Stops{StopsWithdrawals, StopsOwners, StopsAtRest} {
		if _, off := j.m.off(one); off {
			by |= one
		}
	}
	for i := 0; by != 0 && i < len(j.losses); i++ {
		if j.m.down[prefixKey(j.losses[i].Prefix)].class.stopped()&by != 0 {
			held = append(held, j.losses[i])
		}
	}
	if len(held) == 0 {
		return false
	}
	j.hold(held)
	s, _ := j.m.off(j.m.down[prefixKey(held[0].Prefix)].class.stopped())
	return j.refuse(j.m.turnedOff(s.Name, Global))
}
