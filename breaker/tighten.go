package breaker

import "slices"

// Tighten gives the stricter of both, limit by limit: what may apply at once
// while what loosens waits for a person. Windows and what they count stay as
// they were.
func (l Limits) Tighten(to Limits) Limits {
	for _, list := range []struct {
		was *[]Rung
		now []Rung
	}{
		{&l.Ladder, to.Ladder}, {&l.Actor, to.Actor}, {&l.Ops, to.Ops}, {&l.Accounts, to.Accounts}, {&l.Account, to.Account},
		{&l.Service, to.Service}, {&l.Neighbor, to.Neighbor}, {&l.Bindings, to.Bindings}, {&l.Modifies, to.Modifies},
		{&l.OnDemand, to.OnDemand}, {&l.Owner, to.Owner},
	} {
		*list.was = tightened(*list.was, list.now)
	}
	// Zero switches these off, so that any other value is stricter.
	for _, v := range [][2]*int{{&l.PlanFloor, &to.PlanFloor}, {&l.StateFloor, &to.StateFloor}, {&l.GrowthFloor, &to.GrowthFloor},
		{&l.Capacity, &to.Capacity}, {&l.SitesDown, &to.SitesDown}} {
		if *v[0] == 0 || *v[1] > 0 && *v[1] < *v[0] {
			*v[0] = *v[1]
		}
	}
	for _, v := range [][2]*int{{&l.PlanShare, &to.PlanShare}, {&l.StateShare, &to.StateShare}, {&l.GrowthShare, &to.GrowthShare},
		{&l.OnDemandGlobal, &to.OnDemandGlobal}, {&l.EmergencyOnce, &to.EmergencyOnce}, {&l.EmergencyHour, &to.EmergencyHour},
		{&l.OwnerWhileOpen, &to.OwnerWhileOpen}, {&l.Recovering, &to.Recovering}, {&l.SpaceFrom, &to.SpaceFrom}} {
		*v[0] = min(*v[0], *v[1])
	}
	for _, v := range [][2]*int{{&l.LastPaths, &to.LastPaths}, {&l.ApproveBelow, &to.ApproveBelow}} {
		*v[0] = max(*v[0], *v[1])
	}
	l.PlanTwice, l.Wait = max(l.PlanTwice, to.PlanTwice), max(l.Wait, to.Wait)
	l.EnforceOps = l.EnforceOps || to.EnforceOps
	l.Shadow = slices.DeleteFunc(slices.Clone(l.Shadow), func(rule string) bool { return !to.shadow(rule) })
	for _, f := range to.Freezes {
		if !covered(f, l.Freezes) {
			l.Freezes = append(slices.Clip(l.Freezes), f)
		}
	}
	return l
}

func tightened(was, now []Rung) []Rung {
	out := slices.Clone(was)
	for i := range out {
		j := slices.IndexFunc(now, func(r Rung) bool { return r.Name == out[i].Name })
		if j < 0 {
			continue
		}
		r := &now[j]
		out[i].Share, out[i].Total = min(out[i].Share, r.Share), min(out[i].Total, r.Total)
		if r.Floor > 0 && (out[i].Floor == 0 || r.Floor < out[i].Floor) {
			out[i].Floor = r.Floor
		}
		out[i].Net, out[i].Shadow = out[i].Net && r.Net, out[i].Shadow && r.Shadow
	}
	for _, r := range now {
		if !named(out, r.Name) {
			out = append(out, r)
		}
	}
	return out
}
