package lint

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// defaults reports RL4xx: what happens where nobody wrote anything. RL404 and
// RL401 with a witness come from the proofs.
func (a *analysis) defaults() {
	a.finalRejects()
	for _, s := range a.cfg.Sessions {
		if s.Inactive || a.isInternal(s) || !s.Carries(device.IPv4) && !s.Carries(device.IPv6) {
			continue
		}
		if s.Facts.NoExportPolicy && !a.proved(s) {
			f := Finding{Rule: "RL401", Pos: s.Pos, Message: fmt.Sprintf("no export policy %s", a.towards(s)), Fix: "configure one (RFC 8212)"}
			if s.Facts.DefaultDeny == device.True || s.Role == device.Collector || !a.d.external(s) {
				f.Severity = device.Warning
			}
			a.add(a.onSession(s, f))
		}
		if s.Facts.NoImportPolicy && s.Facts.DefaultDeny != device.True {
			a.add(a.onSession(s, Finding{
				Rule: "RL402", Pos: s.Pos, Severity: device.Warning,
				Message: fmt.Sprintf("no import policy from %s: whatever it sends is accepted", s.Name), Fix: "configure one (RFC 8212)",
			}))
		}
		if s.RoleSource == device.RoleNotKnown && s.Kind != device.InternalSession {
			a.add(a.onSession(s, Finding{
				Rule: "RL410", Pos: s.Pos,
				Message: fmt.Sprintf("what AS%d (%s) is to us is not known; it is judged as a %s", s.PeerAS, s.Name, a.d.judge),
				Fix:     "declare it under roles: in .leaklint.yaml",
			}))
		}
	}
}

// finalRejects: RL408, once for each list of policies. Where the default rejects
// its end needs no term; where a leak was proved there is more to say.
func (a *analysis) finalRejects() {
	seen := map[*device.Policy]bool{}
	for _, s := range a.cfg.Sessions {
		if !a.d.external(s) || a.proved(s) {
			continue
		}
		for i := range s.Export.Steps {
			c := &s.Export.Steps[i].Chain
			if s.Export.Steps[i].Kind != device.PolicyStep || len(c.Policies) == 0 || !openEnd(c) {
				continue
			}
			last := c.Policies[len(c.Policies)-1]
			if last.BuiltIn || seen[last] {
				continue
			}
			seen[last] = true
			a.add(a.onSession(s, Finding{
				Rule: "RL408", Pos: last.Pos, Policy: last.Name,
				Message: fmt.Sprintf("policy %s ends without a term that decides every route, and the default accepts (%s)", last.Name, c.Why),
				Fix:     "end it with a term that rejects",
			}))
		}
	}
}

// canDefaultToAccept reports whether a route no configured term decides may be
// accepted: by the end of the chain, or by a default that stands in front (Junos
// advertises BGP routes).
func canDefaultToAccept(c *device.Chain) bool {
	if c.Default == device.Accept {
		return true
	}
	return slices.ContainsFunc(c.Policies, func(p *device.Policy) bool {
		return p.BuiltIn && slices.ContainsFunc(p.Terms, func(t *device.Term) bool { return t.Then.Default == device.Accept })
	})
}

// openEnd is the same of a chain that no term closes.
func openEnd(c *device.Chain) bool {
	return canDefaultToAccept(c) && !slices.ContainsFunc(c.Policies, decidesAll)
}

// decidesAll reports whether no route falls off the end of the policy.
func decidesAll(p *device.Policy) bool {
	for _, t := range p.Terms {
		c, ok := t.Match.(*device.Const)
		if !t.Inactive && ok && c.Value && len(t.Body) == 0 && (t.Then.Flow == device.AcceptRoute || t.Then.Flow == device.RejectRoute || t.Then.Default == device.Reject) {
			return true
		}
	}
	return false
}

// proved reports whether a leak on the session was proved already.
func (a *analysis) proved(s *device.Session) bool {
	for i := range a.findings {
		if f := &a.findings[i]; f.Session == s.Name && f.Witness != nil {
			return true
		}
	}
	return false
}
