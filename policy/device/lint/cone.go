package lint

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
)

// cones reports RL106: a customer may send any prefix and it is accepted. What
// is accepted then goes to peers and providers as the customer's (RFC 7908
// type 4).
func (a *analysis) cones() {
	seen := map[string]bool{}
	for _, s := range a.cfg.Sessions {
		if s.Inactive || a.isInternal(s) || s.Role != device.Customer || !s.Carries(device.IPv4) && !s.Carries(device.IPv6) {
			continue
		}
		if k := a.importKey(s); !seen[k] {
			seen[k] = true
			a.cone(s)
		}
	}
}

// cone asks whether something is accepted that no prefix list or cone
// expression of the import policy names.
func (a *analysis) cone(s *device.Session) {
	e := &evidence{}
	v := visitor{e: e, tagged: true, seen: map[*device.Policy]bool{}}
	for i := range s.Import.Steps {
		v.chain(&s.Import.Steps[i].Chain)
	}
	u, err := symbolic.New(symbolic.Inputs{
		Sources: []symbolic.Source{{Route: a.sourceOf(s), Session: s}}, Own: a.own, Prefer: preferredASNs, Patterns: e.paths,
	})
	if err != nil {
		a.tooLarge(s, err)
		return
	}
	wide := u.Imported(0).Must
	for _, l := range e.lists {
		wide = u.Diff(wide, u.Matched(l))
	}
	for _, p := range e.paths {
		if n, ok := u.PathIn(p); ok {
			wide = u.Diff(wide, n)
		}
	}
	w, ok := u.Witness(wide, u.Prefix(preferredPrefixes[0]), u.Prefix(preferredPrefixes[3]))
	if !ok {
		return
	}
	f := a.onSession(s, Finding{Rule: "RL106", Pos: s.Pos, Fix: "accept the customer's own prefixes and AS cone alone, and reject the rest"})
	f.Message = fmt.Sprintf("customer %s can send any prefix and it is accepted, e.g. %s", s.Name, w.Route.Prefix)
	a.add(f)
}
