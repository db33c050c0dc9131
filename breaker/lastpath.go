package breaker

import (
	"fmt"
	"net/netip"
)

// Remaining is what is left of a prefix that a change takes down somewhere and
// not everywhere.
type Remaining struct {
	Prefix netip.Prefix
	Paths  int // sites or providers that still have it
	Load   int // estimate of the remaining paths' load, in thousandths of their capacity; 0 is not known
}

// lastPath refuses to leave a prefix on too few paths, or on paths that could
// not carry it, unless a person approved it.
func (a *admission) lastPath() bool {
	lim := &a.m.limits
	if a.p.Approval != "" || a.p.Lane == Emergency {
		return false
	}
	for _, r := range a.p.Remaining {
		f := Finding{Scope: Global, Next: "leave it there, or ask for an approval"}
		switch {
		case r.Paths < lim.LastPaths:
			f.Rule, f.Limit, f.Used = "breaker.last-path", lim.LastPaths, r.Paths
			f.Why = fmt.Sprintf("%s would be left on %d paths, the least is %d", r.Prefix, r.Paths, lim.LastPaths)
		case lim.Capacity > 0 && r.Load > lim.Capacity:
			f.Rule, f.Limit, f.Used = "breaker.capacity", lim.Capacity, r.Load
			f.Why = fmt.Sprintf("the paths left to %s would be loaded to %d %%, the limit is %d %%", r.Prefix, r.Load/10, lim.Capacity/10)
		default:
			continue
		}
		if f.Shadow = lim.shadow(f.Rule); f.Shadow {
			a.d.Findings = append(a.d.Findings, f)
			continue
		}
		return a.refuse(f)
	}
	return false
}
