package lint

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// defaults reports RL4xx: what happens where nobody wrote anything. RL404 and
// RL401 with a witness come from the proofs.
func (a *analysis) defaults() {
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

// proved reports whether a leak on the session was proved already.
func (a *analysis) proved(s *device.Session) bool {
	for i := range a.findings {
		if f := &a.findings[i]; f.Session == s.Name && f.Witness != nil {
			return true
		}
	}
	return false
}
