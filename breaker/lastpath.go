package breaker

import (
	"fmt"
	"net/netip"
)

// Remaining is what is left of a prefix that a change takes down somewhere and
// not everywhere, or of all that a site or a neighbor carries.
type Remaining struct {
	Prefix netip.Prefix
	// Drained is the site or neighbor that goes as a whole, in the prefix's
	// place. How many paths that leaves is judged where it is asked for, by what
	// each service needs.
	Drained string
	Paths   int // sites or providers that still have the prefix
	Strain  Strain
}

// lastPath refuses to leave a prefix on too few paths, or on paths that could
// not carry it, unless a person approved it.
func (a *admission) lastPath() bool {
	if a.p.Lane == Emergency || a.approvedPaths() {
		return false
	}
	for i := range a.p.Remaining {
		f, ok := a.m.limits.tooLittle(&a.p.Remaining[i])
		if !ok {
			continue
		}
		if f.Shadow = a.m.limits.shadow(f.Rule); f.Shadow {
			a.d.Findings = append(a.d.Findings, f)
			continue
		}
		return a.refuse(f)
	}
	return false
}

// approvedPaths reports that an approval names every prefix that is left on
// fewer paths.
func (a *admission) approvedPaths() bool {
	if a.p.Approval == "" {
		return false
	}
	var named []Loss
	for _, r := range a.p.Remaining {
		if r.Drained != "" {
			return false // an approval is for prefixes
		}
		named = append(named, Loss{Prefix: r.Prefix})
	}
	return a.m.grants[a.p.Approval].covers(a.m.now, named) == ""
}

// tooLittle says why what remains is not enough. A load that is not known
// refuses nothing: the number of paths does.
func (l *Limits) tooLittle(r *Remaining) (Finding, bool) {
	what := "the paths left to " + r.Prefix.String()
	f := Finding{Scope: Global, Next: "leave it there, or ask for an approval of exactly these prefixes"}
	if r.Drained != "" {
		what = "what is left without " + r.Drained
		f.Next = "wait until there is less traffic, undrain another one, or accept the risk by its name, over-capacity"
	}
	switch {
	case r.Drained == "" && r.Paths < l.LastPaths:
		f.Rule, f.Limit, f.Used = "breaker.last-path", l.LastPaths, r.Paths
		f.Why = fmt.Sprintf("%s would be left on %s, the least is %d", r.Prefix, paths(r.Paths), l.LastPaths)
	case l.Capacity > 0 && r.Strain.Load > l.Capacity:
		f.Rule, f.Limit, f.Used = "breaker.capacity", l.Capacity, r.Strain.Load
		f.Why = fmt.Sprintf("%s would be loaded to %d %%, the limit is %d %%: %s", what, r.Strain.Load/10, l.Capacity/10, r.Strain.Where)
	default:
		return f, false
	}
	return f, true
}

func paths(n int) string {
	if n == 1 {
		return "1 path"
	}
	return fmt.Sprintf("%d paths", n)
}
