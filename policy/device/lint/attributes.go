package lint

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// attributes reports what policies do to attributes that protect: RL506 and
// RL606.
func (a *analysis) attributes() {
	seen := map[device.Pos]bool{}
	for _, s := range a.cfg.Sessions {
		if s.Inactive {
			continue
		}
		for _, p := range []*device.Pipeline{&s.Export, &s.Import} {
			walkTerms(p, func(pol *device.Policy, t *device.Term) {
				if t.BuiltIn || t.Then.Flow == device.RejectRoute {
					return
				}
				for _, act := range t.Actions {
					if seen[act.Position()] {
						continue
					}
					f, ok := a.attribute(s, p == &s.Export, t, act)
					if !ok {
						continue
					}
					seen[act.Position()] = true
					f.Pos, f.Policy, f.Term = act.Position(), pol.Name, t.Name
					a.add(a.onSession(s, f))
				}
			})
		}
	}
}

func (a *analysis) attribute(s *device.Session, export bool, t *device.Term, act device.Action) (Finding, bool) {
	switch x := act.(type) {
	case *device.SetScalar:
		if x.Field == device.OTC && (x.Op == device.Remove || x.Op == device.Assign && !x.Own && !x.From) {
			return Finding{
				Rule: "RL606", Fix: "leave OTC alone (RFC 9234 section 5)",
				Message: fmt.Sprintf("term %s removes or overwrites OTC: routers behind it cannot see that the route must not go up again", t.Name),
			}, true
		}
	case *device.SetCommunities:
		if export && a.d.external(s) && x.Op != device.DeleteCommunities && slices.Contains(x.Values, device.NoExport) {
			return Finding{
				Rule: "RL506", Fix: "reject the routes that must not leave, or set NO_EXPORT where they are learned",
				Message: fmt.Sprintf("term %s sets NO_EXPORT on the way out to %s: the route is sent all the same, only %s will not pass it on", t.Name, s.Name, s.Name),
			}, true
		}
	}
	return Finding{}, false
}
