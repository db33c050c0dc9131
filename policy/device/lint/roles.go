package lint

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// roles reports RL6xx: RFC 9234 roles that are missing, wrong or misplaced.
func (a *analysis) roles() {
	with, without := 0, 0
	for _, s := range a.cfg.Sessions {
		switch {
		case s.Inactive:
		case a.isInternal(s):
			if s.Facts.LocalRole != device.UnknownRole {
				a.add(a.onSession(s, Finding{Rule: "RL603", Pos: s.Pos, Message: fmt.Sprintf("the internal session with %s has an RFC 9234 role", s.Name), Fix: "remove it"}))
			}
		case s.Facts.LocalRole == device.UnknownRole:
			without++
		default:
			with++
			a.configuredRole(s)
		}
	}
	if with == 0 || without == 0 {
		return
	}
	for _, s := range a.cfg.Sessions {
		if !s.Inactive && !a.isInternal(s) && s.Facts.LocalRole == device.UnknownRole {
			a.add(a.onSession(s, Finding{
				Rule: "RL601", Pos: s.Pos, Message: fmt.Sprintf("%d external sessions have an RFC 9234 role and the one with %s has none", with, s.Name),
				Fix: "configure a role: routes learned without one carry no OTC",
			}))
		}
	}
}

func (a *analysis) configuredRole(s *device.Session) {
	if r, ok := a.d.declared(s); ok && r != s.Facts.LocalRole {
		a.add(a.onSession(s, Finding{
			Rule: "RL602", Pos: s.Pos, Message: fmt.Sprintf("%s is declared a %s and configured as a %s", s.Name, r, s.Facts.LocalRole),
			Fix: "correct the configuration or the declaration",
		}))
	}
	if !s.Facts.StrictRole {
		a.add(a.onSession(s, Finding{Rule: "RL605", Severity: device.Info, Pos: s.Pos, Message: fmt.Sprintf("the role of %s is not strict", s.Name), Fix: "switch strict mode on when both sides agree"}))
	}
}

// acrossFiles reports RL604: routes are kept back by roles on one router, and
// another router has an external session without one.
func (d *Declaration) acrossFiles(cfgs []*device.Config) []Finding {
	var relies *device.Session
	var out []Finding
	for _, cfg := range cfgs {
		for _, s := range cfg.Sessions {
			if d.external(s) && s.Facts.LocalRole != device.UnknownRole && relies == nil {
				relies = s
			}
		}
	}
	if relies == nil || len(cfgs) < 2 {
		return nil
	}
	for _, cfg := range cfgs {
		for _, s := range cfg.Sessions {
			if !d.external(s) || s.Facts.LocalRole != device.UnknownRole {
				continue
			}
			f := Finding{
				Rule: "RL604", Pos: s.Pos, Dialect: cfg.Dialect, Host: cfg.Hostname, Session: s.Name, Group: s.Group, Role: d.judged(s), RoleFrom: s.RoleSource, PeerAS: s.PeerAS,
				Message: fmt.Sprintf("roles are in use (%s), and routes learned from %s get no OTC", relies.Pos, s.Name), Fix: "give every external session a role",
				Severity: device.Warning,
			}
			f.Fingerprint = f.fingerprint()
			out = append(out, f)
		}
	}
	return out
}
