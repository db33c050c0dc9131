package render

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Junos writes the router's side for Junos 17.3 or later, as set commands.
func Junos(s Side) (string, error) {
	if err := s.check(); err != nil {
		return "", fmt.Errorf("edge configuration for junos: %w", err)
	}
	w := &writer{}
	marker, large := s.marker()
	w.line("# %s", s.Title)
	w.line("# From Holdfast nothing is taken but what carries %s inside the prefixes below.", marker)
	w.line("# HOLDFAST-EXPORT is the export policy of your sessions with other networks.")
	w.line("# HOLDFAST-STRIP takes the marker off what others send: put it first in every")
	w.line("# other import chain.")
	members := marker
	if large {
		members = "large:" + marker
	}
	w.line("set policy-options community HOLDFAST-MARKER members %s", members)
	// A community of two members asks for both.
	w.line("set policy-options community HOLDFAST-DRAIN members %s", members)
	w.line("set policy-options community HOLDFAST-DRAIN members 65535:0")
	for _, f := range s.families() {
		for _, p := range s.of(f) {
			kind := "exact"
			if upto(p) > p.Bits() {
				kind = fmt.Sprintf("upto /%d", upto(p))
			}
			w.line("set policy-options route-filter-list HOLDFAST-%s %s %s", listName(f), p, kind)
		}
	}
	for _, f := range s.families() {
		s.junosTerm(w, "HOLDFAST-IN", junosFamily(f)+"-drain", f, true, "local-preference 0")
		s.junosTerm(w, "HOLDFAST-IN", junosFamily(f), f, false, "")
		s.junosTerm(w, "HOLDFAST-EXPORT", junosFamily(f), f, false, "community delete HOLDFAST-MARKER")
	}
	w.line("set policy-options policy-statement HOLDFAST-IN term rest then reject")
	w.line("set policy-options policy-statement HOLDFAST-EXPORT term rest then reject")
	w.line("set policy-options policy-statement HOLDFAST-STRIP then community delete HOLDFAST-MARKER")
	w.line("set policy-options policy-statement HOLDFAST-NONE then reject")
	s.junosSessions(w)
	return w.String(), nil
}

// junosTerm accepts what carries the marker, or the marker and the mark of a
// drain, inside the list.
func (s *Side) junosTerm(w *writer, policy, term string, f addressing.Family, drain bool, then string) {
	at := fmt.Sprintf("set policy-options policy-statement %s term %s ", policy, term)
	w.line("%sfrom family %s", at, junosFamily(f))
	w.line("%sfrom protocol bgp", at)
	community := "HOLDFAST-MARKER"
	if drain {
		community = "HOLDFAST-DRAIN"
	}
	w.line("%sfrom community %s", at, community)
	w.line("%sfrom route-filter-list HOLDFAST-%s", at, listName(f))
	if then != "" {
		w.line("%sthen %s", at, then)
	}
	w.line("%sthen accept", at)
}

func (s *Side) junosSessions(w *writer) {
	w.line("set routing-options autonomous-system %d", s.ASN)
	w.line("set routing-options graceful-restart")
	const group = "set protocols bgp group HOLDFAST "
	kind := "internal"
	if s.external(s.Sessions[0]) {
		kind = "external"
	}
	w.line("%stype %s", group, kind)
	w.line("%sdescription Holdfast", group)
	w.line("%simport HOLDFAST-IN", group)
	w.line("%sexport HOLDFAST-NONE", group)
	w.line("%sgraceful-restart stale-routes-time 600", group)
	w.line("%sgraceful-restart long-lived receiver enable", group)
	if s.Reflector {
		w.line("%scluster %s", group, s.cluster())
	}
	for _, one := range s.Sessions {
		at := fmt.Sprintf("%sneighbor %s ", group, one.Speaker)
		if one.Local.IsValid() {
			w.line("%slocal-address %s", at, one.Local)
		}
		if s.external(one) {
			w.line("%speer-as %d", at, one.ASN)
			if one.Multihop > 0 {
				w.line("%smultihop ttl %d", at, one.Multihop)
			}
		}
		if hold := int(one.HoldTime.Seconds()); hold > 0 {
			w.line("%shold-time %d", at, hold)
		}
		if one.MD5 {
			w.line("# %sauthentication-key \"THE-SHARED-KEY\"", at)
		}
		for _, f := range addressing.Families() {
			if slices.Contains(one.Families, f) {
				w.line("%sfamily %s unicast prefix-limit maximum %d", at, junosFamily(f), s.maxPrefix(f))
				w.line("%sfamily %[2]s unicast prefix-limit teardown 80", at, junosFamily(f))
			}
		}
	}
}

// cluster is the reflector's cluster identifier (RFC 4456 section 7): its own
// IPv4 address, which has to be the same for all of its groups.
func (s *Side) cluster() netip.Addr {
	for _, one := range s.Sessions {
		if one.Local.Is4() {
			return one.Local
		}
	}
	return netip.AddrFrom4([4]byte{0, 0, 0, 1})
}

func junosFamily(f addressing.Family) string {
	if f == addressing.IPv6 {
		return "inet6"
	}
	return "inet"
}
