package breaker

import (
	"fmt"
	"strings"
	"time"
)

// Switch is one thing that a person can turn off at once: a task, a lane, a
// guard, a sink. What is not registered is off.
type Switch struct {
	Name    string `json:"name"`   // e.g. "system/cleanup"; a system actor's key stops its every change
	Effect  string `json:"effect"` // of turning it off
	Side    string `json:"side"`   // what else stops or goes on
	FailsOn bool   `json:"fails"`  // what it is when its state is not known; false is off
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

// switchedOff refuses whatever a task does whose switch is off, also what only
// adds. A task without a switch has none to be off.
func (a *admission) switchedOff() bool {
	if _, known := a.m.registered(a.p.Actor.Key); !known || !a.m.SwitchedOff(a.p.Actor.Key) {
		return false
	}
	t := a.m.switches[a.p.Actor.Key]
	return a.refuse(Finding{Rule: "breaker.switch", Scope: a.p.Actor.Scope(),
		Why: fmt.Sprintf("%s was turned off by %s at %s: %s", a.p.Actor.Key, t.by, stamp(t.at), t.reason), Next: "turn it on again when the reason is gone"})
}
