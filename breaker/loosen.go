package breaker

import "fmt"

// Loosens lists how these limits hold back less than the old ones do. Tightening
// applies at once; loosening is a change that needs what a mass withdrawal
// needs.
func (l Limits) Loosens(old Limits) []string {
	var out []string
	lists := []struct {
		name     string
		now, was []Rung
	}{
		{"ladder", l.Ladder, old.Ladder}, {"actor", l.Actor, old.Actor}, {"ops", l.Ops, old.Ops},
		{"accounts", l.Accounts, old.Accounts}, {"account", l.Account, old.Account}, {"service", l.Service, old.Service},
		{"neighbor", l.Neighbor, old.Neighbor}, {"bindings", l.Bindings, old.Bindings}, {"modifies", l.Modifies, old.Modifies},
		{"on_demand", l.OnDemand, old.OnDemand}, {"owner", l.Owner, old.Owner},
	}
	for _, list := range lists {
		out = append(out, loosened(list.name, list.now, list.was)...)
	}
	more := func(name string, now, was int, offIsZero bool) {
		if now > was && !(offIsZero && was == 0) || offIsZero && now == 0 && was > 0 {
			out = append(out, fmt.Sprintf("%s: %d, was %d", name, now, was))
		}
	}
	less := func(name string, now, was int) { more(name, -now, -was, false) }
	more("on_demand_global", l.OnDemandGlobal, old.OnDemandGlobal, false)
	more("plan_share", l.PlanShare, old.PlanShare, false)
	more("plan_floor", l.PlanFloor, old.PlanFloor, true)
	more("state_share", l.StateShare, old.StateShare, false)
	more("state_floor", l.StateFloor, old.StateFloor, true)
	more("emergency_once", l.EmergencyOnce, old.EmergencyOnce, false)
	more("emergency_hour", l.EmergencyHour, old.EmergencyHour, false)
	more("owner_while_open", l.OwnerWhileOpen, old.OwnerWhileOpen, false)
	more("sites_down", l.SitesDown, old.SitesDown, true)
	more("recovering", l.Recovering, old.Recovering, false)
	more("space_from", l.SpaceFrom, old.SpaceFrom, false)
	more("growth_share", l.GrowthShare, old.GrowthShare, false)
	more("growth_floor", l.GrowthFloor, old.GrowthFloor, true)
	more("capacity", l.Capacity, old.Capacity, true)
	less("last_paths", l.LastPaths, old.LastPaths)
	less("approve_below", l.ApproveBelow, old.ApproveBelow)
	less("approvals", l.Approvals, old.Approvals)
	less("reset_approvals", l.ResetApprovals, old.ResetApprovals)
	less("plan_twice", int(l.PlanTwice.Seconds()), int(old.PlanTwice.Seconds()))
	less("wait", int(l.Wait.Seconds()), int(old.Wait.Seconds()))
	for _, rule := range l.Shadow {
		if !old.shadow(rule) {
			out = append(out, "shadow: "+rule)
		}
	}
	if old.EnforceOps && !l.EnforceOps {
		out = append(out, "enforce_ops: false, was true")
	}
	if l.SingleDelay > 0 && (old.SingleDelay == 0 || l.SingleDelay < old.SingleDelay) {
		out = append(out, fmt.Sprintf("single_delay: %s, was %s", l.SingleDelay, old.SingleDelay))
	}
	if l.LongWindow > old.LongWindow || l.LongWindow == 0 && old.LongWindow > 0 {
		out = append(out, fmt.Sprintf("long_window: %s, was %s", l.LongWindow, old.LongWindow))
	}
	for _, f := range old.Freezes {
		if !covered(f, l.Freezes) {
			out = append(out, "freezes: "+f.Reason+" is gone or shorter")
		}
	}
	return out
}

func covered(f Freeze, by []Freeze) bool {
	for _, g := range by {
		if !g.From.After(f.From) && !g.Until.Before(f.Until) {
			return true
		}
	}
	return false
}

// loosened compares two lists by name. A limit that is gone, in shadow, shorter
// or higher holds back less.
func loosened(list string, now, was []Rung) []string {
	var out []string
	for _, o := range was {
		var r *Rung
		for i := range now {
			if now[i].Name == o.Name {
				r = &now[i]
			}
		}
		why := ""
		switch {
		case r == nil:
			why = "is gone"
		case r.Shadow && !o.Shadow:
			why = "runs in shadow"
		case r.Share > o.Share:
			why = fmt.Sprintf("share %d, was %d", r.Share, o.Share)
		case o.Floor > 0 && (r.Floor > o.Floor || r.Floor == 0):
			why = fmt.Sprintf("floor %d, was %d", r.Floor, o.Floor)
		case r.Total > o.Total:
			why = fmt.Sprintf("total %d, was %d", r.Total, o.Total)
		case r.Span < o.Span:
			why = fmt.Sprintf("window %s, was %s", span(r.Span), span(o.Span))
		case r.Net && !o.Net:
			why = "is net of restores"
		case r.Unit != o.Unit:
			why = "counts something else"
		}
		if why != "" {
			out = append(out, list+": "+o.Name+" "+why)
		}
	}
	return out
}
