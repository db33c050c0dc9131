package breaker

import (
	"fmt"
	"strings"
)

// emergency judges the emergency lane: a person, a reason, an incident, a few
// prefixes. It passes in every state.
func (a *admission) emergency() bool {
	if a.p.Lane != Emergency {
		return false
	}
	lim := &a.m.limits
	why := ""
	switch {
	case a.p.Actor.Kind == System:
		why = "a system actor has no emergencies"
	case strings.TrimSpace(a.p.Reason) == "" || strings.TrimSpace(a.p.Incident) == "":
		why = "an emergency needs a reason and an incident id"
	case len(a.p.Unbinds)+len(a.p.Modifies) > 0:
		why = "the emergency lane withdraws and does nothing else"
	case len(a.p.Losses) > lim.EmergencyOnce:
		why = fmt.Sprintf("%d prefixes in one command, the limit is %d", len(a.p.Losses), lim.EmergencyOnce)
	}
	if why != "" {
		return a.refuse(Finding{Rule: "breaker.emergency", Scope: Global, Why: why, Next: "name at most five prefixes, the reason and the incident"})
	}
	es := entries(a.p.Losses)
	if br := a.m.check(Global, dimEmergency, es, a.b, nil); len(br) > 0 {
		f := br[0].finding(false)
		f.Rule = "breaker.emergency"
		f.Next = "wait for the window, or drain the site"
		a.d.RetryAfter = a.m.roomIn(&br[0])
		return a.refuse(f)
	}
	a.charge()
	a.allow()
	return true
}
